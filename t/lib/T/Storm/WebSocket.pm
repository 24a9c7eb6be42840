# SPDX-License-Identifier: MIT
package T::Storm::WebSocket;

# The live WebSocket as a door of T::Storm::Client: one line for all streams.
#
# A door is made by open($client, $address) and then driven by its client:
#	sockets()	what it reads from, now
#	read($socket)	there is something
#	turn($now)	always, and tick($now) now and then
#	is_over()	undef, or { why, after } with the seconds to wait
#	is_settled()	every stream was answered
#	unfollow($s)	one stream less, until is_leaving($s) is false again;
#	follow($s)	one more
#	hang_up()	without a word
# What it is told goes to $client->record; whom it follows, from where, is
# $client->cursor($stream).

use strict;
use warnings;
use IO::Socket::IP;
use JSON::PP ();
use Socket   qw(SOL_SOCKET SO_RCVBUF);
use T::Frame;
use T::Live;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# Close codes with which a client may come back at once, or after a while.
my %back = (1012 => 0.1, 1013 => 0.3, 4009 => 0);

sub open {
	my ($class, $client, $address) = @_;
	my ($host, $port) = $address =~ /^(.*):(\d+)\z/;
	my $socket = IO::Socket::IP->new(PeerHost => $host,
		PeerPort => $port, Timeout => 2,
		($client->wants('narrow') ? (Sockopts =>
			[[SOL_SOCKET, SO_RCVBUF, pack 'i', 8192]]) : ()));
	my $self = bless { client => $client, socket => $socket, got => '',
		is_upgraded => '', to_answer => {} }, $class;

	if (!$socket) {
		$self->{over} = { why => "connect: $!", after => 0.2 };
		return $self;
	}
	$socket->blocking(0);
	$self->send($self->handshake);
	return $self;
}

sub handshake {
	my ($self) = @_;

	return T::Live::handshake(deflate => $self->{client}->wants(
		'deflate'));
}

sub upgraded { return $_[0]->follow('lobby') }

sub sockets { return $_[0]{over} ? () : $_[0]{socket} }
sub is_over { return $_[0]{over} }
sub turn    { return }

sub is_settled {
	my ($self) = @_;

	return $self->{is_in} && !%{ $self->{to_answer} };
}

sub hang_up {
	my ($self) = @_;

	close $self->{socket} if $self->{socket};
	$self->{over} //= { why => 'hung up', after => 0 };
	return;
}

# What does not fit is lost, as the line is then.
sub send {
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';

	my $n = syswrite $self->{socket}, $bytes;
	$self->{over} //= { why => 'the line takes nothing', after => 0 }
	    if !defined $n || $n < length $bytes;
	return;
}

sub say {
	my ($self, $message) = @_;

	$self->send(frame(0x81, $json->encode($message)));
	return;
}

sub follow {
	my ($self, $stream) = @_;
	my $cursor = $self->{client}->cursor($stream);
	my @since = defined $cursor ? (since => $cursor) : ();

	$self->{to_answer}{$stream} = 1;
	if ($stream eq 'lobby') {
		$self->say({ type => 'auth', token =>
			$self->{client}->token, @since });
	} else {
		my ($id) = $stream =~ /^session:(\d+)\z/;

		$self->say({ type => 'subscribe', sessionId => 0 + $id,
			@since });
	}
	return;
}

# What is on its way comes still, until the answer.
sub unfollow {
	my ($self, $stream) = @_;
	my ($id) = $stream =~ /^session:(\d+)\z/;

	$self->{leaving}{$stream} = 1;
	$self->say({ type => 'unsubscribe', sessionId => 0 + $id });
	return;
}

sub is_leaving {
	my ($self, $stream) = @_;

	return $self->{leaving}{$stream};
}

sub tick {
	my ($self, $now) = @_;

	$self->say({ type => 'ping' }) if $self->{is_in};
	return;
}

sub read {
	my ($self) = @_;
	my $n = sysread $self->{socket}, $self->{got}, 262144,
	    length $self->{got};

	if (!$n) {
		return if !defined $n && ($!{EAGAIN} || $!{EINTR});
		$self->{over} //= { why => 'cut', after => 0.05 };
		return;
	}
	$self->take_answer if !$self->{is_upgraded};
	return if !$self->{is_upgraded};
	for my $frame (take_frames(\$self->{got})) {
		last if $self->{over};
		$self->take($frame);
	}
	return;
}

sub take_answer {
	my ($self) = @_;

	$self->{got} =~ s/\AHTTP\/1\.1 (\d+)(.*?)\r\n\r\n//s or return;
	if ($1 == 101) {
		$self->{is_upgraded} = 1;
		$self->upgraded;
		return;
	}
	$self->{client}->wrong("the handshake is answered $1")
	    if $1 != 503 && $1 != 429;
	$self->{over} = { why => "refused: $1", after => 0.2 };
	return;
}

sub take {
	my ($self, $frame) = @_;
	my ($kind, $payload) = ($frame->{first} & 15, $frame->{payload});

	if ($kind == 9) {
		$self->send(frame(0x8a, $payload));
	} elsif ($kind == 8) {
		$self->take_close($payload);
	} elsif ($kind == 1) {
		$self->take_text($frame->{first} & 0x40 ? inflated($payload)
			: $payload);
	}
	return;
}

sub take_text {
	my ($self, $payload) = @_;

	if ($payload =~ /\A\{"type":"[^"]+","stream":"([^"]+)",
	    "seq":(\d+),"timestamp"/x) {
		$self->{client}->record->heard($1, $2, $payload)
		    if !$self->{client}->has_left($1);
	} else {
		$self->take_message($json->decode($payload));
	}
	return;
}

sub take_close {
	my ($self, $payload) = @_;
	my ($code, $reason) = close_of($payload);
	my $said = eval { $json->decode($reason) } // {};
	my $after = $back{$code};

	if (!defined $after) {
		$self->{client}->wrong("closed with $code $reason");
		$after = 0.1;
	}
	$self->{client}{storm}{count}{"closed $code"}++;
	$after = $said->{retry_after_ms} / 1000
	    if defined $said->{retry_after_ms};
	$self->send(frame(0x88, $payload));
	$self->{over} = { why => "closed: $code", after => $after };
	return;
}

sub take_message {
	my ($self, $message) = @_;
	my $client = $self->{client};
	my $record = $client->record;
	my $type   = $message->{type};

	if ($type eq 'auth_success' || $type eq 'subscribed') {
		my $stream = $message->{stream}
		    // "session:$message->{sessionId}";

		delete $self->{to_answer}{$stream};
		$record->told($stream, @$message{qw(epoch seq)},
			resync => $message->{resync},
			recovered => $message->{recovered})
		    if !$client->has_left($stream);
		if ($stream eq 'lobby') {
			$self->{is_in} = 1;
			$self->follow($_) for $client->sessions;
		}
	} elsif ($type eq 'resync') {
		$record->resynced(@$message{qw(stream epoch seq from)})
		    if !$client->has_left($message->{stream});
	} elsif ($type eq 'pong') {
		my $heads = $message->{heads};

		$record->head($_, @{ $heads->{$_} }{qw(epoch seq)})
		    for keys %$heads;
	} elsif ($type eq 'unsubscribed') {
		delete $self->{leaving}{"session:$message->{sessionId}"};
	} elsif ($type ne 'pong') {
		$client->wrong('told ' . $json->encode($message));
	}
	return;
}

1;
