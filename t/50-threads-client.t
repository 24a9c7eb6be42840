#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Pages of threads with the official client, and our SessionMonitor, on two
# hosts with two workers each, of which one is killed now and then.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Db;
use T::OwnRedis;
use T::Responder;
use T::Script;
use T::Server;
use T::Wait;

my $client = T::Script::client();

my $responder = T::Responder->start;
my ($db, $redis) = (T::Db->new, T::OwnRedis->start);
my ($server, $other) = map { T::Server->start(wait => 'readyz', workers => 2,
	database_url => $db->url, redis_url => $redis->url,
	redis_prefix => $redis->prefix,
	set => { outgoing_allow => '127.0.0.0/8' }) } 1, 2;
my $victim = 0;

T::Client::wait_for_workers($_) for $server, $other;
$db->query("UPDATE partyline.tenant SET responder_url = '"
	. $responder->url('/words/10') . "' WHERE id = 1");

T::Script::node('threads.js', [$client, $server->url,
	$other->url],
	kill => sub {
	$server->lose_worker($server->worker_pid(1 + $victim++ % 2));
});

done_testing;
