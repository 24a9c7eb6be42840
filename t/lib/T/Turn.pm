# SPDX-License-Identifier: MIT
package T::Turn;

# A turn of a thread, as its client sees it: what it asked, and the lines of
# the answer as they come.
#
#	my $turn = T::Turn->ask($client, '/havefun', { user_input => 'hi' });
#	is($turn->{status}, 200);
#	is_deeply($turn->next, { message => 'Hello' });
#	is_deeply([$turn->rest], [...]);	# until its end
#	$turn->close;				# the client leaves
#
# The client's connection becomes the turn's. A refusal has its answer in
# {answer}, as T::Client's are.
#
# Holds always: what is not `data: ` with an object and a blank line dies; a
# whole answer is held against what the program says of itself.

use strict;
use warnings;
use JSON::PP ();
use T::OpenApi;
use T::Wait;

my $json = JSON::PP->new->utf8;

sub ask {
	my ($class, $client, $path, $body, %headers) = @_;

	$client->ask(post => $path, $body,
		'Content-Type' => 'application/json', %headers);
	my $self = bless { http => delete $client->{http}, text => '',
		all => '', path => $path }, $class;
	my $http = $self->{http};

	$client->{waits} = [];
	return $self if delete $headers{Later};
	my $head = $http->take_through("\r\n\r\n", deadline_in(10))
	    // die "no answer: $http->{why}\n";
	($self->{status}) = $head =~ m{^HTTP/1\.1 (\d{3}) };
	$self->{headers} = { map { /^([^:]+):\s*(.*?)\r?$/
		    ? (lc $1 => $2) : () } split /\n/, $head };
	return $self if $self->{status} == 200;
	$http->{got} = $head . $http->{got};
	$self->{answer} = $http->answer // die "$http->{why}\n";
	$self->{answer}{json} =
	    eval { $json->decode($self->{answer}{body}) };
	return $self;
}

# One more chunk; false: none in time, or there is no more.
sub fill {
	my ($self, $deadline) = @_;

	return '' if $self->{is_over} || $self->{is_broken};
	my $chunk = $self->{http}->take_chunk($deadline);
	if (!defined $chunk) {
		$self->{is_broken} = $self->{http}->why !~ /in time/;
		return '';
	}
	$self->{text} .= $chunk;
	$self->{all}  .= $chunk;
	if ($chunk eq '') {
		$self->{is_over} = 1;
		T::OpenApi::answered('POST', $self->{path}, { status => 200,
			headers => $self->{headers}, body => $self->{all} });
	}
	return $chunk ne '';
}

# The next object; undef: none in time, or it is over.
sub next {
	my ($self, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);

	for (;;) {
		if ($self->{text} =~ s/\A(.*?)\n\n//s) {
			next if $1 eq ':';
			my ($object) = $1 =~ /\Adata: (\{[^\n]*\})\z/
			    or die "no line of an answer: $1\n";
			return $json->decode($object);
		}
		return undef if !$self->fill($deadline);
	}
}

# All that comes until its end; dies where that does not come.
sub rest {
	my ($self, $seconds) = @_;
	my @objects;

	while (my $object = $self->next($seconds // 20)) {
		push @objects, $object;
	}
	die "the answer has no end\n" if !$self->{is_over};
	return @objects;
}

sub close { return $_[0]{http}->close }

1;
