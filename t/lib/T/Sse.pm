# SPDX-License-Identifier: MIT
package T::Sse;

# Somebody who listens to Server-Sent Events, as EventSource does: block by
# block, remembering the last id.
#
#	my $ear = T::Sse->new($client, "/api/sessions/$id/stream?since=0");
#	is($ear->{status}, 200);
#	my $block = $ear->next;		# { id, event, data, retry, comments }
#	my @events = $ear->events(3);	# the next three envelopes, decoded
#	ok($ear->is_over, 'the server ended it');
#	my $again = $ear->resume($other_client);
#
# The client's connection becomes the ear's; the client makes another one
# for whatever it asks next. A refusal has its answer in {answer}. Other
# options: headers => { Name => value }, from which Authorization => undef
# leaves the client's token away; receive_buffer => bytes of the kernel's.
#
# Holds always: what is not an event stream in its whole form dies.

use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_RCVBUF);
use T::AsyncApi;
use T::Http;
use T::OpenApi;
use T::Wait;

my $json = JSON::PP->new->utf8->allow_nonref;

# A connection whose kernel keeps little of what was not read.
sub narrow {
	my ($server, $bytes) = @_;
	my $socket = IO::Socket::INET->new(Proto => 'tcp');

	socket $socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0
	    or die "socket: $!\n";
	setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $bytes
	    or die "SO_RCVBUF: $!\n";
	connect $socket, Socket::pack_sockaddr_in($server->port,
		Socket::inet_aton($server->host)) or die "connect: $!\n";
	return bless { socket => $socket, got => '', why => '' }, 'T::Http';
}

sub new {
	my ($class, $client, $path, %options) = @_;
	my $http = $options{receive_buffer}
	    ? narrow($client->{server}, $options{receive_buffer})
	    : $client->http;
	my %headers = (Host => 'test', %{ $options{headers} // {} });
	my $head = "GET $client->{prefix}$path HTTP/1.1\r\n";

	delete $client->{http} if !$options{receive_buffer};
	$headers{Authorization} = "Bearer $client->{token}"
	    if defined $client->{token} && !exists $headers{Authorization};
	$head .= "$_: $headers{$_}\r\n"
	    for grep { defined $headers{$_} } sort keys %headers;
	$http->send("$head\r\n");
	my $self = bless { http => $http, path => $path, text => '',
		all => '', blocks => [], id => '' }, $class;
	return $self if $options{later};
	return $self->begin;
}

# Reads the head of the answer.
sub begin {
	my ($self) = @_;
	my $http = $self->{http};
	my $head = $http->take_through("\r\n\r\n", deadline_in(10))
	    // die "no answer: $http->{why}\n";

	($self->{status}) = $head =~ m{^HTTP/1\.1 (\d{3}) };
	$self->{headers} = { map { /^([^:]+):\s*(.*?)\r?$/
		    ? (lc $1 => $2) : () } split /\n/, $head };
	$self->{head} = $head;
	if ($self->{status} != 200) {
		$http->{got} = $head . $http->{got};
		$self->{answer} = $http->answer // die "$http->{why}\n";
		$self->{answer}{json} =
		    eval { $json->decode($self->{answer}{body}) };
		return $self;
	}
	die "no stream of chunks: $head\n"
	    if ($self->{headers}{'transfer-encoding'} // '') ne 'chunked';
	return $self;
}

# One more chunk; false: none in time, or there is no more.
sub fill {
	my ($self, $deadline) = @_;
	my $http = $self->{http};

	return '' if $self->{over};
	if (!defined $self->{want}) {
		my $line = $http->take_through("\r\n", $deadline)
		    // return $self->broke;
		die "no chunk: $line\n" if $line !~ /^([0-9a-f]+)\r\n\z/;
		$self->{want} = hex $1;
	}
	my $chunk = $http->take($self->{want} + 2, $deadline)
	    // return $self->broke;
	die "a chunk without end\n" if $chunk !~ s/\r\n\z//;
	$self->{over} = 'ended' if delete $self->{want} == 0;
	$self->{text} .= $chunk;
	$self->{all}  .= $chunk;
	$self->noted if $self->{over};
	return !$self->{over};
}

sub broke {
	my ($self) = @_;

	$self->{over} = 'broken' if $self->{http}->why !~ /in time/;
	return '';
}

# A whole one is held against what the program says of itself.
sub noted {
	my ($self) = @_;

	T::OpenApi::answered('GET', $self->{path}, { status => 200,
		headers => $self->{headers}, body => $self->{all} });
	return;
}

sub parse {
	my ($self, $text) = @_;
	my %block = (comments => 0);

	for my $line (split /\n/, $text) {
		if ($line =~ /^:/) {
			$block{comments}++;
		} elsif ($line =~ /^(id|event|retry): (.+)\z/) {
			die "$1 twice\n" if exists $block{$1};
			$block{$1} = $2;
		} elsif ($line =~ /^data: (.*)\z/) {
			$block{data} .= (defined $block{data} ? "\n" : '')
			    . $1;
		} else {
			die "no line of an event stream: '$line'\n";
		}
	}
	T::AsyncApi::block(@block{qw(event data)});
	$block{json} = $json->decode($block{data}) if defined $block{data};
	$self->{id} = $block{id} if defined $block{id};
	return \%block;
}

# The next block; undef: none in time, or it is over.
sub next {
	my ($self, %options) = @_;
	my $deadline = deadline_in($options{seconds} // 10);

	for (;;) {
		return $self->parse($1) if $self->{text} =~ s/\A(.*?)\n\n//s;
		return undef if !$self->fill($deadline);
	}
}

# The next block that has data: not the first one, no signs of life.
sub told {
	my ($self, %options) = @_;

	while (my $block = $self->next(%options)) {
		return $block if defined $block->{data};
	}
	return undef;
}

# The next so many envelopes; fewer where something else comes, or nothing.
# What was no event is in {other}.
sub events {
	my ($self, $count, %options) = @_;
	my @events;

	while (@events < $count) {
		my $block = $self->told(%options) // last;

		if (defined $block->{event}) {
			$self->{other} = $block;
			last;
		}
		push @events, $block->{json};
	}
	return @events;
}

# Whether the server ended it, whatever else is said before.
sub is_over {
	my ($self, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);

	1 while $self->fill($deadline);
	return $self->{over};
}

sub close { return $_[0]{http}->close }

# Comes back with the last id, again where a worker is not ready yet.
sub resume {
	my ($self, $client, %options) = @_;

	return wait_until {
		my $ear = ref($self)->new($client, $self->{path}, %options,
			headers => { %{ $options{headers} // {} },
				'Last-Event-ID' => $self->{id} });

		$ear->{status} != 503 && $ear;
	} || die "no worker is ready\n";
}

1;
