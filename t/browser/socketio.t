#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Each family of clients in a real browser, with the official Socket.IO client:
# tables with our module, the
# example page of threads, the picker over /live; workers are killed meanwhile.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use T::Chromium;
use T::Client;
use T::Command;
use T::Pages;
use T::Responder;
use T::Run;
use T::Script;
use T::Server;
use T::Tabletop;
use T::Wait;

my $folder = T::Script::client();
my $client = T::Command::slurp("$folder/node_modules/socket.io-client/dist"
	. '/socket.io.min.js') =~ s{^//# sourceMappingURL=.*$}{}mr;
my $html = T::Command::slurp(T::Run::source() . '/t/browser/socketio.html');

substr $html, index($html, 'CLIENT</script>'), 6, $client;

my $responder = T::Responder->start;
my $server = T::Server->start(wait => 'readyz', workers => 2, set => {
	outgoing_allow => '127.0.0.0/8', tabletop_messages => 100000,
	thread_queue => 1000 });	# a page is away for a second at least
my $host = T::Server::own_host();

# A host name has cookies of its own: each of these is one user's.
my @fronts = map { T::Pages->start($html, $host =~ s/^127\.(\d+)/127.$_/r,
	$server->address) } 128, 129;
my $browser = T::Chromium->start;

diag $browser->{product};
T::Client::wait_for_workers($server);
$server->db->query("UPDATE partyline.tenant SET responder_url = '"
	. $responder->url('/words/10') . "' WHERE id = 1");

sub kill_workers {
	$server->lose_worker($_) for $server->worker_pids;
	return;
}

subtest 'tables' => sub {
	my ($ann, $bert) = T::Tabletop::users($server, qw(Ann Bert));
	my $id = $ann->post('/api/tabletop/sessions', { name => 'Den' })
	    ->{json}{id};
	my $cave = $ann->post("/api/tabletop/sessions/$id/encounters",
		{ name => 'Cave' })->{json}{id};
	my @pages = map { $browser->page($_->url) } @fronts;
	my ($a, $b) = @pages;

	$ann->post("/api/tabletop/sessions/$id/members",
		{ userId => $bert->{id} });
	for my $i (0, 1) {
		ok($pages[$i]->until('window.isReady'), 'the module is read');
		is($pages[$i]->value('login(' . js(qw(Ann Bert)[$i]) . ')'),
			200, 'logged in');
		is($pages[$i]->value("sit($id)"), JSON::PP::true,
			'sits down');
	}
	is($a->value('document.cookie'), '', 'no script sees the cookie');
	ok($_->until('table.state.present.length === 2'), 'both are there')
	    for @pages;
	is($a->value('table.socket.io.engine.transport.name'), 'websocket',
		'by WebSocket');
	my $orc = $a->value("table.createToken($cave, { name: 'Orc',
		position: { x: 1, y: 1 } }).then((token) => token.id)");
	ok($b->until("table.state.tokens.has($orc)"), 'a token is seen');
	$_->value('void (window.done = say(1, 60))') for @pages;
	kill_workers();
	$b->value("void table.moveToken($cave, $orc, { x: 9, y: 9 })");
	kill_workers();
	is($_->value('done.then(() => table.state.error)'), undef,
		'all of it was said') for @pages;
	ok($_->until('table.state.chat.length === 120', 30), 'and heard')
	    for @pages;
	is($_->value("['Ann', 'Bert'].map((name) => table.state.chat
		.filter((one) => one.name === name)
		.map((one) => one.message).join()).every((one) =>
		one === Array.from({ length: 60 }, (_, n) =>
		`word \${n + 1}`).join())"), JSON::PP::true,
		'once and in order') for @pages;
	ok($_->until("table.state.tokens.get($orc).position.x === 9", 30),
		'the move as well') for @pages;
	ok($_->until('table.state.present.length === 2', 30),
		'both are there still') for @pages;
	is($b->value("fetch('/api/tabletop/logout', { method: 'POST' })
		.then(({ status }) => status)"), 204, 'one logs out');
	ok($b->until('!table.socket.connected'), 'and is cut off');
	ok($a->until('table.state.present.length === 1'), 'told');
	$_->close for @pages;
};

# The page as it is served, with the official client as if it had loaded it.
subtest 'threads' => sub {
	my $page = $browser->page('about:blank');

	$page->call('Page.addScriptToEvaluateOnNewDocument',
		{ source => $client });
	$page->call('Page.navigate', { url =>
		$server->url('/clients/example.html') });
	ok($page->until('document.readyState === "complete"
		&& window.SessionMonitor && window.io.Manager'),
		'the page, with the official client');
	my $said = sub {
		return $page->value("[...document.querySelectorAll('#said ."
			. "$_[0]')].map((one) => one.textContent)");
	};
	my $submit = sub {
		my ($form, $field, $words) = @_;

		$page->value("document.getElementById('$field').value = "
			. js($words) . "; document.getElementById('$form')"
			. '.requestSubmit()');
		return;
	};
	$submit->('begin', 'thread', 'in a browser');
	ok($page->until("document.querySelector('#said .session_registered')"),
		'registered');
	$submit->('ask', 'words', join ' ', 1 .. 200);
	ok($page->until("document.querySelectorAll('#said .analysis_update')
		.length >= 20", 30), 'it is told');
	kill_workers();
	ok($page->until("document.querySelectorAll(
		'#said .session_registered').length >= 2", 30),
		'it is registered again');
	ok($page->until("[...document.querySelectorAll(
		'#said .analysis_update')].some((one) =>
		one.textContent === 'analysis_update: 200')", 60),
		'and told to the end');
	is(join(' ', map { /: (\d+)/ } @{ $said->('analysis_update') }),
		join(' ', 1 .. 200), 'each word once and in order');
	$submit->('ask', 'words', 'the end');
	ok($page->until("[...document.querySelectorAll(
		'#said .analysis_update')].some((one) =>
		one.textContent === 'analysis_update: end')", 60),
		'and it goes on');
	$page->close;
};

subtest 'the picker' => sub {
	my $admin = T::Client->new($server);
	my $id = $admin->post('/api/sessions')->{json}{id};
	my $page = $browser->page($fronts[0]->url);
	my $emit = sub {
		my ($last) = @_;

		wait_until {
			my $answer = $admin->post("/api/sessions/$id/events",
				{ type => 'custom.n', data => {} });

			$admin->hang_up if !$answer || !$answer->{status};
			$answer && ($answer->{json}{seq} // 0) >= $last;
		} 30 or die "number $last cannot be written\n";
	};
	my %ways = (polling => ['polling'], websocket => ['websocket'],
		both => [qw(polling websocket)]);

	for my $way (sort keys %ways) {
		$page->value('follow(' . js($way, $admin->{token}, $id,
			$ways{$way}) . ')');
		ok($page->until("followers.$way.opened.length"), $way);
	}
	for my $round (1, 2) {
		$emit->(10 * $round - 5);
		kill_workers();
		$emit->(10 * $round);
		for my $way (sort keys %ways) {
			ok($page->until("followers.$way.numbers.at(-1) >= "
				. 10 * $round, 30), "$way: up to number "
				. 10 * $round);
		}
	}
	for my $way (sort keys %ways) {
		is($page->value("followers.$way.numbers.every((n, i) =>
			n === i + 1)"), JSON::PP::true,
			"$way: each once and in order");
		is($page->value("followers.$way.opened.slice(1)
			.every((one) => one)"), JSON::PP::true,
			"$way: all was recovered");
	}
	$page->close;
};

unlike($server->log_text, qr/"level":"error","role":"worker/,
	'no worker complains');
done_testing;
