#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# A header is the manual of its module; what no header has is static; and
# every owned struct has a number of its own.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Run;
use T::Tree;

my @headers = grep { !m{^src/tbl/} } T::Tree::files(qr{^src/.*\.h$});
my @sources = T::Tree::files(qr{^src/.*\.c$});
my (@undocumented, @unguarded);

for my $path (@headers, @sources) {
	push @undocumented, "$path: does not open with what it is for"
	    if T::Tree::text($path) !~
	    m{\A/\* SPDX-License-Identifier: MIT \*/\n/\*\n \* \S};
}
for my $path (@headers) {
	my $guard = uc($path =~ s{^src/}{}r) =~ tr{/.}{__}r;
	push @unguarded, "$path: no guard $guard"
	    if T::Tree::text($path) !~
	    m{\n#ifndef $guard\n#define $guard\n.*\n#endif\n\z}s;
}
found_none('every file opens with what it is for', @undocumented);
found_none('every header has its guard',           @unguarded);

my (%magic, @twice);
for my $path (@headers, @sources) {
	my $code = T::Tree::code($path);

	while ($code =~
		/^#define\s+(\w+_MAGIC)\s+(0x[0-9a-fA-F]+)/mg) {
		my ($name, $number) = ($1, lc $2);

		push @twice, "$path: $name has the number of $magic{$number}"
		    if $magic{$number};
		$magic{$number} = $name;
	}
}
found_none('no magic number is used twice', @twice);
cmp_ok(scalar keys %magic, '>', 3, 'there are magic numbers');

my $library = T::Run::build() . '/libpartyline.a';
my $declared = join "\n", map { T::Tree::code($_) } @headers;
my (@undeclared, %ours);

for my $line (qx{nm -g --defined-only $library}) {
	my ($kind, $name) = $line =~ /^[0-9a-f]+ ([A-Z]) (\w+)$/ or next;

	next if $name =~ /^__(?:asan|odr_asan|sanitizer|ubsan|gcov)/;
	$ours{$name} = 1;
	push @undeclared, $name if $declared !~ /\b\Q$name\E\b/;
}
cmp_ok(scalar keys %ours, '>', 50, 'the library has names');
found_none('what no header has is static', @undeclared);

# A name that a library exports too would be taken by whoever comes first:
# those that the build names, used or not, and those that they bring.
open my $makefile, '<', T::Run::build() . '/Makefile' or die;
my %libraries = map { chomp; $_ => 1 } map { qx{gcc -print-file-name=lib$_.so} }
    map { /^[A-Z0-9]+_LIBS = (.*)/ ? $1 =~ /-l(\S+)/g : () } <$makefile>;
my @libraries = grep { -e } keys %libraries;

$libraries{$_} = 1
    for map { /=> (\S+) \(/ ? $1 : () } qx{ldd @libraries};
@libraries = grep { -e } sort keys %libraries;
my @clashes;
for my $path (@libraries) {
	for my $line (qx{nm -D --defined-only $path}) {
		my ($name) = $line =~ /^[0-9a-f]+ [A-Z] ([^@\s]+)/ or next;

		push @clashes, "$name is exported by $path too" if $ours{$name};
	}
}
cmp_ok(scalar @libraries, '>', 5, 'the program has libraries');
found_none('no name of ours is a library\'s', @clashes);

done_testing;
