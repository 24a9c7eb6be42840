# SPDX-License-Identifier: MIT
package T::OwnRedis;

# A Redis of the test's own, that it may hurt: it listens on a port of the
# test's address and on a socket, and may want a password.
#
#	my $redis = T::OwnRedis->start(password => 'secret');
#	T::Server->start(redis_url => $redis->url);
#	$redis->stop;  $redis->spawn;		away, and back on the same port
#	$redis->freeze; $redis->thaw;		deaf, but its connections stay

use strict;
use warnings;
use parent 'T::Redis';
use POSIX ();
use T::Run;
use T::Wait;

my $made = 0;

sub start {
	my ($class, %options) = @_;
	require T::Server;
	my $host = T::Server::own_host();
	my $self = bless {
		prefix   => "own$$-" . ++$made,
		name     => "redis-$$-$made",
		owner    => $$,
		host     => $host,
		port     => T::Server::free_port($host),
		password => $options{password} // '',
	}, $class;

	T::Run::need();
	$self->spawn;
	return $self;
}

sub path { return T::Run::sockets() . "/$_[0]{name}" }

sub url {
	my ($self, $password) = @_;

	$password //= $self->{password};
	return 'redis://' . ($password ne '' ? ":$password@" : '')
	    . "$self->{host}:$self->{port}";
}

sub unix_url {
	my ($self) = @_;

	return 'unix://' . ($self->{password} ne '' ?
		":$self->{password}@" : '') . $self->path;
}

sub spawn {
	my ($self) = @_;

	delete $self->{socket};
	$self->{pid} = T::Run::spawn('own-redis', T::Run::unprivileged('KILL'),
		'redis-server', '--port', $self->{port}, '--bind',
		$self->{host}, '--unixsocket', $self->path,
		'--unixsocketperm', 777, '--save', '', '--appendonly', 'no',
		'--dir', T::Run::folder() . '/data',
		($self->{password} ne '' ?
			('--requirepass', $self->{password}) : ()));
	wait_until {
		eval {
			$self->call('AUTH', $self->{password})
			    if $self->{password} ne '';
			$self->call('PING') eq 'PONG';
		} or delete $self->{socket}, 0;
	} 20 or die "Redis does not start; see own-redis.log\n";
	return;
}

sub pid    { return $_[0]{pid} }
# It returns when it has stopped: the signal alone may come later.
sub freeze {
	my ($self) = @_;

	kill STOP => $self->{pid};
	return wait_until {
		open my $stat, '<', "/proc/$self->{pid}/stat" or return '';
		<$stat> =~ /\) T /;
	};
}

sub thaw   { return kill CONT => $_[0]{pid} }

# Killed, and its sockets with it.
sub stop {
	my ($self) = @_;
	my $pid = delete $self->{pid} // return;

	local $?;
	delete $self->{socket};
	kill KILL => $pid;
	waitpid $pid, 0;
	unlink $self->path;
	return;
}

# Who follows a channel of our prefix.
sub followers {
	my ($self, $channel) = @_;

	return $self->call('PUBSUB', 'NUMSUB', "$self->{prefix}:$channel")
	    ->[1];
}

sub DESTROY {
	my ($self) = @_;

	$self->stop if $self->{owner} == $$;
	return;
}

1;
