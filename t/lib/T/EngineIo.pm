# SPDX-License-Identifier: MIT
package T::EngineIo;

# Clients of Engine.IO, byte by byte: one that polls and one that has a
# WebSocket, each request wherever the test wants it.
#
#	my $e = T::EngineIo->new($server, path => '/engine.io/', worker => 1);
#	$e->open;			# by polling: { sid, upgrades, … }
#	my $answer = $e->get;		# waits for what comes
#	my $http = $e->ask;		# does not: $http->answer, later
#	my $http = $e->held;		# and the server has it already
#	$e->post('4hello')->{status};
#	my $ws = $e->websocket;		# of its session, or without one
#	$ws->send('2probe');
#	$ws->hear;			# '3probe'; 'b:…'; 'C1005'; '' if cut
#
# Every call takes worker => N, for a connection to that worker alone, and
# tls => address. headers => { … } are added to each request.

use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More   ();
use T::Frame;
use T::Http;
use T::Live;
use T::Wait;

my $json = JSON::PP->new->utf8;

sub new {
	my ($class, $server, %options) = @_;

	return bless { server => $server, path => '/engine.io/', %options },
	    $class;
}

sub line {
	my ($self, %options) = @_;
	my %all = (%$self, %options);

	return T::Live::line($self->{server}, map { $_ => $all{$_} }
	    grep { defined $all{$_} } qw(worker tls from));
}

# The address of a request; query => { … } adds, or with undef takes away.
sub target {
	my ($self, $transport, %options) = @_;
	my %query = (
		EIO => 4, transport => $transport,
		(defined $self->{sid} ? (sid => $self->{sid}) : ()),
		%{ $options{query} // {} });

	return $self->{path} . '?' . join '&', map { "$_=$query{$_}" }
	    grep { defined $query{$_} } sort keys %query;
}

sub head {
	my ($self, $method, $target, %headers) = @_;
	my %all = (Host => 'test', %{ $self->{headers} // {} }, %headers);

	return "$method $target HTTP/1.1\r\n"
	    . join('', map { "$_: $all{$_}\r\n" } sort keys %all);
}

# A request on its way.
sub ask {
	my ($self, %options) = @_;
	my $http = $self->line(%options);
	my $body = $options{body};

	$http->send($self->head($options{method} // 'GET',
		$self->target('polling', %options),
		Connection => 'close', %{ $options{headers} // {} },
		(defined $body ? ('Content-Length' => length $body) : ()))
	    . "\r\n" . ($body // ''));
	return $http;
}

# The same, a GET, once the server keeps it waiting.
sub held {
	my ($self, %options) = @_;
	my $before = $self->{server}->count('engineio_polls');
	my $http = $self->ask(%options);

	wait_until { $self->{server}->count('engineio_polls') > $before }
	    or die "no request waits\n";
	return $http;
}

sub request {
	my ($self, %options) = @_;
	my $http = $self->ask(%options);

	return $http->answer(seconds => $options{seconds} // 10)
	    // { status => 0, body => '', headers => {}, why => $http->why };
}

sub get { my ($self, %options) = @_; return $self->request(%options) }

sub post {
	my ($self, $body, %options) = @_;

	return $self->request(method => 'POST', body => $body, %options,
		headers => { 'Content-Type' => 'text/plain;charset=UTF-8',
			%{ $options{headers} // {} } });
}

sub open {
	my ($self, %options) = @_;
	my $answer = $self->get(%options);
	my ($said) = $answer->{body} =~ /\A0(\{.*\})\z/s;

	die "no session: $answer->{status} $answer->{body}\n" if !$said;
	$self->{told} = $json->decode($said);
	$self->{sid}  = $self->{told}{sid};
	return $self->{told};
}

# --- with a WebSocket -------------------------------------------------

sub websocket {
	my ($self, %options) = @_;
	my $http = $self->line(%options);

	$http->send($self->head('GET', $self->target('websocket', %options),
		Connection => 'Upgrade', Upgrade => 'websocket',
		'Sec-WebSocket-Version' => 13,
		'Sec-WebSocket-Key' => encode_base64('x' x 16, ''),
		($options{deflate} ? ('Sec-WebSocket-Extensions' =>
			'permessage-deflate; client_max_window_bits') : ()),
		%{ $options{headers} // {} })
	    . "\r\n" . ($options{behind} // ''));
	my $answer = $http->answer // { status => 0, why => $http->why };
	return bless { http => $http, answer => $answer, heard => [],
		deflate => $options{deflate}, got => '' },
	    'T::EngineIo::Socket';
}

# A WebSocket from the beginning, and its handshake.
sub connect {
	my ($self, %options) = @_;
	my $ws = $self->websocket(%options);
	my ($said) = $ws->hear =~ /\A0(\{.*\})\z/s;

	die "no session: $ws->{answer}{status}\n" if !$said;
	$self->{told} = $ws->{told} = $json->decode($said);
	$self->{sid} = $ws->{told}{sid};
	return $ws;
}

# A session that polled and has a WebSocket now.
sub upgrade {
	my ($self, %options) = @_;
	my $ws = $self->websocket(%options);

	$ws->send('2probe');
	my $said = $ws->hear;
	die "no probe: '$said'\n" if $said ne '3probe';
	$ws->send('5');
	return $ws;
}

package T::EngineIo::Socket;

use strict;
use warnings;
use T::Frame;
use T::Wait;

sub answer { return $_[0]{answer} }
sub status { return $_[0]{answer}{status} }

sub raw { my ($self, $bytes) = @_; return $self->{http}->send($bytes) }

sub send {
	my ($self, $text) = @_;

	return $self->raw($self->{deflate} ? T::Frame::frame(0xc1,
		T::Frame::deflated($text)) : T::Frame::frame(0x81, $text));
}

sub bytes {
	my ($self, $bytes) = @_;

	return $self->raw(T::Frame::frame(0x82, $bytes));
}

# The next frame; pings of WebSocket itself are not used by the server.
sub hear {
	my ($self, $seconds) = @_;
	my $deadline = T::Wait::deadline_in($seconds // 10);
	my $http = $self->{http};

	while (!@{ $self->{heard} }) {
		push @{ $self->{heard} },
		    T::Frame::take_frames(\$http->{got});
		last if @{ $self->{heard} };
		return '' if !$http->more($deadline);
	}
	my $frame = shift @{ $self->{heard} };
	my $payload = $frame->{first} & 0x40
	    ? T::Frame::inflated($frame->{payload}) : $frame->{payload};
	my $kind = $frame->{first} & 15;

	$self->{first} = $frame->{first};
	return 'C' . (T::Frame::close_of($payload))[0] if $kind == 8;
	return "b:$payload" if $kind == 2;
	return $payload;
}

sub is_cut { my ($self, $s) = @_; return $self->{http}->is_cut($s) }

sub leave {
	my ($self) = @_;

	$self->raw(T::Frame::frame(0x88, ''));
	return;
}

sub hang_up {
	my ($self) = @_;
	my $pid = delete $self->{http}{tls};

	$self->{http}->close;
	if ($pid) {
		local $?;
		kill KILL => $pid;
		waitpid $pid, 0;
	}
	return;
}

sub DESTROY {
	my ($self) = @_;

	local ($?, $@, $!);
	$self->hang_up if $self->{http} && $self->{http}{tls};
	return;
}

1;
