#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What a session plays: add, list, status, room, players, remove, the room's
# check; every shape and string, seen through both workers; what the stream is
# told, and what else an addition does.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Games;
use T::Server;

my $json   = JSON::PP->new->utf8;
my $time   = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $server = T::Server->start(workers => 2);
my $db     = $server->db;
my @admins = map { T::Client->new($server, worker => $_) } 1, 2;
my @anyone = map { T::Client->new($server, worker => $_, role => undef) } 1, 2;
my $turn   = 0;

T::Games::clear($db);
my $fibbage = T::Games::add($db, title => "Fibbage \"4\" \x{e9}",
	pack_name => "Pack\\9", min_players => 2, game_type => 'Trivia',
	secondary_type => 'Bluffing', length_minutes => 20, upvotes => 10,
	downvotes => 3);
my $quiplash = T::Games::add($db, title => 'Quiplash 3',
	pack_name => 'Pack 7', min_players => 3);

# The admin whose turn it is: they are with different workers.
sub admin { return $admins[$turn++ % 2] }

# A GET without a token, of both workers, which say the same.
sub seen {
	my ($path) = @_;
	my ($one, $two) = map { $_->get($path) } @anyone;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($two->{status}, $one->{status}, "$path: the same status everywhere");
	is($two->{body}, $one->{body}, "$path: the same body everywhere")
	    if $one->{status} == 200;
	return $one;
}

sub begin { return admin()->post('/api/sessions')->{json}{id} }
sub over  { return admin()->post("/api/sessions/$_[0]/close") }

sub add {
	my ($session, $game, %more) = @_;

	return admin()->post("/api/sessions/$session/games",
		{ game_id => $game, %more });
}

sub row {
	my ($session, $id) = @_;
	my ($row) = grep { $_->{id} == $id }
	    @{ seen("/api/sessions/$session/games")->{json} };

	return $row;
}

# "id status check" of each row, in order.
sub states {
	my ($session) = @_;

	return join ', ', map { join ' ', $_->{id}, $_->{status},
		$_->{player_count_check_status} // '-' }
	    @{ seen("/api/sessions/$session/games")->{json} };
}

# The envelopes of a session's stream.
sub told {
	my ($session) = @_;

	return map { $json->decode($_) } split /\n/, $db->query("SELECT payload
		FROM partyline.event WHERE stream = 'session:$session'
		AND tenant_id = 1 ORDER BY seq");
}

my $id = begin();
my $games = "/api/sessions/$id/games";
my ($first, $second);

subtest 'before there is any' => sub {
	is(seen($games)->{body}, '[]', 'an empty list');
	refused(seen('/api/sessions/999/games'), 404, 'session_not_found',
		error => 'Session not found');
};

subtest 'add' => sub {
	$db->query("UPDATE partyline.session SET pending_game_id = $fibbage,
		pending_game_source = 'dice'");
	my $added = add($id, $fibbage);
	$first = $added->{json}{id};
	is($added->{status}, 201, 'added');
	like($added->{body}, qr/\A\{"id":1,"session_id":$id,
		"game_id":$fibbage,"played_at":"$time","manually_added":0,
		"status":"playing","room_code":null,"player_count":null,
		"player_count_check_status":null,"source":"dice",
		"pack_name":"Pack\\\\9","title":"Fibbage\ \\"4\\"\ \xc3\xa9",
		"game_type":"Trivia","secondary_type":"Bluffing",
		"min_players":2,"max_players":8,"length_minutes":20,
		"popularity_score":7,"upvotes":10,"downvotes":3\}\z/x,
		'the row with what the catalog says');
	is(seen($games)->{body}, "[$added->{body}]", 'the list has it');
	is(seen("/api/sessions/$id")->{json}{games_played}, 1, 'it is counted');
	is($db->query("SELECT play_count FROM partyline.game
		WHERE id = $fibbage"), '1', 'so it is for the game');
	is($db->query("SELECT count(*) FROM partyline.session
		WHERE pending_game_id IS NOT NULL"), '0', 'none is pending');

	my ($event) = told($id);
	like(delete $event->{timestamp}, qr/\A$time\z/, 'when it was told');
	is_deeply($event, { type => 'game.added', stream => "session:$id",
		seq => 1, data => { session => { id => $id, is_active =>
		JSON::PP::true, games_played => 1 }, game => { id => $fibbage,
		title => "Fibbage \"4\" \x{e9}", pack_name => 'Pack\9',
		min_players => 2, max_players => 8, manually_added =>
		JSON::PP::false } } }, 'its stream is told, all of it');
	like($db->query("SELECT payload FROM partyline.event WHERE
		stream = 'session:$id'"), qr/"data":\{"session":\{"id":$id,
		"is_active":true,"games_played":1\},"game":\{"id":$fibbage,
		"title":.*,"manually_added":false\}\}\}\z/x, 'in that order');
};

subtest 'add: the next one' => sub {
	my $added = add($id, $quiplash, manually_added => JSON::PP::true,
		room_code => 'QX7Z');
	$second = $added->{json}{id};
	is_deeply([@{ $added->{json} }{qw(manually_added source room_code
		player_count_check_status popularity_score)}],
		[1, 'manual', 'QX7Z', 'checking', 0], 'by hand, with a room');
	is(states($id), "$first played -, $second playing checking",
		'what was playing has been played');
	my $event = (told($id))[1];
	is_deeply($event->{data}, { session => { id => $id, is_active =>
		JSON::PP::true, games_played => 2 }, game => { id => $quiplash,
		title => 'Quiplash 3', pack_name => 'Pack 7', min_players => 3,
		max_players => 8, manually_added => JSON::PP::true,
		room_code => 'QX7Z' } }, 'the room is told');

	my $third = add($id, $quiplash, source => 'poll')->{json};
	is_deeply([@$third{qw(source manually_added)}], ['poll', 0],
		'from a poll, and the same game again');
	is(states($id), "$first played -, $second played stopped, "
		. "$third->{id} playing -", 'its room is watched no longer');
	my $skipped = admin()->request('patch',
		"$games/$third->{id}/status", { status => 'skipped' });
	is($skipped->{status}, 200, 'skipped');
	add($id, $fibbage, source => 'manual', room_code => undef);
	like(states($id), qr/, $third->{id} skipped -, \d+ playing -\z/,
		'what was skipped stays so');
	is($db->query('SELECT string_agg(play_count::text, \' \' ORDER BY id)
		FROM partyline.game'), '2 2', 'each play counts');
};

subtest 'add: refusals' => sub {
	my $before = seen($games)->{body};
	my $ask = sub { return admin()->post($games, $_[0]) };
	my $room = 'room_code must be exactly 4 alphanumeric characters '
	    . '(A-Z, 0-9)';

	refused($ask->($_), 400, 'input_missing', field => 'game_id',
		error => 'game_id is required')
	    for undef, '{}', '{"game_id":null}', '{"room_code":"x"}';
	refused($ask->("{\"game_id\":$_}"), 400, 'input_invalid',
		field => 'game_id',
		error => 'game_id must be a whole number from 1')
	    for 0, -1, '"1"', 1.5, 'true', '[1]';
	refused($ask->("{\"game_id\":$fibbage,\"room_code\":$_}"), 400,
		'room_code_invalid', field => 'room_code', error => $room)
	    for '"qx7z"', '"QX7"', '"QX7ZZ"', '""', 7, '"QX-Z"';
	refused($ask->("{\"game_id\":$fibbage,\"source\":\"luck\"}"), 400,
		'input_invalid', field => 'source',
		error => 'source must be dice, manual or poll');
	refused(add($id, 999), 404, 'game_not_found',
		error => 'Game not found');
	refused(add(999, $fibbage), 404, 'session_not_found',
		error => 'Session not found');
	is(seen($games)->{body}, $before, 'nothing was changed');
	is(scalar(my @told = told($id)), 4, 'nor told');
};

subtest 'status' => sub {
	my $set = sub {
		my ($game, $status) = @_;
		my $said = admin()->request('patch', "$games/$game/status",
			{ status => $status });

		is($said->{status}, 200, "$game $status");
		is($said->{body}, '{"message":"Status updated successfully",'
			. "\"status\":\"$status\"}", 'what is said');
		return;
	};
	my @ids = map { $_->{id} } @{ seen($games)->{json} };

	$db->query("UPDATE partyline.session_game
		SET player_count_check_status = 'monitoring'
		WHERE id IN ($ids[1], $ids[3])");
	$set->($ids[1], 'playing') for 1, 2;
	is(states($id), "$ids[0] played -, $ids[1] playing monitoring, "
		. "$ids[2] skipped -, $ids[3] played stopped",
		'playing demotes the other and its room');
	$set->($ids[1], 'skipped');
	is(states($id), "$ids[0] played -, $ids[1] skipped stopped, "
		. "$ids[2] skipped -, $ids[3] played stopped",
		'what plays no longer is watched no longer');
	$set->($ids[2], 'played');
	$set->($ids[3], 'playing');
	is((() = states($id) =~ /playing/g), 1, 'one is playing');
	is($db->query("SELECT count(*) FROM partyline.event WHERE
		stream = 'session:$id'"), '4', 'the stream hears nothing');

	my $text = 'Invalid status. Must be playing, played, or skipped';
	refused(admin()->request('patch', "$games/$ids[0]/status", $_), 400,
		'status_invalid', field => 'status', error => $text)
	    for undef, '{}', '{"status":null}', '{"status":"Playing"}',
	    '{"status":""}', '{"status":7}';
};

subtest 'room code' => sub {
	my $path = "$games/$first/room-code";
	my $said = admin()->request('patch', $path, { room_code => 'AB12' });

	is($said->{status}, 200, 'set');
	is_deeply($said->{json}, row($id, $first), 'the row as it is now');
	is($said->{json}{room_code}, 'AB12', 'with its room');
	refused(admin()->request('patch', $path, $_), 400, 'input_missing',
		field => 'room_code', error => 'room_code is required')
	    for undef, '{}', '{"room_code":null}', '{"room_code":""}';
	refused(admin()->request('patch', $path, $_), 400,
		'room_code_invalid', field => 'room_code', error =>
		'room_code must be exactly 4 alphanumeric characters '
		. '(A-Z, 0-9)')
	    for '{"room_code":"ab12"}', '{"room_code":"AB123"}',
	    '{"room_code":1234}', '{"room_code":"AB1\n"}';
	is(row($id, $first)->{room_code}, 'AB12', 'it stays');
};

subtest 'player count' => sub {
	my $path = "$games/$first/player-count";
	my $set = sub {
		return admin()->request('patch', $path,
			{ player_count => $_[0] });
	};
	my $said = $set->(6);

	is($said->{status}, 200, 'set');
	is($said->{body}, '{"message":"Player count updated successfully",'
		. '"player_count":6}', 'what is said');
	is_deeply([@{ row($id, $first) }{qw(player_count
		player_count_check_status)}], [6, 'completed'], 'the row');
	is_deeply((told($id))[-1]{data}, { sessionId => $id,
		gameId => $first, catalogGameId => $fibbage, playerCount => 6,
		status => 'completed' }, 'the stream is told');
	is((told($id))[-1]{type}, 'player-count.updated', 'by its name');

	admin()->post("$games/$first/start-player-check");
	is($set->(0)->{json}{player_count}, 0, 'nobody plays');
	is((told($id))[-1]{data}{status}, 'checking',
		'the room is still watched');
	refused(admin()->request('patch', $path, $_), 400, 'input_missing',
		field => 'player_count', error => 'player_count is required')
	    for undef, '{}', '{"player_count":null}';
	refused(admin()->request('patch', $path, "{\"player_count\":$_}"),
		400, 'input_invalid', field => 'player_count', error =>
		'player_count must be a whole number from 0 to 1000000')
	    for -1, 1.5, '"6"', 'true', 1000001;
	is(row($id, $first)->{player_count}, 0, 'it stays');
};

subtest 'check and status-live' => sub {
	my $live = sub {
		return seen("$games/$_[0]/status-live")->{json};
	};
	my $do = sub {
		return admin()->post("$games/$_[0]/$_[1]-player-check");
	};

	is(seen("$games/$first/status-live")->{body}, "{\"sessionId\":$id,"
		. "\"gameId\":$first,\"catalogGameId\":$fibbage,\"roomCode\":"
		. '"AB12","appTag":null,"maxPlayers":8,"playerCount":0,'
		. '"players":[],"lobbyState":null,"gameState":null,'
		. '"gameStarted":true,"gameFinished":true,"monitoring":true}',
		'all of it');
	my $stopped = $do->($first, 'stop');
	is($stopped->{status}, 200, 'stopped');
	is($stopped->{body}, '{"message":"Room monitor and player count check '
		. 'stopped","status":"stopped"}', 'what is said');
	is($live->($first)->{monitoring}, JSON::PP::false, 'not watched');
	is(row($id, $first)->{player_count_check_status}, 'stopped',
		'the row says so');
	my $started = $do->($first, 'start');
	is($started->{status}, 200, 'started');
	is($started->{body}, '{"message":"Room monitor started",'
		. '"status":"monitoring"}', 'what is said');
	is($live->($first)->{monitoring}, JSON::PP::true, 'watched');
	is(row($id, $first)->{player_count_check_status}, 'checking',
		'the row says so');

	my ($without) = map { $_->{id} } grep { !$_->{room_code} }
	    @{ seen($games)->{json} };
	refused($do->($without, 'start'), 400, 'room_code_missing',
		error => 'Game does not have a room code');
	is($do->($without, 'stop')->{status}, 200, 'stop needs no room');
	is_deeply([@{ $live->($without) }{qw(roomCode playerCount)}],
		[undef, undef], 'no room, no players');
	for (['playing', 1, 0], ['skipped', 0, 0], ['played', 1, 1]) {
		my ($status, $is_started, $is_finished) = @$_;

		admin()->request('patch', "$games/$without/status",
			{ status => $status });
		is_deeply([map { $_ ? 1 : 0 } @{ $live->($without) }
			{qw(gameStarted gameFinished)}],
			[$is_started, $is_finished], $status);
	}
};

subtest 'remove' => sub {
	my $count = seen("/api/sessions/$id")->{json}{games_played};
	my $plays = $db->query("SELECT play_count FROM partyline.game
		WHERE id = $quiplash");
	my $gone = admin()->delete("$games/$second");

	is($gone->{status}, 200, 'removed');
	is($gone->{body}, '{"message":"Game removed from session '
		. 'successfully"}', 'what is said');
	is(row($id, $second), undef, 'gone from the list');
	is(seen("/api/sessions/$id")->{json}{games_played}, $count - 1,
		'counted');
	is($db->query("SELECT play_count FROM partyline.game
		WHERE id = $quiplash"), $plays, 'it was played nevertheless');
	my $next = add($id, $quiplash)->{json}{id};
	cmp_ok($next, '>', $second, 'its id is not given again');
};

subtest 'what is not there' => sub {
	my $of_other = do {
		over($id);
		my $other = begin();
		my $added = add($other, $fibbage)->{json}{id};
		over($other);
		$added;
	};
	my @ask = (
		[patch => 'status', { status => 'played' }],
		[patch => 'room-code', { room_code => 'AB12' }],
		[patch => 'player-count', { player_count => 1 }],
		[post => 'start-player-check'], [post => 'stop-player-check'],
		[get => 'status-live'], ['delete'],
	);

	for my $ask (@ask) {
		my ($method, $name, $body) = @$ask;
		my $end = defined $name ? "/$name" : '';

		refused(admin()->request($method, "$_$end", $body), 404,
			'session_game_not_found',
			error => 'Session game not found')
		    for "$games/999", "$games/$of_other", "$games/0",
		    "$games/x", "/api/sessions/999/games/$first",
		    "/api/sessions/x/games/$first";
	}
};

subtest 'a closed session' => sub {
	refused(add($id, $fibbage), 400, 'add_to_closed_session',
		error => 'Cannot add games to a closed session');
	my $played = $db->query('SELECT string_agg(play_count::text, \' \'
		ORDER BY id) FROM partyline.game');
	is(admin()->request('patch', "$games/$first/status",
		{ status => 'skipped' })->{status}, 200, 'can be put right');
	is(admin()->delete("/api/sessions/$id")->{status}, 200, 'deleted');
	is($db->query("SELECT count(*) FROM partyline.session_game
		WHERE session_id = $id"), '0', 'with what it played');
	is($db->query('SELECT string_agg(play_count::text, \' \' ORDER BY id)
		FROM partyline.game'), $played, 'which was played');
};

subtest 'who may' => sub {
	my $other = begin();
	my $game  = add($other, $fibbage)->{json}{id};
	my $path  = "/api/sessions/$other/games";
	my @ask   = (
		[post => $path, { game_id => $fibbage }],
		[patch => "$path/$game/status", { status => 'played' }],
		[patch => "$path/$game/room-code", { room_code => 'AB12' }],
		[patch => "$path/$game/player-count", { player_count => 1 }],
		[post => "$path/$game/start-player-check"],
		[post => "$path/$game/stop-player-check"],
		[delete => "$path/$game"],
	);

	for my $role (undef, 'viewer', 'bot') {
		my $who = T::Client->new($server, role => $role);
		my @refusal = !defined $role
		    ? (401, 'token_required', error => 'Access token required')
		    : (403, 'not_allowed');

		refused($who->request(@$_), @refusal) for @ask;
		is($who->get($_)->{status}, 200, 'reads are for anyone')
		    for $path, "$path/$game/status-live";
	}
	is(states($other), "$game playing -", 'nothing was changed');
};

done_testing;
