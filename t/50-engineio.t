#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Engine.IO as the protocol has it, on one worker: handshakes and refusals,
# polling, WebSocket, the change from one to the other, heartbeat and ends.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(time);
use T::EngineIo;
use T::Frame;
use T::Http;
use T::Server;
use T::Wait;

my $server = T::Server->start(wait => 'readyz', workers => 1, set => {
	socketio_conformance => 'on', engineio_ping_interval => 300,
	engineio_ping_timeout => 200, engineio_max_payload => 1000000,
	engineio_upgrade_timeout => 400, engineio_close_wait => 30000,
	engineio_upgrades => 'on', engineio_transports => 'both' });
# One whose clients need not answer pings.
my $calm = T::Server->start(wait => 'readyz', workers => 1, set => {
	socketio_conformance => 'on', engineio_upgrade_timeout => 500,
	engineio_max_payload => 100000, socket_queue => 65536 });
my $sep = "\x1e";

sub engine { return T::EngineIo->new($server, @_) }
sub calm   { return T::EngineIo->new($calm, @_) }

# What is queued for it, without waiting.
sub is_unknown {
	my ($engine, $what) = @_;
	my $answer = $engine->get;

	is("$answer->{status} $answer->{body}",
		'400 {"code":1,"message":"Session ID unknown"}', $what);
}

subtest 'a handshake by polling' => sub {
	my $engine = engine();
	my $answer = $engine->get;

	is($answer->{status}, 200, 'it is answered');
	is($answer->{headers}{'content-type'}, 'text/plain; charset=UTF-8',
		'text');
	is($answer->{headers}{'cache-control'}, 'no-store', 'not kept');
	ok(!$answer->{headers}{etag}, 'no tag');
	ok(!$answer->{headers}{'set-cookie'}, 'no cookie');
	is($answer->{headers}{'access-control-allow-origin'}, '*',
		'any page may read it');
	like($answer->{body}, qr/\A0\{"sid":"[\w-]{20}",
	    "upgrades":\["websocket"\],"pingInterval":300,
	    "pingTimeout":200,"maxPayload":1000000\}\z/x, 'five keys');
	isnt($engine->open->{sid}, engine()->open->{sid}, 'each its own');
	is(engine(path => '/engine.io/foo')->get->{status}, 200,
		'below the path too');
	is(engine(path => '/engine.io')->get->{status}, 404,
		'not without the slash');
	is(engine(path => '/t/default/engine.io/')->get->{status}, 200,
		'of a tenant by its prefix');
	is(engine(path => '/t/nobody/engine.io/')->get->{status}, 404,
		'of no tenant');
};

subtest 'refusals' => sub {
	my @words = ('Transport unknown', 'Session ID unknown',
		'Bad handshake method', 'Bad request', 'Forbidden',
		'Unsupported protocol version');
	my @cases = (
		['no transport', 0, query => { transport => undef }],
		['another transport', 0, query => { transport => 'abc' }],
		['both wrong', 0, query => { transport => 'x', EIO => 3 }],
		['a long sid', 1, query => { sid => 'a' x 2000 }],
		['a foreign sid', 1, query => { sid => 'a' x 20 }],
		['an empty sid', 1, query => { sid => '' }],
		['a POST', 2, method => 'POST', body => ''],
		['a PUT', 2, method => 'PUT', body => ''],
		['a POST of an old version', 2, method => 'POST', body => '',
			query => { EIO => 3 }],
		['a WebSocket that is none', 3,
			query => { transport => 'websocket' }],
		['no version', 5, query => { EIO => undef }],
		['an old version', 5, query => { EIO => 3 }],
		['no number', 5, query => { EIO => 'abc' }],
	);

	for my $case (@cases) {
		my ($name, $code, %how) = @$case;
		my $answer = engine()->request(%how);

		is("$answer->{status} $answer->{body}",
			qq(400 {"code":$code,"message":"$words[$code]"}),
			$name);
		is($answer->{headers}{'content-type'}, 'application/json',
			"$name: JSON");
	}
	my @upgrades = (
		['no transport', 0, { transport => undef }],
		['another transport', 0, { transport => 'abc' }],
		['a foreign sid', 1, { sid => 'a' x 20 }],
		['polling', 3, { transport => 'polling' }],
		['no version', 5, { EIO => undef }],
		['an old version', 5, { EIO => 3 }],
	);
	for my $case (@upgrades) {
		my ($name, $code, $query) = @$case;
		my $ws = engine()->websocket(query => $query);

		is($ws->status . ' ' . ($ws->answer->{body} // ''),
			"400 $words[$code]", "an upgrade: $name");
		ok($ws->is_cut, "an upgrade: $name: closed");
	}
	my $engine = engine();
	my $sid = $engine->open->{sid};
	is($engine->request(method => 'PUT', body => '')->{status}, 400,
		'PUT to a session');
	is(engine(sid => $sid, path => '/t/default/engine.io/')
	    ->post('3')->{status}, 200, 'the same tenant by its prefix');
};

subtest 'pages of other origins' => sub {
	my $answer = engine()->request(method => 'OPTIONS', headers => {
		Origin => 'http://a.example',
		'Access-Control-Request-Method' => 'POST',
		'Access-Control-Request-Headers' => 'x-a,content-type' });
	my $h = $answer->{headers};

	is($answer->{status}, 204, 'asked before');
	is($h->{'access-control-allow-origin'}, '*', 'any');
	is($h->{'access-control-allow-methods'}, 'GET,POST', 'methods');
	is($h->{'access-control-allow-headers'}, 'x-a,content-type',
		'headers');
	is(engine()->request(query => { EIO => 3 })
	    ->{headers}{'access-control-allow-origin'}, '*',
		'refusals can be read');
	is(engine()->websocket(headers => { Origin => 'http://a.example' })
	    ->answer->{headers}{'access-control-allow-origin'}, '*',
		'with the 101, too');
};

subtest 'messages by polling' => sub {
	my $engine = calm();

	$engine->open;
	my $answer = $engine->post('4hello');
	is("$answer->{status} $answer->{body}", '200 ok', 'sent');
	is($answer->{headers}{'content-type'}, 'text/html', 'as text');
	is($answer->{headers}{'content-length'}, 2, 'of two bytes');
	is($answer->{headers}{'cache-control'}, 'no-store', 'not kept');
	is($engine->get->{body}, '4hello', 'and back');

	my $waits = $engine->held;
	$engine->post("4a${sep}4b${sep}4c");
	is($waits->answer->{body}, "4a${sep}4b${sep}4c", 'in one answer');
	my $wide = "4\xe2\x82\xac\xc3\xa9\xf0\x9f\x8e\xb2";
	$engine->post($wide);
	is($engine->get->{body}, $wide, 'all of UTF-8');
	$engine->post('4');
	is($engine->get->{body}, '4', 'nothing is a message');
	my $bytes = join '', map { chr } 0 .. 255;
	for my $length (0 .. 4, 256) {
		my $coded = 'b' . encode_base64(substr($bytes, 0, $length),
			'');
		$engine->post("4before$sep$coded");
		is($engine->get->{body}, "4before$sep$coded",
			"$length bytes");
	}
	$engine->post("0${sep}5${sep}6${sep}3${sep}4x");
	is($engine->get->{body}, '4x', 'what means nothing is ignored');
	is($engine->post('4' . 'y' x 99999)->{status}, 200,
		'as large as may be');
	is(length $engine->get->{body}, 100000, 'and back');
	$answer = $engine->post('4' . 'y' x 100000);
	is("$answer->{status} '$answer->{body}'", "413 ''", 'one more');
	$answer = $engine->post('4' . 'y' x 3000000);
	is("$answer->{status} '$answer->{body}'", "413 ''", 'far more');
	$engine->post('4still');
	is($engine->get->{body}, '4still', 'and it lives');
};

subtest 'payloads that are none' => sub {
	my @bad = ('', 'abc', '7', '44' . $sep, "${sep}4a", 'b!', 'bAQI',
		'bAQ==x', 'bAR==', "4\xff", "4\xed\xa0\x80");

	for my $bad (@bad) {
		my $engine = calm();
		my $name = "'" . ($bad =~ s/[^ -~]/./gr) . "'";

		$engine->open;
		is($engine->post($bad)->{status}, 400, "$name: refused");
		is_unknown($engine, "$name: and over");
	}
	my $engine = calm();
	$engine->open;
	my $waits = $engine->held;
	$engine->post("4good${sep}bad${sep}4not");
	is($waits->answer->{body}, "4good${sep}1",
		'what came before is heard; who waits is told');
	$engine = calm();
	$engine->open;
	is($engine->post("4a", headers => { 'Content-Type' =>
		'application/octet-stream' })->{status}, 400, 'bytes');
	is_unknown($engine, 'end it');
	$engine = calm();
	$engine->open;
	is($engine->post('2')->{status}, 200, 'a ping of the client');
	is_unknown($engine, 'ends it');
};

subtest 'two that wait, and one that leaves' => sub {
	my $engine = calm();

	$engine->open;
	my $first = $engine->held;
	my $second = $engine->get;
	is($second->{status}, 400, 'the second is refused');
	my $answer = $first->answer;
	is("$answer->{status} $answer->{body}", '200 1', 'the first is told');
	is_unknown($engine, 'both are over');

	$engine = calm();
	$engine->open;
	$first = $engine->held;
	$engine->post('3');
	$first->close;
	ok((wait_until { $engine->post('3')->{status} == 400 }),
		'who leaves ends it');

	$engine = calm();
	$engine->open;
	$first = $engine->held;
	is($engine->post('1')->{body}, 'ok', 'who says so, too');
	is($first->answer->{body}, '6', 'and is told nothing');
	is_unknown($engine, 'it is over');
};

subtest 'a WebSocket' => sub {
	my $engine = calm();
	my $ws = $engine->connect;

	is(JSON::PP::encode_json($ws->{told}{upgrades}), '[]',
		'no upgrades');
	$ws->send('4hello');
	is($ws->hear, '4hello', 'text');
	$ws->bytes("\0\xff\1");
	is($ws->hear, "b:\0\xff\1", 'bytes');
	$ws->raw(frame(0x89, 'hi'));
	is($ws->hear, 'hi', 'a ping of its own');
	$ws->send($_) for 0, 3, 6, 5, '4x';
	is($ws->hear, '4x', 'what means nothing is ignored');
	is($engine->get->{status}, 400, 'it cannot be polled');
	like($engine->post('4x')->{body}, qr/"code":3/, 'nor posted to');
	$ws->send('1');
	is($ws->hear, 'C1005', 'it says the end');
	ok($ws->is_cut, 'and has it');
	is_unknown($engine, 'unknown');

	my %ends = ('' => 'C1005', abc => 'C1005', 2 => 'C1005',
		'4' . 'x' x 100000 => 'C1009');
	for my $bad (sort keys %ends) {
		$ws = calm()->connect;
		$ws->send($bad);
		is($ws->hear, $ends{$bad}, "'" . substr($bad, 0, 9) . "'");
	}
	$ws = calm()->connect;
	$ws->raw(frame(0x81, '4x', mask => undef));
	is($ws->hear, 'C1002', 'no frame');
	$ws = calm()->connect(deflate => 1);
	$ws->send('4' . 'ab' x 1000);
	is($ws->hear, '4' . 'ab' x 1000, 'compressed');
	is($ws->{first} & 0x40, 0x40, 'both ways');
	$ws = calm()->websocket(behind => frame(0x81, '4early'));
	like($ws->hear, qr/^0/, 'first the handshake');
	is($ws->hear, '4early', 'what came with the request');
};

subtest 'the change' => sub {
	my $engine = calm();

	$engine->open;
	my $waits = $engine->held;
	my $ws = $engine->websocket;
	is($ws->status, 101, 'a probe');
	$engine->post('4a');
	is($waits->answer->{body}, '4a', 'polling goes on');
	$waits = $engine->held;
	$ws->send('2probe');
	is($ws->hear, '3probe', 'answered');
	is($waits->answer->{body}, '6', 'who waits is sent away');
	is($engine->get->{body}, '6', 'who comes, too');
	$engine->post('4b');
	$engine->post('4c');
	$ws->send('5');
	$ws->send('4d');
	is(join(' ', map { $ws->hear } 1 .. 3), '4b 4c 4d', 'in order');
	like($engine->get->{body}, qr/"code":3/, 'no polling');
	like($engine->post('4x')->{body}, qr/"code":3/, 'neither way');
	my $second = $engine->websocket;
	is($second->hear, 'C1005', 'no second one');
	$ws->send('4e');
	is($ws->hear, '4e', 'the first lives');
	$ws->hang_up;
	ok((wait_until { $engine->get->{body} =~ /"code":1/ }),
		'it ends with its socket');

	for my $bad ('4x', '5', '2', 'abc', '') {
		$engine = calm();
		$engine->open;
		$ws = $engine->websocket;
		my $other = $engine->websocket;
		is($other->hear, 'C1005', 'one probe at a time');
		$ws->send($bad);
		is($ws->hear, 'C1005', "a probe that says '$bad'");
		$engine->post('4on');
		is($engine->get->{body}, '4on', 'polling goes on');
		is($engine->upgrade->status, 101, 'it may try again');
	}
	$engine = calm();
	$engine->open;
	$ws = $engine->websocket;
	$ws->send('2probe');
	is($ws->hear, '3probe', 'a probe that says no more');
	is($ws->hear, 'C1005', 'is closed in time');
	$engine->post('4on');
	is($engine->get->{body}, '4on', 'polling goes on');
	$ws = $engine->websocket;
	$ws->send('2probe');
	$ws->hear;
	$ws->hang_up;
	$engine->post('4again');
	is($engine->get->{body}, '4again', 'a probe that is cut');
};

subtest 'the heartbeat' => sub {
	my $engine = engine();
	my $from = time;

	$engine->open;
	is($engine->get->{body}, '2', 'a ping');
	my $took = time - $from;
	cmp_ok($took, '>=', 0.299, 'not before its time');
	cmp_ok($took, '<', 0.3 + 0.2 * ($ENV{T_SLOW} || 1), 'nor late');
	for (1 .. 3) {
		$engine->post('3');
		is($engine->get->{body}, '2', 'and again');
	}
	$engine->post('4x');
	is($engine->get->{body}, '4x', 'other traffic');
	$from = time;
	my $answer = $engine->get;
	cmp_ok(time - $from, '<', 0.2 + 0.2 * ($ENV{T_SLOW} || 1),
		'is no pong');
	is($answer->{body}, '1', 'and it ends');
	is_unknown($engine, 'unknown');

	$engine = engine();
	$engine->open;
	pause(0.5);
	is_unknown($engine, 'exactly then');

	my $ws = engine()->connect;
	is($ws->hear, '2', 'over a WebSocket');
	$ws->send('3');
	is($ws->hear, '2', 'again');
	is($ws->hear, 'C1005', 'no pong');
	ok($ws->is_cut, 'the end');

	$engine = engine();
	$engine->open;
	$ws = $engine->upgrade;
	is($ws->hear, '2', 'across the change');
	$ws->send('3');
	is($ws->hear, '2', 'it goes on');
};

subtest 'a queue that nobody fetches' => sub {
	my $engine = calm();

	$engine->open;
	$engine->post('4' . 'x' x 30000) for 1 .. 4;
	is_unknown($engine, 'is bounded');
	cmp_ok($calm->count('sock_overflows'), '>', 0, 'and counted');
};

subtest 'counted' => sub {
	cmp_ok($calm->count('engineio_sessions'), '>', 10, 'sessions');
	cmp_ok($calm->count('engineio_messages'), '>', 10, 'messages');
	cmp_ok($calm->count('engineio_upgrades'), '>', 4, 'upgrades');
	cmp_ok($calm->count('engineio_faults'), '>', 10, 'faults');
	cmp_ok($calm->count('engineio_clients'), '>', 0, 'open ones');
	ok((wait_until { $server->count('engineio_clients') == 0 }),
		'none where none answers pings');
	ok((wait_until { $server->count('connections_open') == 0 }),
		'and no connection');
};

done_testing;
