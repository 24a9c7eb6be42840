#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Players with the official client, where it is there (see
# t/50-socketio-client.t), and our module for tables, on two hosts with two
# workers each, of which one is killed now and then.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Open2 qw(open2);
use JSON::PP ();
use Test::More;
use T::Client;
use T::Db;
use T::OwnRedis;
use T::Server;
use T::Tabletop;
use T::Wait;

my ($folder) = grep { defined && -d "$_/node_modules/socket.io-client" }
    $ENV{T_NODE}, ($ENV{T_SOURCE} // "$FindBin::Bin/..") . '/build/bench';

plan skip_all => 'the official client is not there'
    if !$folder || system('node --version >/dev/null 2>&1') != 0;

my ($db, $redis) = (T::Db->new, T::OwnRedis->start);
my @hosts = map { T::Server->start(wait => 'readyz', workers => 2,
	database_url => $db->url, redis_url => $redis->url,
	redis_prefix => $redis->prefix, set => {
	map { ("tabletop_$_" => 1000000) } qw(edits messages moves) })
} 1, 2;

T::Client::wait_for_workers($_) for @hosts;
my %users = map { $_->{name} => $_ } T::Tabletop::users($hosts[0],
	qw(Ann Bert Cleo));
my $ann = $users{Ann};
my $id = $ann->post('/api/tabletop/sessions', { name => 'Den' })->{json}{id};

$ann->post("/api/tabletop/sessions/$id/members",
	{ userId => $users{$_}{id} }) for qw(Bert Cleo);
my $cave = $ann->post("/api/tabletop/sessions/$id/encounters",
	{ name => 'Cave' })->{json}{id};
my $setting = JSON::PP->new->canonical->encode({ session => $id,
	encounter => $cave, hosts => [map { $_->url =~ s{/\z}{}r } @hosts],
	users => { map { $_ => { id => $users{$_}{id},
		cookie => $users{$_}{cookie} } } keys %users } });
my $victim = 0;
my $node = open2(my $said, my $told, 'timeout', 240, 'node',
	"$FindBin::Bin/node/tabletop.js", $folder, $setting);

while (<$said>) {
	if (/^(not )?ok \d+ - (.*)/) {
		ok(!$1, $2);
	} elsif ($_ eq "kill\n") {
		my $host = $hosts[$victim % 2];
		my $pid = $host->worker_pid(1 + int($victim++ / 2) % 2);

		kill KILL => $pid;
		wait_until { !grep { $_ == $pid } $host->worker_pids };
		wait_until { $host->worker_pids == 2 };
		syswrite $told, "done\n";
	} elsif (!/^1\.\./) {
		chomp;
		diag $_;
	}
}
waitpid $node, 0;
is($?, 0, 'it came to its end');

done_testing;
