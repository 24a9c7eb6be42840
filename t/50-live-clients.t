#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Clients that other people wrote: ws of node, websockets of Python, curl. They
# have opinions of their own about frames, extensions and chunks.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IPC::Open2 qw(open2);
use JSON::PP   ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Live;
use T::Run;
use T::Server;
use T::Wait;

my $json    = JSON::PP->new->utf8->canonical->allow_nonref;
my $clients = T::Run::source() . '/t/lib/clients';
my $server  = T::Server->prepare(workers => 2, conf => {
	drain_spread => '500ms', live_silence => '3s', live_ping => '500ms',
	live_message_max => 20000, public_read => 'on' });

for my $words (['add', 'den'], ['set', 'den',
	'origins=https://page.example']) {
	my $said = $server->partyline('tenant', @$words, '--set',
		'database_url=' . $server->db->url);

	is($said->{exit}, 0, "tenant @$words") or diag $said->{err};
}
$server->spawn;
ok($server->wait_ready('readyz'), 'the server is ready');
my $admin = T::Client->new($server);

sub session {
	$admin->hang_up;
	return $admin->closed_session;
}

# Events until the number; whoever would have taken one may be killed.
sub emit {
	my ($id, $last) = @_;

	wait_until {
		my $answer = $admin->post("/api/sessions/$id/events",
			{ type => 'custom.n', data => { is => 'x' x 300 } });

		$admin->hang_up if !$answer->{status};
		($answer->{json}{seq} // 0) >= $last;
	} 30 or die "number $last cannot be written\n";
	return;
}

# Runs until we are gone: its own end ends whatever it runs.
sub driven {
	my (@words) = @_;

	local $ENV{NODE_PATH} = '/usr/share/nodejs';
	my $pid = open2(my $out, my $in, qw(setpriv --pdeathsig TERM timeout
		200), @words);

	$in->autoflush;
	return { in => $in, out => $out, got => '', pid => $pid,
		name => $words[-1] };
}

# What it answers to a word.
sub order {
	my ($client, $word, $argument) = @_;
	my $deadline = deadline_in(20);

	print { $client->{in} } $json->encode([$word, $argument]), "\n";
	while (index($client->{got}, "\n") < 0) {
		my $left = $deadline - time;

		IO::Select->new($client->{out})->can_read($left > 0 ? $left
			: 0) && sysread $client->{out}, $client->{got}, 65536,
		    length $client->{got}
		    or die "$client->{name}: no answer to $word\n";
	}
	$client->{got} =~ s/\A(.*)\n//;
	return $json->decode($1);
}

sub say_json {
	my ($client, $message, $parts) = @_;

	return order($client, say => { parts => $parts // 1, text =>
		JSON::PP->new->canonical->encode($message) });
}

sub enter {
	my ($client, $is_deflated) = @_;
	my $url = 'ws://' . $server->address . '/api/sessions/live';
	my $answer = order($client, connect => { url => $url, deflate =>
		$is_deflated ? JSON::PP::true : JSON::PP::false });

	say_json($client, { type => 'auth', token => $admin->{token} });
	order($client, hear => 'auth_success') or die "not signed in\n";
	return $answer->{agreed};
}

sub talks {
	my ($client, $is_deflated) = @_;
	my $agreed = enter($client, $is_deflated);
	my $id = session();
	my $word = "\x{1f389}\x{e9}\x{10ffff}\x{2028}";

	like($agreed, $is_deflated ? qr/^permessage-deflate; / : qr/^$/,
		"agreed: '$agreed'");
	say_json($client, { type => 'subscribe', sessionId => $id });
	is(order($client, hear => 'subscribed')->{seq}, 1, 'subscribed');
	for my $length (0, 300, 800) {
		my $data = { word => $word . 'ab' x $length };

		$admin->post("/api/sessions/$id/events", { type =>
			'custom.word', data => $data });
		is_deeply(order($client, hear => 'custom.word')->{data}, $data,
			"an event, $length");
	}
	for my $parts (1, 2, 7) {
		say_json($client, { type => 'ping', pad => $word x 500 },
			$parts);
		is(order($client, hear => 'pong')->{heads}{"session:$id"}{seq},
			4, "heard in $parts parts");
	}
	is(order($client, ping => $_), $_, 'a ping of its own')
	    for 'x', 'y' x 125;
	$admin->ask(post => "/api/sessions/$id/events", { type => 'custom.n',
		data => { n => $_, x => 'x' x (8 * $_) } }) for 5 .. 54;
	$admin->take for 5 .. 54;
	my @numbers = map { order($client, hear => 'custom.n')->{seq} }
	    5 .. 54;
	is("@numbers", join(' ', 5 .. 54), 'fifty at once, in order');
	is(order($client, leave => 1000)->{code}, 1000, 'it closes');
	return;
}

my %foreign = (
	ws         => driven('node', "$clients/node.js"),
	websockets => driven('/usr/bin/python3', "$clients/python.py"),
);

for my $name (sort keys %foreign) {
	my $client = $foreign{$name};

	subtest "$name, compressed" => sub { talks($client, 1) };
	subtest "$name, in clear" => sub { talks($client, 0) };
	subtest "$name is closed" => sub {
		enter($client, 1);
		say_json($client, { type => 'x' x 20000 });
		my $end = order($client, 'closed');
		is($end->{code}, 1009, 'a message too long');
		is_deeply($json->decode($end->{reason}), { code =>
			'message_too_long', again => 'never' }, 'and why');
		is_deeply(order($client, connect => { deflate => 0, origin =>
			"https://$_.example", url => 'ws://'
			. $server->address . '/t/den/api/sessions/live' })
			->{status}, $_ eq 'page' ? 101 : 403,
			"a page of $_.example") for qw(other page);
		order($client, leave => 1000);
	};
}

# Whoever answers nothing is closed after those who were there before him.
subtest 'silence and a reload' => sub {
	enter($_, 1) for values %foreign;
	for (1 .. 2) {
		my $mute = T::Live->enter($server, answers => 0);

		is_closed($mute, 4008, 'silent');
	}
	ok(order($foreign{$_}, 'is_open'), "$_ answers pings")
	    for sort keys %foreign;
	$server->hup;
	for my $name (sort keys %foreign) {
		my $end = order($foreign{$name}, 'closed');
		my $why = $json->decode($end->{reason});

		is($end->{code}, 1012, "$name: the worker leaves");
		is("$why->{code} $why->{again}", 'draining now', 'and why');
		like($why->{retry_after_ms}, qr/^\d+\z/, 'and when');
	}
	ok((wait_until { $server->worker_pids == 2 } 20), 'reloaded');
};

subtest 'curl' => sub {
	my $id = session();
	my $at = $server->url("/api/sessions/$id");
	my %curl = (stream => driven('sh', "$clients/sse.sh", "$at/stream",
		$server->dir . '/last-id'),
		poll => driven('sh', "$clients/poll.sh", "$at/events"));
	my $last = 1;

	for my $round (1 .. 3) {
		emit($id, $last += 7);
		$server->lose_worker($_) for $server->worker_pids;
		emit($id, $last += 7);
		for my $name (sort keys %curl) {
			my $client = $curl{$name};
			my $deadline = deadline_in(20);

			while ($client->{got} !~ /^$last$/m
			    && time < $deadline) {
				IO::Select->new($client->{out})->can_read(0.1)
				    && sysread $client->{out}, $client->{got},
				    65536, length $client->{got};
			}
			is(join(' ', split ' ', $client->{got}),
				join(' ', 1 .. $last), "$name, round $round");
		}
	}
	kill TERM => $_->{pid} for values %curl;
	waitpid $_->{pid}, 0 for values %curl;
};

close $_->{in} for values %foreign;
for my $name (sort keys %foreign) {
	waitpid $foreign{$name}{pid}, 0;
	is($?, 0, "$name ends well");
}
$server->counts(live_clients => 0, sse_clients => 0);
done_testing;
