# SPDX-License-Identifier: MIT
package T::Schema;

# JSON Schema 2020-12, as far as ours use it. Values come from JSON::PP, which
# keeps numbers, strings and booleans apart.
#
#	my $schema = T::Schema::file('session');  # src/tbl/schema/session.json
#	my @wrong = T::Schema::wrong($value, $schema, $schema, '');
#
# What is wrong is told with a pointer into the value. The third argument is
# the document in which a $ref that begins with # is looked for.
#
# Holds always: a keyword that is not looked at here dies, so that no schema
# promises what nobody checks.

use strict;
use warnings;
use B        ();
use JSON::PP ();
use T::Run;

my $plain = JSON::PP->new->utf8->allow_nonref->canonical;
my %files;

sub file {
	my ($name) = @_;

	return $files{$name} //= do {
		my $path = T::Run::source() . "/src/tbl/schema/$name.json";
		open my $file, '<:raw', $path or die "$path: $!\n";
		local $/;
		$plain->decode(<$file>);
	};
}

sub is_string {
	my ($value) = @_;

	return defined $value && !ref $value
	    && B::svref_2object(\$value)->FLAGS & B::SVp_POK;
}

sub kind_of {
	my ($value) = @_;

	return 'null'    if !defined $value;
	return 'object'  if ref $value eq 'HASH';
	return 'array'   if ref $value eq 'ARRAY';
	return 'boolean' if JSON::PP::is_bool($value);
	return 'string'  if is_string($value);
	return $value == int $value ? 'integer' : 'number';
}

sub is_same { return $plain->encode($_[0]) eq $plain->encode($_[1]) }

sub referred {
	my ($reference, $root) = @_;

	if ($reference =~ /^(\w+)\.json\z/) {
		my $file = file($1);

		return ($file, $file);
	}
	my $at = $root;
	for my $step (split m{/}, $reference =~ s{^#/}{}r) {
		$at = $at->{$step} // die "there is no $reference\n";
	}
	return ($at, $root);
}

# A schema, or the one that it refers to.
sub schema_of {
	my ($schema, $root) = @_;

	return defined $schema->{'$ref'} ? referred($schema->{'$ref'}, $root)
	    : ($schema, $root);
}

my %keywords = (
	map { $_ => sub { () } } qw($schema $defs title description default
	    format contentMediaType required properties additionalProperties
	    x-headers x-also-503 x-has-tag x-other-types)
);

# Keywords that look at one thing each: value, argument, pointer, root.
$keywords{'$ref'} = sub {
	my ($value, $reference, $at, $root) = @_;

	return wrong($value, referred($reference, $root), $at);
};
$keywords{type} = sub {
	my ($value, $types, $at) = @_;
	my $kind = kind_of($value);

	return if grep { $_ eq $kind || $_ eq 'number' && $kind eq 'integer' }
	    ref $types ? @$types : $types;
	return "$at is of type $kind";
};
$keywords{const} = sub {
	my ($value, $wanted, $at) = @_;

	return is_same($value, $wanted) ? () : "$at is "
	    . $plain->encode($value) . ', not ' . $plain->encode($wanted);
};
$keywords{enum} = sub {
	my ($value, $wanted, $at) = @_;

	return if grep { is_same($value, $_) } @$wanted;
	return "$at is " . $plain->encode($value) . ', not one of '
	    . $plain->encode($wanted);
};
$keywords{pattern} = sub {
	my ($value, $pattern, $at) = @_;

	return if !is_string($value) || $value =~ /$pattern/a;
	return "$at is no $pattern";
};
$keywords{items} = sub {
	my ($value, $schema, $at, $root) = @_;

	return if ref $value ne 'ARRAY';
	return map { wrong($value->[$_], $schema, $root, "$at/$_") }
	    0 .. $#$value;
};
$keywords{propertyNames} = sub {
	my ($value, $schema, $at, $root) = @_;

	return if ref $value ne 'HASH';
	return map { wrong($_, $schema, $root, "the name $at/$_") }
	    sort keys %$value;
};
$keywords{anyOf} = sub {
	my ($value, $schemas, $at, $root) = @_;
	my @each = map { [wrong($value, $_, $root, $at)] } @$schemas;

	return if grep { !@$_ } @each;
	return map { "either: @$_" } @each;
};
$keywords{oneOf} = sub {
	my ($value, $schemas, $at, $root) = @_;
	my @each = map { [wrong($value, $_, $root, $at)] } @$schemas;
	my $fits = grep { !@$_ } @each;

	return if $fits == 1;
	return $fits ? "$at fits $fits of oneOf" : map { "either: @$_" } @each;
};

# Bounds: what is measured of which kinds of value, and which way.
for my $bound (
	[minimum   => 'number', sub { $_[0] }, 1],
	[maximum   => 'number', sub { $_[0] }, -1],
	[minLength => 'string', sub { length $_[0] }, 1],
	[maxLength => 'string', sub { length $_[0] }, -1],
	[minItems  => 'array',  sub { scalar @{ $_[0] } }, 1],
	[maxItems  => 'array',  sub { scalar @{ $_[0] } }, -1]) {
	my ($name, $of, $measure, $sign) = @$bound;

	$keywords{$name} = sub {
		my ($value, $limit, $at) = @_;
		my $kind = kind_of($value) =~ s/integer/number/r;

		return if $kind ne $of
		    || $sign * ($measure->($value) - $limit) >= 0;
		return "$at is beyond $name $limit";
	};
}

sub wrong_members {
	my ($value, $schema, $root, $at) = @_;
	my $known = $schema->{properties} // {};
	my $other = $schema->{additionalProperties} // 1;
	my @wrong = map { "$at/$_ is missing" }
	    grep { !exists $value->{$_} } @{ $schema->{required} // [] };

	for my $name (sort keys %$value) {
		my $of = exists $known->{$name} ? $known->{$name} : $other;

		if (ref $of eq 'HASH') {
			push @wrong,
			    wrong($value->{$name}, $of, $root, "$at/$name");
		} elsif (!$of) {
			push @wrong, "$at/$name has no place there";
		}
	}
	return @wrong;
}

sub wrong {
	my ($value, $schema, $root, $at) = @_;
	my @wrong = ref $value eq 'HASH'
	    ? wrong_members($value, $schema, $root, $at) : ();

	for my $keyword (sort keys %$schema) {
		my $look = $keywords{$keyword}
		    // die "nobody looks at the keyword $keyword\n";

		push @wrong, $look->($value, $schema->{$keyword}, $at, $root);
	}
	return @wrong;
}

1;
