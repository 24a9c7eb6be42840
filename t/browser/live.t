#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# A real browser at all three live doors, with pages of another origin: what
# it offers, asks beforehand, may read and does by itself when it is cut off.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use T::Chromium;
use T::Client;
use T::Live;
use T::Pages;
use T::Run;
use T::Server;
use T::Wait;

sub slurp {
	my ($path) = @_;

	open my $file, '<:raw', $path or die "$path: $!\n";
	local $/;
	return scalar <$file>;
}

my $html = slurp(T::Run::source() . '/t/browser/page.html');
my $host = T::Server::own_host();
my $server = T::Server->prepare(workers => 2, conf => {
	public_read => 'on', drain_spread => '1s' });
my ($ours, $foreign) = map {
	my $second = $_;
	T::Pages->start($html, $host =~ s/^127\.(\d+)/127.$second/r)
} 128, 129;
my $front = T::Pages->start($html, $host, $server->address);

# The tenant den is for our pages alone, and nobody reads without a token.
for my $words (['add', 'den'], ['set', 'den', 'public_read=off',
	'origins=https://elsewhere.example ' . $ours->origin]) {
	my $said = $server->partyline('tenant', @$words, '--set',
		'database_url=' . $server->db->url);

	is($said->{exit}, 0, "tenant @$words") or diag $said->{err};
}
$server->spawn;
ok($server->wait_ready('readyz'), 'the server is ready');

my %base    = (default => $server->url, den => $server->url('/t/den'));
my %writer  = map { $_ => T::Client->new($server, tenant => $_) } keys %base;
my $browser = T::Chromium->start;
my $page    = $browser->page($ours->url);

diag $browser->{product};

# A session that is over, so that there may be more of them: its end is event
# number 1.
sub session {
	my ($tenant, %about) = @_;
	my $writer = $writer{$tenant};

	$writer->hang_up;
	my $made = $writer->post('/api/sessions', { %about });
	my $id = $made->{json}{id} // die "no session: $made->{body}\n";
	$writer->post("/api/sessions/$id/close")->{status} == 200
	    or die "session $id is not closed\n";
	return $id;
}

# Events until the number; whoever would have taken one may be killed.
sub emit {
	my ($tenant, $id, $last, %data) = @_;

	wait_until {
		my $answer = $writer{$tenant}->post(
			"/api/sessions/$id/events",
			{ type => 'custom.n', data => { %data } });

		$writer{$tenant}->hang_up if !$answer->{status};
		die "$answer->{body}\n" if $answer->{status} =~ /^4/;
		($answer->{json}{seq} // 0) >= $last;
	} 30 or die "number $last cannot be written\n";
	return;
}

# Begins to follow; the name by which its things are asked for.
sub follow {
	my ($in, $door, $tenant, $id, %manners) = @_;
	my $name = "of_$tenant$id$door";

	$in->value('follow(' . js($name, $door, $base{$tenant},
		$writer{$tenant}{token}, $id, { home => JSON::PP::true,
			%manners }) . ')');
	return "followers.$name";
}

sub reaches {
	my ($in, $it, $last, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$in->until("$it.seq >= $last", 30);
	return is($in->value("$it.numbers"), join(' ', 1 .. $last),
		$name // "up to number $last, each once and in order")
	    || diag explain $in->value("({ ...$it, token: 0, heard: 0 })");
}

# Every worker once.
sub kill_workers {
	for my $pid ($server->worker_pids) {
		kill KILL => $pid;
		wait_until { !(grep { $_ == $pid } $server->worker_pids)
			&& $server->worker_pids == 2 } 10
		    or fail('a worker is not replaced');
	}
	return;
}

# What it gives waits until none of the workers of before are left.
sub reload {
	my %old = map { $_ => 1 } $server->worker_pids;

	$server->hup;
	return sub {
		return ok((wait_until { !(grep { $old{$_} }
			$server->worker_pids) && $server->worker_pids == 2 }
			20), 'reloaded');
	};
}

subtest 'WebSocket' => sub {
	my $id = session('den');
	my $it = follow($page, 'websocket', 'den', $id);

	ok($page->until("$it.opened.length"), 'signed in, subscribed');
	is($page->value("$it.socket.extensions"),
		'permessage-deflate; server_no_context_takeover; '
		. 'client_no_context_takeover', 'compressed as it offers');
	session('den', notes => 'a page hears');
	ok($page->until("$it.said.some((m) => m.type === 'session.started'
		&& m.stream === 'lobby'
		&& m.data.session.notes === 'a page hears')"), 'the lobby');
	emit('den', $id, 5);
	reaches($page, $it, 5);
	$page->value("$it.say({ type: 'ping' })");
	ok($page->until("$it.said.some((m) => m.type === 'pong'
		&& m.heads['session:$id'].seq === 5)"), 'pong, with heads');
	$page->value("$it.say({ type: 'x'.repeat(5000) })");
	ok($page->until("$it.said.some((m) => m.type === 'error'
		&& m.message.includes('x'.repeat(60)))"),
		'what it compressed is understood');
	for my $round (1 .. 3) {
		my $last = 5 + 6 * $round;

		kill_workers();
		emit('den', $id, $last);
		reaches($page, $it, $last, "round $round: workers killed");
	}
	is_deeply($page->value("$it.closes[0]"), { code => 1006, reason => '',
		wasClean => JSON::PP::false }, 'cut off without a word');
	is($page->value("$it.opened.slice(1).every((r) => r)"),
		JSON::PP::true, 'and each time all was recovered');
	$page->value("$it.go('')");
};

subtest 'a reload' => sub {
	my $id = session('den');
	my $it = follow($page, 'websocket', 'den', $id);

	ok($page->until("$it.opened.length"), 'subscribed');
	emit('den', $id, 3);
	my $is_done = reload();
	ok($page->until("$it.closes.length", 20), 'asked to leave');
	emit('den', $id, 6);
	my $close = $page->value("$it.closes[0]");
	my $later = delete $close->{reason}{retry_after_ms};

	is_deeply($close, { code => 1012, wasClean => JSON::PP::true,
		reason => { code => 'draining', again => 'now' } },
		'the page can read why');
	cmp_ok($later, '>=', 100, 'and when to come back');
	ok($page->until("$it.opened.length >= 2", 20), 'which it does');
	emit('den', $id, 8);
	reaches($page, $it, 8);
	$page->value("$it.go('')");
	$is_done->();
};

# A client that does not answer is closed later than a page that was silent
# for as long.
subtest 'pings' => sub {
	my $id = session('den');

	$server->rewrite(live_silence => '2s', live_ping => '500ms');
	reload()->();
	my $it = follow($page, 'websocket', 'den', $id);
	ok($page->until("$it.opened.length"), 'a page that says nothing');
	my $mute = T::Live->enter($server, answers => 0);
	is_closed($mute, 4008, 'silent', seconds => 20);
	my $again = T::Live->enter($server, answers => 0);
	is_closed($again, 4008, 'silent', seconds => 20);
	is($page->value("$it.closes.length"), 0, 'answers pings by itself');
	emit('den', $id, 2);
	reaches($page, $it, 2);
	$page->value("$it.go('')");
};

subtest 'pages of other origins' => sub {
	my $id = session('den');
	my $other = $browser->page($foreign->url);
	my $it = follow($other, 'websocket', 'den', $id, home => 0);

	ok($other->until("$it.closes.length"), 'it cannot connect');
	is($other->value("$it.closes[0].code"), 1006, 'and is not told why');
	like(join(' ', map { $_->{errorMessage} } $other->told(
		'Network.webSocketFrameError')), qr/response code: 403/,
		'but the browser was');
	my $token = $writer{den}{token};
	my $ask = sub {
		my ($in, $tenant, @what) = @_;

		return $in->value('ask(' . js($base{$tenant}, @what) . ')');
	};

	like($ask->($other, 'den', undef, 'GET', '/api/sessions')->{why},
		qr/Failed to fetch/, 'nor read an answer');
	is($ask->($other, 'den', $token, 'POST', '/api/sessions')->{status},
		0, 'nor ask with a token');
	is($writer{den}->get('/api/sessions/active')->{json}{session},
		undef, 'so that nothing was done');
	my $made = $writer{den}->post('/api/auth/ticket',
		{ stream => "session:$id" })->{json}{ticket};
	$other->value('void (window.source = new EventSource(' . js(
		"$base{den}/api/sessions/$id/stream?ticket=$made") . '))');
	ok($other->until('source.readyState === EventSource.CLOSED'),
		'nor listen with a ticket of ours');

	my $answer = $ask->($page, 'den', $token, 'GET', '/api/sessions');
	is($answer->{status}, 200, 'our page asks with a token');
	ok($answer->{id}, 'and reads headers');
	$answer = $ask->($page, 'den', $token, 'POST',
		"/api/sessions/$id/events",
		{ type => 'custom.n', data => {} });
	is($answer->{json}{seq}, 2, 'and writes');
	$answer = $ask->($page, 'den', undef, 'GET', '/api/sessions');
	is($answer->{json}{code}, 'token_required', 'it can read a refusal');

	$id = session('default');
	$it = follow($other, 'websocket', 'default', $id);
	emit('default', $id, 2);
	reaches($other, $it, 2, 'where any page may, this one may');
	$other->close;
};

# A page of the server's own origin, as it is behind a proxy in front of both.
subtest 'pages of the same origin' => sub {
	my $own = $browser->page($front->url);

	$base{front} = $front->origin;
	$writer{front} = $writer{default};
	for my $door (qw(websocket events poll)) {
		my $id = session('default');
		my $it = follow($own, $door, 'front', $id);

		emit('default', $id, 3);
		reaches($own, $it, 3, $door);
		$own->value("$it.go('')");
	}
	$own->close;
};

subtest 'EventSource with tickets' => sub {
	my $id = session('den');
	my $it = follow($page, 'events', 'den', $id);

	emit('den', $id, 3);
	reaches($page, $it, 3);
	for my $round (1 .. 2) {
		my $last = 3 + 5 * $round;

		kill_workers();
		emit('den', $id, $last);
		reaches($page, $it, $last, "round $round: workers killed");
	}
	is($page->value("$it.errors.includes(EventSource.CLOSED)"),
		JSON::PP::true, 'a ticket opens nothing twice');
	$page->value("$it.go('')");
};

subtest 'EventSource that comes back by itself' => sub {
	my $id = session('default');
	my $it = follow($page, 'events', 'default', $id, home => 0,
		public => 1);

	emit('default', $id, 3);
	reaches($page, $it, 3);
	for my $round (1 .. 2) {
		my $last = 3 + 5 * $round;

		kill_workers();
		emit('default', $id, $last);
		reaches($page, $it, $last, "round $round: workers killed");
	}
	is($page->value("new Set($it.opened).size"), 1,
		'with the address of the beginning');
	cmp_ok($page->value("$it.opened.length"), '>=', 2, 'more than once');
	my ($asked) = reverse grep {
		($_->{headers}{'Last-Event-ID'} // '') ne ''
	} $page->told('Network.requestWillBeSentExtraInfo');
	like($asked->{headers}{'Last-Event-ID'}, qr/^[0-9a-f]{12}:\d+\z/,
		'and the last id');
	my $is_done = reload();
	ok($page->until("$it.said.some((m) => m.code === 'draining')", 20),
		'it is told when its worker leaves');
	$is_done->();
	emit('default', $id, 20);
	reaches($page, $it, 20, 'and is back');
	$page->value("$it.go('')");
};

subtest 'long polls' => sub {
	my $id = session('den');
	my $it = follow($page, 'poll', 'den', $id);

	reaches($page, $it, 1);
	for my $last (2 .. 4) {
		emit('den', $id, $last);
		reaches($page, $it, $last);
	}
	is($page->value("$it.opened.join(' ')"), '1 1 1 1',
		'each was waited for');
	kill_workers();
	emit('den', $id, 9);
	reaches($page, $it, 9, 'workers killed');
	$page->value("$it.go('')");
};

subtest 'from door to door' => sub {
	my $id = session('den');
	my $it = follow($page, 'websocket', 'den', $id);
	my @doors = qw(events poll websocket poll events websocket events);

	# While it is written, wherever it stands: the next door behind five
	# events that came through one, or more where they came at once.
	$page->value("void Object.assign($it, { at: 0, doors: "
		. js([@doors]) . ' })');
	$page->value("void setInterval(() => {
		if ($it.doors.length && $it.heard.length >= $it.at + 5) {
			$it.at = $it.heard.length;
			$it.go($it.doors.shift());
		}
	}, 1)");
	my $last = 1;
	ok((wait_until {
		emit('den', $id, ++$last) for 1 .. 10;
		!$page->value("$it.doors.length");
	} 30), 'each as often as it was told');
	emit('den', $id, $last += 10);
	reaches($page, $it, $last);
	my %through = map { $_->{door} => 1 }
	    @{ $page->value("$it.heard") };
	is(join(' ', sort keys %through), 'events poll websocket',
		'through all of them');
	$page->value("$it.go('')");
};

# All doors at once, an old window on each; what is hard to carry.
subtest 'hard and fast' => sub {
	my $id = session('den');
	my @hard = ("\x{1f389}\x{1f468}\x{200d}\x{1f469}\x{200d}\x{1f467}",
		"\x{1}\x{1f}\x{7f}", "\x{feff}\x{2028}\x{2029}",
		"\"\\/</script>\r\n\t", "\x{e9}\x{10ffff}\x{fffd}",
		'data: x', "a\n\nid: 7\ndata: y", '');
	my @its;

	for my $door (qw(websocket events poll)) {
		$page->value('follow(' . js("hard$door", $door, $base{den},
			$writer{den}{token}, $id, { home => 1 }) . ')');
		push @its, "followers.hard$door";
	}
	ok($page->until("$its[0].opened.length && $its[1].opened.length"),
		'all listen');
	# Sent one behind the other, without waiting for an answer.
	my @data = map { { n => $_, word => $hard[$_ % @hard],
		long => $hard[0] x ($_ % 7 * 25) } } 1 .. 100;
	$writer{den}->ask(post => "/api/sessions/$id/events", { type =>
		"custom.hard", data => $_ }) for @data;
	is_deeply([map { $writer{den}->take->{json}{seq} } @data],
		[2 .. 101], 'a hundred are taken');
	for my $it (@its) {
		reaches($page, $it, 101, $it);
		is_deeply($page->value(
			"$it.heard.slice(1).map(({ data }) => data)"),
			\@data, "$it: as they were written");
	}
	$page->value("$_.go('')") for @its;
};

$page->close;
$server->counts(live_clients => 0, sse_clients => 0, live_faults => 0);
done_testing;
