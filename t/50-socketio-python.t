#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# python-socketio, a client that others wrote by the protocol alone, as a
# second judge: by polling, by WebSocket and across the change, at the
# application for test suites and at the tabletop.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Run;
use T::Script;
use T::Server;
use T::Tabletop;
use T::Wait;

plan skip_all => 'python-socketio is not there'
    if system('/usr/bin/python3 -c "import socketio, websocket, requests"'
	. ' 2>/dev/null') != 0;

my $suite = T::Server->start(wait => 'readyz', workers => 2,
	set => { socketio_conformance => 'on', engineio_close_wait => 200,
	engineio_ping_interval => 3000, engineio_ping_timeout => 5000 });
my $table = T::Server->start(wait => 'readyz', workers => 2);
my ($ann, $bert) = T::Tabletop::users($table, qw(Ann Bert));
my $den = $ann->post('/api/tabletop/sessions', { name => 'Den' })->{json}{id};

T::Client::wait_for_workers($_) for $suite, $table;
is($ann->post("/api/tabletop/sessions/$den/members", { userId =>
	$bert->{id} })->{status}, 200, 'two may play');

T::Script::run(['/usr/bin/python3',
	T::Run::source() . '/t/lib/clients/python_socketio.py',
	$suite->url, $table->url, $ann->{cookie}, $bert->{cookie}, $den],
	kill => sub {
	my @pids = $table->worker_pids;

	kill KILL => @pids;
	wait_until {
		my %now = map { $_ => 1 } $table->worker_pids;

		keys %now == 2 && !grep { $now{$_} } @pids;
	} 20;
});

done_testing;
