#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Stopping, reopening logs, the lock, and a start after a violent end.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;
use T::Command;
use T::Http;
use T::Run;
use T::Server;
use T::Wait;

# A server whose processes are all there.
sub whole {
	my $server = T::Server->start(@_);
	$server->wait_for_log(qr{"server ready"}) or die "not ready";
	return $server;
}

sub ended {
	my ($server, $seconds) = @_;
	wait_until { !$server->is_running } $seconds // 20;
	return $server->exit_code;
}

subtest 'TERM lets a request finish that is arriving' => sub {
	my $server = whole(workers => 1);
	my $socket = IO::Socket::INET->new(
		PeerAddr => $server->address
	);
	syswrite $socket, "GET /livez HTTP/1.1\r\nHost: x\r\n";
	wait_until { $server->count('connections_accepted') > 0 };
	kill TERM => $server->pid;
	ok($server->wait_for_log(qr/"process leaves"/), 'it stops');
	syswrite $socket, "\r\n";
	my $answer = join '', <$socket>;
	like($answer, qr/^HTTP\/1.1 200/, 'answered');
	like($answer, qr/^connection: close/mi, 'and told to close');
	is(ended($server), 0, 'exit code 0');
};

subtest 'TERM serves what waits to be accepted' => sub {
	my $server = whole(workers => 1);
	my ($worker) = $server->worker_pids;
	kill STOP => $worker;
	my @sockets = map { IO::Socket::INET->new($server->address) } 1 .. 50;
	syswrite $_, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" for @sockets;
	kill TERM => $server->pid;
	ok($server->wait_for_log(qr/"process leaves"/), 'it stops');
	kill CONT => $worker;
	my $served = grep { (<$_> // '') =~ /200/ } @sockets;
	is($served, 50, 'all 50 are answered');
	is(ended($server), 0, 'exit code 0');
};

subtest 'the drain ends at its deadline' => sub {
	my $server = whole(workers => 1,
		set => { drain_timeout => '1s' });
	my $socket = IO::Socket::INET->new(
		PeerAddr => $server->address
	);
	syswrite $socket, "GET /livez HTTP/1.1\r\n";
	wait_until { $server->count('connections_accepted') > 0 };
	kill QUIT => $server->pid;
	is(ended($server), 0, 'QUIT ends it although a client dawdles');
};

subtest 'a process that will not drain is killed at the deadline' => sub {
	plan skip_all => 'needs a build with fault points'
	  unless T::Run::has('WITH_FAULTS');
	my $server = whole(workers => 1,
		set => { drain_timeout => '1s' });
	$server->fault(arm => 'child_wont_drain', 1);
	kill TERM => $server->pid;
	ok($server->wait_for_log(qr/did not leave in time/), 'logged');
	is(ended($server), 0, 'the server stops all the same');
};

subtest 'a second TERM stops at once' => sub {
	my $server = whole(workers => 1);
	my $socket = IO::Socket::INET->new(
		PeerAddr => $server->address
	);
	syswrite $socket, "GET /livez HTTP/1.1\r\n";
	wait_until { $server->count('connections_accepted') > 0 };
	kill TERM => $server->pid;
	ok($server->wait_for_log(qr/"process leaves"/), 'asked once');
	# Again at once is the same wish; so it asks until it is heard.
	ok((wait_until {
		kill TERM => $server->pid;
		$server->log_text =~ /a second time/
	} 5), 'and again');
	is(ended($server, 5), 0, 'gone well before drain_timeout');
};

subtest 'USR1 opens the log anew in every process' => sub {
	my $folder = File::Temp->newdir('partyline-log-XXXXXX', TMPDIR => 1);
	chmod 0777, $folder;
	my $server = T::Server->start(workers => 2, log_file => "$folder/log");
	rename "$folder/log", "$folder/log.1" or die;
	kill USR1 => $server->pid;
	ok((wait_until { -s "$folder/log" } 10), 'a new file');
	$server->get('/health');
	ok((wait_until { T::Command::slurp("$folder/log") =~
		/"role":"worker \d".*"path":"\/health"/ } 10),
		'workers write there');
	unlike(T::Command::slurp("$folder/log.1"), qr/\/health/,
		'and no longer into the old one');
	my $reopened = partyline('log', 'reopen', '--state-dir',
		$server->state_dir);
	is($reopened->{exit}, 0, 'the command does the same');
};

subtest 'a second start on the same folder is refused' => sub {
	my $server = whole(workers => 1);
	my $second = partyline('serve', '--set',
		'state_dir=' . $server->state_dir, '--set',
		'listen=127.0.0.1:' . T::Server::free_port("127.0.0.1"));
	is($second->{exit}, 75, 'try later');
	my $pid = $server->pid;
	like($second->{err}, qr/in use by the server with pid $pid\b/,
		'it names the other');
	is($server->get('/livez')->{status}, 200, 'the first goes on');
};

subtest 'a taken port, a folder that is not ours' => sub {
	my $server = whole(workers => 1);
	my $folder = File::Temp->newdir('partyline-s-XXXXXX', TMPDIR => 1);
	my $taken  = partyline('serve', '--set', "state_dir=$folder", '--set',
		'listen=' . $server->address);
	is($taken->{exit}, 69, 'unavailable');
	like($taken->{err}, qr/cannot listen on 127\.\S+: Address already in /,
		'with what to do');
	my $nowhere = partyline('serve', '--set',
		'state_dir=/proc/nowhere/at/all');
	is($nowhere->{exit}, 73, 'cannot create');
	like($nowhere->{err}, qr/state_dir .* cannot be made: .*; make it/,
		'with what to do');
};

subtest 'workers of a killed master leave, and a new start goes on' => sub {
	my $server  = whole(workers => 2);
	my @workers = $server->worker_pids;
	my $socket  = IO::Socket::INET->new(
		PeerAddr => $server->address
	);
	syswrite $socket, "GET /livez HTTP/1.1\r\nHost: x\r\n";
	wait_until { $server->count('connections_accepted') > 0 };
	$server->kill9;
	syswrite $socket, "\r\n";
	like(<$socket> // '', qr/200/, 'what was arriving is answered');
	close $socket;
	ok((wait_until { !grep { kill 0 => $_ } @workers } 10),
		'then they leave');
	$server->spawn;
	ok($server->wait_ready("livez"), "a new start goes on");
	is($server->get('/livez')->{status}, 200,
		'the same folder and port serve');
};

subtest 'the control socket' => sub {
	my $server = whole(workers => 1);
	my $where  = $server->state_dir;
	is((stat "$where/control")[2] & 07777, 0600, 'is its owner\'s only');
	my $level = partyline(qw(log level debug --state-dir), $where);
	is($level->{exit}, 0, 'the level is set');
	ok($server->wait_for_log(qr/log level set/), 'and told');
	my $bad = partyline(qw(log level loud --state-dir), $where);
	isnt($bad->{exit}, 0, 'a bad level is refused');
	like($bad->{err}, qr/error, warn, info/, 'naming the good ones');
	SKIP: {
		skip 'needs a build with fault points', 1
		  unless T::Run::has('WITH_FAULTS');
		$server->fault(arm => 'control_lost', 1);
		my $lost = partyline(qw(log level --state-dir), $where);
		is($lost->{exit}, 69, 'a lost answer is told as such');
	}
	for my $junk ("\n", "x" x 600, "\0\0\n", "segment", "fault arm\n") {
		my $socket = IO::Socket::UNIX->new(Peer => "$where/control");
		syswrite $socket, $junk;
		shutdown $socket, 1;
		my $answer = join '', <$socket>;
		like($answer, qr/^$|"ok":false/, 'junk is refused');
	}
	is($server->get('/livez')->{status}, 200, 'and harms nothing');
};

done_testing;
