#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline -x openapi: whole in itself, as OpenAPI 3.1 wants it, and with all
# of the rows; and what holds answers against it sees what is wrong.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::OpenApi;
use T::Schema;
use T::Table;
use T::Tree;

my $document = T::OpenApi::document();
my @front = grep { $_->{door} eq 'FRONT' } T::Table->rows('operations');

# Each object of the document with a pointer to it.
sub walk {
	my ($value, $at, $visit) = @_;

	if (ref $value eq 'HASH') {
		$visit->($value, $at);
		walk($value->{$_}, "$at/$_", $visit) for sort keys %$value;
	} elsif (ref $value eq 'ARRAY') {
		walk($value->[$_], "$at/$_", $visit) for 0 .. $#$value;
	}
	return;
}

# What is in an object beside what may be there, or is not and has to be.
sub misfits {
	my ($value, $at, $needed, $allowed) = @_;
	my %allowed = map { $_ => 1 } @$needed, @$allowed;

	return ((map { "$at: no $_" } grep { !exists $value->{$_} } @$needed),
		map { "$at: $_" } grep { !$allowed{$_} } sort keys %$value);
}

subtest 'the document has the form of OpenAPI 3.1' => sub {
	my @wrong = misfits($document, '', [qw(openapi info paths)],
		[qw(servers tags components)]);

	like($document->{openapi}, qr/^3\.1\.\d+\z/, 'its version');
	push @wrong, misfits($document->{info}, 'info', [qw(title version)],
		[qw(summary description license)]);
	push @wrong, misfits($document->{components}, 'components', [], [qw(
		schemas responses parameters headers securitySchemes)]);
	push @wrong, misfits($_, 'server', ['url'],
		[qw(description variables)]) for @{ $document->{servers} };
	for my $path (sort keys %{ $document->{paths} }) {
		push @wrong, "$path does not begin with /" if $path !~ m{^/};
		push @wrong, misfits($document->{paths}{$path}, $path, [],
			[qw(get post put patch delete)]);
		for my $operation (values %{ $document->{paths}{$path} }) {
			push @wrong, misfits($operation,
				$operation->{operationId}, ['responses'],
				[qw(operationId tags summary description
				security parameters requestBody)]);
		}
	}
	found_none('every object has its members', @wrong);
};

subtest 'what it refers to is there' => sub {
	my (@wrong, %referred);

	walk($document, '', sub {
		my ($value, $at) = @_;
		my $reference = $value->{'$ref'} // return;

		$referred{$reference} = 1;
		push @wrong, "$at: $reference"
		    if ref $reference || !eval {
			T::Schema::referred($reference, $document);
			1;
		};
	});
	found_none('every $ref leads somewhere', @wrong);
	cmp_ok(keys %referred, '>', 20, 'there are some');

	my $components = $document->{components};
	for my $operation (map { values %$_ } values %{ $document->{paths} }) {
		push @wrong, map { "$operation->{operationId}: $_" } grep {
			!$components->{securitySchemes}{$_}
		} map { keys %$_ } @{ $operation->{security} };
		push @wrong, "$operation->{operationId}: its tag" if !grep {
			$_->{name} eq $operation->{tags}[0]
		} @{ $document->{tags} };
	}
	found_none('so are schemes and tags', @wrong);
	is_deeply([grep { !$referred{"#/components/schemas/$_"} }
		sort keys %{ $components->{schemas} }], [],
		'and every schema is of use');
};

sub described {
	my ($row) = @_;

	return $document->{paths}{ $row->{path} }{ lc $row->{method} };
}

subtest 'each row of the front door is there' => sub {
	is_deeply([sort map { $_->{operationId} }
		map { values %$_ } values %{ $document->{paths} }],
		[map { $_->{name} } @front], 'all, and no other');
	for my $row (@front) {
		my $operation = described($row);
		my %of_body;

		if (my $body = $operation->{requestBody}) {
			my $schema = $body->{content}{'application/json'}
			    {schema};

			# A list may be all of a body, or have a second name.
			%of_body = %{ ($schema->{anyOf} // [$schema])->[0]
				{properties} };
			delete $of_body{messages} if $schema->{anyOf};
		}
		is_deeply([sort keys %of_body], [sort map { $_->{name} }
			grep { $_->{where} eq 'body' } @{ $row->{inputs} }],
			"$row->{name}: what comes in the body");
		is_deeply([map { "$_->{in} $_->{name} $_->{required}" }
			grep { !$_->{'$ref'} } @{ $operation->{parameters} }],
			[map { "$_->{where} $_->{name} $_->{required}" }
			grep { $_->{where} ne 'body' } @{ $row->{inputs} }],
			"$row->{name}: and beside it");
		ok($operation->{responses}{ $row->{status} },
			"$row->{name}: its success");
	}
};

subtest 'refusals follow from the row' => sub {
	my %row = map { $_->{name} => $_ } @front;

	for (
		['livez', '200 304 400 429 503'],
		['session_get', '200 304 400 401 403 404 429 503'],
		['session_create',
			'201 400 401 403 404 409 413 415 422 429 503 507'],
		['session_bulk',
			'200 400 401 403 404 409 413 415 422 429 503'],
		['session_delete', '200 400 401 403 404 409 429 503']) {
		my ($name, $statuses) = @$_;

		is(join(' ', sort grep { $_ ne 'default' }
			keys %{ described($row{$name})->{responses} }),
			$statuses, $name);
	}
	is_deeply(described($row{livez})->{security}, [], 'anyone');
	is_deeply(described($row{session_get})->{security},
		[{}, { bearer => [] }], 'reader');
	is_deeply(described($row{session_create})->{security},
		[{ bearer => ['admin'] }], 'admin');
};

subtest 'the checker of schemas sees what is wrong' => sub {
	my $decoder = JSON::PP->new->utf8->allow_nonref;

	for (
		['{"type":"integer"}',         '1 -5', '1.5 "1" true null'],
		['{"type":["string","null"]}', '"a" null',  '1 false []'],
		['{"type":"number"}',          '1 1.5',     '"1"'],
		['{"type":"boolean"}',         'true',      '1 "true" null'],
		['{"const":1}',                '1',         '"1" true 2'],
		['{"enum":["a",null]}',        '"a" null',  '"b" "null"'],
		['{"minimum":2,"maximum":3}',  '2 3 "x"',   '1 4'],
		['{"minLength":1,"maxLength":2}', '"é" "éé" 7', '"" "ééé"'],
		['{"pattern":"^a$"}',          '"a" 1',     '"b" "ab"'],
		['{"type":"array","minItems":1,"maxItems":2,"items":'
			. '{"type":"integer"}}', '[1] [1,2]',
			'[] [1,2,3] ["1"] {}'],
		['{"type":"object","required":["a"],"properties":{"a":'
			. '{"const":1}},"additionalProperties":false}',
			'{"a":1}', '{} {"a":2} {"a":1,"b":1} []'],
		['{"additionalProperties":{"type":"integer"}}',
			'{} {"x":1}', '{"x":"1"}'],
		['{"propertyNames":{"enum":["a"]}}', '{"a":1}', '{"b":1}'],
		['{"oneOf":[{"type":"integer"},{"minimum":5}]}', '1 "x" 5.5',
			'5 1.5'],
		['{"anyOf":[{"type":"integer"},{"type":"null"}]}', '1 null',
			'"1"'],
		['{"$ref":"#/$defs/n","$defs":{"n":{"type":"integer"}}}',
			'1', '"1"']) {
		my ($text, $right, $wrong) = @$_;
		my $schema = $decoder->decode($text);
		my @judged = map {
			[$_, T::Schema::wrong($decoder->decode($_), $schema,
				$schema, '') ? 'wrong' : 'right']
		} map { split ' ' } $right, $wrong;

		is_deeply(\@judged, [(map { [$_, 'right'] } split ' ', $right),
			map { [$_, 'wrong'] } split ' ', $wrong], $text);
	}
	ok(!eval { T::Schema::wrong(1, { maximus => 1 }, {}, ''); 1 },
		'a keyword that nobody looks at dies');
};

# An answer as the server would give it, and what is changed in it.
sub answer {
	my ($status, $body, %headers) = @_;

	return {
		status  => $status,
		body    => $body,
		headers => { 'x-request-id' => 'r',
			'content-type' => 'application/json', %headers }
	};
}

subtest 'so does the one of answers' => sub {
	my $alive = '{"status":"ok"}';
	my %tag = (etag => '"' . '0' x 32 . '"');
	my $gone = '{"error":"Not found","code":"not_found","requestId":"r"}';
	my $other = $gone =~ s/not_found/session_not_found/r;

	for (
		[1, 'GET',  '/livez', answer(200, $alive, %tag)],
		[1, 'HEAD', '/livez/?x', answer(200, '', %tag)],
		[1, 'GET',  '/t/den/livez', answer(304, '', %tag)],
		[0, 'GET',  '/livez', answer(200, $alive)],
		[0, 'GET',  '/livez', answer(200, $alive, etag => 'W/"1"')],
		[0, 'GET',  '/livez', answer(200, '{"status":"no"}', %tag)],
		[0, 'GET',  '/livez', answer(200, $alive, %tag,
				'content-type' => 'text/plain')],
		[0, 'GET',  '/livez', answer(200, $alive, %tag,
				'x-request-id' => undef)],
		[0, 'GET',  '/livez', answer(201, $alive, %tag)],
		[0, 'GET',  '/livez', answer(304, $alive, %tag)],
		[1, 'GET',  '/nowhere', answer(404, $gone)],
		[0, 'GET',  '/nowhere', answer(200, $alive, %tag)],
		[0, 'GET',  '/nowhere', answer(404, $alive)],
		[0, 'GET',  '/nowhere', answer(404, $gone =~ s/"r"/"s"/r)],
		[0, 'GET',  '/nowhere', answer(403, $gone)],
		[1, 'GET',  '/api/sessions/5', answer(404, $other)],
		[0, 'GET',  '/api/sessions/5', answer(422, $other)],
		[0, 'GET',  '/api/sessions/5', answer(400, $other)],
		[1, undef,  '', answer(404, $gone)],
		[0, undef,  '', answer(404, '')],
		[1, 'OPTIONS', '/livez', answer(204, '', allow => 'GET')],
		[0, 'OPTIONS', '/livez', answer(204, '')]) {
		my ($is_right, $method, $target, $answer) = @$_;
		my @wrong = T::OpenApi::complaints($method, $target, $answer);

		is(@wrong ? 0 : 1, $is_right, join ' ', $method // 'unknown',
			$target, @$answer{qw(status body)});
	}
	is(T::OpenApi::row('GET', '/api/sessions/active')->{name},
		'session_active', 'a fixed segment goes before a name');
	is(T::OpenApi::row('DELETE', '/t/x/api/sessions/%37?y')->{name},
		'session_delete', 'the one behind a tenant and an escape');
};

done_testing;
