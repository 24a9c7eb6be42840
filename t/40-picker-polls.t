#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Polls and the selected game, over REST and the live door; and polls that
# end by themselves: when they are due, once, whoever dies.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Db;
use T::Games;
use T::Live;
use T::OwnRedis;
use T::Run;
use T::Server;
use T::Wait;

my $json   = JSON::PP->new->utf8;
my $time   = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $server = T::Server->start(workers => 2, wait => 'readyz');
my $db     = $server->db;
my @admins = map { T::Client->new($server, worker => $_) } 1, 2;
my $bot    = T::Client->new($server, role => 'bot');
my $viewer = T::Client->new($server, role => 'viewer');
my $game   = T::Games::add($db, title => 'Quiplash 3', pack_name => 'Pack 7',
	min_players => 3, max_players => 8);
my $turn   = 0;

sub admin { return $admins[$turn++ % 2] }

sub session {
	my ($admin) = @_;

	return ($admin // admin())->post('/api/sessions')->{json}{id}
	    // die "no session\n";
}

sub voting {
	my ($id, $what, $body, $client) = @_;

	return ($client // admin())->post("/api/sessions/$id/voting/$what",
		$body);
}

# The session as both GETs give it, which is the same.
sub shown {
	my ($id) = @_;
	my $got = $viewer->get("/api/sessions/$id");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($viewer->get('/api/sessions/active')->{body}, $got->{body},
		'active is the same') if $got->{json}{is_active};
	return { map { $_ => $got->{json}{$_} } grep { /^(?:poll|pending)_/ }
		keys %{ $got->{json} } };
}

# Events of a type that are stored, decoded.
sub stored {
	my ($id, $type, $where) = @_;

	return map { $json->decode($_) } split /\n/, ($where // $db)->query(
		"SELECT payload FROM partyline.event WHERE tenant_id = 1
		AND stream = 'session:$id' AND type = '$type' ORDER BY seq");
}

my $id   = session();
my $ann  = T::Live->enter($server, worker => 1);
my $kosmi = T::Live->enter($server, worker => 2, role => 'bot');
my $none = T::Live->enter($server, worker => 1);

$_->follow($id) for $ann, $kosmi;

# Data of the next event of a type, which both subscribers hear alike.
sub told {
	my ($type) = @_;
	my @heard = map { $_->hears($type) } $ann, $kosmi;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply($heard[1], $heard[0], "both are told $type");
	return $heard[0] // {};
}

subtest 'no poll runs' => sub {
	is_deeply(shown($id), {}, 'nothing is shown');
	refused(voting($id, 'end'), 400, 'poll_not_running',
		error => 'No poll is running in this session');
	refused(voting($id, 'end', { delay => 5 }), 400, 'poll_not_running');
	refused(voting($id, 'cancel-end'), 400, 'poll_not_running');
	refused(voting($id, 'leading', { gameId => 1, label => 'x',
		votes => 1 }), 400, 'poll_not_running');
	refused(voting(999, $_, { gameId => 1, label => 'x', votes => 1 }),
		404, 'session_not_found') for qw(start end cancel-end leading);
};

subtest 'a poll' => sub {
	my $started = voting($id, 'start');

	is($started->{status}, 200, 'started');
	like($started->{body}, qr/\A\{"success":true,
		"pollStartedAt":"$time"\}\z/x, 'since when');
	my $since = $started->{json}{pollStartedAt};
	my $event = told('poll.start');
	is_deeply($event->{data}, { sessionId => $id,
		pollStartedAt => $since }, 'its stream is told');
	is($event->{sessionId}, $id, 'sessionId is at top level, too');
	is_deeply(shown($id), { poll_active => 1, poll_started_at => $since },
		'GET shows it');
	refused(voting($id, 'start'), 400, 'poll_running',
		pollStartedAt => $since);

	$kosmi->say({ type => 'poll.leading', sessionId => $id,
		gameId => $game, label => 'Quiplash "3"', votes => 4 });
	my $leading = told('poll.leading');
	like(delete $leading->{timestamp}, $time, 'when');
	is_deeply($leading, { type => 'poll.leading', stream => "session:$id",
		data => { sessionId => $id, gameId => $game,
		label => 'Quiplash "3"', votes => 4 } },
		'all hear who leads, without a number');
	is_deeply(shown($id), { poll_active => 1, poll_started_at => $since,
		poll_leading_game_id => $game,
		poll_leading_label => 'Quiplash "3"',
		poll_leading_votes => 4 }, 'GET shows it');
	is(voting($id, 'leading', { gameId => 0, label => 'Other',
		votes => 5 }, $bot)->{body}, '{"success":true}',
		'it can be said over REST as well');
	is(told('poll.leading')->{data}{gameId}, 0, '0 is something else');
	refused(voting($id, 'leading', { gameId => 0, label => 'Other',
		votes => 5 }, $viewer), 403, 'not_allowed');
	refused(voting($id, $_, {}, $bot), 403, 'not_allowed')
	    for qw(start end cancel-end);

	is(voting($id, 'end', '')->{body}, '{"success":true,"winnerGameId":0,'
		. '"winnerLabel":"Other","winnerVotes":5}', 'ended');
	is_deeply(told('voting.ended')->{data}, { sessionId => $id,
		winnerGameId => 0, winnerLabel => 'Other', winnerVotes => 5 },
		'who won');
	is_deeply(shown($id), {}, 'nothing is left of it');
	is(scalar stored($id, 'poll.leading'), 0, 'who led is not stored');
};

subtest 'said over the live door' => sub {
	my $complains = sub {
		my ($who, $message, $words, @session) = @_;

		$who->say($message);
		is_deeply($who->hears('error'), { type => 'error',
			message => $words, @session }, $words);
	};
	my %lead = (type => 'poll.leading', sessionId => $id, gameId => 1,
		label => 'x', votes => 1);

	$complains->($kosmi, \%lead, 'No poll is running in this session',
		sessionId => $id);
	$complains->($kosmi, { type => 'poll.start', sessionId => $id },
		'Not allowed', sessionId => $id);
	$complains->($ann, { type => 'poll.start' }, 'Session ID required');
	$complains->($ann, { type => 'poll.start', sessionId => 9999 },
		'Session not found', sessionId => 9999);
	$ann->say({ type => 'poll.start', sessionId => "$id" });
	is(told('poll.start')->{sessionId}, $id, 'an admin starts one');
	$complains->($ann, { type => 'poll.start', sessionId => $id },
		'A poll is already running in this session',
		sessionId => $id);
	$complains->($kosmi, { %lead, votes => -1 },
		'votes must be a whole number from 0 to 9007199254740991',
		sessionId => $id);
	$complains->($kosmi, { %lead, votes => undef }, 'votes is required',
		sessionId => $id);
	$complains->($kosmi, { %lead, label => ['x'] },
		'label must be a text of 1 to 200 characters',
		sessionId => $id);
	my $vic = T::Live->enter($server, role => 'viewer');
	$complains->($vic, \%lead, 'Not allowed', sessionId => $id);
	my $nobody = T::Live->connect($server);
	$complains->($nobody, \%lead, 'Not authenticated');
	$_->leave for $vic, $nobody;
	$ann->say({ type => 'ping' });
	ok(settled($ann, $kosmi), 'the connections stay');
	is(scalar $ann->heard('poll.leading'), 2, 'nobody heard of it');
	voting($id, 'end');
	is_deeply(told('voting.ended')->{data}, { sessionId => $id },
		'without a winner where nobody led');

	# Who goes at once is heard all the same.
	my $brief = T::Live->enter($server, worker => 2);
	$brief->say({ type => 'poll.start', sessionId => $id });
	$brief->hang_up;
	is(told('poll.start')->{sessionId}, $id, 'from one who has gone');
	voting($id, 'end');
	told('voting.ended');
};

subtest 'an end that is put off' => sub {
	voting($id, 'start');
	refused(voting($id, 'cancel-end'), 400, 'poll_not_ending');
	my $asked = time;
	my $ending = voting($id, 'end', { delay => 100 });
	my ($ends) = $ending->{json}{endsAt} =~ /:(\d\d\.\d{3})Z/;
	is_deeply($ending->{json}, { success => JSON::PP::true,
		endsAt => $ending->{json}{endsAt}, delay => 100 },
		'scheduled');
	my $in = $db->query("SELECT extract(epoch FROM poll_ending_at)
		FROM partyline.session WHERE id = $id") - $asked;
	cmp_ok(abs($in - 100), '<', 5, 'in so many seconds');
	is_deeply(told('poll.ending')->{data}, { sessionId => $id,
		endsAt => $ending->{json}{endsAt}, delay => 100 },
		'its stream is told');
	is(shown($id)->{poll_ending_at}, $ending->{json}{endsAt},
		'GET shows it');
	is(voting($id, 'end', { delay => 300 })->{json}{delay}, 300,
		'put off again');
	is(told('poll.ending')->{data}{delay}, 300, 'which is told');
	is(voting($id, 'cancel-end')->{body}, '{"success":true}', 'cancelled');
	is_deeply(told('poll.ending.cancelled')->{data}, { sessionId => $id },
		'its stream is told');
	ok(!exists shown($id)->{poll_ending_at}, 'and GET');
	refused(voting($id, 'cancel-end'), 400, 'poll_not_ending');
	for my $delay (-1, 301) {
		refused(voting($id, 'end', { delay => $delay }), 400,
			'input_invalid', field => 'delay', error =>
			'delay must be a whole number from 0 to 300');
	}
	voting($id, 'end');
	told('voting.ended');
};

subtest 'the selected game' => sub {
	my $path = "/api/sessions/$id/game-selection";
	my $picked = admin()->post($path, { gameId => $game,
		source => 'dice' });

	is($picked->{body}, "{\"success\":true,\"gameId\":$game,"
		. '"source":"dice"}', 'picked');
	is_deeply(told('game.picked')->{data}, { sessionId => $id,
		gameId => $game, source => 'dice', game => { id => $game,
		title => 'Quiplash 3', pack_name => 'Pack 7',
		min_players => 3, max_players => 8 } }, 'all are told');
	is_deeply(shown($id), { pending_game_id => $game,
		pending_game_source => 'dice' }, 'who comes later reads it');
	refused(admin()->post($path, { gameId => 99999 }), 404,
		'game_not_found');
	refused(admin()->post($path, {}), 400, 'input_missing',
		field => 'gameId', error => 'gameId is required');
	is(admin()->delete($path)->{body}, '{"success":true}', 'dismissed');
	is_deeply(told('game.dismissed')->{data}, { sessionId => $id },
		'all are told');
	is_deeply(shown($id), {}, 'nothing is left');
	is(admin()->delete($path)->{status}, 200, 'nothing is selected');
	is(scalar stored($id, 'game.dismissed'), 1, 'which nobody is told');

	admin()->post($path, { gameId => $game });
	is(told('game.picked')->{data}{source}, 'manual', 'by hand');
	admin()->post("/api/sessions/$id/games", { game_id => $game });
	told('game.added');
	is_deeply(shown($id), {}, 'adding a game clears it');
	refused($bot->post($path, { gameId => $game }), 403, 'not_allowed');
	refused(admin()->delete('/api/sessions/999/game-selection'), 404,
		'session_not_found');
};

subtest 'what is due ends by itself' => sub {
	voting($id, 'start');
	voting($id, 'leading', { gameId => $game, label => 'Quiplash 3',
		votes => 7 });
	my $due = voting($id, 'end', { delay => 2 })->{json}{endsAt};
	is(shown($id)->{poll_ending_at}, $due, 'until then GET shows it');
	my $ended = told('voting.ended');
	my $heard = time;
	my $seconds = sub { $_[0] =~ /(\d\d):(\d\d):(\d\d\.\d+)Z/
		? $1 * 3600 + $2 * 60 + $3 : -1 };
	my $day = 86400;
	my $late = ($seconds->($ended->{timestamp}) - $seconds->($due)
		+ $day / 2) % $day - $day / 2;

	cmp_ok($late, '>=', 0, 'not too early');
	$late = $heard - $day * int($heard / $day) - $seconds->($due);
	$late += $day if $late < -$day / 2;
	cmp_ok($late, '<=', 0.5 * ($ENV{T_SLOW} || 1),
		'and not heard too late') or diag "$late s";
	is_deeply($ended->{data}, { sessionId => $id, winnerGameId => $game,
		winnerLabel => 'Quiplash 3', winnerVotes => 7 }, 'who won');
	is_deeply(shown($id), {}, 'GET shows it at once');
	$server->counts(polls_ended => 1);
	voting($id, 'start');
	is(told('poll.start')->{data}{sessionId}, $id,
		'then there may be another');
	voting($id, 'end', { delay => 1 });
	voting($id, 'cancel-end');
	voting($id, 'end', { delay => 30 });
	voting($id, 'end');
	told('voting.ended');
};

subtest 'closing and deleting' => sub {
	my $picked = admin()->post("/api/sessions/$id/game-selection",
		{ gameId => $game });
	my $playing = admin()->post("/api/sessions/$id/games",
		{ game_id => $game })->{json}{id};

	admin()->post("/api/sessions/$id/game-selection",
		{ gameId => $game });
	voting($id, 'start');
	voting($id, 'leading', { gameId => $game, label => 'Q', votes => 1 });
	voting($id, 'end', { delay => 300 });
	my $closed = admin()->post("/api/sessions/$id/close");
	is($closed->{status}, 200, 'closed');
	ok(!grep(/poll|pending/, keys %{ $closed->{json} }),
		'the answer knows no poll');
	my $ended = told('session.ended');
	my ($last) = (stored($id, 'voting.ended'))[-1];
	is($last->{seq}, $ended->{seq} - 1, 'its poll ended first');
	is($last->{data}{winnerLabel}, 'Q', 'with a winner');
	is($db->query("SELECT status FROM partyline.session_game
		WHERE id = $playing"), 'played', 'what was played was played');
	is_deeply(shown($id), {}, 'nothing is left');
	refused(voting($id, 'start'), 400, 'session_not_active',
		error => 'Session is not active');
	refused(admin()->post("/api/sessions/$id/game-selection",
		{ gameId => $game }), 400, 'session_not_active');
	is(admin()->delete("/api/sessions/$id")->{status}, 200, 'deleted');
	is($db->query("SELECT count(*) FROM partyline.$_ WHERE " . (/event/
		? "stream = 'session:$id'" : "session_id = $id")), '0',
		"with its rows of $_")
	    for qw(session_game live_vote chat_log event);
};

# One that takes little before it blocks.
sub narrow {
	my ($where) = @_;
	my $live = T::Live->enter($where);

	setsockopt $live->{http}->socket, SOL_SOCKET, SO_RCVBUF,
	    pack('i', 16384);
	return $live;
}

subtest 'a slow client misses who led' => sub {
	my $host = T::Server->start(wait => 'readyz', workers => 1,
		socket_queue => '32KiB', socket_send_buffer => '16KiB');
	my $ann = T::Client->new($host);
	my $id = session($ann);
	my $slow = narrow($host);
	my $quick = T::Live->enter($host);

	$_->follow($id) for $slow, $quick;
	voting($id, 'start', '', $ann);
	my $said = 0;
	ok((wait_until {
		voting($id, 'leading', { gameId => 0, votes => ++$said,
			label => 'x' x 200 }, $ann) for 1 .. 50;
		$quick->wait_for(sub {
			$said == $quick->heard('poll.leading');
		});
		$host->count('sock_drops') > 0;
	} 60), 'some are left out') or diag "after $said";
	voting($id, 'end', '', $ann);
	is($slow->hears('voting.ended')->{data}{winnerVotes}, $said,
		'what has a number comes');
	my @heard = map { $_->{data}{votes} } $slow->heard('poll.leading');
	cmp_ok(scalar @heard, '<', $said, 'some never came');
	is($heard[-1], $said, 'but the last one did');
	is(scalar $quick->heard('poll.leading'), $said,
		'others heard them all');
	$_->leave for $slow, $quick;
};

subtest 'whoever dies' => sub {
	my $redis = T::OwnRedis->start;
	my $db = T::Db->new;
	my @hosts = map { T::Server->start(workers => 1, wait => 'readyz',
		database_url => $db->url, redis_url => $redis->url,
		redis_prefix => $redis->prefix) } 1, 2;
	my ($here, $there) = map { T::Client->new($_) } @hosts;
	my $id = session($here);
	my @lives = map { T::Live->enter($_) } @hosts;
	my $polls = 0;
	my $once = sub {
		my ($name, @who) = @_;

		ok($_->hears('voting.ended', 20), "$name: it is told")
		    for @who;
		is(scalar stored($id, 'voting.ended', $db), ++$polls,
			"$name: once");
		ok((wait_until { !exists $there->get("/api/sessions/$id")
			->{json}{poll_active} }), "$name: it is over");
	};

	$_->follow($id) for @lives;
	for my $n (1 .. 3) {
		voting($id, 'start', '', $here);
		voting($id, 'end', { delay => 1 }, $there);
		$once->("two hosts look, $n", @lives);
	}

	# Each jobs process of both, again and again.
	voting($id, 'start', '', $here);
	voting($id, 'end', { delay => 2 }, $here);
	my $until = time + 2;
	wait_until {
		kill KILL => map { $_->pids('jobs') } @hosts;
		time > $until;
	};
	$once->('all jobs processes are killed', @lives);

	# After the commit, before anybody is told of it.
	if (T::Run::has('WITH_FAULTS')) {
		my $deaths = sub {
			$hosts[0]->count('process_deaths')
			    + $hosts[1]->count('process_deaths');
		};

		voting($id, 'start', '', $here);
		voting($id, 'end', { delay => 2 }, $there);
		my $before = $deaths->();
		$_->fault(arm => 'writer_dies_before_ring') for @hosts;
		ok((wait_until { $deaths->() == $before + 1 }), 'one dies');
		$once->('killed before it tells', @lives);
		$_->fault('clear') for @hosts;
	}

	# The whole host, without a goodbye.
	voting($id, 'start', '', $here);
	voting($id, 'end', { delay => 2 }, $here);
	$hosts[0]->expect_exit(undef);
	my @pids = ($hosts[0]->pid, map { $_->{pid} } $hosts[0]->processes);
	kill KILL => @pids;
	$hosts[0]->kill9;
	$once->('a whole host is killed', $lives[1]);
	$_->hang_up for @lives;
};

done_testing;
