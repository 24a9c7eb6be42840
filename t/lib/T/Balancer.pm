# SPDX-License-Identifier: MIT
package T::Balancer;

# A balancer that knows nothing: each request goes to the next host, in turn,
# whosever it is. An upgrade is a request, too.
#
#	my $balancer = T::Balancer->start($ann, $bob);	servers, or addresses
#	$balancer->url;				http://127.0.0.1:PORT
#	$balancer->address;
#
# A host that refuses the connection is passed over; one that breaks off
# leaves its client without an answer.
#
# Holds always:
#  1. One request each connection, so that none stays with a host: it is told
#     to close, and the client sees so.
#  2. It is gone before the test is.

use strict;
use warnings;
use IO::Socket::IP;
use Mojo::IOLoop;
use Mojo::Reactor::Poll;
use POSIX        ();
use Scalar::Util qw(blessed);

sub start {
	my ($class, @hosts) = @_;
	my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1',
		Listen => 511) // die "no balancer: $!\n";
	my $self = bless { port => $listener->sockport, owner => $$ }, $class;
	my $parent = $$;
	my $pid = fork // die "fork: $!\n";

	if ($pid == 0) {
		$SIG{TERM} = $SIG{INT} = 'DEFAULT';
		eval { serve($listener, $parent, map { blessed $_
			? $_->address : $_ } @hosts); 1 } or warn $@;
		POSIX::_exit(0);
	}
	$self->{pid} = $pid;
	return $self;
}

sub address { return "127.0.0.1:$_[0]{port}" }
sub url     { return 'http://' . $_[0]->address }

sub serve {
	my ($listener, $parent, @hosts) = @_;
	my $loop = Mojo::IOLoop->new;
	my $turn = 0;

	$loop->max_accepts(0);
	$loop->server({ fileno => fileno $listener }, sub {
		my (undef, $client) = @_;
		my $head = '';

		$client->timeout(0);
		$client->on(read => sub {
			my (undef, $bytes) = @_;

			return if !defined $head;
			$head .= $bytes;
			return if $head !~ /\r\n\r\n/;
			pass($loop, $client, alone($head), $turn++, @hosts);
			undef $head;
		});
	});
	$loop->recurring(0.5, sub { POSIX::_exit(0) if getppid() != $parent });
	$loop->start;
	return;
}

# The request as one after which its connection ends, unless it upgrades.
sub alone {
	my ($request) = @_;
	my ($head, $rest) = split /(?<=\r\n)\r\n/, $request, 2;

	if ($head !~ /^Upgrade:/mi) {
		$head =~ s/^Connection:.*\r\n//mi;
		$head .= "Connection: close\r\n";
	}
	return "$head\r\n$rest";
}

# To that host, or the next of whom there is one.
sub pass {
	my ($loop, $client, $request, $turn, @hosts) = @_;
	my $tries = @hosts;
	my $early = '';
	my $keep = $client->on(read => sub { $early .= $_[1] });
	my $is_gone;
	my $try;

	$client->on(close => sub { $is_gone = 1; undef $try });
	$try = sub {
		my ($host, $port) = $hosts[$turn++ % @hosts] =~ /(.*):(\d+)/;

		$loop->client({ address => $host, port => $port }, sub {
			my (undef, $failure, $server) = @_;

			return if $is_gone;
			return $tries-- > 1 ? $try->() : $client->close
			    if $failure;
			$client->unsubscribe(read => $keep);
			join_both($client, $server);
			$server->write($request . $early);
		});
	};
	$try->();
	return;
}

sub join_both {
	my ($client, $server) = @_;

	$server->timeout(0);
	for my $pair ([$client, $server], [$server, $client]) {
		my ($from, $to) = @$pair;

		$from->on(read => sub { $to->write($_[1]) });
		$from->on(error => sub { });
		$from->on(close => sub { $to->close_gracefully });
	}
	return;
}

sub stop {
	my ($self) = @_;

	return if !$self->{pid} || $self->{owner} != $$;
	kill KILL => $self->{pid};
	waitpid delete $self->{pid}, 0;
	return;
}

sub DESTROY {
	my ($self) = @_;

	local ($?, $!, $@);
	$self->stop;
	return;
}

1;
