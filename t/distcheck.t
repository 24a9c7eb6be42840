#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The tarball stands alone: it builds out of its own read-only sources and
# without fault points, passes the tests in brief, installs and leaves nothing
# behind. Run by `./bootstrap check`, alone, after all the others.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Run;

my $source = T::Run::source();
my $build  = "$source/build";

plan skip_all => 'build/ is not configured: ./bootstrap build'
    if !-e "$build/Makefile";

# Nothing of this run reaches that one.
delete @ENV{qw(T_RUN T_BUILD T_SOURCE T_WHOLE MAKEFLAGS MAKELEVEL)};
my $log = "$build/distcheck.log";
my $cores = qx{nproc} =~ s/\s//gr;

is(system("make -C '$build' -j$cores distcheck "
	. "CHECK_ARGUMENTS=--brief >'$log' 2>&1"), 0,
	'make distcheck')
    or diag("see $log; it ends:\n" . qx{tail -n 60 '$log'});
my ($sum) = qx{grep '^Files=' '$log'};
like($sum // '', qr/Tests=[1-9]/, 'with tests');
diag("from the tarball: $sum") if defined $sum;

done_testing;
