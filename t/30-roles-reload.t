#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# HUP: new configuration, new processes, not one failed request.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Load;
use T::Server;
use T::Wait;

# A server whose processes are all there.
sub whole {
	my $server = T::Server->start(@_);
	$server->wait_for_log(qr{"server ready"}) or die "not ready";
	return $server;
}

sub under_load {
	my ($server, $do, %options) = @_;
	my $load = T::Load->start($server, clients => 4, %options);
	$do->();
	ok($load->goes_on, "the load goes on");
	my $result = $load->stop;
	note("$result->{requests} requests");
	is_deeply($result->{failures}, [], "not one failed");
	cmp_ok($result->{repeated}, '<=', 2,
		'hardly one met the end of an idle connection');
	return;
}

sub all_replaced {
	my ($server, @old) = @_;
	my %old = map { $_ => 1 } @old;
	return wait_until { !grep { $old{$_} } $server->worker_pids } 20;
}

subtest 'a reload under load loses no request' => sub {
	my $server = whole(workers => 2);
	my @old    = $server->worker_pids;
	under_load($server, sub {
		$server->hup;
		ok(all_replaced($server, @old), 'all workers are new');
	});
	is(scalar $server->worker_pids, 2, 'still two');
	is(scalar $server->pids('relay'), 1, 'one relay');
	is(scalar $server->pids('jobs'),  1, 'one jobs process');
};

# A new worker has to have read tenants and keys before it takes over.
subtest 'nor one that the database has to answer' => sub {
	my $server = whole(workers => 2, read_cache => 0);
	for (1 .. 3) {
		my @old = $server->worker_pids;
		under_load($server, sub {
			$server->hup;
			ok(all_replaced($server, @old), 'all workers are new');
		}, path => '/api/sessions/active', keepalive => 0);
	}
};

subtest 'fewer workers, then more, under load' => sub {
	my $server = whole(conf => { workers => 4 });
	is(scalar $server->worker_pids, 4, 'four workers');
	under_load($server, sub {
		$server->rewrite(workers => 1);
		$server->hup;
		ok((wait_until { $server->worker_pids == 1 } 20),
			'one is left');
		ok($server->wait_for_log(qr/removed listening sockets closed/),
			'the sockets of the others are emptied, then closed');
	});
	my $moves = () = $server->log_text =~ /accepts for a missing one/g;
	is($moves, 3, 'each socket without a worker found another once');
	under_load($server, sub {
		$server->rewrite(workers => 3);
		$server->hup;
		ok((wait_until { $server->worker_pids == 3 } 20), 'three');
	});
};

subtest 'reloads in a hurry' => sub {
	my $server = whole(workers => 2);
	under_load($server, sub {
		for my $n (1 .. 5) {
			my @old = $server->worker_pids;
			$server->hup;
			ok((wait_until { $server->count('reloads') == $n } 10),
				"reload $n");
			ok(all_replaced($server, @old), 'replaced');
		}
	});
};

subtest 'a bad file is refused and the server goes on' => sub {
	my $server = whole(conf => { workers => 1 });
	my @old    = $server->worker_pids;
	$server->rewrite(workers => 'many');
	$server->hup;
	ok($server->wait_for_log(qr/reload refused.*workers/),
		'the log names the option');
	$server->counts(reloads => 1, reloads_refused => 1);
	is_deeply([ $server->worker_pids ], \@old, 'the same worker');
	is($server->get('/livez')->{status}, 200, 'which serves');
};

subtest 'what a reload cannot change is named' => sub {
	my $server = whole(conf => { workers => 1 });
	$server->rewrite(ring_size => '1MiB', log_level => 'debug');
	$server->hup;
	ok($server->wait_for_log(qr/need a restart.*ring_size/), 'ring_size');
	ok($server->wait_for_log(qr/"level":"debug"/),
		'the rest is taken over');
};

done_testing;
