#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# /api/webhooks: made, changed, removed; what becomes of their deliveries,
# with the calls of the jobs made here by hand; and sending them again.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Server;

# Whoever would send something stands still: what is queued stays where it is.
my $server = T::Server->start(workers => 2, beat_timeout => '10min');
my ($jobs) = $server->pids('jobs');
kill STOP => $jobs;
my $db     = $server->db;
my $admin  = T::Client->new($server, worker => 1);
my $other  = T::Client->new($server, worker => 2);
my $bot    = T::Client->new($server, role => 'bot');
my $base   = '/api/webhooks';
my %right  = (
	name   => 'Discord Bot',
	url    => 'https://hooks.example.com/webhook?a=b',
	secret => 'a secret',
	events => ['game.added', 'custom.dice'],
);
my $stamp = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;

sub changed { return $admin->request(PATCH => @_) }
sub sql { return $db->query($_[0]) }

# As the job says what a try came to; the lease is taken if nobody has it.
sub try_ends {
	my ($webhook, $delivery, $status, %how) = @_;
	my $key = "tenant_id = 1 AND webhook_id = $webhook
		AND id = $delivery";
	my $retry = $how{retry} // 'NULL';
	my $gone  = $how{disable} ? "'$how{disable}'" : 'NULL';
	my $tried = "json_build_object('tenant', 1, 'webhook', $webhook,
		'delivery', $delivery, 'lease', lease, 'status', $status,
		'answer', 'said', 'took_ms', 7, 'retry_ms', $retry,
		'disable', $gone)";

	sql("UPDATE partyline.webhook_delivery SET is_out = true,
		lease = lease + 1, next_at = now() + interval '1 min'
		WHERE $key");
	sql("SELECT api.webhook_done(json_build_array($tried)::text, 'host',
		1000, 0, 8)
		FROM partyline.webhook_delivery WHERE $key");
	return sql("SELECT state FROM partyline.webhook_delivery WHERE $key");
}

my $id;

subtest 'made' => sub {
	my $made = $admin->post($base, \%right);

	is($made->{status}, 201, 'made');
	$id = $made->{json}{id};
	like($made->{json}{created_at}, $stamp, 'at a moment');
	is_deeply($made->{json}, { id => $id, name => $right{name},
			url => $right{url}, events => $right{events},
			enabled => JSON::PP::true, ordered => JSON::PP::false,
			created_at => $made->{json}{created_at},
			message => 'Webhook created successfully' },
		'as it is shown');
	my %shown = %{ $made->{json} };
	delete $shown{message};
	is_deeply($other->get("$base/$id")->{json}, \%shown, 'one');
	is_deeply($other->get($base)->{json}, [\%shown], 'all');
	unlike($admin->get("$base/$id")->{body}, qr/secret/,
		'nobody is told the secret');
	is_deeply($admin->post($base, { %right,
			events => ['game.added', 'game.added'],
			enabled => JSON::PP::false, ordered => JSON::PP::true,
		})->{json}{events}, ['game.added'], 'each event once');
};

subtest 'refused' => sub {
	for my $field (qw(name url secret events)) {
		my %wrong = %right;

		delete $wrong{$field};
		refused($admin->post($base, \%wrong), 400,
			'webhook_fields_missing', field => $field, error =>
			'Missing required fields: name, url, secret, events');
	}
	refused($admin->post($base, { %right, events => 'game.added' }), 400,
		'webhook_events_invalid', field => 'events',
		error => 'events must be an array');
	refused($admin->post($base, { %right,
			events => ['game.added', 'game.eaten'] }), 400,
		'input_invalid', field => 'events[1]', index => 1,
		error => 'events[1] must be an event that has a number, or '
		    . 'custom.<name>, and not game.eaten');
	refused($admin->post($base, { %right, events => [$_] }), 400,
		'input_invalid', field => 'events[0]', index => 0,
		error => "events[0] must be an event that has a number, or "
		    . "custom.<name>, and not $_")
	    for 'poll.leading', 'custom.', 'custom.' . 'x' x 58, '*', 'a,b';
	refused($admin->post($base, { %right, url => $_ }), 400,
		'webhook_url_invalid', error => 'Invalid URL format')
	    for 'x', 'ftp://a.example/', 'http://', 'https://a b/',
	    'http://user:pass@a.example/', 'http://user@a.example/',
	    'http://a.example:0/', 'http://a.example:65536/',
	    'http://a.example:/', 'http://[::1/', "http://a.example/\n",
	    "http://a.example/\x{e9}", 'http://a\\b/', '//a.example/',
	    'javascript:alert(1)', ' http://a.example/';
	refused($admin->post($base, { %right, secret => $_ }), 400,
		'webhook_secret_invalid',
		error => 'A secret that begins with whsec_ goes on in base64')
	    for 'whsec_', 'whsec_x', 'whsec_a b=', 'whsec_====';
	is($admin->post($base, { %right, url => $_ })->{status}, 201, $_)
	    for 'http://a', 'HTTPS://A.example:65535', 'http://[::1]:80/x',
	    'http://127.0.0.1/?a@b#c';
	is($admin->post($base, { %right, secret =>
			'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' })->{status},
		201, 'a secret as the standard has it');
	for my $what (['get', $base], ['get', "$base/$id"],
		['post', $base, \%right], ['delete', "$base/$id"],
		['get', "$base/$id/logs"], ['post', "$base/test/$id"]) {
		my ($verb, @what) = @$what;

		refused($bot->$verb(@what), 403, 'not_allowed');
	}
	refused($admin->get("$base/999"), 404, 'webhook_not_found',
		error => 'Webhook not found');
	sql("INSERT INTO partyline.webhook (tenant_id, id, name, url, secret,
		events, created_at, created_text) SELECT 1, n, 'x', 'x', 'x',
		'{}', now(), '' FROM generate_series(5000, 5999) n");
	refused($admin->post($base, \%right), 409, 'webhooks_full');
	sql('DELETE FROM partyline.webhook WHERE id >= 5000');
};

subtest 'changed' => sub {
	refused(changed("$base/$id", {}), 400, 'webhook_unchanged',
		error => 'No fields to update');
	refused(changed("$base/$id", { url => 'x' }), 400,
		'webhook_url_invalid');
	is_deeply(changed("$base/$id", { name => 'Else',
			enabled => JSON::PP::false })->{json},
		$other->get("$base/$id")->{json}, 'as it is now');
	is($other->get("$base/$id")->{json}{name}, 'Else', 'another name');
	is($other->get("$base/$id")->{json}{url}, $right{url},
		'the rest stays');
	changed("$base/$id", { secret => 'another' });
	is(sql("SELECT concat_ws(' ', secret, former_secret, former_until
		BETWEEN now() + interval '23 h' AND now() + interval '25 h')
		FROM partyline.webhook WHERE id = $id"), 'another a secret t',
		'a former secret signs for another day');
	changed("$base/$id", { secret => 'another' });
	is(sql("SELECT former_secret FROM partyline.webhook WHERE id = $id"),
		'a secret', 'the same one is no change');
	is(changed("$base/$id", { enabled => JSON::PP::true })
		->{json}{enabled}, JSON::PP::true, 'enabled');
};

# What the session's stream is told, and what is queued.
my $session = $admin->post('/api/sessions', {})->{json}{id};

sub dice {
	my ($n) = @_;

	my $stored = $admin->post("/api/sessions/$session/events",
		{ type => 'custom.dice', data => { n => $n } })->{json};
	sql(q{SELECT api.webhook_claim('host', 1000, 0, 0)});
	return $stored;
}

sub deliveries {
	my ($query) = @_;

	return $admin->get("$base/$id/deliveries" . ($query // ''))->{json};
}

subtest 'queued, delivered, dead, again' => sub {
	dice($_) for 1 .. 3;
	my ($three, $two, $one) = @{ deliveries() };

	is_deeply([map { [@$_{qw(id state attempts event_type)}] }
			@{ deliveries('?state=waiting') }],
		[map { [$_, 'waiting', 0, 'custom.dice'] } 3, 2, 1],
		'an event, a delivery');
	is_deeply($one->{payload}, { event => 'custom.dice',
			timestamp => $one->{created_at},
			stream => "session:$session", seq => 1,
			data => { n => 1 } }, 'what will be sent');
	is(try_ends($id, 1, 204), 'delivered', 'one arrived');
	is(try_ends($id, 2, 500), 'dead', 'one did not');
	is(try_ends($id, 3, 500, retry => 60000), 'waiting', 'one may yet');
	is_deeply([map { [@$_{qw(id state attempts)}] } @{ deliveries() }],
		[[3, 'waiting', 1], [2, 'dead', 1], [1, 'delivered', 1]],
		'as they are now');
	is(deliveries("?state=dead&limit=1")->[0]{id}, 2, 'what is dead');
	is(deliveries("?before=2")->[0]{id}, 1, 'a further page');

	my $logs = $other->get("$base/$id/logs")->{json};
	like($_->{created_at}, $stamp, 'a try') for @$logs;
	is_deeply([map { [@$_{qw(id delivery_id attempt response_status
				error_message response_body took_ms)}] }
			@$logs], [[3, 3, 1, 500, undef, 'said', 7],
			[2, 2, 1, 500, undef, 'said', 7],
			[1, 1, 1, 204, undef, 'said', 7]], 'each try');
	is_deeply($logs->[2]{payload}, $one->{payload}, 'of what');
	is(@{ $admin->get("$base/$id/logs?limit=1&before=3")->{json} }, 1,
		'a page of them');

	is_deeply($admin->post("$base/$id/deliveries/2/redeliver")->{json},
		{ success => JSON::PP::true }, 'again');
	is_deeply([map { [@$_{qw(id message_id state attempts)}] }
			@{ deliveries('?before=3&limit=1') }],
		[[2, $two->{message_id}, 'waiting', 0]],
		'under the same webhook-id');
	refused($admin->post("$base/$id/deliveries/9/redeliver"), 404,
		'delivery_not_found', error => 'Delivery not found');
	refused($admin->post("$base/999/deliveries/1/redeliver"), 404,
		'webhook_not_found');
};

subtest 'a range again' => sub {
	is(try_ends($id, $_, 500), 'dead', "$_ is dead") for 2, 3;
	my $moment = deliveries('?before=3')->[0]{created_at};

	is_deeply($admin->post("$base/$id/replay", { since =>
			'2030-01-01T00:00:00Z' })->{json}, { queued => 0,
			last => undef, more => JSON::PP::false }, 'nothing');
	is($admin->post("$base/$id/replay", { until => $moment })
		->{json}{last}, 2, 'what happened until then');
	is(try_ends($id, 2, 500), 'dead', 'it is dead');
	is_deeply($admin->post("$base/$id/replay", { after => 1 })->{json},
		{ queued => 2, last => 3, more => JSON::PP::false },
		'all that is dead');
	is(try_ends($id, $_, 200), 'delivered', "$_ arrived") for 2, 3;
	is($admin->post("$base/$id/replay", {})->{json}{queued}, 0,
		'nothing is dead');
	is($admin->post("$base/$id/replay", { state => 'all' })
		->{json}{queued}, 3, 'all again');
	is(try_ends($id, $_, 200), 'delivered', "$_ arrived") for 1 .. 3;
};

subtest 'given up' => sub {
	changed("$base/$id", { events =>
		['custom.dice', 'webhook.disabled'] });
	my $next = $admin->post($base, { %right,
		events => ['webhook.disabled'] })->{json}{id};

	dice(4);
	is(try_ends($id, 4, 410, disable => '410 Gone'), 'dead', 'it is gone');
	my $shown = $other->get("$base/$id")->{json};
	is($shown->{enabled}, JSON::PP::false, 'disabled');
	is($shown->{disabled_reason}, '410 Gone', 'and why');
	like($shown->{disabled_at}, $stamp, 'and when');
	like(sql("SELECT payload FROM partyline.event WHERE stream = 'lobby'
		ORDER BY seq DESC LIMIT 1"), qr/"type":"webhook\.disabled",.*
		"data":\{"webhookId":$id,"reason":"410\ Gone"\}\}\z/x,
		'the lobby is told');
	sql(q{SELECT api.webhook_claim('host', 1000, 0, 0)});
	is($admin->get("$base/$next/deliveries")->{json}[0]{event_type},
		'webhook.disabled', 'and so is another webhook');
	dice(5);
	is(deliveries()->[0]{id}, 4, 'nothing is queued for it');
	my $back = changed("$base/$id",
		{ enabled => JSON::PP::true })->{json};
	ok(!exists $back->{disabled_reason}, 'it is as new');
};

subtest 'a test' => sub {
	changed("$base/$id", { enabled => JSON::PP::false });
	my $sent = $admin->post("$base/test/$id");
	is_deeply($sent->{json}, { message => 'Test webhook sent', note =>
			'Check webhook_logs table for delivery status',
			deliveryId => 5 }, 'sent, although it is disabled');
	my ($test) = @{ deliveries('?limit=1') };
	is($test->{test}, JSON::PP::true, 'it is one');
	is_deeply($test->{payload}, { event => 'webhook.test',
			timestamp => $test->{created_at}, data =>
			    { webhookId => $id,
				message => 'This is a test' } },
		'it says so');
	refused($admin->post("$base/test/999"), 404, 'webhook_not_found');
	is(try_ends($id, 5, 500, retry => 1000), 'dead', 'sent once');
};

subtest 'removed' => sub {
	is_deeply($admin->delete("$base/$id")->{json},
		{ message => 'Webhook deleted successfully',
			webhookId => $id }, 'removed');
	refused($admin->$_("$base/$id"), 404, 'webhook_not_found')
	    for qw(get delete);
	refused($admin->get("$base/$id/logs"), 404, 'webhook_not_found');
	isnt($admin->post($base, \%right)->{json}{id}, $id,
		'its id is never given again');
};

kill CONT => $jobs;
done_testing;
