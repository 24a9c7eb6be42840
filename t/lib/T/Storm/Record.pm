# SPDX-License-Identifier: MIT
package T::Storm::Record;

# What one client of a storm was told, by whichever door, judged as it comes:
# where it stands in each stream, and whether the next thing may follow.
#
#	asks($stream, $cursor)		it asks to follow from there: a place,
#					or undef (from now on); odd => 1: one
#					that nobody can go on from
#	told($stream, $epoch, $head, resync => {from}, recovered => 0|1)
#	heard($stream, $seq, $envelope)	a numbered event
#	resynced($stream, $epoch, $head, $from)
#	head($stream, $epoch, $seq)	the server says that it is so far
#
# Holds always:
#  1. place is the last number that came, and its epoch: what the client may
#     ask to go on from, with whatever door.
#  2. What may not follow is one wrong of the storm; then it is taken as it
#     is, so that one fault is not told a thousand times.

use strict;
use warnings;
use Scalar::Util qw(weaken);

sub new {
	my ($class, $storm, $name) = @_;

	my $self = bless { storm => $storm, name => $name, place => {},
		asked => {} }, $class;

	weaken $self->{storm};
	return $self;
}

sub wrong {
	my ($self, $stream, $words) = @_;

	$self->{storm}->wrong("$self->{name}, $stream: $words");
	return;
}

sub place {
	my ($self, $stream) = @_;

	return $self->{place}{$stream};
}

sub is_asking { return defined $_[0]{asked}{ $_[1] } }

sub asks {
	my ($self, $stream, $cursor, %how) = @_;

	$self->{asked}{$stream} = { cursor => $cursor, odd => $how{odd} };
	return;
}

# Why a resync may come there; or undef.
sub excuse {
	my ($self, $stream, $epoch, $asked) = @_;
	my $place = $self->{place}{$stream};
	my $storm = $self->{storm};

	return 'an odd cursor' if $asked && $asked->{odd};
	# Who has it from one worker may meet another that has yet to hear of
	# it, and then all of that one's are told.
	my $renewed = $storm->{renewed}{$stream}{$epoch};
	return 'another epoch' if $place && $renewed
	    && ($place->{epoch} ne $epoch || $storm->now < $renewed + 10);
	return 'forgotten events' if $place
	    && $place->{seq} + 1 < ($storm->{lowest}{$stream} // 1);
	return undef;
}

# The state at a head in place of events.
sub resynced {
	my ($self, $stream, $epoch, $head, $from, $asked) = @_;
	my $place = $self->{place}{$stream};

	$self->{storm}{count}{resyncs}++;
	$self->wrong($stream, 'a resync to ' . "$epoch:$head without need at "
		. ($place ? "$place->{epoch}:$place->{seq}" : 'nowhere'))
	    if !$self->excuse($stream, $epoch, $asked);
	$self->wrong($stream, "a resync from $from to $head")
	    if $from < 1 || $from > $head + 1;
	$self->{place}{$stream} = { epoch => $epoch, seq => $head };
	return;
}

sub told {
	my ($self, $stream, $epoch, $head, %more) = @_;
	my $asked  = delete $self->{asked}{$stream};
	my $place  = $self->{place}{$stream};
	my $cursor = $asked && $asked->{cursor};

	if ($more{resync}) {
		$self->resynced($stream, $epoch, $head, $more{resync}{from},
			$asked);
		return;
	}
	if (!$cursor) {
		$self->{place}{$stream} = { epoch => $epoch, seq => $head };
		return;
	}
	$self->wrong($stream, 'neither recovered nor resync')
	    if !$more{recovered};
	$self->wrong($stream, "an odd cursor was gone on from")
	    if $asked->{odd};
	$self->wrong($stream, "the head $head is below $place->{seq}")
	    if $head < $place->{seq};
	# A bare number counts in the epoch there is.
	$self->wrong($stream, "the epoch is $epoch, not $place->{epoch}")
	    if $cursor->{epoch} && $epoch ne $place->{epoch};
	$place->{epoch} = $epoch;
	return;
}

sub heard {
	my ($self, $stream, $seq, $envelope) = @_;
	my $place  = $self->{place}{$stream};
	my $events = $self->{storm}{events}{$stream} //= [];

	$self->{storm}{count}{heard}++;
	if (!$place || $self->{asked}{$stream}) {
		$self->wrong($stream, "$seq before the answer");
	} elsif ($seq != $place->{seq} + 1) {
		$self->wrong($stream, "$seq after $place->{seq}");
	}
	$self->{place}{$stream}{seq} = $seq;
	$events->[$seq] //= $envelope;
	$self->wrong($stream, "$seq is another event than others heard")
	    if $events->[$seq] ne $envelope;
	return;
}

sub head {
	my ($self, $stream, $epoch, $seq) = @_;
	my $place = $self->{place}{$stream};

	return if !$place || $self->{asked}{$stream};
	$self->wrong($stream, "the head $seq is below $place->{seq}")
	    if $epoch eq $place->{epoch} && $seq < $place->{seq};
	return;
}

1;
