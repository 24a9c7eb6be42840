# SPDX-License-Identifier: MIT
#
# A PostgreSQL of the bench's own: on a Unix socket, as durable as one in
# production (nothing of fsync, synchronous_commit or full_page_writes is
# changed), pinned to a core, run as another user where we are root.
#
#	my $postgres = Bench::Postgres->start("$folder", 0);
#	$postgres->create('fastify');
#	my $before = tree_us($postgres->pid);
package Bench::Postgres;

use strict;
use warnings;

use Bench qw(output said spawn stop_with tree wait_for);

my $user = 'bench';

sub bin {
	my ($newest) = sort { $b <=> $a }
	  map { m{/(\d+)/bin$} } glob '/usr/lib/postgresql/*/bin';
	return $newest ? "/usr/lib/postgresql/$newest/bin" : '/usr/bin';
}

# Words before a command that must not run as root.
sub unprivileged {
	my ($signal) = @_;
	my @words = ('setpriv', '--pdeathsig', $signal);
	return @words if $> != 0;
	my (undef, undef, $uid, $gid) =
	  getpwnam(getpwnam('postgres') ? 'postgres' : 'nobody');
	return (@words, "--reuid=$uid", "--regid=$gid", '--clear-groups');
}

sub start {
	my ($class, $folder, $core) = @_;
	my $self = bless {
		bin     => bin(),
		sockets => "$folder/s",
		log     => "$folder/postgres.log",
	}, $class;
	for my $name ('s', 'data') {
		mkdir "$folder/$name" or die "$folder/$name: $!";
		chmod 01777, "$folder/$name";
	}
	chdir '/';    # whoever runs it need not see where we are
	my $initdb = join ' ', unprivileged('KILL'), "$self->{bin}/initdb",
	  '-D', "$folder/data/postgres", '-A', 'trust', '-U', $user,
	  '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8';
	system("$initdb >$self->{log} 2>&1") == 0
	  or die "initdb:\n", said($self->{log});
	$self->{pid} = spawn($self->{log}, 'taskset', '-c', $core,
		unprivileged('INT'), "$self->{bin}/postgres",
		'-D', "$folder/data/postgres", '-c', 'listen_addresses=',
		'-c', "unix_socket_directories=$self->{sockets}");
	stop_with('INT', $self->{pid});
	wait_for('postgres', sub {
		system("$self->{bin}/pg_isready", '-q', '-h',
			$self->{sockets}) == 0;
	}, $self->{log});
	return $self;
}

sub pid     { return $_[0]{pid} }
sub sockets { return $_[0]{sockets} }
sub user    { return $user }

sub version {
	my ($self) = @_;
	return (qx($self->{bin}/postgres --version) =~ /([\d.]+)/)[0];
}

sub url {
	my ($self, $database) = @_;
	return "postgresql://$user\@/$database?host=$self->{sockets}";
}

# Runs a statement; what it answers.
sub sql {
	my ($self, $database, $sql) = @_;
	my $answer = output("$self->{bin}/psql", qw(-X -q -A -t -w -v),
		'ON_ERROR_STOP=1', '-U', $user, '-h', $self->{sockets},
		'-d', $database, '-c', $sql);
	die "psql refused: $sql\n" if $?;
	chomp $answer;
	return $answer;
}

sub create {
	my ($self, $database) = @_;
	$self->sql('postgres', "CREATE DATABASE $database");
	push @{ $self->{databases} }, $database;
	return;
}

# What autovacuum would else do in the middle of somebody's turn.
sub tidy {
	my ($self) = @_;
	$self->sql($_, 'VACUUM ANALYZE') for @{ $self->{databases} };
	$self->sql('postgres', 'CHECKPOINT');
	return;
}

# pgbench with this script: transactions, the rate, and those that failed.
# It is over when its backends are gone, so that their cost is all told.
sub pgbench {
	my ($self, $core, $seconds, $database, $script) = @_;
	my $count_before = () = tree($self->{pid});
	my $out = output('taskset', '-c', $core, "$self->{bin}/pgbench",
		qw(-n -M prepared -c 4 -j 1 -T), $seconds, '-f', $script,
		'-U', $user, '-h', $self->{sockets}, $database);
	wait_for('the end of pgbench',
		sub { (() = tree($self->{pid})) <= $count_before });
	my ($count)  = $out =~ /actually processed: (\d+)/ or die $out;
	my ($rate)   = $out =~ /tps = ([\d.]+)/;
	my ($failed) = $out =~ /failed transactions: (\d+)/;
	return ($count, $rate, $failed // 0);
}

1;
