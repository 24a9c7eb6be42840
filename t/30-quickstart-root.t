#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# The private servers when root starts them: unprivileged, below a folder
# that only root may enter, deeper than a socket's path may be long; and on
# disks that are full or cannot be written.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Test::More;
use T::Private;
use T::Run;
use T::Wait;

plan skip_all => 'only root can give up root' if $> != 0;

sub owner { return getpwuid((stat $_[0])[4]) // (stat _)[4] }

# As the system has it now: the user a process runs as.
sub runs_as {
	my ($pid) = @_;

	return owner("/proc/$pid");
}

sub package_user { return getpwnam($_[0]) ? $_[0] : 'nobody' }

# What a process that runs as somebody else can read through a descriptor.
sub enters_as {
	my ($user, $path) = @_;

	return system('setpriv', "--reuid=$user", '--clear-groups', 'ls',
		$path) == 0;
}

subtest 'below a folder only root can enter, and a long way down' => sub {
	my $server = T::Private->prepare(workers => 2, user => 'nobody');
	my $closed = $server->dir . '/closed';
	my $deep   = join '/', $closed, map { $_ x 60 } qw(a b c);

	make_path($deep);
	chmod 0700, $closed;
	$server->{set}{state_dir} = "$deep/state";
	cmp_ok(length "$deep/state/run/postgres/.s.PGSQL.5432", '>', 107);
	open my $saved, '>&', \*STDERR;
	open STDERR, '>', '/dev/null';
	ok(!enters_as($_, $closed), "$_ cannot enter it")
	    for package_user('postgres'), package_user('redis'), 'nobody';
	open STDERR, '>&', $saved;

	$server->spawn;
	ok($server->wait_ready('readyz', 60), 'it is ready');
	is(runs_as($server->postgres_pid), package_user('postgres'),
		'PostgreSQL is its own user');
	is(runs_as($server->redis_pid), package_user('redis'), 'so is Redis');
	my @ours = grep { $_->{role} ne '' } $server->processes;
	is(scalar @ours, 4, 'workers, relay, jobs');
	is(runs_as($_->{pid}), 'nobody', $_->{title}) for @ours;

	my ($run) = grep { (readlink // '') eq "$deep/state/run" }
	    glob "/proc/$ours[0]{pid}/fd/*";
	ok($run, 'a worker has the folder of the sockets');
	my ($secret) = grep {
		my $to = readlink // '';
		$to =~ m{^\Q$deep\E} && $to ne "$deep/state/run"
	} glob "/proc/$ours[0]{pid}/fd/*";
	is($secret, undef, 'and no other of the state folder');

	# The same two steps that a client of ours takes: inherit, connect.
	my ($number) = $run =~ m{/(\d+)$};
	my %secrets = T::Command::slurp("$deep/state/secrets") =~
	    /^(\w+)=(\w+)$/mg;
	local $ENV{PGPASSWORD} = $secrets{partyline};
	my $answer = qx(exec 9<'$deep/state/run'; cd /; exec setpriv \\
	    --reuid=nobody --clear-groups psql -XAtqw -p 5432 -U partyline \\
	    -h /proc/self/fd/9/postgres -d partyline -c 'SELECT 7' 2>&1);
	is($answer, "7\n", 'nobody reaches PostgreSQL through it');
	$answer = qx(exec 9<'$deep/state/run'; cd /; exec setpriv \\
	    --reuid=nobody --clear-groups redis-cli --no-auth-warning \\
	    -s /proc/self/fd/9/redis/redis.sock -a '$secrets{redis}' PING 2>&1);
	is($answer, "PONG\n", 'and Redis');

	$server->sql('CREATE TABLE kept (id int)');
	my $was = $server->postgres_pid;
	kill KILL => $was;
	ok((wait_until { ($server->postgres_pid // $was) != $was }),
		'killed, it comes back');
	ok($server->becomes('postgres', 'ok'), 'and is ready');
	is(runs_as($server->postgres_pid), package_user('postgres'),
		'as its own user');
	$server->kill9;
	ok((wait_until { !%{ $server->workers_below } } 20),
		'all leave when the master is killed');
	ok($server->start_again, 'a start goes on');
	is($server->sql('SELECT count(*) FROM kept'), 0, 'with its data');
};

subtest 'a cluster belongs to whom it belongs' => sub {
	my $server = T::Private->prepare(admin_listen => '');
	my $state  = $server->state_dir;
	my $uid    = getpwnam 'daemon';

	mkdir $state;
	chown $uid, -1, $state;
	$server->{command} =
	    ['setpriv', '--reuid=daemon', '--regid=daemon', '--clear-groups'];
	$server->spawn;
	ok($server->wait_ready('readyz', 60), 'daemon starts it');
	is(runs_as($server->postgres_pid), 'daemon', 'as himself');
	$server->sql('CREATE TABLE kept (id int)');
	ok($server->stop, 'stopped');

	$server->{command} = [];
	ok($server->start_again, 'root goes on with it');
	is(runs_as($server->postgres_pid), 'daemon', 'as daemon');
	is($server->sql('SELECT count(*) FROM kept'), 0, 'with its data');
	ok($server->stop, 'stopped');

	$server->{command} =
	    ['setpriv', '--reuid=daemon', '--regid=daemon', '--clear-groups'];
	chown 0, 0, "$state/postgres";
	$server->expect_exit(undef);
	$server->spawn;
	ok((wait_until { !$server->is_running } 20), 'what is root\'s');
	isnt($server->exit_code, 0, 'is refused to daemon');
	like($server->log_text,
		qr{postgres: Permission denied; start the server as the user},
		'and why');
	$server->{command} = [];
	$server->spawn;
	ok((wait_until { !$server->is_running } 20), 'and to root');
	like($server->log_text, qr{belongs to root, as whom PostgreSQL refuses},
		'and why');
};

# A chroot and some containers do not let even root mount.
my $may_mount =
    system('unshare -m --propagation private true 2>/dev/null') == 0;

# Starts over a small disk of its own, which goes with its process.
sub over_disk {
	my ($options, %set) = @_;
	my $server = T::Private->prepare(%set);
	my $disk   = $server->dir . '/disk';

	mkdir $disk;
	$server->{set}{state_dir} = "$disk/state";
	$server->{command} = ['unshare', '-m', '--propagation', 'private',
		'sh', '-ec', "mount -t tmpfs -o mode=0755 none $disk
		mkdir -m 700 $disk/state
		mount -o remount,$options none $disk
		exec \"\$@\"", 'sh'];
	$server->{expect_exit} = undef;
	return $server;
}

subtest 'a disk that is full' => sub {
	plan skip_all => 'mounting is refused here' if !$may_mount;
	for my $size (qw(16k 4m 24m 42m)) {
		my $server = over_disk("size=$size", admin_listen => '');

		$server->spawn;
		ok((wait_until { !$server->is_running } 40), "$size: refused");
		isnt($server->exit_code, 0);
		like($server->log_text,
			qr/make room on that disk|is the disk full/,
			'and what to do');
	}
};

subtest 'a disk that cannot be written' => sub {
	plan skip_all => 'mounting is refused here' if !$may_mount;
	my $server = over_disk('ro', admin_listen => '');

	$server->spawn;
	ok((wait_until { !$server->is_running } 40), 'refused');
	isnt($server->exit_code, 0);
	like($server->log_text, qr/state_dir.*Read-only file system/,
		'and why');
};

subtest 'a disk that runs full, and has room again' => sub {
	plan skip_all => 'mounting is refused here' if !$may_mount;
	my $server = over_disk('size=96m', admin_listen => '');
	my $state  = $server->state_dir;
	my $mine   = sub { "/proc/" . $server->pid . "/root$state" };

	$server->spawn;
	ok($server->wait_ready('readyz', 60), 'it starts');
	my $filler = $mine->() . '/../filler';
	open my $file, '>', $filler or die "$filler: $!\n";
	while (syswrite $file, 'x' x 65536) { }
	close $file;
	my $was = $server->postgres_pid;
	kill KILL => $was;
	# Without room it may start or not; the server lives, and tells.
	ok($server->wait_for_log(qr/"private server ended"/),
		'PostgreSQL dies');
	is($server->get('/livez')->{status}, 200, 'the server lives');
	unlink $filler;
	ok($server->becomes('postgres', 'ok', 60), 'with room, it is back');
	$server->expect_exit(0);
	ok($server->stop, 'and stops well');
};

done_testing;
