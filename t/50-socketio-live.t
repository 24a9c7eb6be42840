#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The picker's streams over Socket.IO, in namespace /live: the same numbers as
# at the other doors, by polling and by WebSocket, on each worker of two hosts,
# from any cursor, across killed workers; and rights that end.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Command;
use T::Hosts;
use T::Live;
use T::LiveSocket;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;

my ($one, $two) = T::Hosts::pair(workers => 2, login_failures => 300);
my $db = $one->db;
my @places = T::Hosts::places($one, $two);
my $admin = T::Client->new($one);

sub session { return $admin->closed_session }

sub emit {
	my ($id, $count, $writer, %data) = @_;
	my $seq;

	$seq = ($writer // $admin)->post("/api/sessions/$id/events",
		{ type => 'custom.n', data => \%data })->{json}{seq}
	    for 1 .. $count;
	return $seq;
}

sub logged {
	my ($stream) = @_;

	return split /\n/, $db->query('SELECT payload FROM partyline.event '
		. "WHERE stream = '$stream' ORDER BY seq");
}

sub place {
	my ($stream) = @_;

	return split /\|/, $db->query('SELECT epoch, head FROM '
		. "partyline.stream WHERE name = '$stream'");
}

sub pair { return { epoch => $_[0], seq => $_[1] } }

sub command {
	my (@words) = @_;
	my $said = partyline(@words, '--set', 'database_url=' . $db->url);

	is($said->{exit}, 0, "partyline @words[0, 1]") or diag $said->{err};
	return $said->{out} =~ s/\n\z//r;
}

sub has_all {
	my ($guest, $stream, $since, $name) = @_;
	my @logged = logged($stream);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$guest->reaches($stream, scalar @logged) if @logged > $since;
	return T::Live::are_same([$guest->events($stream)],
		[@logged[$since .. $#logged]], $name);
}

subtest 'coming in' => sub {
	for my $by (@T::SocketIo::by) {
		my %by = (by => $by);

		is_deeply(T::LiveSocket->refused($one, %by, token => $_),
			{ message => 'Invalid or expired token' },
			"$by: a token that nobody believes")
		    for 'x', '', 7, { a => 1 };
		is_deeply(T::LiveSocket->refused($one, %by, since => 'x'),
			{ message => 'since must be a number or '
			. '{"epoch","seq"}' }, 'a cursor that is none');
		my $viewer = T::LiveSocket->enter($one, %by, token => undef);
		my $said   = $viewer->hears('subscribed');

		is_deeply([@$said{qw(type stream)}], [qw(subscribed lobby)],
			'without a token he reads');
		is_deeply([@$said{qw(epoch seq)}], [place('lobby')],
			'and knows from where');
		ok($viewer->is_in, 'he is in');
		$viewer->leave;
	}
};

subtest 'what is said' => sub {
	my $id = session();
	my $guest = T::LiveSocket->enter($one);
	my %at = (sessionId => $id);
	my $no = JSON::PP::false;

	@at{qw(epoch seq)} = (place("session:$id"))[0];
	$at{seq} = (place("session:$id"))[1];
	$_->{recovered} = !!$_->{recovered} ? 1 : 0
	    for my @said = ($guest->follow($id), $guest->follow("$id"));
	is_deeply($said[0], { success => JSON::PP::true, %at,
		recovered => 0 }, 'subscribed');
	is_deeply($said[1], { success => JSON::PP::true, %at,
		recovered => 1 }, 'again, as a text: it tells where it is');
	is_deeply($guest->ask('unsubscribe', $id), { success =>
		JSON::PP::true, sessionId => $id }, 'unsubscribed');
	is_deeply($guest->ask('unsubscribe', $id)->{success},
		JSON::PP::true, 'and again');
	for (['Session not found', 'subscribe', 999999],
	    ['Session not found', 'subscribe', -1],
	    ['Session not found', 'subscribe', 'x'],
	    ['Session not found', 'subscribe', [1]],
	    ['Session ID required', 'subscribe', undef],
	    ['Invalid message format', 'subscribe'],
	    ['Invalid message format', 'subscribe', $id, 7],
	    ['Invalid message format', 'unsubscribe', $id, 7],
	    ['since must be a number or {"epoch","seq"}', 'subscribe', $id,
		{ since => 'x' }],
	    ['Unknown message type', 'sing']) {
		my ($words, @event) = @$_;
		my $said = $guest->ask(@event);

		is_deeply([@$said{qw(success error)}], [$no, $words],
			$json->encode(\@event) . ": $words");
	}
	$guest->say('subscribe', 999999);
	is_deeply($guest->hears('error'), { type => 'error', message =>
		'Session not found', sessionId => 999999 },
		'who wants no answer gets an event');
	$guest->say('subscribe', $id, { since => 0 });
	my $said = $guest->hears('subscribed');
	$said = $guest->hears('subscribed') if $said->{stream};
	is_deeply([@$said{qw(type sessionId seq)}],
		['subscribed', $id, $at{seq}], 'of success as well');
	has_all($guest, "session:$id", 0, 'and what it asked for');
	$guest->leave;
};

subtest 'every event, under its name, everywhere' => sub {
	my @guests = map { my $place = $_; map {
		T::LiveSocket->enter($place->[0], worker => $place->[1],
			by => $_) } @T::SocketIo::by } @places;
	my ($id, $head);

	$_->hears('subscribed') for @guests;
	$id = $admin->post('/api/sessions', { notes => 'Friday' })->{json}{id};
	for my $guest (@guests) {
		my $started = $guest->hears('session.started');

		is_deeply([$started->{stream}, $started->{data}{session}{id}],
			['lobby', $id], 'session.started comes unasked');
	}
	my @said = map { $_->follow($id) } @guests;
	is(scalar(grep { $_->{success} && !$_->{recovered} } @said),
		scalar @guests, 'all are told where they are');
	my $game = $admin->get('/api/games')->{json}[0]{id};
	$admin->post("/api/sessions/$id/games", { game_id => $game });
	$admin->post('/api/votes/live', { username => 'zoe', vote => 'up',
		timestamp => '2026-01-01T00:00:00Z' });
	emit($id, 1, undef, 'a "_placeholder"' => { _placeholder => 1,
		num => 0 });
	$admin->post("/api/sessions/$id/voting/start");
	$admin->post("/api/sessions/$id/voting/leading",
		{ gameId => 0, label => 'x', votes => 1 });
	$admin->post("/api/sessions/$id/close");
	my @logged = logged("session:$id");
	cmp_ok(scalar @logged, '>', 4, 'there is something to be told');
	for my $guest (@guests) {
		$guest->reaches("session:$id", scalar @logged);
		T::Live::are_same([$guest->events("session:$id")],
			[@logged[$said[0]{seq} .. $#logged]],
			'all, to the letter, each by its name');
	}
	$_->leave for @guests;
};

subtest 'from any cursor' => sub {
	my $id = session();
	my $stream = "session:$id";
	my $last = emit($id, 300);
	my ($epoch) = place($stream);
	my $guest = T::LiveSocket->enter($one, by => 'polling');

	for my $since (0, 290, $last, pair($epoch, 150)) {
		my $client = T::LiveSocket->enter($two,
			by => ref $since ? 'polling' : 'websocket');
		my $from = ref $since ? $since->{seq} : $since;
		my $said = $client->follow($id, since => $since);

		ok($said->{recovered}, 'from ' . $json->encode([$since]));
		is($said->{seq}, $last, 'it knows how far');
		is(scalar(grep { /^custom/ } ($client->types)
			[0 .. $client->{answered_at} - 1]), 0,
			'the answer comes first');
		has_all($client, $stream, $from, 'nothing else, nothing less');
		$client->leave;
	}
	for my $since ($last + 7, pair('elsewhere', 3), pair($epoch, 9999)) {
		my $said = $guest->follow($id, since => $since);

		ok(!$said->{recovered}, $json->encode([$since]));
		is_deeply([$said->{resync}{from}, $said->{resync}{state}{id}],
			[1, $id], 'the state instead');
	}
	is(scalar $guest->events($stream), 0, 'and no event');
	# Open, and then the log is another one.
	$db->query("DELETE FROM partyline.event WHERE stream = '$stream' "
		. "AND seq > 3; UPDATE partyline.stream SET head = 3 "
		. "WHERE name = '$stream'");
	my $resync = $guest->hears('resync', 15);
	is_deeply([@$resync{qw(type stream seq from)}, $resync->{state}{id}],
		['resync', $stream, 3, 1, $id], 'a resync in the middle');
	isnt($resync->{epoch}, $epoch, 'of another epoch');
	emit($id, 1);
	ok($guest->wait_for(sub { scalar $guest->numbers($stream) }), 'on');
	is_deeply([$guest->numbers($stream)], [4], 'it goes');
	$guest->leave;
	my $back = T::LiveSocket->enter($two, since => 0);
	has_all($back, 'lobby', 0, 'the lobby, too');
	$back->leave;
};

subtest 'a session that is deleted' => sub {
	my $id = session();
	my $guest = T::LiveSocket->enter($two, worker => 2);

	$guest->follow($id);
	is($admin->request('DELETE', "/api/sessions/$id")->{status}, 200,
		'deleted') or diag explain $admin;
	is_deeply($guest->hears('unsubscribed'), { type => 'unsubscribed',
		sessionId => $id, reason => 'deleted' }, 'it says goodbye');
	is($guest->follow($id)->{error}, 'Session not found', 'and is gone');
	$guest->leave;
};

subtest 'workers are killed' => sub {
	my $id = session();
	my $stream = "session:$id";

	for my $by (@T::SocketIo::by) {
		my $guest = T::LiveSocket->enter($one, worker => 1,
			by => $by);
		my $other = T::LiveSocket->enter($one, worker => 2);
		my $epoch = $guest->follow($id)->{epoch};
		my $since = $other->follow($id)->{seq};
		my $writer = T::Client->new($one, worker => 2);
		my $last = emit($id, 5, $writer);

		ok($guest->reaches($stream, $last), 'it is there');
		kill KILL => $one->worker_pid(1);
		$guest->wait_for(sub { $guest->{client}{ended} });
		ok($guest->{client}{ended}, "$by: the connection is lost");
		emit($id, 3, $writer);
		my $back = T::LiveSocket->enter($two, by => $by);
		ok($back->follow($id, since => pair($epoch, $last))
			->{recovered}, 'at another host');
		emit($id, 1, $writer);
		has_all($back, $stream, $last, 'exactly what was missed');
		has_all($other, $stream, $since, 'others noticed nothing');
		wait_until { $one->worker_pid(1) } 20;
		my $home = T::LiveSocket->enter($one, worker => 1);
		$home->follow($id, since => pair($epoch, 0));
		has_all($home, $stream, 0, 'its successor has it all');
		$_->leave for $back, $home, $other;
	}
};

subtest 'another tenant' => sub {
	command(qw(tenant add den));
	my @den = (tenant => 'den');

	for my $place (@places) {
		my $client = T::Client->new($place->[0], @den,
			worker => $place->[1]);

		ok((wait_until { $client->get('/api/sessions')->{status} ==
			200 } 20), 'it is known');
	}
	my $token = T::Live::token_for($one, @den);
	my $host  = T::Client->new($one, @den);
	my $id    = $host->post('/api/sessions')->{json}{id};

	is_deeply(T::LiveSocket->refused($one, token => $token),
		{ message => 'Invalid or expired token' },
		'its tokens are no good here');
	is_deeply(T::LiveSocket->refused($one, path => '/t/den/socket.io/'),
		{ message => 'Invalid or expired token' }, 'nor ours there');
	for my $by (@T::SocketIo::by) {
		my $theirs = T::LiveSocket->enter($two, by => $by,
			token => $token, path => '/t/den/socket.io/');
		my $ours = T::LiveSocket->enter($two, by => $by);

		ok($theirs->follow($id)->{success}, "$by: followed there");
		$ours->follow($id);
		my $last = emit($id, 3, $host);
		ok($theirs->reaches("session:$id", $last), 'and heard');
		my $own = session();
		$ours->follow($own, since => 0);
		ok($ours->reaches("session:$own", emit($own, 1)), 'as ours');
		is(scalar(grep { $_->[0] eq 'custom.n' &&
			$_->[1] =~ /"stream":"session:$id"/ }
			@{ $ours->{heard} }), 0, 'of theirs we hear nothing');
		$_->leave for $theirs, $ours;
	}
};

subtest 'a worker that leaves' => sub {
	my $id     = session();
	my $stream = "session:$id";
	my @guests = map { T::LiveSocket->enter($one, worker => 1,
		by => $_) } @T::SocketIo::by;
	my $epoch = (map { $_->follow($id)->{epoch} } @guests)[0];
	my $last  = emit($id, 2);

	ok($_->reaches($stream, $last), 'it is there') for @guests;
	my $reloads = $one->count('reloads');
	$one->hup;
	for my $guest (@guests) {
		$guest->wait_for(sub { $guest->{client}{ended} }, 30);
		ok($guest->{client}{ended}, 'it has to come back');
	}
	# Who comes back sooner may meet it, and has to come once more.
	ok((wait_until { $one->count('reloads') > $reloads
		&& $one->count('draining') == 0 } 30), 'it has left');
	for my $by (@T::SocketIo::by) {
		my $guest = shift @guests;
		my $at = 0 + ($guest->numbers($stream))[-1];
		my ($back, $told);
		emit($id, 2);
		ok((wait_until {
			$back = eval { T::LiveSocket->enter($one, by => $by) };
			$told = $back && $back->follow($id,
				since => pair($epoch, $at));
		} 20), 'and is let in');
		ok($told->{recovered}, 'where it was');
		emit($id, 1);
		has_all($back, $stream, $at, 'exactly what was missed');
		$back->leave;
	}
};

# Each is told why, and is out within a second or so; others stay.
sub are_out_soon {
	my ($name, $wanted, $make, $change) = @_;
	my $other = T::LiveSocket->enter($two);
	my %more = $make->();
	my @guests = map { T::LiveSocket->enter($_->[0], worker => $_->[1],
		by => $T::SocketIo::by[$_->[1] - 1], %more) } @places;

	$change->(%more);
	my $begun = time;
	is($_->why, $wanted, "$name: $wanted") for @guests;
	cmp_ok(time - $begun, '<', 3 * ($ENV{T_SLOW} || 1), 'soon');
	ok($other->is_in, "$name: others stay");
	$_->leave for @guests, $other;
	return;
}

subtest 'rights that end' => sub {
	my $exp = 2 + int time;
	my $bot = sub {
		return (token => command(qw(token make --name Kosmi --role
			bot)));
	};

	are_out_soon('a token\'s end', 'token_expired, sign_in', sub {
		return (claims => { exp => $exp });
	}, sub { });
	are_out_soon('a token', 'revoked, sign_in', $bot,
		sub { command('token', 'revoke', {@_}->{token}) });
	are_out_soon('a name', 'revoked, sign_in', $bot,
		sub { command(qw(token revoke --name Kosmi)) });
	are_out_soon('an admin', 'revoked, sign_in', sub {
		my $key = $json->decode(command(qw(admin add --name Dan
			--json)))->{key};
		return (token => T::Client->new($one, role => undef)->post(
			'/api/auth/login', { key => $key })->{json}{token});
	}, sub { command(qw(admin revoke Dan)) });
	are_out_soon('who has no token', 'token_required, sign_in',
		sub { return (token => undef) },
		sub { command(qw(tenant set default public_read=off)) });
	is_deeply(T::LiveSocket->refused($two, token => undef),
		{ message => 'Access token required' }, 'nor comes in');
};

for my $host ($one, $two) {
	$host->counts(engineio_clients => 0, socketio_sockets => 0,
		subscriptions => 0, hubs => 0);
}
done_testing;
