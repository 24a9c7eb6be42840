# SPDX-License-Identifier: MIT
package T::Storm::Poll;

# Long poll as a door of T::Storm::Client: question by question, behind what
# came last, or behind the head where nothing did.

use strict;
use warnings;
use parent 'T::Storm::Lines';
use JSON::PP ();

# Far longer than any question waits.
my $patience = 15;
my $json = JSON::PP->new->utf8;

sub open {
	my ($class, @more) = @_;
	my $self = $class->SUPER::open(@more);

	$self->{name} = 'poll';
	$self->{left} *= 10;
	return $self;
}

sub request {
	my ($self, $line) = @_;
	my @words = ('wait=' . int rand 4, 'limit=' . (1 + int rand 1000));

	push @words, "since=$line->{cursor}" if defined $line->{cursor};
	return $self->place_of($line) . '/events?' . join '&', @words;
}

sub tick {
	my ($self, $now) = @_;

	for my $line (grep { $_->{socket} } $self->lines) {
		next if $now - $line->{asked} < $patience;
		$self->{client}->wrong("$line->{stream}: a poll is not "
			. "answered for $patience s");
		$self->again($line, 'silence', 0);
	}
	return;
}

sub take {
	my ($self, $line) = @_;
	my ($length) = $line->{head} =~ /^Content-Length: (\d+)\r$/mi
	    or die "a poll's answer has no length\n";

	return if length $line->{got} < $length;
	$self->take_answer($line, substr $line->{got}, 0, $length, '');
	return if $self->{over};
	if ($line->{head} =~ /^Connection: close\r$/mi) {
		$self->again($line, 'has to come back', 0);
	} elsif (--$self->{left} < 0 && !$self->{client}{storm}{is_calm}) {
		$self->{over} = { why => 'poll left', after => 0 };
	} else {
		$self->ask($line);
	}
	return;
}

sub take_answer {
	my ($self, $line, $text) = @_;
	my $client = $self->{client};
	my $record = $client->record;
	my $stream = $line->{stream};
	my ($epoch, $head, $events) = $text =~ /\A\{"stream":"$stream",
	    "epoch":"([^"]*)","head":(\d+),"events":\[(.*)\]\}\z/sx;

	$self->count('polls');
	if (!defined $events) {
		my $all = $json->decode($text);

		$record->told($stream, @$all{qw(epoch head)},
			resync => $all->{resync});
		$client->wrong("$stream: a resync and events")
		    if @{ $all->{events} } || !$all->{resync};
	} else {
		my @events = split
		    /,(?=\{"type":"[^"]+","stream":"$stream","seq":)/, $events;
		# Who names no number waits for what comes from now on.
		my ($first) = defined $line->{cursor} ? ()
		    : $events =~ /"seq":(\d+)/;

		$record->told($stream, $epoch, $first ? $first - 1 : $head,
			recovered => 1);
		$self->take_events($line, $head, @events);
	}
	$line->{is_answered} = 1;
	return;
}

# A client goes on behind the head where there are none.
sub take_events {
	my ($self, $line, $head, @events) = @_;
	my $client = $self->{client};
	my $stream = $line->{stream};
	my $place  = $client->record->place($stream);

	$client->wrong("$stream: nothing behind $place->{seq}, and the head "
		. "is $head") if !@events && $place->{seq} != $head;
	for my $event (@events) {
		my ($seq) = $event =~ /\A\{"type":"[^"]+","stream":"[^"]+",
		    "seq":(\d+),/x;

		$client->wrong("$stream: $event where the head is $head")
		    if !$seq || $seq > $head;
		$client->record->heard($stream, $seq // 0, $event);
	}
	return;
}

1;
