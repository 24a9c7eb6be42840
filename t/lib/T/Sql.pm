# SPDX-License-Identifier: MIT
package T::Sql;

# psql in a database of the run: files, and several statements down one
# connection.
#
#	my ($text, $is_good) = T::Sql::run($db->name, '-U', $T::Db::super,
#		'-f', 't/sql/session.sql');

use strict;
use warnings;
use POSIX ();
use T::Db;
use T::Run;

sub psql {
	my ($database, @arguments) = @_;

	return (
		T::Run::postgres_bin() . '/psql',
		qw(-X -q -A -t -w -v ON_ERROR_STOP=1),
		'-h', T::Run::sockets(), '-d', $database, @arguments
	);
}

# What psql prints and complains of; its success last.
sub run {
	my @command = psql(@_);
	my $pid     = open my $out, '-|' // die "psql: $!\n";

	if ($pid == 0) {
		open STDERR, '>&', \*STDOUT;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	my $text = do { local $/; <$out> } // q();
	close $out;
	return ($text, $? == 0);
}

# The same as T::Db->new.
sub database { return T::Db->new }

sub must_run {
	my ($text, $is_good) = run(@_);

	die "$text\n" if !$is_good;
	return $text;
}

1;
