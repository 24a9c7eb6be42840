#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Monitors of rooms over TLS: a whole game, with the service's certificate
# and the room's verified; and whoever has another one is told nothing.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Ecast;
use T::Games;
use T::Live;
use T::Receiver;
use T::Server;
use T::TlsDoor;
use T::Wait;

my $ecast    = T::Ecast->start;
my $receiver = T::Receiver->start;
my %doors    = map { $_ => T::TlsDoor->open($receiver, $_, $ecast->address) }
    qw(good stranger other-name expired);
my ($server, $admin, $live, $session, $game, $made);

# A server whose service is behind that door, and a session in it.
sub begin {
	my ($door, $retry) = @_;

	$server = T::Server->start(workers => 1, wait => 'readyz',
		monitor_url    => 'https://' . $doors{$door}->address
		    . '/api/v2',
		outgoing_allow => '127.0.0.0/8 ::1',
		outgoing_ca    => $receiver->ca,
		monitor_beat   => '1s', monitor_retry => $retry);
	$admin = T::Client->new($server);
	$game  = T::Games::add($server->db, title => 'Drawful 2',
		pack_name => 'Pack 2', min_players => 3, max_players => 8);
	$session = $admin->post('/api/sessions')->{json}{id};
	$live    = T::Live->enter($server);
	$live->follow($session);
	return;
}

# A room, and a game in it; its code.
sub plays {
	my (%room) = @_;
	my $code = sprintf 'T%03d', ++$made;

	$ecast->make($code, players => ['Ann'], %room);
	$admin->post("/api/sessions/$session/games",
		{ game_id => $game, room_code => $code });
	return $code;
}

sub told {
	my ($type) = @_;
	my $heard = $live->hears($type, 20);

	return $heard ? $heard->{data} : { nothing => $type };
}

sub ends_unseen {
	my ($code, $name) = @_;

	is(told('room.disconnected')->{reason}, 'connection_failed', $name);
	is(scalar $ecast->asked(qr{/rooms/$code/play}), 0,
		'nobody enters the room');
	return;
}

subtest 'a whole game' => sub {
	begin('good', '1s');
	my $code = plays();

	is_deeply(told('room.connected')->{players}, ['Ann'], 'its room');
	$ecast->join($code, 'Bob');
	is(told('lobby.player-joined')->{playerName}, 'Bob', 'who joins');
	is(told('game.status')->{playerCount}, 2, 'a beat');
	$ecast->cut($code);
	ok((wait_until { (grep { $_->{query}{secret} }
		$ecast->asked(qr{/rooms/$code/play\z})) && $ecast->shards(
		$code) == 1 } 20), 'a connection that breaks is made anew');
	$ecast->set($code, state => 'Gameplay');
	is(told('game.started')->{playerCount}, 2, 'it begins');
	$ecast->set($code, gameFinished => 1);
	is(told('game.ended')->{playerCount}, 2, 'and ends');
	is(told('room.disconnected')->{reason}, 'room_closed', 'is over');
	my @asked = $ecast->asked(qr{/rooms/$code});

	is((grep { $_->{headers}{host} ne $doors{good}->address } @asked), 0,
		'all of it came by the door');
	ok((wait_until { $ecast->shards($code) == 0 } 20), 'nobody watches');
};

subtest 'a room that is somebody else' => sub {
	my %why = (
		stranger     => qr/self-signed certificate/,
		'other-name' => qr/name|mismatch/i,
		expired      => qr/expired/,
	);

	begin('good', '50ms');
	for my $door (sort keys %why) {
		my $code = plays(host => $doors{$door}->address);

		ends_unseen($code, $door);
		cmp_ok(scalar $ecast->asked(qr{/rooms/$code\z}), '>=', 1,
			'the service was believed');
		like($server->log_text, qr/"room":"$code","why":"[^"]*
			(?:$why{$door})/x, 'the log says why');
	}
};

subtest 'a service that is somebody else' => sub {
	for my $door ('stranger', 'other-name', 'expired') {
		begin($door, '50ms');
		my $code = plays();

		ends_unseen($code, $door);
		is(scalar $ecast->asked(qr{/rooms/$code}), 0,
			'it is told nothing');
	}
};

$receiver->stop;
done_testing;
