# SPDX-License-Identifier: MIT
#
# What a piece of work costs: CPU time of a server's process trees and, beside
# it, of what keeps or carries its data (PostgreSQL, Redis), and how much of
# the machine others took meanwhile.
#
#	my $clock  = Bench::Clock->start($server, $postgres, $client_pid);
#	my $figure = $clock->stop($deliveries);	 # each for one of them
#	$figure->{own};
#
# The server is a hash with `roots`, with has_database if PostgreSQL's cost is
# its, and with `beside` if there is another process whose cost is. Clients that
# run and end meanwhile are known without a pid.
package Bench::Clock;

use strict;
use warnings;

use Bench qw(machine_us tree_us);
use Time::HiRes qw(time);

sub start {
	my ($class, $server, $postgres, @clients) = @_;
	return bless {
		server   => $server,
		postgres => $postgres->pid,
		clients  => [@clients],
		time     => time,
		own      => tree_us(@{ $server->{roots} }),
		beside   => $server->{beside} // [],
		base     => tree_us($postgres->pid),
		aside    => tree_us(@{ $server->{beside} // [] }),
		machine  => machine_us(),
		mine     => mine_us(@clients),
	}, $class;
}

# CPU time of this process, of what it ran, and of these clients.
sub mine_us {
	my (@clients) = @_;
	my $sum = 0;
	$sum += $_ for times;
	return $sum * 1e6 + tree_us(@clients);
}

# Each per unit of work, of which there were so many. Clients that were
# started since are given here.
sub stop {
	my ($self, $count, @clients) = @_;
	my $server = $self->{server};
	my $took   = (time - $self->{time}) * 1e6;
	my $own    = tree_us(@{ $server->{roots} }) - $self->{own};
	my $base   = tree_us($self->{postgres}) - $self->{base};
	my $aside  = tree_us(@{ $self->{beside} }) - $self->{aside};
	my $mine   = mine_us(@{ $self->{clients} }, @clients) - $self->{mine};
	my $machine = machine_us() - $self->{machine};
	my $others  = ($machine - $own - $base - $aside - $mine) / $took;
	$base = 0 if !$server->{has_database};
	$base += $aside;
	return {
		own    => $own / $count,
		base   => $base / $count,
		both   => ($own + $base) / $count,
		rate   => $count / $took * 1e6,
		others => $others,
	};
}

1;
