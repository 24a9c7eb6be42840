# SPDX-License-Identifier: MIT
package T::Rounds;

# Clients of Socket.IO that come, join, leave and go, as often as wanted: by
# polling, by WebSocket and across the change, to the namespaces of the
# picker, the tabletop and threads, and with each way to end. Several
# processes at once, each of which is one client after the other.
#
#	my $rounds = T::Rounds->new($server, session => 17, den => 3,
#		cookie => $ann->{cookie}, token => $token);
#	is_deeply([$rounds->run(2000)], []);	what went wrong
#
# session: of the picker; den: of the tabletop, which the cookie's user may
# join; the token follows the session.

use strict;
use warnings;
use POSIX ();
use T::Frame;
use T::Http;
use T::Wait;

my $children = 4;
my @ways = qw(websocket polling upgrade);
my @ends = qw(says leaves breaks);

sub new {
	my ($class, $server, %of) = @_;

	return bless { server => $server, %of }, $class;
}

# Each application's: what is said, and the answer that has to come first
# before the next is.
sub scripts {
	my ($self) = @_;

	return (
		{ front => '/live,', auth => qq({"token":"$self->{token}"}),
			first => qr/^42\/live,\["subscribed",/, steps => [
			[qq(2/live,1["subscribe",$self->{session}]),
				qr/^43\/live,1\[\{"success":true/],
			[qq(2/live,2["unsubscribe",$self->{session}]),
				qr/^43\/live,2\[\{"success":true/]] },
		{ front => '', auth => '', cookie => $self->{cookie},
			steps => [[qq(21["join-session",$self->{den}]),
				qr/^431\[\{"success":true/],
			[qq(22["leave-session",$self->{den}]),
				qr/^432\[\{"success":true/]] },
		{ front => '', auth => '',
			steps => [['2["register_session",{"thread_id":"t"}]',
				qr/^42\["session_registered",/],
			['21["ping",{}]', qr/^431\[\{"pong":true/]] });
}

# Rounds in all; the words of those processes that gave up.
sub run {
	my ($self, $count) = @_;
	my (@pids, @wrong);

	for my $child (1 .. $children) {
		pipe my $out, my $in or die "pipe: $!\n";
		my $pid = fork // die "fork: $!\n";

		if ($pid == 0) {
			eval { $self->go($child, $count); 1 }
			    or print $in "client $child: $@";
			close $in;
			POSIX::_exit(0);
		}
		close $in;
		push @pids, [$pid, $out];
	}
	for my $child (@pids) {
		push @wrong, readline $child->[1];
		waitpid $child->[0], 0;
	}
	return @wrong;
}

sub go {
	my ($self, $child, $count) = @_;
	my @scripts = $self->scripts;

	for (my $n = $child; $n <= $count; $n += $children) {
		my $k = int $n / $children;
		my $round = bless {
			%$self,
			script => $scripts[$k % 3],
			way    => $ways[$k / 3 % 3],
			end    => $ends[$k / 9 % 3],
			heard  => [],
		}, ref $self;

		eval { $round->once; 1 } or die "round $n, $round->{way}, "
		    . "$round->{end}, '$round->{script}{front}': $@";
	}
	return;
}

sub once {
	my ($self) = @_;
	my $script = $self->{script};
	my $front  = $script->{front};

	$self->{way} eq 'websocket' ? $self->connect : $self->open;
	$self->say("40$front$script->{auth}");
	$self->hear(qr/^40\Q$front\E\{"sid"/);
	$self->upgrade if $self->{way} eq 'upgrade';
	$self->hear($script->{first}) if $script->{first};
	for my $step (@{ $script->{steps} }) {
		$self->say("4$step->[0]");
		$self->hear($step->[1]);
	}
	$self->say("41$front") if $self->{end} eq 'says';
	$self->{ws} ? $self->go_by_socket : $self->go_by_request;
	return;
}

# Waits until this was heard; what else was stays.
sub hear {
	my ($self, $wanted) = @_;
	my $deadline = deadline_in(20);

	for (;;) {
		my $heard = $self->{heard};

		for my $n (0 .. $#$heard) {
			return splice @$heard, $n, 1 if $heard->[$n] =~ $wanted;
			die "told $heard->[$n]\n"
			    if $heard->[$n] =~ /^(?:1|44)/;
		}
		$self->{ws} ? $self->read_frames($deadline) : $self->get;
	}
}

sub say {
	my ($self, @packets) = @_;

	if ($self->{ws}) {
		$self->{ws}->send(join '', map { frame(0x81, $_) } @packets);
	} else {
		$self->post(join "\x1e", @packets);
	}
	return;
}

# --- requests -----------------------------------------------------------

sub head {
	my ($self, $method, $transport, @more) = @_;

	return join "\r\n", "$method /socket.io/?EIO=4&transport=$transport"
	    . (defined $self->{sid} ? "&sid=$self->{sid}" : '') . ' HTTP/1.1',
	    'Host: test', ($self->{script}{cookie}
	    ? "Cookie: $self->{script}{cookie}" : ()), @more, '', '';
}

sub ask {
	my ($self, $bytes) = @_;
	my $http = $self->{http} //= T::Http->connect($self->{server});

	$http->send($bytes);
	my $answer = $http->answer(seconds => 20) // die $http->why, "\n";
	die "$answer->{status} $answer->{body}\n" if $answer->{status} != 200;
	return $answer->{body};
}

sub open {
	my ($self) = @_;

	($self->{sid}) = $self->ask($self->head('GET', 'polling'))
	    =~ /\A0\{"sid":"([^"]+)"/ or die "no handshake\n";
	return;
}

sub get {
	my ($self) = @_;

	push @{ $self->{heard} }, split /\x1e/,
	    $self->ask($self->head('GET', 'polling'));
	return;
}

sub post {
	my ($self, $body) = @_;

	$self->ask($self->head('POST', 'polling', 'Content-Type: text/plain',
		'Content-Length: ' . length $body) . $body);
	return;
}

# By a packet, or by a request that waits and is cut: nothing is on its way to
# it any more.
sub go_by_request {
	my ($self) = @_;

	if ($self->{end} ne 'breaks') {
		$self->post('1');
	} else {
		$self->{http}->send($self->head('GET', 'polling'));
	}
	$self->{http}->close;
	return;
}

# --- a WebSocket --------------------------------------------------------

sub begin {
	my ($self) = @_;
	my $ws = T::Http->connect($self->{server});

	$ws->send($self->head('GET', 'websocket', 'Connection: Upgrade',
		'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
		'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='));
	my $answer = $ws->answer(seconds => 20) // die $ws->why, "\n";
	die "no 101: $answer->{status}\n" if $answer->{status} != 101;
	$self->{ws} = $ws;
	return;
}

sub read_frames {
	my ($self, $deadline) = @_;
	my $ws = $self->{ws};
	my @frames;

	while (!(@frames = take_frames(\$ws->{got}))) {
		$ws->more($deadline) or die $ws->why, "\n";
	}
	for my $frame (@frames) {
		die "closed\n" if $frame->{first} == 0x88;
		push @{ $self->{heard} }, $frame->{payload};
	}
	return;
}

sub connect {
	my ($self) = @_;

	$self->begin;
	$self->hear(qr/^0\{"sid"/);
	return;
}

sub upgrade {
	my ($self) = @_;

	$self->begin;
	$self->say('2probe');
	$self->hear(qr/^3probe\z/);
	$self->say('5');
	(delete $self->{http})->close;
	return;
}

sub go_by_socket {
	my ($self) = @_;
	my $ws = $self->{ws};

	if ($self->{end} eq 'says') {
		$self->say('1');
	} elsif ($self->{end} eq 'leaves') {
		$ws->send(frame(0x88, pack 'n', 1000));
		$ws->is_cut(20) or die "no end\n";
	}
	$ws->close;
	return;
}

1;
