#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official client, where it is there: `./bootstrap bench` fetches it, or
# T_NODE names a folder with its node_modules. On two workers, so that its
# requests come to either.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Server;

my ($folder) = grep { defined && -d "$_/node_modules/socket.io-client" }
    $ENV{T_NODE}, ($ENV{T_SOURCE} // "$FindBin::Bin/..") . '/build/bench';

plan skip_all => 'the official client is not there'
    if !$folder || system('node --version >/dev/null 2>&1') != 0;

my $server = T::Server->start(wait => 'readyz',
	workers => $ENV{T_WORKERS} // 2,
	set => { socketio_conformance => 'on', engineio_close_wait => 200 });

open my $said, '-|', 'timeout', 240, 'node', "$FindBin::Bin/node/socketio.js",
    $folder, $server->url or die "node: $!\n";
while (<$said>) {
	if (/^(not )?ok \d+ - (.*)/) {
		ok(!$1, $2);
	} elsif (!/^1\.\./) {
		chomp;
		diag $_;
	}
}
ok(close $said, 'it came to its end');

done_testing;
