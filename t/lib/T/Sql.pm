# SPDX-License-Identifier: MIT
package T::Sql;

# The product's schema and functions in a database, straight from sql/, as
# `partyline migrate` puts them there.
#
#	my $db = T::Sql->database;	# a T::Db with all of it
#	T::Sql::file($db->name, 't/sql/session.sql');

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use POSIX       ();
use T::Db;
use T::Run;
use T::Tree;

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

sub must_run {
	my ($text, $is_good) = run(@_);

	die "$text\n" if !$is_good;
	return $text;
}

# Migrations in order, each in its transaction, then the functions.
sub install {
	my ($database, $user) = @_;
	my $source = T::Run::source();
	my @as     = ('-U', $user // 'partyline');

	for my $path (T::Tree::files(qr{^sql/migration/\d{4}_\w+\.sql$})) {
		my ($version, $name) = $path =~ m{(\d{4})_(\w+)\.sql$};
		my $hash = sha256_hex(T::Tree::text($path));

		must_run($database, @as, '-1', '-f', "$source/$path", '-c',
			'INSERT INTO partyline.schema_version'
			    . ' (version, name, sha256) VALUES'
			    . " ($version, '$name', '$hash')");
	}
	install_api($database, $user);
	return;
}

# All functions in one transaction.
sub install_api {
	my ($database, $user) = @_;
	my $source = T::Run::source();
	my @api    = T::Tree::files(qr{^sql/api/\w+\.sql$});

	must_run($database, '-U', $user // 'partyline', '-1',
		(map { ('-f', "$source/$_") } @api),
		'-c', 'INSERT INTO partyline.api_version (sha256) VALUES'
		    . " ('" . sha256_hex(map { T::Tree::text($_) } @api)
		    . "')");
	return;
}

sub database {
	my $db = T::Db->new;

	install($db->name);
	return $db;
}

1;
