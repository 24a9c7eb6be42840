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
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(sysconf _SC_CLK_TCK WNOHANG);
use Time::HiRes qw(sleep time);

our @EXPORT_OK =
  qw(free_port spawn stop_all tree cpu_us wait_for pin summary machine wrk);

my %children;    # pid => how it is told to stop

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

# Starts a program on one core, its output into a file; its pid.
sub spawn {
	my ($log, @command) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDIN,  '<', '/dev/null' or die;
		open STDOUT, '>', $log        or die "$log: $!";
		open STDERR, '>&', \*STDOUT or die;
		exec @command or die "exec $command[0]: $!";
	}
	$children{$pid} = 1;
	return $pid;
}

sub stop_all {
	kill TERM => keys %children if %children;
	my $until = time + 10;
	while (%children && time < $until) {
		for my $pid (keys %children) {
			delete $children{$pid} if waitpid($pid, WNOHANG) != 0;
		}
		sleep 0.05 if %children;
	}
	for my $pid (keys %children) {
		kill KILL => $pid;
		waitpid $pid, 0;
		delete $children{$pid};
	}
	return;
}

sub wait_for {
	my ($what, $is_there) = @_;
	my $until = time + 20;
	until ($is_there->()) {
		die "$what did not come within 20 s\n" if time > $until;
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

# Keeps servers and the load generator off each other's core.
sub pin {
	my ($core, @pids) = @_;
	for my $pid (@pids) {
		system "taskset -a -cp $core $pid >/dev/null 2>&1";
	}
	return;
}

# Requests that were answered well, and the rate; dies if any failed.
sub wrk {
	my ($core, $seconds, $connections, $url, @more) = @_;
	my $wrk = "taskset -c $core wrk -t1 -c$connections -d${seconds}s";
	my $out = qx($wrk @more '$url');
	my ($requests) = $out =~ /(\d+) requests in/ or die "wrk: $out";
	my ($rate)     = $out =~ /Requests\/sec:\s+([\d.]+)/;
	die "wrk: $out" if $out =~ /Non-2xx|Socket errors/;
	return ($requests, $rate);
}

sub summary {
	my (@values) = sort { $a <=> $b } @_;
	return ($values[ $#values / 2 ], $values[0], $values[-1]);
}

sub machine {
	open my $file, '<', '/proc/cpuinfo' or return 'unknown';
	my ($model) = grep { /^model name/ } <$file>;
	my $cores = () = glob '/sys/devices/system/cpu/cpu[0-9]*';
	$model =~ s/.*:\s*|\s+$//g;
	return "$model, $cores cores";
}

1;
