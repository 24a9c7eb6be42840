# SPDX-License-Identifier: MIT
package T::Command;

# Running the program for its answer.
#
#	my $r = partyline('config', 'check', '-c', $path);
#	is($r->{exit}, 0); like($r->{out}, qr/.../); is($r->{err}, '');
#	my $r = partyline({ env => { PORT => 1 }, in => $text }, 'config', ...);
#	my $r = partyline({ program => $path }, ...);	another one of the build
#
# The environment is ours without anything that configures the server.

use strict;
use warnings;
use Exporter   'import';
use File::Temp ();
use POSIX      ();
use T::Evidence;
use T::Run;
use T::Wait;

our @EXPORT = qw(partyline);

my @ours =
    qw(PORT ADMIN_KEY ADMIN_CONFIG_PATH JWT_SECRET DATABASE_URL REDIS_URL
    NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES);

# The environment of a program under test. Reports of sanitizers go to files
# beside path, where T::Server and partyline() look for them.
sub environment {
	my ($reports, $extra) = @_;
	my %env = %ENV;

	delete @env{ @ours, grep { /^PARTYLINE_/ } keys %env };
	$env{ASAN_OPTIONS} =
	    "detect_leaks=1:exitcode=99:log_path=$reports:log_exe_name=0";
	$env{UBSAN_OPTIONS} = "print_stacktrace=1:log_path=$reports";
	%env = (%env, %{ $extra // {} });
	T::Evidence::record(fault => split /\W+/, $env{PARTYLINE_FAULTS})
	    if defined $env{PARTYLINE_FAULTS};
	return %env;
}

# Becomes the program; never comes back.
sub become {
	my ($env, @words) = @_;

	%ENV = %$env;
	exec { $words[0] } @words or POSIX::_exit(127);
}

sub reports {
	my ($path) = @_;
	my $text = '';

	for my $found (glob "$path.*") {
		open my $file, '<', $found or next;
		local $/;
		$text .= <$file>;
	}
	return $text;
}

sub partyline {
	my $options = ref $_[0] eq 'HASH' ? shift : {};
	my @words   = @_;
	my $dir     = File::Temp->newdir('partyline-c-XXXXXX', TMPDIR => 1);
	my %env     = environment("$dir/sanitizer", $options->{env});
	my $pid     = fork // die "fork: $!\n";

	if ($pid == 0) {
		chdir $options->{dir} if defined $options->{dir};
		open STDIN, '<', '/dev/null';
		if (defined $options->{in}) {
			open my $in, '+>', undef;
			print $in $options->{in};
			$in->flush;
			sysseek $in, 0, 0;
			open STDIN, '<&', $in;
		}
		open STDOUT, '>', "$dir/out";
		open STDERR, '>', "$dir/err";
		become(\%env, 'timeout', '-k', 5, $options->{seconds} // 60,
			$options->{program} // T::Run::program(), @words);
	}
	waitpid $pid, 0;
	my %result = (
		exit   => $? >> 8,
		signal => $? & 127,
		out    => slurp("$dir/out"),
		err    => slurp("$dir/err")
	);
	my $reports = reports("$dir/sanitizer");

	T::Evidence::record(command => grep { /^[a-z]+$/ } $words[0] // '')
	    if !$options->{program};
	T::Evidence::complaint($result{err}) if !$options->{program};
	for my $at (1 .. $#words) {
		T::Evidence::record(option => $1)
		    if $words[$at - 1] eq '--set' && $words[$at] =~ /^(\w+)=/;
	}
	if ($reports ne '') {
		require Test::More;
		Test::More::fail("partyline @words: no sanitizer report");
		Test::More::diag($reports);
	}
	return \%result;
}

sub slurp {
	my ($path) = @_;

	open my $file, '<:raw', $path or return '';
	local $/;
	return <$file> // '';
}

1;
