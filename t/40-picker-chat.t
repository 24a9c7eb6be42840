#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Chat that is brought in: the three forms of its body, what votes for what,
# each line once however often and by how many it comes, which line is wrong;
# and ten thousand lines in one call, while others are served.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Games;
use T::Server;

my $json   = JSON::PP->new->utf8->canonical;
my $server = T::Server->start(workers => 2, db_timeout => '60s');
my $db     = $server->db;
my @admins = map { T::Client->new($server, worker => $_) } 1, 2;
my $admin  = $admins[0];
my $bot    = T::Client->new($server, role => 'bot', worker => 2);

T::Games::clear($db);
my @games = map { T::Games::add($db, title => "Game \"$_\"") } 1 .. 3;

sub at {
	my ($second) = @_;

	return sprintf '2026-03-15T20:%02d:%06.3fZ', $second / 60,
	    $second - 60 * int($second / 60);
}

# A closed session that played the first game from second 60 on, the second
# from 120 on.
sub night {
	my $id = $admin->post('/api/sessions')->{json}{id};

	for my $n (0, 1) {
		my $row = $admin->post("/api/sessions/$id/games",
			{ game_id => $games[$n] })->{json}{id};
		my $moment = at(60 + 60 * $n);
		$db->query("UPDATE partyline.session_game SET
			played_at = '$moment', played_text = '$moment'
			WHERE id = $row");
	}
	$admin->post("/api/sessions/$id/close");
	return $id;
}

sub line {
	my ($who, $what, $second) = @_;

	return { username => $who, message => $what, timestamp => at($second) };
}

sub import_of {
	my ($session, $body, %headers) = @_;

	return $bot->post("/api/sessions/$session/chat-import", $body,
		%headers);
}

sub answer {
	my ($new, $old, %votes) = @_;
	my $processed = 0;

	$processed += $_->[0] + $_->[1] for values %votes;
	return '{"message":"Chat log imported and processed successfully",'
	    . "\"messagesImported\":$new,\"duplicatesSkipped\":$old,"
	    . "\"votesProcessed\":$processed,\"votesByGame\":{"
	    . join(',', map { my $n = $_; "\"$games[$n]\":{\"title\":"
		. "\"Game \\\"@{[$n + 1]}\\\"\",\"upvotes\":$votes{$n}[0],"
		. "\"downvotes\":$votes{$n}[1]}" } sort keys %votes) . '}}';
}

sub totals {
	return $db->query("SELECT string_agg(g.upvotes || '-' || g.downvotes,
		' ' ORDER BY g.id) FROM partyline.game g WHERE tenant_id = 1");
}

# The same, counted.
sub counted {
	return $db->query("SELECT string_agg((SELECT count(*) FILTER (WHERE
		c.vote = 1) || '-' || count(*) FILTER (WHERE c.vote = -1) FROM
		partyline.chat_log c WHERE c.tenant_id = 1
		AND c.game_id = g.id), ' ' ORDER BY g.id)
		FROM partyline.game g WHERE tenant_id = 1");
}

sub lines_of {
	my ($session) = @_;

	return $db->query("SELECT count(*) FROM partyline.chat_log
		WHERE session_id = $session");
}

subtest 'the forms of a body' => sub {
	my @said = (line('a', 'thisgame++', 59.999), line('a', 'hi', 60),
		line('b', 'well, ThisGame++ it is', 60),
		line('b', 'thisgame--', 119.999),
		line('b', 'THISGAME-- thisgame++', 120),
		line('c', 'thisgame-', 130),
		line('c', 'thisgame--', 9999 % 3600));
	my @forms = ({ chatData => \@said }, { messages => \@said }, \@said,
		{ chatData => undef, messages => \@said, more => 1 });
	my $told = $db->query('SELECT count(*) FROM partyline.event');

	for my $form (@forms) {
		my $session = night();
		my $done = import_of($session, $form);

		is($done->{status}, 200, 'brought in after the session closed');
		is($done->{body}, answer(7, 0, 0 => [1, 1], 1 => [1, 1]),
			'byte for byte');
		is(import_of($session, $form)->{body}, answer(0, 7),
			'again: each line once');
		is(lines_of($session), 7, 'kept, what votes and what does not');
		is(totals(), counted(), 'the totals are those of the rows');
	}
	is($db->query("SELECT count(*) FROM partyline.event WHERE type NOT IN
		('session.started', 'session.ended', 'game.added')"), 0,
		'nobody is told');
	is($db->query('SELECT count(*) FROM partyline.live_vote'), 0,
		'there are no live votes');
	my $session = night();
	is(import_of($session, '[]')->{body}, answer(0, 0), 'nothing said');
};

subtest 'the same line' => sub {
	my $session = night();
	my $other   = night();
	my %line = (username => "Zo\x{eb}", message => 'thisgame++',
		timestamp => '2026-03-15 20:01:30');

	is(import_of($session, [\%line, \%line])->{body},
		answer(1, 1, 0 => [1, 0]), 'twice in one call');
	is($db->query("SELECT encode(hash, 'hex') FROM partyline.chat_log
		WHERE session_id = $session"),
		sha256_hex("Zo\xc3\xab:thisgame++:2026-03-15 20:01:30"),
		'is told by its hash');
	is($db->query("SELECT said_text FROM partyline.chat_log
		WHERE session_id = $session"), '2026-03-15T20:01:30.000Z',
		'without an offset it is UTC');
	is(import_of($other, [\%line])->{body}, answer(1, 0, 0 => [1, 0]),
		'is another one in another session');
	is(import_of($session, [{ %line, message => 'Thisgame++' }])->{body},
		answer(1, 0, 0 => [1, 0]), 'and when it is written otherwise');

	my @body = ([line('k', 'thisgame++', 61)], [line('k', 'x', 61)]);
	my ($first, $again) = map { $_->post("/api/sessions/$session"
		. '/chat-import', $body[0], 'Idempotency-Key' => 'chat') }
	    @admins;
	is($again->{body}, $first->{body}, 'a key has one answer');
	refused($admin->post("/api/sessions/$session/chat-import", $body[1],
		'Idempotency-Key' => 'chat'), 422, 'idempotency_key_reused');
	is(totals(), counted(), 'the totals are those of the rows');
};

subtest 'refusals' => sub {
	my $session = night();
	my $path = "/api/sessions/$session/chat-import";
	my $fine = line('a', 'b', 61);
	my $empty = $admin->post('/api/sessions')->{json}{id};

	refused(import_of(999, []), 404, 'session_not_found',
		error => 'Session not found');
	refused(import_of($empty, [$fine]), 400, 'chat_without_games',
		error => 'No games have been played in this session');
	$admin->post("/api/sessions/$empty/close");
	refused(T::Client->new($server, role => 'viewer')->post($path, []),
		403, 'not_allowed');
	refused(T::Client->new($server, role => undef)->post($path, []),
		401, 'token_required');
	refused(import_of($session, $_), 400, 'input_missing',
		field => 'chatData', error => 'chatData is required')
	    for {}, { chatData => undef }, '';
	refused(import_of($session, $_), 400, 'body_not_object')
	    for '"x"', '7';
	refused(import_of($session, $_), 400, 'input_invalid',
		field => 'chatData', error => 'chatData must be a list of at '
		. 'most 20000 lines, each with username, message and timestamp')
	    for { chatData => {} }, { messages => 'x' },
	    '[' . join(',', (7) x 20001) . ']';

	my @wrong = (
		[7, '', 'an object with username, message and timestamp'],
		[undef, '', 'an object with username, message and timestamp'],
		[{ %$fine, username => undef }, '.username',
			'a text of 1 to 100 characters'],
		[{ %$fine, username => '' }, '.username',
			'a text of 1 to 100 characters'],
		[{ %$fine, username => 'x' x 101 }, '.username',
			'a text of 1 to 100 characters'],
		[{ %$fine, message => 7 }, '.message',
			'a text of at most 2000 characters'],
		[{ %$fine, message => "\x{eb}" x 2001 }, '.message',
			'a text of at most 2000 characters'],
		[{ %$fine, timestamp => 'yesterday' }, '.timestamp',
			'a time in ISO 8601'],
		[{ %$fine, timestamp => '2026-02-30T00:00:00Z' }, '.timestamp',
			'a time in ISO 8601'],
		[{ username => 'a', message => 'b' }, '.timestamp',
			'a time in ISO 8601'],
	);
	for my $wrong (@wrong) {
		my ($line, $member, $rule) = @$wrong;
		my $field = "chatData[2]$member";

		refused(import_of($session, [$fine, $fine, $line, $line]), 400,
			'input_invalid', field => $field, index => 2,
			error => "$field must be $rule");
	}
	is(lines_of($session), 0, 'none of all that is there');
	is(import_of($session, [{ %$fine, message => "\x{eb}" x 2000 },
		{ %$fine, username => "\x{eb}" x 100, message => '' }])
		->{json}{messagesImported}, 2, 'at the bounds it passes');
};

subtest 'ten thousand lines in one call' => sub {
	my $session = night();
	my @words = ('thisgame++', 'what a night', 'thisgame--', 'lol');
	my @said = map { line('viewer' . $_ % 97, "$words[$_ % 4] $_",
		60 + $_ % 120) } 1 .. 10_000;
	my $body = $json->encode({ chatData => \@said });
	my $neighbour = T::Client->new($server, worker => 2);
	my ($longest, $asked) = (0, 0);

	cmp_ok(length $body, '<', 1 << 20, 'they are below a mebibyte');
	$neighbour->get('/livez');
	my $begin = time;
	$bot->ask(post => "/api/sessions/$session/chat-import", $body);
	# The same worker serves another client all the while.
	my $done;
	until ($done) {
		my $before = time;
		$neighbour->get('/livez')->{status} == 200 or last;
		$longest = time - $before if time - $before > $longest;
		$asked++;
		my $ready = '';
		vec($ready, fileno $bot->http->socket, 1) = 1;
		$done = select $ready, undef, undef, 0;
	}
	my $answer = $bot->take;
	my $took = time - $begin;

	is($answer->{json}{messagesImported}, 10_000, 'all are there');
	is($answer->{json}{votesProcessed}, 5000, 'with their votes');
	cmp_ok($took, '<', 10, sprintf 'after %.2f s', $took);
	cmp_ok($asked, '>', 5, "$asked answers to another client meanwhile");
	cmp_ok($longest, '<', 1, sprintf 'none later than %.0f ms',
		1000 * $longest);
	is(totals(), counted(), 'the totals are those of the rows');

	my @both = map { T::Client->new($server, worker => $_) } 1, 2;
	$_->get('/livez') for @both;
	$body = $json->encode([@said[0 .. 8999],
		map { line('late', "thisgame++ $_", 61) } 1 .. 500]);
	$_->ask(post => "/api/sessions/$session/chat-import", $body) for @both;
	my @news = map { $_->take->{json} } @both;
	is(join(' ', sort { $a <=> $b } map { $_->{messagesImported} } @news),
		'0 500', 'by two at once: each new line once');
	is(lines_of($session), 10_500, 'and no other');
	is(totals(), counted(), 'the totals are those of the rows');
	is($admin->delete("/api/sessions/$session")->{status}, 200, 'deleted');
	is(totals(), counted(), 'the totals are those of the rows');
};

done_testing;
