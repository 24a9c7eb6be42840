#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline -x asyncapi: whole in itself, as AsyncAPI 3.0 wants it, and with
# all of the rows; and what holds messages against it sees what is wrong.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::AsyncApi;
use T::Schema;
use T::Table;
use T::Tree;

my $document = T::AsyncApi::document();
my $live     = $document->{channels}{live};
my @messages = T::Table->rows('messages');
my @events   = T::Table->rows('events');

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
		map { "$at: $_" } grep { !$allowed{$_} && !/^x-/ }
		sort keys %$value);
}

subtest 'the document has the form of AsyncAPI 3.0' => sub {
	my @wrong = misfits($document, '', [qw(asyncapi info)],
		[qw(servers defaultContentType channels operations
		components)]);

	like($document->{asyncapi}, qr/^3\.0\.\d+\z/, 'its version');
	push @wrong, misfits($document->{info}, 'info', [qw(title version)],
		[qw(description license)]);
	push @wrong, misfits($_, 'server', [qw(host protocol)],
		[qw(pathname description variables)])
	    for values %{ $document->{servers} };
	push @wrong, misfits($document->{channels}{$_}, $_,
		[qw(address messages servers)],
		[qw(bindings description parameters)])
	    for sort keys %{ $document->{channels} };
	push @wrong, misfits($document->{components}, 'components', [],
		[qw(messages schemas)]);
	for my $operation (values %{ $document->{operations} }) {
		push @wrong, misfits($operation, 'operation',
			[qw(action channel)],
			[qw(summary messages reply bindings)]);
		push @wrong, "it is $operation->{action}"
		    if $operation->{action} !~ /^(?:send|receive)\z/;
	}
	push @wrong, misfits($_, $_->{name}, [qw(name summary payload)], [])
	    for values %{ $document->{components}{messages} };
	found_none('every object has its members', @wrong);
};

subtest 'what it refers to is there' => sub {
	my (@wrong, %referred);

	walk($document, '', sub {
		my ($value, $at) = @_;
		my $reference = $value->{'$ref'} // return;

		$referred{$reference} = 1;
		push @wrong, "$at: $reference" if !eval {
			T::Schema::referred($reference, $document);
			1;
		};
	});
	found_none('every $ref leads somewhere', @wrong);
	is_deeply([grep { !$referred{"#/components/schemas/$_"} }
		sort keys %{ $document->{components}{schemas} }], [],
		'every schema is of use');
	for my $name (sort keys %{ $document->{channels} }) {
		my $messages = $document->{channels}{$name}{messages};

		is_deeply([grep { !$referred{"#/channels/$name/messages/$_"} }
			sort keys %$messages], [],
			"every message of $name is said by somebody");
	}
};

subtest 'each row is there' => sub {
	my %is_live = map { $_->{name} => scalar $_->{stream}
		    =~ /^(?:lobby|session:<id>)$/ } @events;
	is_deeply([sort keys %{ $live->{messages} }],
		[sort +(map { $_->{name} } @messages),
			map { "event_$_" } grep { $is_live{$_} } keys %is_live],
		'messages and events');
	is_deeply([sort keys %{ $document->{channels}{socketio}{messages} }],
		[sort map { "event_$_" } grep { !$is_live{$_} } keys %is_live],
		'and those that only Socket.IO carries');
	for my $row (@messages) {
		my $operation = $document->{operations}{ $row->{name} };

		if ($row->{direction} eq 'FROM_SERVER') {
			ok(!$operation, "$row->{name} is not received");
			next;
		}
		is($operation->{action}, 'receive', "$row->{name} is");
		is(join(' ', map { $_->{'$ref'} =~ m{(\w+)\z} }
			@{ $operation->{reply}{messages} }), $row->{answers},
			"$row->{name}: how it is answered");
	}
	is_deeply([map { [@$_{qw(code number again)}] }
		@{ $live->{'x-closes'} }],
		[map { [@$_{qw(name number again)}] }
			T::Table->rows('closes')], 'and why it closes');
};

subtest 'every door is there' => sub {
	my %shows = (event_stream => [qw(sse_closing sse_deleted sse_resync)],
		events => ['events']);

	for my $row (T::Table->rows('operations')) {
		my $more = $shows{ $row->{answer} };
		my $channel = $document->{channels}{ $row->{name} };
		my ($kind) = $row->{stream} =~ /^(\w+)/;

		ok(!$channel, "$row->{name} is none"), next if !$more;
		is($channel->{address}, $row->{path}, "$row->{name}: where");
		is_deeply([sort keys %{ $channel->{messages} }],
			[sort @$more, map { "event_$_->{name}" }
			grep { $_->{stream} =~ /^\Q$kind\E/ } @events],
			"$row->{name}: what comes there");
		is($document->{operations}{ $row->{name} }{action}, 'send',
			"$row->{name}: the server says it");
	}
};

subtest 'the checker sees what is wrong' => sub {
	my $ended = '{"type":"session.ended","stream":"session:7","seq":3,'
	    . '"timestamp":"2026-11-01T20:00:00.123Z","data":{"session":'
	    . '{"id":7,"is_active":0,"games_played":2}}}';
	my $here  = '"epoch":"k3","seq":4';
	my $state = '{"from":1,"state":{"session":null,'
	    . '"message":"No active session"}}';

	for (
		[1, $ended],
		[0, $ended =~ s/"seq":3,//r],
		[0, $ended =~ s/"seq":3/"seq":"3"/r],
		[0, $ended =~ s/session:7/lobby/r],
		[0, $ended =~ s/session\.ended/session.started/r],
		[0, $ended =~ s/"is_active":0/"is_active":false/r],
		[0, $ended =~ s/\.123Z/Z/r],
		[0, $ended =~ s/\}\z/,"more":1}/r],
		[1, $ended =~ s/session\.ended/custom.a-B_c.9/r],
		[0, $ended =~ s/session\.ended/custom./r],
		[0, $ended =~ s/session\.ended/no.such/r],
		[1, '{"type":"pong"}'],
		[1, qq({"type":"pong","heads":{"lobby":{$here}}})],
		[0, qq({"type":"pong","heads":{"hall":{$here}}})],
		[0, '{"type":"pong","heads":{"lobby":4}}'],
		[0, '{"type":"ping"}'],
		[0, '[]'],
		[0, '{"type":"pong"'],
		[1, '{"type":"error","message":"No"}'],
		[0, '{"type":"error"}'],
		[1, '{"type":"unsubscribed","sessionId":1,'
			. '"message":"Unsubscribed from session 1"}'],
		[1, '{"type":"unsubscribed","sessionId":1,'
			. '"reason":"deleted"}'],
		[0, '{"type":"unsubscribed","sessionId":1}'],
		[1, '{"type":"subscribed","sessionId":1,"message":"Subscribed'
			. qq( to session 1",$here,"recovered":true})],
		[1, '{"type":"subscribed","sessionId":1,"message":"Subscribed'
			. qq( to session 1",$here,"recovered":false,)
			. qq("resync":$state})],
		[0, '{"type":"subscribed","sessionId":1,"message":"Subscribed'
			. qq( to session 1",$here})]) {
		my ($is_right, $text) = @$_;
		my @wrong = T::AsyncApi::complaints($text);

		is(@wrong ? 0 : 1, $is_right, $text) or diag "@wrong";
	}
	for (
		[1, 'resync', $state],
		[0, 'resync', '{"from":0,"state":null}'],
		[1, 'deleted', '{"stream":"session:7"}'],
		[0, 'deleted', '{"stream":"hall"}'],
		[1, 'closing', '{"code":"draining","again":"now"}'],
		[0, 'closing', '{"code":"bored","again":"now"}'],
		[0, 'message', $ended]) {
		my ($is_right, $event, $data) = @$_;
		my @wrong = T::AsyncApi::wrong_block($event, $data);

		is(@wrong ? 0 : 1, $is_right, "a block: $event $data");
	}
	for (
		[1, 4003, '{"code":"revoked","again":"sign_in"}'],
		[1, 1012, '{"code":"draining","again":"now",'
			. '"retry_after_ms":5}'],
		[0, 1012, '{"code":"revoked","again":"sign_in"}'],
		[0, 4003, '{"code":"revoked","again":"now"}'],
		[0, 4003, '{"code":"revoked"}'],
		[0, 4003, '{"code":"bored","again":"now"}'],
		[0, 4003, 'revoked']) {
		my ($is_right, $number, $reason) = @$_;
		my @wrong = T::AsyncApi::wrong_close($number, $reason);

		is(@wrong ? 0 : 1, $is_right, "$number $reason");
	}
};

done_testing;
