#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official client in fifty rooms at once: pages on each worker of two
# hosts, each of which follows fifty sessions, leaves some and comes back,
# while others write and workers are killed.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Live;
use T::OwnRedis;
use T::Script;
use T::Server;
use T::Wait;

my $client = T::Script::client();

my $redis = T::OwnRedis->start;
my %options = (wait => 'readyz', workers => 2, redis_url => $redis->url,
	redis_prefix => $redis->prefix);
my $one = T::Server->start(%options);
my $two = T::Server->start(%options, database_url => $one->db->url);
my $admin = T::Client->new($one);
my @sessions = map { $admin->closed_session } 1 .. 50;

$admin->hang_up;
T::Client::wait_for_workers($two);
my $plan = JSON::PP->new->canonical->encode({ sessions => \@sessions,
	token => T::Live::token_for($one),
	hosts => [map { { url => $_->url, log => $_->log_path,
		master => $_->pid } } $one, $two] });

T::Script::node('rooms.js', [$client, $plan], kill => sub {
	ok($_->lose_worker(($_->worker_pids)[0]), 'a worker is killed')
	    for $one, $two;
});
$_->counts(map { $_ => 0 } qw(connections_open engineio_clients
	engineio_faults hubs socketio_faults socketio_floods
	socketio_rooms socketio_sockets socks_open subscriptions))
    for $one, $two;
is($_->count('process_deaths'), 1, 'nobody else died') for $one, $two;

done_testing;
