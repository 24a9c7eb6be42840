# SPDX-License-Identifier: MIT
package T::Table;

# The tables of the program under test, as it prints them itself.
#
#	for my $row (T::Table->rows('faults')) { ... $row->{name} ... }

use strict;
use warnings;
use JSON::PP ();
use T::Run;

my %read;

sub rows {
	my ($class, $name) = @_;

	$read{$name} //= do {
		open my $out, '-|', T::Run::program(), '-x', $name, '--json'
		    or die "partyline: $!\n";
		local $/;
		my $text = <$out>;
		close $out or die "partyline -x $name failed\n";
		my $table = JSON::PP->new->utf8->decode($text);
		ref $table eq 'HASH' ? $table->{$name} : $table;
	};
	return @{ $read{$name} };
}

sub names {
	my ($class, $name) = @_;

	return map { $_->{name} } $class->rows($name);
}

1;
