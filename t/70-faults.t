#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Every row of tbl/faults.h: what happens when it fails, and how the server
# goes on. A new fault point needs a subtest here by its name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IO::Socket::INET;
use Test::More;
use T::Client;
use T::Command;
use T::Db;
use T::Ecast;
use T::Endpoint;
use T::Games;
use T::Http;
use T::Responder;
use T::Run;
use T::Server;
use T::Store;
use T::Table;
use T::Turn;
use T::Wait;

sub ended {
	my ($server, $seconds) = @_;
	wait_until { !$server->is_running } $seconds // 20;
	return $server->exit_code;
}

# A worker dies over a write that is committed: whoever wrote sees the line
# cut, repeats it and gets the one answer, and nobody reads less than that.
# A room is found by another process when the first one died.
sub monitor_dies {
	my ($fault) = @_;
	my $ecast  = T::Ecast->start;
	my $server = T::Server->start(workers => 1, wait => 'readyz',
		work_lease => '1s', $ecast->options);
	my $admin = T::Client->new($server);
	my $game  = T::Games::add($server->db, title => 'A', min_players => 3,
		pack_name => 'P', max_players => 8);
	my $id = $admin->post('/api/sessions')->{json}{id};

	$ecast->make('LSBN', players => ['Ann']);
	$server->fault(arm => $fault);
	$admin->post("/api/sessions/$id/games",
		{ game_id => $game, room_code => 'LSBN' });
	ok((wait_until { $server->count('monitors_watching') == 1
		&& $server->count('process_deaths') == 1 } 20),
		'another process watches');
	my $said = sub { $server->db->query("SELECT string_agg(type, ' '
		ORDER BY seq) FROM partyline.event
		WHERE stream = 'session:$id'") };

	wait_until { $said->() =~ /player-count/ };
	is($said->(), 'game.added room.connected player-count.updated',
		'each is said once');
	return;
}

sub writer_dies {
	my ($fault, $is_told) = @_;
	my $server  = T::Server->start(workers => 2, wait => 'readyz');
	my @readers = map { T::Client->new($server, role => undef,
			worker => $_) } 1, 2;
	my $active = sub {
		my ($reader) = @_;
		my $answer;
		wait_until { ($answer = $reader->get('/api/sessions/active'))
			->{status} == 200 };
		return $answer->{json}{id};
	};

	is_deeply([ map { $active->($_) } @readers ], [ undef, undef ],
		'nothing is active');
	my $told = $server->count('events');
	$server->fault(arm => $fault);
	my @write = ('/api/sessions', { notes => 'x' },
		'Idempotency-Key' => 'once');
	is(T::Client->new($server, worker => 1)->post(@write)->{status}, 0,
		'who writes is cut off');
	my $again = T::Client->new($server, worker => 2)->post(@write);
	is($again->{status}, 201, 'it is done when it is repeated');
	is_deeply([ map { $active->($_) } @readers ],
		[ map { $again->{json}{id} } 1, 2 ], 'and read by all');
	is($server->db->query('SELECT count(*) FROM partyline.session'), 1,
		'it was done once');
	is($server->count('events') - $told, $is_told,
		$is_told ? 'its event was told' : 'its event was not told');
	$server->counts(process_deaths => 1, sweeps_posted => 1);
	return;
}

# The jobs process dies with a webhook on its way; the next one does what is
# left, so that it comes so many times.
sub webhook_dies {
	my ($fault, $tries) = @_;
	my $endpoint = T::Endpoint->start;
	my $server   = T::Server->start(workers => 1, wait => 'readyz',
		T::Endpoint::allow());
	my $recorded = sub { $server->db->query("SELECT count(*)
		FROM partyline.webhook_delivery WHERE state = 'delivered'") };

	$server->fault(arm => $fault);
	$endpoint->hook($server->db, 1, 'x');
	$endpoint->queue($server->db, 1, 1);
	ok((wait_until { $recorded->() == 1 }), 'it is delivered');
	my @came = $endpoint->came;
	is(scalar @came, $tries, "it came $tries times");
	is(scalar(grep { $_->{id} eq $came[0]{id} } @came), $tries,
		'under one id');
	$server->counts(faults_hit => 1, process_deaths => 1);
	$endpoint->queue($server->db, 1, 1);
	ok((wait_until { $recorded->() == 2 }), 'and it goes on');
	is(scalar $endpoint->came, $tries + 1,
		'what is recorded is not sent again');
	return;
}

# The jobs process dies over a turn of a thread; the next one asks the responder
# anew when the lease has run out. Who asked hears all of the last answer.
sub responder_dies {
	my ($fault, @said) = @_;
	my $responder = T::Responder->start;
	my $server = T::Server->start(workers => 1, wait => 'readyz',
		set => { outgoing_allow => '127.0.0.0/8',
			work_lease => '1s' });

	$server->db->query("UPDATE partyline.tenant SET responder_url = '"
		. $responder->url('/json') . "' WHERE id = 1");
	$server->fault(arm => $fault);
	my $turn = T::Turn->ask(T::Client->new($server, role => undef),
		'/havefun', {});
	is_deeply([ map { $_->{message} // $_->{status} } $turn->rest ],
		\@said, 'it is answered');
	$server->counts(faults_hit => 1, process_deaths => 1);
	return;
}

plan skip_all => 'needs a build with fault points'
  unless T::Run::has('WITH_FAULTS');

my %when = (
	accept_no_files => sub {
		my $server = T::Server->start(workers => 1);
		$server->fault(arm => 'accept_no_files', 3);
		is($server->get('/livez')->{status}, 200,
			'who waits is served when there are descriptors again');
		ok($server->wait_for_log(qr/descriptors/), 'the log says it');
		$server->counts(faults_hit => 3);
	},
	child_dies_at_start => sub {
		my $server = T::Server->start(workers => 1);
		my ($victim) = $server->worker_pids;
		$server->fault(arm => 'child_dies_at_start', 2);
		kill KILL => $victim;
		ok((wait_until { $server->count('process_deaths') == 3 } 10),
			'two attempts die');
		ok((wait_until { $server->get('/livez')->{status} == 200 } 10),
			'the third serves');
	},
	child_hangs => sub {
		my $server = T::Server->start(workers => 1,
			set => { beat_timeout => '2s' });
		$server->fault(arm => 'child_hangs', 1);
		ok((wait_until { $server->count('process_hangs') == 1 } 15),
			'its silence is noticed');
		ok((wait_until { $server->get('/livez')->{status} == 200 } 10),
			'and it is replaced');
	},
	child_wont_drain => sub {
		my $server = T::Server->start(workers => 1,
			set => { drain_timeout => '500ms' });
		my ($old) = $server->worker_pids;
		# Workers, relay and jobs: whoever hears it first ignores it.
		$server->fault(arm => 'child_wont_drain', 3);
		$server->hup;
		ok($server->wait_for_log(qr/did not leave in time/),
			'killed at its deadline');
		ok((wait_until { !grep { $_ == $old } $server->worker_pids }
			10), 'the old one is gone');
		is($server->get('/livez')->{status}, 200, 'the new one serves');
	},
	control_lost => sub {
		my $server = T::Server->start(workers => 1);
		$server->fault(arm => 'control_lost', 1);
		my $lost = partyline('status', '--state-dir',
			$server->state_dir);
		is($lost->{exit}, 69, 'the command says so');
		isnt($lost->{err}, '', 'in words');
		is(partyline('status', '--state-dir', $server->state_dir)
			->{exit}, 0, 'the next one is answered');
	},
	db_connect_refused => sub {
		my $db    = T::Db->new;
		my $store = T::Store->start($db->url, env => {
			PARTYLINE_FAULTS => 'db_connect_refused=20' });
		ok($store->reaches('down'), 'PostgreSQL is said to be away');
		ok($store->reaches('up', 30), 'and tried until it is there');
		is($store->count('faults_hit'), 20, 'each refusal counted');
	},
	db_lost_after_send => sub {
		my $db = T::Db->new;
		$db->query('CREATE TABLE entry (word text)');
		$db->query('GRANT ALL ON entry TO PUBLIC');
		my $store = T::Store->start($db->url, statements => {
			add => 'INSERT INTO entry VALUES ($1)',
			look => 'SELECT count(*) FROM entry' });
		$store->reaches('up');
		$store->arm('db_lost_after_send');
		$store->call(a => 'add', ['a']);
		is_deeply([$store->answer('a')], ['unknown'],
			'the outcome of a write is unknown');
		ok((wait_until {
			$db->query('SELECT count(*) FROM entry') == 1 } 15),
			'and it was done all the same');
		$store->arm('db_lost_after_send');
		$store->call(b => 'look', [], kind => 'read');
		is_deeply([$store->answer('b')], ['rows', 1, 1],
			'a read is asked once more');
	},
	db_lost_before_sync => sub {
		my $db = T::Db->new;
		$db->query('CREATE TABLE entry (word text)');
		$db->query('GRANT ALL ON entry TO PUBLIC');
		my $store = T::Store->start($db->url, statements => {
			add => 'INSERT INTO entry VALUES ($1) '
				. 'RETURNING word' });
		$store->reaches('up');
		$store->arm('db_lost_before_sync');
		$store->call(a => 'add', ['a']);
		is_deeply([$store->answer('a')], ['unknown'],
			'its row came, but that is no commit');
		$store->call(b => 'add', ['b']);
		is_deeply([$store->answer('b')], ['rows', 1, 'b'],
			'the next goes down another connection');
	},
	log_disk_full => sub {
		my $server = T::Server->start(workers => 1);
		$server->fault(arm => 'log_disk_full', 2);
		$server->get('/livez') for 1 .. 5;
		ok((wait_until { $server->count('log_lost') >= 1 } 10),
			'lost lines are counted');
		is($server->get('/livez')->{status}, 200, 'nothing stops');
	},
	monitor_dies_before_report => sub {
		monitor_dies('monitor_dies_before_report');
	},
	monitor_dies_before_telling => sub {
		monitor_dies('monitor_dies_before_telling');
	},
	monitor_dies_claimed => sub {
		monitor_dies('monitor_dies_claimed');
	},
	must_fails => sub {
		my $server = T::Server->start(workers => 1);
		$server->expect_panic;
	$server->fault(arm => 'must_fails', 1);
		my $socket = IO::Socket::INET->new($server->address);
		syswrite $socket, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
		is(join('', <$socket>), '', 'that request is lost');
		ok($server->wait_for_log(qr/"panic":"panic: /),
			'the master prints the record');
		ok((wait_until { $server->get('/livez')->{status} == 200 } 10),
			'the next is served');
	},
	postgres_stop_hangs => sub {
		my $server = T::Server->start(workers => 1, quickstart => 1);
		$server->fault(arm => 'postgres_stop_hangs', 1);
		ok($server->stop, 'harder signals follow, and it stops');
		$server->spawn;
	ok($server->wait_ready("livez"), "a new start goes on");
		ok((wait_until { $server->get('/readyz')->{status} == 200 } 30),
			'its data is whole');
	},
	responder_dies_asking => sub {
		responder_dies('responder_dies_asking', 'Hello', 'you');
	},
	responder_dies_ending => sub {
		responder_dies('responder_dies_ending', 'Hello', 'you');
	},
	responder_dies_saying => sub {
		my $responder = T::Responder->start;
		my $server = T::Server->start(workers => 1, wait => 'readyz',
			set => { outgoing_allow => '127.0.0.0/8',
				work_lease => '1s' });

		$server->db->query("UPDATE partyline.tenant SET
			responder_url = '" . $responder->url('/hold/x')
			. "' WHERE id = 1");
		$server->fault(arm => 'responder_dies_saying');
		my $turn = T::Turn->ask(T::Client->new($server,
			role => undef), '/havefun', {});
		is_deeply($turn->next, { message => 'first' },
			'what was told is heard');
		$responder->release('x');
		is_deeply([ $turn->rest ], [ { status => 'restarted',
			thread_id => 'chat_thread' }, { message => 'first' },
			{ message => 'last' } ], 'then all of it anew');
		$server->counts(faults_hit => 1, process_deaths => 1);
		is(join(' ', map { $_->{body}{attempt} }
			$responder->questions), '1 2', 'it was asked twice');
	},
	ring_writer_dies => sub {
		my $server = T::Server->start(workers => 1);
		my ($worker) = $server->worker_pids;
		$server->expect_panic;
		$server->expect_exit(undef);
		$server->fault(arm => 'ring_writer_dies', 1);
		# The master posts a sweep for the dead worker and dies in it.
		kill KILL => $worker;
		isnt(ended($server, 20), 0, 'the writer is gone');
		$server->spawn;
	ok($server->wait_ready("livez"), "a new start goes on");
		is($server->get('/livez')->{status}, 200, 'and serves');
	},
	segment_refused => sub {
		my $folder = File::Temp->newdir(TMPDIR => 1);
		my $refused = partyline({ env => {
			PARTYLINE_FAULTS => 'segment_refused' } }, 'serve',
			'--set', "state_dir=$folder", '--set',
			'listen=127.0.0.1:'
			. T::Server::free_port('127.0.0.1'));
		is($refused->{exit}, 71, 'the system refused');
		like($refused->{err}, qr/shared segment cannot be made.*lower/,
			'with what to do');
	},
	webhook_dies_answered => sub {
		webhook_dies('webhook_dies_answered', 2);
	},
	webhook_dies_claimed => sub {
		webhook_dies('webhook_dies_claimed', 1);
	},
	webhook_dies_recorded => sub {
		webhook_dies('webhook_dies_recorded', 1);
	},
	writer_dies_before_bump => sub {
		writer_dies('writer_dies_before_bump', 0);
	},
	writer_dies_before_reply => sub {
		writer_dies('writer_dies_before_reply', 1);
	},
	writer_dies_before_ring => sub {
		writer_dies('writer_dies_before_ring', 0);
	},
);

my @rows = map { $_->{name} } T::Table->rows('faults');
is_deeply([ sort @rows ], [ sort keys %when ],
	'every fault point has its subtest');
for my $name (@rows) {
	subtest $name => $when{$name} if $when{$name};
}

done_testing;
