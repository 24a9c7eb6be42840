#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What is said over /api/sessions/live, both ways, to the letter; who hears
# what; and who is let in.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mojo::UserAgent;
use Test::More;
use T::Client;
use T::Http;
use T::Live;
use T::OpenApi;
use T::Server;
use T::Token;
use T::Wait;

my $secret = 'k' x 32;
my $server = T::Server->prepare(workers => 3,
	conf => { jwt_secret => $secret });

sub tenant {
	my (@words) = @_;
	my $said = $server->partyline('tenant', @words, '--set',
		'database_url=' . $server->db->url);

	is($said->{exit}, 0, "tenant @words") or diag $said->{err};
	return;
}

tenant('add', 'den');
tenant('add', 'closed', '--host', 'closed.example');
tenant('set', 'closed', 'origins=https://closed.example');
$server->spawn;
ok($server->wait_ready('readyz'), 'the server is ready');

my $admin = T::Client->new($server);

sub session {
	my ($client) = @_;
	my $made = ($client // $admin)->post('/api/sessions')->{json};

	return $made->{id} // die "no session\n";
}

sub close_session {
	my ($id, $client) = @_;

	return ($client // $admin)->post("/api/sessions/$id/close")->{json};
}

sub emit {
	my ($id, $type, $data, $client) = @_;

	return ($client // $admin)->post("/api/sessions/$id/events",
		{ type => $type, data => $data // {} })->{json}{seq};
}

# A message without what differs from run to run.
sub plain {
	my ($message, @fields) = @_;
	my %copy = %{ $message // { type => 'nothing came' } };

	delete @copy{qw(epoch timestamp), @fields};
	ref && JSON::PP::is_bool($_) and $_ = $_ ? 'true' : 'false'
	    for values %copy;
	return \%copy;
}

subtest 'the handshake' => sub {
	my $live = T::Live->connect($server);
	my $answer = $live->answer;

	is($answer->{status}, 101, 'switched');
	is($answer->{reason}, 'Switching Protocols');
	is(lc $answer->{headers}{upgrade}, 'websocket');
	is(lc $answer->{headers}{connection}, 'upgrade');
	is($answer->{headers}{'sec-websocket-accept'},
		's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'the key of RFC 6455, 1.3');
	ok(!exists $answer->{headers}{'sec-websocket-extensions'},
		'nothing that was not asked for');
	is_deeply($live->settle, { type => 'pong' },
		'ping needs no sign-in, and knows no heads');
	$live->leave;
	is($live->{code}, 1000, 'goodbye');
	for my $headers ({ Upgrade => 'WebSocket' },
		{ Connection => 'keep-alive, Upgrade' },
		{ Connection => 'upgrade' },
		{ Upgrade => 'foo, websocket' },
		{ Origin => 'https://any.example' },
		{ 'Sec-WebSocket-Protocol' => 'chat' }) {
		my $other = T::Live->connect($server, headers => $headers);

		is($other->answer->{status}, 101, join ': ', %$headers);
		$other->leave;
	}
};

sub is_refused {
	my ($answer, $status, $code, $name) = @_;

	is($answer->{status}, $status, $name) or diag $answer->{body};
	like($answer->{body}, qr/"code":"$code"/, "$name: $code");
	is($answer->{headers}{upgrade}, 'websocket', "$name: what it speaks"),
	    is($answer->{headers}{'sec-websocket-version'}, 13,
		"$name: which version") if $status == 426;
	return;
}

subtest 'who is not let in' => sub {
	my @wrong = (
		[426, 'upgrade_required', { Upgrade => undef,
			Connection => undef }],
		[426, 'upgrade_required', { Upgrade => 'h2c' }],
		[426, 'upgrade_required', { 'Sec-WebSocket-Version' => 8 }],
		[426, 'upgrade_required', { 'Sec-WebSocket-Version' => 14 }],
		[426, 'upgrade_required', { 'Sec-WebSocket-Version' => '013' }],
		[426, 'upgrade_required', { 'Sec-WebSocket-Version' => undef }],
		[400, 'bad_handshake', { 'Sec-WebSocket-Key' => undef }],
		[400, 'bad_handshake', { 'Sec-WebSocket-Key' => '' }],
		[400, 'bad_handshake', { 'Sec-WebSocket-Key' => 'x' x 24 }],
		[400, 'bad_handshake',
			{ 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ=' }],
		[400, 'bad_handshake',
			{ 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25j!Q==' }],
		[400, 'bad_handshake', { 'Sec-WebSocket-Key' =>
			"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: "
			. 'dGhlIHNhbXBsZSBub25jZQ==' }],
	);

	for my $row (@wrong) {
		my ($status, $code, $headers) = @$row;
		my $live = T::Live->connect($server, headers => $headers);

		is_refused($live->answer, $status, $code, join ' ', map {
			(split /\r/, $_)[0] } %{ {
			map { $_ => $headers->{$_} // 'none' }
			keys %$headers } });
		$live->hang_up;
	}
	my $old = T::Live->connect($server, version => '1.0');
	is($old->answer->{status}, 400, 'HTTP/1.0')
	    or diag $old->answer->{body};
	is_refused($admin->get('/api/sessions/live'), 426, 'upgrade_required',
		'an ordinary GET');
	is(T::Live->connect($server, tenant => 'nobody')->answer->{status},
		404, 'a tenant that is not there');
	my $after = $admin->get('/api/sessions');
	is($after->{status}, 200, 'and the connection goes on');
};

subtest 'pages of other origins' => sub {
	my %status = (
		'https://closed.example'      => 101,
		'https://CLOSED.example'      => 101,
		'http://closed.example'       => 403,
		'https://closed.example:8443' => 403,
		'https://evil.example'        => 403,
		'null'                        => 403,
	);

	for my $origin (sort keys %status) {
		my $live = T::Live->connect($server, tenant => 'closed',
			headers => { Origin => $origin });

		is($live->answer->{status}, $status{$origin}, $origin);
		is_refused($live->answer, 403, 'origin_not_allowed', $origin)
		    if $status{$origin} == 403;
		$live->hang_up;
	}
	is(T::Live->connect($server, tenant => 'closed')->answer->{status},
		101, 'who sends no Origin is no browser');
	is(T::Live->connect($server, headers => { Host => 'closed.example',
		Origin => 'https://evil.example' })->answer->{status}, 403,
		'the tenant is found by host as well');
};

subtest 'signing in' => sub {
	my $live = T::Live->connect($server, worker => 2);
	my $good = T::Client::token($server, 'default', role => 'viewer',
		name => 'Vic');
	my %error = (
		'Token required' => [{}, { token => '' }, { token => undef },
			{ token => 7 }, { token => ['x'] }],
		'Invalid or expired token' => [{ token => 'x' },
			{ token => $good . 'x' }, { token => 'x' x 10000 },
			{ token => T::Token::make($secret, kid => 'conf',
				exp => time - 1) },
			{ token => T::Token::make('z' x 32, kid => 'conf') },
			{ token => T::Token::make($secret, kid => 'conf',
				name => undef) },
			{ token => T::Client::token($server, 'den',
				role => 'admin', name => 'Ann') }],
	);

	for my $words (sort keys %error) {
		for my $auth (@{ $error{$words} }) {
			$live->say({ type => 'auth', %$auth });
			is_deeply($live->hears(qr/./), { type => 'auth_error',
				message => $words }, $words);
		}
	}
	$live->say({ type => 'subscribe', sessionId => 1 });
	is_deeply($live->hears(qr/./), { type => 'error',
		message => 'Not authenticated' }, 'that was no sign-in');
	$live->say({ type => 'unsubscribe', sessionId => 1 });
	is_deeply($live->hears(qr/./), { type => 'error',
		message => 'Not authenticated' }, 'unsubscribe, too');
	for my $role (qw(viewer bot admin)) {
		my $token = T::Client::token($server, 'default', role => $role,
			name => "R $role");
		my $auth = $live->sign_in($token);

		is_deeply(plain($auth, qw(seq recovered)), {
			type    => 'auth_success',
			message => 'Authenticated successfully',
			stream  => 'lobby',
		}, $role);
		like($auth->{epoch}, qr/^[!-9;-~]{1,32}\z/, "$role: epoch");
		like($auth->{seq}, qr/^\d+\z/, "$role: number");
	}
	is($live->sign_in('x')->{type}, 'auth_error', 'a bad one later');
	ok($live->settle->{heads}{lobby}, 'changes nothing');
	$live->leave;
};

subtest 'crafted tokens' => sub {
	my $live = T::Live->connect($server);

	for my $row (T::Token::crafted($secret, kid => 'conf')) {
		my ($name, $token, $is_good) = @$row;
		my $text = $token =~ s/([^ -~]|["\\])/sprintf
		    '\\u%04x', ord $1/ger;

		$live->say(qq({"type":"auth","token":"$text"}));
		my $answer = $live->hears(qr/./) // { type => 'none' };
		my $wanted = $is_good ? 'auth_success' : $answer->{type}
		    eq 'error' ? 'error' : 'auth_error';
		is($answer->{type}, $wanted, $name);
	}
	$live->leave;
};

subtest 'what is not understood' => sub {
	my $live = T::Live->enter($server);
	my $long = 'x' x 100;
	my %wrong = (
		'Invalid message format' => ['', 'x', '{', '[]', 'null', '7',
			'"ping"', '{}', '{"type":7}', '{"type":null}',
			'{"type":["ping"]}', '{"type":"ping"}}',
			"{\"type\":\"ping\",\0}",
			'{"type":"ping","type":"ping"',
			'[' x 5000, '{"a":' x 5000],
		'Unknown message type: nothing' => ['{"type":"nothing"}'],
		'Unknown message type: ' => ['{"type":""}'],
		'Unknown message type: PING' => ['{"type":"PING"}'],
		'Unknown message type: "\\' => ['{"type":"\\"\\\\"}'],
		'Unknown message type: ' . substr($long, 0, 64) =>
			[qq({"type":"$long"})],
	);

	for my $words (sort keys %wrong) {
		for my $message (@{ $wrong{$words} }) {
			$live->say($message);
			is_deeply($live->hears(qr/./), { type => 'error',
				message => $words }, substr($words, 0, 40)
				. ': ' . substr $message =~ tr/\0/0/r, 0, 20);
		}
	}
	# A name that is cut is still text.
	$live->say('{"type":"' . 'x' x 63 . "\xc3\xa9" . 'x"}');
	my $said = $live->hears('error')->{message};
	like($said, qr/\AUnknown message type: x{63}/, 'cut in a letter');
	ok($live->settle, 'the connection stays');
	$live->leave;
};

subtest 'subscribing' => sub {
	my $id = session();
	my $live = T::Live->enter($server, worker => 1);
	my $subscribed = { type => 'subscribed', sessionId => $id,
		message => "Subscribed to session $id", seq => 0,
		recovered => 'false' };

	is_deeply(plain($live->follow($id)), $subscribed, 'subscribed');
	is_deeply(plain($live->follow($id)), { %$subscribed,
		recovered => 'true' }, 'again: where it is');
	is_deeply(plain($live->follow("$id")), { %$subscribed,
		recovered => 'true' }, 'a number in quotes');
	emit($id, 'custom.one');
	is_deeply(plain($live->hears('custom.one')), { type => 'custom.one',
		stream => "session:$id", seq => 1, data => {} },
		'an event, once though it was said three times');
	is($live->follow($id)->{seq}, 1, 'again: the number');
	$live->say({ type => 'unsubscribe', sessionId => $id });
	is_deeply($live->hears('unsubscribed'), { type => 'unsubscribed',
		sessionId => $id, message => "Unsubscribed from session $id" },
		'unsubscribed');
	$live->say({ type => 'unsubscribe', sessionId => "$id" });
	is($live->hears('unsubscribed')->{sessionId}, $id, 'and again');
	emit($id, 'custom.two');
	is($live->follow($id)->{seq}, 2, 'subscribed anew');
	is_deeply([$live->numbers("session:$id")], [1], 'what was between '
		. 'is not heard');
	# Asked for several times before the first answer can be there.
	my $other = T::Live->enter($server, worker => 2);
	$other->say({ type => 'subscribe', sessionId => $id }) for 1 .. 3;
	$other->say({ type => 'subscribe', sessionId => $id, since => 0 });
	ok($other->wait_for(sub { 4 == $other->heard('subscribed') }),
		'each is answered');
	$other->settle;
	is_deeply([$other->numbers("session:$id")], [1, 2], 'from there on');
	close_session($id);
	is($_->hears('session.ended')->{seq}, 3, 'the end') for $live, $other;
	$_->leave for $live, $other;
};

subtest 'which session' => sub {
	my $live = T::Live->enter($server);

	for my $wrong ('"sessionId":99999', '"sessionId":9007199254740993') {
		$live->say(qq({"type":"subscribe",$wrong}));
		my ($id) = $wrong =~ /(\d+)/;
		is_deeply($live->hears(qr/./), { type => 'error',
			message => 'Session not found', sessionId => $id },
			$wrong);
	}
	for my $wrong (qw(0 -1 1.5 "x" "" "-1" "1.0" true [1] {} "0"
		1e3 99999999999999999999)) {
		$live->say(qq({"type":"$_","sessionId":$wrong})),
		    like($live->hears('error')->{message},
			qr/^(?:Session not found|Invalid message format)\z/,
			"$_ $wrong") for qw(subscribe unsubscribe);
	}
	for my $wrong ('', ',"sessionId":null') {
		$live->say(qq({"type":"$_"$wrong})),
		    is_deeply($live->hears('error'), { type => 'error',
			message => 'Session ID required' }, "$_ of none")
		    for qw(subscribe unsubscribe);
	}
	is($server->count('subscriptions'), 0, 'nothing is followed');
	$live->leave;
};

subtest 'who hears what' => sub {
	my @all = map { T::Live->enter($server, worker => $_,
		role => (qw(admin bot viewer))[$_ - 1]) } 1 .. 3;
	my $nobody = T::Live->connect($server, worker => 1);
	my $id = session();

	for my $live (@all) {
		is_deeply(plain($live->hears('session.started'), 'seq'), {
			type => 'session.started', stream => 'lobby',
			data => { session => { id => $id, is_active => 1,
				created_at => $admin->get("/api/sessions/$id")
				->{json}{created_at}, notes => undef } } },
			'a session that begins is told to all');
	}
	$all[$_]->follow($id) for 0, 1;
	emit($id, 'custom.a', { from => 1 });
	close_session($id);
	for my $live (@all[0, 1]) {
		my $ended = $live->hears('session.ended');

		is_deeply(plain($ended), { type => 'session.ended',
			stream => "session:$id", seq => 2,
			data => { session => { id => $id, is_active => 0,
				games_played => 0 } } }, 'its end');
		like($ended->{timestamp},
			qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, 'when');
		is_deeply([$live->numbers("session:$id")], [1, 2],
			'and all between');
	}
	ok(settled(@all, $nobody), 'nothing is on its way');
	is($all[2]->events("session:$id"), 0, 'who did not subscribe hears '
		. 'nothing of it');
	is_deeply([$nobody->types], ['pong'],
		'who has not signed in hears nothing at all');
	# Every worker's clients, whichever worker wrote it.
	my $second = session();
	for my $live (@all) {
		is($live->follow($second)->{seq}, 0, 'subscribed');
	}
	for my $worker (1 .. 3) {
		my $writer = T::Client->new($server, worker => $worker,
			role => 'bot');

		is(emit($second, "custom.by$worker", {}, $writer), $worker,
			"written by worker $worker");
	}
	for my $live (@all) {
		ok($live->reaches("session:$second", 3), 'all heard');
		is_deeply([map { /"type":"(.*?)"/ }
			$live->events("session:$second")],
			[map { "custom.by$_" } 1 .. 3], 'in order');
	}
	close_session($second);
	$_->leave for @all, $nobody;
};

subtest 'what goes through unchanged' => sub {
	my $id   = session();
	my $live = T::Live->enter($server, deflate => 1);
	my $data = '{"b":1,  "a":[1.50,"\\u00e9\\n","'
	    . "\xe2\x82\xac" . '"],"big":"' . 'ab' x 900 . '"}';

	$live->follow($id);
	my $answer = $admin->post("/api/sessions/$id/events",
		qq({"type":"custom.x","data":$data}));
	is($answer->{status}, 201, 'written');
	ok($live->reaches("session:$id", 1), 'heard');
	my ($envelope) = $live->events("session:$id");
	is(substr($envelope, index($envelope, '"data":') + 7),
		"$data}", 'to the letter');
	is($live->{inflated}, 1, 'compressed on the way');
	is($envelope, $server->db->query('SELECT payload FROM partyline.event '
		. "WHERE tenant_id = 1 AND stream = 'session:$id'"),
		'and as it is stored');
	close_session($id);
	$live->leave;
};

subtest 'compressed once for all' => sub {
	my $id    = session();
	my @many  = map { T::Live->enter($server, deflate => 1,
		worker => 1) } 1 .. 10;
	my $clear = T::Live->enter($server, worker => 1);

	$_->follow($id) for @many, $clear;
	my $before = $server->count('events_deflated');
	emit($id, 'custom.x', { n => 'x' x 1000 });
	is(scalar(grep { $_->reaches("session:$id", 1) } @many, $clear), 11,
		'all hear it');
	is(scalar(grep { $_->{inflated} } @many), 10, 'ten of them compressed');
	is($server->count('events_deflated') - $before, 1, 'in one go');
	close_session($id);
	$_->leave for @many, $clear;
};

subtest 'heads in pong' => sub {
	my @ids  = map { my $id = session(); close_session($id); $id } 1, 2;
	my $live = T::Live->enter($server);
	my $auth = $live->{auth};

	is_deeply($live->settle, { type => 'pong', heads => { lobby =>
		{ epoch => $auth->{epoch}, seq => $auth->{seq} } } }, 'lobby');
	my %epoch = map { $_ => $live->follow($_)->{epoch} } @ids;
	is_deeply($live->settle->{heads}, { lobby => { epoch =>
		$auth->{epoch}, seq => $auth->{seq} }, map { ("session:$_" =>
		{ epoch => $epoch{$_}, seq => 1 }) } @ids }, 'each stream');
	emit($ids[0], 'custom.x');
	$live->reaches("session:$ids[0]", 2);
	is($live->settle->{heads}{"session:$ids[0]"}{seq}, 2, 'it goes on');
	$live->say({ type => 'unsubscribe', sessionId => $ids[0] });
	is_deeply([sort keys %{ $live->settle->{heads} }],
		['lobby', "session:$ids[1]"], 'only what is followed');
	$live->leave;
};

subtest 'a session that is deleted' => sub {
	my $id  = session();
	my @all = map { T::Live->enter($server, worker => $_) } 1 .. 3;

	$_->follow($id) for @all;
	close_session($id);
	is($admin->delete("/api/sessions/$id")->{status}, 200, 'deleted');
	for my $live (@all) {
		is_deeply($live->hears('unsubscribed', 2), {
			type => 'unsubscribed', sessionId => $id,
			reason => 'deleted' }, 'told within two seconds');
		is_deeply([$live->numbers("session:$id")], [1],
			'after all that there was');
		is_deeply($live->follow($id), { type => 'error',
			message => 'Session not found', sessionId => $id },
			'and no more to be had');
		is_deeply([keys %{ $live->settle->{heads} }], ['lobby'],
			'nor in the heads');
	}
	$_->leave for @all;
	$server->counts(subscriptions => 0);
};

subtest 'tenants never hear each other' => sub {
	my $den  = T::Client->new($server, tenant => 'den');
	my %live = map { $_ => T::Live->enter($server, tenant => $_) }
	    qw(default den);
	my %id = (default => session(), den => session($den));
	my %ear = map { $_ => T::Live->enter($server, tenant => $_,
		worker => undef) } qw(default den);

	isnt($live{default}{auth}{epoch}, $live{den}{auth}{epoch},
		'lobbies of their own');
	is($id{den}, 1, 'ids of their own');
	for my $slug (qw(default den)) {
		is($live{$slug}->hears('session.started')->{data}{session}{id},
			$id{$slug}, "$slug: its session");
	}
	# The same number is another session.
	$_->follow(1) for values %live;
	emit(1, 'custom.den', {}, $den);
	emit(1, 'custom.default');
	is($live{default}->hears(qr/^custom/)->{type}, 'custom.default',
		'default hears its own');
	is($live{den}->hears(qr/^custom/)->{type}, 'custom.den',
		'den hears its own');
	is($live{den}->follow($id{default})->{message}, 'Session not found',
		'what is another tenant\'s is not there')
	    if $id{default} != 1;
	close_session($id{default});
	close_session($id{den}, $den);
	ok(settled(values %live, values %ear), 'nothing is on its way');
	for my $slug (qw(default den)) {
		is(scalar $live{$slug}->heard('session.started'), 1,
			"$slug: one session began");
		is(scalar(grep { /^custom/ } $live{$slug}->types), 1,
			"$slug: one event");
	}
	$_->leave for values %live, values %ear;
};

# What spec/picker.md has, and nothing that an old client would stumble over.
subtest 'a client of old' => sub {
	my $ua = Mojo::UserAgent->new;
	my (@heard, $tx);

	$ua->websocket($server->url($T::Live::path) =~ s/^http/ws/r => sub {
		my (undef, $opened) = @_;

		$tx = $opened;
		$tx->on(json => sub { push @heard, $_[1] }) if
		    $tx->is_websocket;
	});
	my $turn = sub {
		my ($count) = @_;

		wait_until {
			Mojo::IOLoop->one_tick;
			@heard >= $count;
		};
	};
	Mojo::IOLoop->timer($_ / 10 => sub { }) for 1 .. 200;
	wait_until { Mojo::IOLoop->one_tick; $tx };
	ok($tx->is_websocket, 'Mojo::UserAgent is let in');
	my $key = T::Client::token($server, 'default', role => 'bot',
		name => 'Kosmi');
	$tx->send({ json => { type => 'auth', token => $key } });
	$turn->(1);
	my $id = session();
	$turn->(2);
	$tx->send({ json => { type => 'subscribe', sessionId => $id } });
	$turn->(3);
	$tx->send({ json => { type => 'ping' } });
	$turn->(4);
	close_session($id);
	$turn->(5);
	$tx->send({ json => { type => 'unsubscribe', sessionId => $id } });
	$turn->(6);
	is_deeply([map { $_->{type} } @heard], [qw(auth_success
		session.started subscribed pong session.ended unsubscribed)],
		'nothing but what it knows');
	is($heard[0]{message}, 'Authenticated successfully');
	is($heard[1]{data}{session}{id}, $id);
	is($heard[2]{message}, "Subscribed to session $id");
	is($heard[2]{sessionId}, $id);
	is($heard[4]{data}{session}{is_active}, 0);
	ok($_->{timestamp} && $_->{data}, "$_->{type}: an envelope")
	    for @heard[1, 4];
	$tx->finish;
	ok((wait_until { Mojo::IOLoop->one_tick; $server->count('live_clients')
		== 0 }), 'and leaves');
};

$server->counts(live_clients => 0, subscriptions => 0, hubs => 0,
	socks_open => 0, sock_queue_bytes => 0);
done_testing;
