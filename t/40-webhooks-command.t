#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# `partyline webhooks`: where events are sent, how that goes, and again.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Server;

# Whoever would send something stands still.
my $server = T::Server->start(workers => 1, beat_timeout => '10min');
my ($jobs) = $server->pids('jobs');
kill STOP => $jobs;
my $db    = $server->db;
my $admin = T::Client->new($server);
my $json  = JSON::PP->new->utf8;

sub webhooks {
	my ($verb, @more) = @_;

	return $server->partyline('webhooks', $verb, '--set',
		'database_url=' . $db->url, @more);
}

my $id = $admin->post('/api/webhooks', { name => "Bot\e[2J", secret => 's',
		url => 'http://bot.invalid/', events => ['custom.dice'] })
    ->{json}{id};
$admin->post('/api/webhooks', { name => 'Other', secret => 's',
		url => 'http://other.invalid/', events => [] });
my $session = $admin->post('/api/sessions', {})->{json}{id};
$admin->post("/api/sessions/$session/events",
	{ type => 'custom.dice', data => { n => $_ } }) for 1 .. 3;
$db->query(q{SELECT api.webhook_claim('host', 1000, 0, 0)});
for (1, 2) {
	$db->query("UPDATE partyline.webhook_delivery SET is_out = true
		WHERE id = $_");
	$db->query("SELECT api.webhook_done(json_build_array(json_build_object(
		'tenant', 1, 'webhook', $id, 'delivery', $_, 'lease', 0,
		'error', 'connection refused', 'took_ms', 7,
		'pause_ms', 60000))::text, 'host', 1000, 0, 8)");
}

my $stamp = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $list  = webhooks('list');
is($list->{exit}, 0, 'listed') or diag explain $list;
my ($bot, $other) = split /\n/, $list->{out};
like($bot, qr{\A1\ \ Bot\ \[2J\ \ http://bot\.invalid/\ \ enabled,\ 1\ waiting
	\ since\ $stamp,\ 2\ dead,\ failed\ 2\ times\ in\ a\ row,\ paused
	\ until\ $stamp,\ last\ tried\ at\ $stamp:\ connection\ refused\z}x,
	'one that fails');
unlike($bot, qr/\e/, 'whose name moves no cursor');
is($other, '2  Other  http://other.invalid/  enabled, 0 waiting, 0 dead',
	'one that is never used');

my $show = webhooks('show', $id);
like($show->{out}, qr/\A1\ .*\n(?:\ \ $stamp\ \ custom\.dice\ \ delivery\ [12],
	\ try\ 1:\ connection\ refused,\ took\ 7\ ms\n){2}\z/x,
	'with its tries');
my ($said) = @{ $json->decode(webhooks('show', $id, '--json')->{out}) };
is($said->{dead}, 2, 'for programs');
ok(!exists $said->{secret}, 'its secret is not told');

is(webhooks('replay', $id)->{out}, "2 will be sent again\n", 'again');
is($db->query("SELECT count(*) FROM partyline.webhook_delivery
	WHERE state = 'waiting'"), 3, 'all of them wait');
is(webhooks('replay', $id, 'all', '--json')->{out}, "{\"queued\":0}\n",
	'nothing is dead or delivered any more');

# More than one page.
$db->query("INSERT INTO partyline.webhook_delivery (tenant_id, webhook_id,
	id, message, event, payload, state, created_at, queued_at) SELECT 1, 2,
	n, 'msg', 'custom.x', '{}', 'dead', now(), now()
	FROM generate_series(1, 2500) n");
is(webhooks('replay', 2)->{out}, "2500 will be sent again\n", 'many');

like(webhooks('show', 99)->{err}, qr/Webhook not found/, 'none of that id');
isnt(webhooks('show', 'x')->{exit}, 0, 'no id');
isnt(webhooks('replay', $id, 'some')->{exit}, 0, 'no such choice');

kill CONT => $jobs;
done_testing;
