# SPDX-License-Identifier: MIT
package T::AsyncApi;

# Holds everything that a test hears by the live doors against what the program
# says of it: `partyline -x asyncapi`. T::Live, T::Sse and T::OpenApi, which
# has the polls, hand all of it over.
#
#	T::AsyncApi::received($text);		  a message or an event
#	T::AsyncApi::closed($number, $reason);	  the close frame, in both parts
#	T::AsyncApi::block($event, $data);	  of an event stream
#	T::AsyncApi::polled($answer);		  a poll's, decoded
#	my @wrong = T::AsyncApi::complaints($text);
#
# Holds always: a mismatch fails the test that heard it, and names the type
# and the place.

use strict;
use warnings;
use JSON::PP   ();
use Test::More ();
use T::Evidence;
use T::Run;
use T::Schema;
use T::Table;

my $json = JSON::PP->new->utf8->allow_nonref;
# Types of which a test says that no row has them.
our $unlisted = qr/(?!)/;

my ($document, $has_asked, %message_of, @patterns, %known);

sub document {
	die "partyline -x asyncapi failed\n" if !$document && $has_asked++;
	$document //= do {
		open my $out, '-|', T::Run::program(), '-x', 'asyncapi'
		    or die "partyline: $!\n";
		local $/;
		my $text = <$out>;
		close $out or die "partyline -x asyncapi failed\n";
		$json->decode($text);
	};
	return $document;
}

# What the server sends: by its type, or by a pattern of it.
sub learn {
	my $operations = document()->{operations};
	my $messages   = document()->{components}{messages};

	for my $reference (map { @{ $_->{reply}{messages} // [] },
		$_->{action} eq 'send' ? @{ $_->{messages} } : () }
		values %$operations) {
		my ($name) = $reference->{'$ref'} =~ m{(\w+)\z};
		my ($payload) = T::Schema::schema_of(
			$messages->{$name}{payload}, document());
		my $type = $payload->{properties}{type};

		$message_of{ $type->{const} } = $name if defined $type->{const};
		push @patterns, [$type->{pattern}, $name]
		    if defined $type->{pattern};
	}
	return;
}

# Its name among the messages of the document, or undef.
sub name_of {
	my ($type) = @_;

	learn() if !%message_of;
	return $message_of{$type} if defined $message_of{$type};
	my ($found) = grep { $type =~ /$_->[0]/ } @patterns;
	return $found && $found->[1];
}

sub complaints {
	my ($text) = @_;
	my $value = eval { $json->decode($text) };

	return "it is no JSON object" if ref $value ne 'HASH';
	my $name = name_of($value->{type} // '')
	    // return 'no message has its type';
	my $payload = document()->{components}{messages}{$name}{payload};
	my @wrong = T::Schema::wrong($value, $payload, document(), '');

	T::Evidence::record($name =~ /^event_(.+)/ ? (event => $1)
		: (message => $name)) if !@wrong;
	return @wrong;
}

sub complain {
	my ($what, $text, @wrong) = @_;

	T::Evidence::record(mismatch => $what =~ tr/\n/ /r);
	local $Test::Builder::Level = $Test::Builder::Level + 4;
	Test::More::fail($what);
	Test::More::diag(join "\n", (splice @wrong, 0, 10),
		substr $text, 0, 500);
	return;
}

sub received {
	my ($text) = @_;

	# A crowd hears the same.
	return if $known{$text};
	my ($type) = $text =~ /"type":"([^"]{1,80})"/;
	return if ($type // '') =~ $unlisted;
	%known = () if keys %known > 1000;
	$known{$text} = 1;
	my @wrong = complaints($text) or return;
	complain('a message of type ' . ($type // 'none')
		. ' is as it is described', $text, @wrong);
	return;
}

sub wrong_close {
	my ($number, $reason) = @_;
	my $value = eval { $json->decode($reason) };
	my @wrong = T::Schema::wrong($value,
		document()->{channels}{live}{'x-close-reason'}, document(), '');

	return @wrong if @wrong;
	my ($row) = grep { $_->{code} eq $value->{code} }
	    @{ document()->{channels}{live}{'x-closes'} };
	return 'there is no such code' if !$row;
	return "its number is $row->{number}" if $row->{number} != $number;
	return $row->{again} eq $value->{again} ? ()
	    : "one comes again $row->{again}";
}

# What is wrong with a block of that name.
sub wrong_block {
	my ($event, $data) = @_;
	my $message = document()->{components}{messages}{"sse_$event"}
	    // return 'no block has that name';

	return T::Schema::wrong(eval { $json->decode($data) },
		$message->{payload}, document(), '');
}

# event is the block's name, if it has one.
sub block {
	my ($event, $data) = @_;

	return if !defined $data;
	return received($data) if !defined $event;
	my @wrong = wrong_block($event, $data) or return;
	complain("a block named $event is as it is described", $data, @wrong);
	return;
}

sub polled {
	my ($answer) = @_;

	received($json->encode($_)) for @{ $answer->{events} };
	return;
}

# Goodbyes that answer the client's carry no reason of ours.
sub closed {
	my ($number, $reason) = @_;

	return if ($reason // '') eq '';
	my @wrong = wrong_close($number, $reason) or return;
	complain("a close with $number is as it is described", $reason, @wrong);
	return;
}

1;
