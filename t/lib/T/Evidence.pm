# SPDX-License-Identifier: MIT
package T::Evidence;

# What a run exercised: option, error, counter, fault, command, operation (one
# that succeeded), event and message (one that came over WebSocket); and
# mismatch, where an answer was not as it is described.
# Every process of the run appends to a file of its own; t/99-every-row.t
# reads them all and compares with the tables.
#
#	T::Evidence::record(option => 'workers');

use strict;
use warnings;
use T::Run;

my %seen;

sub record {
	my ($kind, @names) = @_;

	for my $name (@names) {
		next if $seen{$$}{$kind}{$name}++;
		my $path = T::Run::evidence() . "/$kind.$$";

		open my $file, '>>', $path or die "$path: $!\n";
		print $file "$name\n";
		close $file;
	}
	return;
}

# The names of a kind that anybody recorded in this run.
sub seen {
	my ($kind) = @_;
	my %names;

	for my $path (glob T::Run::evidence() . "/$kind.*") {
		open my $file, '<', $path or die "$path: $!\n";
		chomp, $names{$_} = 1 while <$file>;
	}
	return \%names;
}

# What partyline status told: counters, gauges and histograms that moved.
sub counts {
	my ($status) = @_;

	for my $kind (qw(counters gauges)) {
		my $values = $status->{$kind} // {};

		record(counter => grep { $values->{$_} } keys %$values);
	}
	my $histograms = $status->{histograms} // {};
	record(counter => grep { $histograms->{$_}{count} }
	    keys %$histograms);
	return;
}

# An answer of the server: the code of a refusal.
sub answer {
	my ($status, $body) = @_;

	record(error => $1)
	    if $status >= 400 && ($body // '') =~ /"code":"([a-z_]+)"/;
	return;
}

# What a command complained of: errors by their words.
sub complaint {
	my ($words) = @_;

	return if ($words // '') eq '';
	require T::Table;
	record(error => map { $_->{name} } grep {
		index($words, $_->{text}) >= 0
	} T::Table->rows('errors'));
	return;
}

1;
