# SPDX-License-Identifier: MIT
package T::OwnPostgres;

# A PostgreSQL of the test's own, migrated, that it may hurt. What it has
# committed it keeps, however it is killed.
#
#	my $postgres = T::OwnPostgres->start;
#	T::Server->start(quickstart => 1, set => {
#	    database_url => $postgres->url });	 nothing else is run's
#	$postgres->kill9;	all of it, at once
#	$postgres->crash;	a backend of it, so that it recovers in place
#	kill STOP => $postgres->backend;
#	$postgres->spawn;	again, as soon as nothing of it is left
#	$postgres->query($sql);	undef where it cannot be asked

use strict;
use warnings;
use POSIX ();
use T::Run;
use T::Wait;

my $made = 0;

sub start {
	my ($class) = @_;
	my $name = "pg$$-" . ++$made;
	my $self;

	T::Run::need();
	$self = bless {
		owner   => $$,
		name    => $name,
		data    => T::Run::folder() . "/data/$name",
		sockets => T::Run::sockets() . "/$name",
	}, $class;
	mkdir $self->{sockets} or die "$self->{sockets}: $!\n";
	chmod 01777, $self->{sockets};
	T::Run::finishes($name, T::Run::unprivileged('KILL'),
		T::Run::postgres_bin() . '/initdb', '-D', $self->{data},
		qw(-A trust -U postgres --no-sync -E UTF8
		--locale=C.UTF-8));
	$self->spawn;
	wait_until { defined $self->query('SELECT 1', 'postgres') } 30
	    or die "PostgreSQL does not start; see $name.log\n";
	$self->make_database;
	return $self;
}

sub make_database {
	my ($self) = @_;
	my ($login, $owner) = @T::Run::roles;

	$self->query($_, 'postgres') // die "no database\n"
	    for "CREATE ROLE $owner LOGIN CREATEROLE",
	    "CREATE ROLE $login LOGIN NOINHERIT",
	    "CREATE DATABASE partyline OWNER $owner";
	T::Run::migrate($self->url($owner));
	$self->query("GRANT partyline_server, partyline_fleet TO $login");
	return;
}

sub url {
	my ($self, $role) = @_;

	return T::Run::url('partyline', $role // $T::Run::roles[0],
		$self->{sockets});
}

# As somebody who may do all.
sub query {
	my ($self, $sql, $database) = @_;
	my @command = (T::Run::postgres_bin() . '/psql',
		qw(-X -q -A -t -w -v ON_ERROR_STOP=1 -U postgres),
		'-h', $self->{sockets}, '-d', $database // 'partyline',
		'-c', $sql);

	open my $out, '-|', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh',
	    @command or die "psql: $!\n";
	my $answer = do { local $/; <$out> } // '';
	local $?;
	close $out or return undef;
	$answer =~ s/\n\z//;
	return $answer;
}

# Its answers would be lost by a crash if it said them before it wrote them;
# but the machine stays.
sub spawn {
	my ($self) = @_;

	return if $self->is_running;
	$self->{pid} = T::Run::spawn($self->{name},
		T::Run::unprivileged('INT'),
		T::Run::postgres_bin() . '/postgres', '-D', $self->{data},
		map { ('-c', $_) } 'listen_addresses=',
		"unix_socket_directories=$self->{sockets}", 'fsync=off',
		'full_page_writes=off', 'max_connections=100',
		'shared_buffers=32MB', 'timezone=UTC');
	return;
}

# A start may fail as long as something of the former one is left.
sub is_running {
	my ($self) = @_;

	return '' if !$self->{pid};
	local $?;
	return 1  if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
	delete $self->{pid};
	return '';
}

sub kill9 {
	my ($self) = @_;

	return if !$self->is_running;
	kill KILL => $self->{pid};
	wait_until { !$self->is_running };
	return;
}

# It ends all connections and goes; somebody has to spawn it again.
sub quit {
	my ($self) = @_;

	kill INT => $self->{pid} if $self->is_running;
	return;
}

# One of its clients' processes.
sub backend {
	my ($self) = @_;

	return $self->query('SELECT pid FROM pg_stat_activity WHERE '
		. q{backend_type = 'client backend' AND pid <>
		pg_backend_pid() ORDER BY random() LIMIT 1}, 'postgres')
	    || undef;
}

sub crash {
	my ($self) = @_;
	my $pid = $self->backend;

	kill KILL => $pid if $pid;
	return;
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$;
	local ($?, $@, $!);
	$self->quit;
	wait_until { !$self->is_running } 10 or $self->kill9;
	return;
}

1;
