#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The command line: every command, how it is refused, what programs read.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use File::Temp ();
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX    ();
use Test::More;
use T::Command;
use T::Run;
use T::Server;
use T::Table;

my $json = JSON::PP->new->utf8;

sub is_misused {
	my ($words, $pattern) = @_;
	my $said = partyline(@$words);
	my $name = join(' ', 'partyline', @$words) =~ tr/\n/|/r;

	is($said->{exit}, 64, "$name: exit code");
	is($said->{out}, '', "$name: nothing on standard output");
	like($said->{err}, $pattern, "$name: told");
	like($said->{err}, qr/^usage: partyline /m, "$name: with its usage");
	return;
}

subtest 'what is no command' => sub {
	is_misused([], qr/no command was given/);
	is_misused(['serv'], qr/no command "serv"; did you mean serve\?/);
	is_misused(['xyzzy'], qr/there is no command "xyzzy"$/m);
	is_misused(['--wrong'], qr/there is no command "--wrong"/);
	is_misused(['config'], qr/one of check, print and diff/);
	is_misused(['config', 'chekc'], qr/not "chekc"/);
	is_misused(['config', 'check', 'print'], qr/one of/);
	is_misused(['config', 'check', '--sett', 'a=b'],
		qr/config does not take --sett; did you mean --set\?/);
	is_misused(['config', 'check', '-c'], qr/-c needs FILE/);
	is_misused(['config', 'check', '--json=1'], qr/--json takes no value/);
	is_misused(['serve', '--json'], qr/serve does not take --json/);
	is_misused(['version', 'x'], qr/takes no words/);
	is_misused(['help', 'config', 'serve'], qr/takes one command/);
	is_misused(['log'], qr/takes level or reopen/);
	is_misused(['log', 'reopen', 'x'], qr/log reopen takes no "x"/);
	is_misused(['log', 'level', 'loud'],
		qr/error, warn, info and debug, not "loud"/);
	is_misused(['log', "level\ndebug"], qr/takes level or reopen/);
	is_misused(['fault', 'arm'], qr/arm NAME/);
	is_misused(['fault', 'arm', 'x', '0'], qr/1 to 1000000, not "0"/);
};

subtest 'help' => sub {
	my $help = partyline('help');
	is($help->{exit}, 0, 'exit code');
	for my $row (T::Table->rows('commands')) {
		my $name = $row->{name};
		like($help->{out}, qr/^  \Q$name\E +\Q$row->{brief}\E$/m,
			"$name is listed");
		my $one = partyline('help', $name);
		is($one->{exit}, 0, "help $name");
		like($one->{out}, qr/\Q$row->{arguments}\E/, 'its arguments');
		like($one->{out}, qr/\Q$row->{text}\E/, 'what it does');
		like($one->{out}, qr/^  \Q$_\E$/m, 'an example')
		    for split /\n/, $row->{examples};
		for my $flag (@{ $row->{flags} }) {
			like($one->{out}, qr/^  \Q$flag->{flag}\E\b/m,
				$flag->{flag});
		}
		is(partyline($name, '--help')->{out}, $one->{out},
			"$name --help is the same");
	}
	is(partyline('--help')->{out}, $help->{out}, '--help');
	is(partyline('help', 'nothing')->{exit}, 64, 'of nothing');
};

subtest 'version' => sub {
	my $version = partyline('version');
	is($version->{exit}, 0, 'exit code');
	like($version->{out}, qr/\Apartyline \d+\.\d+\.\d+\nfeatures: .+\n\z/,
		'and features');
	is(partyline('--version')->{out}, $version->{out}, '--version');
	my $told = $json->decode(partyline('version', '--json')->{out});
	like($version->{out}, qr/^partyline \Q$told->{version}\E$/m,
		'the same for programs');
	is((grep { $_ eq 'faults' } @{ $told->{features} }) ? 1 : 0,
		T::Run::has('WITH_FAULTS') ? 1 : 0, 'it knows its build');
};

subtest 'tables' => sub {
	for my $name (qw(operations events messages functions options
		errors closes counters commands faults)) {
		my @rows  = T::Table->rows($name);
		my $shown = partyline('-x', $name);
		is($shown->{exit}, 0, "$name: exit code");
		is(scalar(split /\n/, $shown->{out}), scalar @rows,
			"$name: a line each");
		like($shown->{out}, qr/^\Q$_->{name}\E +\S/m, $_->{name})
		    for @rows;
	}
	my $document = partyline('-x', 'openapi');

	is($document->{exit}, 0, 'openapi: exit code');
	like($document->{out}, qr/\A\{"openapi":"3\.1\..*\}\n\z/,
		'openapi: one document');
	$document = partyline('-x', 'asyncapi');
	is($document->{exit}, 0, 'asyncapi: exit code');
	like($document->{out}, qr/\A\{"asyncapi":"3\.0\..*\}\n\z/,
		'asyncapi: one document');
	is_misused(['-x'], qr/^tables: operations events messages functions /m);
	is_misused(['-x', 'things'], qr/no such table/);
	is_misused(['-x', 'options', 'errors'], qr/takes one table/);
};

subtest 'an answer that cannot be written' => sub {
	my $exit = system 'sh', '-c', '"$1" help >/dev/full 2>/dev/null', 'sh',
	    T::Run::program();
	is($exit >> 8, 74, 'is told by the exit code');
};

subtest 'no server' => sub {
	my $folder = File::Temp->newdir;
	for my $where ("$folder", "$folder/none") {
		my $said = partyline('status', '--state-dir', $where);
		is($said->{exit}, 69, 'status: exit code');
		like($said->{err}, qr/no server runs on state_dir \Q$where\E/,
			'status: told');
	}
	is(partyline('log', 'level', '--state-dir', "$folder")->{exit}, 69,
		'log');
	is(partyline({ env => { PARTYLINE_STATE_DIR => "$folder/env" } },
		'fault', 'list')->{err} =~ m{state_dir \Q$folder\E/env;}, 1,
		'the state_dir of the environment is asked');
	is(partyline('status', '-c', "$folder/none")->{exit}, 78,
		'a configuration that cannot be read');

	# One that listens and never answers, or only nonsense.
	my $deaf = IO::Socket::UNIX->new(Local => "$folder/control",
		Listen => 5);
	my $said = partyline('status', '--state-dir', "$folder");
	is($said->{exit}, 69, 'a deaf one: exit code');
	like($said->{err}, qr/does not answer: time is out/, 'and told');
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		# The first in the queue is the one that gave up.
		local $SIG{PIPE} = 'IGNORE';
		while (my $client = $deaf->accept) {
			<$client>;
			print $client "{\"ok\":true\n";
			close $client;
		}
		POSIX::_exit(0);
	}
	$said = partyline('status', '--state-dir', "$folder");
	is($said->{exit}, 69, 'nonsense: exit code');
	like($said->{err}, qr/was lost before its answer/, 'and told');
	kill KILL => $pid;
	waitpid $pid, 0;
};

subtest 'a running server' => sub {
	my $server = T::Server->start(workers => 2);
	$server->get('/livez') for 1 .. 3;

	my $status = $server->status;
	cmp_ok($status->{counters}{requests}, '>=', 3, 'requests are counted');
	cmp_ok($status->{uptime_ms}, '>', 0, 'it knows for how long');
	is($status->{histograms}{request}{count},
		eval { my $n = 0; $n += $_
			for @{ $status->{histograms}{request}{buckets} }; $n },
		'a histogram is the sum of its buckets');
	is_deeply([sort keys %{ $status->{counters} }],
		[sort map { $_->{name} } grep { $_->{kind} eq 'counter' }
			T::Table->rows('counters')], 'every counter is there');
	my %roles;
	$roles{ $_->{role} }++ for @{ $status->{processes} };
	is_deeply(\%roles, { master => 1, worker => 2, relay => 1, jobs => 1 },
		'every process is there');
	my ($one) = grep { $_->{role} eq 'worker' && $_->{ordinal} == 1 }
	    @{ $status->{processes} };
	is($one->{pid}, $server->worker_pid(1), 'with its pid');

	my $text = $server->partyline('status');
	is($text->{exit}, 0, 'as text');
	like($text->{out}, qr/^up [\d.]+ s, log level \w+, /, 'the server');
	like($text->{out}, qr/^requests +\d+ +\d+\.\d\d  Requests answered/m,
		'a counter with its rate');
	like($text->{out}, qr/^request +\d+ .* p99 at most \d+ us$/m,
		'a histogram with its bounds');
	my $some = $server->partyline('status', 'ring_', 'process_');
	my @names = $some->{out} =~ /^(\w+)/mg;
	is(scalar(grep { !/^(?:ring|process)_/ } @names), 0,
		'prefixes leave out the rest');
	cmp_ok(scalar @names, '>=', 4, 'and nothing else');
	my $processes = $server->partyline('status', '--processes');
	like($processes->{out}, qr/^slot \d+: worker 2, pid \d+, generation/m,
		'processes on demand');

	is($server->log_level->{out}, "info\n", 'the log level');
	is($server->log_level('debug')->{out}, "debug\n", 'is set');
	is_deeply($json->decode($server->partyline('log', 'level', '--json')
		->{out}), { ok => JSON::PP::true, level => 'debug' },
		'for programs');
	is($server->partyline('log', 'reopen')->{exit}, 0, 'log reopen');

	my $faults = $server->partyline('fault', 'list');
	if (T::Run::has('WITH_FAULTS')) {
		like($faults->{out}, qr/^\Q$_\E +0$/m, "fault $_")
		    for T::Table->names('faults');
		is($server->fault(arm => 'child_dies_at_start', 3)->{exit}, 0,
			'armed');
		like($server->partyline('fault', 'list')->{out},
			qr/^child_dies_at_start +3$/m, 'three times');
		is($server->fault('clear')->{exit}, 0, 'cleared');
		like($server->partyline('fault', 'list')->{out},
			qr/^child_dies_at_start +0$/m, 'all of them');
		my $none = $server->partyline('fault', 'arm', 'nothing');
		is($none->{exit}, 65, 'what is not there is refused');
		like($none->{err}, qr/no such fault point/, 'with words');
	} else {
		is($faults->{exit}, 65, 'a build without faults refuses');
		like($faults->{err}, qr/--enable-faults/, 'and says why');
	}
};

subtest 'a state_dir longer than the path of a socket' => sub {
	my $folder = File::Temp->newdir;
	my $long   = "$folder/" . join '/', ('a-long-name') x 12;
	make_path($long, { mode => 0700 });
	cmp_ok(length $long, '>', 107, 'it is long');
	my $server = T::Server->start(workers => 1, state_dir => $long);
	is(partyline('status', '--state-dir', $long)->{exit}, 0, 'status');
	is(partyline({ env => { PARTYLINE_STATE_DIR => $long } }, 'log',
		'level')->{out}, "info\n", 'log, by the environment');
};

done_testing;
