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
	my $loop = Mojo::IOLoop->singleton;
	my $turn = 0;

	$loop->reset;
	$loop->server({ fd => fileno $listener }, sub {
		my (undef, $client) = @_;
		my $one = { client => $client, head => '', early => '',
			turn => undef };

		$client->timeout(0);
		$client->on(error => sub { });
		$client->on(read => sub { hear($one, $_[1], \$turn, @hosts) });
		$client->on(close => sub {
			$one->{is_gone} = 1;
			$one->{server}->close if $one->{server};
		});
	});
	$loop->recurring(0.5, sub { POSIX::_exit(0) if getppid() != $parent });
	$loop->start;
	return;
}

# The head of its request first; then whatever it says, to its host.
sub hear {
	my ($one, $bytes, $turn, @hosts) = @_;

	if ($one->{server}) {
		$one->{server}->write($bytes);
	} elsif (defined $one->{turn}) {
		$one->{early} .= $bytes;
	} elsif (($one->{head} .= $bytes) =~ /\r\n\r\n/) {
		$one->{turn} = $$turn++;
		$one->{early} = alone($one->{head});
		pass($one, scalar @hosts, @hosts);
	}
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
	my ($one, $tries, @hosts) = @_;
	my ($host, $port) = $hosts[$one->{turn}++ % @hosts] =~ /(.*):(\d+)/;

	Mojo::IOLoop->client({ address => $host, port => $port }, sub {
		my (undef, $failure, $server) = @_;

		return if $one->{is_gone};
		if (!$failure) {
			join_to($one, $server);
		} elsif ($tries > 1) {
			pass($one, $tries - 1, @hosts);
		} else {
			$one->{client}->close;
		}
	});
	return;
}

sub join_to {
	my ($one, $server) = @_;

	$one->{server} = $server;
	$server->timeout(0);
	$server->on(error => sub { });
	$server->on(read => sub { $one->{client}->write($_[1]) });
	$server->on(close => sub { $one->{client}->close_gracefully });
	$server->write(delete $one->{early});
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
