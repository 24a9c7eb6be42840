#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Monitors of rooms: what they tell of a game from its lobby to its end, in
# the ways that games tell of it; what they do when the room is not there,
# will not have them, breaks off or falls silent; and that nobody watches
# twice, or not at all, whoever dies.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Db;
use T::Ecast;
use T::Games;
use T::Live;
use T::OwnRedis;
use T::Server;
use T::Wait;

my $json  = JSON::PP->new->utf8->canonical;
my $db    = T::Db->new;
my $ecast = T::Ecast->start;
my %quick = (
	monitor_beat  => '500ms',
	monitor_retry => '50ms',
	work_lease    => '2s',
);
my ($server, $admin, $live, $session, $drawful, $made);

sub host {
	my (%set) = @_;

	return T::Server->start(workers => 1, wait => 'readyz',
		database_url => $db->url, %quick, $ecast->options, %set);
}

sub rows {
	return $db->query("SELECT string_agg(concat_ws(' ', room_code,
		reason, lease), ', ' ORDER BY id) FROM partyline.monitor
		WHERE session_id = $session");
}

# A session of its own with somebody who listens to it.
sub begin {
	my $active = $admin->get('/api/sessions/active')->{json}{id};

	$admin->post("/api/sessions/$active/close") if $active;
	$session = $admin->post('/api/sessions')->{json}{id};
	$live    = T::Live->enter($server);
	$live->follow($session);
	return;
}

sub code { return sprintf 'R%03d', ++$made }

# A game in a room; its id in the session's list.
sub plays {
	my ($code) = @_;

	return $admin->post("/api/sessions/$session/games",
		{ game_id => $drawful, room_code => $code })->{json}{id};
}

sub row {
	my ($id) = @_;

	return (grep { $_->{id} == $id } @{ $admin->get(
		"/api/sessions/$session/games")->{json} })[0];
}

sub status {
	my ($id) = @_;

	return $admin->get("/api/sessions/$session/games/$id/status-live")
	    ->{json};
}

# What its next event of that type says.
sub told {
	my ($type) = @_;
	my $heard = $live->hears($type, 20);

	return $heard ? $heard->{data} : { nothing => $type };
}

sub says {
	my ($type, $wanted, $name) = @_;
	my $got = told($type);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_deeply({ map { $_ => $got->{$_} } keys %$wanted }, $wanted,
		$name // $type) || diag $json->encode($got);
}

# All numbered events so far, by type and what matters in them.
sub story {
	$live->settle;
	return join ' ', map {
		my $data = $_->{data};
		$_->{type} =~ s/^(?:lobby|game|room|player-count)\.//r
		    . (defined $data->{playerName} ? "=$data->{playerName}"
			: defined $data->{reason} ? "=$data->{reason}"
			: $_->{type} eq 'player-count.updated'
			? "=$data->{playerCount}" : '')
	} map { $json->decode($_) } $live->events("session:$session");
}

$server  = host();
$admin   = T::Client->new($server);
$drawful = T::Games::add($db, title => 'Drawful 2', pack_name => 'Pack 2',
	min_players => 3, max_players => 8);

subtest 'a game from its lobby to its end' => sub {
	my $code = code();

	begin();
	$ecast->make($code, players => ['Alice']);
	my $added = $admin->post("/api/sessions/$session/games",
		{ game_id => $drawful, room_code => $code })->{json};
	my $game = $added->{id};
	my %is = (sessionId => $session, gameId => $game,
		catalogGameId => $drawful, roomCode => $code);

	is($added->{player_count_check_status}, 'checking',
		'nobody has seen its room yet');
	says('room.connected', { %is, appTag => 'drawful2international',
		maxPlayers => 8, playerCount => 1, players => ['Alice'],
		lobbyState => 'WaitingForMore', gameState => 'Lobby' });
	says('player-count.updated', { gameId => $game, playerCount => 1,
		status => 'monitoring' });
	is(row($game)->{player_count_check_status}, 'monitoring',
		'it is watched');
	$ecast->join($code, 'Bob');
	says('lobby.player-joined', { %is, playerName => 'Bob',
		playerCount => 2, players => ['Alice', 'Bob'],
		maxPlayers => 8 });
	says('player-count.updated', { playerCount => 2 });
	is(row($game)->{player_count}, 2, 'it is in the list');
	$ecast->set($code, lobbyState => 'CanStart', gameCanStart => 1);
	says('lobby.updated', { %is, lobbyState => 'CanStart',
		gameCanStart => JSON::PP::true, playerCount => 2,
		gameIsStarting => JSON::PP::false });
	says('game.status', { %is, appTag => 'drawful2international',
		maxPlayers => 8, playerCount => 2,
		players => ['Alice', 'Bob'], lobbyState => 'CanStart',
		gameState => 'Lobby', gameStarted => JSON::PP::false,
		gameFinished => JSON::PP::false,
		monitoring => JSON::PP::true });
	is_deeply(status($game), { %is, appTag => 'drawful2international',
		maxPlayers => 8, playerCount => 2,
		players => ['Alice', 'Bob'], lobbyState => 'CanStart',
		gameState => 'Lobby', gameStarted => JSON::PP::false,
		gameFinished => JSON::PP::false,
		monitoring => JSON::PP::true }, 'status-live says the same');
	$ecast->set($code, state => 'Gameplay');
	says('game.started', { %is, playerCount => 2,
		players => ['Alice', 'Bob'], maxPlayers => 8 });
	is(status($game)->{gameStarted}, JSON::PP::true, 'so does its row');
	$ecast->set($code, gameFinished => 1);
	says('game.ended', { %is, playerCount => 2,
		players => ['Alice', 'Bob'] });
	says('room.disconnected', { %is, reason => 'room_closed',
		finalPlayerCount => 2 });
	is_deeply([@{ row($game) }{qw(status player_count
		player_count_check_status)}], ['played', 2, 'completed'],
		'the game has been played');
	ok((wait_until { $ecast->shards($code) == 0 }), 'nobody watches');
	my $after = $live->{at};
	$ecast->join($code, 'Late');
	is(status($game)->{monitoring}, JSON::PP::false, 'told by the row');
	is(story(), 'added connected updated=1 player-joined=Bob updated=2 '
		. 'updated started ended disconnected=room_closed',
		'each once, in order, and nothing later');
	my ($check) = $ecast->asked(qr{/rooms/$code\z});
	like($check->{headers}{'user-agent'}, qr/^partyline\//, 'it says '
		. 'who it is');
	my ($play) = $ecast->asked(qr{/rooms/$code/play\z});
	is_deeply($play->{query}, { role => 'shard', name => 'GamePicker',
		userId => "gamepicker-$session", format => 'json' },
		'and comes as a shard');
	is($play->{headers}{'sec-websocket-protocol'}, 'ecast-v0',
		'in its protocol');
};

subtest 'a game that tells of nobody' => sub {
	my $code = code();

	begin();
	$ecast->make($code, key => 'bc:room', no_texts => 1,
		silent_joins => 1, app_tag => 'triviadeath2');
	my $game = plays($code);
	says('room.connected', { playerCount => 0, players => [],
		gameState => 'Lobby' });
	says('player-count.updated', { playerCount => 0 });
	$ecast->join($code, $_) for 'Zoë', 'Yann';
	says('lobby.player-joined', { playerName => 'Zoë' },
		'a probe sees who is there');
	says('lobby.player-joined', { playerName => 'Yann',
		playerCount => 2 });
	ok((wait_until { $ecast->shards($code) == 1 }), 'it does not stay');
	$ecast->set($code, state => 'Gameplay');
	says('game.started', { playerCount => 2 });
	cmp_ok($server->count('monitor_probes'), '>', 0, 'counted');
};

subtest 'a game that tells in texts alone, and what was missed' => sub {
	my $code = code();

	begin();
	$ecast->make($code, no_connected => 1);
	plays($code);
	told('room.connected');
	$ecast->texts($code, 'CARL joined.', 'Somebody left.');
	says('lobby.player-joined', { playerName => 'CARL' });
	$ecast->change($code, val => { state => 'Gameplay' });
	says('game.started', { playerCount => 1 }, 'a beat asks for it');
};

subtest 'no room' => sub {
	my $code = code();

	begin();
	my $game = plays($code);
	says('room.disconnected', { reason => 'room_not_found',
		roomCode => $code, finalPlayerCount => 0 });
	is_deeply([@{ row($game) }{qw(status player_count_check_status)}],
		['playing', 'failed'], 'nobody knows about the game');
	is(status($game)->{monitoring}, JSON::PP::false, 'not watched');
	$ecast->make($code, players => ['Ann']);
	is($admin->post("/api/sessions/$session/games/$game/"
		. 'start-player-check')->{json}{status}, 'monitoring',
		'asked for again');
	says('room.connected', { players => ['Ann'] });
};

subtest 'a room that will not have us' => sub {
	for my $error (2014, 2017) {
		my $code = code();

		begin();
		$ecast->make($code, refuses => $error);
		my $game = plays($code);
		says('room.disconnected', { reason => 'role_rejected' },
			"refused with $error");
		is(row($game)->{player_count_check_status}, 'failed',
			'failed');
	}
};

subtest 'REST and the WebSocket disagree' => sub {
	my $code = code();

	begin();
	$ecast->make($code, refuses => 2027);
	my $game = plays($code);
	says('room.disconnected', { reason => 'connection_failed' });
	is(scalar $ecast->asked(qr{/rooms/$code/play\z}), 4,
		'after three more tries');
	is(row($game)->{status}, 'playing', 'the game goes on');
};

subtest 'a service that is ill' => sub {
	my $code = code();

	begin();
	$ecast->make($code, ails => 1, closes => 1);
	plays($code);
	says('room.connected', { roomCode => $code });
	is(scalar $ecast->asked(qr{/rooms/$code\z}), 3, 'it was asked again');
	is(story(), 'added connected updated=0', 'nobody else heard of it');
};

subtest 'a connection that breaks' => sub {
	my $code = code();

	begin();
	$ecast->make($code, players => ['Ann']);
	my $game = plays($code);
	told('room.connected');
	told('game.status');
	$ecast->cut($code);
	ok((wait_until { (grep { $_->{query}{secret} }
		$ecast->asked(qr{/rooms/$code/play\z})) && $ecast->shards(
		$code) == 1 }), 'its place is taken again');
	$ecast->join($code, 'Bob');
	says('lobby.player-joined', { players => ['Ann', 'Bob'] });
	$ecast->cut($code) for 1 .. 3;
	told('game.status');
	$ecast->finish($code);
	says('room.disconnected', { reason => 'room_closed',
		finalPlayerCount => 2 });
	is(row($game)->{status}, 'played', 'gone is played');
	is(story(), 'added connected updated=1 player-joined=Bob updated=2 '
		. 'disconnected=room_closed', 'no more than that was told');
};

subtest 'a connection that falls silent' => sub {
	my $code = code();

	begin();
	$ecast->make($code);
	plays($code);
	told('room.connected');
	my $before = $ecast->asked(qr{/rooms/$code/play\z});
	$ecast->freeze(3);
	ok((wait_until { (grep { $_->{query}{secret} }
		$ecast->asked(qr{/rooms/$code/play\z})) } 20),
		'it is made anew');
};

subtest 'stopped' => sub {
	my %by = (
		'by hand' => sub { $admin->post("$_[0]/stop-player-check") },
		'played'  => sub { $admin->request(patch => "$_[0]/status",
			{ status => 'played' }) },
		'removed' => sub { $admin->request(delete => $_[0]) },
		'the next game' => sub { $admin->post(
			"/api/sessions/$session/games",
			{ game_id => $drawful }) },
		'the end of the session' => sub { $admin->post(
			"/api/sessions/$session/close") },
	);

	for my $how (sort keys %by) {
		my $code = code();

		begin();
		$ecast->make($code);
		my $game = plays($code);
		told('room.connected');
		$by{$how}->("/api/sessions/$session/games/$game");
		says('room.disconnected', { reason => 'manually_stopped',
			roomCode => $code }, $how);
		ok((wait_until { $ecast->shards($code) == 0 }),
			'and it leaves');
		$ecast->join($code, 'Late');
		unlike(story(), qr/Late/, 'nothing is told any more');
	}
};

subtest 'another room' => sub {
	my ($old, $new) = (code(), code());

	begin();
	$ecast->make($old, players => ['Ann']);
	$ecast->make($new, players => ['Bob', 'Cy']);
	my $game = plays($old);
	told('room.connected');
	$admin->request(patch => "/api/sessions/$session/games/$game/"
		. 'room-code', { room_code => $new });
	says('room.disconnected', { roomCode => $old,
		reason => 'manually_stopped' });
	says('room.connected', { roomCode => $new,
		players => ['Bob', 'Cy'] });
	ok((wait_until { $ecast->shards($old) == 0 }), 'the old one is left');
};

subtest 'as many as a host may watch' => sub {
	my $small = T::Server->start(workers => 1, wait => 'readyz', %quick,
		$ecast->options, monitors => 1);
	my $who  = T::Client->new($small);
	my $game = T::Games::add($small->db, title => 'A', pack_name => 'P',
		min_players => 1, max_players => 8);
	my $id    = $who->post('/api/sessions')->{json}{id};
	my @codes = (code(), code());
	my @games = map { $who->post("/api/sessions/$id/games",
		{ game_id => $game, room_code => $_ })->{json}{id} } @codes;
	my $do = sub {
		$who->post("/api/sessions/$id/games/$_[0]/$_[1]-player-check");
	};

	$ecast->make($_) for @codes;
	$do->($games[1], 'stop');
	$do->($games[0], 'start');
	ok((wait_until { $ecast->shards($codes[0]) }), 'one');
	$do->($games[1], 'start');
	my $looks = $small->db->query("SELECT until
		FROM partyline.monitor_holder");
	ok((wait_until { $small->db->query("SELECT until
		FROM partyline.monitor_holder") ne $looks }), 'it looked');
	is($ecast->shards($codes[1]), 0, 'the other one waits');
	$do->($games[0], 'stop');
	ok((wait_until { $ecast->shards($codes[1]) }), 'for its place');
};

subtest 'what an operator sees' => sub {
	my $code  = code();
	my $shows = sub {
		return $server->partyline('monitors', @_, '--set',
			'database_url=' . $db->url)->{out};
	};

	begin();
	$ecast->make($code, players => ['Ann']);
	my $game = plays($code);
	told('room.connected');
	like($shows->(), qr{^default\ \ session\ $session\ game\ $game\ \ $code
		\ \ lobby,\ players\ 1\ of\ 8,\ drawful2international,
		\ since\ \S+,\ watched\ by\ \S+/\d+\n\z}mx, 'a line');
	is($shows->('list', '--tenant', 'default'), $shows->(), 'of one');
	$admin->post("/api/sessions/$session/games/$game/stop-player-check");
	is($shows->('--json'), "[]\n", 'nothing is watched');
	like($shows->('all'), qr/$code\ \ ended:\ manually_stopped,.*,
		\ until\ /x, 'what became of it');
};

subtest 'a count by hand' => sub {
	my $code = code();

	begin();
	$ecast->make($code, players => ['Ann']);
	my $game = plays($code);
	told('room.connected');
	$admin->request(patch => "/api/sessions/$session/games/$game/"
		. 'player-count', { player_count => 6 });
	is(status($game)->{playerCount}, 6, 'holds');
	ok($live->hears(sub { $_[0]{type} eq 'game.status'
		&& $_[0]{data}{playerCount} == 6 }), 'in the status, too');
	$ecast->join($code, 'Bob');
	says('lobby.player-joined', { playerCount => 2 },
		'until the room tells of another');
};

subtest 'the jobs process dies' => sub {
	for my $fault (qw(monitor_dies_claimed monitor_dies_before_report
		monitor_dies_before_telling)) {
		my $code = code();

		begin();
		$ecast->make($code, players => ['Ann']);
		$server->fault(arm => $fault);
		plays($code);
		says('room.connected', { players => ['Ann'] }, $fault);
		$ecast->join($code, 'Bob');
		says('lobby.player-joined', { playerName => 'Bob' });
		is(story(), 'added connected updated=1 player-joined=Bob '
			. 'updated=2', 'each once');
	}
};

subtest 'the database goes away' => sub {
	my $code = code();

	begin();
	$ecast->make($code);
	plays($code);
	told('room.connected');
	$server->fault(arm => 'db_lost_before_sync', 1);
	$ecast->join($code, 'Ann');
	says('lobby.player-joined', { playerName => 'Ann' },
		'said again, or found');
	$ecast->join($code, 'Bob');
	says('lobby.player-joined', { playerName => 'Bob' });
	is(story() =~ s/ updated=\d//gr,
		'added connected player-joined=Ann player-joined=Bob',
		'each once');
};

subtest 'a host dies in the middle of a game' => sub {
	my @codes = map { code() } 1 .. 6;
	my $redis = T::OwnRedis->start;
	my $other = host(redis_url => $redis->url, redis_prefix => 'm');
	my @games;

	begin();
	for my $code (@codes) {
		$ecast->make($code, players => ['Ann']);
	}
	my $code = $codes[0];
	my $game = plays($code);
	told('room.connected');
	$ecast->set($code, state => 'Gameplay');
	told('game.started');
	my $holder = $db->query("SELECT leased_by FROM partyline.monitor
		WHERE id = $game");
	my $is_mine = $server->count('monitors') == 1;
	my ($dead, $alive) = $is_mine ? ($server, $other) : ($other, $server);

	ok($is_mine || $other->count('monitors') == 1, 'one host has it');
	my $reader = $is_mine ? T::Live->enter($other) : $live;
	$reader->follow($session, since => 0) if $is_mine;
	$live = $reader;
	$_->signal('KILL') for $dead;
	ok((wait_until { $db->query("SELECT leased_by <> '$holder'
		FROM partyline.monitor WHERE id = $game") eq 't' } 20),
		'the other one takes it');
	ok((wait_until { grep { $_->{query}{secret} }
		$ecast->asked(qr{/rooms/$code/play\z}) } 20),
		'in the same place');
	$ecast->set($code, gameFinished => 1);
	says('room.disconnected', { reason => 'room_closed' });
	is(story(), 'added connected updated=1 started ended '
		. 'disconnected=room_closed', 'the story is whole, each once');
	$dead->expect_exit(undef);
	$admin = T::Client->new($server = $alive);
};

done_testing;
