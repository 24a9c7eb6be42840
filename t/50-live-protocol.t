#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# WebSocket itself over real connections, in clear and under TLS: what RFC
# 6455 and RFC 7692 demand of a server. Frame by frame that is
# t/unit/frame.c's; here is what becomes of it on the line.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Certificate;
use T::Frame;
use T::Live;
use T::Server;
use T::Wait;

my $tls = T::Certificate->new;

my $server = T::Server->start(wait => 'readyz', workers => 1, set => {
	$tls->options, live_messages => 100000,
	live_message_max => 70000 });

my $ping = '{"type":"ping"}';
my $wide = '{"type":"x' . "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xb2" . '"}';

sub long { return $ping . ' ' x ($_[0] - length $ping) }
sub text { return frame(0x81, $_[0] // $ping) }
sub bye  { return frame(0x88, defined $_[0] ? close_payload(@_) : '') }

# { name, what is sent, what comes: types of messages, O(payload) for a pong,
# C<code> <why> for a close. } Where no close comes the connection is alive.
my @cases = (
	['a text', text(), 'pong'],
	['a binary message is JSON as well', frame(0x82, $ping), 'pong'],
	['two in one', text() . text(), 'pong pong'],
	['an empty text', text(''), 'error'],
	['125 bytes', text(long(125)), 'pong'],
	['126 bytes', text(long(126)), 'pong'],
	['65,535 bytes', text(long(65535)), 'pong'],
	['65,536 bytes', text(long(65536)), 'pong'],
	['as long as may be', text(long(70000)), 'pong'],
	['one byte longer', text(long(70001)), 'C1009 message_too_long'],
	['a length that is a lie', substr(frame(0x81, '', length => 64), 0, 2)
		. "\x7f\xff\xff\xff\xff\xff\xff\xff", 'C1009 message_too_long'],
	['a negative length', "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		'C1002 protocol_error'],
	['a length longer than it need be', frame(0x81, $ping, length => 16),
		'C1002 protocol_error'],
	['far longer than it need be', frame(0x81, $ping, length => 64),
		'C1002 protocol_error'],
	['a mask of zeros', frame(0x81, $ping, mask => "\0\0\0\0"), 'pong'],

	['in two parts', frame(0x01, substr $ping, 0, 5)
		. frame(0x80, substr $ping, 5), 'pong'],
	['in many parts', frame(0x01, '{')
		. join('', map { frame(0x00, $_) }
		    split //, substr $ping, 1, -1) . frame(0x80, '}'), 'pong'],
	['empty parts', frame(0x01, '') . frame(0x00, '')
		. frame(0x00, $ping) . frame(0x80, ''), 'pong'],
	['a ping between parts', frame(0x01, substr $ping, 0, 5)
		. frame(0x89, 'hear me') . frame(0x80, substr $ping, 5),
		'O(hear me) pong'],
	['several of them', frame(0x01, '{') . frame(0x89, 'a')
		. frame(0x8a, 'x') . frame(0x00, substr $ping, 1, 4)
		. frame(0x89, 'b') . frame(0x80, substr $ping, 5),
		'O(a) O(b) pong'],
	['a close between parts', frame(0x01, $ping) . bye(1000), 'C1000'],
	['parts in sum too long', frame(0x01, long(60000))
		. frame(0x00, ' ' x 10000) . frame(0x80, ' '),
		'C1009 message_too_long'],
	['a text within a message', frame(0x01, $ping) . text(),
		'C1002 protocol_error'],
	['a continuation of nothing', frame(0x80, $ping),
		'C1002 protocol_error'],
	['a continuation after the last', text() . frame(0x80, $ping),
		'pong C1002 protocol_error'],
	['a ping in parts', frame(0x09, 'x'), 'C1002 protocol_error'],
	['a close in parts', frame(0x08, "\x03\xe8"), 'C1002 protocol_error'],

	['a ping', frame(0x89, ''), 'O()'],
	['a ping with a payload', frame(0x89, "\0\xff bytes"),
		"O(\0\xff bytes)"],
	['a ping as long as may be', frame(0x89, 'x' x 125),
		'O(' . 'x' x 125 . ')'],
	['a ping too long', frame(0x89, 'x' x 126), 'C1002 protocol_error'],
	['three pings', join('', map { frame(0x89, $_) } 1 .. 3),
		'O(1) O(2) O(3)'],
	['a pong nobody asked for', frame(0x8a, 'unasked') . text(), 'pong'],
	['a pong too long', frame(0x8a, 'x' x 126), 'C1002 protocol_error'],

	['an unmasked text', frame(0x81, $ping, mask => undef),
		'C1002 protocol_error'],
	['an unmasked ping', frame(0x89, '', mask => undef),
		'C1002 protocol_error'],
	['an unmasked close', frame(0x88, close_payload(1000), mask => undef),
		'C1002 protocol_error'],
	['a good one, then an unmasked one', text()
		. frame(0x81, $ping, mask => undef),
		'pong C1002 protocol_error'],
	(map {
		[sprintf('reserved bits %02x', $_), frame(0x81 | $_, $ping),
			'C1002 protocol_error']
	} 0x10, 0x20, 0x40, 0x70),
	(map {
		[sprintf('opcode %x', $_), frame(0x80 | $_, $ping),
			'C1002 protocol_error']
	} 3 .. 7, 11 .. 15),
	['compressed, which was not agreed', frame(0xc1, deflated($ping)),
		'C1002 protocol_error'],

	['all of UTF-8', text($wide), 'error'],
	['a letter cut by parts', frame(0x01, substr $wide, 0, 11)
		. frame(0x80, substr $wide, 11), 'error'],
	(map {
		[unpack('H*', $_) . ' is no text', text(qq({"type":"$_"})),
			'C1007 text_invalid']
	} "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
		"\x80"),
	['a text that ends in a letter', text("{}\xe2\x82"),
		'C1007 text_invalid'],
	['no text, seen in its first part', frame(0x01, "\xff"),
		'C1007 text_invalid'],
	['bytes in a binary message', frame(0x82, "{\"type\":\"\xff\"}"),
		'error'],

	['a close', bye(1000), 'C1000'],
	['a close without a code', bye(), 'C1000'],
	['a close with a reason', bye(1000, 'goodbye'), 'C1000'],
	(map { ["the code $_", bye($_), "C$_"] } 1001, 1003, 1011, 1012,
		3000, 3999, 4000, 4999),
	(map { ["the code $_, which must not travel", bye($_),
		'C1002 protocol_error'] } 0, 999, 1004, 1005, 1006, 1015, 1016,
		2999, 5000, 65535),
	['a close of one byte', frame(0x88, 'x'), 'C1002 protocol_error'],
	['a close whose reason is no text', bye(1000, "\xff"),
		'C1007 text_invalid'],
	['a reason as long as may be', bye(1000, 'x' x 123), 'C1000'],
	['a reason too long', bye(1000, 'x' x 124), 'C1002 protocol_error'],
	['whatever comes behind a close', bye(1000) . text() . 'garbage',
		'C1000'],
	['a request in place of a frame', "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		'C1002 protocol_error'],
);

# The same once permessage-deflate was agreed on; M: messages came compressed.
my $broken = deflated($ping);
substr $broken, 0, 1, "\x07";
my @deflated = (
	['in clear', text(), 'pong'],
	['compressed', frame(0xc1, deflated($ping)), 'pong'],
	['compressed twice', frame(0xc1, deflated($ping)) x 2, 'pong pong'],
	['compressed bytes', frame(0xc2, deflated($ping)), 'pong'],
	['compressed, in parts', frame(0x41, substr deflated($ping), 0, 3)
		. frame(0x89, 'a') . frame(0x80, substr deflated($ping), 3),
		'O(a) pong'],
	['nothing, compressed', frame(0xc1, deflated('')), 'error'],
	['no bytes, which even nothing has', frame(0xc1, ''),
		'C1007 text_invalid'],
	['as long as may be', frame(0xc1, deflated(long(70000))), 'pong'],
	['one byte longer', frame(0xc1, deflated(long(70001))),
		'C1009 message_too_long'],
	['a bomb', frame(0xc1, deflated(' ' x 50_000_000)),
		'C1009 message_too_long'],
	['a broken one', frame(0xc1, $broken), 'C1007 text_invalid'],
	['no text in it', frame(0xc1, deflated("{\"type\":\"\xff\"}")),
		'C1007 text_invalid'],
	['a compressed ping', frame(0xc9, deflated('a')),
		'C1002 protocol_error'],
	['a compressed close', frame(0xc8, "\x03\xe8"),
		'C1002 protocol_error'],
	['a part that says it again', frame(0x41, deflated($ping))
		. frame(0xc0, ''), 'C1002 protocol_error'],
	['other reserved bits', frame(0xe1, deflated($ping)),
		'C1002 protocol_error'],
);

# What came, as the table says it.
sub told {
	my ($live) = @_;
	my @told;

	for my $frame (@{ $live->{frames} }) {
		my $kind = $frame->{first} & 15;

		if ($kind == 8) {
			my ($code, $reason) = close_of($frame->{payload});
			my ($why) = $reason =~ /"code":"(\w+)"/;

			push @told, "C$code" . ($why ? " $why" : '');
		} elsif ($kind == 10) {
			push @told, "O($frame->{payload})";
		} else {
			my $text = $frame->{first} & 0x40
			    ? inflated($frame->{payload}) : $frame->{payload};

			push @told, $text =~ /\A\{"type":"(\w+)"/;
		}
	}
	return join ' ', @told;
}

# Sent whole, or a byte after the other, behind the handshake or with it.
sub plays {
	my ($case, $how, %options) = @_;
	my ($name, $bytes, $expected) = @$case;
	my $live = T::Live->connect($server, %options,
		$how eq 'at once' ? (behind => $bytes) : ());

	$live->{frames} = [];
	if ($how eq 'byte by byte') {
		$live->send($_) or last for split //, $bytes;
	} elsif ($how eq 'whole') {
		$live->send($bytes);
	}
	if ($expected =~ /C\d+/) {
		$live->code;
		$live->wait_for(sub { !$live->{is_open} });
		is(told($live), $expected, "$name, $how");
		ok(!$live->{is_open}, "$name, $how: and the line");
	} else {
		my $alive = $live->is_through;
		is(told($live), $expected, "$name, $how");
		ok($alive, "$name, $how: it lives");
		$live->leave;
	}
	$live->hang_up;
	return;
}

subtest 'in clear' => sub {
	plays($_, 'whole') for @cases;
};

subtest 'a byte after the other' => sub {
	plays($_, 'byte by byte') for grep { length $_->[1] < 200 } @cases;
};

subtest 'with the handshake' => sub {
	plays($_, 'at once') for grep { length $_->[1] < 20000 } @cases;
};

subtest 'compressed' => sub {
	plays($_, 'whole', deflate => 1) for @deflated;
	plays($_, 'byte by byte', deflate => 1)
	    for grep { length $_->[1] < 200 } @deflated;
};

subtest 'under TLS' => sub {
	plays($_, 'whole', tls => $tls->address)
	    for grep { $_->[0] =~ /^(?:a text|two|65,536|as long|one byte|in
		two|a\ ping\b|an\ unmasked\ t|a\ close)/x } @cases;
	plays($_, 'whole', tls => $tls->address, deflate => 1)
	    for @deflated[1, 2, 7, 9];
};

# Offers, and what is agreed on.
subtest 'permessage-deflate' => sub {
	my $name   = 'permessage-deflate';
	my $agreed = "$name; server_no_context_takeover; "
	    . 'client_no_context_takeover';
	my %answer = (
		$name                                   => $agreed,
		"$name; client_max_window_bits"         => $agreed,
		"$name; client_max_window_bits=8"       => $agreed,
		"$name; server_no_context_takeover"     => $agreed,
		"foo, $name"                            => $agreed,
		"$name; foo, $name"                     => $agreed,
		"$name; server_max_window_bits=15"      =>
			qr/^\Q$agreed\E; server_max_window_bits=\d+\z/,
		"$name; server_max_window_bits=8"       => undef,
		"$name; foo"                            => undef,
		"$name; client_max_window_bits=16"      => undef,
		"$name; server_no_context_takeover=1"   => undef,
		'x-webkit-deflate-frame'                => undef,
		'foo'                                   => undef,
		''                                      => undef,
		',,;='                                  => undef,
	);

	for my $offer (sort keys %answer) {
		my $live = T::Live->connect($server, headers =>
			{ 'Sec-WebSocket-Extensions' => $offer });
		my $said = $live->answer->{headers}
		    {'sec-websocket-extensions'};
		my $wanted = $answer{$offer};

		is($live->answer->{status}, 101, "'$offer': in");
		ref $wanted ? like($said, $wanted, "'$offer': agreed")
		    : is($said, $wanted, "'$offer': "
			. ($wanted ? 'agreed' : 'in clear'));
		$live->{frames} = [];
		$live->send(frame(defined $said ? 0xc1 : 0x81,
			defined $said ? deflated($ping) : $ping));
		is($live->hears('pong')->{type}, 'pong', "'$offer': heard");
		$live->leave;
	}
};

# Long answers are compressed, short ones are not; each by itself.
subtest 'compressed both ways' => sub {
	my $live = T::Live->enter($server, deflate => 1);
	my $plain = T::Live->enter($server);

	$live->{frames} = $plain->{frames} = [];
	for my $n (1 .. 3) {
		$live->send(frame(0xc1, deflated(qq({"type":")
			. 'x' x 1000 . '"}')));
		$live->hears('error');
	}
	$live->settle;
	my @firsts = map { $_->{first} } @{ $live->{frames} };
	is_deeply([@firsts], [(0x81) x 4], 'short ones are not');
	# A long one: the state of a session with notes.
	my $admin = T::Client->new($server);
	my $id = $admin->post('/api/sessions', { notes => 'ab' x 500 })
	    ->{json}{id};
	$_->hears('session.started') for $live, $plain;
	is($live->{inflated}, 1, 'an event is');
	my $answer = $live->follow($id, since => 5);
	is($answer->{resync}{state}{notes}, 'ab' x 500, 'an answer');
	is($live->{inflated}, 2, 'is as well');
	is($plain->{inflated}, undef, 'who did not ask for it hears clear');
	is(($live->events('lobby'))[0], ($plain->events('lobby'))[0],
		'the same words');
	$_->leave for $live, $plain;
};

# We begin the closing; the client ends it, or does not.
subtest 'who closes' => sub {
	for my $at (undef, $tls->address) {
		my @more = defined $at ? (tls => $at) : ();
		my $name = defined $at ? 'under TLS' : 'in clear';
		my $live = T::Live->connect($server, @more);

		$live->say('x' x 70001);
		my $code = $live->code;
		is($code, 1009, "$name: ours first");
		$live->wait_for(sub { !$live->{is_open} });
		ok(!$live->{is_open}, "$name: and then the line");
		my $mute = T::Live->connect($server, @more, answers => 0);
		$mute->say('x' x 70001);
		is($mute->code, 1009, "$name: whoever does not answer");
		$mute->wait_for(sub { !$mute->{is_open} }, 8);
		ok(!$mute->{is_open}, "$name: is not waited for for ever");
		$_->hang_up for $live, $mute;
		# Without a word.
		my $gone = T::Live->enter($server, @more);
		$gone->hang_up;
	}
};

$server->counts(live_clients => 0, subscriptions => 0, hubs => 0,
	socks_open => 0, sock_queue_bytes => 0);
cmp_ok($server->count('live_faults'), '>', 50, 'faults are counted');
done_testing;
