#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Socket.IO as the protocol has it, to the letter, by polling and by
# WebSocket: coming into namespaces and leaving them, events, answers,
# attachments, and whatever closes the connection. The application is the one
# for test suites; requests come to either of two workers.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Server;
use T::SocketIo;
use T::Wait;

my $server = T::Server->start(wait => 'readyz', workers => 2, set => {
	socketio_conformance => 'on', socketio_connect_timeout => 400,
	socketio_attachments => 3, engineio_ping_interval => 60000,
	engineio_close_wait => 200 });

sub connected {
	my (%options) = @_;

	return T::SocketIo->connect($server, %options);
}

sub inside {
	my $client = connected(@_);

	$client->enter('/');
	is($client->hear, '2["auth",{}]', 'it is told what it came with');
	return $client;
}

for my $by (@T::SocketIo::by) {
	subtest "namespaces, by $by" => sub {
		my $client = connected(by => $by);

		$client->say('0{"token":"12\u0033", "a":[1.50]}');
		like($client->hear, qr/\A0\{"sid":"[\w-]{20}"\}\z/, 'let in');
		is($client->hear, '2["auth",{"token":"12\u0033", "a":[1.50]}]',
			'what it came with is handed on as it was written');
		my $first = $client->enter('/custom', '{"a":1}');
		is($client->hear, '2/custom,["auth",{"a":1}]', 'another one');
		$client->say('0/nope,{}');
		is($client->hear, '4/nope,{"message":"Invalid namespace"}',
			'one that is not there');
		$client->say('0/nope');
		is($client->hear, '4/nope,{"message":"Invalid namespace"}',
			'and again: the connection stays');
		$client->say('1/custom,');
		is_deeply([$client->settle], [], 'who leaves is told nothing');
		isnt($client->enter('/custom'), $first,
			'who comes back is another one');
		isnt($first, $client->{engine}{sid},
			'the secret of the session is not told');
	};

	subtest "events and answers, by $by" => sub {
		my $client = inside(by => $by);

		$client->say('2["message", 1, "2" ,{"3":[true]}]');
		is($client->hear, '2["message-back",1, "2" ,{"3":[true]}]',
			'arguments come back as they were written');
		$client->say('2["message"]');
		is($client->hear, '2["message-back"]', 'none');
		$client->say('2["m\u0065ssage","\ud800",1e999]');
		is($client->hear, '2["message-back","\ud800",1e999]',
			'nobody here has to understand them');
		$client->say('2456["message-with-ack",1,"2",{"3":[false]}]');
		is($client->hear, '3456[1,"2",{"3":[false]}]', 'an answer');
		$client->say('20["message-with-ack"]');
		is($client->hear, '30[]', 'an answer of nothing');
		$client->say('2["message-with-ack",1]');
		$client->say('27["nobody-knows",1]');
		$client->say('2[7]');
		$client->say('399[1]');
		is_deeply([$client->settle], [],
			'none where none is wanted, or nobody has one');
	};

	subtest "attachments, by $by" => sub {
		my $client = inside(by => $by);
		my $bytes  = join '', map { chr } 0 .. 255;

		$client->say('52-["message",{"_placeholder":true,"num":0},'
			. '{"a":{"num":1,"_placeholder":true}}]', $bytes, '');
		is($client->hear, '52-["message-back",{"_placeholder":true,'
			. '"num":0},{"a":{"num":1,"_placeholder":true}}]',
			'in their places');
		is($client->hear, "b:$bytes", 'the first');
		is($client->hear, 'b:', 'the second, which is empty');
		$client->say('52-789["message-with-ack",{"_placeholder":true,'
			. '"num":1},{"_placeholder":true,"num":0}]', 'x', 'y');
		is($client->hear, '62-789[{"_placeholder":true,"num":0},'
			. '{"_placeholder":true,"num":1}]', 'an answer');
		is($client->hear, 'b:y', 'in the order of their places');
		is($client->hear, 'b:x', 'as they are numbered anew');
		$client->say('51-["message"]', 'unused');
		is($client->hear, '2["message-back"]', 'one that is not used');
		is_deeply([$client->settle], [], 'that was all');
	};
}

# What follows the packet is never worked on.
my @broken = ('', '7', 'abc', '2', '2{}', '2[]', '2[{}]', '2["a"', '2["a"]]',
	'2abc["message-with-ack"]', '2["connect"]', '2["disconnecting"]',
	'2["newListener"]', '3', '3["no id"]', '31{}', '1[]', '0', '0{}', '0[]',
	'0"x"', '0{', '4{"message":"no"}', '2/custom,["a"]', '1/custom',
	'2/nope,["a"]', '5["a"]', '5-["a"]', '54-["a"]', '5-1-["a"]',
	'51.5-["a"]', '51-["a",{"_placeholder":true,"num":1}]',
	'51-["a",{"_placeholder":true,"num":"0"}]', '6-1[]',
	"2[\"\xff\"]");

subtest 'what breaks the protocol closes the connection' => sub {
	for my $by (@T::SocketIo::by) {
		for my $broken (@broken) {
			my $client = connected(by => $by);

			$client->enter('/');
			$client->hear;
			$client->post("4$broken", '42["message"]');
			ok($client->is_over(5), "$by: $broken")
			    or diag 'it is still open';
			is($client->hear(0), undef, 'nothing was said');
		}
	}
};

subtest 'attachments in the wrong place close the connection' => sub {
	for my $by (@T::SocketIo::by) {
		my $client = inside(by => $by);

		$client->post('b:not announced');
		ok($client->is_over(5), "$by: not announced");
		$client = inside(by => $by);
		$client->say('51-["message"]');
		$client->say('2["message"]');
		ok($client->is_over(5), "$by: text where one is due");
		$client = inside(by => $by);
		$client->say('51-["message"]', 'one', 'two');
		ok($client->is_over(5), "$by: one too many");
	}
};

subtest 'who comes into no namespace has to leave' => sub {
	my $quick   = inside();
	my $refused = connected();
	my $silent  = connected(by => 'polling');

	$refused->say('0/nope');
	ok($refused->is_over(5), 'one who was refused');
	ok($silent->is_over(5), 'one who said nothing');
	is_deeply([$quick->settle], [], 'one who came in stays');
	$quick->say('1');
	$quick->say('0/nope');
	is($quick->hear, '4/nope,{"message":"Invalid namespace"}',
		'and may come back whenever he likes');
};

subtest 'a change to WebSocket in the middle of an event' => sub {
	my $client = inside(by => 'polling');

	$client->say('52-["message",{"_placeholder":true,"num":0}]', 'one');
	$client->upgrade;
	$client->post('b:two');
	is($client->hear, '51-["message-back",{"_placeholder":true,"num":0}]',
		'it is put together');
	is($client->hear, 'b:one', 'of what came by both ways');
};

subtest 'what is counted' => sub {
	my $now = $server->numbers;

	ok($now->{$_} > 0, "$_: $now->{$_}") for qw(socketio_connects
		socketio_events socketio_faults);
};

done_testing;
