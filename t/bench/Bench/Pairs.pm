# SPDX-License-Identifier: MIT
#
# A client that opens sessions and closes them: each connection sends POST
# /api/sessions, reads the id out of the answer, closes that session, and so
# on. wrk cannot do it: its scripts do not see whose answer they look at.
# Each connection has a prefix and a token of its own, since a tenant has at
# most one active session.
#
#	my ($requests, $rate, $bad) = Bench::Pairs::run($port, 3, [
#		map { { prefix => "/t/s$_", token => $token[$_] } } 1 .. 32
#	]);
#
# With `only_create` sessions are opened and stay so.
package Bench::Pairs;

use strict;
use warnings;

use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

my $notes = 'A night of games, with friends';

sub run {
	my ($port, $seconds, $clients, %how) = @_;
	my $begin = time;
	my %run = (
		until       => $begin + $seconds,
		only_create => $how{only_create},
		requests    => 0,
		bad         => 0,
	);
	my %waiting;
	for my $client (@{$clients}) {
		my $connection = connection($port, $client);
		$waiting{ fileno $connection->{socket} } = $connection;
		ask($connection, 'create');
	}
	while (%waiting) {
		my $ready = '';
		vec($ready, $_, 1) = 1 for keys %waiting;
		select($ready, undef, undef, 10) > 0
		  or die "no answer within 10 s\n";
		for my $at (grep { vec $ready, $_, 1 } keys %waiting) {
			delete $waiting{$at}
			  if !go_on(\%run, $waiting{$at});
		}
	}
	return ($run{requests}, $run{requests} / (time - $begin), $run{bad});
}

sub connection {
	my ($port, $client) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		PeerPort => $port) // die "port $port: $!";
	setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
	return {
		socket => $socket,
		prefix => $client->{prefix},
		token  => $client->{token},
		buffer => '',
	};
}

# A request is small: the kernel takes it whole.
sub ask {
	my ($connection, $what) = @_;
	my ($path, $body) = ('', qq({"notes":"$notes"}));
	($path, $body) = ("/$connection->{id}/close", '{}')
	  if $what eq 'close';
	my $request =
	  "POST $connection->{prefix}/api/sessions$path HTTP/1.1\r\n"
	  . "Host: 127.0.0.1\r\nAuthorization: Bearer $connection->{token}\r\n"
	  . "Content-Type: application/json\r\nContent-Length: "
	  . length($body) . "\r\n\r\n$body";
	$connection->{what} = $what;
	syswrite($connection->{socket}, $request) == length $request
	  or die "$what: $!";
	return;
}

# Reads what came. False: this connection has done its part.
sub go_on {
	my ($run, $connection) = @_;
	sysread $connection->{socket}, $connection->{buffer}, 65536,
	  length $connection->{buffer}
	  or die "a connection was closed\n";
	my ($status, $body) = answer($connection) or return 1;
	my $is_create = $connection->{what} eq 'create';
	my $is_good   = $status == ($is_create ? 201 : 200);
	$run->{requests}++;
	$run->{bad}++ if !$is_good;
	if ($is_create && $is_good && !$run->{only_create}) {
		($connection->{id}) = $body =~ /"id":(\d+)/;
		ask($connection, 'close');
		return 1;
	}
	return 0 if time > $run->{until};
	ask($connection, 'create');
	return 1;
}

# Status and body, once they are there whole.
sub answer {
	my ($connection) = @_;
	my $end = index $connection->{buffer}, "\r\n\r\n";
	return if $end < 0;
	my $head = substr $connection->{buffer}, 0, $end;
	my ($status) = $head =~ /\AHTTP\/1\.1 (\d+)/ or die "what is $head\n";
	my ($length) = $head =~ /^content-length: *(\d+)/im
	  or die "an answer without a length: $head\n";
	return if length($connection->{buffer}) < $end + 4 + $length;
	my $body = substr $connection->{buffer}, $end + 4, $length;
	substr($connection->{buffer}, 0, $end + 4 + $length) = '';
	return ($status, $body);
}

1;
