#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The tables: sorted, complete, and printed as they stand.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Table;
use T::Tree;

my %texts;

# A table whose name goes on after another one's is a part of that.
for my $path (T::Tree::files(qr{^src/tbl/[a-z]+\.h$})) {
	my ($name) = $path =~ m{(\w+)\.h$};
	my (@wrong, %last);

	# Counters are sorted within their kind, options beside choices.
	for my $row (T::Tree::table_rows($path)) {
		my ($macro, $row_name, $place) = @$row;
		my $kind = $name eq 'counters' ? $macro : 'all';

		push @wrong, "$place: $row_name after $last{$kind}"
		    if defined $last{$kind} && $last{$kind} ge $row_name;
		$last{$kind} = $row_name;
		push @wrong, "$place: $row_name is not in small letters"
		    if $row_name !~ /^[a-z][a-z0-9_]*$/;
	}
	found_none("$name are sorted", @wrong);
	is_deeply([sort map { $_->[1] } T::Tree::table_rows($path)],
		[sort(T::Table->names($name))],
		"partyline -x $name prints every row");
	found_none("$name say what they are for", map {
		"$name $_->{name}"
	} grep {
		($_->{text} // $_->{brief} // '') !~ /\w/
	} T::Table->rows($name));
}

my $reasons = T::Tree::text('src/core/error.c');
found_none('every status has its words', grep { $reasons !~ /\{ $_, "/ }
	map { $_->{status} } T::Table->rows('errors'));

subtest 'operations' => sub {
	my %status =
	    map { $_->{name} => $_->{status} } T::Table->rows('errors');
	my %named = (error => 1);
	my @wrong;

	for my $row (T::Table->rows('operations')) {
		my @in_path = $row->{path} =~ /\{(\w+)\}/g;
		my %where;

		$named{ $row->{answer} } = 1;
		push @{ $where{ $_->{where} } }, $_->{name}
		    for @{ $row->{inputs} };
		push @wrong, "$row->{name}: its path has other inputs"
		    if "@{ $where{path} // [] }" ne "@in_path";
		push @wrong, "$row->{name}: a body with GET or DELETE"
		    if $where{body} && $row->{method} =~ /^(?:GET|DELETE)$/;
		push @wrong, "$row->{name}: reads, but not by GET"
		    if $row->{way} =~ /^(?:READ|SLOW)$/
		    && $row->{method} ne ($where{body} ? 'POST' : 'GET');
		push @wrong, "$row->{name}: writes by GET"
		    if $row->{way} =~ /^(?:WRITE|BATCH)$/
		    && $row->{method} eq 'GET';
		for my $name ($row->{stream} =~ /\{(\w+)\}/g) {
			push @wrong, "$row->{name}: no input is called $name"
			    if !grep { $_->{name} eq $name }
			    @{ $row->{inputs} };
		}
		push @wrong, map { "$row->{name}: $_" } wrong_inputs($row,
			\%status);
	}
	found_none('are whole', @wrong);
	my @files = T::Tree::files(qr{^src/tbl/schema/\w+\.json$});
	my %part = map { $_ => 1 } grep { !/^(?:data|live)_/ }
	    map { T::Tree::text($_) =~ /"\$ref": "(\w+)\.json"/g } @files;
	is_deeply([grep { !/^(?:data|live)_/ } map { m{(\w+)\.json} } @files],
		[sort keys %{ { %named, %part } }],
		'each answer has a schema, and each schema an answer, or '
		. 'is part of one');
};

subtest 'events and messages' => sub {
	my @messages = T::Table->rows('messages');
	my @sent = map { $_->{name} } grep {
		$_->{direction} eq 'FROM_SERVER'
	} @messages;
	# What those refer to, and what only Server-Sent Events say.
	my @parts = map { "live_$_" }
	    qw(close place since sse_closing sse_deleted state);

	is_deeply([grep { /^(?:data|live)_/ } map { m{(\w+)\.json} }
		T::Tree::files(qr{^src/tbl/schema/\w+\.json$})],
		[sort +(map { "data_$_" } T::Table->names('events')),
			(map { "live_$_->{name}" } @messages), @parts],
		'each has a schema, and each schema is of one');
	for my $row (@messages) {
		my %answers = map { $_ => 1 } split ' ', $row->{answers};

		is(%answers ? 'FROM_CLIENT' : 'FROM_SERVER', $row->{direction},
			"$row->{name}: who asks is answered");
		delete @answers{@sent};
		is_deeply(\%answers, {}, "$row->{name}: with what is sent");
	}
	is_deeply([grep {
		(grep { !/^(?:lobby|(?:session|table|thread|user):<id>)$/ }
		    split /, /, $_->{stream})
		    || $_->{kind} !~ /^(?:NUMBERED(?:_FLAT)?|LIVE)$/
	} T::Table->rows('events')], [], 'events are of a known stream');
};

# What is wrong with the inputs of a row.
sub wrong_inputs {
	my ($row, $status) = @_;
	my (@wrong, %seen);

	for my $input (@{ $row->{inputs} }) {
		my ($name, $kind, $where) = @$input{qw(name kind where)};
		my $missing = $status->{ $input->{missing} // '' } // 'none';

		push @wrong, "$name comes twice" if $seen{$name}++;
		push @wrong, "$name does not say what it is"
		    if $input->{text} !~ /\w.*\.\z/s;
		push @wrong, "$name cannot come from the $where"
		    if $kind =~ /^(?:custom|object|ids|events)$/
		    && $where ne 'body'
		    || $kind =~ /^(?:page|skip)$/ && $where ne 'query';
		push @wrong, "$name has bounds that nothing is between"
		    if $kind !~ /^(?:boolean|choice|id)$/
		    && $input->{min} > $input->{max};
		push @wrong, "$name has no choices"
		    if $kind eq 'choice' && ($input->{choices} // '') !~ /\w/;
		push @wrong, "$name: in a path what cannot be is 404"
		    if $where eq 'path' && $missing ne 404;
		push @wrong, "$name: what is missing is 400"
		    if $where ne 'path' && $missing !~ /^(?:400|none)$/;
	}
	return @wrong;
}

done_testing;
