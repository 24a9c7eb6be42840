# SPDX-License-Identifier: MIT
package T::Run;

# One run of tests: a folder, and in it one PostgreSQL and one Redis on Unix
# sockets that all test files share, and the evidence of what was exercised.
# t/run makes it for many files; a file that is run straight makes its own as
# soon as it needs one.
#
#	T_SOURCE  the source folder	T_BUILD  the build folder
#	T_RUN	  the folder of the run	T_SLOW	 multiplies deadlines
#
# Holds always:
#  1. Only who made the run ends it, and only processes it started itself.
#  2. PostgreSQL and Redis get a parent-death signal: they never outlive us.

use strict;
use warnings;
use Cwd            qw(abs_path);
use File::Basename qw(dirname);
use File::Path     qw(make_path remove_tree);
use File::Temp     ();
use POSIX          ();
use T::Wait;

# Who logs in as the server does, who owns the schema, who may do all.
our @roles = qw(partyline_login partyline_owner postgres);

my $root = abs_path(dirname(abs_path(__FILE__)) . '/../../..');
my $owner;
my %pids;
my $failed;

sub source { return $ENV{T_SOURCE} ||= $root }

sub build {
	return $ENV{T_BUILD} if $ENV{T_BUILD};
	for my $folder ("$root/build-check", "$root/build") {
		return $ENV{T_BUILD} = $folder if -x "$folder/partyline";
	}
	die "no partyline is built: ./bootstrap build, or set T_BUILD\n";
}

sub program  { return build() . '/partyline' }
sub folder   { need(); return $ENV{T_RUN} }
sub sockets  { return folder() . '/s' }
sub evidence { return folder() . '/evidence' }

# Whether the build has a feature of config.h, e.g. WITH_FAULTS.
sub has {
	my ($name) = @_;
	my $path = build() . '/config.h';

	open my $file, '<', $path or die "$path: $!\n";
	return scalar grep { /^#define \Q$name\E\b/ } <$file>;
}

sub need {
	return if $ENV{T_RUN};
	start();
	return;
}

# Words before a command that must not run as root.
sub unprivileged {
	my ($signal) = @_;
	my @words = ('setpriv', '--pdeathsig', $signal);

	return @words if $> != 0;
	my $user = getpwnam('postgres') ? 'postgres' : 'nobody';
	my (undef, undef, $uid, $gid) = getpwnam $user;
	return (@words, "--reuid=$uid", "--regid=$gid", '--clear-groups');
}

# The folder of PostgreSQL's programs, which Debian keeps off PATH.
sub postgres_bin {
	my ($newest) = sort { $b <=> $a }
	    map { m{/(\d+)/bin$} } glob '/usr/lib/postgresql/*/bin';

	return $newest ? "/usr/lib/postgresql/$newest/bin" : '/usr/bin';
}

sub start {
	my $parent = $ENV{TMPDIR} // '/tmp';

	# A socket's path has at most 107 bytes, and others must reach it.
	$parent = '/tmp' if length $parent > 40 || !-w $parent;
	$ENV{T_RUN} = File::Temp::tempdir('partyline-t-XXXXXX', DIR => $parent);
	$owner = $$;
	chmod 0755, $ENV{T_RUN};
	make_path("$ENV{T_RUN}/$_") for qw(s data evidence);
	chmod 01777, "$ENV{T_RUN}/$_" for qw(s data evidence);
	start_postgres();
	start_redis();
	return;
}

sub spawn {
	my ($name, @command) = @_;
	my $log = "$ENV{T_RUN}/$name.log";
	my $pid = fork // die "fork: $!\n";

	if ($pid == 0) {
		chdir '/';
		open STDIN,  '<',  '/dev/null';
		open STDOUT, '>>', $log;
		open STDERR, '>&', \*STDOUT;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	return $pid;
}

sub finishes {
	my ($name, @command) = @_;

	waitpid spawn($name, @command), 0;
	die "$command[0] failed; see $ENV{T_RUN}/$name.log\n" if $? != 0;
	return;
}

sub start_postgres {
	my $bin  = postgres_bin();
	my $data = "$ENV{T_RUN}/data/postgres";

	finishes('initdb', unprivileged('KILL'), "$bin/initdb", '-D', $data,
	    qw(-A trust -U postgres --no-sync -E UTF8 --locale=C.UTF-8));
	$pids{postgres} = spawn(
		'postgres',           unprivileged('INT'),
		"$bin/postgres",      '-D', $data,
		map { ('-c', $_) } 'listen_addresses=',
		"unix_socket_directories=$ENV{T_RUN}/s", 'fsync=off',
		'synchronous_commit=off', 'full_page_writes=off',
		'max_connections=300', 'shared_buffers=32MB',
		'timezone=UTC'
	);
	wait_until {
		system("$bin/pg_isready", '-q', '-h', "$ENV{T_RUN}/s") == 0;
	} 30 or die "PostgreSQL does not start; see $ENV{T_RUN}/postgres.log\n";
	make_template();
	return;
}

# What every T::Db is cloned from, migrated by the program itself.
sub make_template {
	my ($login, $owner) = @roles;

	psql('postgres', $_)
	    for "CREATE ROLE $owner LOGIN CREATEROLE",
	    "CREATE ROLE $login LOGIN NOINHERIT",
	    "CREATE DATABASE partyline_template OWNER $owner";
	migrate(url('partyline_template', $owner));
	psql('postgres', "GRANT partyline_server, partyline_fleet TO $login");
	return;
}

sub url {
	my ($database, $role, $sockets) = @_;

	return "postgresql://$role\@/$database?host="
	    . ($sockets // sockets());
}

# Brings a database to the schema of the sources.
sub migrate {
	my ($url, $sql_dir) = @_;

	delete local @ENV{ grep { /^PARTYLINE_|^PG/ } keys %ENV };
	finishes('migrate', program(), 'migrate', map { ('--set', $_) }
		"database_url=$url", "migrate_url=$url",
		'sql_dir=' . ($sql_dir // source() . '/sql'));
	return;
}

sub start_redis {
	my $socket = "$ENV{T_RUN}/s/redis";

	$pids{redis} = spawn('redis', unprivileged('TERM'), 'redis-server',
		'--port', 0, '--unixsocket', $socket, '--unixsocketperm', 777,
		'--save', '', '--appendonly', 'no',
		'--dir', "$ENV{T_RUN}/data");
	wait_until { -S $socket } 30
	    or die "Redis does not start; see $ENV{T_RUN}/redis.log\n";
	return;
}

# What a statement answers, a row a line, columns with | between.
sub psql {
	my ($database, $sql) = @_;
	my @command = (
		postgres_bin() . '/psql',
		qw(-X -q -A -t -w -v ON_ERROR_STOP=1 -U postgres),
		'-h', sockets(), '-d', $database, '-c', $sql
	);

	open my $out, '-|', @command or die "psql: $!\n";
	my $answer = do { local $/; <$out> } // q();
	close $out or die "psql refused: $sql\n";
	$answer =~ s/\n\z//;
	return $answer;
}

# A test of the run failed: its folder stays.
sub keep { $failed = 1; return }

sub stop {
	return if !defined $owner || $owner != $$;
	undef $owner;
	my %stop = (postgres => 'INT', redis => 'TERM');

	for my $name (keys %pids) {
		my $pid = delete $pids{$name};

		kill $stop{$name}, $pid;
		wait_until { waitpid($pid, POSIX::WNOHANG()) != 0 } 10
		    or kill('KILL', $pid), waitpid($pid, 0);
	}
	remove_tree($failed ? "$ENV{T_RUN}/data" : $ENV{T_RUN});
	delete $ENV{T_RUN};
	return;
}

END {
	local $?;
	if (defined $owner && $owner == $$) {
		if ($INC{'Test/More.pm'}) {
			keep() if !Test::More->builder->is_passing;
		}
		stop();
	}
}

1;
