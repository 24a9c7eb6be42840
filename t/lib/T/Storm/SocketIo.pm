# SPDX-License-Identifier: MIT
package T::Storm::SocketIo;

# Socket.IO's namespace /live as a door of T::Storm::Client, over a WebSocket
# from the beginning.

use strict;
use warnings;
use parent 'T::Storm::WebSocket';
use JSON::PP ();
use T::Frame;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub handshake {
	my ($self) = @_;
	my $target = '/socket.io/?EIO=4&transport=websocket';

	return join "\r\n", "GET $target HTTP/1.1", 'Host: storm',
	    'Connection: Upgrade', 'Upgrade: websocket',
	    'Sec-WebSocket-Version: 13',
	    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
	    ($self->{client}->wants('deflate')
	    ? 'Sec-WebSocket-Extensions: permessage-deflate' : ()), '', '';
}

# The namespace comes once the session is open.
sub upgraded { return }

sub post {
	my ($self, $message) = @_;

	$self->send(frame(0x81, $message));
	return;
}

sub follow {
	my ($self, $stream) = @_;
	my $cursor = $self->{client}->cursor($stream);
	my $since = { defined $cursor ? (since => $cursor) : () };

	$self->{to_answer}{$stream} = 1;
	if ($stream eq 'lobby') {
		$self->post('40/live,' . $json->encode({ %$since,
			token => $self->{client}->token }));
	} else {
		my ($id) = $stream =~ /^session:(\d+)\z/;

		$self->ask($stream, 'subscribe', 0 + $id, $since);
	}
	return;
}

sub ask {
	my ($self, $stream, @event) = @_;
	my $id = ++$self->{asked};

	$self->{asks}{$id} = [$event[0], $stream];
	$self->post("42/live,$id" . $json->encode(\@event));
	return;
}

sub unfollow {
	my ($self, $stream) = @_;
	my ($id) = $stream =~ /^session:(\d+)\z/;

	$self->{leaving}{$stream} = 1;
	$self->ask($stream, 'unsubscribe', 0 + $id);
	return;
}

# A sign of life is Engine.IO's affair; this is one of ours.
sub tick {
	my ($self) = @_;

	$self->ask('', 'nothing') if $self->{is_in};
	return;
}

sub take_close {
	my ($self, $payload) = @_;

	# It tells why in what came before.
	$self->send(frame(0x88, $payload));
	$self->{over} //= { why => 'socket.io: closed', after => 0.1 };
	return;
}

sub take_text {
	my ($self, $payload) = @_;
	my $client = $self->{client};

	if ($payload =~ /\A42\/live,\["([^"]+)",(\{"type":"([^"]+)",
	    "stream":"([^"]+)","seq":(\d+),"timestamp".*\})\]\z/sx) {
		$client->wrong("an event $3 is told as $1") if $1 ne $3;
		$client->record->heard($4, $5, $2) if !$client->has_left($4);
	} elsif ($payload =~ /\A42\/live,\["[^"]+",(.*)\]\z/s) {
		$self->take_message($json->decode($1), $payload);
	} elsif ($payload =~ /\A43\/live,(\d+)(\[.*\])\z/s) {
		$self->take_ack(delete $self->{asks}{$1},
			$json->decode($2)->[0]);
	} elsif ($payload =~ /\A0\{/) {
		$self->follow('lobby');
	} elsif ($payload eq '2') {
		$self->post('3');
	} elsif ($payload =~ /\A40\/live,\{"sid":/) {
		$client->{storm}{count}{'socket.io: came in'}++;
	} elsif ($payload eq '1') {
		$self->{over} = { why => 'socket.io: closed', after => 0.05 };
	} else {
		$client->wrong("told $payload");
	}
	return;
}

sub take_ack {
	my ($self, $ask, $said) = @_;
	my $client = $self->{client};
	my ($what, $stream) = @$ask;

	return if $what eq 'nothing';
	if (!$said->{success}) {
		# Before the connection is closed for it.
		$client->wrong("$what $stream: $said->{error}")
		    if $said->{error} ne 'Service unavailable';
		return;
	}
	if ($what eq 'unsubscribe') {
		delete $self->{leaving}{$stream};
		return;
	}
	delete $self->{to_answer}{$stream};
	$client->record->told($stream, @$said{qw(epoch seq)},
		resync => $said->{resync}, recovered => $said->{recovered})
	    if !$client->has_left($stream);
	return;
}

sub take_message {
	my ($self, $message, $payload) = @_;
	my $client = $self->{client};

	if (($message->{code} // '') eq 'unavailable' && $message->{again}) {
		$self->{over} = { why => 'socket.io: unavailable',
			after => 0.3 };
	} elsif (($message->{type} // '') eq 'resync') {
		$client->record->resynced(@$message{qw(stream epoch seq
			from)}) if !$client->has_left($message->{stream});
	} elsif (($message->{type} // '') eq 'subscribed') {
		delete $self->{to_answer}{lobby};
		$client->record->told('lobby', @$message{qw(epoch seq)},
			resync => $message->{resync},
			recovered => $message->{recovered});
		$self->{is_in} = 1;
		$self->follow($_) for $client->sessions;
	} else {
		$client->wrong("told $payload");
	}
	return;
}

1;
