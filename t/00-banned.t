#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What must not be in C, and where it may be all the same.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Tree;

# Banned everywhere, and what to use instead.
my %banned = (
	(map { $_ => 'buf_*, snprintf or memcpy' }
		qw(strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets)),
	(map { $_ => 'text_cut, text_next_word' } qw(strtok strtok_r strsep)),
	(map { $_ => 'text_to_int64' }
		qw(atoi atol atoll atof strtol strtoll strtoul strtoull)),
	(map { $_ => 'secret_fill' }
		qw(rand srand random srandom rand_r drand48 lrand48)),
	(map { $_ => 'mem_alloc or an arena' } qw(alloca strdup strndup)),
	(map { $_ => 'fork and exec' } qw(system popen)),
	(map { $_ => 'must' } qw(assert abort)),
	(map { $_ => 'clock_ms, or a timer' } qw(sleep usleep alarm)),
	(map { $_ => 'nothing: names are looked up in no loop' }
		qw(gethostbyname getservbyname)),
	(map { $_ => 'the _r function' } qw(localtime gmtime ctime asctime
		strerror_l getpwuid_unlocked)),
	(map { $_ => 'mkstemp or memfd_create' } qw(tmpnam tempnam mktemp)),
	(map { $_ => 'a goto' } qw(setjmp longjmp)),
);

# Where the rule is broken on purpose.
my %allowed = (
	# the fault that dies in mid-record must die at once
	abort   => [qw(src/base/must.c src/plat/ring.c)],
	malloc  => [qw(src/base/mem.c)],
	calloc  => [qw(src/base/mem.c)],
	realloc => [qw(src/base/mem.c)],
	# sd_listen_fds_with_names and libjwt give malloc'ed strings
	free => [qw(src/base/mem.c src/core/token.c src/role/notify.c)],
);
$banned{$_} = 'base/mem.h' for qw(malloc calloc realloc free);

my $names = join '|', map { quotemeta } sort keys %banned;
my @complaints;

for my $path (T::Tree::files(qr{^src/.*\.[ch]$})) {
	my $code = T::Tree::code($path);

	while ($code =~ /(?<![\w.>])($names)\s*\(/g) {
		my $name = $1;
		my $line = T::Tree::line_at($code, $-[0]);

		next if grep { $path eq $_ } @{ $allowed{$name} // [] };
		push @complaints, "$path:$line: $name: use $banned{$name}";
	}
}
found_none('no banned function is called', @complaints);

my @loose;
for my $name (sort keys %allowed) {
	for my $path (@{ $allowed{$name} }) {
		push @loose, "$path does not call $name"
		    if !-e T::Run::source() . "/$path"
		    || T::Tree::code($path) !~ /(?<![\w.>])\Q$name\E\s*\(/;
	}
}
found_none('no exception is left over', @loose);

found_none('no typedef of a struct with a tag', map {
	T::Tree::matches($_, T::Tree::code($_), qr/\btypedef\s+struct\s+\w+/)
} T::Tree::files(qr{^src/.*\.[ch]$}));

done_testing;
