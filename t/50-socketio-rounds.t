#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Clients of Socket.IO come, join, leave and go, again and again, by polling,
# by WebSocket and across the change: in the end nothing of them is left, not
# a socket, a room, a descriptor or a byte.
#
#	T_ROUNDS=100000 t/run t/50-socketio-rounds.t
#	./bootstrap bench rounds

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Live;
use T::Rounds;
use T::Server;
use T::Tabletop;
use T::Wait;

my $count  = $ENV{T_ROUNDS} // 2000;
my $server = T::Server->start(wait => 'readyz', workers => 2, set => {
	access_log => 'off',
	map { $_ => 1_000_000 } qw(socketio_messages tabletop_messages
		messages_per_address messages_per_caller
		messages_per_tenant) });
my $ann = T::Tabletop::make($server, 'Ann');
my $rounds = T::Rounds->new($server,
	token   => scalar T::Live::token_for($server),
	cookie  => $ann->{cookie},
	session => T::Client->new($server)->post('/api/sessions')->{json}{id},
	den     => $ann->post('/api/tabletop/sessions', { name => 'Den' })
	    ->{json}{id});
my @gauges = qw(engineio_clients engineio_polls socketio_sockets
	socketio_rooms hubs subscriptions socks_open live_clients);

sub descriptors {
	return scalar map { glob "/proc/$_/fd/*" } $server->worker_pids;
}

# KiB that the workers have of their own.
sub memory {
	my $kib = 0;

	$kib += (T::Command::slurp("/proc/$_/status")
	    =~ /^RssAnon:\s+(\d+) kB/m)[0] for $server->worker_pids;
	return $kib;
}

T::Client::wait_for_workers($server);
is_deeply([$rounds->run($count / 2)], [], 'so that it is warm');
$server->counts(map { $_ => 0 } @gauges);
my ($kib, $files) = (memory(), descriptors());

is_deeply([$rounds->run($count)], [], "$count rounds");
$server->counts(map { $_ => 0 } @gauges);
my $kib_then = memory();

# Lines to PostgreSQL and among the workers come and go.
ok((wait_until { descriptors() <= $files + 32 }), 'descriptors')
    or diag "$files, then ", descriptors();
my $now = $server->numbers;

cmp_ok($now->{socketio_connects}, '>=', $count * 1.4, 'they came in');
is($now->{$_}, 0, $_) for qw(engineio_faults socketio_faults
	socketio_floods process_deaths);
note "$count rounds: $kib KiB, then $kib_then KiB";
SKIP: {
	skip 'a sanitizer keeps what was freed', 1
	    if T::Run::has('SANITIZED');
	# What is lost in each round is at least 16 bytes; what an allocator
	# leaves in pieces does not grow with the rounds.
	cmp_ok($kib_then - $kib, '<', 256 + $count * 8 / 1024,
		"memory: $kib KiB, then $kib_then KiB");
}
done_testing;
