#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official client held within its change from polling to a WebSocket, at
# the worker of its session and at another one, while it is told events, says
# some, asks and is asked: each comes once, in order.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Live;
use T::Script;
use T::Server;

my $client = T::Script::client();

my %options = (wait => 'readyz', workers => 2, socketio_messages => 1_000_000,
	map { ("messages_per_$_" => 1_000_000) } qw(address caller tenant));
my $suites = T::Server->start(%options, socketio_conformance => 'on');
my $live = T::Server->start(%options);
my $admin = T::Client->new($live);
my @sessions = map { $admin->closed_session } 1 .. 2;

$admin->hang_up;
T::Client::wait_for_workers($suites);

sub of {
	my ($server, %more) = @_;

	return { url => $server->url, log => $server->log_path,
		master => $server->pid, %more };
}

my $plan = JSON::PP->new->canonical->encode({ suites => of($suites),
	live => of($live, token => scalar T::Live::token_for($live),
		sessions => \@sessions) });

T::Script::node('upgrade.js', [$client, $plan]);
for my $server ($suites, $live) {
	$server->counts(engineio_upgrades => 2, map { $_ => 0 } qw(
		connections_open engineio_clients engineio_faults
		process_deaths socketio_faults socketio_floods
		socketio_sockets socks_open));
}

done_testing;
