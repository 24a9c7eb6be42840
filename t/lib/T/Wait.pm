# SPDX-License-Identifier: MIT
package T::Wait;

# Waiting for a condition, never for a time.
#
#	ok(wait_until { $server->count('reloads') == 1 }, 'it reloaded');
#	ok((wait_until { ... } 20), 'within 20 seconds instead of 10');
#
# The condition's value comes back as soon as it is true, and an empty string
# after the deadline. T_SLOW multiplies every deadline (sanitizers).

use strict;
use warnings;
use Exporter 'import';
use Time::HiRes qw(time);

our @EXPORT = qw(wait_until deadline_in pause);

sub deadline_in {
	my ($seconds) = @_;

	return time() + $seconds * ($ENV{T_SLOW} || 1);
}

# The only place where a test gives up the processor.
sub pause {
	my ($seconds) = @_;

	select(undef, undef, undef, $seconds);
}

sub wait_until (&;@) {
	my ($condition, $seconds) = @_;

	return until_true($condition, $seconds);
}

sub until_true {
	my ($condition, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);
	my $pause    = 0.002;

	for (;;) {
		my $value = $condition->();

		return $value if $value;
		return ''     if time() > $deadline;
		pause($pause);
		$pause *= 1.5 if $pause < 0.05;
	}
}

1;
