# SPDX-License-Identifier: MIT
package T::Storm::SocketIoPoll;

# The same as T::Storm::SocketIo for who has no WebSocket: a line on which one
# GET always waits, and one for what is said, each with one request at a time.

use strict;
use warnings;
use parent 'T::Storm::SocketIo';
use IO::Socket::IP;
use Socket qw(SOL_SOCKET SO_RCVBUF);

sub open {
	my ($class, $client, $address) = @_;
	my $self = bless { client => $client, address => $address,
		to_answer => {}, to_say => [], lines => {},
		name => 'polling' }, $class;

	$self->get;
	return $self;
}

sub sockets {
	my ($self) = @_;

	return $self->{over} ? () : map { $_->{socket} }
	    values %{ $self->{lines} };
}

sub hang_up {
	my ($self) = @_;

	$self->{lines} = {};
	$self->{over} //= { why => 'hung up', after => 0 };
	return;
}

sub lose {
	my ($self, $why, $after) = @_;

	$self->{over} //= { why => "polling: $why", after => $after };
	return;
}

sub connect {
	my ($self) = @_;
	my ($host, $port) = $self->{address} =~ /^(.*):(\d+)\z/;
	my $socket = IO::Socket::IP->new(PeerHost => $host,
		PeerPort => $port, Timeout => 2,
		($self->{client}->wants('narrow') ? (Sockopts =>
			[[SOL_SOCKET, SO_RCVBUF, pack 'i', 8192]]) : ()));

	return $socket if $socket;
	$self->lose("connect: $!", 0.2);
	return;
}

# A new connection now and then: any worker may get it.
sub request {
	my ($self, $which, $method, $body) = @_;
	my $line = $self->{lines}{$which};
	local $SIG{PIPE} = 'IGNORE';

	if (!$line || rand() < 0.1) {
		my $socket = $self->connect or return;

		$line = $self->{lines}{$which} = { socket => $socket,
			which => $which };
		$socket->blocking(0);
	}
	@$line{qw(got is_busy)} = ('', 1);
	my $bytes = join "\r\n",
	    "$method /socket.io/?EIO=4&transport=polling"
	    . (defined $self->{sid} ? "&sid=$self->{sid}" : '') . ' HTTP/1.1',
	    'Host: storm', ($method eq 'POST'
	    ? ('Content-Type: text/plain', 'Content-Length: ' . length $body)
	    : ()), '', $body // '';
	my $n = syswrite $line->{socket}, $bytes;
	$self->lose('the line takes nothing', 0) if ($n // 0) < length $bytes;
	return;
}

sub get { return $_[0]->request('get', 'GET') }

sub post {
	my ($self, $message) = @_;

	push @{ $self->{to_say} }, $message;
	$self->say_on;
	return;
}

sub say_on {
	my ($self) = @_;
	my $line = $self->{lines}{post};

	return if !@{ $self->{to_say} } || ($line && $line->{is_busy})
	    || $self->{over};
	$self->request('post', 'POST', join "\x1e",
		splice @{ $self->{to_say} });
	return;
}

sub read {
	my ($self, $socket) = @_;
	my ($line) = grep { $_->{socket} == $socket }
	    values %{ $self->{lines} } or return;
	my $n = sysread $socket, $line->{got}, 262144, length $line->{got};

	if (!$n) {
		return if !defined $n && ($!{EAGAIN} || $!{EINTR});
		# Nobody knows whether what it asked was done.
		return $self->lose('cut', 0.05) if $line->{is_busy};
		delete $self->{lines}{ $line->{which} };
		return;
	}
	my ($status, $size) = $line->{got} =~ /\AHTTP\/1\.1\ (\d+)
	    (?:.*?)\r\ncontent-length:\ (\d+)\r\n/six or return;
	my $at = 4 + index $line->{got}, "\r\n\r\n";

	return if $at < 4 || length $line->{got} < $at + $size;
	$line->{is_busy} = '';
	$self->take_answer($line, $status, substr $line->{got}, $at, $size);
	return;
}

sub take_answer {
	my ($self, $line, $status, $body) = @_;

	if ($status != 200) {
		$self->{client}->wrong("polling is answered $status $body")
		    if $status != 503 && $status != 429
		    && $body !~ /"code":[13],/;
		return $self->lose("refused: $status", 0.1);
	}
	return $self->say_on if $line->{which} eq 'post';
	for my $packet (split /\x1e/, $body) {
		return if $self->{over};
		($self->{sid}) = $packet =~ /"sid":"([^"]+)"/
		    if $packet =~ /\A0/;
		$self->take_text($packet) if $packet ne '6';
	}
	$self->get if !$self->{over};
	return;
}

1;
