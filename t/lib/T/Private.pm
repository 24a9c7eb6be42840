# SPDX-License-Identifier: MIT
package T::Private;

# A server with its own PostgreSQL and Redis, and a look at these two.
#
#	my $server = T::Private->start(workers => 1);
#	kill KILL => $server->postgres_pid;
#	is($server->sql('SELECT count(*) FROM thing'), 3);
#	is($server->part('postgres'), 'ok');

use strict;
use warnings;
use parent 'T::Server';
use JSON::PP ();
use T::Run;
use T::Wait;

sub prepare {
	my ($class, %options) = @_;

	return $class->SUPER::prepare(workers => 1, quickstart => 1, %options);
}

sub start {
	my ($class, %options) = @_;

	my $self = $class->SUPER::start(wait => 'readyz', seconds => 60,
		%options);

	$self->wait_for_log(qr/"server ready"/) if $options{wait} // 1;
	return $self;
}

# Starts it again after its end, however that was.
sub start_again {
	my ($self) = @_;
	my $mark = $self->log_mark;

	# A worker of the former one may still answer.
	$self->spawn;
	return 0 if !wait_until {
		!$self->is_running
		    || $self->log_since($mark) =~ /"server ready"/
	} 60;
	return $self->wait_ready('readyz', 60);
}

sub server_pid {
	my ($self, $title) = @_;
	my ($found) = grep { $_->{title} =~ $title } $self->processes;

	return $found && $found->{pid};
}

sub postgres_pid { return $_[0]->server_pid(qr{/postgres -D}) }
sub redis_pid    { return $_[0]->server_pid(qr{redis-server}) }

# Of all processes that work below its state folder: pid => title.
sub workers_below {
	my ($self) = @_;
	my $below = $self->state_dir;
	my %found;

	for my $path (glob '/proc/[0-9]*') {
		my $folder = readlink "$path/cwd" // next;
		my $title = T::Command::slurp("$path/cmdline") =~ tr/\0/ /r;

		$found{ substr $path, 6 } = $title
		    if $title ne '' && $folder =~ m{^\Q$below\E/};
	}
	return \%found;
}

# As its owner; undef where it cannot be had.
sub sql {
	my ($self, $sql) = @_;
	my @command = (T::Run::source() . '/packaging/psql',
		$self->state_dir, '-XAtqw', '-v', 'ON_ERROR_STOP=1',
		'-c', $sql);

	open my $out, '-|', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh', @command
	    or die "psql: $!\n";
	local $/;
	my $answer = <$out>;
	close $out or return undef;
	$answer =~ s{\n\z}{};
	return $answer;
}

# What /readyz says of one of its parts.
sub part {
	my ($self, $name) = @_;
	my $answer = eval { $self->get('/readyz') } // return '';

	return JSON::PP::decode_json($answer->{body})->{parts}{$name} // '';
}

sub becomes {
	my ($self, $name, $state, $seconds) = @_;

	return wait_until { $self->part($name) eq $state } $seconds // 20;
}

1;
