# SPDX-License-Identifier: MIT
package T::OpenApi;

# Holds every answer that a test gets against what the program says of itself:
# `partyline -x openapi` for the front door, the rows and src/tbl/schema for
# the other. T::Http and $server->mojo hand all of theirs over.
#
#	T::OpenApi::answered('GET', '/api/sessions/5?x=1', { status => 200,
#	    headers => { etag => '"0f"' }, body => '{}' });
#	my @wrong = T::OpenApi::complaints($method, $target, $answer);
#	my $row = T::OpenApi::row('GET', '/t/den/api/sessions/5');
#
# The headers are by name in lower case. A method that is not known (undef)
# leaves what can be said of any answer.
#
# Holds always: a mismatch fails the test that made the request, and names
# operation, status and place.

use strict;
use warnings;
use JSON::PP   ();
use Test::More ();
use T::AsyncApi;
use T::Evidence;
use T::Run;
use T::Schema;
use T::Table;

my $json = JSON::PP->new->utf8->allow_nonref;

# What HTTP itself, or a server in distress, may answer to anything.
my %anywhere = map { $_ => 1 } qw(400 408 413 415 417 429 500 503);

my ($document, $has_asked, @routes, %code_status);

sub document {
	die "partyline -x openapi failed\n" if !$document && $has_asked++;
	$document //= do {
		open my $out, '-|', T::Run::program(), '-x', 'openapi'
		    or die "partyline: $!\n";
		local $/;
		my $text = <$out>;
		close $out or die "partyline -x openapi failed\n";
		$json->decode($text);
	};
	return $document;
}

# --- which operation ----------------------------------------------------

sub routes {
	return @routes if @routes;
	my %seen;

	for my $row (T::Table->rows('operations')) {
		my $route = $seen{ $row->{path} } //= {
			path     => $row->{path},
			segments => [split m{/}, substr($row->{path}, 1), -1]
		};
		$route->{rows}{ $row->{method} } = $row;
	}
	# As the router does: what is fixed goes before a {name}.
	@routes = sort { $a->{path} =~ tr/{/~/r cmp $b->{path} =~ tr/{/~/r }
	    values %seen;
	return @routes;
}

# The segments of a target, without its query and the tenant before it.
sub segments {
	my ($target) = @_;

	$target =~ s{^https?://[^/?]*}{};
	$target =~ s/[?#].*//s;
	return if $target !~ s{^/}{};
	my @segments = map { s/%([0-9a-fA-F]{2})/chr hex $1/ger }
	    split m{/}, $target, -1;

	pop @segments         if @segments > 1 && $segments[-1] eq '';
	splice @segments, 0, 2 if @segments > 2 && $segments[0] eq 't';
	return @segments;
}

sub route {
	my ($target) = @_;
	my @segments = segments($target);

	# It speaks WebSocket: only what is refused there is an answer.
	return { path => '/api/sessions/live' }
	    if "@segments" eq 'api sessions live';
	for my $route (routes()) {
		my @wanted = @{ $route->{segments} };

		next if @wanted != @segments;
		return $route if !grep {
			$wanted[$_] =~ /^\{/ ? $segments[$_] eq ''
			    : $wanted[$_] ne $segments[$_]
		} 0 .. $#wanted;
	}
	return;
}

# The row of tbl/operations.h, or undef.
sub row {
	my ($method, $target) = @_;
	my $route = route($target);

	return $route && $route->{rows}{ $method eq 'HEAD' ? 'GET' : $method };
}

# --- answers --------------------------------------------------------------

sub inflated {
	my ($body) = @_;

	return $body if $body !~ /^\x1f\x8b/;
	require IO::Uncompress::Gunzip;
	IO::Uncompress::Gunzip::gunzip(\$body => \my $plain_body) or return '';
	return $plain_body;
}

sub wrong_headers {
	my ($headers, $wanted, $root) = @_;
	my @wrong;

	for my $name (sort keys %$wanted) {
		my ($header) = $wanted->{$name}{'$ref'}
		    ? T::Schema::referred($wanted->{$name}{'$ref'}, $root)
		    : $wanted->{$name};
		my $value = $headers->{ lc $name };

		if (defined $value) {
			push @wrong, T::Schema::wrong("$value",
				$header->{schema}, $root, "the header $name");
		} elsif ($header->{required}) {
			push @wrong, "the header $name is missing";
		}
	}
	return @wrong;
}

sub wrong_body {
	my ($answer, $content, $root) = @_;
	my $type = ($answer->{headers}{'content-type'} // '') =~ s/;.*//r;
	my $media = $content->{$type}
	    // return "the media type is '$type'";
	my $value = inflated($answer->{body});

	eval { $value = $json->decode($value); 1 }
	    or return "the body is no JSON: $answer->{body}"
	    if $type eq 'application/json';
	return T::Schema::wrong($value, $media->{schema}, $root, '');
}

# Against an answer as OpenAPI describes it.
sub wrong_answer {
	my ($method, $answer, $described) = @_;
	my $root = document();

	($described) = T::Schema::referred($described->{'$ref'}, $root)
	    if $described->{'$ref'};
	my @wrong = wrong_headers($answer->{headers}, $described->{headers}
	    // {}, $root);

	if (!$described->{content}) {
		push @wrong, 'there is a body' if $answer->{body} ne '';
	} elsif ($method ne 'HEAD') {
		push @wrong, wrong_body($answer, $described->{content}, $root);
	}
	return @wrong;
}

# Whatever was asked for: that it is a refusal, and which.
sub wrong_refusal {
	my ($method, $answer) = @_;
	my $shared = document()->{components}{responses};
	my $described = $shared->{"refusal_$answer->{status}"}
	    // $shared->{refusal};
	my @wrong = wrong_answer($method, $answer, $described);

	return @wrong if @wrong || $method eq 'HEAD';
	my $body = $json->decode(inflated($answer->{body}));
	%code_status = map { $_->{name} => $_->{status} }
	    T::Table->rows('errors') if !%code_status;
	my $status = $code_status{ $body->{code} } // 'none';

	push @wrong, "$body->{code} has the status $status"
	    if $status ne $answer->{status};
	push @wrong, 'requestId is not X-Request-Id'
	    if $body->{requestId} ne $answer->{headers}{'x-request-id'};
	return @wrong;
}

# Of a door that OpenAPI does not describe.
sub wrong_by_row {
	my ($method, $row, $answer) = @_;
	my $schema = T::Schema::file($row->{answer});
	my $type = $schema->{contentMediaType} // 'application/json';

	return "the status is not $row->{status}"
	    if $answer->{status} != $row->{status};
	return 'the media type is another'
	    if ($answer->{headers}{'content-type'} // '') ne $type;
	return if $method eq 'HEAD';
	my $value = inflated($answer->{body});
	$value = eval { $json->decode($value) } if !$schema->{contentMediaType};
	return T::Schema::wrong($value, $schema, $schema, '');
}

sub wrong_of_operation {
	my ($method, $row, $answer) = @_;
	my $status = $answer->{status};

	if ($row->{door} eq 'ADMIN') {
		return if $status == 304;
		return wrong_by_row($method, $row, $answer) if $status < 400;
	} else {
		my $verb = $method eq 'HEAD' ? 'get' : lc $method;
		my $described =
		    document()->{paths}{ $row->{path} }{$verb}{responses};

		return wrong_answer($method, $answer, $described->{$status})
		    if $described->{$status};
	}
	return 'that status has no place there' if $status < 400;
	my @wrong = wrong_refusal($method, $answer);

	# At the other door, or for a tenant that is not there, no path is.
	push @wrong, 'that status has no place there'
	    if !$anywhere{$status} && $status != 404;
	return @wrong;
}

sub complaints {
	my ($method, $target, $answer) = @_;
	my $status = $answer->{status};

	# What is no HTTP is refused by h2o, before there is a request.
	return if $status < 200
	    || $status == 400 && $answer->{body} eq 'Bad Request';
	return $status >= 400 ? wrong_refusal('', $answer) : ()
	    if !defined $method;
	my $route = route($target);
	my $row = row($method, $target);

	return wrong_of_operation($method, $row, $answer) if $row;
	if ($status < 400) {
		my $is_turn =
		    $target =~ m{^(?:/t/[^/]+)?/(?:havefun|conversation/)};
		return 'nobody answers that way there'
		    if $method ne 'OPTIONS' || ($status != 204 && !$is_turn);
		return () if $status == 200;	# older clients have it so
		return defined $answer->{headers}{allow} ? ()
		    : 'the header Allow is missing';
	}
	my @wrong = wrong_refusal($method, $answer);
	push @wrong, 'the header Allow is missing'
	    if $status == 405 && !defined $answer->{headers}{allow};
	push @wrong, 'no operation is there, and its status is another'
	    if !$route && $status != 404 && !$anywhere{$status};
	return @wrong;
}

sub answered {
	my ($method, $target, $answer) = @_;

	# Of Engine.IO a protocol of its own says what is answered.
	return if $target =~ m{^(?:/t/[\w-]+)?/(?:engine|socket)\.io/};
	my $row = defined $method ? row($method, $target) : undef;
	my @wrong = complaints($method, $target, $answer);

	T::Evidence::answer($answer->{status}, $answer->{body});
	T::Evidence::record(operation => $row->{name})
	    if $row && $answer->{status} == $row->{status} && !@wrong;
	T::AsyncApi::polled($json->decode(inflated($answer->{body})))
	    if $row && $row->{answer} eq 'events' && !@wrong
	    && $answer->{status} == 200 && $method eq 'GET';
	return if !@wrong;
	my $what = ($row ? $row->{name} : 'an answer') . ' ('
	    . ($method // 'unknown') . ', ' . ($target // '') =~ s/\?.*//sr
	    . ") with $answer->{status} is as it is described";
	T::Evidence::record(mismatch => $what =~ tr/\n/ /r);
	local $Test::Builder::Level = $Test::Builder::Level + 3;
	Test::More::fail($what);
	Test::More::diag(join "\n", (splice @wrong, 0, 10),
		substr $answer->{body}, 0, 500);
	return;
}

1;
