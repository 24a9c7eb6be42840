#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official client, where it is there, before two hosts that are each
# other's peers, behind a balancer that sends each request to the next of
# them; and hosts that die meanwhile.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Open2;
use Test::More;
use T::Balancer;
use T::Db;
use T::Server;
use T::Wait;

my ($folder) = grep { defined && -d "$_/node_modules/socket.io-client" }
    $ENV{T_NODE}, ($ENV{T_SOURCE} // "$FindBin::Bin/..") . '/build/bench';

plan skip_all => 'the official client is not there'
    if !$folder || system('node --version >/dev/null 2>&1') != 0;

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

# Runs it; what it asks for by a word is done.
sub run {
	my ($script, %acts) = @_;
	my $pid = open2(my $said, my $to, 'timeout', 500, 'node',
		"$FindBin::Bin/node/$script", $folder, $balancer->url);

	while (<$said>) {
		chomp;
		if (/^(not )?ok \d+ - (.*)/) {
			ok(!$1, $2);
		} elsif ($acts{$_}) {
			$acts{$_}->();
			print $to "done\n";
		} elsif (!/^1\.\./) {
			diag $_;
		}
	}
	waitpid $pid, 0;
	is($?, 0, 'it came to its end');
	return;
}

subtest 'whichever host gets it' => sub {
	run('socketio.js');
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
	run('hosts.js', kill => sub {
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
