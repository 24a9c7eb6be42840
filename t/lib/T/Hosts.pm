# SPDX-License-Identifier: MIT
package T::Hosts;

# Two hosts over one database. The second has no Redis, and finds what is new
# by the log alone.
#
#	my ($one, $two) = T::Hosts::pair(workers => 2, %options);
#	for my $place (T::Hosts::places($one, $two)) {
#		my ($host, $worker) = @{$place};	# each of both

use strict;
use warnings;
use T::Server;

sub pair {
	my (%options) = @_;
	my $one = T::Server->start(wait => 'readyz', %options);
	my $two = T::Server->start(wait => 'readyz', %options, set => {
		database_url => $one->db->url, redis_url => undef });

	$two->{db} = $one->db;
	return ($one, $two);
}

sub places {
	my (@hosts) = @_;

	return map { my $host = $_; map { [$host, $_] } 1, 2 } @hosts;
}

1;
