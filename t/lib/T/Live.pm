# SPDX-License-Identifier: MIT
package T::Live;

# A client of /api/sessions/live: it says what it is told to, and keeps all
# that it hears. Pings and closes of the server it answers, as clients do.
#
#	my $ann = T::Live->enter($server, worker => 2);	 an admin, signed in
#	my $bot = T::Live->enter($server, role => 'bot', tenant => 'den');
#	my $raw = T::Live->connect($server, deflate => 1); nobody yet
#	is($ann->follow(17, since => 41)->{type}, 'subscribed');
#	$ann->say({ type => 'ping' });	$ann->send($bytes);
#	is($ann->hears('session.ended')->{seq}, 42);
#	is_deeply([$ann->numbers('session:17')], [42 .. 50]);
#	are_same([$ann->events('session:17')], \@logged, 'all of it');
#	is_closed($ann, 4003, 'revoked');
#
# connect takes what T::Client->new takes (worker, tenant), and: headers of
# the request, answers => 0 for a client that answers nothing, tls => the
# address where openssl's client is to connect, from => its own address.
# Without a 101 there is no connection: answer() says what came instead.
#
# Holds always:
#  1. What hears() did not look for stays in what was heard. It goes on
#     behind what it found last.
#  2. settle() comes back when all that the server had to say to this
#     connection by then was heard.

use strict;
use warnings;
use Exporter     'import';
use IO::Select;
use JSON::PP     ();
use POSIX        ();
use Socket       qw(AF_UNIX SOCK_STREAM);
use Test::More   ();
use Time::HiRes  qw(time);
use T::AsyncApi;
use T::Client;
use T::Evidence;
use T::Frame;
use T::Http;
use T::Table;
use T::Wait;

our @EXPORT = qw(are_same is_closed settled);
our $path   = '/api/sessions/live';

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub handshake {
	my (%options) = @_;
	my %headers = (
		Host                    => 'test',
		Upgrade                 => 'websocket',
		Connection              => 'Upgrade',
		'Sec-WebSocket-Version' => 13,
		'Sec-WebSocket-Key'     => 'dGhlIHNhbXBsZSBub25jZQ==',
		($options{deflate} ? ('Sec-WebSocket-Extensions'
			=> 'permessage-deflate') : ()),
		%{ $options{headers} // {} }
	);
	my $slug = $options{tenant} // 'default';

	return 'GET ' . ($slug eq 'default' ? '' : "/t/$slug") . $path
	    . ' HTTP/' . ($options{version} // '1.1') . "\r\n"
	    . join('', map { "$_: $headers{$_}\r\n" }
		grep { defined $headers{$_} } sort keys %headers) . "\r\n";
}

# A line to the server as it is wished.
sub line {
	my ($server, %options) = @_;

	$server->{is_serving} //= T::Client::wait_for_workers($server) // 1;
	return tls_line($options{tls}) if $options{tls};
	return T::Http->connect($server, from => $options{from})
	    if !defined $options{worker};
	return T::Client->new($server, role => undef,
		worker => $options{worker}, from => $options{from})->http;
}

# openssl's client, on one socket.
sub tls_line {
	my ($address) = @_;

	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, 0
	    or die "socketpair: $!\n";
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN,  '<&', $theirs;
		open STDOUT, '>&', $theirs;
		open STDERR, '>',  '/dev/null';
		my @words = ("setpriv", "--pdeathsig", "KILL", "openssl",
			"s_client", "-connect", $address, "-quiet",
			"-verify_quiet");

		exec { $words[0] } @words or POSIX::_exit(127);
	}
	binmode $ours;
	return bless { socket => $ours, got => '', why => '', tls => $pid },
	    'T::Http';
}

sub connect {
	my ($class, $server, %options) = @_;
	my $http = line($server, %options);
	my $self = bless {
		server  => $server,
		http    => $http,
		answers => $options{answers} // 1,
		tenant  => $options{tenant} // 'default',
		role    => $options{role},
		heard   => [], pings => [], pongs => [], at => 0,
		parts   => '',
	}, $class;

	$http->send(handshake(%options) . ($options{behind} // ''));
	$self->{answer} = $http->answer // { status => 0, headers => {},
		body => '', why => $http->why };
	$self->{is_open} = $self->{answer}{status} == 101;
	return $self;
}

sub token_for {
	my ($server, %options) = @_;

	return $options{token} // T::Client::token($server,
		$options{tenant} // 'default', role => $options{role}
		// 'admin', name => $options{name} // 'Ann',
		%{ $options{claims} // {} });
}

sub enter {
	my ($class, $server, %options) = @_;
	my $self = $class->connect($server, %options);

	die "not let in: $self->{answer}{status} $self->{answer}{body}\n"
	    if !$self->is_open;
	$self->{auth} = $self->sign_in(token_for($server, %options),
		defined $options{since} ? (since => $options{since}) : ());
	die "not signed in: " . ($self->why // 'nothing came') . "\n"
	    if !$self->{auth};
	return $self;
}

# auth_success, auth_error, error; or undef.
sub sign_in {
	my ($self, $token, %more) = @_;

	$self->say({ type => 'auth', token => $token, %more });
	return $self->hears(qr/^(?:auth_|error$)/);
}

# subscribed, or error; or undef.
sub follow {
	my ($self, $session, %more) = @_;

	$self->say({ type => 'subscribe', sessionId => $session, %more });
	return $self->hears(qr/^(?:subscribed|error)$/);
}

sub answer { return $_[0]{answer} }

sub send {
	my ($self, $bytes) = @_;

	return $self->{http}->send($bytes);
}

# A reference becomes JSON; bytes go as they are.
sub say {
	my ($self, $message) = @_;

	return $self->send(frame(0x81, ref $message
		? $json->encode($message) : $message));
}

# --- hearing ---------------------------------------------------------------

sub take_message {
	my ($self, $frame) = @_;
	my $payload = $frame->{payload};

	if ($frame->{first} & 0x40) {
		$payload = inflated($payload) // die "not compressed\n";
		$self->{inflated}++;
	}
	my ($type) = $payload =~ /\A\{"type":"([^"\\]*)"/;

	T::AsyncApi::received($payload);
	push @{ $self->{heard} }, [$type // '', $payload];
	$self->{last}{$1} = $2
	    if $payload =~ /\A\{"type":"[^"]+","stream":"([^"]+)","seq":(\d+)/;
	return;
}

sub take {
	my ($self, $frame) = @_;
	my $kind = $frame->{first} & 15;

	# What only settle() wants to know.
	if ($frame->{payload} =~ /Unknown message type: settled (\d+)"/) {
		$self->{settled} = $1;
		return;
	}
	push @{ $self->{frames} }, $frame if $self->{frames};
	if ($kind == 8) {
		@$self{qw(code reason)} = close_of($frame->{payload});
		T::AsyncApi::closed(@$self{qw(code reason)});
		$self->send(frame(0x88, $frame->{payload}))
		    if $self->{answers};
	} elsif ($kind == 9) {
		push @{ $self->{pings} }, $frame->{payload};
		$self->send(frame(0x8a, $frame->{payload}))
		    if $self->{answers};
	} elsif ($kind == 10) {
		push @{ $self->{pongs} }, $frame->{payload};
	} else {
		$self->take_message($frame);
	}
	return;
}

# Takes in what comes until then, at least once; false: nothing did.
sub listen {
	my ($self, $deadline) = @_;
	my $http = $self->{http};
	my $came = $self->{is_open}
	    && $http->more($deadline // time + 0.0001);

	$self->take($_) for take_frames(\$http->{got});
	$self->{is_open} = '' if !$came && $http->why =~ /^c/;
	return $came;
}

# Until the condition is true, while something may come.
sub wait_for {
	my ($self, $condition, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);

	for (;;) {
		my $value = $condition->();

		return $value if $value || !$self->{is_open}
		    || !$self->listen($deadline) && time > $deadline;
	}
}

sub fits {
	my ($wanted, $heard) = @_;

	return ref $wanted eq 'Regexp' ? $heard->[0] =~ $wanted
	    : ref $wanted ? $wanted->($json->decode($heard->[1]))
	    : $heard->[0] eq $wanted;
}

# The next message of a type, of types that fit, or of which a function says
# so; or undef.
sub hears {
	my ($self, $wanted, $seconds) = @_;
	my $found = $self->wait_for(sub {
		while ($self->{at} < @{ $self->{heard} }) {
			my $heard = $self->{heard}[ $self->{at}++ ];

			return $heard if fits($wanted, $heard);
		}
		return;
	}, $seconds);

	return $found && $json->decode($found->[1]);
}

# All of a type so far.
sub heard {
	my ($self, $wanted) = @_;

	return map { $json->decode($_->[1]) }
	    grep { !defined $wanted || fits($wanted, $_) }
	    @{ $self->{heard} };
}

sub types { return map { $_->[0] } @{ $_[0]{heard} } }

# Envelopes of a stream's numbered events, as they came.
sub events {
	my ($self, $stream) = @_;

	return grep { /\A\{"type":"[^"]+","stream":"\Q$stream\E","seq":/ }
	    map { $_->[1] } @{ $self->{heard} };
}

# Events, of which only the first that differs is shown, and not all of it.
sub are_same {
	my ($got, $expected, $name) = @_;
	my $at = 0;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$at++ while $at < @$got && $at < @$expected
	    && $got->[$at] eq $expected->[$at];
	return Test::More::pass($name)
	    if $at == @$got && $at == @$expected;
	Test::More::fail($name);
	Test::More::diag(sprintf "%d and not %d; number %d is\n%.200s\nnot\n"
		. '%.200s', scalar @$got, scalar @$expected, $at,
		$got->[$at] // 'none', $expected->[$at] // 'none');
	return '';
}

sub numbers {
	my ($self, $stream) = @_;

	return map { /"seq":(\d+)/ ? 0 + $1 : () } $self->events($stream);
}

# Waits until the stream's number came.
sub reaches {
	my ($self, $stream, $seq, $seconds) = @_;

	return $self->wait_for(sub { ($self->{last}{$stream} // -1) >= $seq },
		$seconds);
}

# Waits until all that was said before was answered; false: it never was.
sub is_through {
	my ($self, $seconds) = @_;
	my $mark = ++$self->{marks};

	$self->say({ type => "settled $mark" });
	return $self->wait_for(sub { ($self->{settled} // 0) == $mark },
		$seconds);
}

# The answer to its ping, or undef.
sub settle {
	my ($self, $seconds) = @_;

	$self->say({ type => 'ping' });
	$self->is_through($seconds) or return undef;
	my ($last) = grep { $_->[0] eq 'pong' } reverse @{ $self->{heard} };
	return $json->decode($last->[1]);
}

sub settled { $_->settle or return '' for @_; return 1 }

# --- its end -----------------------------------------------------------------

sub is_open { return $_[0]{is_open} && !defined $_[0]{code} }

# What ended it, in words.
sub why {
	my ($self) = @_;

	return "closed with $self->{code} $self->{reason}"
	    if defined $self->{code};
	return $self->{is_open} ? undef : $self->{http}->why;
}

# The code that the server closes with; or undef.
sub code {
	my ($self, $seconds) = @_;

	$self->wait_for(sub { defined $self->{code} }, $seconds);
	T::Evidence::record(close => $1)
	    if ($self->{reason} // '') =~ /"code":"(\w+)"/;
	return $self->{code};
}

sub reason {
	my ($self) = @_;

	return eval { $json->decode($self->{reason}) } // {};
}

# Closed for a reason of the table, and the connection after it.
sub is_closed {
	my ($self, $number, $code, %options) = @_;
	my ($row) = grep { $_->{name} eq $code } T::Table->rows('closes');
	my $name = $options{name} // "closed: $code";

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $is_fine = Test::More::is($self->code($options{seconds}),
		$number, "$name, $number");
	my %reason = %{ $self->reason };
	my $later  = delete $reason{retry_after_ms};
	$is_fine &= Test::More::is_deeply([$row->{number}, \%reason],
		[$number, { code => $code, again => $row->{again} }],
		"$name: machines can read why");
	$self->wait_for(sub { !$self->{is_open} });
	$is_fine &= Test::More::ok(!$self->{is_open},
		"$name: and the connection");
	return $is_fine ? $later // -1 : undef;
}

# Says goodbye, and waits for the server's.
sub leave {
	my ($self) = @_;

	if ($self->is_open) {
		$self->{answers} = 0;
		$self->send(frame(0x88, close_payload(1000)));
		$self->code;
	}
	$self->hang_up;
	return;
}

# Without a word.
sub hang_up {
	my ($self) = @_;
	my $pid = delete $self->{http}{tls};

	$self->{http}->close;
	$self->{is_open} = '';
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
