#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# `make psql`: a shell in the private PostgreSQL of a running server.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Run;
use T::Server;

# A make that runs the tests is none of this one's business.
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL)};
my $server = T::Server->start(quickstart => 1, workers => 1,
	wait => 'readyz');
my $make = 'make -s -C ' . T::Run::build();
my $dir  = $server->state_dir;

is(qx{echo 'SELECT current_database(), 6 * 7' |
	$make psql STATE_DIR=$dir PSQL_ARGUMENTS=-XAt 2>&1},
	"partyline|42\n", 'it asks the server\'s own database');
like(qx{$make psql STATE_DIR=$dir/nowhere 2>&1 </dev/null},
	qr/nowhere.* cannot be read: is that the state_dir/,
	'and says what is wrong where there is none');

done_testing;
