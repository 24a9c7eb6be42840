#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Events go when their tenant keeps them no longer, and clients that are
# behind are told; one host does it for all, and another one goes on when it
# dies.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Db;
use T::Http;
use T::Live;
use T::Server;
use T::Wait;

my $retention = q{name = 'retention'};

sub tenant {
	my ($server, @words) = @_;
	my $said = $server->partyline('tenant', 'set', 'default', @words,
		'--set', 'database_url=' . $server->{set}{database_url});

	is($said->{exit}, 0, "tenant set @words") or diag($said->{err});
	return;
}

# lowest-head of a stream, and whether it holds just that, and weighs it.
sub held {
	my ($db, $stream) = @_;

	return $db->query(qq{SELECT s.lowest || '-' || s.head || CASE
		WHEN count(e) = s.head + 1 - s.lowest
		AND coalesce(sum(octet_length(e.payload)), 0) = s.bytes
		THEN '' ELSE ' wrong' END
		FROM partyline.stream s LEFT JOIN partyline.event e
		ON e.tenant_id = s.tenant_id AND e.stream = s.name
		AND e.seq >= s.lowest
		WHERE s.tenant_id = 1 AND s.name = '$stream'
		GROUP BY s.lowest, s.head, s.bytes})
	    . ($db->query(q{SELECT count(*) FROM partyline.event e
		JOIN partyline.stream s ON e.tenant_id = s.tenant_id
		AND e.stream = s.name WHERE e.seq < s.lowest})
		? ' left over' : '');
}

# So many events of the lobby, without a server.
sub write_events {
	my ($db, $count) = @_;

	$db->query(qq{WITH s AS (UPDATE partyline.stream
		SET head = head + $count, bytes = bytes + 10 * $count
		WHERE tenant_id = 1 AND name = 'lobby' RETURNING head)
		INSERT INTO partyline.event (tenant_id, stream, seq, type,
		payload, at) SELECT 1, 'lobby', s.head - n, 'x', '0123456789',
		now() FROM s, generate_series(0, $count - 1) n});
	return;
}

sub count_events {
	my ($db) = @_;

	return $db->query(q{SELECT count(*) FROM partyline.event
		WHERE stream = 'lobby'});
}

sub work {
	my ($db, $what) = @_;

	return $db->query("SELECT $what FROM partyline.work WHERE $retention");
}

# Whether somebody is in the middle of the lobby.
sub is_at_work {
	my ($db) = @_;

	return work($db, 'leased_until > now() AND lease > 0') eq 't';
}

# A server that goes a row a step, once it is told what to keep.
sub slow {
	my (%more) = @_;

	return T::Server->start(wait => 'readyz', workers => 1,
		work_batch => 1, work_round => '100ms', work_lease => '2s',
		%more);
}

subtest 'what is kept, and what clients are told' => sub {
	my $server = T::Server->start(wait => 'readyz', workers => 2,
		work_round => '100ms', work_batch => 7);
	my $db = $server->db;
	my $admin = T::Client->new($server);
	my $id = $admin->post('/api/sessions')->{json}{id};
	my $stream = "session:$id";
	my $always = T::Live->enter($server);
	my $emit = sub {
		for (1 .. $_[0]) {
			is($admin->post("/api/sessions/$id/events",
				{ type => 'custom.n', data => { n => $_ } })
			    ->{status}, 201, 'an event') if $_ == 1;
			next if $_ == 1;
			$admin->post("/api/sessions/$id/events",
				{ type => 'custom.n', data => { n => $_ } });
		}
	};

	is($always->follow($id)->{type}, 'subscribed', 'one follows it');
	$emit->(30);
	my $head = $db->query("SELECT head FROM partyline.stream
		WHERE name = '$stream'");
	is(held($db, $stream), "1-$head", 'all is kept for ever');
	tenant($server, 'retention_events=5');
	ok((wait_until { held($db, $stream) eq $head - 4 . "-$head" }),
		'until a tenant wants less') or diag held($db, $stream);
	cmp_ok($server->count('work_rows'), '>=', $head - 5,
		'which is counted');

	my $late = T::Live->enter($server);
	my $answer = $late->follow($id, since => 3);
	ok($answer->{resync} || $late->hears("resync"),
		"who is behind that gets the state") or diag explain $answer;
	ok(!$late->events($stream), 'and none of the events');
	my $near = T::Live->enter($server);
	$answer = $near->follow($id, since => $head - 3);
	ok($near->reaches($stream, $head), 'who is not gets the events');
	is_deeply([$near->numbers($stream)], [$head - 2 .. $head],
		'all of them');
	ok(!$near->heard('resync'), 'and no resync');
	my $edge = T::Live->enter($server);
	$edge->follow($id, since => $head - 5);
	ok($edge->reaches($stream, $head) && !$edge->heard('resync'),
		'nor who needs just what is kept');
	$_->leave for $late, $near, $edge;

	tenant($server, 'retention_events=', 'retention_days=2');
	$db->query("UPDATE partyline.event SET at = now()
		- interval '3 days' WHERE stream = '$stream'
		AND seq < $head");
	ok((wait_until { held($db, $stream) eq "$head-$head" }),
		'by age') or diag held($db, $stream);
	$emit->(3);
	$head += 3;
	is(held($db, $stream), $head - 3 . "-$head", 'what is young stays');
	ok($always->reaches($stream, $head), 'who was there heard all');
	my @numbers = $always->numbers($stream);
	is_deeply(\@numbers, [$numbers[0] .. $head], 'without a gap');
	$always->leave;

	$db->query(q{INSERT INTO partyline.ticket SELECT 1, n, 'lobby', 'x',
		'admin', now() - interval '1 second'
		FROM generate_series(1, 20) n});
	ok((wait_until { !$db->query('SELECT count(*) FROM partyline.ticket')
	    }), 'what has expired goes, too');

	$db->query('REVOKE UPDATE ON partyline.work FROM partyline_fleet');
	ok((wait_until { T::Http->get($server, '/readyz')->{body}
		=~ /"jobs":"degraded"/ }), 'what cannot be done degrades');
	$db->query('GRANT UPDATE ON partyline.work TO partyline_fleet');
	ok((wait_until { T::Http->get($server, '/readyz')->{body}
		=~ /"jobs":"ok"/ }), 'until it can');
};

subtest 'two hosts' => sub {
	my $db = T::Db->new;
	my @set = (wait => 'readyz', workers => 1, work_round => '100ms',
		work_batch => 3, database_url => $db->url);
	my @hosts = map { T::Server->start(@set) } 1, 2;

	write_events($db, 500);
	tenant($hosts[0], 'retention_events=1');
	ok((wait_until { count_events($db) == 1 }), 'the work is done');
	ok((wait_until { work($db, 'lease') > 20 }), 'again and again');
	# Until none is at work and none will be.
	ok((wait_until {
		$db->query(q{UPDATE partyline.work
			SET due_at = now() + interval '1 day'
			WHERE leased_until IS NULL});
		$db->query(q{SELECT count(*) FROM partyline.work
			WHERE due_at > now() + interval '1 hour'}) == 3;
	}), 'then no more');
	my $claims = $db->query('SELECT sum(lease) FROM partyline.work');
	my $sum = sub {
		my ($name) = @_;
		my $all = 0;

		$all += $_->count($name) for @hosts;
		return $all;
	};
	ok((wait_until { $sum->('work_rounds') == $claims }),
		'each claim was one round of one host')
	    or diag $sum->('work_rounds') . " of $claims";
	is($sum->('work_rows'), 499, 'each row was removed once');
	is($sum->('work_leases_lost'), 0, 'nobody took it from another');
};

subtest 'jobs that are killed in the middle' => sub {
	my $server = slow();
	my $db = $server->db;

	ok((wait_until { work($db, 'lease') > 0 }), 'it works');
	write_events($db, 2000);
	tenant($server, 'retention_events=1');
	ok((wait_until { count_events($db) < 1900 } 20), 'it has begun');
	my ($pid) = $server->pids('jobs');
	kill KILL => $pid;
	ok((wait_until {
		my ($next) = $server->pids('jobs');
		$next && $next != $pid
	} 20), 'its successor is there');
	my ($lease, $left) = (work($db, 'lease'), count_events($db));
	cmp_ok($left, '>', 1, 'there is work left');
	ok(is_at_work($db), 'which nobody else may do');
	is(held($db, 'lobby') =~ s/^\d+-//r, 2000,
		'what was done is whole');
	ok((wait_until { work($db, 'lease') > $lease } 20),
		'until the lease has run out');
	ok((wait_until { count_events($db) == 1 } 60), 'then it goes on');
	is(work($db, 'lease') > $lease, 1, 'as another one');
	is(held($db, 'lobby'), '2000-2000', 'to the end');
};

subtest 'a host that dies in the middle' => sub {
	my $db = T::Db->new;
	my $ann = slow(database_url => $db->url);

	ok((wait_until { work($db, 'leased_by') ne '' }), 'one host');
	my $first = work($db, 'leased_by');
	write_events($db, 2000);
	tenant($ann, 'retention_events=1');
	ok((wait_until { count_events($db) < 1900 } 20), 'is at work');
	my $bob = slow(database_url => $db->url);
	$ann->kill9;
	ok((wait_until { work($db, 'leased_by') ne $first } 30),
		'another one takes it over');
	cmp_ok(count_events($db), '>', 1, 'there was work left');
	ok((wait_until { count_events($db) == 1 } 60), 'and comes to the end');
	is(held($db, 'lobby'), '2000-2000', 'all of it');
	is($bob->count('work_leases_lost'), 0, 'by nobody disturbed');
};

subtest 'a host that stops in the middle' => sub {
	my $db = T::Db->new;
	my $ann = slow(database_url => $db->url, work_lease => '1min');

	ok((wait_until { work($db, 'leased_by') ne '' }), 'one host');
	my $first = work($db, 'leased_by');
	my $bob = slow(database_url => $db->url, work_lease => '1min');
	write_events($db, 4000);
	tenant($ann, 'retention_events=1');
	ok((wait_until { count_events($db) < 3900 } 20), 'somebody works');
	my ($worker, $other) = work($db, 'leased_by') eq $first
	    ? ($ann, $bob) : ($bob, $ann);
	my $by = work($db, 'leased_by');
	$worker->stop;
	ok((wait_until { work($db, 'leased_by') ne $by } 15),
		'another one goes on, long before the lease would end');
	ok((wait_until { my $left = count_events($db); $left < 3900 } 20),
		'with what was left');
	my ($pid) = $other->pids('jobs');
	my $lease = work($db, 'lease');
	kill HUP => $other->pid;
	ok((wait_until {
		my ($next) = $other->pids('jobs');
		$next && $next != $pid && work($db, 'lease') > $lease
	} 15), 'so does a successor on the same host');
	cmp_ok(count_events($db), '>', 1, 'all that in the middle');
	is($other->count('work_leases_lost'), 0, 'nobody lost it');
};

subtest 'who was too slow' => sub {
	my $server = slow();
	my $db = $server->db;

	write_events($db, 2000);
	tenant($server, 'retention_events=1');
	ok((wait_until { count_events($db) < 1900 } 20), 'one is at work');
	$db->query(qq{UPDATE partyline.work SET lease = lease + 1,
		leased_by = 'another', leased_until = now()
		+ interval '1 second' WHERE $retention});
	my $lease = work($db, 'lease');
	$server->counts(work_leases_lost => 1);
	my $left = count_events($db);
	ok((wait_until { work($db, 'lease') > $lease }),
		'it waits until the other lease has run out');
	ok((wait_until { count_events($db) < $left } 20), 'and goes on');
};

done_testing;
