#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official client before two hosts that are each
# other's peers, behind a balancer that sends each request to the next of
# them; and hosts that die meanwhile.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Balancer;
use T::Db;
use T::Script;
use T::Server;
use T::Wait;

my $client = T::Script::client();

my $db  = T::Db->new;
my $own = T::Server::own_host();
my @at  = map { $own . ':' . T::Server::free_port($own) } 1 .. 2;

sub host {
	my ($number) = @_;

	return T::Server->start(wait => 'readyz', workers => 2, set => {
		socketio_conformance => 'on', engineio_close_wait => 200,
		listen => $at[$number - 1], host_number => $number,
		peers => "1=$at[0] 2=$at[1]", database_url => $db->url,
		trusted_proxies => '127.0.0.0/8', drain_spread => '200ms' });
}

my $ann = host(1);
my $bob = host(2);
my $balancer = T::Balancer->start($ann, $bob);

subtest 'whichever host gets it' => sub {
	T::Script::node('socketio.js', [$client, $balancer->url]);
	for my $host ($ann, $bob) {
		cmp_ok($host->count('engineio_sessions'), '>', 50,
			'each had sessions');
		cmp_ok($host->count('engineio_forwards'), '>', 50,
			'and was asked for the other one\'s');
		is($host->count('engineio_forwards_failed'), 0,
			'which answered');
	}
};

subtest 'hosts that die' => sub {
	T::Script::node('hosts.js', [$client, $balancer->url], kill => sub {
		kill KILL => (map { $_->{pid} } $ann->processes), $ann->pid;
		$ann->kill9;
	}, begin => sub {
		$ann->spawn;
		ok($ann->wait_ready('readyz'), 'it begins again');
	}, reload => sub {
		my $before = $bob->count('reloads');

		$bob->hup;
		ok((wait_until { $bob->count('reloads') > $before
			&& $bob->count('draining') == 0 } 30), 'reloaded');
	});
	for my $host ($ann, $bob) {
		ok((wait_until { $host->count('engineio_clients') == 0 }),
			'all have left');
	}
};

$_->stop for $ann, $bob;

done_testing;
