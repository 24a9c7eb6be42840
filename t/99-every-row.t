#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Every row of the tables was exercised in this run: the other tests leave
# evidence, T::Evidence reads it. A row added to a table fails here until a
# test does something with it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Evidence;
use T::Run;
use T::Table;

# Rows whose work the tree has no code for. The list may only shrink; a row
# that was exercised all the same fails as left over.
my %later = (
	option  => {},
	error   => {},
	counter => {},
	fault   => {},
	command => {},
	operation => {},
	event   => {},
	message => {},
);

# Named by the harness for every server.
my @always = qw(database_url redis_url redis_prefix listen state_dir workers);

sub compare {
	my ($kind, @names) = @_;
	my $seen  = T::Evidence::seen($kind);
	my $later = $later{$kind};

	$seen->{$_} = 1 for $kind eq 'option' ? @always : ();
	is(join(' ', grep { !$seen->{$_} && !$later->{$_} } @names), '',
		"every $kind was exercised");
	my %is_name = map { $_ => 1 } @names;
	is(join(' ', grep { !$is_name{$_} } sort keys %$later), '',
		"no $kind waits that does not exist");
	is(join(' ', grep { $seen->{$_} } sort keys %$later), '',
		"no $kind is said to come later that came");
	return;
}

if (!$ENV{T_WHOLE}) {
	plan skip_all => 'says something only at the end of a whole run';
}
compare(option  => T::Table->names('options'));
compare(error   => T::Table->names('errors'));
compare(counter => T::Table->names('counters'));
compare(fault   => T::Table->names('faults'));
compare(command => T::Table->names('commands'));

compare(operation => T::Table->names('operations'));
compare(event => T::Table->names('events'));
compare(message => map { $_->{name} } grep {
	$_->{direction} eq 'FROM_SERVER'
} T::Table->rows('messages'));
is(join("\n", sort keys %{ T::Evidence::seen('mismatch') }), '',
	'every answer was as it is described');

done_testing;
