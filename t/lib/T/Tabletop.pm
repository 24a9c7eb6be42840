# SPDX-License-Identifier: MIT
package T::Tabletop;

# Who plays at a tabletop: a user who has logged in, and his socket.
#
#	my ($ann, $bert) = T::Tabletop::users($server, qw(Ann Bert));
#	$ann->{id}, $ann->{cookie}, $ann->{client}	T::Client, nobody's
#	my $made = $ann->post('/api/tabletop/sessions', { name => 'Den' });
#	my $player = $ann->player(worker => 2);		T::SocketIo's options
#	my $answer = $player->ask('join-session', 1);	the ack's argument
#	$player->emit('move', {…});
#	is_deeply([$player->told('user-joined')], [{…}]);	arguments
#	is_deeply([$player->events], [['move', {…}]]);	all until now
#	my $player = $ann->player(recovered => 1);	it has a pid,
#	ok($player->come_back($ann, $two));		and is the same again
#
# Holds always:
#  1. What came while something else was waited for stays to be told, in
#     order.
#  2. events() comes back when what this socket said before was worked on.

use strict;
use warnings;
use JSON::PP ();
use T::Client;
use T::SocketIo;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub make {
	my ($server, $name, %options) = @_;
	my $admin = T::Client->new($server, tenant => $options{tenant}
		// 'default');
	my $made = $admin->post('/api/tabletop/users', { name => $name,
		password => "$name!", isAdmin => $options{admin} ? \1 : \0 });

	$made->{status} == 201 or die "no user: $made->{body}\n";
	my $self = bless { server => $server, id => $made->{json}{id},
		name => $name, client => T::Client->new($server,
			role => undef, tenant => $options{tenant}
			// 'default') }, 'T::Tabletop';

	return $self->login;
}

sub users {
	my ($server, @names) = @_;

	return map { make($server, $_) } @names;
}

sub login {
	my ($self) = @_;
	my $answer = $self->{client}->post('/api/tabletop/login',
		{ name => $self->{name}, password => "$self->{name}!" });

	($self->{cookie}) = ($answer->{headers}{'set-cookie'} // '')
	    =~ /\A(connect\.sid=[^;]+)/ or die "no login: $answer->{body}\n";
	return $self;
}

sub request {
	my ($self, $method, $path, $body, @headers) = @_;

	return $self->{client}->request($method, $path, $body,
		Cookie => $self->{cookie}, @headers);
}

for my $method (qw(post patch)) {
	no strict 'refs';
	*$method = sub { my $self = shift; $self->request($method, @_) };
}
for my $method (qw(get delete)) {
	no strict 'refs';
	*$method = sub {
		my ($self, $path, @headers) = @_;

		return $self->request($method, $path, undef, @headers);
	};
}

# Its socket, let in.
sub player {
	my ($self, %options) = @_;
	my $recovered = delete $options{recovered};
	my $socket = T::SocketIo->connect($self->{server}, headers => {
		Cookie => $self->{cookie} }, %options);
	my ($sid, $pid) = $recovered ? $socket->enter_kept('/')
	    : $socket->enter('/');

	return bless { socket => $socket, sid => $sid, pid => $pid,
		came => [], asked => 0 }, 'T::Tabletop::Player';
}

package T::Tabletop::Player;

use T::Wait;

# With what it has, or is given, at this server.
sub come_back {
	my ($self, $user, $server, %options) = @_;
	my $sid  = $self->{sid};
	my %auth = (pid => $self->{pid}, offset => $self->{offset});

	delete $auth{offset} if !defined $auth{offset};
	$self->{socket} = T::SocketIo->connect($server, headers => {
		Cookie => $user->{cookie} }, %options);
	@$self{qw(sid pid)} = $self->{socket}->enter_kept('/',
		$json->encode(\%auth));
	return $self->{sid} eq $sid;
}

sub emit {
	my ($self, @what) = @_;

	$self->{socket}->say('2' . $json->encode(\@what));
	return;
}

# The next message: [id, answer] or [name, arguments…].
sub next {
	my ($self, $seconds) = @_;
	my $message = $self->{socket}->hear($seconds) // return;
	my ($kind, $id, $payload) = $message =~ /\A([23])(\d*)(\[.*)\z/s
	    or return ['?', $message];

	$payload = $json->decode($payload);
	$self->{offset} = pop @$payload if $kind eq '2' && $self->{pid}
	    && $payload->[-1] =~ /\A[0-9a-f]{8}(?: \d+:[\w-]+:\d+)*\z/;
	return $kind eq '3' ? [\$id, @$payload] : $payload;
}

sub ask {
	my ($self, @what) = @_;
	my $id = ++$self->{asked};

	$self->{socket}->say("2$id" . $json->encode(\@what));
	while (my $came = $self->next(10)) {
		return $came->[1] if ref $came->[0] && ${ $came->[0] } == $id;
		push @{ $self->{came} }, $came;
	}
	return;
}

# The first one of this name that comes in time: its arguments.
sub told {
	my ($self, $name, $seconds) = @_;
	my $came = $self->{came};
	my $deadline = deadline_in($seconds // 10);

	while (1) {
		for my $i (0 .. $#$came) {
			next if $came->[$i][0] ne $name;
			my (undef, @arguments) = @{ splice @$came, $i, 1 };
			return wantarray ? @arguments : $arguments[0];
		}
		my $left = $deadline - Time::HiRes::time();
		my $next = $left > 0 ? $self->next($left) : undef;
		return if !$next;
		push @$came, $next;
	}
}

sub events {
	my ($self) = @_;

	$self->ask('get-user-data');
	return splice @{ $self->{came} };
}

1;
