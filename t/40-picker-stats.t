#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What people want to know afterwards: totals and rankings, the recap of a
# night, the trends of a season; each number against rows that were laid down
# for it, and one night as it is really played.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Games;
use T::Server;

my $server = T::Server->start(workers => 2);
my $db     = $server->db;
my $admin  = T::Client->new($server, worker => 1);
my $anyone = T::Client->new($server, worker => 2, role => undef);
my $time   = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;

T::Games::clear($db);
my %game = map { $_ => T::Games::add($db, title => $_, pack_name => 'P') }
    qw(Quiplash Drawful Fibbage Earwax);
my %rows;

sub next_row { return ++$rows{ $_[0] } }

# A session that began and ended then.
sub night {
	my ($began, $ended) = @_;
	my $id = next_row('session');

	$db->query("INSERT INTO partyline.session (tenant_id, id, is_active,
		created_at, created_text, closed_at, closed_text) VALUES
		(1, $id, false, '$began', '$began', '$ended', '$ended');
		INSERT INTO partyline.stream (tenant_id, name)
		VALUES (1, 'session:$id')");
	return $id;
}

sub played {
	my ($session, $title, $at, $players, $status) = @_;
	my $id = next_row('session_game');

	$db->query("INSERT INTO partyline.session_game (tenant_id, id,
		session_id, game_id, played_at, played_text, source, status,
		player_count) VALUES (1, $id, $session, $game{$title}, '$at',
		'$at', 'dice', '@{[$status // 'played']}',
		@{[$players // 'NULL']})");
	return $id;
}

# Each [title, who, moment, 1 or -1, in chat or live].
sub voted {
	my ($session, @votes) = @_;

	for my $vote (@votes) {
		my ($title, $who, $at, $how, $is_chat) = @$vote;

		$db->query($is_chat ? "INSERT INTO partyline.chat_log VALUES
			(1, @{[next_row('chat_log')]}, $session, '$who', '',
			'$at', '$at', $how, $game{$title},
			sha256('@{[rand]}'))"
		    : "INSERT INTO partyline.live_vote VALUES (1,
			@{[next_row('live_vote')]}, $session, $game{$title},
			'$who', $how, '$at', '$at', '$at', '$at')");
	}
	return;
}

# A write that changes nothing, so that the workers look anew.
sub looked_anew {
	$admin->request(PATCH => "/api/games/$game{Earwax}/favor",
		{ favor_bias => 0 });
	return;
}

subtest 'before anything was played' => sub {
	looked_anew();
	my $stats = $anyone->get('/api/stats');

	is($stats->{body}, '{"games":{"count":4},"gamesEnabled":{"count":4},'
		. '"packs":{"count":1},"sessions":{"count":0},'
		. '"activeSessions":{"count":0},"totalGamesPlayed":{"count":0}'
		. ',"mostPlayedGames":[],"topRatedGames":[]}', 'stats');
	my $trends = $anyone->get('/api/stats/trends')->{json};
	like($trends->{to}, qr/\A\d{4}-\d\d-\d\d\z/, 'until today');
	is_deeply($trends, { %$trends, by => 'week', periods => [],
		games => [] }, 'an empty season');
	my ($from) = $trends->{from} =~ /\A(\d{4})-/;
	my ($to)   = $trends->{to}   =~ /\A(\d{4})-/;
	cmp_ok($to - $from, '<=', 1, 'of a year');
	refused($anyone->get('/api/sessions/1/recap'), 404,
		'session_not_found', error => 'Session not found');
};

my $first = night('2026-01-09T20:00:00.000Z', '2026-01-09T22:30:20.000Z');
my @turns = (
	played($first, 'Quiplash', '2026-01-09T20:05:00.000Z', 4),
	played($first, 'Drawful',  '2026-01-09T20:35:00.000Z', 7),
	played($first, 'Quiplash', '2026-01-09T21:05:00.000Z', 6),
	played($first, 'Earwax',   '2026-01-09T21:35:31.000Z', undef,
		'skipped'),
);
voted($first,
	['Quiplash', 'Ann', '2026-01-09T20:04:00.000Z', 1],
	['Quiplash', 'ann', '2026-01-09T20:10:00.000Z', 1],
	['Quiplash', 'Bob', '2026-01-09T20:59:59.000Z', -1, 1],
	['Quiplash', 'Bob', '2026-01-09T21:05:00.000Z', 1],
	['Drawful',  'Zoe', '2026-01-09T20:40:00.000Z', -1],
	['Fibbage',  'Zoe', '2026-01-09T21:00:00.000Z', 1]);
$db->query("INSERT INTO partyline.chat_log VALUES (1, 99, $first, 'Kim',
	'hello', now(), '', NULL, NULL, sha256('kim'))");

subtest 'recap' => sub {
	my $recap = $anyone->get("/api/sessions/$first/recap");
	my $said  = $recap->{json};
	my $game  = sub {
		my ($n, $title, $at, $minutes, $players, $up, $down) = @_;

		return { id => $turns[$n], game_id => $game{$title},
			title => $title, pack_name => 'P',
			status => $title eq 'Earwax' ? 'skipped' : 'played',
			source => 'dice', played_at => $at,
			minutes => $minutes, player_count => $players,
			upvotes => $up, downvotes => $down,
			net_score => $up - $down, total_votes => $up + $down };
	};

	is($recap->{status}, 200, 'done');
	is_deeply($said->{session}, $anyone->get("/api/sessions/$first")
		->{json}, 'which session');
	is($said->{minutes}, 150, 'its minutes');
	is_deeply($said->{games}, [
		$game->(0, 'Quiplash', '2026-01-09T20:05:00.000Z', 30, 4,
			2, 1),
		$game->(1, 'Drawful', '2026-01-09T20:35:00.000Z', 30, 7, 0, 1),
		$game->(2, 'Quiplash', '2026-01-09T21:05:00.000Z', 31, 6,
			1, 0),
		$game->(3, 'Earwax', '2026-01-09T21:35:31.000Z', 55, undef,
			0, 0)],
		'its games, each with its minutes and its own votes');
	my %slot = map { $_->{at} => [@$_{qw(upvotes downvotes)}] }
	    @{ $said->{votes}{over_time} };
	is_deeply(\%slot, {
		'2026-01-09T20:00:00.000Z' => [1, 0],
		'2026-01-09T20:10:00.000Z' => [1, 0],
		'2026-01-09T20:40:00.000Z' => [0, 1],
		'2026-01-09T20:55:00.000Z' => [0, 1],
		'2026-01-09T21:00:00.000Z' => [1, 0],
		'2026-01-09T21:05:00.000Z' => [1, 0] }, 'votes over time');
	my @order = map { $_->{at} } @{ $said->{votes}{over_time} };
	is_deeply(\@order, [sort @order], 'in their order');
	delete $said->{votes}{over_time};
	is_deeply($said->{votes}, { upvotes => 4, downvotes => 2,
		net_score => 2, total_votes => 6, voters => 3,
		step_minutes => 5 }, 'all votes, live and from chat');
	is_deeply($said->{players}, { most => 7, fewest => 4,
		average => 5.7 }, 'players');
	is_deeply($said->{chat}, { messages => 2, people => 2 }, 'chat');

	is_deeply([map { [@$_{qw(at upvotes downvotes)}] } @{ $anyone->get(
		"/api/sessions/$first/recap?step=60")
		->{json}{votes}{over_time} }],
		[['2026-01-09T20:00:00.000Z', 2, 2],
		['2026-01-09T21:00:00.000Z', 2, 0]], 'by the hour');
	refused($anyone->get("/api/sessions/$first/recap?step=$_"), 400,
		'input_invalid', field => 'step', error =>
		'step must be a whole number from 1 to 1440')
	    for 0, 1441, 'x';
	refused($anyone->get("/api/sessions/$_/recap"), 404,
		'session_not_found') for 99, 0, 'x';
	is($anyone->get("/api/sessions/$first/recap", 'If-None-Match' =>
		$recap->{headers}{etag})->{status}, 304, 'once is enough');
};

subtest 'trends' => sub {
	my $second = night('2026-01-11T23:59:59.999Z',
		'2026-01-12T01:00:00.000Z');
	my $third = night('2026-02-02T00:00:00.000Z',
		'2026-02-02T00:10:00.000Z');
	my $trend = sub {
		my ($query) = @_;

		return $anyone->get("/api/stats/trends?$query");
	};
	my @names = qw(from to sessions minutes games different_games
	    average_players upvotes downvotes voters);
	my $is = sub {
		my ($query, @wanted) = @_;
		my $said = $trend->($query)->{json}{periods};

		return is_deeply([map { join ' ', map { $_ // '-' }
			@$_{@names} } @$said], \@wanted, $query);
	};

	played($second, 'Drawful', '2026-01-12T00:01:00.000Z', 3);
	played($third, $_, '2026-02-02T00:01:00.000Z')
	    for qw(Drawful Fibbage);
	voted($second, ['Drawful', 'ANN', '2026-01-12T00:02:00.000Z', 1]);

	$is->('from=2026-01-01&to=2026-02-28',
		'2026-01-05 2026-01-11 2 210 5 3 5 5 2 3',
		'2026-02-02 2026-02-08 1 10 2 2 - 0 0 0');
	$is->('from=2026-01-01&to=2026-02-28&by=month',
		'2026-01-01 2026-01-31 2 210 5 3 5 5 2 3',
		'2026-02-01 2026-02-28 1 10 2 2 - 0 0 0');
	$is->('from=2026-01-10&to=2026-02-01',
		'2026-01-05 2026-01-11 1 60 1 1 3 1 0 1');
	$is->('from=2026-01-09&to=2026-01-09&by=week',
		'2026-01-05 2026-01-11 1 150 4 3 5.7 4 2 3');
	$is->('from=2026-01-12&to=2026-01-31');
	$is->('from=2026-02-02&to=2026-02-02',
		'2026-02-02 2026-02-08 1 10 2 2 - 0 0 0');

	my $season = $trend->('from=2026-01-01&to=2026-02-28')->{json};
	is("@$season{qw(from to by)}", '2026-01-01 2026-02-28 week',
		'which season');
	is_deeply([map { join ' ', @$_{qw(title plays upvotes downvotes)} }
		@{ $season->{games} }], ['Drawful 3 1 1', 'Quiplash 2 3 1',
		'Fibbage 1 1 0', 'Earwax 1 0 0'], 'what was played most');
	refused($trend->('from=2026-02-01&to=2026-01-31'), 400,
		'season_backwards');
	refused($trend->($_->[0]), 400, 'input_invalid', field => $_->[1],
		error => "$_->[1] $_->[2]") for
	    ['from=2026-02-30', 'from', 'must be a day as YYYY-MM-DD'],
	    ['to=yesterday', 'to', 'must be a day as YYYY-MM-DD'],
	    ['by=day', 'by', 'must be week or month'];
};

subtest 'a night as it is played' => sub {
	$db->query("DELETE FROM partyline.$_") for qw(live_vote session);
	$db->query("INSERT INTO partyline.counter VALUES
		(1, 'session', 50), (1, 'session_game', 50),
		(1, 'live_vote', 50), (1, 'chat_log', 50)");
	my $id = $admin->post('/api/sessions')->{json}{id};
	my $add = sub {
		return $admin->post("/api/sessions/$id/games",
			{ game_id => $game{ $_[0] } })->{json};
	};
	my $recap = sub {
		return $anyone->get("/api/sessions/$id/recap")->{json};
	};
	my $one = $add->('Fibbage');

	is($recap->()->{minutes}, undef, 'nobody knows yet how long it takes');
	is($recap->()->{games}[0]{minutes}, undef, 'nor the game');
	my $vote = $admin->post('/api/votes/live', { username => 'ann',
		vote => 'up', timestamp => $one->{played_at} });
	is($vote->{status}, 200, 'a vote') or diag($vote->{body});
	is($recap->()->{games}[0]{upvotes}, 1, 'is seen at once');
	$add->($_) for qw(Drawful Drawful);
	is($recap->()->{games}[0]{minutes}, 0, 'it has ended');
	is($recap->()->{games}[2]{status}, 'playing', 'another one goes on');

	my $stats = $anyone->get('/api/stats')->{json};
	is_deeply([map { $stats->{$_}{count} } qw(games sessions
		activeSessions totalGamesPlayed)], [4, 1, 1, 3], 'totals');
	is_deeply([map { "$_->{title} $_->{play_count}" }
		@{ $stats->{mostPlayedGames} }], ['Drawful 2', 'Fibbage 1'],
		'what was played most');
	is_deeply($stats->{topRatedGames}, [{ id => $game{Fibbage},
		title => 'Fibbage', pack_name => 'P', play_count => 1,
		popularity_score => 1, upvotes => 1, downvotes => 0 }],
		'what was liked best');
	$admin->post("/api/sessions/$id/close");
	is($recap->()->{minutes}, 0, 'it was a short night');
	is($anyone->get('/api/stats')->{json}{activeSessions}{count}, 0,
		'and is over');

	$db->query("UPDATE partyline.game SET play_count = id,
		upvotes = id, downvotes = CASE WHEN id % 2 = 0 THEN 0
		ELSE 2 * id END");
	T::Games::add($db, title => "T$_", play_count => 1000 + $_,
		upvotes => 2, downvotes => 2) for 1 .. 12;
	looked_anew();
	$stats = $anyone->get('/api/stats')->{json};
	is_deeply([map { $_->{title} } @{ $stats->{mostPlayedGames} }],
		[map { "T$_" } reverse 3 .. 12], 'the first ten');
	is_deeply([grep { $_->{popularity_score} < 1 }
		@{ $stats->{topRatedGames} }], [],
		'none that nobody likes, or as many as do not');
	cmp_ok(@{ $stats->{topRatedGames} }, '>', 0, 'but there are some');
};

done_testing;
