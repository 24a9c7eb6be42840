#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# A short evening (T::Evening), where the official client is there (see
# t/50-socketio-client.t): tables and threads on two hosts, whose workers are
# killed under them, and nobody at the table notices.
#
#	T_SECONDS=1800 T_KILL=60 t/run t/50-socketio-evening.t
#	./bootstrap bench evening

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Evening;

my ($folder) = grep { defined && -d "$_/node_modules/socket.io-client" }
    $ENV{T_NODE}, ($ENV{T_SOURCE} // "$FindBin::Bin/..") . '/build/bench';

plan skip_all => 'the official client is not there'
    if !$folder || system('node --version >/dev/null 2>&1') != 0;

my $evening = T::Evening->new(node => $folder,
	seconds    => $ENV{T_SECONDS} // 20,
	kill_every => $ENV{T_KILL} // 4,
	pace       => $ENV{T_PACE} // 300);

eval { $evening->run; 1 } or $evening->wrong("it could not go on: $@");
is(join("\n", $evening->wrongs), '', 'nobody noticed');
cmp_ok($evening->{compared}, '>', 50, 'though there was something');
diag $evening->report if $ENV{T_SECONDS};
note $evening->report;
done_testing;
