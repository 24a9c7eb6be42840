#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The tables: sorted, complete, and printed as they stand.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Table;
use T::Tree;

my %texts;

for my $path (T::Tree::files(qr{^src/tbl/\w+\.h$})) {
	my ($name) = $path =~ m{(\w+)\.h$};
	my (@wrong, %last);

	# Counters are sorted within their kind, options beside choices.
	for my $row (T::Tree::table_rows($path)) {
		my ($macro, $row_name, $line) = @$row;
		my $kind = $name eq 'counters' ? $macro : 'all';

		push @wrong, "$path:$line: $row_name after $last{$kind}"
		    if defined $last{$kind} && $last{$kind} ge $row_name;
		$last{$kind} = $row_name;
		push @wrong, "$path:$line: $row_name is not in small letters"
		    if $row_name !~ /^[a-z][a-z0-9_]*$/;
	}
	found_none("$name are sorted", @wrong);
	is_deeply([sort map { $_->[1] } T::Tree::table_rows($path)],
		[sort(T::Table->names($name))],
		"partyline -x $name prints every row");
	found_none("$name say what they are for", map {
		"$name $_->{name}"
	} grep {
		($_->{text} // $_->{brief} // '') !~ /\w/
	} T::Table->rows($name));
}

done_testing;
