#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Webhooks on their way: what is sent, when it is sent again, who is left
# alone, and that nothing is lost or sent again for nothing, whoever dies.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Db;
use T::Endpoint;
use T::Line;
use T::Live;
use T::Receiver;
use T::Server;
use T::Wait;

my $json = JSON::PP->new->utf8;

# One that sends soon, and again soon.
sub server {
	return T::Server->start(
		workers           => 1,
		webhook_schedule  => '100ms 200ms 300ms 400ms',
		webhook_pause_max => '300ms',
		wait              => 'readyz',
		T::Endpoint::allow(), @_
	);
}

sub came_to {
	my ($endpoint, $path, $count, $seconds) = @_;

	wait_until { $endpoint->came($path) >= $count } $seconds // 10;
	return $endpoint->came($path);
}

sub numbers { return [ map { $json->decode($_->{body})->{n} } @_ ] }

# What their rows say: delivered 2, dead 1, waiting 0.
sub states {
	my ($db, $hook) = @_;

	return $db->query("SELECT coalesce(string_agg(s, ' '), '') FROM (
		SELECT state || ' ' || count(*) AS s
		FROM partyline.webhook_delivery WHERE webhook_id = $hook
		GROUP BY state ORDER BY state) x");
}

sub becomes {
	my ($db, $hook, $wanted, $name, $seconds) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until { states($db, $hook) eq $wanted } $seconds // 10;
	return is(states($db, $hook), $wanted, $name);
}

subtest 'what is sent' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server();
	my $db       = $server->db;

	$endpoint->hook($db, 1, 'one');
	$endpoint->hook($db, 2, 'two', secret => q('new one'),
		former_secret => q('old one'),
		former_until => q(now() + interval '1 h'));
	T::Client->new($server)->post('/api/sessions', { notes => 'x' });
	my ($one) = came_to($endpoint, 'one', 1);
	my ($two) = came_to($endpoint, 'two', 1);
	my $headers = $one->{headers};

	is($headers->{'content-type'}, 'application/json', 'its type');
	is($headers->{'user-agent'}, 'Jackbox-Game-Picker-Webhook/1.0',
		'who it is');
	is($headers->{'x-webhook-event'}, 'session.started', 'its event');
	like($one->{id}, qr/^msg_[0-9a-f]{32}$/, 'its id');
	cmp_ok(abs($headers->{'webhook-timestamp'} - time), '<', 10,
		'its time');
	my $body = $json->decode($one->{body});
	is($body->{event}, 'session.started', 'the event in its body');
	is($body->{data}{session}{notes}, 'x', 'and what it tells');
	ok($endpoint->verifies($one, T::Endpoint::secret()), 'both signatures');
	ok(!$endpoint->verifies($one, 'another'), 'of this secret alone');
	ok($endpoint->verifies($two, 'new one'), 'the new secret');
	is(scalar(split / /, $two->{headers}{'webhook-signature'}), 2,
		'the former one signs as well');
	like($two->{body}, qr/^\Q$one->{body}\E$/, 'the same body for all');
	becomes($db, $_, 'delivered 1', 'recorded') for 1, 2;
	is($db->query("SELECT status || ' ' || answer
		FROM partyline.webhook_log WHERE webhook_id = 1"),
		'200 it is 200', 'with what it answered');
	$server->counts(webhook_delivered => 2, webhook_failed => 0,
		webhook_out => 0);
	my $lag = $server->status->{histograms}{webhook_lag};
	ok($lag, 'how late it was is measured');
};

subtest 'it is tried again' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server(webhook_per_endpoint => 4);
	my $db       = $server->db;

	$endpoint->answers(flaky => 500, 302, 204);
	$endpoint->answers(never => 500);
	$endpoint->hook($db, 1, 'flaky');
	$endpoint->hook($db, 2, 'never');
	$endpoint->queue($db, 1, 1, 2);
	my @came = came_to($endpoint, 'flaky', 3);
	is(scalar @came, 3, 'until it is taken');
	is(scalar(grep { $_->{id} eq $came[0]{id} } @came), 3,
		'under the same id');
	is(scalar(grep { $_->{body} eq $came[0]{body} } @came), 3,
		'with the same body');
	cmp_ok($came[1]{at} - $came[0]{at}, '>=', 0.1, 'the first wait');
	cmp_ok($came[2]{at} - $came[1]{at}, '>=', 0.2, 'the second one');
	becomes($db, 1, 'delivered 1', 'recorded');
	like($server->log_text, qr/answered 302: redirects are not followed/,
		'the log says why in words');
	ok($server->wait_for_log(qr/endpoint answers again/), 'and the end');
	becomes($db, 2, 'dead 1', 'after the last wait it is given up');
	is(scalar $endpoint->came('never'), 5, 'five tries with four waits');
	$server->counts(webhook_failed => 7, webhook_dead => 1,
		webhook_delivered => 1);
	cmp_ok($server->count('webhook_pauses'), '>', 0, 'it had its pauses');
	unlike($server->log_text, qr/whsec_|flaky|never/,
		'no secret and no path is in the log');
};

subtest 'order is kept, or given up' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server();
	my $db       = $server->db;

	$endpoint->answers(order => 200, 500, 500, 200);
	$endpoint->hook($db, 1, 'order', ordered => 'true');
	$endpoint->queue($db, 30, 1);
	my @came = came_to($endpoint, 'order', 32, 20);
	is_deeply(numbers(@came), [ 1, 2, 2, 2 .. 30 ],
		'one after the other, each until it is taken');
	$endpoint->answers(any => 500, 200);
	$endpoint->hook($db, 2, 'any');
	$endpoint->queue($db, 30, 2);
	@came = came_to($endpoint, 'any', 31, 20);
	is_deeply([ sort { $a <=> $b } @{ numbers(@came) } ],
		[ 1, 1 .. 30 ], 'else all the same, but for the order');
	isnt(numbers(@came)->[1], 1, 'nobody waits for the one that failed');
};

subtest 'who is gone, and who wants rest' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server(webhook_pause_max => '3s');
	my $db       = $server->db;
	my $live     = T::Live->enter($server);

	$endpoint->answers(gone => 410);
	$endpoint->answers(rest => '429 1', 200);
	$endpoint->hook($db, 1, 'gone');
	$endpoint->hook($db, 2, 'rest');
	$endpoint->queue($db, 1, 1, 2);
	ok((wait_until { $db->query('SELECT enabled
		FROM partyline.webhook WHERE id = 1') eq 'f' }), 'disabled');
	$endpoint->queue($db, 3, 1, 2);
	is($live->hears('webhook.disabled')->{data}{reason},
		'answered 410: gone', 'the lobby is told why');
	my @came = came_to($endpoint, 'rest', 5);
	cmp_ok($came[1]{at} - $came[0]{at}, '>=', 1,
		'nothing comes before Retry-After has passed');
	becomes($db, 2, 'delivered 4', 'then all do');
	is(scalar $endpoint->came('gone'), 1, 'who is gone is asked no more');
	$server->counts(webhook_disabled => 1);
};

subtest 'an endpoint that fails for long is disabled' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server(webhook_disable_after => '1s');
	my $db       = $server->db;

	$endpoint->answers(bad => 500);
	$endpoint->hook($db, 1, 'bad');
	$endpoint->queue($db, 20, 1);
	ok($server->wait_for_log(qr/failed for 0 h, \d+ times in a row/),
		'it says so');
	is($db->query('SELECT enabled FROM partyline.webhook'), 'f',
		'nothing more is sent');
};

# Endpoints by what they do; each is tried once.
my @takes = qw(ok echo early once leave status/201 hints continue surplus
    endless-body endless-chunks bomb);
my @fails = qw(status/404 status/500 retry/503/1 redirect/302 redirect-away
    skew close reset reset-head reset-body half-head half-body half-chunk
    silent slow-head slow-body stall-body later/9 huge-length switch
    endless-trailers endless-headers endless-header huge-header flood
    garbage smtp bad-status bad-chunk bad-length);
my @doors = qw(stranger other-name expired tls-silent tls-cut);

subtest 'endpoints that behave badly' => sub {
	my $receiver = T::Receiver->start;
	my $endpoint = T::Endpoint->start;
	my $server   = server(webhook_schedule => '',
		webhook_timeout => '5s', outgoing_ca => $receiver->ca);
	my $db = $server->db;
	my @urls = ((map { $receiver->url("/$_") } @takes, @fails),
		map { $receiver->url("/ok/$_", $_) } @doors, 'good');

	$endpoint->hook($db, $_, 'x', url => "'$urls[$_ - 1]'") for 1 .. @urls;
	$endpoint->queue($db, 1, 1 .. @urls);
	wait_until { $db->query('SELECT count(*) FROM partyline.webhook_log')
		== @urls } 40;
	my @outcome = split /\n/, $db->query("SELECT d.state || ' '
		|| coalesce(l.error, '') FROM partyline.webhook_delivery d
		JOIN partyline.webhook_log l USING (tenant_id, webhook_id)
		ORDER BY d.webhook_id");
	is(shift @outcome, 'delivered ', "$_: taken") for @takes;
	like(shift @outcome, qr/^dead \D.{6}/, "$_: not taken, in words")
	    for @fails, @doors;
	is(shift @outcome, 'delivered ', 'good: taken');
	is($db->query('SELECT max(octet_length(answer)) <= 2048
		FROM partyline.webhook_log'), 't', '2 KiB of answers are kept');
	is($receiver->requests(qr{^/ok/(?!good)}), 0,
		'nothing is said behind a door that is not believed');
};

subtest 'a dead endpoint delays nobody' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server(webhook_timeout => '1s', webhook_at_once => 50,
		webhook_schedule => '1s', webhook_pause_max => '5s');
	my $db       = $server->db;
	my $nth      = 0;

	$endpoint->answers(dead => 'hold');
	$endpoint->hook($db, 1, 'dead');
	$endpoint->hook($db, 2, 'alive');
	# The median and the most of so many.
	my $taken = sub {
		my ($many) = @_;
		my @late;

		for (1 .. $many) {
			my $begin = time;

			$endpoint->queue($db, 1, 2);
			came_to($endpoint, 'alive', ++$nth);
			push @late, time - $begin;
		}
		@late = sort { $a <=> $b } @late;
		note sprintf 'median %.0f ms, most %.0f ms',
		    1000 * $late[@late / 2], 1000 * $late[-1];
		return @late[@late / 2, -1];
	};
	my ($usual) = $taken->(9);

	$endpoint->queue($db, 10000, 1);
	came_to($endpoint, 'dead', 1);
	my ($median, $most) = $taken->(20);

	cmp_ok($median, '<', 2 * $usual + 0.5, 'as soon as ever');
	cmp_ok($most, '<', 2 * $usual + 2, 'each of them');
	cmp_ok(scalar $endpoint->came('dead'), '<', 60,
		'the dead one is left alone');
	is(states($db, 2), 'delivered 29', 'all are taken');
};

subtest 'a thousand in a row' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server();
	my $db       = $server->db;

	$endpoint->hook($db, $_, "many$_") for 1 .. 5;
	$endpoint->queue($db, 200, 1 .. 5);
	my $begin = time;
	wait_until { $server->count('webhook_delivered') == 1000 } 30;
	note sprintf '%.0f a second', 1000 / (time - $begin);
	my %ids;
	$ids{ $_->{path} . $_->{id} }++ for $endpoint->came;
	is(scalar keys %ids, 1000, 'all came');
	is(scalar(grep { $_ > 1 } values %ids), 0, 'none twice');
};

subtest 'who sends it is woken' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server();
	my $db       = $server->db;
	my $client   = T::Client->new($server);
	my $session  = $client->post('/api/sessions', {})->{json}{id};
	my $events   = "/api/sessions/$session/events";
	my $hook     = '/api/webhooks/1';
	my $count    = 0;
	my @ways     = (
		[ 'an event', post => $events,
			{ type => 'custom.dice', data => {} } ],
		[ 'a test', post => '/api/webhooks/test/1' ],
		[ 'one again', post => "$hook/deliveries/1/redeliver" ],
		[ 'a range again', post => "$hook/replay",
			{ state => 'all', after => 10 } ],
		[ 'one that is enabled', patch => $hook, { enabled => \1 } ],
	);

	$endpoint->hook($db, 1, 'x', events => q('{custom.dice}'));
	for my $way (@ways) {
		my ($name, $method, @what) = @$way;
		my @late;

		for (1 .. 11) {
			wait_until { states($db, 1) !~ /waiting/ };
			if ($method eq 'patch') {
				$client->request('patch', $hook,
					{ enabled => \0 });
				$db->query(q{UPDATE partyline.webhook_delivery
					SET state = 'waiting', next_at = now()
					WHERE id = 1});
			}
			my $begin = time;

			$client->request($method, @what);
			push @late, (came_to($endpoint, 'x', ++$count))[-1]{at}
			    - $begin;
		}
		my ($median) = (sort { $a <=> $b } @late)[5];

		cmp_ok($median, '<', 0.1 * ($ENV{T_SLOW} || 1),
			"$name: nothing waits for the next look");
		note sprintf '%s: median %.1f ms', $name, 1000 * $median;
	}
	is(scalar $endpoint->came('x'), 55, 'each came once');
};

subtest 'its end is recorded, and nobody hears of it' => sub {
	my $endpoint = T::Endpoint->start;
	my $receiver = T::Receiver->start;
	my $db       = T::Db->new;
	my $line     = T::Line->new($db);
	my $server   = server(work_lease => '1s', database_url => $line->url);
	my $count    = 0;

	$endpoint->hook($db, 1, 'x',
		url => "'" . $receiver->url('/later/0.2') . "'");
	# What is cut may be the answer to a look, too.
	ok((wait_until {
		$endpoint->queue($db, 1, 1);
		$count++;
		wait_until { $receiver->requests(qr/later/) >= $count };
		$line->will('cut');
		wait_until { states($db, 1) eq "delivered $count" };
		$line->will('carry');
		$server->log_text =~ /had been recorded before/;
	} 60), 'it is told again, and was known');
	ok((wait_until { $server->count('webhook_delivered') == $count }),
		'each is counted');
	is($receiver->requests(qr/later/), $count, 'none was sent twice');
	is($db->query('SELECT count(*) FROM partyline.webhook_log'), $count,
		'none is in the log twice');
	$server->counts(webhook_leases_lost => 0, webhook_out => 0);
};

subtest 'the jobs process is killed while an endpoint works' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server();
	my $db       = $server->db;

	$endpoint->answers(x => 'hold', 200);
	$endpoint->hook($db, 1, 'x');
	$endpoint->queue($db, 1, 1);
	came_to($endpoint, 'x', 1);
	kill KILL => $server->pids('jobs');
	becomes($db, 1, 'delivered 1', 'the next one sends it again');
	my ($one, $two) = $endpoint->came('x');
	is($two->{id}, $one->{id}, 'under the same id');
	is($two->{body}, $one->{body}, 'the same');
};

subtest 'killed again and again' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server();
	my $db       = $server->db;
	my (%came, $deaths);

	$endpoint->hook($db, $_, "k$_", $_ == 3 ? (ordered => 'true')
	    : ()) for 1 .. 3;
	$endpoint->queue($db, 300, 1 .. 3);
	for my $nth (1 .. 5) {
		wait_until { $endpoint->came >= 100 * $nth } 20;
		kill KILL => $server->pids('jobs') and $deaths++;
	}
	becomes($db, $_, 'delivered 300', "all for endpoint $_", 40)
	    for 1 .. 3;
	$came{ $_->{path} }{ $_->{id} }++ for $endpoint->came;
	is(scalar keys %{ $came{"k$_"} }, 300, 'each came') for 1 .. 3;
	my $again = grep { $_ > 1 } map { values %$_ } values %came;
	cmp_ok($again, '<=', $deaths * 3 * 8,
		'again came only what was on its way');
	my @order = @{ numbers($endpoint->came('k3')) };
	my @back  = grep { $order[$_] < $order[ $_ - 1 ] } 1 .. $#order;
	is(scalar @back, 0, 'order was kept over the deaths');
};

subtest 'a whole host dies' => sub {
	my $endpoint = T::Endpoint->start;
	my $one = server(work_lease => '2s');
	my $db  = $one->db;

	$endpoint->answers(x => 'hold', 200);
	$endpoint->hook($db, 1, 'x');
	$endpoint->queue($db, 1, 1);
	came_to($endpoint, 'x', 1);
	my $two = server(work_lease => '2s', database_url => $db->url,
		redis_url => $one->redis->url,
		redis_prefix => $one->redis->prefix);
	my @children = map { $_->{pid} } $one->processes;
	my $killed = time;
	$one->expect_exit(undef);
	kill KILL => $one->pid, @children;
	becomes($db, 1, 'delivered 1', 'the other one sends it');
	my ($first, $again) = $endpoint->came('x');
	is($again->{id}, $first->{id}, 'under the same id');
	cmp_ok($again->{at} - $killed, '<', 4 * ($ENV{T_SLOW} || 1),
		'soon after the lease ran out');
};

# What waits to be buried is dead, too.
sub is_dead {
	my ($pid) = @_;

	open my $file, '<', "/proc/$pid/stat" or return 1;
	return (readline($file) // '') =~ /\) Z /;
}

# Its master stands still, so that nobody comes in place of the jobs process
# before all of the host is gone.
subtest 'a whole host dies at every step' => sub {
	my %tries = (webhook_dies_claimed => 1, webhook_dies_answered => 2,
		webhook_dies_recorded => 1);

	for my $step (sort keys %tries) {
		my $endpoint = T::Endpoint->start;
		my $one = server(work_lease => '2s');
		my $db  = $one->db;
		my ($jobs)   = $one->pids('jobs');
		my @children = map { $_->{pid} } $one->processes;

		$endpoint->hook($db, 1, 'x');
		$one->fault(arm => $step);
		$one->expect_exit(undef);
		kill STOP => $one->pid;
		$endpoint->queue($db, 1, 1);
		ok((wait_until { is_dead($jobs) } 20), $step);
		kill KILL => $one->pid, @children;
		my $two = server(work_lease => '2s', database_url => $db->url);

		becomes($db, 1, 'delivered 1', 'the other host delivers it',
			20);
		my @came = $endpoint->came('x');

		is(scalar @came, $tries{$step}, "it came $tries{$step} times");
		is((grep { $_->{id} ne $came[0]{id} } @came), 0,
			'under one id');
		$endpoint->queue($db, 1, 1);
		becomes($db, 1, 'delivered 2', 'and goes on', 20);
		is(scalar $endpoint->came('x'), $tries{$step} + 1,
			'what is recorded is not sent again');
	}
};

subtest 'a lease lasts as long as its endpoint works' => sub {
	my $endpoint = T::Endpoint->start;
	my $one = server(work_lease => '600ms', webhook_timeout => '20s');
	my $db  = $one->db;
	my $two = server(work_lease => '600ms', database_url => $db->url,
		redis_url => $one->redis->url,
		redis_prefix => $one->redis->prefix);

	$endpoint->answers(x => 'hold', 200);
	$endpoint->hook($db, 1, 'x');
	$endpoint->queue($db, 1, 1);
	came_to($endpoint, 'x', 1);
	my $leases = sub { $db->query('SELECT next_at
		FROM partyline.webhook_delivery') };
	my %seen;
	wait_until { $seen{ $leases->() } = 1; keys %seen >= 5 };
	cmp_ok(scalar keys %seen, '>=', 5, 'it begins anew');
	is(scalar $endpoint->came('x'), 1, 'and nobody else sends it');
	$db->query('DELETE FROM partyline.webhook_delivery');
	ok((wait_until { $one->count('webhook_leases_lost')
		+ $two->count('webhook_leases_lost') == 1 }),
		'who loses it gives it up');
	ok((wait_until { $one->count('webhook_out')
		+ $two->count('webhook_out') == 0 }), 'at once');
};

subtest 'reloads and stops' => sub {
	my $endpoint = T::Endpoint->start;
	my $server   = server();
	my $db       = $server->db;

	$endpoint->hook($db, 1, 'x');
	$endpoint->queue($db, 500, 1);
	for my $nth (1 .. 2) {
		wait_until { $endpoint->came >= 50 * $nth };
		$server->hup;
		wait_until { $server->count('reloads') == $nth };
	}
	becomes($db, 1, 'delivered 500', 'all are delivered', 30);
	is(scalar $endpoint->came, 500, 'none twice');
	$endpoint->queue($db, 200, 1);
	wait_until { $endpoint->came > 520 };
	ok($server->stop, 'it stops');
	is($db->query('SELECT count(*) FROM partyline.webhook_delivery
		WHERE is_out'), 0, 'and leaves no lease');
	is($db->query("SELECT count(*) FROM partyline.webhook_delivery
		WHERE state = 'delivered'"), scalar $endpoint->came,
		'what came is recorded');
};

done_testing;
