#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Players with the official client, and our module for tables, on two hosts
# with two workers each, of which one is killed now and then.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Db;
use T::OwnRedis;
use T::Script;
use T::Server;
use T::Tabletop;
use T::Wait;

my $client = T::Script::client();

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
T::Script::node('tabletop.js', [$client, $setting], kill => sub {
	my $host = $hosts[$victim % 2];

	$host->lose_worker($host->worker_pid(1 + int($victim++ / 2) % 2));
});

done_testing;
