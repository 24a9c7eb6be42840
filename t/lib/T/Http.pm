# SPDX-License-Identifier: MIT
package T::Http;

# A client that sends exactly the bytes it is told, for what a proper client
# would never send.
#
#	my $c = T::Http->connect($server);	 # or 'host:port', 'unix:/path'
#	$c->send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
#	my $a = $c->answer;	# { status, reason, headers, names, body }
#	is($a->{headers}{'content-type'}, 'application/json');
#	ok($c->is_cut, 'the server closed');
#	T::Http->get($server, '/livez', 'Accept-Encoding' => 'gzip')->{status};
#
# headers: the last value by name in lower case; names: [name, value] of all.
# Each answer is held against what the program says of itself (T::OpenApi).
# answer() is undef where the line was cut or nothing came in time; why() says
# which. Header lines are kept as they were sent: all of them are in head.

use strict;
use warnings;
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use Scalar::Util qw(blessed);
use Time::HiRes  qw(time);
use T::OpenApi;
use T::Wait;

sub connect {
	my ($class, $where, %options) = @_;
	my $socket;

	$where = $where->address if blessed $where;
	if ($where =~ /^unix:(.*)/) {
		$socket = IO::Socket::UNIX->new(Peer => $1);
	} else {
		my ($host, $port) = $where =~ /^\[?(.*?)\]?:(\d+)\z/;
		$socket = IO::Socket::IP->new(
			PeerHost => $host,
			PeerPort => $port,
			($options{from} ? (LocalHost => $options{from}) : ()),
			Timeout => 10
		);
	}
	die "$where: $!\n" if !$socket;
	binmode $socket;
	return bless { socket => $socket, got => '', why => '' }, $class;
}

sub socket { return $_[0]{socket} }
sub why    { return $_[0]{why} }

# false: the other side takes no more.
sub send {
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my $at = 0;

	push @{ $self->{asked} }, [$1, $2]
	    if $bytes =~ m{\A([A-Z]+) (\S+) HTTP/1\.[01]\r\n};
	while ($at < length $bytes) {
		my $n = syswrite $self->{socket}, $bytes,
		    length($bytes) - $at, $at;

		return '' if !defined $n;
		$at += $n;
	}
	return 1;
}

# More bytes into got: false where none come.
sub more {
	my ($self, $deadline) = @_;
	my $left = $deadline - time();

	if ($left <= 0 || !IO::Select->new($self->{socket})->can_read($left)) {
		$self->{why} = 'nothing came in time';
		return '';
	}
	my $n = sysread $self->{socket}, $self->{got}, 65536,
	    length $self->{got};
	$self->{why} = !defined $n ? "cut: $!" : 'closed' if !$n;
	return $n;
}

sub take {
	my ($self, $length, $deadline) = @_;

	while (length $self->{got} < $length) {
		return undef if !$self->more($deadline);
	}
	return substr $self->{got}, 0, $length, '';
}

sub take_through {
	my ($self, $end, $deadline) = @_;
	my $at;

	while (($at = index $self->{got}, $end) < 0) {
		return undef if !$self->more($deadline);
	}
	return substr $self->{got}, 0, $at + length $end, '';
}

sub take_chunk {
	my ($self, $deadline) = @_;
	my $line = $self->take_through("\r\n", $deadline) // return undef;
	my $chunk = $self->take(2 + hex $line =~ s/\r\n//r, $deadline)
	    // return undef;

	return substr $chunk, 0, -2;
}

sub take_chunks {
	my ($self, $deadline) = @_;
	my $body = '';

	for (;;) {
		my $chunk = $self->take_chunk($deadline) // return undef;

		return $body if $chunk eq '';
		$body .= $chunk;
	}
}

# The next answer; to_head: it has no body, being the answer to a HEAD.
sub answer {
	my ($self, %options) = @_;
	my $deadline = deadline_in($options{seconds} // 10);
	my $head     = $self->take_through("\r\n\r\n", $deadline)
	    // return undef;
	my ($first, @lines) = split /\r\n/, $head;
	my ($status, $reason) = $first =~ m{^HTTP/1\.[01] (\d{3}) ?(.*)};
	my %answer = (head => $head, status => $status, reason => $reason);

	if (!defined $status) {
		$self->{why} = "not an answer: $first";
		return undef;
	}
	for my $line (@lines) {
		my ($name, $value) = $line =~ /^([^:]+):\s*(.*)/;
		push @{ $answer{names} }, [$name, $value];
		$answer{headers}{ lc $name } = $value;
	}
	my $length = $answer{headers}{'content-length'};

	my $has_chunks =
	    lc($answer{headers}{'transfer-encoding'} // '') eq 'chunked';

	# A stream of events that was got has no end: its first chunk is its
	# body. One that was posted for ends.
	$answer{is_stream} = ($answer{headers}{'content-type'} // '')
	    =~ m{^text/event-stream}
	    && ($self->{asked}[0] // ['GET'])->[0] eq 'GET';
	if ($options{to_head} || $status =~ /^(?:1..|204|304)$/) {
		$answer{body} = '';
	} elsif ($answer{is_stream}) {
		$answer{body} = $self->take_chunk($deadline) // return undef;
	} elsif ($has_chunks) {
		$answer{body} = $self->take_chunks($deadline) // return undef;
	} elsif (defined $length) {
		$answer{body} = $self->take($length, $deadline) // return undef;
	} else {
		1 while $self->more($deadline);
		$answer{body} = $self->{got};
		$self->{got}  = '';
	}
	my ($method, $target) = @{ shift @{ $self->{asked} } // [] };

	T::OpenApi::answered($options{to_head} ? 'HEAD' : $method, $target
		// '', \%answer);
	return \%answer;
}

# Whether the server has closed, or does so in time; bytes that come before
# stay in rest().
sub is_cut {
	my ($self, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);

	1 while $self->more($deadline);
	return $self->{why} ne 'nothing came in time';
}

sub rest { return $_[0]{got} }

sub close {
	my ($self) = @_;

	close $self->{socket} if $self->{socket};
	return;
}

# One request on one connection, of a proper client.
sub request {
	my ($class, $where, $method, $path, $body, @headers) = @_;
	my $client = $class->connect($where);
	my $head   = "$method $path HTTP/1.1\r\nHost: test\r\n"
	    . "Connection: close\r\n";

	while (my ($name, $value) = splice @headers, 0, 2) {
		$head .= "$name: $value\r\n";
	}
	$head .= 'Content-Length: ' . length($body) . "\r\n" if defined $body;
	$client->send("$head\r\n" . ($body // ''));
	return $client->answer(to_head => $method eq 'HEAD')
	    // { status => 0, headers => {}, body => '', why => $client->why };
}

sub get {
	my ($class, $where, $path, @headers) = @_;

	return $class->request($where, 'GET', $path, undef, @headers);
}

1;
