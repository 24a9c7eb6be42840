#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official client when a worker is killed at the worst of moments: within
# an upgrade, while a GET waits, and between a packet and its attachments. It
# comes back by itself, hears nothing broken, and nothing is left behind.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Script;
use T::Server;
use T::Wait;

my $client = T::Script::client();

# A client that has paused its polling to change to a WebSocket that then
# breaks stays so until it misses the pings.
my $slow = $ENV{T_SLOW} || 1;
my $server = T::Server->start(wait => 'readyz', workers => 2, set => {
	socketio_conformance => 'on', restart_max => '100ms',
	engineio_ping_interval => 700 * $slow,
	engineio_ping_timeout => 1300 * $slow,
	socket_queue => '64MiB' });
my $killed = 0;

T::Client::wait_for_workers($server);
T::Script::node('kills.js', [$client, $server->url,
	$server->log_path, $server->pid],
	kill => sub {
		my ($pid) = @_;

		$killed++;
		kill KILL => $pid;
		ok((wait_until { !grep { $_ == $pid } $server->worker_pids }),
			"worker $pid is killed");
	}, waits => sub {
		ok((wait_until { $server->count('engineio_polls') == 1 }),
			'a GET waits');
	}, stuck => sub {
		ok((wait_until { $server->count('sock_queue_bytes')
			> 1_000_000 }), 'much is on its way');
	});
$server->counts(process_deaths => $killed, engineio_faults => 0,
	socketio_faults => 0, map { $_ => 0 } qw(connections_open
	engineio_clients engineio_polls socketio_rooms socketio_sockets
	sock_queue_bytes socks_open));

done_testing;
