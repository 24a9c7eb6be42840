#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What options and tenants make of Engine.IO: transports, cookie, limits,
# origins, and how long a closed session waits to be told.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::EngineIo;
use T::Server;
use T::Wait;

my $server = T::Server->start(wait => 'readyz', workers => 1, set => {
	socketio_conformance => 'on', engineio_close_wait => 30000,
	engineio_cookie => 'io' },
	conf => { engineio_transports => 'both', engineio_upgrades => 'on' });

sub engine { return T::EngineIo->new($server, @_) }

# The same server with these options.
sub options {
	my (%set) = @_;
	my %old = map { $_ => 1 } $server->worker_pids;

	$server->rewrite(%set);
	$server->hup;
	wait_until { my @now = $server->worker_pids;
		@now && !grep { $old{$_} } @now } 20
	    or die "no reload\n";
	delete $server->{is_serving};
	wait_until { eval { engine()->get->{status} } } 20;
	return;
}

subtest 'a cookie' => sub {
	my $answer = engine()->get;
	my ($sid) = $answer->{body} =~ /"sid":"(.*?)"/;

	is($answer->{headers}{'set-cookie'},
		"io=$sid; Path=/; HttpOnly; SameSite=Lax", 'names it');
	my $engine = engine(sid => $sid);
	$engine->post('4a');
	ok(!$engine->get->{headers}{'set-cookie'}, 'once');
};

# Its application closes it, and nobody waits to be told.
subtest 'a session that the server closes' => sub {
	my $engine = engine(path => '/socket.io/');

	$engine->open;
	$engine->post('40');
	$engine->get;
	is($engine->post('4garbage')->{body}, 'ok', 'what is no packet');
	is($engine->post('42["message"]')->{body}, 'ok', 'and then any');
	my $answer = $engine->get;
	is("$answer->{status} $answer->{body}", '200 1', 'it is told');
	like($engine->get->{body}, qr/"code":1/, 'once');

	$engine = engine(path => '/socket.io/');
	$engine->open;
	like(engine(sid => $engine->{sid})->get->{body}, qr/"code":1/,
		'a session is of its path alone');
};

subtest 'as many as connections' => sub {
	my $small = T::Server->start(wait => 'readyz', workers => 1, set => {
		socketio_conformance => 'on', connections_per_address => 20 });
	my @engines;

	for (1 .. 30) {
		my $engine = T::EngineIo->new($small);

		last if !eval { $engine->open };
		push @engines, $engine;
	}
	cmp_ok(scalar @engines, '<=', 20, 'no more than an address may');
	cmp_ok(scalar @engines, '>=', 15, 'but so many');
	is(T::EngineIo->new($small)->get->{status}, 429, 'refused');
	$_->post('1') for splice @engines, 0, 10;
	ok((wait_until { eval { T::EngineIo->new($small)->open } }),
		'places come back');
};

subtest 'listed origins' => sub {
	is($server->partyline('tenant', 'set', 'default',
		'origins=http://a.example', '--set',
		'database_url=' . $server->db->url)->{exit}, 0, 'a list')
	    or return;
	ok((wait_until { (engine()->get(headers => {
		Origin => 'http://b.example' })
		->{headers}{'access-control-allow-origin'} // '') eq '' }),
		'another page may not read');
	my $h = engine()->get(headers => { Origin => 'http://a.example' })
	    ->{headers};
	is($h->{'access-control-allow-origin'}, 'http://a.example',
		'a listed one may');
	is($h->{'access-control-allow-credentials'}, 'true',
		'with its cookies');
	like($h->{vary}, qr/Origin/, 'as it is told');
	is(engine()->websocket(headers => { Origin => 'http://a.example' })
	    ->answer->{headers}{'access-control-allow-origin'},
		'http://a.example', 'with the 101, too');
};

subtest 'no upgrades' => sub {
	options(engineio_upgrades => 'off');
	my $engine = engine();

	is_deeply($engine->open->{upgrades}, [], 'none is offered');
	is($engine->websocket->status, 400, 'none is taken');
	is(engine()->connect->status, 101, 'from the beginning it may');
};

subtest 'one transport' => sub {
	options(engineio_upgrades => 'on', engineio_transports => 'polling');
	my $engine = engine();

	is_deeply($engine->open->{upgrades}, [], 'polling: no upgrades');
	like(engine()->websocket->answer->{body}, qr/Transport unknown/,
		'polling: no WebSocket');
	options(engineio_transports => 'websocket');
	like(engine()->get->{body}, qr/"code":0/, 'WebSocket: no polling');
	is(engine()->connect->status, 101, 'WebSocket: it is');
};

done_testing;
