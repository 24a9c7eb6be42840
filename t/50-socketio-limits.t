#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Bounds of Socket.IO's sockets: how much they say, how many there are of one
# caller, how much waits for them. At each there is a clear answer, and who
# comes back has missed nothing.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Live;
use T::LiveSocket;
use T::Server;
use T::SocketIo;
use T::Wait;

sub serve {
	my (%set) = @_;

	return T::Server->start(wait => 'readyz', workers => 2,
		set => { engineio_close_wait => 200, %set });
}

sub session {
	my ($server) = @_;

	return T::Client->new($server)->post('/api/sessions')->{json}{id};
}

# How many of so many it says were answered, before it was closed.
sub answered {
	my ($guest, $count) = @_;
	my $n = 0;

	$n++ while $n < $count && $guest->ask('nothing');
	return $n;
}

subtest 'messages of one client' => sub {
	my $server = serve(socketio_messages => 20);

	for my $by (@T::SocketIo::by) {
		my $guest = T::LiveSocket->enter($server, by => $by);
		my $other = T::LiveSocket->enter($server, by => $by);

		# The twentieth is the nineteenth: it came in by one.
		is(answered($guest, 30), 19, "$by: so many");
		ok($guest->{client}->is_over, 'and then it is closed');
		ok($other->is_in, 'others say on');
		my $back = T::LiveSocket->enter($server, by => $by);
		ok($back->is_in, 'and it may come back');
		$_->leave for $other, $back;
	}
	$server->counts(socketio_floods => 2, engineio_clients => 0);
};

subtest 'attachments are of their message' => sub {
	my $server = serve(socketio_messages => 4, socketio_conformance =>
		'on');
	my $client = T::SocketIo->connect($server);

	$client->enter('/');
	for (1 .. 3) {
		$client->say('53-["message",{"_placeholder":true,"num":2}]',
			'x', 'y', 'z');
		is($client->hears(qr/^b/), 'b:z', "message $_");
	}
	ok(!$client->{ended}, 'twelve of them were no messages');
	$client->say('2["message"]');
	ok($client->is_over, 'but the fifth is');
};

subtest 'messages of all that it belongs to' => sub {
	my $server = serve(messages_per_address => 50,
		messages_per_caller => 20);
	my @ann = map { T::LiveSocket->enter($server, worker => $_,
		name => 'Ann') } 1, 2;

	is(answered($_, 9), 9, 'half of what Ann may say') for $ann[0];
	# She was not Ann yet when she came.
	is(answered($ann[1], 30), 11, 'and the rest, at another worker');
	ok($ann[1]->{client}->is_over, 'which is closed then');
	is(answered($ann[0], 1), 0, 'as is whoever of hers says more');
	my $bob = T::LiveSocket->enter($server, worker => 1, name => 'Bob');
	ok($bob->is_in, 'Bob may still');
	my $one = T::LiveSocket->enter($server, worker => 2, token => undef);
	cmp_ok(answered($one, 60), '<', 50, 'until the address may not');
	ok($one->{client}->is_over, 'whoever it is');
	is(answered($bob, 1), 0, 'nor Bob');
};

subtest 'of one caller' => sub {
	my $server = serve(connections_per_caller => 2,
		live_subscriptions => 2, subscriptions_per_caller => 3);
	my @ids = map {
		my $id = session($server);
		T::Client->new($server)->post("/api/sessions/$id/close");
		$id;
	} 1 .. 3;
	my @ann = map { T::LiveSocket->enter($server, worker => $_,
		name => 'Ann', by => $T::SocketIo::by[$_ - 1]) } 1, 2;

	is_deeply(T::LiveSocket->refused($server, name => 'Ann'),
		{ message => 'Too many connections of yours' },
		'a connection more');
	ok($ann[0]->follow($ids[$_])->{success}, 'a session') for 0, 1;
	is_deeply($ann[0]->follow($ids[2]), { success => JSON::PP::false,
		error => 'Too many subscriptions', code =>
		'too_many_subscriptions', sessionId => $ids[2] },
		'more than one follows');
	ok($ann[1]->follow($ids[0])->{success}, 'her other one');
	ok(!$ann[1]->follow($ids[1])->{success}, 'more than she follows');
	$ann[0]->ask('unsubscribe', $ids[0]);
	ok($ann[1]->follow($ids[1])->{success}, 'one is given back');
	$_->leave for @ann;
	$server->counts(socketio_sockets => 0, subscriptions => 0);
	my $back = T::LiveSocket->enter($server, name => 'Ann');
	ok($back->is_in, 'a connection is given back');
	$back->leave;
};

subtest 'a slow client' => sub {
	my $server = serve(socket_queue => '16KiB');
	my $id = session($server);
	my $stream = "session:$id";
	my $writer = T::Client->new($server, role => 'bot');
	my $emit = sub {
		my $last;

		$last = $writer->post("/api/sessions/$id/events", {
			type => 'custom.n', data => { pad => 'x' x 1000 } })
			->{json}{seq} for 1 .. $_[0];
		return $last;
	};
	my $last = $emit->(200);

	for my $by (@T::SocketIo::by) {
		my $guest = T::LiveSocket->enter($server, by => $by);

		$guest->follow($id, since => 0);
		ok($guest->reaches($stream, $last), "$by: a replay waits");
		is_deeply([$guest->numbers($stream)], [1 .. $last],
			'and is whole');
		$guest->leave;
	}
	my $guest = T::LiveSocket->enter($server, by => 'polling');
	$guest->follow($id);
	$last = $emit->(20);
	ok((wait_until { $server->count('engineio_clients') == 0 }),
		'who takes nothing is closed');
	my $back = T::LiveSocket->enter($server, by => 'polling');
	$back->follow($id, since => $last - 20);
	ok($back->reaches($stream, $last), 'and goes on');
	is_deeply([$back->numbers($stream)], [$last - 19 .. $last],
		'where it stopped');
	T::Client->new($server)->post("/api/sessions/$id/voting/start");
	my $ann = T::Live->enter($server);
	$ann->say({ type => 'poll.leading', sessionId => $id, gameId => 0,
		label => 'x' x 100, votes => $_ }) for 1 .. 200;
	ok($ann->settle, 'what has no number is said often');
	ok((wait_until { $server->count('sock_drops') > 0 }),
		'it is left out for who takes nothing');
	ok($back->wait_for(sub { grep { $_ eq 'poll.leading' }
		$back->types }), 'but for the first ones');
	ok($back->is_in, 'and it stays');
	$_->leave for $back, $ann;
	$server->counts(engineio_clients => 0, hubs => 0);
};

done_testing;
