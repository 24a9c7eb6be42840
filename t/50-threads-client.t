#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Pages of threads with the official client, where it is there (see
# t/50-socketio-client.t), and our SessionMonitor, on two hosts with two workers
# each, of which one is killed now and then.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Open2 qw(open2);
use Test::More;
use T::Client;
use T::Db;
use T::OwnRedis;
use T::Responder;
use T::Server;
use T::Wait;

my ($folder) = grep { defined && -d "$_/node_modules/socket.io-client" }
    $ENV{T_NODE}, ($ENV{T_SOURCE} // "$FindBin::Bin/..") . '/build/bench';

plan skip_all => 'the official client is not there'
    if !$folder || system('node --version >/dev/null 2>&1') != 0;

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

my $node = open2(my $said, my $told, 'timeout', 240, 'node',
	"$FindBin::Bin/node/threads.js", $folder, $server->url,
	$other->url);
while (<$said>) {
	if (/^(not )?ok \d+ - (.*)/) {
		ok(!$1, $2);
	} elsif ($_ eq "kill\n") {
		my $pid = $server->worker_pid(1 + $victim++ % 2);

		kill KILL => $pid;
		wait_until { !grep { $_ == $pid } $server->worker_pids };
		wait_until { $server->worker_pids == 2 };
		syswrite $told, "done\n";
	} elsif (!/^1\.\./) {
		chomp;
		diag $_;
	}
}
waitpid $node, 0;
is($?, 0, 'it came to its end');

done_testing;
