#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Asking all sockets of a namespace, on every worker of two hosts, and what
# comes back: all answers, those that come in time, and those of who is left
# where a worker is killed meanwhile.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::Db;
use T::Redis;
use T::Server;
use T::SocketIo;
use T::Wait;

my $json  = JSON::PP->new;
my $db    = T::Db->new;
my $redis = T::Redis->new;
my @hosts = map { T::Server->start(wait => 'readyz', workers => 2,
	database_url => $db->url, redis_url => $redis->url,
	redis_prefix => $redis->prefix,
	set => { socketio_conformance => 'on' }) } 1, 2;

$_->{db} = $db for @hosts;

sub clients {
	return map {
		my ($host, $worker) = @$_;
		my $client = T::SocketIo->connect($hosts[$host],
			worker => $worker, by => $T::SocketIo::by[$worker - 1]);

		$client->enter('/custom');
		$client->hear;
		$client;
	} @_;
}

# Each that is asked answers with its number; those at undef do not.
sub asked {
	my ($asker, $ms, @others) = @_;

	$asker->say("2/custom,7[\"ask-all\",$ms]");
	for my $n (0 .. $#others) {
		my $client = $others[$n] // next;
		my $said = $client->hears(qr/"asked"/) // '';

		my ($id) = $said =~ /\A2\/custom,(\d+)\["asked"\]\z/
		    or return "$n is told '$said'";
		$client->say("3/custom,${id}[$n]");
		$client->say("3/custom,${id}[$n]");
	}
	return;
}

sub answer {
	my ($asker) = @_;
	my ($said) = ($asker->hears(qr/\A3/) // '')
	    =~ /\A3\/custom,7(.*)\z/s or return;
	my ($meant, $answers) = @{ $json->decode($said) };

	return [$meant, sort map { $_->[0] } @$answers];
}

my @all = clients([0, 1], [0, 2], [0, 2], [1, 1], [1, 2]);

subtest 'all answer' => sub {
	for my $asker (@all[0, 1, 4]) {
		my $begun = time;

		is(asked($asker, 20000, @all), undef, 'everybody is asked');
		is_deeply(answer($asker), [5, 0 .. 4], 'all of all hosts');
		cmp_ok(time - $begun, '<', 10, 'without waiting for more');
	}
};

subtest 'in time' => sub {
	is(asked($all[3], 700, @all[0 .. 2], undef, $all[4]), undef, 'asked');
	is_deeply(answer($all[3]), [5, 0, 1, 2, 4], 'those who answered');
};

subtest 'somebody goes, somebody is killed' => sub {
	is(asked($all[0], 20000, @all[0 .. 2], undef, $all[4]), undef,
		'asked');
	$all[3]->hears(qr/"asked"/);
	$all[3]->post('1');
	is_deeply(answer($all[0]), [5, 0, 1, 2, 4], 'nobody waits for him');
	is(asked($all[0], 2000, $all[0], undef, undef), undef, 'asked');
	kill KILL => $hosts[0]->worker_pid(2);
	$all[4]->hears(qr/"asked"/);
	is_deeply(answer($all[0]), [4, 0], 'nor longer than he said');
	wait_until { $hosts[0]->worker_pid(2) } 20;
	my ($new) = clients([0, 2]);
	is(asked($all[0], 20000, $all[0], $new, $all[4]), undef, 'asked');
	is_deeply(answer($all[0]), [3, 0 .. 2], 'its successor is asked');
};

done_testing;
