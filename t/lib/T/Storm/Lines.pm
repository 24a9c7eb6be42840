# SPDX-License-Identifier: MIT
package T::Storm::Lines;

# What the doors of HTTP have in common: a line for each stream, made again
# whenever it ended, until the client has had enough of this door. Drives as
# T::Storm::WebSocket says; who inherits has
#
#	request($line)		what is asked, as text
#	take($line)		$line->{got} has more; $line->{body} begins
#				behind the head once that came
#
# and a line is { stream, socket, got, is_answered }: it has come back once.
# The line is given up with again($line, $why, $seconds).

use strict;
use warnings;
use IO::Socket::IP;
use Scalar::Util qw(weaken);
use Socket       qw(SOL_SOCKET SO_RCVBUF);

sub open {
	my ($class, $client, $address) = @_;
	my $self = bless { client => $client, address => $address,
		lines => {}, left => 1 + int rand 8 }, $class;

	weaken $self->{client};
	$self->follow($_) for $client->streams;
	return $self;
}

sub is_over { return $_[0]{over} }
sub lines   { return values %{ $_[0]{lines} } }

sub sockets {
	my ($self) = @_;

	return $self->{over} ? () : map { $_->{socket} // () } $self->lines;
}

sub is_settled {
	my ($self) = @_;

	return !grep { !$_->{is_answered} } $self->lines;
}

sub is_leaving { return '' }
sub tick       { return }

sub follow {
	my ($self, $stream) = @_;

	$self->{lines}{$stream} = { stream => $stream, at => 0 };
	return;
}

sub unfollow {
	my ($self, $stream) = @_;

	delete $self->{lines}{$stream};
	return;
}

sub hang_up {
	my ($self) = @_;

	$self->{lines} = {};
	$self->{over} //= { why => 'hung up', after => 0 };
	return;
}

sub count {
	my ($self, $what) = @_;

	$self->{client}{storm}{count}{$what}++;
	return;
}

# It comes back by itself a little later; but not for ever.
sub again {
	my ($self, $line, $why, $seconds) = @_;

	$self->count("$self->{name}: $why");
	delete @$line{qw(socket status)};
	$line->{at} = $self->{client}{storm}->now + $seconds;
	$self->{over} //= { why => "$self->{name} left", after => $seconds }
	    if --$self->{left} < 0 && !$self->{client}{storm}{is_calm};
	return;
}

sub connect {
	my ($self, $line) = @_;
	my ($host, $port) = $self->{address} =~ /^(.*):(\d+)\z/;
	my $socket = IO::Socket::IP->new(PeerHost => $host,
		PeerPort => $port, Timeout => 2,
		($self->{client}->wants('narrow') ? (Sockopts =>
			[[SOL_SOCKET, SO_RCVBUF, pack 'i', 8192]]) : ()));

	if (!$socket) {
		# Perhaps there is nobody any more, where it is.
		$self->{address} = $self->{client}{storm}->address;
		$self->again($line, "connect: $!", 0.2);
		return '';
	}
	$socket->blocking(0);
	$line->{socket} = $socket;
	return 1;
}

# Says on the line from where it wants to go on.
sub ask {
	my ($self, $line) = @_;
	my $cursor = $self->{client}->cursor($line->{stream});
	local $SIG{PIPE} = 'IGNORE';

	@$line{qw(got status body)} = ('', undef, '');
	$line->{cursor} = !defined $cursor ? undef
	    : ref $cursor ? "$cursor->{epoch}:$cursor->{seq}" : $cursor;
	$line->{asked} = $self->{client}{storm}->now;
	my $n = syswrite $line->{socket}, join "\r\n",
	    'GET ' . $self->request($line) . ' HTTP/1.1', 'Host: storm',
	    'Authorization: Bearer ' . $self->{client}->token, '', '';
	$self->again($line, 'the line takes nothing', 0.05) if !$n;
	return;
}

sub place_of {
	my ($self, $line) = @_;
	my ($id) = $line->{stream} =~ /^session:(\d+)\z/;

	return $id ? "/api/sessions/$id" : '/api';
}

sub turn {
	my ($self, $now) = @_;

	for my $line ($self->lines) {
		next if $self->{over} || $line->{socket} || $now < $line->{at};
		$self->ask($line) if $self->connect($line);
	}
	return;
}

sub take_head {
	my ($self, $line) = @_;

	$line->{got} =~ s/\AHTTP\/1\.1 (\d+)(.*?\r\n)\r\n//s or return '';
	@$line{qw(status head)} = ($1, $2);
	return 1 if $1 == 200;
	$self->{client}->wrong("$self->{name} is answered $1")
	    if $1 != 503 && $1 != 429;
	$self->again($line, "refused: $1", 0.2);
	return '';
}

sub read {
	my ($self, $socket) = @_;
	my ($line) = grep { ($_->{socket} // 0) == $socket } $self->lines
	    or return;
	my $n = sysread $socket, $line->{got}, 262144, length $line->{got};

	if (!$n) {
		return if !defined $n && ($!{EAGAIN} || $!{EINTR});
		$self->again($line, 'cut', 0.05);
		return;
	}
	return if !$line->{status} && !$self->take_head($line);
	$self->take($line);
	return;
}

1;
