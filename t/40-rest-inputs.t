#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Every input of every operation, wrong in every way that there is: type,
# bounds, length, encoding, missing, null, twice, with others beside it. Each
# is refused by name, and nothing in the database is another afterwards. What
# is tried follows from `partyline -x operations`.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Http;
use T::Server;
use T::Table;
use T::Tree;

my $server = T::Server->start(wait => 'readyz');
my $admin  = T::Client->new($server);
my $json   = JSON::PP->new->utf8->allow_nonref;
my %status = map { $_->{name} => $_->{status} } T::Table->rows('errors');
my $tried  = 0;

# One closed session, one that is active: what is asked of them would work.
my $closed = $admin->post('/api/sessions', { notes => 'closed' })->{json}{id};
$admin->post("/api/sessions/$closed/close");
my $active = $admin->post('/api/sessions', { notes => 'active' })->{json}{id};

# And a webhook of the same id, that is never sent anything.
is($admin->post('/api/webhooks', { name => 'none', url => 'http://none',
	secret => 'none', events => [] })->{json}{id}, $closed, 'a webhook');
# At the tabletop, too.
$admin->post('/api/tabletop/sessions', { name => "Den $_" })
    ->{json}{id} == $_
    or die "sessions have other numbers\n" for $closed, $active;

sub id_for {
	my ($row) = @_;

	return $row->{name} eq 'session_close' ? $active : $closed;
}

# Of every table but those in which the server itself writes all the time.
sub digest {
	my $db = $server->db;
	my @tables = split /\n/, $db->query(q{SELECT tablename FROM pg_tables
		WHERE schemaname = 'partyline' AND tablename <> 'host'
		ORDER BY 1});

	return { map { $_ => $db->query(qq{SELECT count(*), md5(coalesce(
		string_agg(t::text, E'\n' ORDER BY t::text), ''))
		FROM partyline.$_ t}) } @tables };
}

# --- what a request would be ----------------------------------------------

# A value that passes, as JSON.
sub right {
	my ($row, $input) = @_;

	return {
		text    => '"' . 'x' x abs($input->{min} || 1) . '"',
		integer => $input->{min},
		boolean => 'true',
		id      => id_for($row),
		choice  => '"' . ($input->{choices} // '') =~ s/\|.*//r . '"',
		custom  => '"custom.right"',
		object  => '{}',
		ids     => "[$closed]",
		events  => '["game.added"]',
		page    => '1',
		skip    => '1',
		cursor  => '1',
		ticket  => undef,
		room    => '"QX7Z"',
		csv     => '"x"',
		day     => '2026-01-01',
		moment  => '"2026-01-01T20:00:00Z"',
		chat    => '[]',
	}->{ $input->{kind} };
}

# The request of a row; %other: raw values in the place of the right ones,
# undef: left out. body: the whole of it.
sub request {
	my ($row, %other) = @_;
	my (%at, $path);

	for my $input (@{ $row->{inputs} }) {
		my $name = $input->{name};
		my $value = exists $other{$name} ? $other{$name}
		    : right($row, $input);

		# In JSON a text has quotes.
		$value =~ s/^"(.*)"\z/$1/s
		    if defined $value && $input->{where} ne 'body';
		push @{ $at{ $input->{where} } }, [$name, $value]
		    if defined $value;
	}
	my %path = map { @$_ } @{ $at{path} // [] };
	$path = $row->{path} =~ s/\{(\w+)\}/$path{$1}/gr;
	$path .= '?' . ($other{query} // join '&', map { "$_->[0]=$_->[1]" }
		@{ $at{query} // [] });
	my $body = $other{body} // ($at{body} ? '{' . join(',', map {
			"\"$_->[0]\":$_->[1]" } @{ $at{body} }) . '}' : undef);
	$tried++;
	return $row->{door} eq 'ADMIN'
	    ? T::Http->request($server->admin, $row->{method}, $path, $body)
	    : $admin->request($row->{method}, $path, $body);
}

# "" if the answer is this refusal, else what it is.
sub misses {
	my ($answer, $code, $field) = @_;
	my $body = eval { $json->decode($answer->{body}) };
	my $said = ref $body eq 'HASH' ? $body : {};
	my $is_fine = $answer->{status} == $status{$code}
	    && ($said->{code} // '') eq $code
	    && ($said->{field} // '') eq ($field // '')
	    && (!defined $field || $code !~ /^input_/
		|| $said->{error} =~ /^\Q$field\E (?:must be|is required)/);

	return $is_fine ? '' : "not $code, but $answer->{status} "
	    . substr $answer->{body}, 0, 200;
}

# Asks each, and tells which are not refused so.
sub all_refused {
	my ($name, $row, $code, $field, @requests) = @_;
	my @wrong;

	for my $other (@requests) {
		my $miss = misses(request($row, %$other), $code, $field);
		my $what = $json->encode($other);

		push @wrong, substr($what, 0, 100) . ": $miss" if $miss ne '';
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	found_none("$name (" . @requests . ')', @wrong);
	return;
}

# --- what is wrong ----------------------------------------------------------

my %types = (
	text    => [qw(7 1.5 true false [] {} ["x"])],
	integer => [qw("1" 1.5 true [] {})],
	boolean => [qw("true" 2 -1 1.5 [] {})],
	id      => [qw("1" 1.5 true [1] {})],
	choice  => [qw(7 true [] {} "" "nothing" "a|b")],
	custom  => [qw(7 true [] {} "" "session.started" "custom." "Custom.x"
		"custom.a/b"), '"custom.a b"', "\"custom.\xc3\xa9\""],
	object  => [qw(7 true "{}" [] [{}])],
	ids     => [qw(1 "1" true {} ["1"] [1.5] [null] [[1]] [true] [1e2])],
	events  => [qw(7 true "game.added" {})],
	room    => [qw(7 true [] {} "" "QX7" "QX7ZZ" "qx7z" "QX-Z" "QX7+")],
	csv     => [qw(7 true [] {} "")],
	moment  => [qw(7 true [] {} "" "x" "2026-02-30T00:00:00Z")],
	chat    => [qw(7 true "x" {})],
);

# Texts count in characters: two bytes each make the bound no smaller.
sub long_text { return '"' . "\xc3\xa9" x $_[0] . '"' }

# Beyond the bounds on both sides, as JSON.
sub beyond {
	my ($input) = @_;
	my ($kind, $min, $max) = @$input{qw(kind min max)};

	return map { "\"custom.$_\"" } 'x' x ($max - 6) if $kind eq 'custom';
	return ('"' . 'x' x ($max + 1) . '"', long_text($max + 1))
	    if $kind eq 'text';
	return ($min - 1, $max + 1) if $kind eq 'integer';
	return (0, -1, $max ? $max + 1 : ()) if $kind eq 'id';
	return '{"a":"' . 'x' x ($max - 7) . '"}' if $kind eq 'object';
	return ('[]', '[0]', '[-1]', '[' . join(',', 1 .. $max + 1) . ']')
	    if $kind eq 'ids';
	return;
}

sub with {
	my ($input, @values) = @_;

	return map { { $input->{name} => $_ } } @values;
}

sub try_in_body {
	my ($row, $input) = @_;
	my ($name, $missing, $invalid) = @$input{qw(name missing invalid)};
	my $right = right($row, $input);
	my $wrong = $types{ $input->{kind} }[0];
	my $coded = sprintf '\u%04x%s', ord $name, substr $name, 1;

	all_refused("$name of another type", $row, $invalid, $name,
		with($input, grep { $_ ne '""' || !$missing
			|| $input->{kind} !~ /^(?:text|room|moment)$/ }
			@{ $types{ $input->{kind} } }));
	all_refused("$name beyond its bounds", $row, $invalid, $name,
		with($input, beyond($input)));
	all_refused("$name twice, wrong at last, with others", $row,
		$invalid, $name, with($input, "$right,\"$name\":$wrong",
			"$right,\"$coded\":$wrong", "$wrong,\"other\":[{}]"));
	all_refused("$name in no encoding", $row, 'invalid_json', undef,
		with($input, "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"",
			'"\u0000"', '"\ud83d"', '"\ude00\ud83d"', "\"\0\"",
			"\"\n\"", '9223372036854775808', '1e999', '01', 'x',
			'[' x 33 . ']' x 33, '[' x 100000, '"open'));
	return if !$missing;
	all_refused("$name missing", $row, $missing, $name,
		with($input, undef, 'null', "$right,\"$name\":null"));
	all_refused("$name empty", $row, $missing, $name, with($input, '""'))
	    if $input->{kind} =~ /^(?:text|room|moment)$/
		&& $input->{min} > 0;
	return;
}

my %queries = (
	integer => [qw(x 1.5 1e0), ''],
	boolean => [qw(yes t TRUE 2), ''],
	id      => [qw(0 -1 x 1.5 9223372036854775808), ''],
	choice  => [qw(nothing ALL a|b), ''],
	page    => [qw(-1 x 1.5 ALL 99999999999999999999), ''],
	cursor  => [qw(-1 x 1.5 :1 x: 1:2:3 9223372036854775807), ''],
	day     => [qw(x 2026-02-30 2026-1-1 20260101 2026-01-01Z), ''],
);

sub try_in_query {
	my ($row, $input) = @_;
	my $name = $input->{name};
	my @wrong = @{ $queries{ $input->{kind} } // [] };

	push @wrong, $input->{max} + 1
	    if $input->{kind} =~ /^(?:integer|page)$/;
	push @wrong, 'x' x ($input->{max} + 1), '%C3%A9' x ($input->{max} + 1)
	    if $input->{kind} eq 'text';
	push @wrong, "1&$name=$wrong[0]", "$wrong[0]&other=1" if @wrong;
	if ($input->{kind} eq 'skip') {
		is(request($row, $name => $_)->{status}, $row->{status},
			"$name=$_ is no reason to refuse")
		    for '', 'x', '-1', '1.5', '9' x 100;
	} else {
		all_refused("$name with another value", $row,
			$input->{invalid}, $name, with($input, @wrong));
	}
	all_refused("$name in no encoding", $row, 'invalid_query', undef,
		with($input, '%', '%4', '%zz', '%00', '%ff', '%c3',
			'%ed%a0%80', "\xff", '1&%zz=1'));
	all_refused("$name missing", $row, $input->{missing}, $name,
		with($input, undef)) if $input->{missing};
	return;
}

sub try_in_path {
	my ($row, $input) = @_;
	my $name = $input->{name};

	all_refused("$name of what cannot be", $row, $input->{missing}, undef,
		with($input, qw(0 -1 +1 x 1.5 1e0 0x1 %201 1%20 1%2F2 %31x
			%EF%BC%91 NaN null 9223372036854775808
			-9223372036854775809), '9' x 100));
	all_refused("$name of what is not there", $row, $input->{missing},
		undef, with($input, 999999, '9223372036854775807'));
	all_refused("$name in no encoding", $row, 'invalid_path', undef,
		with($input, '%', '%4', '%zz', '%00', '%ff', '%c3',
			'%ed%a0%80', "\xff"));
	return;
}

# What may be wrong with a request whatever its inputs are.
sub try_as_a_whole {
	my ($row) = @_;
	my ($first) = grep { $_->{where} eq 'body' } @{ $row->{inputs} };

	all_refused('a body that is no JSON', $row, 'invalid_json', undef,
		map { { body => $_ } } '{', '}', 'x', '{}{}', "{'a':1}",
		'{"a":1,}', "\xef\xbb\xbf{}", "{}\0", 'null', '{a:1}',
		'{"a":' x 33 . '1' . '}' x 33);
	all_refused('a query that is none', $row, 'invalid_query', undef,
		map { { query => $_ } } 'x=%', '%zz', 'x=%00', "x=\xff");
	return if !$first;
	all_refused('a body that is no object', $row, 'body_not_object', undef,
		map { { body => $_ } } '"x"', '7', 'true', '-0.5e1',
		# A list may be all that there is.
		$first->{kind} eq 'chat' ? () : ('[]', '[{}]'));
	return if !$first->{missing};
	all_refused('an empty body', $row, $first->{missing}, $first->{name},
		map { { body => $_ } } '', '{}', ' { } ', '{"other":1}');
	return;
}

my $before = digest();
my $faults = $server->count('requests_5xx');
my %try = (
	body  => \&try_in_body,
	query => \&try_in_query,
	path  => \&try_in_path
);

for my $row (T::Table->rows('operations')) {
	subtest $row->{name} => sub {
		my @inputs = @{ $row->{inputs} };

		$try{ $_->{where} }->($row, $_) for @inputs;
		try_as_a_whole($row);
		# What passes goes on, to what is not there.
		my ($place) = grep { $_->{where} eq 'path' } @inputs;
		return if !$place;
		for my $input (grep { $_->{kind} eq 'text' } @inputs) {
			is(misses(request($row, id => 999999, $input->{name} =>
						long_text($input->{max})),
				$place->{missing}), '',
				"$input->{name} at its bound passes");
		}
	};
}

cmp_ok($tried, '>', 500, "all in all $tried requests");
is_deeply(digest(), $before, 'and nothing has changed');
is($server->count('requests_5xx'), $faults, 'no answer says it is our fault');
unlike($server->log_text, qr/"level":"error"/, 'nor does the log');

done_testing;
