# SPDX-License-Identifier: MIT
package T::Storm::Sse;

# Server-Sent Events as a door of T::Storm::Client: a line for each stream,
# which stays.

use strict;
use warnings;
use parent 'T::Storm::Lines';
use JSON::PP ();

my $json = JSON::PP->new->utf8;

sub open {
	my ($class, @more) = @_;
	my $self = $class->SUPER::open(@more);

	$self->{name} = 'sse';
	return $self;
}

sub request {
	my ($self, $line) = @_;

	$line->{is_placed} = '';
	return $self->place_of($line) . '/stream'
	    . (defined $line->{cursor} ? "?since=$line->{cursor}" : '');
}

# Out of the chunks, block by block.
sub take {
	my ($self, $line) = @_;
	my $at = 0;

	while (substr($line->{got}, $at, 20) =~ /\A([0-9a-f]+)\r\n/) {
		my $size = hex $1;
		my $from = $at + length($1) + 2;

		last if length $line->{got} < $from + $size + 2;
		$line->{body} .= substr $line->{got}, $from, $size;
		$at = $from + $size + 2;
		$line->{is_ended} = $size == 0;
	}
	substr $line->{got}, 0, $at, '';
	my @blocks = split /\n\n/, $line->{body}, -1;
	$line->{body} = pop(@blocks) // '';
	for my $text (@blocks) {
		$self->take_block($line, $text);
		return if !$line->{socket} || $self->{over};
	}
	$self->again($line, 'ended', 0.05) if delete $line->{is_ended};
	return;
}

sub take_block {
	my ($self, $line, $text) = @_;
	my $client = $self->{client};
	my %block;

	for (split /\n/, $text) {
		/^(\w+): (.*)\z/ or next;
		$block{$1} = defined $block{$1} ? "$block{$1}\n$2" : $2;
	}
	my ($epoch, $seq) = ($block{id} // '') =~ /^(.*):(\d+)\z/;
	if (!$line->{is_placed}) {
		$client->wrong("$line->{stream}: begins with $text")
		    if !$block{retry};
		$line->{is_placed} = 1;
		$self->stands($line, $epoch, $seq) if defined $seq;
	} elsif (!defined $block{event}) {
		$self->take_event($line, $epoch, $seq, $block{data})
		    if defined $seq;
	} elsif ($block{event} eq 'resync') {
		$self->take_resync($line, $epoch, $seq,
			$json->decode($block{data}));
	} elsif ($block{event} eq 'closing') {
		$self->take_closing($line, $json->decode($block{data}));
	} else {
		$client->wrong("$line->{stream}: told $text");
	}
	return;
}

# Without a number it stands at the head.
sub stands {
	my ($self, $line, $epoch, $seq) = @_;
	my $client = $self->{client};
	my $place  = $client->record->place($line->{stream});

	$client->wrong("$line->{stream}: goes on at $seq, not $place->{seq}")
	    if defined $line->{cursor} && $seq != $place->{seq};
	$client->record->told($line->{stream}, $epoch, $seq, recovered => 1);
	$line->{is_answered} = 1;
	return;
}

sub take_event {
	my ($self, $line, $epoch, $seq, $data) = @_;
	my $client = $self->{client};
	my $stream = $line->{stream};

	$client->wrong("$stream: the id is $epoch:$seq of $data")
	    if $data !~ /\A\{"type":"[^"]+","stream":"$stream","seq":$seq,/
	    || $epoch ne $client->record->place($stream)->{epoch};
	$client->record->heard($stream, $seq, $data);
	return;
}

sub take_resync {
	my ($self, $line, $epoch, $seq, $resync) = @_;
	my $record = $self->{client}->record;

	if ($line->{is_answered} && !$record->is_asking($line->{stream})) {
		$record->resynced($line->{stream}, $epoch, $seq,
			$resync->{from});
		return;
	}
	$record->told($line->{stream}, $epoch, $seq, resync => $resync);
	$line->{is_answered} = 1;
	return;
}

sub take_closing {
	my ($self, $line, $said) = @_;

	$self->{client}->wrong("$line->{stream}: closing, $said->{code}")
	    if $said->{code} !~ /^(?:draining|unavailable)\z/;
	$self->again($line, "closing, $said->{code}",
		$said->{again} eq 'now' ? 0.05 : 0.3);
	return;
}

1;
