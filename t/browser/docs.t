#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The page of both documents in a real browser: its script makes an example
# for every operation, event and message, its search finds, nothing is asked
# of another host, and neither script nor policy complains.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;
use T::Chromium;
use T::Http;
use T::Server;
use T::Table;

my $server = T::Server->prepare(workers => 2);
my $said = $server->partyline('tenant', 'add', 'den', '--set',
	'database_url=' . $server->db->url);

is($said->{exit}, 0, 'a tenant more') or diag $said->{err};
$server->spawn;
ok($server->wait_ready('readyz'), 'the server is ready');

my $browser = T::Chromium->start;
my %count = (
	operation => scalar(grep { $_->{door} eq 'FRONT' }
		T::Table->rows('operations')),
	event     => scalar(T::Table->rows('events')),
	message   => scalar(grep { !/^event_/ } keys %{ JSON::PP->new->decode(
		T::Http->get($server, '/asyncapi.json')->{body}
	)->{components}{messages} }),
);

# What the page, or the browser of it, complained about.
sub complaints {
	my ($page) = @_;

	return ((map { "$_->{exceptionDetails}{text}" }
			$page->told('Runtime.exceptionThrown')),
		(map { "$_->{type}: $_->{args}[0]{value}" } grep {
			$_->{type} =~ /^(?:error|warning|assert)$/
		} $page->told('Runtime.consoleAPICalled')),
		(map { "$_->{entry}{source}: $_->{entry}{text}" } grep {
			$_->{entry}{level} =~ /^(?:error|warning)$/
		} $page->told('Log.entryAdded')));
}

# A page that tells all that its browser has to say of it.
sub opened {
	my ($url) = @_;
	my $page = $browser->page($url);

	$page->call('Log.enable');
	$page->until('document.documentElement.dataset.state', 20);
	return $page;
}

for my $path ('/docs', '/t/den/docs', '/docs/') {
	subtest $path => sub {
		my $page = opened($server->url($path));

		is($page->value('document.documentElement.dataset.state'),
			'whole', 'both documents were read');
		is($page->value('document.getElementById("url")
			.textContent'), $server->url($path =~ s{docs/?}{}r
			=~ s{/\z}{}r), 'it knows where it is');
		is($page->value("document.querySelectorAll('article[id^=$_-]"
			. " .examples pre:first-of-type').length > 0 &&
			[...document.querySelectorAll('article[id^=$_-]')]
			.filter((one) => one.querySelector(
			'.examples pre')).length"), $count{$_},
			"an example of each $_") for sort keys %count;
		is_deeply([complaints($page)], [], 'nobody complains');
		my $host = $server->url =~ s{/\z}{}r;
		is_deeply([grep { !m{^\Q$host\E/|^data:,} }
			map { $_->{request}{url} }
			$page->told('Network.requestWillBeSent')], [],
			'no other host is asked');
		is_deeply($page->value('[...document.querySelectorAll(
			"header a")].map((one) => new URL(one.href)
			.pathname)'), [map { $path =~ s{docs/?}{$_}r }
			qw(openapi.json asyncapi.json)],
			'its links lead to the documents');
		$page->close;
	};
}

my $page = opened($server->url('/docs'));

subtest 'examples' => sub {
	my $of = sub {
		return $page->value("[...document.querySelectorAll("
			. "'#$_[0] .examples pre')].map((one) => "
			. 'one.textContent)');
	};

	is_deeply($of->('operation-session_create'), [
		"curl -s \"\$URL/api/sessions\" \\\n"
		. "    -H \"Authorization: Bearer \$TOKEN\" \\\n"
		. "    -H 'Idempotency-Key: tonight-1' \\\n"
		. "    --json '{\"notes\":\"game night\"}'",
		"const answer = await fetch(`\${url}/api/sessions`, {\n"
		. "\tmethod: 'POST',\n\theaders: {\n"
		. "\t\t'Authorization': `Bearer \${token}`,\n"
		. "\t\t'Idempotency-Key': crypto.randomUUID(),\n"
		. "\t\t'Content-Type': 'application/json'\n\t},\n"
		. "\tbody: JSON.stringify({\n\t  \"notes\": \"game night\""
		. "\n\t})\n});\nconst body = await answer.json();",
		"{\n  \"id\": 1,\n  \"notes\": \"game night\",\n"
		. "  \"is_active\": 1,\n  \"created_at\": "
		. "\"2026-03-14T20:30:00.000Z\",\n  \"closed_at\": null\n}"
	], 'an operation');
	is_deeply($page->value('JSON.parse(document.querySelector('
		. '"#event-session_ended .examples pre").textContent)'), {
		type => 'session.ended', stream => 'session:17', seq => 42,
		timestamp => '2026-03-14T20:30:00.000Z',
		data => { session => { id => 1, is_active => 0,
			games_played => 1 } } }, 'an event, in its envelope');
};

subtest 'search' => sub {
	my $found = sub {
		$page->value("document.getElementById('words').value = '$_[0]'"
			. ', document.getElementById("words").dispatchEvent('
			. 'new Event("input"))');
		return $page->value('[...document.querySelectorAll("article")]'
			. '.filter((one) => !one.hidden).map((one) => one.id)'
			. '.join(" ")');
	};

	is($found->('event Session.STARTED'), 'event-session_started',
		'by a type, in any case');
	is($found->('sessions/{id}/close post'), 'operation-session_close',
		'by two words');
	like($page->value('document.getElementById("found").textContent'),
		qr/^1 of \d+\z/, 'it says how many');
	is($page->value('[...document.querySelectorAll("section.noun")]'
		. '.filter((one) => !one.hidden).length'), 1,
		'nouns without any are away');
	is($found->('no such thing'), '', 'or none');
	is(scalar(split ' ', $found->('')), $count{operation} + $count{event}
		+ $count{message}, 'and all again');
	$page->value('document.dispatchEvent(new KeyboardEvent("keydown", '
		. '{ key: "/", bubbles: true }))');
	is($page->value('document.activeElement.id'), 'words',
		'a key leads to it');
};

subtest 'copying' => sub {
	$page->value('document.querySelector("#operation-livez .snippet '
		. 'button").click()');
	ok($page->until('document.getElementById("said").textContent'),
		'it says what became of it');
	like($page->value('getSelection().toString() || "Copied"'),
		qr/\ACopied\z|\Acurl -s "\$URL\/livez"/, 'copied or selected');
};

# The contrast of what is written on what is behind it, as WCAG counts it.
my $contrast = <<'END';
(() => {
	const light = (color) => color.match(/[\d.]+/g).slice(0, 3)
		.map((one) => one / 255).map((one) => one <= .03928
		? one / 12.92 : ((one + .055) / 1.055) ** 2.4)
		.reduce((sum, one, i) =>
		sum + one * [.2126, .7152, .0722][i], 0);
	const behind = (element) => {
		const color = getComputedStyle(element).backgroundColor;

		return /, 0\)$/.test(color) && element.parentElement
			? behind(element.parentElement) : color;
	};

	return Math.min(...[...document.querySelectorAll(
		'p, a, code, pre, th, td, .method, button, label, h1, h2')]
		.filter((one) => one.offsetParent).map((one) => {
			const pair = [light(getComputedStyle(one).color),
				light(behind(one))].sort((a, b) => b - a);

			return (pair[0] + .05) / (pair[1] + .05);
		}));
})()
END

subtest 'light and dark' => sub {
	my %paper;

	for my $scheme (qw(light dark)) {
		$page->call('Emulation.setEmulatedMedia', { features =>
			[{ name => 'prefers-color-scheme',
			value => $scheme }] });
		$paper{ $page->value(
			'getComputedStyle(document.body).backgroundColor') }
		    = 1;
		cmp_ok($page->value($contrast), '>=', 4.5,
			"$scheme: can be read");
	}
	is(scalar keys %paper, 2, 'they differ');
	$page->call('Emulation.setDeviceMetricsOverride', { width => 360,
		height => 800, deviceScaleFactor => 1,
		mobile => JSON::PP::false });
	cmp_ok($page->value('document.documentElement.scrollWidth'), '<=', 360,
		'a phone shows all of its width');
};

is_deeply([complaints($page)], [], 'still nobody complains');
$page->close;
done_testing;
