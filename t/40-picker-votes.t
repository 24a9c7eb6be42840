#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Live votes: every refusal in its order, what a vote is for, what it answers
# and tells, the lists of votes; and that whatever many do at once, the totals
# are those of the rows, and the stream tells of each once.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Games;
use T::Lock;
use T::Server;
use T::Wait;

my $json   = JSON::PP->new->utf8;
my $time   = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $live   = '/api/votes/live';
my $server = T::Server->start(workers => 2, db_timeout => '60s');
my $db     = $server->db;
my @admins = map { T::Client->new($server, worker => $_) } 1, 2;
my @bots   = map { T::Client->new($server, role => 'bot', worker => $_) }
    1, 2;
my @anyone = map { T::Client->new($server, role => undef, worker => $_) }
    1, 2;
my $admin  = $admins[0];
my $turn   = 0;

T::Games::clear($db);
my $quiplash = T::Games::add($db, title => "Quip\"lash\" 3",
	pack_name => "Pack\\7", ticker => 'QPL3', upvotes => 10,
	downvotes => 2);
my $fibbage = T::Games::add($db, title => "Fibb\x{e9}", pack_name => 'Pack 4');
my $ticker  = T::Games::add($db, title => 'Trivia', pack_name => 'Pack 3',
	ticker => 'TMP2');

# A moment, so many seconds into the night.
sub at {
	my ($second) = @_;

	return $db->query("SELECT api.iso('2026-03-15T20:00:00Z'::timestamptz
		+ $second * interval '1 second')");
}

# Says a vote to one worker after the other.
sub vote {
	my ($who, $how, $when, %more) = @_;

	return $bots[$turn++ % 2]->post($live, { username => $who,
		vote => $how, timestamp => $when, %more });
}

# The session plays a game from that second of the night on.
sub plays {
	my ($session, $game, $second) = @_;
	my $row = $admin->post("/api/sessions/$session/games",
		{ game_id => $game })->{json}{id};
	my $moment = at($second);

	$db->query("UPDATE partyline.session_game SET played_at = '$moment',
		played_text = '$moment' WHERE id = $row");
	return $row;
}

sub told {
	my ($session, $where) = @_;

	return map { $json->decode($_) } split /\n/, $db->query("SELECT
		payload FROM partyline.event WHERE stream = 'session:$session'
		@{[$where // '']} ORDER BY seq");
}

# Games whose totals are not those of the rows.
sub drifted {
	return $db->query("SELECT string_agg(g.title, ', ') FROM
		partyline.game g WHERE g.tenant_id = 1 AND (
		g.upvotes - CASE g.id WHEN $quiplash THEN 10 ELSE 0 END,
		g.downvotes - CASE g.id WHEN $quiplash THEN 2 ELSE 0 END)
		<> (SELECT count(*) FILTER (WHERE v.vote = 1),
		count(*) FILTER (WHERE v.vote = -1) FROM (SELECT l.vote
		FROM partyline.live_vote l WHERE l.tenant_id = 1
		AND l.game_id = g.id UNION ALL SELECT c.vote FROM
		partyline.chat_log c WHERE c.tenant_id = 1
		AND c.game_id = g.id) v)");
}

# A GET without a token, of both workers, which say the same.
sub seen {
	my ($path) = @_;
	my ($one, $two) = map { $_->get($path) } @anyone;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($two->{body}, $one->{body}, "$path: the same body everywhere")
	    if $one->{status} == 200;
	return $one;
}

subtest 'refusals, in their order' => sub {
	my %fine = (username => 'a', vote => 'up',
		timestamp => '2026-03-15T20:30:00Z');
	my $missing = sub {
		my ($field, %but) = @_;
		my %body = (%fine, %but);

		delete $body{$field} if !%but;
		refused($bots[0]->post($live, \%body), 400,
			'vote_fields_missing', field => $field, error =>
			'Missing required fields: username, vote, timestamp');
	};

	refused($anyone[0]->post($live, {}), 401, 'token_required');
	refused(T::Client->new($server, role => 'viewer')->post($live, \%fine),
		403, 'not_allowed');
	$missing->($_) for sort keys %fine;
	$missing->(username => username => '');
	$missing->(username => username => undef, vote => 'sideways');
	$missing->(timestamp => timestamp => undef, vote => 7);
	refused(vote('a', $_, 'nonsense'), 400, 'vote_invalid',
		field => 'vote', error => 'vote must be either "up" or "down"')
	    for 'sideways', 'UP', 1, '';
	refused(vote('a', 'up', $_), 400, 'timestamp_invalid',
		field => 'timestamp', error => 'Invalid timestamp format. Use '
		. 'ISO 8601 format (e.g., 2025-11-01T20:30:00Z)')
	    for 'nonsense', '2026-02-30T00:00:00Z', '2026-03-15', '', 1;
	refused(vote('a' x 101, 'up', $fine{timestamp}), 400, 'input_invalid',
		field => 'username', error =>
		'username must be a text of 1 to 100 characters');
	refused(vote('a', 'up', $fine{timestamp}, ticker => 'x' x 17), 400,
		'input_invalid', field => 'ticker',
		error => 'ticker must be a text of at most 16 characters');
	refused(vote('a', 'up', $fine{timestamp}, ticker => $_), 404,
		'no_active_session', error => 'No active session found')
	    for undef, 'TMP2', 'NONE';
};

my $session = $admin->post('/api/sessions')->{json}{id};
subtest 'what a vote is for' => sub {
	refused(vote('a', 'up', at(0)), 404, 'no_games_played',
		error => 'No games have been played in the active session yet');
	refused(vote('a', 'up', at(0), ticker => 'NONE'), 404,
		'ticker_unknown', error => 'Unknown ticker');
	plays($session, $quiplash, 60);
	plays($session, $fibbage,  120);
	refused(vote('a', 'up', '2026-03-15 20:00:59'), 404,
		'vote_without_game', error => 'Vote timestamp does not match '
		. 'any game in the active session', debug => {
		voteTimestamp => '2026-03-15T20:00:59.000Z',
		sessionGames  => [
			{ title => 'Quip"lash" 3', played_at => at(60) },
			{ title => "Fibb\x{e9}", played_at => at(120) } ] });
	my %for = (
		'2026-03-15T20:01:00Z'          => $quiplash,
		'2026-03-15 20:01:10'           => $quiplash,
		'2026-03-15T22:01:59.999+02:00' => $quiplash,
		'2026-03-15T20:02:00Z'          => $fibbage,
		'2030-01-01T00:00:00Z'          => $fibbage,
	);
	for my $when (sort keys %for) {
		is(vote("a$when", 'up', $when)->{json}{game}{id}, $for{$when},
			$when);
	}
	for my $symbol (qw(TMP2 tmp2 tMp2)) {
		is(vote($symbol, 'down', at(-1000), ticker => $symbol)
			->{json}{game}{id}, $ticker, "by $symbol");
	}
	is(drifted(), '', 'all is counted');
};

subtest 'what it answers and tells' => sub {
	my $seq = $db->query("SELECT head FROM partyline.stream
		WHERE name = 'session:$session'");
	my $said = vote("Zo\x{eb}\"", 'down', '2026-03-15T21:01:30.5+01:00');
	my $moment = '2026-03-15T20:01:30.500Z';

	is($said->{status}, 200, 'recorded');
	is($said->{body}, '{"success":true,"message":"Vote recorded '
		. "successfully\",\"session\":{\"id\":$session,\"games_played\""
		. ":2},\"game\":{\"id\":$quiplash,\"title\":\"Quip\\\"lash\\\" "
		. '3","upvotes":13,"downvotes":3,"popularity_score":10},"vote":'
		. "{\"username\":\"Zo\xc3\xab\\\"\",\"type\":\"down\","
		. "\"timestamp\":\"$moment\"}}", 'byte for byte');
	my ($event) = told($session, "AND seq > $seq");
	like(delete $event->{timestamp}, qr/\A$time\z/, 'when it was told');
	is_deeply($event, { type => 'vote.received', seq => $seq + 1,
		stream => "session:$session", data => {
		sessionId => $session, game => { id => $quiplash,
			title => 'Quip"lash" 3', pack_name => 'Pack\\7' },
		vote => { username => "Zo\x{eb}\"", type => 'down',
			timestamp => $moment },
		totals => { upvotes => 13, downvotes => 3,
			popularity_score => 10 } } }, 'the stream is told');
	my $game = seen("/api/games/$quiplash")->{json};
	is("$game->{upvotes} $game->{downvotes} $game->{popularity_score}",
		'13 3 10', 'the catalog has it at once');

	refused(vote("Zo\x{eb}\"", 'up', at(90.5 + $_)), 409, 'vote_duplicate',
		error => 'Duplicate vote detected (within 1 second of previous '
		. 'vote)', message =>
		'Please wait at least 1 second between votes')
	    for 0, 0.999, -0.999;
	is(vote("Zo\x{eb}\"", 'up', at(90.5 + $_))->{status}, 200,
		'a whole second is enough') for 1, -1;
	is(drifted(), '', 'all is counted');
};

subtest 'with a key' => sub {
	my @body = map { { username => 'key', vote => $_,
		timestamp => at(100) } } qw(up down);
	my ($first, $again) = map { $_->post($live, $body[0],
		'Idempotency-Key' => 'vote 1' =~ tr/ //dr) } @bots;

	is($first->{status}, 200, 'counted');
	is($again->{body}, $first->{body}, 'once');
	refused($bots[1]->post($live, $body[1], 'Idempotency-Key' => 'vote1'),
		422, 'idempotency_key_reused');
	is(drifted(), '', 'all is counted');
};

subtest 'lists' => sub {
	my $all = seen('/api/votes')->{json};
	my $count = $db->query('SELECT count(*) FROM partyline.live_vote');

	is_deeply($all->{pagination}, { page => 1, limit => 50,
		total => $count, total_pages => 1 }, 'all of them');
	is(scalar @{ $all->{votes} }, $count, 'are there');
	is_deeply([map { $_->{timestamp} } @{ $all->{votes} }],
		[sort { $b cmp $a } map { $_->{timestamp} } @{ $all->{votes} }],
		'the newest first');
	my ($zoe) = grep { $_->{username} eq "Zo\x{eb}\""
		&& $_->{vote_type} eq 'down' } @{ $all->{votes} };
	like(delete $zoe->{created_at}, qr/\A$time\z/, 'when it came');
	is_deeply($zoe, { id => $zoe->{id}, session_id => $session,
		game_id => $quiplash, game_title => 'Quip"lash" 3',
		pack_name => 'Pack\\7', username => "Zo\x{eb}\"",
		vote_type => 'down',
		timestamp => '2026-03-15T20:01:30.500Z' }, 'its shape');

	my $page = seen('/api/votes?limit=2&page=2')->{json};
	is_deeply($page->{votes}, [@{ $all->{votes} }[2, 3]],
		'the second page');
	is_deeply($page->{pagination}, { page => 2, limit => 2,
		total => $count, total_pages => int(($count + 1) / 2) },
		'and how many there are');
	is(seen("/api/votes?limit=$_->[0]")->{json}{pagination}{limit},
		$_->[1], "limit=$_->[0]")
	    for [100, 100], [101, 100], [0, 50], ['x', 50], [-1, 50];
	is(seen("/api/votes?page=$_")->{json}{pagination}{page}, 1, "page=$_")
	    for 0, 'x', -1;
	is_deeply(seen('/api/votes?page=1000')->{json}{votes}, [],
		'behind the last one');
	my %filters = (
		"game_id=$ticker"       => sub { $_->{game_id} == $ticker },
		"session_id=$session"   => sub { 1 },
		'session_id=999'        => sub { 0 },
		'vote_type=down'        => sub { $_->{vote_type} eq 'down' },
		'username=TMP2'         => sub { $_->{username} eq 'TMP2' },
		"game_id=$quiplash&vote_type=up&session_id=$session" => sub {
			$_->{game_id} == $quiplash && $_->{vote_type} eq 'up' },
	);
	for my $filter (sort keys %filters) {
		my $some = seen("/api/votes?$filter")->{json};
		my @fit  = grep { $filters{$filter}->() } @{ $all->{votes} };

		is_deeply([map { $_->{id} } @{ $some->{votes} }],
			[map { $_->{id} } @fit], $filter);
		is($some->{pagination}{total}, scalar @fit, 'counted');
	}
	refused(seen("/api/votes?$_->[0]"), 400, 'input_invalid',
		field => $_->[1], error => $_->[2])
	    for ['session_id=x', 'session_id',
		'session_id must be a whole number from 1'],
	    ['game_id=0', 'game_id', 'game_id must be a whole number from 1'],
	    ['vote_type=1', 'vote_type', 'vote_type must be up or down'];

	my $grouped = seen("/api/sessions/$session/votes")->{json};
	is($grouped->{session_id}, $session, 'by game');
	is_deeply([map { $_->{net_score} } @{ $grouped->{votes} }],
		[sort { $b <=> $a } map { $_->{net_score} }
			@{ $grouped->{votes} }], 'the best liked first');
	my ($one) = grep { $_->{game_id} == $quiplash } @{ $grouped->{votes} };
	is_deeply($one, { game_id => $quiplash, title => 'Quip"lash" 3',
		pack_name => 'Pack\\7', upvotes => 6, downvotes => 1,
		net_score => 5, total_votes => 7 }, 'its shape');
	refused(seen('/api/sessions/999/votes'), 404, 'session_not_found',
		error => 'Session not found');
};

# Asks many things at once, each on a connection of his own; the answers.
sub all_at_once {
	my (@asked) = @_;
	my @clients = map { T::Client->new($server, worker => $_ % 2 + 1) }
	    0 .. $#asked;

	$_->get('/livez') for @clients;
	$clients[$_]->ask(@{ $asked[$_] }) for 0 .. $#asked;
	return map { $_->take } @clients;
}

subtest 'a crowd' => sub {
	my ($people, $times) = (24, 25);
	my @crowd = map { T::Client->new($server, role => 'bot',
		worker => $_ % 2 + 1) } 1 .. $people;
	my $head = $db->query("SELECT head FROM partyline.stream
		WHERE name = 'session:$session'");
	my $before = $server->numbers;
	my (%said, %accepted);

	$_->get('/livez') for @crowd;
	srand(7);
	# Some half seconds lie closer than one to another: who of them is
	# first, counts.
	for my $n (0 .. $#crowd) {
		for my $time (1 .. $times) {
			my $second = 300 + int(rand(80)) / 2;
			$crowd[$n]->ask(post => $live, {
				username  => 'crowd' . $n % 12,
				vote      => rand() < 0.7 ? 'up' : 'down',
				timestamp => sprintf('2026-03-15T20:%02d:'
					. '%06.3fZ', $second / 60, $second
					- 60 * int($second / 60)),
				rand() < 0.2 ? (ticker => 'TMP2') : () });
		}
	}
	for my $n (0 .. $#crowd) {
		for my $time (1 .. $times) {
			my $answer = $crowd[$n]->take;
			$said{ $answer->{status} }++;
			my $game = $answer->{json}{game} // next;
			push @{ $accepted{ $game->{id} } },
			    "$game->{upvotes} $game->{downvotes}";
		}
	}
	is(join(' ', sort keys %said), '200 409', 'nothing else is said');
	is($said{200} + $said{409}, $people * $times, 'to each of them');
	is(drifted(), '', 'the totals are those of the rows');
	my $after = $server->numbers;
	is($after->{events} - $before->{events}, $said{200},
		'one event for each');
	cmp_ok($after->{batches} - $before->{batches}, '<',
		$people * $times / 2, 'several went together');

	my @told = told($session, "AND seq > $head");
	is_deeply([map { $_->{seq} } @told],
		[$head + 1 .. $head + $said{200}], 'without a gap');
	my %totals;
	push @{ $totals{ $_->{data}{game}{id} } },
	    "$_->{data}{totals}{upvotes} $_->{data}{totals}{downvotes}"
	    for @told;
	is_deeply({ map { $_ => [sort @{ $totals{$_} }] } keys %totals },
		{ map { $_ => [sort @{ $accepted{$_} }] } keys %accepted },
		'the stream tells what was answered');
	my @backward = grep {
		my $of = $totals{$_};
		grep { my ($u, $d) = split / /, $of->[$_];
			my ($v, $e) = split / /, $of->[$_ - 1];
			$u + $d != $v + $e + 1 } 1 .. $#$of;
	} keys %totals;
	is("@backward", '', 'each event counts one more than that before it');
	is($db->query('SELECT count(*) FROM partyline.live_vote a
		JOIN partyline.live_vote b ON a.username = b.username
		AND a.game_id = b.game_id AND a.id < b.id
		AND abs(extract(epoch FROM a.voted_at - b.voted_at)) < 1'), 0,
		'nobody voted twice within a second');
};

subtest 'whatever else goes on' => sub {
	my ($first) = $db->query("SELECT min(id) FROM partyline.session_game
		WHERE session_id = $session");
	my @lines = map { {
		username  => "c$_",
		message   => $_ % 3 ? 'thisgame++' : 'THISGAME--',
		timestamp => at(61 + $_)
	} } 1 .. 50;
	my $vote = sub { [post => $live, { username => $_[0], vote => 'up',
		timestamp => at(70) }] };
	my $import = [post => "/api/sessions/$session/chat-import",
		{ chatData => \@lines }];
	my @said = all_at_once((map { $vote->("x$_") } 1 .. 20), $import,
		[delete => "/api/sessions/$session/games/$first"],
		[put => "/api/games/$ticker", { title => 'Other',
			pack_name => 'Pack 3', min_players => 1,
			max_players => 9, ticker => 'TMP2' }],
		$import, (map { $vote->("x$_") } 11 .. 30));

	is((grep { $_->{status} >= 500 } @said), 0, 'nobody is in the way');
	is(drifted(), '', 'the totals are those of the rows');
	is($db->query('SELECT count(*) FROM partyline.chat_log'), 50,
		'each line is there once');
};

subtest 'votes while the session is closed' => sub {
	my @said = all_at_once((map { [post => $live, { username => "l$_",
		vote => 'up', timestamp => at(200) }] } 1 .. 15),
		[post => "/api/sessions/$session/close"],
		(map { [post => $live, { username => "m$_", vote => 'up',
			timestamp => at(200) }] } 1 .. 15));
	my $count = grep { ($_->{json}{success} // '') eq '1' } @said;

	is((grep { $_->{status} !~ /^(?:200|404)$/ } @said), 0,
		'counted, or too late');
	my @told = told($session);
	is($told[-1]{type}, 'session.ended', 'nothing is told behind its end');
	is((grep { $_->{type} eq 'vote.received' && $_->{data}{vote}{username}
			=~ /^[lm]\d/ } @told), $count, 'what counted is told');
	is(drifted(), '', 'the totals are those of the rows');
	refused(vote('late', 'up', at(200)), 404, 'no_active_session');
};

subtest 'votes go with their session' => sub {
	is($admin->delete("/api/sessions/$session")->{status}, 200, 'deleted');
	is(drifted(), '', 'the totals are those of the rows');
	is_deeply(seen('/api/votes')->{json}{votes}, [], 'none is left');
	my $game = seen("/api/games/$quiplash")->{json};
	is("$game->{upvotes} $game->{downvotes}", '10 2',
		'the totals are what they were before');
};

done_testing;
