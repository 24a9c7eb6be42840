#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# A short evening (T::Evening) of the official client: tables and threads on
# two hosts, whose workers are killed under them, and nobody at the table
# notices.
#
#	T_SECONDS=1800 T_KILL=60 t/run t/50-socketio-evening.t
#	./bootstrap bench evening

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Evening;
use T::Script;


my $evening = T::Evening->new(node => T::Script::client(),
	seconds    => $ENV{T_SECONDS} // 20,
	kill_every => $ENV{T_KILL} // 4,
	pace       => $ENV{T_PACE} // 300);

eval { $evening->run; 1 } or $evening->wrong("it could not go on: $@");
is(join("\n", $evening->wrongs), '', 'nobody noticed');
cmp_ok($evening->{compared}, '>', 50, 'though there was something');
diag $evening->report if $ENV{T_SECONDS};
note $evening->report;
done_testing;
