#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Server-Sent Events: what they look like, that a client who comes back with
# his last id, anywhere, after anything, has every number once and in order,
# and what ends a stream.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Http;
use T::Relay;
use T::Server;
use T::Sse;
use T::Wait;

my $server = T::Server->start(workers => 2,
	set => { drain_spread => '1s', live_ping => '600ms' });
my $db = $server->db;
my $json = JSON::PP->new->utf8->canonical;
my @writers = map { T::Client->new($server, worker => $_) } 1, 2;
my ($one, $two) = @writers;

# Only one session can be active.
sub session {
	my ($client) = @_;
	my $active = $client->get('/api/sessions/active')->{json};

	$client->post("/api/sessions/$active->{id}/close") if $active->{id};
	return $client->post('/api/sessions')->{json}{id};
}

sub post {
	my ($client, $id, @numbers) = @_;

	$client->post("/api/sessions/$id/events", { type => 'custom.n',
		data => { n => $_ } })->{status} == 201
	    or die "no event\n" for @numbers;
	return;
}

# Many at once, in one commit of their own.
sub emit {
	my ($id, $count, $size) = @_;

	$size //= 1;
	$db->query(qq{WITH e AS (SELECT api.emit(
		ROW(1,NULL,NULL,'t',NULL,NULL,NULL)::api.ctx, 'session:$id',
		'custom.n', '{"n":"' || repeat('x', $size) || '"}')
		FROM generate_series(1, $count) n) SELECT count(*) FROM e});
	return;
}

sub stream { return join '', '/api/sessions/', shift, '/stream?', @_ }

# Somebody else, so that the client's own connection stays his.
sub ear {
	my ($worker, $path, %options) = @_;
	my %client = map { exists $options{$_} ? ($_ => delete $options{$_})
	    : () } qw(role name tenant);

	return T::Sse->new(T::Client->new($server, worker => $worker,
			role => undef, %client), $path, %options);
}

sub numbers { return join ' ', map { $_->{seq} } @_ }

# What an ear has heard up to a number, complained of if it is not the next.
sub follows_on {
	my ($ear, $last, $until, $name) = @_;
	my $bad = '';

	while ($last < $until && $bad eq '') {
		my ($event) = $ear->events(1, seconds => 20);

		$bad = $event ? $event->{seq} == $last + 1 ? ''
		    : "$event->{seq} after $last"
		    : "nothing after $last";
		$last = $event->{seq} if $event;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($bad, '', $name);
}

sub listening {
	my ($count, $seconds) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok((wait_until { $server->count('sse_clients') == $count }
			$seconds // 10), "$count listen");
}

subtest 'its form' => sub {
	my $id = session($one);

	post($one, $id, 1 .. 2);
	my $ear = ear(1, stream($id, 'since=1'));
	is($ear->{status}, 200, 'a stream');
	is_deeply({ map { $_ => $ear->{headers}{$_} } qw(content-type
		cache-control x-accel-buffering access-control-allow-origin
		etag content-encoding content-length connection) },
		{ 'content-type' => 'text/event-stream',
			'cache-control' => 'no-store',
			'x-accel-buffering' => 'no',
			'access-control-allow-origin' => '*',
			connection => 'close', etag => undef,
			'content-encoding' => undef,
			'content-length' => undef }, 'its head');
	my $first = $ear->next;
	like($first->{retry}, qr/^1\d{3}\z/, 'when to come back');
	my ($epoch) = $first->{id} =~ /^(\w+):1\z/;
	ok(defined $epoch, 'where it stands');
	is($first->{data}, undef, 'without an event');
	my $block = $ear->next;
	is($block->{id}, "$epoch:2", 'an id');
	is($block->{event}, undef, 'no name, so that onmessage has it');
	is_deeply([@{ $block->{json} }{qw(type stream seq data)}],
		['custom.n', "session:$id", 2, { n => 2 }], 'the envelope');
	is_deeply($block->{json}, $two->get("/api/sessions/$id/events?since=1")
		->{json}{events}[0], 'as a poll has it');
	post($two, $id, 3);
	is(numbers($ear->events(1)), 3, 'and on, from another worker');
	is($ear->{id}, "$epoch:3", 'the last id');

	$two->post("/api/sessions/$id/events", "{\"type\":\"custom.n\",\n"
		. "\"data\":{\r\n\"a\":\n\r1,\n\n\"b\":\"x\\ny\"}\r\n}");
	$block = $ear->told;
	is_deeply($block->{json}{data}, { a => 1, b => "x\ny" },
		'data in several lines');
	my $late = ear(2, stream($id));
	is($late->next->{id}, "$epoch:4", 'without a number: where it stands');
	post($one, $id, 5);
	is(numbers($_->events(1)), 5, 'then what comes') for $ear, $late;
	my $sign = wait_until {
		my $next = $late->next;
		$next && $next->{comments} && !defined $next->{data};
	};
	ok($sign, 'signs of life when nothing happens');
	$_->close for $ear, $late;
	listening(0, 5);

	my $head = $one->head(stream($id));
	is($head->{status} . $head->{headers}{'content-type'},
		'200text/event-stream', 'HEAD');
	my $old = T::Http->connect($server);
	$old->send('GET ' . stream($id, 'since=3') . " HTTP/1.0\r\n\r\n");
	like($old->take_through("\"b\":\"x\\ny\"}}\n\n", deadline_in(10)) // '',
		qr/^HTTP\/1.1 200 (?!.*chunked).*\r\n\r\nretry: .*:4\n/s,
		'an old client hears it, too');
	$old->close;
	refused(ear(1, stream($_))->{answer}, 404, 'session_not_found')
	    for 999, 'x';
	is($one->get(stream($id, 'since=x'))->{json}{field}, 'since',
		'a number that is none');
	is($one->get(stream($id), 'Last-Event-ID' => 'x')->{json}{field},
		'Last-Event-ID', 'an id that is none');
};

subtest 'without a number' => sub {
	local $T::AsyncApi::unlisted = qr/^custom\.live\z/;
	my $id = session($one);
	my $other = T::Relay->start($server->redis);
	my @ears = map { ear($_, stream($id)) } 1, 2;
	my $live = sub {
		$other->put(2, 'live', 1, "session:$id", 0, $json->encode({
			type => 'custom.live', stream => "session:$id",
			timestamp => '2026-01-01T00:00:00.000Z',
			data => { n => $_[0] } }));
	};
	my ($at) = map { $_->next->{id} } @ears;

	# The other host has to be heard of first.
	ok((wait_until { $live->(0); $ears[0]->told(seconds => 1) } 20),
		'events of another host come through');
	$live->(1);
	for my $ear (@ears) {
		my $block;
		do {
			$block = $ear->told;
		} while $block && !$block->{json}{data}{n};
		is_deeply([@$block{qw(id event)}, $block->{json}{type}],
			[undef, undef, 'custom.live'], 'it comes as any other');
		is($ear->{id}, $at, 'and the client stands where it stood');
	}
	post($two, $id, 1);
	is(numbers($_->events(1)), 1, 'the next number') for @ears;
	$_->close for @ears;
	my $poll = T::Client->new($server);
	$poll->ask(GET => "/api/sessions/$id/events?since=1&wait=20");
	wait_until { $server->count('polls_waiting') == 1 };
	$live->(2);
	my $told = $poll->take->{json};
	is_deeply([$told->{head}, map { $_->{data}{n} } @{ $told->{events} }],
		[1, 2], 'a poll has it, too');
	$other->end;
};

subtest 'the lobby' => sub {
	my @ears = map { ear($_, '/api/stream') } 1, 2;

	$_->next for @ears;
	my $id = session($two);
	for my $ear (@ears) {
		my ($event) = $ear->events(1);
		is($event->{type} . $event->{data}{session}{id},
			"session.started$id", 'what begins');
	}
	$_->close for @ears;
};

subtest 'from a page to the next' => sub {
	my $id = session($one);

	emit($id, 1500, 200);
	my @ears = map { ear($_ % 2 + 1, stream($id, 'since=0')) } 1 .. 4;
	emit($id, 300, 200);
	follows_on($_, 0, 1800, 'all of it, once') for @ears;
	post($two, $id, 1);
	is(numbers($_->events(1)), 1801, 'and live') for @ears;
	$_->close for @ears;
};

subtest 'killed workers' => sub {
	my $id = session($one);
	my $ear = ear(1, stream($id, 'since=0'));
	my $last = 0;

	for my $round (1 .. 3) {
		post($two, $id, 1 .. 5);
		follows_on($ear, $last, $last + 5, "round $round: live");
		$last += 5;
		post($two, $id, 1 .. 3);
		my $pid = $server->worker_pid(1);
		kill KILL => $pid;
		# What had left before is still read.
		1 while $ear->events(1);
		($last) = $ear->{id} =~ /:(\d+)\z/;
		is($ear->{over}, 'broken', 'cut off');
		post($two, $id, 1 .. 4);
		$ear = $ear->resume(T::Client->new($server, role => undef));
		follows_on($ear, $last, 12 * $round,
			'what happened meanwhile, once');
		$last = 12 * $round;
		wait_until { ($server->worker_pid(1) // $pid) != $pid };
		$ear->close;
		$ear = $ear->resume(T::Client->new($server, role => undef,
			worker => 1));
	}
	$ear->close;
	$_->hang_up for $one, $two;
};

subtest 'from door to door' => sub {
	my $id = session($one);
	my $path = "/api/sessions/$id/events";
	my ($last, $cursor) = (0, 0);
	my $bad = '';
	my $take = sub {
		for my $event (@_) {
			$bad .= " $event->{seq} after $last"
			    if $event->{seq} != $last + 1;
			$last = $event->{seq};
		}
	};

	for my $round (1 .. 10) {
		my ($reader, $writer) =
		    ($one, $two)[$round % 2, 1 - $round % 2];
		post($writer, $id, 1 .. 3);
		my $poll = $reader->get("$path?since=$cursor&limit=2")->{json};
		$take->(@{ $poll->{events} });
		my $ear = ear(1 + $round % 2, stream($id,
			"since=$poll->{epoch}:$last"));
		post($writer, $id, 4);
		$take->($ear->events($round * 4 - $last));
		$cursor = $ear->{id};
		$ear->close;
	}
	is("$bad $last", ' 40', 'polls and streams in turn');
};

sub renew {
	$db->query('SELECT api.epoch_renew()');
	return;
}

subtest 'another epoch' => sub {
	my $id = session($one);

	post($one, $id, 1 .. 4);
	my @ears = map { ear($_, stream($id, 'since=2')) } 1, 2;
	is(numbers($_->events(2)), '3 4', 'live') for @ears;
	my $old = $ears[0]{id};
	renew();
	for my $ear (@ears) {
		my $block = $ear->told(seconds => 20);
		is($block->{event}, 'resync', 'the state is told');
		is_deeply([$block->{json}{from}, $block->{json}{state}{id}],
			[1, $id], 'the state');
		like($block->{id}, qr/^(?!\Q$old\E)\w+:4\z/, 'in a new epoch');
	}
	post($two, $id, 5);
	is(numbers($_->events(1)), 5, 'then it goes on') for @ears;
	my $late = ear(1, stream($id), headers => { 'Last-Event-ID' => $old });
	my $first = $late->next;
	is($first->{id}, undef, 'who has no state stands nowhere');
	is($late->next->{event}, 'resync', 'the old one is no more');
	$ears[0]->close;
	my $again = $ears[0]->resume($one);
	post($two, $id, 6);
	is(numbers($again->events(1)), 6, 'the new one is good');
	$_->close for @ears, $late, $again;
};

subtest 'what was forgotten' => sub {
	my $id = session($one);

	post($one, $id, 1 .. 9);
	$db->query("SELECT api.stream_trim(ROW(1,NULL,NULL,'t',NULL,NULL,
		NULL)::api.ctx, 'session:$id', 6)");
	my $ear = ear(2, stream($id, 'since=3'));
	my $block = $ear->told;
	is_deeply([$block->{event}, $block->{json}{from}], ['resync', 6],
		'the state in its place');
	post($one, $id, 10);
	is(numbers($ear->events(1)), 10, 'then it goes on');
	my $other = ear(2, stream($id, 'since=5'));
	is(numbers($other->events(5)), '6 7 8 9 10', 'all that is left');
	$_->close for $ear, $other;
};

subtest 'deleted' => sub {
	my $id = session($one);
	my @ears = map { ear($_, stream($id)) } 1, 2;

	$_->next for @ears;
	$one->post("/api/sessions/$id/close");
	is($_->told->{json}{type}, 'session.ended', 'it ends') for @ears;
	$one->delete("/api/sessions/$id");
	for my $ear (@ears) {
		my $block = $ear->told;
		is_deeply([$block->{event}, $block->{json}], ['deleted',
			{ stream => "session:$id" }], 'it is no more');
		is($ear->is_over, 'ended', 'and so is the stream');
	}
	refused($ears[0]->resume($two)->{answer}, 404, 'session_not_found');
};

sub set_den {
	my ($word) = @_;
	my $said = $server->partyline('tenant', 'set', 'den', $word, '--set',
		'database_url=' . $db->url);

	return is($said->{exit}, 0, $word) || diag($said->{err});
}

sub closing {
	my ($ear, $code, $again) = @_;
	my $block = $ear->told(seconds => 20);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([$block->{event}, $block->{json}], ['closing',
		{ code => $code, again => $again }], "closing: $code");
	return is($ear->is_over, 'ended', 'and closed');
}

subtest 'rights' => sub {
	$server->partyline('tenant', 'add', 'den', '--set',
		'database_url=' . $db->url)->{exit} == 0 or die "no tenant\n";
	my %den = (tenant => 'den');
	wait_until { T::Client->new($server, %den)->get('/api/sessions')
		    ->{status} == 200 } or die "nobody knows the tenant\n";
	my $ann = T::Client->new($server, %den, name => 'Ann');
	my $id = session($ann);
	my $open = ear(1, stream($id), %den);
	my $lobby = ear(2, '/api/stream', %den);
	$_->next for $open, $lobby;
	set_den('public_read=off');
	closing($_, 'token_required', 'sign_in') for $open, $lobby;
	refused($open->resume(T::Client->new($server, %den, role => undef))
		->{answer}, 401, 'token_required');

	my $gone = T::Client->new($server, %den, name => 'Gone');
	my $late = T::Client->new($server, %den, name => 'Late');
	my $guest = T::Client->new($server, %den, role => undef);
	my ($ticket, $other) = map { $gone->post('/api/auth/ticket',
		{ stream => $_ })->{json}{ticket} } "session:$id", 'lobby';
	my $begun = time;
	$late->{token} = T::Client::token($server, 'den', name => 'Late',
		exp => int(time) + 4);
	my @ears = map { ear($_, stream($id), %den, role => 'viewer',
		name => 'Gone') } 1, 2;
	my $by_ticket = T::Sse->new($guest, stream($id, "ticket=$ticket"));
	my $short = T::Sse->new($late, stream($id));
	my $stays = T::Sse->new($ann, stream($id));
	is($_->{status}, 200, 'a token or a ticket opens it')
	    for @ears, $by_ticket, $short, $stays;
	refused(T::Sse->new($guest, stream($id, "ticket=$_"))->{answer}, 403,
		'invalid_token') for $ticket, $other, 'x';
	$db->query(q{SELECT api.emit_control(c, 'admin.revoked',
		api.name_strike(c, 'Gone')) FROM (SELECT ROW(2,NULL,NULL,'t',
		NULL,NULL,NULL)::api.ctx AS c) t});
	closing($_, 'revoked', 'sign_in') for @ears, $by_ticket;
	closing($short, 'token_expired', 'sign_in');
	post($ann, $id, 1);
	is(numbers($stays->events(1)), 1, 'others go on');
	$stays->close;
};

subtest 'who leaves is noticed' => sub {
	my $id = session($one);

	listening(0);
	my @ears = map { ear(1 + $_ % 2, stream($id)) } 1 .. 20;
	listening(20);
	my $open = $server->count('connections_open');
	(pop @ears)->close for 1 .. 10;
	ok((wait_until { $server->count('connections_open')
			    == $open - 10 } 5), 'their connections are gone');
	is($server->count('sse_clients'), 10, 'and nobody tells them');
	post($one, $id, 1);
	is(numbers(map { $_->events(1) } @ears), join(' ', (1) x 10),
		'those who stayed are told');
	$_->close for @ears;
	listening(0, 5);
};

subtest 'two hundred at once' => sub {
	my $id = session($one);
	my @ears = map { ear(undef, stream($id, 'since=0')) } 1 .. 200;
	my $bad = '';

	listening(200);
	$one->ask(POST => "/api/sessions/$id/events",
		{ type => 'custom.n', data => { n => $_ } }) for 1 .. 100;
	$two->ask(POST => "/api/sessions/$id/events",
		{ type => 'custom.n', data => { n => $_ } }) for 1 .. 100;
	for my $ear (@ears) {
		my $got = numbers($ear->events(200));
		$bad .= " $got;" if $got ne join ' ', 1 .. 200;
	}
	is($bad, '', 'each has each');
	for (1 .. 100) { $one->take; $two->take }
	$_->close for @ears;
	listening(0, 5);
};

subtest 'its worker leaves' => sub {
	my $id = session($one);
	my @ears = map { ear(undef, stream($id, 'since=0')) } 1 .. 40;
	my $begun = time;
	my (@again, %when);

	post($one, $id, 1);
	is(numbers(map { $_->events(1) } @ears), join(' ', (1) x 40), 'all');
	$_->hang_up for $one, $two;
	$server->hup;
	closing($_, 'draining', 'now') for @ears;
	cmp_ok(time() - $begun, '<', 20, 'in time');
	post(T::Client->new($server), $id, 2);
	@again = map { $_->resume(T::Client->new($server, role => undef)) }
	    @ears;
	is(numbers(map { $_->events(1) } @again), join(' ', (2) x 40),
		'all come back, and have missed nothing');
	$_->close for @again;
	wait_until { $server->worker_pids == 2 };
};

subtest 'the server stops' => sub {
	my $id = session($one);
	my @ears = map { ear(1 + $_ % 2, stream($id)) } 1 .. 4;

	$_->next for @ears;
	$_->hang_up for $one, $two;
	kill TERM => $server->pid;
	closing($_, 'draining', 'now') for @ears;
	$server->stop;
};

# A server whose clients have little room; a session of it, and a reader.
sub narrow {
	my (%set) = @_;

	$server = T::Server->start(workers => 1, set => {
		socket_send_buffer => '4KiB', live_ping => '1h', %set });
	$one = T::Client->new($server);
	$db = $server->db;
	return (session($one), T::Client->new($server, role => undef));
}

# Live: what does not fit any more ends it.
subtest 'too much waits' => sub {
	my ($id, $reader) = narrow(socket_queue => '16KiB',
		socket_queue_age => '1h');
	my $slow = T::Sse->new($reader, stream($id, 'since=0'),
		receive_buffer => 2048);
	my $quick = ear(1, stream($id, 'since=0'));

	for my $round (0 .. 9) {
		$one->post("/api/sessions/$id/events", { type => 'custom.n',
			data => { n => 'x' x 1000 } }) for 1 .. 10;
		follows_on($quick, 10 * $round, 10 * $round + 10,
			'who reads misses nothing');
	}
	ok((wait_until { $server->count('sock_overflows') == 1 }),
		'who does not is cut off');
	my $heard = numbers($slow->events(100));
	my $last  = () = $heard =~ /\d+/g;
	is($heard, join(' ', 1 .. $last), "what he had of it has no gap");
	cmp_ok($last, '<', 100, 'and is not all');
	is($slow->{over}, 'broken', 'it is over');
	my $again = $slow->resume($reader);
	follows_on($again, $last, 100, 'the rest comes when he comes back');
	$_->close for $quick, $again;
	listening(0);
};

# A sign of life is of no use to who has enough to read.
subtest 'what may be left out' => sub {
	my ($id, $reader) = narrow(socket_queue => '32KiB',
		socket_queue_age => '1h', live_ping => '100ms');
	my $slow = T::Sse->new($reader, stream($id, 'since=0'),
		receive_buffer => 2048);
	my $said = 0;
	my $are_left_out = sub { $server->count('sock_drops') > 0 };

	# It is half full long before it is full.
	while (!$are_left_out->() && $said < 100) {
		$one->post("/api/sessions/$id/events", { type => 'custom.n',
			data => { n => 'x' x 500 } }) for 1 .. 5;
		$said += 5;
		wait_until(\&$are_left_out, 0.5);
	}
	ok($are_left_out->(), 'signs of life are');
	follows_on($slow, 0, $said, 'what happened is not');
	$slow->close;
	listening(0);
};

# Replayed: no more than fits is sent, and he is waited for, but only as long
# as he takes something.
subtest 'it waits for too long' => sub {
	my ($id, $reader) = narrow(socket_queue => '16KiB',
		socket_queue_age => '1s');

	emit($id, 400, 1000);
	my $slow = T::Sse->new($reader, stream($id, 'since=0'),
		receive_buffer => 2048);
	follows_on($slow, 0, 300, 'a small buffer is no reason');
	is($server->count('sock_overflows'), 0, 'nor is what he did not ask');
	ok((wait_until { $server->count('sock_overflows') == 1 }),
		'who stops is cut off');
	1 while $slow->events(1);
	is($slow->{over}, 'broken', 'it is over');
	listening(0);
};

done_testing;
