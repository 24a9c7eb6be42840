# SPDX-License-Identifier: MIT
package T::Lock;

# Rows that somebody else has locked, so that a request stays in the middle
# of its work for as long as a test wants.
#
#	my $lock = T::Lock->take($server->db,
#	    'SELECT FROM partyline.session WHERE id = 5 FOR UPDATE');
#	$admin->ask(POST => '/api/sessions/5/close');
#	ok($lock->stops(1), 'it waits');
#	$lock->release;
#	is($admin->take->{status}, 200);

use strict;
use warnings;
use IPC::Open2 qw(open2);
use T::Db;
use T::Sql;
use T::Wait;

sub take {
	my ($class, $db, $sql) = @_;
	my $pid = open2(my $from, my $to, T::Sql::psql($db->name,
		'-U', $T::Db::super));

	print $to "\\set ON_ERROR_STOP on\nBEGIN;\n$sql;\n\\echo held\n";
	$to->flush;
	my $said = '';
	while ($said !~ /^held$/m) {
		sysread $from, $said, 4096, length $said
		    or die "nothing is locked: $sql\n";
	}
	return bless { db => $db, owner => $$, pid => $pid, to => $to,
		from => $from }, $class;
}

# Whether so many backends of the database wait for a lock, in time.
sub stops {
	my ($self, $count) = @_;

	return wait_until {
		$self->{db}->query(q{SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database()
			AND wait_event_type = 'Lock'}) == $count;
	};
}

sub release {
	my ($self) = @_;
	my $pid = delete $self->{pid} // return;

	close delete $self->{to};
	close delete $self->{from};
	local $?;
	waitpid $pid, 0;
	return;
}

sub DESTROY {
	my ($self) = @_;

	$self->release if $self->{owner} == $$;
	return;
}

1;
