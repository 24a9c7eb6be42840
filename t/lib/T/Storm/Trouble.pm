# SPDX-License-Identifier: MIT
package T::Storm::Trouble;

# What happens in a storm: workers, relays, Redis, PostgreSQL and whole hosts
# are killed, paused, reloaded and started again; streams get other epochs and
# forget; clients hang up, change their minds and sleep.
#
#	my $trouble = T::Storm::Trouble->new($storm);
#	$trouble->plan(8);		by $storm->later, for so many seconds
#
# Holds always: what is stopped, frozen or away comes back by an entry of the
# storm's plan, so that nothing stays hurt where the plan is empty.

use strict;
use warnings;
use List::Util   ();
use Scalar::Util qw(weaken);
use T::Run;

sub new {
	my ($class, $storm) = @_;

	my $self = bless { storm => $storm, owner => $$, stopped => {} },
	    $class;

	weaken $self->{storm};
	return $self;
}

sub count  { $_[0]{storm}{count}{kills}++; return }
sub one_of { return $_[rand @_] }
sub note   { my $self = shift; return $self->{storm}->note(@_) }
sub later  { my $self = shift; return $self->{storm}->later(@_) }
sub client { return one_of(@{ $_[0]{storm}{clients} }) }

sub session { return 'session:' . one_of(@{ $_[0]{storm}{sessions} }) }

sub kill_one {
	my ($self, $role, $signal) = @_;
	my $pid = one_of($self->{storm}->host->pids($role)) // return;

	kill $signal => $pid;
	$self->note("a $role gets $signal");
	$self->count if $signal eq 'KILL';
	return $pid;
}

# It hears and says nothing for a while.
sub pause_for {
	my ($self, $pid, $seconds) = @_;

	kill STOP => $pid;
	$self->{stopped}{$pid} = 1;
	$self->later($seconds, sub {
		kill CONT => $pid;
		delete $self->{stopped}{$pid};
	});
	return;
}

sub stop_one {
	my ($self, $role) = @_;
	my $pid = $self->kill_one($role, 'STOP') // return;

	$self->pause_for($pid, 0.2 + rand 2);
	return;
}

sub hurt_redis {
	my ($self) = @_;
	my $redis = $self->{storm}{redis};

	if (!$redis->pid || $self->{frozen}) {
		return;
	} elsif (rand() < 0.5) {
		$self->note('Redis is killed');
		$self->count;
		$redis->stop;
		$self->later(0.1 + rand 2, sub { $redis->spawn });
	} else {
		$self->note('Redis is deaf');
		$redis->freeze;
		$self->{frozen} = $redis;
		$self->later(0.3 + rand 4, sub {
			$redis->thaw;
			delete $self->{frozen};
		});
	}
	return;
}

# All the time: what hosts do not tell each other, they find.
sub without_redis {
	my ($self) = @_;

	$self->note('Redis is gone');
	$self->{storm}{redis}->stop;
	return;
}

# Until it answers again. What is left of the former one goes by itself; one
# that is told to go may take its time, and has to be raised all the same.
sub raise_postgres {
	my ($self) = @_;
	my $postgres = $self->{storm}{postgres};

	$postgres->spawn;
	if (defined $postgres->query('SELECT 1')) {
		delete $self->{is_raising};
	} else {
		$self->later(0.2, sub { $self->raise_postgres });
	}
	return;
}

sub hurt_postgres {
	my ($self) = @_;
	my $how = rand;

	return if $self->{is_raising};
	$self->count;
	if ($how < 0.4) {
		$self->note('PostgreSQL is killed');
		$self->{storm}{postgres}->kill9;
	} elsif ($how < 0.55) {
		$self->note('PostgreSQL restarts');
		$self->{storm}{postgres}->quit;
	} elsif ($how < 0.8) {
		# Whatever it does: perhaps it holds the lock of a stream.
		$self->note('a backend of PostgreSQL stops');
		my $pid = $self->{storm}{postgres}->backend // return;
		$self->pause_for($pid, 0.1 + rand 1.5);
		return;
	} else {
		$self->note('PostgreSQL loses a backend');
		$self->{storm}{postgres}->crash;
		return;
	}
	$self->{is_raising} = 1;
	$self->later(0.05 + rand 1, sub { $self->raise_postgres });
	return;
}

# Told before it is done: whoever hears of it may have heard in between.
sub renew {
	my ($self) = @_;
	my $stream = one_of('lobby', map { $self->session } 1 .. 4);
	my $epoch  = 'r' . int rand 1e9;
	my $storm = $self->{storm};

	$storm->{renewed}{$stream}{$epoch} = $storm->now;
	$self->note("$stream gets the epoch $epoch")
	    if defined $storm->{postgres}->query('UPDATE partyline.stream '
		. "SET epoch = '$epoch' WHERE tenant_id = 1 AND "
		. "name = '$stream'");
	return;
}

sub forget_events {
	my ($self) = @_;
	my $storm  = $self->{storm};
	my $stream = $self->session;
	my $events = $storm->{events}{$stream} // return;
	my $below  = $#$events - int rand 100;

	return if $below < 2;
	$storm->{lowest}{$stream} = $below
	    if $below > ($storm->{lowest}{$stream} // 1);
	$self->note("$stream forgets what is below $below")
	    if defined $storm->{postgres}->query('INSERT INTO public.kept '
		. 'SELECT stream, seq, payload FROM partyline.event WHERE '
		. "tenant_id = 1 AND stream = '$stream' AND seq < $below "
		. "ON CONFLICT DO NOTHING; SELECT api.stream_trim(ROW(1, 'x', "
		. "'admin', 't', NULL, NULL, NULL)::api.ctx, '$stream', "
		. "$below)");
	return;
}

# A master that has only just begun dies of a signal, as any program does.
sub is_up { return scalar $_[0]->worker_pids }

sub reload {
	my ($self) = @_;
	my $host = $self->{storm}->host;

	return if !is_up($host);
	$self->note('a reload');
	$host->hup;
	return;
}

# One of the two stays, and one at a time goes: it is told, or its master is
# killed, and then the others leave by themselves.
sub restart_host {
	my ($self) = @_;

	return if $self->{restarts};
	my $host = $self->{storm}->host;
	return if !is_up($host);
	$self->{restarts} = $host;
	if (rand() < 0.6) {
		$self->note('a host stops');
		$host->signal('TERM');
	} else {
		$self->note('a master is killed');
		$self->count;
		$self->{left} = [map { $host->pids($_) }
			qw(worker relay jobs)];
		$host->kill9;
	}
	$self->later(0.2, sub { $self->raise_host });
	return;
}

sub raise_host {
	my ($self) = @_;
	my $host = $self->{restarts};

	if ($host->is_running
	    || grep { kill 0 => $_ } @{ $self->{left} // [] }) {
		$self->later(0.1, sub { $self->raise_host });
		return;
	}
	$self->{storm}->wrong("a host ends with $host->{exit}")
	    if ($host->{exit} // 0) != 0;
	$self->note('and starts again');
	$host->spawn;
	delete @$self{qw(restarts left)};
	return;
}

# The worst moments, which a kill seldom meets.
my @moments = qw(db_lost_after_send db_lost_before_sync
    writer_dies_before_bump writer_dies_before_reply writer_dies_before_ring);

sub meet_a_moment {
	my ($self) = @_;
	my $fault  = one_of(@moments);

	return if !T::Run::has('WITH_FAULTS');
	$self->note("armed: $fault");
	$self->count;
	# There may be nobody who could be asked.
	$self->{storm}->host->partyline('fault', 'arm', $fault, 1);
	return;
}

sub lull {
	my ($self) = @_;
	my $client = $self->client;

	$client->{is_asleep} = 1;
	$self->later(0.3 + rand 2, sub {
		$client->{is_asleep} = '';
		$client->{heard_at} = $self->{storm}->now;
	});
	return;
}

# How often, and what.
my @happens = (
	[14, sub { $_[0]->kill_one('worker', 'KILL') }],
	[7,  sub { $_[0]->kill_one('relay', 'KILL') }],
	[2,  sub { $_[0]->kill_one('jobs', 'KILL') }],
	[6,  sub { $_[0]->stop_one('worker') }],
	[2,  sub { $_[0]->stop_one('relay') }],
	[6,  \&hurt_redis],
	[8,  \&hurt_postgres],
	[4,  \&reload],
	[3,  \&restart_host],
	[16, \&meet_a_moment],
	[4,  \&renew],
	[4,  \&forget_events],
	[8,  sub { $_[0]->client->hang_up }],
	[5,  sub { $_[0]->client->change($_[0]->session) for 1 .. 3 }],
	[7,  \&lull],
);

sub one_of_all {
	my $dice = rand List::Util::sum(map { $_->[0] } @happens);

	for my $row (@happens) {
		$dice -= $row->[0];
		return $row->[1] if $dice < 0;
	}
	return $happens[0][1];
}

# All of it is drawn here, so that the seed says what happens.
sub plan {
	my ($self, $seconds) = @_;

	$self->later(0.1, sub { $self->without_redis }) if rand() < 0.1;
	for (my $at = 0.3; $at < $seconds; $at += 0.05 + rand 0.4) {
		my $what = one_of_all();

		$self->later($at, sub { $what->($self) });
	}
	return;
}

# Who is left standing goes on.
sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$;
	local ($?, $@, $!);
	kill CONT => $_ for keys %{ $self->{stopped} };
	$self->{frozen}->thaw if $self->{frozen};
	return;
}

1;
