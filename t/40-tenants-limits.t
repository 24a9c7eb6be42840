#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The limits of tenants over HTTP: exact over three workers with clients side
# by side, also after a worker was killed, and nobody else's.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX    ();
use Test::More;
use T::Client;
use T::Server;
use T::Wait;

my $server = T::Server->prepare(
	workers        => 3,
	login_failures => 3,
	tenant_places  => 16,
	db_timeout     => '1s',
	conf           => { jwt_secret => 'k' x 32, storage_round => '1h' }
);
my $db = $server->db;

sub tenant {
	my (@words) = @_;
	my $said = $server->partyline('tenant', @words, '--set',
		'database_url=' . $db->url);

	is($said->{exit}, 0, "tenant @words") or diag $said->{err};
	return;
}

# Before the server starts, so that no request is needed to see them felt.
my %limit = (
	requests    => 'max_requests=300',
	events      => 'max_events=100',
	connections => 'max_connections=10',
	storage     => 'max_storage=20000',
	free        => 'max_requests='
);
for my $slug (sort keys %limit) {
	tenant('add', $slug);
	tenant('set', $slug, $limit{$slug});
}
$server->spawn;
ok($server->wait_ready('readyz'), 'the server is ready');

sub client {
	my ($slug, $worker, @more) = @_;

	return T::Client->new($server, tenant => $slug, worker => $worker,
		@more);
}

# Six processes do the same, two with each worker, after all are ready; what
# each answers with, by how often. They hold what they have until $held ends.
sub side_by_side {
	my ($slug, $do, $held) = @_;
	my ($all, $one_by_one, @pids) = ({}, '');

	pipe my $listen, my $say or die "pipe: $!\n";
	pipe my $wait, my $go    or die "pipe: $!\n";
	pipe my $stay, my $leave or die "pipe: $!\n";
	for my $n (0 .. 5) {
		my $client = client($slug, $n % 3 + 1, name => "Ann $n");

		$client->http;
		push @pids, fork // die "fork: $!\n";
		next if $pids[-1] != 0;
		close $_ for $go, $leave, $listen;
		sysread $wait, my $nothing, 1;
		my $counts = eval { $do->($client) } // { $@ => 1 };
		syswrite $say, join(' ', %$counts) . "\n";
		sysread $stay, $nothing, 1;
		POSIX::_exit(0);
	}
	close $_ for $go, $say, $wait, $stay;
	while ($one_by_one =~ tr/\n// < 6) {
		sysread $listen, $one_by_one, 4096, length $one_by_one
		    or die "a client died\n";
	}
	for my $line (split /\n/, $one_by_one) {
		my %counts = split / /, $line;

		$all->{$_} += $counts{$_} for keys %counts;
	}
	$held->() if $held;
	close $leave;
	waitpid $_, 0 for @pids;
	return $all;
}

# The statuses of so many requests.
sub times_over {
	my ($count, @what) = @_;

	return sub {
		my ($client) = @_;
		my %counts;

		$counts{ $client->request(@what)->{status} }++ for 1 .. $count;
		return \%counts;
	};
}

sub kill_worker {
	my ($ordinal) = @_;
	my $pid = $server->worker_pid($ordinal);

	kill KILL => $pid;
	ok((wait_until {
		my $now = $server->worker_pid($ordinal);

		$now && $now != $pid && eval { client('free', $ordinal)
		    ->get('/api/sessions')->{status} == 200 };
	} 20), "worker $ordinal was killed, another one is there");
	return;
}

sub is_refused {
	my ($answer, $status, $code, $name) = @_;

	is($answer->{status}, $status, $name);
	is($answer->{json}{code}, $code, "$name: $code");
	return;
}

subtest 'max_requests' => sub {
	my @get = (GET => '/api/sessions', undef);
	my $one = client('requests', 1);
	my $answer = $one->request(@get);

	is($answer->{headers}{'ratelimit-policy'}, '"requests";q=300;w=60',
		'the limit is told');
	is($answer->{headers}{ratelimit}, '"requests";r=299;t=60',
		'and what is left');
	is_deeply(side_by_side('requests', times_over(20, @get)),
		{ 200 => 120 }, 'not yet');
	kill_worker(2);
	is_deeply(side_by_side('requests', times_over(50, @get)),
		{ 200 => 179, 429 => 121 }, 'exactly so many');
	$answer = $one->request(@get);
	is_refused($answer, 429, 'too_many_requests', 'no more');
	like($answer->{headers}{ratelimit}, qr/^"requests";r=0;t=\d+$/,
		'none is left');
	my $wait = $answer->{headers}{'retry-after'};
	ok($wait >= 1 && $wait <= 60, 'when to come again');
	is($one->post('/api/sessions', {})->{status}, 429, 'nor a write');
	is($one->get('/api/nothing')->{status}, 404,
		'what is no operation is not counted');
	$answer = client('free')->request(@get);
	is($answer->{status}, 200, 'another tenant does not feel it');
	ok(!exists $answer->{headers}{ratelimit}, 'and has no limit');
};

subtest 'max_events' => sub {
	my $one = client('events', undef, role => 'bot');
	my @post = (POST => '/api/sessions/1/events',
		{ type => 'custom.x', data => {} });

	is(client('events')->post('/api/sessions', {})->{status}, 201,
		'one to begin a session');
	is_deeply(side_by_side('events', times_over(7, @post)), { 201 => 42 },
		'not yet');
	kill_worker(1);
	is_deeply(side_by_side('events', times_over(20, @post)),
		{ 201 => 57, 429 => 63 }, 'exactly so many');
	my $answer = $one->request(@post);
	is_refused($answer, 429, 'too_many_events', 'no more');
	like($answer->{headers}{'retry-after'}, qr/^\d+$/,
		'when to come again');
	is($one->post('/api/sessions/1/archive', undef)->{status}, 403,
		'what stores no event is answered as ever');
	is($db->query('SELECT count(*) FROM partyline.event WHERE tenant_id = '
		. q{(SELECT id FROM partyline.tenant WHERE slug = 'events')}),
		100, 'so many there are');
};

subtest 'max_connections' => sub {
	my @get = (GET => '/api/sessions', undef);
	my $open = sub {
		my ($count) = @_;

		return sub {
			my ($first) = @_;
			my %counts;

			$first->hang_up;
			for (1 .. $count) {
				my $client = client('connections',
					$first->{worker});

				$counts{ $client->request(@get)->{status} }++;
				push @{ $first->{kept} }, $client;
			}
			return \%counts;
		};
	};
	my @kept;
	# How many more there may be: opened, and kept.
	my $room = sub {
		my (@workers) = @_;
		my $count = 0;

		for (0 .. 20) {
			my $client = client('connections',
				@workers ? $workers[$_ % @workers] : undef);

			last if $client->request(@get)->{status} != 200;
			push @kept, $client;
			$count++;
		}
		return $count;
	};

	is_deeply(side_by_side('connections', $open->(4), sub {
		my $one = client('connections');
		my $answer = $one->request(@get);

		is_refused($answer, 429, 'too_many_tenant_connections',
			'no more');
		is($answer->{headers}{connection}, 'close', 'it is closed');
		is($answer->{headers}{'retry-after'}, 2, 'try again');
		is(client('free')->request(@get)->{status}, 200,
			'another tenant does not feel it');
	}), { 200 => 10, 429 => 14 }, 'exactly so many');
	ok((wait_until { @kept = (); $room->() == 10 }),
		'they were given back');

	is($kept[0]->request(@get)->{status}, 200, 'one is counted once');
	is($kept[1]->get('/api/nothing')->{status}, 404,
		'whatever it asks for');
	is($room->(), 0, 'so there is no room');
	# By its host a connection can be another tenant's each time.
	tenant('set', 'free', 'hosts=free.example');
	my $http = $kept[2]->http;
	my $via  = sub {
		my ($path) = @_;

		$http->send("GET $path HTTP/1.1\r\nHost: free.example\r\n\r\n");
		return $http->answer->{status};
	};
	is($via->('/livez'), 200, 'what is no tenant\'s');
	is($room->(), 0, 'leaves it where it was');
	is($via->('/api/sessions'), 200, 'the other tenant\'s');
	is($room->(), 1, 'takes it there');
	is($via->('/t/connections/api/sessions'), 429, 'there is no way back');
	ok($http->is_cut, 'it is closed');
	splice @kept, 2, 1;
	ok((wait_until { $room->() || @kept == 10 }), 'room for one');
	is($room->(), 0, 'and no more');

	# Those of a worker that was killed.
	@kept = ();
	ok((wait_until { @kept = (); $room->(1, 2, 3) == 10 }),
		'spread over the workers');
	my $held = grep { $_->{worker} == 1 } @kept;
	is($held, 4, 'four with one of them');
	kill_worker(1);
	is($room->(2, 3), 4, 'are given back');
	is_refused(client('connections', 2)->request(@get), 429,
		'too_many_tenant_connections', 'and no more');

	# Those of workers that leave.
	my %old = map { $_ => 1 } $server->worker_pids;
	$server->hup;
	@kept = ();
	ok((wait_until { !grep { $old{$_} } $server->worker_pids } 20),
		'a reload');
	ok((wait_until { @kept = (); $room->() == 10 } 20), 'after it');
	is_refused(client('connections')->request(@get), 429,
		'too_many_tenant_connections', 'no more than before');

	splice @kept, 5;
	tenant('set', 'connections', 'max_connections=0');
	ok((wait_until { client('connections')->request(@get)->{status} == 429
		&& !$room->() }), 'a lower limit');
	is($kept[0]->request(@get)->{status}, 200, 'cuts nobody');
	tenant('set', 'connections', 'max_connections=');
	ok((wait_until { $room->() > 10 }), 'and none lets everybody in');
	@kept = ();
};

subtest 'max_storage' => sub {
	# What is to be kept of it: 8 bytes of type and 992 of data.
	my @post = (POST => '/api/sessions/1/events', { type => 'custom.x',
		data => { x => 'x' x 984 } });
	my $one = client('storage', 1);

	is($one->post('/api/sessions', undef)->{status}, 201, 'a session');
	is_deeply(side_by_side('storage', times_over(1, @post)), { 201 => 6 },
		'not yet');
	kill_worker(3);
	is_deeply(side_by_side('storage', times_over(5, @post)),
		{ 201 => 14, 507 => 16 }, 'exactly so many');
	my $answer = $one->request(@post);
	is_refused($answer, 507, 'storage_full', 'no more');
	is($answer->{headers}{'ratelimit-policy'}, '"storage";q=20000',
		'the limit is told');
	is($answer->{headers}{ratelimit}, '"storage";r=0', 'none is left');
	is(client('free')->post('/api/sessions', { notes => 'x' x 1000 })
		->{status}, 201, 'another tenant does not feel it');

	# What was refused was given back.
	is($one->post('/api/sessions/1/close', {})->{status}, 200,
		'what keeps nothing needs no room');
	is($one->post('/api/sessions/bulk', { action => 'delete', ids => [1] })
		->{status}, 200, 'what makes room needs none either');
	is($one->request(@post)->{status}, 507, 'but room is only measured');
	$server->rewrite(storage_round => '100ms');
	$server->hup;
	$one->hang_up;
	ok((wait_until { $one->post('/api/sessions', { notes => 'y' x 900 })
		->{status} == 201 } 30), 'in rounds');
	my $id = $db->query(
		q{SELECT id FROM partyline.tenant WHERE slug = 'storage'});

	# What is refused later is given back at once.
	is($one->post('/api/sessions', { notes => 'y' x 10000 })->{status}, 400,
		'one is active') for 1 .. 3;
	is($one->post('/api/sessions', { notes => 'y' x 10000 })->{status}, 400,
		'and it takes nothing');
	is($one->post("/api/sessions/2/close", { notes => 'y' x 9000 })
		->{status}, 200, 'as there is room for this');

	# What others wrote: another host, or what was there before a start.
	my $weigh = sub {
		$db->query("UPDATE partyline.stream SET bytes = $_[0]"
			. " WHERE tenant_id = $id AND name = 'lobby'");
	};
	my $may_write = sub {
		return $one->post('/api/sessions/2/events',
			{ type => 'custom.x', data => {} })->{status};
	};
	is($may_write->(), 201, 'there is room');
	$weigh->(30_000);
	ok((wait_until { $may_write->() == 507 } 20),
		'what another host wrote');
	$weigh->(0);
	ok((wait_until { $may_write->() == 201 } 20), 'or took away');
	$weigh->(30_000);
	$server->rewrite(storage_round => '1h');
	ok($server->stop, 'the server stops');
	$server->spawn;
	ok($server->wait_ready('readyz'), 'and starts');
	$one->hang_up;
	ok((wait_until { $server->count('storage_rounds') == 1 }),
		'then it measures at once');
	is($may_write->(), 507, 'what was there before');
};

subtest 'what cannot be measured' => sub {
	my $part = sub {
		my $answer = $server->get('/readyz');

		return "$answer->{status} $answer->{body}";
	};

	$server->rewrite(storage_round => '100ms');
	$server->hup;
	ok((wait_until { $server->count('storage_rounds') > 2 } 20),
		'jobs go on after a reload');
	like($part->(), qr/^200 .*"status":"ready".*"jobs":"ok"/, 'as usual');
	$db->query('REVOKE SELECT ON partyline.stream FROM partyline_fleet');
	ok((wait_until { $part->() =~
		/^200 .*"status":"degraded".*"jobs":"degraded"/ } 20),
		'jobs are degraded where they cannot measure');
	$server->counts(jobs_failing => 1);
	$db->query('GRANT SELECT ON partyline.stream TO partyline_fleet');
	ok((wait_until { $part->() =~ /"status":"ready".*"jobs":"ok"/ } 20),
		'and well again');
	$server->counts(jobs_failing => 0);
};

subtest 'login_failures' => sub {
	my @guess = ('/api/auth/login', { key => 'guess' });
	my @clients = map { client('free', $_, role => undef) } 1 .. 3;

	is($_->post(@guess)->{status}, 401, 'a wrong key') for @clients;
	for my $client (@clients) {
		my $answer = $client->post(@guess);

		is_refused($answer, 429, 'too_many_logins', 'no more');
		like($answer->{headers}{'retry-after'}, qr/^[1-9]\d?$/,
			'when to come again');
		like($answer->{headers}{ratelimit}, qr/^"logins";r=0;t=\d+$/,
			'the limit is told');
	}
	is(client('events', undef, role => undef)->post(@guess)->{status}, 401,
		'in another tenant nobody failed');
};

subtest 'tenant_places' => sub {
	# Since the server started, one place is taken: of `storage`.
	my @more = map { "more$_" } 1 .. 16;

	for my $slug (@more) {
		tenant('add', $slug);
		tenant('set', $slug, 'max_requests=1000');
	}
	my @clients = map { client($_) } @more;
	my $last = pop @clients;

	for my $client (@clients) {
		ok((wait_until { my $answer = $client->get('/api/sessions');
			$answer->{headers}{ratelimit} }), 'has a place');
	}
	ok((wait_until { $last->get('/api/sessions')->{status} == 503 }),
		'there are no more');
	is_refused($last->get('/api/sessions'), 503, 'tenant_places_full',
		'refused');
	is_refused($last->post('/api/sessions', {}), 503, 'tenant_places_full',
		'a write, too');
	is(client('free')->get('/api/sessions')->{status}, 200,
		'who has no limit needs none');
	like($server->log_text, qr/raise tenant_places and restart.*"more\d+"/,
		'operators are told');
};

done_testing;
