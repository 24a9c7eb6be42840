# SPDX-License-Identifier: MIT
#
# Cases of events to many sockets, in rounds, each server in turn: its clients
# come, it is measured, they go. What a connection costs and holds is measured
# with the case that is called one10000.
#
#	my $rounds = Bench::Rounds->new(live => $live, postgres => $postgres,
#		servers => \@servers, cases => \@cases, scale => 1,
#		rounds => 3, folder => $folder);
#	$rounds->run(sub { my ($server, $round) = @_; … });	# after its turn
#	$rounds->case_tables('PostgreSQL', 'limit');	# ratios to that server
#	$rounds->entry_table('PostgreSQL');
#	$rounds->failures;
#
# live: a Bench::Live. A case: { name, title, sockets, rooms, flight, events }.
# Cases of the same sockets and rooms stand together. The largest comes first,
# so that what a connection holds is measured on a fresh server.
package Bench::Rounds;

use strict;
use warnings;

use Bench qw(column flush_us quiet summary tree_us);
use Bench::Clock;
use Bench::Live;
use Time::HiRes qw(sleep time);

sub new {
	my ($class, %given) = @_;
	return bless { %given, flush => [], figures => {}, entry => {},
		failures => 0 }, $class;
}

# Those of @cases that are named, or all.
sub chosen {
	my ($cases, @names) = @_;
	my %wanted = map { $_ => 1 } @names ? @names
	  : map { $_->{name} } @{$cases};
	my @chosen = grep { delete $wanted{ $_->{name} } } @{$cases};
	die "there is no case $_\n" for sort keys %wanted;
	return @chosen;
}

sub failures { return $_[0]{failures} }

# What a flush took: the median, the lowest and the highest.
sub flush { return summary(@{ $_[0]{flush} }) }

sub run {
	my ($self, $more) = @_;
	for my $round (0 .. $self->{rounds}) {
		print STDERR $round ? "round $round of $self->{rounds}\n"
		  : "warming\n";
		push @{ $self->{flush} }, flush_us($self->{folder});
		for my $group (groups(@{ $self->{cases} })) {
			$self->turn($_, $round, @{$group})
			  for @{ $self->{servers} };
		}
		if ($more) {
			$more->($_, $round) for @{ $self->{servers} };
		}
		$self->{postgres}->tidy;
	}
	return;
}

# Cases that can be measured with the same connections.
sub groups {
	my (%group, @order);
	for my $case (@_) {
		my $same = "$case->{sockets} $case->{rooms}";
		push @order, $group{$same} = [] if !$group{$same};
		push @{ $group{$same} }, $case;
	}
	return @order;
}

sub turn {
	my ($self, $server, $round, @group) = @_;
	my ($first) = @group;
	my @taking = grep { takes($server, $_) } @group;
	return if !@taking;
	my $is_entry = $first->{name} eq 'one10000';
	my $before   = $is_entry && !$round ? held($server) : 0;
	my $clock    = Bench::Clock->start($server, $self->{postgres});
	my $clients  = $self->{live}->clients($server, $first->{sockets},
		$first->{rooms});
	if ($is_entry) {
		my $figure = $clock->stop($first->{sockets}, $clients->pid);
		push @{ $self->{entry}{ $server->{name} } }, $figure
		  if $round;
	}
	$server->{held} = (held($server) - $before) / $first->{sockets}
	  if $is_entry && !$round;
	$clients->publish(20, 1);    # warm, and to size
	for my $case (@taking) {
		my $figure = $self->measure($server, $clients, $case, $round);
		push @{ $self->{figures}{ $case->{name} }{ $server->{name} } },
		  $figure if $round;
	}
	$clients->leave;
	settle($server);
	return;
}

sub takes {
	my ($server, $case) = @_;
	return !$server->{cases}
	  || grep { $_ eq $case->{name} } @{ $server->{cases} };
}

# Until it has nothing to do: what closing costs is in no figure.
sub settle {
	my ($server) = @_;
	my ($last, $until) = (0, time + 10);
	for (;;) {
		my $now = tree_us(@{ $server->{roots} });
		return if $now - $last < 2000 || time > $until;
		$last = $now;
		sleep 0.1;
	}
}

sub held {
	my ($server) = @_;
	Bench::Live::tidy($server);
	settle($server);
	return Bench::Live::pss($server);
}

# --- figures -----------------------------------------------------------------

sub measure {
	my ($self, $server, $clients, $case, $round) = @_;
	my $scale  = $round ? $self->{scale} : 0.2;
	my $events = int($case->{events} * $scale) || 1;
	my $clock  = Bench::Clock->start($server, $self->{postgres},
		$clients->pid);
	my $said   = $clients->publish($events, $case->{flight});
	my $figure = $clock->stop($said->{deliveries} || 1);
	my $failed = 0;
	$failed += $said->{$_} for qw(missing repeated disordered bad);
	if ($failed) {
		$self->{failures} += $failed;
		print STDERR "$server->{name}: $case->{name}: ",
		  join(', ', map { "$said->{$_} $_" }
			  qw(deliveries missing repeated disordered bad)), "\n";
	}
	$figure->{rate} = $said->{deliveries} / $said->{seconds};
	return { %{$said}, %{$figure} };
}

# --- the report --------------------------------------------------------------

sub case_tables {
	my ($self, $beside, $best) = @_;
	$self->case_table($_, $beside, $best) for @{ $self->{cases} };
	return;
}

# beside: whose CPU stands beside; best: to whom all are compared.
sub case_table {
	my ($self, $case, $beside, $best) = @_;
	print "\n**$case->{title}**\n\n| server | CPU µs per delivery: median "
	  . "(lowest to highest) | $beside | of the $best | deliveries/s "
	  . "| POST to last byte, ms: median, 99 of 100 | commit to last "
	  . "byte, ms: median, 99 of 100 |\n|---|---:|---:|---:|---:|---:|"
	  . "---:|\n";
	my $of   = $self->{figures}{ $case->{name} };
	my $unit = $of->{$best}
	  ? (column('own', @{ (quiet(@{ $of->{$best} }))[0] }))[0] : 0;
	for my $server (grep { $of->{ $_->{name} } } @{ $self->{servers} }) {
		my ($rows, $remark) = quiet(@{ $of->{ $server->{name} } });
		my ($own, $low, $high) = column('own', @{$rows});
		my ($base) = column('base', @{$rows});
		my ($rate) = column('rate', @{$rows});
		my @times  = map { (column($_, @{$rows}))[0] / 1e3 }
		  qw(whole_p50 whole_p99 spread_p50 spread_p99);
		printf "| %s | %.2f (%.2f to %.2f) | %s | %s | %.0f "
		  . "| %.2f, %.2f | %.2f, %.2f |%s\n", $server->{name}, $own,
		  $low, $high, $base ? sprintf('%.2f', $base) : '',
		  $unit ? sprintf('%.2f', $own / $unit) : '', $rate, @times,
		  $remark;
	}
	return;
}

sub entry_table {
	my ($self, $beside) = @_;
	my $of = $self->{entry};
	return if !%{$of};
	print "\n**A connection** (10,000 of them)\n\n| server | CPU µs to "
	  . "connect, sign in and subscribe: median (lowest to highest) | "
	  . "$beside | connections/s | idle, bytes of PSS |\n"
	  . "|---|---:|---:|---:|---:|\n";
	for my $server (grep { $of->{ $_->{name} } } @{ $self->{servers} }) {
		my ($rows, $remark) = quiet(@{ $of->{ $server->{name} } });
		my ($own, $low, $high) = column('own', @{$rows});
		my ($base) = column('base', @{$rows});
		my ($rate) = column('rate', @{$rows});
		printf "| %s | %.1f (%.1f to %.1f) | %s | %.0f | %.0f |%s\n",
		  $server->{name}, $own, $low, $high,
		  $base ? sprintf('%.1f', $base) : '', $rate, $server->{held},
		  $remark;
	}
	return;
}

1;
