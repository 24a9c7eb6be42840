# SPDX-License-Identifier: MIT
#
# The sessions that every server of t/bench/rest begins with, made through
# its own API as a client makes them, and the check that it gives back what
# it should before anything is measured.
#
#	my $sessions = Bench::Sessions->seed($server, 20);
#	$sessions->{path}{get};		# of one that is closed
#	$sessions->{body}{list};	# what the server answered
package Bench::Sessions;

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;

# One request; dies unless the status is this. The answer, decoded and as it
# came.
sub call {
	my ($server, $method, $path, $wanted, $body, $token) = @_;
	my %options;
	$options{headers}{Authorization} = "Bearer $token" if $token;
	if ($body) {
		$options{headers}{'Content-Type'} = 'application/json';
		$options{content} = $json->encode($body);
	}
	my $answer = HTTP::Tiny->new->request($method,
		"$server->{origin}$path", \%options);
	die "$server->{name}: $method $path: $answer->{status}"
	  . " instead of $wanted: $answer->{content}\n"
	  if $answer->{status} != $wanted;
	return ($json->decode($answer->{content}), $answer->{content});
}

sub login {
	my ($server, $prefix, $key) = @_;
	my ($answer) = call($server, 'POST', "$prefix/api/auth/login", 200,
		{ key => $key });
	return $answer->{token};
}

# So many sessions, all closed but the newest.
sub seed {
	my ($class, $server, $count) = @_;
	my $token = login($server, '', $server->{key});
	my @ids;
	for my $n (1 .. $count) {
		my ($made) = call($server, 'POST', '/api/sessions', 201,
			{ notes => sprintf 'Game night number %02d', $n },
			$token);
		push @ids, $made->{id};
		call($server, 'POST', "/api/sessions/$made->{id}/close", 200,
			{}, $token) if $n < $count;
	}
	my $self = bless {
		token => $token,
		ids   => \@ids,
		path  => {
			get    => "/api/sessions/$ids[6]",
			active => '/api/sessions/active',
			list   => "/api/sessions?limit=$count",
		},
	}, $class;
	$self->look($server);
	return $self;
}

# Whether each read has the right sessions, in order, member by member.
sub look {
	my ($self, $server) = @_;
	my @ids    = @{ $self->{ids} };
	my %wanted = (
		get    => "$ids[6]",
		active => "$ids[-1]",
		list   => join ' ', reverse @ids,
	);
	for my $case (sort keys %wanted) {
		my ($value, $body) = call($server, 'GET',
			$self->{path}{$case}, 200);
		my @found = ref $value eq 'ARRAY' ? @{$value} : $value;
		my @faults = map { fault($_, $_->{id} == $ids[-1]) } @found;
		unshift @faults, 'other sessions'
		  if join(' ', map { $_->{id} } @found) ne $wanted{$case};
		die "$server->{name}: $case: $faults[0]: $body\n" if @faults;
		$self->{body}{$case} = $body;
	}
	return;
}

# Whether this client can open a session and close it.
sub try_pair {
	my ($server, $client) = @_;
	my $path = "$client->{prefix}/api/sessions";
	my ($made) = call($server, 'POST', $path, 201, { notes => 'a' },
		$client->{token});
	my ($closed) = call($server, 'POST', "$path/$made->{id}/close", 200,
		{}, $client->{token});
	die "$server->{name}: session $made->{id} was not closed\n"
	  if $closed->{id} != $made->{id} || $closed->{is_active} ne '0';
	return;
}

# What is wrong with a session, or nothing.
sub fault {
	my ($session, $is_active) = @_;
	my $time    = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;
	my %pattern = (
		closed_at    => $is_active ? qr/\A\z/ : $time,
		created_at   => $time,
		games_played => qr/\A0\z/,
		id           => qr/\A[1-9]\d*\z/,
		is_active    => $is_active ? qr/\A1\z/ : qr/\A0\z/,
		notes        => qr/\AGame night number \d\d\z/,
	);
	my $members = join ' ', sort keys %{$session};
	return "has $members" if $members ne join ' ', sort keys %pattern;
	return grep { ($session->{$_} // '') !~ $pattern{$_} }
	  sort keys %pattern;
}

1;
