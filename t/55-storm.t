#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# A storm (T::Storm): workers, relays, Redis, PostgreSQL and whole hosts are
# killed, paused and reloaded while clients listen and writers write; in the
# end each client has got the log, no more and no less.
#
#	T_SEED=7 T_SECONDS=60 t/run t/55-storm.t
#	./bootstrap bench storm 100

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Storm;

my $seed  = $ENV{T_SEED} // int rand 1e6;
my $storm = T::Storm->new(seed => $seed, seconds => $ENV{T_SECONDS} // 8);

note "seed $seed";
$storm->run;
is(join("\n", $storm->wrongs), '', "everybody got all, seed $seed")
    or diag join "\n", 'what happened:', $storm->done;
note $_ for $storm->done, $storm->report;
done_testing;
