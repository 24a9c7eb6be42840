# SPDX-License-Identifier: MIT
package T::SocketIo;

# A client of Socket.IO over T::EngineIo, for packets to the letter; it
# answers pings as clients do.
#
#	my $c = T::SocketIo->connect($server, by => 'polling', worker => 2);
#	$c->enter('/den', '{"token":"x"}');	the sid, or dies
#	my ($sid, $pid) = $c->enter_kept('/den', '{"pid":"…"}');
#	$c->say('2["a",1]');			a packet's text
#	$c->say('51-["a",{"_placeholder":true,"num":0}]', 'bytes');
#	is($c->hear, '2["b"]');			the next message,
#	is($c->hear, 'b:bytes');		or attachment; or undef
#	is($c->hears(qr/^2\["late"/), …);	the next that fits
#	ok($c->is_over);			the server has closed it
#	$c->upgrade;				to a WebSocket, on the way
#
# Holds always:
#  1. settle() comes back when all that was said before was worked on, and
#     gives the messages that came until then (conformance's ack).

use strict;
use warnings;
use MIME::Base64 qw(decode_base64 encode_base64);
use T::EngineIo;
use T::Wait;

our @by = qw(polling websocket);

sub connect {
	my ($class, $server, %options) = @_;
	my $by     = delete $options{by} // 'websocket';
	my $engine = T::EngineIo->new($server, path => '/socket.io/',
		%options);
	my $self = bless { engine => $engine, heard => [], ended => '',
		marks => 0 }, $class;

	if ($by eq 'polling') {
		$engine->open;
	} else {
		$self->{ws} = $engine->connect;
	}
	return $self;
}

sub upgrade {
	my ($self, %options) = @_;

	$self->{ws} = $self->{engine}->upgrade(%options);
	return;
}

# One message of Engine.IO's: undef, or what is to be heard.
sub take {
	my ($self, $message) = @_;

	return $self->post('3') if $message eq '2';
	$self->{ended} ||= $message eq '1';
	push @{ $self->{heard} }, $message =~ /\A4/ ? substr $message, 1
	    : $message =~ /\Ab/ ? $message : ();
	return;
}

sub post {
	my ($self, @messages) = @_;

	if ($self->{ws}) {
		/\Ab:(.*)\z/s ? $self->{ws}->bytes($1) : $self->{ws}->send($_)
		    for @messages;
		return;
	}
	my $answer = $self->{engine}->post(join "\x1e",
		map { /\Ab:(.*)\z/s ? 'b' . encode_base64($1, '') : $_ }
		@messages);

	$self->{ended} ||= $answer->{status} != 200;
	return;
}

sub listen {
	my ($self, $seconds) = @_;

	if ($self->{ws}) {
		my $message = $self->{ws}->hear($seconds);

		$self->{ended} ||= $message =~ /\AC/ ? $message : 'cut'
		    if $message =~ /\AC/ || $self->{ws}{http}->why =~ /^c/;
		$self->take($message)
		    if $message ne '' && $message !~ /\AC/;
		return;
	}
	my $answer = $self->{engine}->get(seconds => $seconds);

	if ($answer->{status} != 200) {
		$self->{ended} ||= "$answer->{status}";
		return;
	}
	$self->take(/\Ab(.*)\z/s ? 'b:' . decode_base64($1) : $_)
	    for split /\x1e/, $answer->{body};
	return;
}

sub say {
	my ($self, $packet, @attachments) = @_;

	$self->post("4$packet", map { "b:$_" } @attachments);
	return;
}

sub hear {
	my ($self, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);

	$self->listen($deadline - Time::HiRes::time())
	    while !@{ $self->{heard} } && !$self->{ended}
	    && Time::HiRes::time() < $deadline;
	return shift @{ $self->{heard} };
}

sub hears {
	my ($self, $wanted, $seconds) = @_;

	while (defined(my $message = $self->hear($seconds))) {
		return $message if $message =~ $wanted;
	}
	return;
}

sub enter {
	my ($self, $nsp, $auth) = @_;
	my $front = $nsp eq '/' ? '' : "$nsp,";

	$self->say("0$front" . ($auth // ''));
	my $said = $self->hears(qr/^[04]/) // 'nothing';

	return $1 if $said =~ /\A0\Q$front\E\{"sid":"([\w-]{20})"\}\z/;
	die "not let in: $said\n";
}

# The same where it can be recovered: sid and pid.
sub enter_kept {
	my ($self, $nsp, $auth) = @_;
	my $front = $nsp eq '/' ? '' : "$nsp,";

	$self->say("0$front" . ($auth // ''));
	my $said = $self->hear // 'nothing';

	return ($1, $2) if $said
	    =~ /\A0\Q$front\E\{"sid":"([\w-]{20})","pid":"([\w-]{20})"\}\z/;
	die "not let in: $said\n";
}

sub settle {
	my ($self) = @_;
	my $id = 1_000_000 + ++$self->{marks};
	my @heard;

	$self->say("2${id}[\"message-with-ack\"]");
	while (defined(my $message = $self->hear)) {
		return @heard if $message eq "3${id}[]";
		push @heard, $message;
	}
	die "it never answered\n";
}

# Says why, too: C and the code, cut, or what a poll was answered.
sub is_over {
	my ($self, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);

	$self->listen($deadline - Time::HiRes::time())
	    while !$self->{ended} && Time::HiRes::time() < $deadline;
	return $self->{ended};
}

1;
