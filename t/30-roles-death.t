#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Processes die, hang and keep dying; those beside them do not notice.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
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

sub open_to {
	my ($server) = @_;
	return IO::Socket::INET->new(
		PeerAddr => $server->address
	);
}

# Which worker a connection reached: the pid that serves its requests, from
# the workers' own counts before and after.
sub ask {
	my ($socket, $path) = @_;
	syswrite $socket, "GET $path HTTP/1.1\r\nHost: x\r\n\r\n" or return '';
	return answer_of($socket);
}

sub answer_of {
	my ($socket) = @_;
	my $select = IO::Select->new($socket);
	my $got    = '';
	while ($got !~ /\r\n\r\n.*\}$/s) {
		return $got unless $select->can_read(10 * ($ENV{T_SLOW} || 1));
		sysread($socket, $got, 4096, length $got) or return $got;
	}
	return $got;
}

subtest 'a killed worker is back within a second, others do not notice' => sub {
	my $server = whole(workers => 2);
	my @before = $server->worker_pids;
	is(scalar @before, 2, 'two workers');

	# Keep-alive connections spread over both workers.
	my @sockets = map { open_to($server) } 1 .. 40;
	like(ask($_, '/livez'), qr/^HTTP\/1.1 200/, 'served') for $sockets[0];
	ask($_, '/livez') for @sockets[1 .. $#sockets];
	my ($victim) = @before;
	my $died     = time;
	kill KILL => $victim;
	ok(wait_until { !grep { $_ == $victim } $server->worker_pids },
		'it is gone');
	ok((wait_until { $server->worker_pids == 2 && time > $died } 5),
		'and replaced');
	cmp_ok(time - $died, '<', 1 * ($ENV{T_SLOW} || 1), 'within a second');
	my ($alive, $cut) = (0, 0);
	for my $socket (@sockets) {
		my $answer = ask($socket, '/livez');
		$answer =~ /^HTTP\/1.1 200/ ? $alive++ : $cut++;
	}
	cmp_ok($alive, '>=', 5, "the other worker's $alive go on");
	cmp_ok($cut,   '>=', 5, "its own $cut are cut");
	$server->counts(process_deaths => 1, sweeps_posted => 1);
	ok($server->wait_for_log(qr/"process died".*"signal_name":"KILL"/),
		'the log says why');
};

subtest '200 connections queued on a dead worker are all served' => sub {
	my $server = whole(workers => 2);
	my ($stopped, $other) = $server->worker_pids;

	# A stopped worker accepts nothing; its queue fills.
	kill STOP => $stopped;
	my @sockets = map { open_to($server) } 1 .. 400;
	syswrite $_, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" for @sockets;
	my $select = IO::Select->new(@sockets);
	my %waiting = map { $_ => $_ } @sockets;
	while (my @ready = $select->can_read(0.5)) {
		for my $socket (@ready) {
			sysread $socket, my $got, 4096;
			$select->remove($socket);
			delete $waiting{$socket};
		}
	}
	my $queued = keys %waiting;
	cmp_ok($queued, '>=', 100, "$queued wait in its queue");
	kill KILL => $stopped;
	my $served = grep { answer_of($_) =~ /^HTTP\/1.1 200/ } values %waiting;
	is($served, $queued, 'all of them are served');
};

subtest 'a sibling accepts while a worker cannot come back' => sub {
	plan skip_all => 'needs a build with fault points'
	  unless T::Run::has('WITH_FAULTS');
	my $server = whole(workers => 2,
		set => { restart_max => '60s' });
	$server->fault(arm => 'child_dies_at_start', 6);
	my ($victim) = $server->worker_pids;
	kill KILL => $victim;
	ok($server->wait_for_log(qr/worker accepts for a missing one/),
		'a sibling takes its socket over');
	$server->counts(ordinals_adopted => 1);
	my @answers = map { ask(open_to($server), '/livez') } 1 .. 40;
	is(scalar(grep { /^HTTP\/1.1 200/ } @answers), 40,
		'40 new connections are all served');
	ok($server->wait_for_log(qr/keeps dying, waiting/),
		'the pauses grow, and the log says so');
	ok((wait_until { $server->worker_pids == 2 } 20),
		'once it can live, it is back');
};

subtest 'a sibling accepts for a worker without descriptors' => sub {
	plan skip_all => 'needs a build with fault points'
	  unless T::Run::has('WITH_FAULTS');
	my $server = whole(workers => 2);
	$server->fault(arm => 'accept_no_files', 1);
	my @answers = map { ask(open_to($server), '/livez') } 1 .. 20;
	is(scalar(grep { /^HTTP\/1.1 200/ } @answers), 20, 'all are served');
	ok($server->wait_for_log(qr/worker accepts for a missing one/),
		'by the sibling');
	ok((wait_until { $server->count('ordinals_adopted') == 0 } 10),
		'until there are descriptors again');
	@answers = map { ask(open_to($server), '/livez') } 1 .. 20;
	is(scalar(grep { /^HTTP\/1.1 200/ } @answers), 20, 'then by both');
};

subtest 'a hanging worker is killed and replaced' => sub {
	plan skip_all => 'needs a build with fault points'
	  unless T::Run::has('WITH_FAULTS');
	my $server = whole(workers => 2,
		set => { beat_timeout => '2s' });
	my @before = $server->worker_pids;
	$server->fault(arm => 'child_hangs', 1);
	ok((wait_until { $server->count('process_hangs') == 1 } 15),
		'found by its silence');
	ok((wait_until { $server->worker_pids == 2 } 10), 'replaced');
	ok($server->wait_for_log(qr/shows no sign of life/), 'and logged');
};

subtest 'relay and jobs come back, too, and are never two' => sub {
	my $server = whole(workers => 1);
	for my $role (qw(relay jobs)) {
		my ($was) = $server->pids($role);
		kill KILL => $was;
		ok((wait_until {
			my @now = $server->pids($role);
			@now == 1 && $now[0] != $was
		} 5), "$role is back");
	}
	$server->counts(process_deaths => 2);
};

subtest 'a panic is recorded, printed by the master, and survived' => sub {
	plan skip_all => 'needs a build with fault points'
	  unless T::Run::has('WITH_FAULTS');
	my $server = whole(workers => 1);
	$server->expect_panic;
	$server->fault(arm => 'must_fails', 1);
	ask(open_to($server), '/health');
	ok($server->wait_for_log(
			qr/process died.*"panic":"panic: .+while doing/),
		'the record says where and while doing what');
	ok((wait_until { ask(open_to($server), '/livez') =~ /200/ } 5),
		'the next worker serves');
};

done_testing;
