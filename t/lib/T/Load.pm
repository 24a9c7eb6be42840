# SPDX-License-Identifier: MIT
package T::Load;

# Clients that ask one after another until they are told to stop, each in a
# process of its own, and say what failed.
#
#	my $load = T::Load->start($server, clients => 4, path => '/livez');
#	$load->goes_on;			# each client has had an answer since
#	my $sum = $load->stop;	# { requests, repeated, failures => [text] }
#	is_deeply($sum->{failures}, []);
#
# keepalive => 0 makes a connection for each request. A client honours
# `Connection: close`; anything else that ends a request without a 200 is a
# failure and it connects anew. Only where a kept connection ends before a byte
# of the answer, as one does that was idle, it repeats the request, as clients
# of HTTP do; that is counted.

use strict;
use warnings;
use POSIX        ();
use Scalar::Util qw(blessed);
use Socket       qw(SOL_SOCKET SO_RCVTIMEO SO_SNDTIMEO);
use T::Http;
use T::Wait;

sub start {
	my ($class, $where, %options) = @_;
	my $self = bless { clients => [], owner => $$ }, $class;

	$where = $where->address if blessed $where;
	for my $number (1 .. $options{clients} // 4) {
		pipe my $read, my $write or die "pipe: $!\n";
		my $pid = fork // die "fork: $!\n";

		if ($pid == 0) {
			close $read;
			eval { client($where, $write, %options); 1 }
			    or syswrite $write, "F client: $@\n";
			POSIX::_exit(0);
		}
		close $write;
		$read->blocking(0);
		push @{ $self->{clients} },
		    { pid => $pid, read => $read, got => '', done => 0,
			failures => [] };
	}
	$self->goes_on;
	return $self;
}

# In the client. Says `R n` now and then, `F text` for a failure.
sub client {
	my ($where, $out, %options) = @_;
	my $path      = $options{path} // '/livez';
	my $keepalive = $options{keepalive} // 1;
	my $request   = "GET $path HTTP/1.1\r\nHost: load\r\n"
	    . ($keepalive ? '' : "Connection: close\r\n") . "\r\n";
	my ($stop, $socket, $count, $said) = (0, undef, 0, time);

	local $SIG{TERM} = sub { $stop = 1 };
	local $SIG{PIPE} = 'IGNORE';
	while (!$stop) {
		my $used = defined $socket;

		$socket //= open_socket($where, $out) // next;
		my ($fine, $close) = ask($socket, $request);

		if ($fine eq '') {
			$count++;
		} elsif ($used && $fine eq 'cut before an answer') {
			syswrite $out, "P again\n";
			$close = 1;
		} else {
			syswrite $out, "F $fine\n";
			$close = 1;
		}
		undef $socket if $close || !$keepalive;
		if ($count % 64 == 1 || time != $said) {
			syswrite $out, "R $count\n";
			$said = time;
		}
		pause($options{pause}) if $options{pause};
	}
	syswrite $out, "R $count\n";
	return;
}

sub open_socket {
	my ($where, $out) = @_;
	my $client = eval { T::Http->connect($where) };

	if (!$client) {
		syswrite $out, "F connect: $@";
		pause(0.01);
		return undef;
	}
	my $limit = pack 'l!l!', 15 * ($ENV{T_SLOW} || 1), 0;
	setsockopt $client->socket, SOL_SOCKET, $_, $limit
	    for SO_RCVTIMEO, SO_SNDTIMEO;
	return $client->socket;
}

# ('' or what went wrong, whether the server wants to close)
sub ask {
	my ($socket, $request) = @_;
	my $got = '';

	syswrite($socket, $request) // return "send: $!";
	for (;;) {
		my $n = sysread $socket, $got, 16384, length $got;

		if (!defined $n) {
			next if $!{EINTR};
			return "receive: $!";
		}
		return $got eq '' ? 'cut before an answer' : 'cut in an answer'
		    if $n == 0;
		my $end = index $got, "\r\n\r\n";
		next if $end < 0;
		my $head = substr $got, 0, $end + 2;
		my ($length) = $head =~ /\r\ncontent-length: *(\d+)/i
		    or return "no content-length: $head";
		next if length $got < $end + 4 + $length;
		return "answer too long"   if length $got > $end + 4 + $length;
		return substr($got, 0, 60) if $got !~ m{^HTTP/1\.1 200 };
		return ('', $head =~ /\r\nconnection: *close/i);
	}
}

sub gather {
	my ($self) = @_;

	for my $client (@{ $self->{clients} }) {
		1 while sysread $client->{read}, $client->{got}, 65536,
		    length $client->{got};
		while ($client->{got} =~ s/^([RPF]) (.*)\n//) {
			if ($1 eq 'R') {
				$client->{done} = $2;
			} elsif ($1 eq 'P') {
				$client->{repeated}++;
			} else {
				push @{ $client->{failures} }, $2;
			}
		}
	}
	return @{ $self->{clients} };
}

# Waits until every client has had more answers than it has now.
sub goes_on {
	my ($self, $seconds) = @_;
	my @before = map { $_->{done} } $self->gather;

	return wait_until {
		my @now = map { $_->{done} } $self->gather;
		!grep { $now[$_] <= $before[$_] } 0 .. $#now;
	} $seconds // 20;
}

sub stop {
	my ($self) = @_;
	my %sum = (requests => 0, repeated => 0, failures => []);

	kill 'TERM', map { $_->{pid} } @{ $self->{clients} };
	for my $client (@{ $self->{clients} }) {
		wait_until { waitpid($client->{pid}, POSIX::WNOHANG()) != 0 } 30
		    or kill('KILL', $client->{pid}), waitpid($client->{pid}, 0);
	}
	for my $client ($self->gather) {
		$sum{requests} += $client->{done};
		$sum{repeated} += $client->{repeated} // 0;
		push @{ $sum{failures} }, @{ $client->{failures} };
	}
	$self->{clients} = [];
	return \%sum;
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$;
	local $?;
	$self->stop if @{ $self->{clients} };
	return;
}

1;
