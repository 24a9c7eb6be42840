# SPDX-License-Identifier: MIT
package T::Lock;

# A connection of the test's own that holds a lock in the database until it
# is let go.
#
#	my $lock = T::Lock->new($db, 'LOCK TABLE partyline.session');
#	wait_until { T::Lock::waiting($db) == 1 };
#	$lock->let_go;				or commit

use strict;
use warnings;
use T::Db;
use T::Run;
use T::Wait;

my $made = 0;

sub new {
	my ($class, $db, $statement) = @_;
	my $name = "lock-$$-" . ++$made;
	local $ENV{PGAPPNAME} = $name;

	my $pid = open my $to, '|-', T::Run::postgres_bin() . '/psql',
	    qw(-X -q -o /dev/null), '-U', $T::Db::super, '-h',
	    T::Run::sockets(), '-d', $db->name;
	die "psql: $!\n" if !$pid;
	$to->autoflush(1);
	print $to "BEGIN;\n$statement;\n";
	wait_until {
		$db->query('SELECT count(*) FROM pg_stat_activity WHERE '
			. "application_name = '$name' AND "
			. "state = 'idle in transaction' AND "
			. "query NOT LIKE 'BEGIN%'") == 1
	} or kill(KILL => $pid), die "nothing is locked by: $statement\n";
	return bless { to => $to, owner => $$ }, $class;
}

# How many wait for a lock in that database, but for the jobs, which look at
# what is due by themselves.
sub waiting {
	my ($db) = @_;

	return $db->query(q{SELECT count(*) FROM pg_stat_activity WHERE
		wait_event_type = 'Lock' AND datname = current_database()
		AND query NOT LIKE '%api.work\_%'});
}

# Once it returns nothing is locked any more: psql ends only after PostgreSQL
# has answered, while PostgreSQL lets go later of a client that just leaves.
sub let_go {
	my ($self, $end) = @_;
	my $to = delete $self->{to} // return;
	local ($?, $SIG{PIPE}) = (0, 'IGNORE');

	print $to $end // 'ROLLBACK', ";\n";
	close $to;
	return;
}

# The same, and what the statement did stays done.
sub commit {
	my ($self) = @_;

	return $self->let_go('COMMIT');
}

sub DESTROY {
	my ($self) = @_;

	$self->let_go if $self->{owner} == $$;
	return;
}

1;
