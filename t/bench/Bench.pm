# SPDX-License-Identifier: MIT
#
# What the benches share: peers that are started, measured in turn within one
# run, and ended; CPU of whole process trees from /proc; medians and ratios.
#
# The figure that counts is CPU microseconds of the server's process tree per
# unit of work. It holds still on a machine that others use, where times do
# not. Compare only within one run.
package Bench;

use strict;
use warnings;

use Exporter 'import';
use Fcntl qw(O_CREAT O_DSYNC O_RDWR SEEK_SET);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(sysconf _SC_CLK_TCK WNOHANG);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(free_port spawn stop_with stop_all tree cpu_us tree_us
  machine_us wait_for pin summary machine output wrk wrk_counts flush_us
  said column quiet);

my %children;    # pid => how it is told to stop
my @started;     # the same pids, in order

# Nothing we started outlives us.
END { my $code = $?; stop_all(); $? = $code; }
$SIG{$_} = sub { exit 130 }
  for qw(INT TERM);

sub free_port {
	my $socket = IO::Socket::INET->new(
		Listen    => 1,
		LocalAddr => '127.0.0.1',
		ReuseAddr => 1
	) or die "no free port: $!";
	return $socket->sockport;
}

# Starts a program, its output into a file; its pid. It is told to stop
# when we die, however that comes.
sub spawn {
	my ($log, @command) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDIN,  '<', '/dev/null' or die;
		open STDOUT, '>', $log        or die "$log: $!";
		open STDERR, '>&', \*STDOUT or die;
		exec 'setpriv', '--pdeathsig', 'TERM', @command
		  or die "exec $command[0]: $!";
	}
	$children{$pid} = 'TERM';
	push @started, $pid;
	return $pid;
}

# What a program prints that runs and ends by itself, or with us; $? is how.
sub output {
	my (@command) = @_;
	open my $out, '-|', 'setpriv', '--pdeathsig', 'KILL', @command
	  or die "$command[0]: $!";
	my $said = do { local $/; <$out> } // '';
	close $out;
	return $said;
}

# The signal that stops this one, where TERM does not.
sub stop_with {
	my ($signal, $pid) = @_;
	$children{$pid} = $signal;
	return;
}

# The last that was started first, since it may stand on an earlier one.
sub stop_all {
	while (defined(my $pid = pop @started)) {
		my $signal = delete $children{$pid} // next;
		my $until  = time + 10;
		kill $signal => $pid;
		while (waitpid($pid, WNOHANG) == 0) {
			kill KILL => $pid if time > $until;
			sleep 0.02;
		}
	}
	return;
}

# What a program wrote into its log, up to the last lines.
sub said {
	my ($log) = @_;
	open my $file, '<', $log or return "$log: $!\n";
	my @lines = <$file>;
	splice @lines, 0, -20 if @lines > 20;
	return join '', @lines;
}

sub wait_for {
	my ($what, $is_there, $log) = @_;
	my $until = time + 120;
	until ($is_there->()) {
		die "$what did not come within 120 s\n",
		  $log ? said($log) : ''
		  if time > $until;
		sleep 0.02;
	}
	return;
}

# A process and all below it.
sub tree {
	my ($root) = @_;
	my (%below, @all);
	for my $stat (glob '/proc/[0-9]*/stat') {
		open my $file, '<', $stat or next;
		my $line = <$file> // next;
		push @{ $below{$2} }, $1 if $line =~ /^(\d+) \(.*\) \S (\d+)/;
	}
	my @todo = ($root);
	while (defined(my $pid = shift @todo)) {
		push @all,  $pid;
		push @todo, @{ $below{$pid} // [] };
	}
	return @all;
}

# CPU time used so far, user and system, of these processes. From schedstat
# where the kernel has it (nanoseconds), else from clock ticks.
sub cpu_us {
	my (@pids) = @_;
	my $sum = 0;
	for my $pid (@pids) {
		for my $thread (glob "/proc/$pid/task/*") {
			if (open my $file, '<', "$thread/schedstat") {
				my ($ns) = split / /, <$file> // '0';
				$sum += $ns / 1000;
			} elsif (open $file, '<', "$thread/stat") {
				my @fields = split / /,
				  (<$file> // '') =~ s/.*\) //r;
				$sum += ($fields[11] + $fields[12]) * 1e6 /
				  sysconf(_SC_CLK_TCK);
			}
		}
	}
	return $sum;
}

# The same of whole trees, with what their dead used: it moves to the parent
# who buries them.
sub tree_us {
	my (@roots) = @_;
	my @pids = map { tree($_) } @roots;
	my $sum  = cpu_us(@pids);
	for my $pid (@pids) {
		open my $file, '<', "/proc/$pid/stat" or next;
		my @fields = split / /, (<$file> // '') =~ s/.*\) //r;
		$sum += ($fields[13] + $fields[14]) * 1e6 /
		  sysconf(_SC_CLK_TCK);
	}
	return $sum;
}

# CPU time that the whole machine has used so far.
sub machine_us {
	open my $file, '<', '/proc/stat' or return 0;
	my (undef, $user, $nice, $system, undef, undef, $irq, $softirq) =
	  split ' ', <$file>;
	return ($user + $nice + $system + $irq + $softirq) * 1e6 /
	  sysconf(_SC_CLK_TCK);
}

# Keeps servers and the load generator off each other's core.
sub pin {
	my ($core, @pids) = @_;
	for my $pid (@pids) {
		system "taskset -a -cp $core $pid >/dev/null 2>&1";
	}
	return;
}

# Requests that were answered, the rate, and how many were answered badly or
# not at all.
sub wrk_counts {
	my ($core, $seconds, $connections, $url, @more) = @_;
	my $out = output('taskset', '-c', $core, 'wrk', '-t1',
		"-c$connections", "-d${seconds}s", @more, $url);
	my ($requests) = $out =~ /(\d+) requests in/ or die "wrk: $out";
	my ($rate)     = $out =~ /Requests\/sec:\s+([\d.]+)/;
	my ($bad)      = $out =~ /Non-2xx[^:]*: (\d+)/;
	my ($errors)   = $out =~ /Socket errors: (.*)/;
	$bad //= 0;
	$bad += $_ for ($errors // '') =~ /\d+/g;
	return ($requests, $rate, $bad);
}

# The same; dies if any failed.
sub wrk {
	my ($requests, $rate, $bad) = wrk_counts(@_);
	die "wrk: $bad of $requests requests failed\n" if $bad;
	return ($requests, $rate);
}

# What one flush of 8 KiB to the disk below this folder takes, as PostgreSQL
# does it at a commit: the median of 200.
sub flush_us {
	my ($folder) = @_;
	my $path = "$folder/flush";
	sysopen my $file, $path, O_RDWR | O_CREAT | O_DSYNC
	  or die "$path: $!";
	my @took;
	for (0 .. 200) {
		my $begin = time;
		sysseek $file, 0, SEEK_SET;
		syswrite $file, 'x' x 8192 or die "$path: $!";
		push @took, (time - $begin) * 1e6;
	}
	close $file;
	unlink $path;
	shift @took;    # it made the file
	return (summary(@took))[0];
}

sub summary {
	my (@values) = sort { $a <=> $b } @_;
	return ($values[ $#values / 2 ], $values[0], $values[-1]);
}

# One figure's median, lowest and highest.
sub column {
	my ($name, @rows) = @_;
	return summary(map { $_->{$name} } @rows);
}

# Without the rounds in which other programs used more than a quarter of a
# core, unless that leaves none.
sub quiet {
	my @all   = @_;
	my @quiet = grep { $_->{others} <= 0.25 } @all;
	return (\@all, ' no round was quiet') if !@quiet;
	return (\@quiet, @quiet == @all ? '' : ' quiet rounds: ' . @quiet);
}

sub machine {
	open my $file, '<', '/proc/cpuinfo' or return 'unknown';
	my ($model) = grep { /^model name/ } <$file>;
	my $cores = () = glob '/sys/devices/system/cpu/cpu[0-9]*';
	$model =~ s/.*:\s*|\s+$//g;
	return "$model, $cores cores";
}

1;
