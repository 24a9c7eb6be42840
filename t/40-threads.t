#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Turns of threads: what a responder says reaches who asked, in order, as it
# comes; what goes wrong is told in words; and turns wait for each other.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::AsyncApi;
use T::Client;
use T::Command;
use T::Http;
use T::Responder;
use T::Server;
use T::Turn;
use T::Wait;

my $server = T::Server->start(workers => 2, set => {
	outgoing_allow => '127.0.0.0/8', responder_answer => '64KiB',
	responder_wait => '30s', responder_timeout => '5s',
	responder_calls_per_tenant => 4, responder_calls => 32 });
my $db = $server->db;
my $responder = T::Responder->start;
my $json = JSON::PP->new->utf8->canonical;
my ($false, $true) = (JSON::PP::false, JSON::PP::true);
my @analyses = map { { type => 'analysis', content => $_->[0],
		complete => $_->[1] } } ['It', $false], [' is', $false],
    ['It is', $true];
my @lines = map { { message => $_ } } qw(One Two);

sub tenant {
	return T::Command::partyline('tenant', @_, '--set',
		'database_url=' . $db->url);
}

sub client {
	my ($worker, %options) = @_;

	return T::Client->new($server, worker => $worker, role => undef,
		%options);
}

sub responder {
	my ($path, $tenant) = @_;
	my $url = defined $path ? "'" . $responder->url($path) . "'" : 'NULL';

	$db->query("UPDATE partyline.tenant SET responder_url = $url
		WHERE id = " . ($tenant // 1));
	return;
}

sub ask {
	my ($body, %options) = @_;
	my $path = delete $options{path} // '/havefun';

	return T::Turn->ask(client(delete $options{worker} // 1, %options),
		$path, $body);
}

# What is stored of a thread, each held against what the program says.
sub stored {
	my ($thread) = @_;
	my @events = map { T::AsyncApi::received($_); $json->decode($_) }
	    split /\n/, $db->query("SELECT e.payload FROM partyline.event e
		JOIN partyline.thread t ON e.stream = 'thread:' || t.id
		    AND e.tenant_id = t.tenant_id
		WHERE t.name = '$thread' AND t.tenant_id = 1 ORDER BY e.seq");

	return @events;
}

sub turns {
	my ($where) = @_;

	return $db->query('SELECT count(*) FROM partyline.turn '
		. ($where // ''));
}

subtest 'without a responder' => sub {
	for my $path ('/havefun', '/conversation/learning') {
		my $turn = ask({}, path => $path);

		refused($turn->{answer}, 503, 'responder_missing',
			error => 'No responder is configured for this tenant');
	}
	is(turns(), 0, 'nothing is stored');
	is($db->query('SELECT count(*) FROM partyline.thread'), 0,
		'and no thread made');
};

subtest 'a setting of the tenant' => sub {
	my $url = $responder->url('/events?key=secret');

	my $set = tenant('set', 'default',
		"responder_url=$url");
	is($set->{exit}, 0, 'it is set') or diag $set->{err};
	my $show = tenant('show', 'default');
	like($show->{out}, qr/^responder_url\s+\Q$url\E$/m, 'and shown');
	for my $bad ('ftp://x/', 'http://', 'https://u:p@x/', 'http:///x',
		'http://x/ y', 'http://x/#y') {
		my $refused = tenant('set', 'default',
			"responder_url=$bad");
		is($refused->{exit}, 65, "not $bad");
		like($refused->{err}, qr/responder_url/, 'which is named');
	}
	like($db->query("SELECT responder_url FROM partyline.tenant
		WHERE id = 1"), qr/secret/, 'it stays');
};

subtest 'an event stream' => sub {
	responder('/events');
	my $turn = ask({ user_input => 'What is it?', thread_id => 'first' });

	is($turn->{status}, 200, 'an answer');
	is($turn->{headers}{'content-type'}, 'text/event-stream', 'its type');
	is($turn->{headers}{'x-accel-buffering'}, 'no', 'no proxy keeps it');
	is($turn->{headers}{'access-control-allow-origin'}, '*',
		'pages may read it');
	is_deeply([$turn->rest], [@analyses, @lines], 'all of it, in order');
	is(turns(), 0, 'the turn is over');
	my @events = stored('first');
	is(join(' ', map { $_->{type} } @events), 'turn.started '
		. 'turn.said ' x 5 . 'turn.ended', 'its events');
	is_deeply($events[0]{data}, { turnId => $events[-1]{data}{turnId},
		threadId => 'first', attempt => 1 }, 'the first one');
	is($events[-1]{data}{outcome}, 'done', 'the last one');
	ok($server->count('responder_turns') >= 1, 'it is counted');
};

subtest 'other forms' => sub {
	responder('/lines');
	is_deeply([ask({})->rest], [@analyses, @lines], 'lines');
	responder('/json');
	is_deeply([ask({}, worker => 2)->rest], [{ message => 'Hello' },
		{ message => 'you' }], 'an object');
	responder('/array');
	is_deeply([ask({})->rest], [{ message => 'x' }, $analyses[2]],
		'an array');
};

subtest 'the question' => sub {
	responder('/echo');
	my ($said) = ask({})->rest;
	my $question = $json->decode($said->{message});
	like(delete $question->{turn_id}, qr/^\d+\z/, 'the number of the turn');
	is_deeply($question, { thread_id => 'chat_thread', attempt => 1,
		kind => 'havefun', user_input => '',
		user_id => 'thefusionlab', graph_version_id => '',
		use_websocket => $false }, 'what is not given');
	($said) = ask({ user_input => "a \"b\"\n\x{263a}", user_id => 'zoe',
		thread_id => 'odd "\'<> {thread}', graph_version_id => 'g',
		use_websocket => 1 }, path => '/conversation/learning')->rest;
	$question = $json->decode($said->{message});
	delete $question->{turn_id};
	is_deeply($question, { thread_id => 'odd "\'<> {thread}',
		attempt => 1, kind => 'learning',
		user_input => "a \"b\"\n\x{263a}", user_id => 'zoe',
		graph_version_id => 'g', use_websocket => $true },
		'what is given');
	my ($last) = reverse $responder->questions;
	like($last->{head}, qr/^Idempotency-Key: turn-1-\d+\r$/mi,
		'a key of the turn');
	like($last->{head}, qr/^Accept: text\/event-stream/mi,
		'what it may say');
	like($last->{head}, qr/^X-Request-Id: \w+\r$/mi, 'whose request it is');
	refused(client(1)->post('/havefun', { user_input => 5 },
		'Content-Type' => 'application/json'), 400, 'input_invalid',
		field => 'user_input', error => 'user_input must be a text '
		. 'of at most 100000 characters');
};

subtest 'what is for sockets' => sub {
	responder('/events');
	is_deeply([ask({ use_websocket => $true,
		thread_id => 'sockets' })->rest], \@lines,
		'the lines alone are for who asked');
	is_deeply([map { $_->{data} } grep { $_->{type} eq 'analysis_update' }
		stored('sockets')], \@analyses, 'the rest is in the stream');
	responder('/lesson');
	my @said = ask({ thread_id => 'lesson' },
		path => '/conversation/learning')->rest;
	is_deeply($said[0], { status => 'streaming', content => 'It',
		complete => $false }, 'an analysis in a lesson');
	is(join(' ', map { $_->{type} // $_->{status} } @said),
		'streaming learning_intent learning_knowledge knowledge '
		. 'next_actions done', 'and what else there is');
	@said = ask({ thread_id => 'lesson2', use_websocket => $true },
		path => '/conversation/learning')->rest;
	is_deeply(\@said, [{ status => 'done', message => 'learned' }],
		'with sockets, what is nobody else\'s');
	is(join(' ', map { $_->{type} } stored('lesson2')), 'turn.started '
		. 'analysis_update learning_intent learning_knowledge '
		. 'knowledge next_action turn.said turn.ended',
		'and theirs by their names');
};

subtest 'piece by piece' => sub {
	responder('/hold/a');
	my $turn = ask({ thread_id => 'held' });

	is_deeply($turn->next, { message => 'first' }, 'what is there');
	is(turns("WHERE said = 1"), 1, 'before the rest');
	$responder->release('a');
	is_deeply([$turn->rest], [{ message => 'last' }], 'then the rest');
};

subtest 'what goes wrong' => sub {
	my %words = (
		500 => 'The responder failed', html => 'The responder failed',
		redirect => 'The responder failed',
	);
	for my $path (sort keys %words) {
		responder("/$path");
		is_deeply([ask({})->rest], [{ error => $words{$path} }],
			"/$path");
	}
	for my $path (qw(broken cut)) {
		responder("/$path");
		is_deeply([ask({})->rest], [{ message => 'first' },
			{ error => 'The responder failed' }], "/$path");
	}
	responder('/error');
	is_deeply([ask({})->rest], [{ message => 'first' },
		{ error => 'no model' }], 'it says so itself');
	responder('/endless');
	my @said = ask({})->rest;
	is_deeply($said[-1], { error => 'The responder failed' },
		'more than it may');
	ok(@said > 10 && @said < 100, 'until then it is told');
	responder('/silent');
	is_deeply([ask({})->rest], [{ error => 'The responder took too long' }],
		'nothing for too long');
	$db->query("UPDATE partyline.tenant
		SET responder_url = 'http://127.0.0.1:" . T::Server::free_port()
		. "/' WHERE id = 1");
	is_deeply([ask({})->rest],
		[{ error => 'The responder cannot be reached' }], 'nobody');
	$db->query("UPDATE partyline.tenant
		SET responder_url = 'http://10.0.0.1/' WHERE id = 1");
	is_deeply([ask({})->rest],
		[{ error => 'The responder cannot be reached' }],
		'where it must not go');
	like($server->log_text, qr/"a responder failed".*10\.0\.0\.1/,
		'the log says why');
	ok($server->count('responder_failures') >= 10, 'they are counted');
	is(turns(), 0, 'no turn is left');
};

subtest 'one after the other' => sub {
	responder('/wait/one');
	my $first = ask({ thread_id => 'queue', user_input => 'one' });
	ok((wait_until { turns('WHERE leased_until IS NOT NULL') == 1 }),
		'one is at work');
	my $second = ask({ thread_id => 'queue', user_input => 'two' },
		worker => 2);
	my $other = ask({ thread_id => 'another', user_input => 'three' });
	ok((wait_until { turns('WHERE leased_until IS NOT NULL') == 2 }),
		'another thread does not wait');
	is(turns('WHERE leased_until IS NULL'), 1, 'the same one does');
	$responder->release('one');
	is_deeply([$first->rest], [{ message => 'one' }], 'the first');
	is_deeply([$second->rest], [{ message => 'two' }], 'the second');
	is_deeply([$other->rest], [{ message => 'three' }], 'another thread');
	my @asked = grep { $_->{body}{thread_id} eq 'queue' }
	    $responder->questions;
	is(join(' ', map { $_->{body}{user_input} } @asked), 'one two',
		'in that order');
};

subtest 'busy' => sub {
	my @usual = ($server, $db);

	$server = T::Server->start(workers => 1, set => {
		outgoing_allow => '127.0.0.0/8', responder_timeout => '60s',
		responder_wait => '2s' });
	$db = $server->db;
	responder('/hold/busy');
	my $first = ask({ thread_id => 'busy' });
	$first->next;
	my $began = time;
	my $second = ask({ thread_id => 'busy' });
	is($second->{status}, 200, 'it waits');
	is_deeply([$second->rest], [{ error => 'Server busy. Please try '
		. 'again.' }], 'for so long');
	cmp_ok(time - $began, '>', 1.9, 'and not less');
	$responder->release('busy');
	is_deeply([$first->rest], [{ message => 'last' }],
		'the first one goes on');
	is((stored('busy'))[-1]{data}{outcome}, 'done', 'to its end');
	$server->counts(responder_turns_expired => 1);
	($server, $db) = @usual;
};

subtest 'so many of a tenant' => sub {
	is(tenant('add', 'den')->{exit}, 0, 'another tenant');
	my $den = $db->query("SELECT id FROM partyline.tenant
		WHERE slug = 'den'");
	responder('/json', $den);
	ok((wait_until { client(1, tenant => 'den')->get('/api/sessions')
			->{status} == 200 }), 'is served');
	responder('/wait/many');
	my @turns = map { ask({ thread_id => "many$_" }) } 1 .. 6;

	ok((wait_until { turns('WHERE leased_until IS NOT NULL') == 4 }),
		'four are at work');
	my $other = ask({}, tenant => 'den');
	is_deeply([$other->rest], [{ message => 'Hello' },
		{ message => 'you' }], 'another tenant does not wait');
	is(turns('WHERE leased_until IS NULL'), 2, 'two wait');
	$responder->release('many');
	$_->rest for @turns;
	is(turns(), 0, 'all are answered');
};

subtest 'too many wait' => sub {
	my @usual = ($server, $db);

	$server = T::Server->start(workers => 2, set => {
		outgoing_allow => '127.0.0.0/8', responder_timeout => '60s',
		responder_calls_per_tenant => 4, responder_waiting => 3,
		responder_waiting_per_tenant => 8 });
	$db = $server->db;
	my $busy = sub {
		my ($turn, $name) = @_;

		is($turn->{status}, 503, $name);
		refused($turn->{answer}, 503, 'responder_busy',
			error => 'Server busy. Please try again.');
	};
	my $at_work = sub {
		my ($many) = @_;

		return wait_until { turns('WHERE leased_until IS NOT NULL')
			== $many };
	};

	responder('/wait/full');
	my @turns = ask({ thread_id => 'full' });
	ok($at_work->(1), 'one is at work');
	push @turns, map { ask({ thread_id => 'full' }) } 1 .. 3;
	$busy->(ask({ thread_id => 'full' }, worker => 2),
		'a thread: one more is refused at once');
	is(turns(), 4, 'it left nothing');
	push @turns, map { ask({ thread_id => "full$_" }) } 1 .. 3;
	ok($at_work->(4), 'others go on');
	push @turns, map { ask({ thread_id => "wide$_" }) } 1 .. 5;
	$busy->(ask({ thread_id => 'wide6' }), 'a tenant: one more, too');
	is($db->query("SELECT count(*) FROM partyline.thread
		WHERE name = 'wide6'"), 0, 'and no thread is made');
	$responder->release('full');
	$_->rest for @turns;
	responder('/json');
	is(scalar(my @next = ask({ thread_id => 'full' })->rest), 2,
		'then there is room');
	($server, $db) = @usual;
};

subtest 'nobody wants it' => sub {
	my $before = $server->count('turns_cancelled');

	responder('/hold/gone');
	my $turn = ask({ thread_id => 'gone' });
	$turn->next;
	$turn->close;
	ok((wait_until { turns() == 0 }), 'the turn ends');
	ok((wait_until { (stored('gone'))[-1]{data}{outcome} // ''
			eq 'cancelled' }), 'and its stream says so');
	ok((wait_until { $server->count('responders_at_work') == 0 }),
		'the request is broken off');
	is($server->count('turns_cancelled'), $before + 1, 'it is counted');
	ok($server->count('responder_turns_lost') >= 1, 'on both sides');
	responder('/json');
	is(scalar(my @next = ask({ thread_id => 'gone' })->rest), 2,
		'the next one is answered');
};

subtest 'OPTIONS and methods' => sub {
	for my $path ('/havefun', '/conversation/learning') {
		my $answer = client(1)->options($path);

		is($answer->{status}, 200, "OPTIONS $path");
		is($answer->{body}, '', 'is empty');
		is_deeply({ map { $_ => $answer->{headers}{
			"access-control-$_"} } qw(allow-origin allow-methods
			allow-headers max-age) }, { 'allow-origin' => '*',
			'allow-methods' => 'GET, POST, OPTIONS',
			'allow-headers' => 'Content-Type, Authorization',
			'max-age' => 86400 }, 'as its clients know it');
		my $get = client(1)->get($path);
		refused($get, 405, 'method_not_allowed');
		is($get->{headers}{allow}, 'POST, OPTIONS', 'what there is');
	}
	refused(client(1)->get('/conversation/other'), 404, 'not_found');
};

subtest 'who may' => sub {
	tenant('set', 'default', 'public_read=off');
	ok((wait_until { client(1)->post('/havefun', {}, 'Content-Type' =>
		'application/json')->{status} == 401 }),
		'where reading needs a token, so does this');
	my $turn = ask({}, role => 'viewer');
	is(scalar(my @all = $turn->rest), 2, 'with one it goes');
	tenant('set', 'default', 'public_read=on');
};

subtest 'threads come to their end' => sub {
	$db->query("UPDATE partyline.thread SET active_at = now()
		- interval '40 days' WHERE name = 'first'");
	$db->query('SELECT api.thread_expire(100)');
	is($db->query("SELECT count(*) FROM partyline.thread
		WHERE name = 'first'"), 0, 'what is idle goes');
	is($db->query("SELECT count(*) FROM partyline.thread
		WHERE name = 'gone'"), 1, 'what is not stays');
};

done_testing;
