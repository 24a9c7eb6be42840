#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Requests that wait for PostgreSQL while the server stops, its worker dies or
# their client goes away: whoever is there is answered, whoever has gone is
# looked after all the same, and nothing is left over.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use T::Client;
use T::Lock;
use T::Server;
use T::Wait;

my $sessions = '/api/sessions';

sub start {
	my (%set) = @_;

	return T::Server->start(wait => 'readyz', set => { workers => 1,
		jwt_secret => 'a secret for tests, of enough bytes.', %set });
}

my @event = ({ type => 'custom.x', data => { a => 'b' x 100 } });

# So many wait at a session that is locked: events, reads, and ends of it.
sub crowd {
	my ($server, $id, $size) = @_;
	my @clients = map { T::Client->new($server) } 1 .. $size;
	my $lock = T::Lock->new($server->db, 'LOCK TABLE partyline.session, '
		. 'partyline.stream');

	for my $i (0 .. $#clients) {
		my $client = $clients[$i];

		$client->ask(POST => "$sessions/$id/events", @event,
			'Idempotency-Key' => "k$i") if $i % 3 == 0;
		$client->ask(GET => "$sessions/$id?x=" . $i % 2) if $i % 3 == 1;
		$client->ask(POST => "$sessions/$id/archive") if $i % 3 == 2;
	}
	# What follows waits behind it: all of these are with the server.
	ok((wait_until { $server->count('db_in_flight')
		+ $server->count('db_waiting') >= 3 + int($size / 3) }),
		'they wait for PostgreSQL');
	return ($lock, @clients);
}

sub events_of {
	my ($server) = @_;

	return $server->db->query(q{SELECT count(*) FROM partyline.event WHERE
		stream LIKE 'session:%' AND type LIKE 'custom.%'});
}

sub new_session {
	my ($server) = @_;
	my $admin = T::Client->new($server);
	my $id    = $admin->post($sessions)->{json}{id};

	return ($admin, $id);
}

subtest 'the server stops' => sub {
	my $server = start(workers => 2);
	my ($admin, $id) = new_session($server);
	my ($lock, @clients) = crowd($server, $id, 30);

	$server->signal('TERM');
	ok($server->wait_for_log(qr/"server stops"/), 'it is told to');
	ok($server->is_running, 'it waits for them');
	$lock->let_go;
	my %statuses;
	$statuses{ $_->take->{status} }++ for @clients;
	is_deeply([ sort keys %statuses ], [200, 201, 400],
		'all that was asked is answered');
	is_deeply([ @statuses{ 200, 201, 400 } ], [10, 10, 10], 'each');
	is(events_of($server), 10, 'and done');
	ok((wait_until { !$server->is_running } 10), 'then it leaves');
	ok($server->stop, 'well');
	is($server->db->query('SELECT count(*) FROM partyline.host'), 0,
		'and tells the other hosts');
};

subtest 'the server stops and cannot wait' => sub {
	my $server = start(drain_timeout => '300ms', db_depth => 2);
	my ($admin, $id) = new_session($server);
	my ($lock, @clients) = crowd($server, $id, 60);

	# Behind an answer that comes at the last moment.
	$_->ask(GET => "$sessions/active"), $_->ask(POST => $sessions)
	    for @clients;
	$server->signal('TERM');
	ok((wait_until { !$server->is_running } 20), 'it leaves');
	my %codes;
	for my $client (@clients) {
		my $answer = $client->take(seconds => 2);

		$codes{ $answer->{json}{code} // $answer->{status} }++;
	}
	delete @codes{qw(0 database_away outcome_unknown)};
	is_deeply(\%codes, {}, 'nobody was told what is not so');
	$lock->let_go;
	ok($server->stop, 'well');
};

subtest 'the worker dies' => sub {
	my $server = start(workers => 2, restart_max => '200ms');
	my ($admin, $id) = new_session($server);
	my ($lock, @clients) = crowd($server, $id, 30);

	kill KILL => $server->worker_pids;
	is_deeply([ map { $_->take->{status} } @clients ], [ (0) x 30 ],
		'all lines are cut');
	$lock->let_go;
	for my $i (grep { $_ % 3 == 0 } 0 .. $#clients) {
		my $answer;

		wait_until { ($answer = $clients[$i]->post(
			"$sessions/$id/events", @event,
			'Idempotency-Key' => "k$i"))->{status} == 201 };
		is($answer->{status}, 201, "event $i is stored in the end");
	}
	is(events_of($server), 10, 'each once');
};

subtest 'the clients go away' => sub {
	my $server = start(workers => 2);
	my ($admin, $id) = new_session($server);
	my $told = $server->count('events');

	for my $round (1 .. 3) {
		my ($lock, @clients) = crowd($server, $id, 30);

		# Some say good-bye, some are torn away.
		for my $i (0 .. $#clients) {
			setsockopt $clients[$i]->http->socket, SOL_SOCKET,
			    SO_LINGER, pack 'ii', 1, 0 if $i % 2;
			$clients[$i]->hang_up;
		}
		$lock->let_go;
		ok((wait_until { events_of($server) == 10 }),
			'what they asked is done');
		ok((wait_until { $server->count('events') == $told + 10 }),
			'and told to the others');
		$server->counts(connections_open => 1, db_in_flight => 0,
			db_waiting => 0);
		$server->db->query(q{DELETE FROM partyline.event WHERE type
			LIKE 'custom.%'});
		$server->db->query(q{DELETE FROM partyline.idempotency});
		$told += 10;
	}
	is($admin->get("$sessions/$id")->{status}, 200, 'it goes on');
	is($server->count('process_deaths'), 0, 'nobody died of it');
};

done_testing;
