# SPDX-License-Identifier: MIT
package T::Storm::Client;

# A client of a storm: it follows the lobby and some sessions, through one
# door after another, and goes on where it stopped, however the last one
# ended. Its record judges what comes.
#
#	$client->turn($now);		comes back where its time has come
#	my @sockets = $client->sockets;	... $client->read($socket)
#	$client->has_all(\%heads)	where the log ends, in every stream

use strict;
use warnings;
use Scalar::Util qw(weaken);
use T::Storm::Record;

sub new {
	my ($class, $storm, $name, @sessions) = @_;

	my $self = bless {
		storm  => $storm,
		name   => $name,
		record => T::Storm::Record->new($storm, $name),
		follows => { map { $_ => 1 } @sessions },
		door   => undef,
		at     => 0,		# when it comes back
		tick   => 0,
	}, $class;

	weaken $self->{storm};
	return $self;
}

sub record   { return $_[0]{record} }
sub sessions { return sort keys %{ $_[0]{follows} } }
sub streams  { return ('lobby', $_[0]->sessions) }
sub token    { return $_[0]{storm}{token} }

sub has_left {
	my ($self, $stream) = @_;

	return $stream ne 'lobby' && !$self->{follows}{$stream};
}

sub wrong {
	my ($self, $words) = @_;

	$self->{storm}->wrong("$self->{name}: $words");
	return;
}

# What this client is like: the same for its life.
sub wants {
	my ($self, $what) = @_;

	return $self->{wants}{$what} //= rand() < 0.5 ? 1 : 0;
}

# What to send: mostly the pair, as only that is proof; now and then one that
# cannot be gone on from, or none.
sub cursor {
	my ($self, $stream) = @_;
	my $place = $self->{record}->place($stream);
	my $dice  = $self->{storm}{is_calm} ? 0 : rand;
	my ($cursor, %how);

	if (!$place) {
		$cursor = undef;
	} elsif ($dice < 0.9) {
		$cursor = { %$place, seq => 0 + $place->{seq} };
	} elsif ($dice < 0.94) {
		$cursor = { seq => 0 + $place->{seq} };
	} elsif ($dice < 0.97) {
		%how = (odd => 1);
		$cursor = $dice < 0.955
		    ? { epoch => 'elsewhere', seq => 0 + $place->{seq} }
		    : { epoch => $place->{epoch},
			seq => 10_000_000 + $place->{seq} };
	}
	$self->{record}->asks($stream, $cursor, %how);
	return !$cursor || $cursor->{epoch} ? $cursor : $cursor->{seq};
}

# A stream less for a while, or the same again.
sub change {
	my ($self, $stream) = @_;
	my $door = $self->{door};

	return if !$door || !$door->is_settled || $door->is_over
	    || $door->is_leaving($stream);
	if (delete $self->{follows}{$stream}) {
		$door->unfollow($stream);
	} else {
		$self->{follows}{$stream} = 1;
		$door->follow($stream);
	}
	return;
}

sub sockets {
	my ($self) = @_;

	return $self->{door} && !$self->{is_asleep}
	    ? $self->{door}->sockets : ();
}

sub read {
	my ($self, $socket) = @_;

	$self->{door}->read($socket);
	$self->{heard_at} = $self->{storm}->now;
	return;
}

# Its door is closed: it comes back a little later.
sub look {
	my ($self, $now) = @_;
	my $door = $self->{door} // return;
	my $over = $door->is_over;

	# Whoever hears nothing for so long does not wait for ever.
	if (!$over && $now - $self->{heard_at} > 6 && !$self->{is_asleep}) {
		$over = { why => 'silence', after => 0 };
	}
	return if !$over;
	$self->{storm}{count}{"ended: $over->{why}"}++;
	$door->hang_up;
	$self->{door} = undef;
	$self->{at} = $now + $over->{after};
	return;
}

sub turn {
	my ($self, $now) = @_;

	$self->look($now);
	if (!$self->{door}) {
		return if $now < $self->{at};
		$self->{storm}{count}{doors}++;
		$self->{heard_at} = $now;
		$self->{tick} = $now + 0.5;
		$self->{door} = $self->{storm}->door->open($self,
			$self->{storm}->address);
	} elsif ($now > $self->{tick}) {
		$self->{tick} = $now + 0.7;
		$self->{door}->tick($now);
	}
	$self->{door}->turn($now);
	return;
}

sub hang_up {
	my ($self) = @_;

	$self->{door}->hang_up if $self->{door};
	return;
}

# In every stream at the end of the log, in its epoch.
sub has_all {
	my ($self, $heads) = @_;

	return '' if !$self->{door} || !$self->{door}->is_settled;
	for my $stream ($self->streams) {
		my $place = $self->{record}->place($stream) // return '';
		my $head  = $heads->{$stream};

		return '' if $place->{epoch} ne $head->{epoch}
		    || $place->{seq} != $head->{seq};
	}
	return 1;
}

# For the report.
sub where {
	my ($self) = @_;

	return join ' ', $self->{name}, $self->{door} ? 'connected' : 'away',
	    map {
		my $place = $self->{record}->place($_);
		"$_ " . ($place ? "$place->{epoch}:$place->{seq}" : 'nowhere')
	    } $self->streams;
}

1;
