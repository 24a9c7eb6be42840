#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Without a database_url: the private PostgreSQL and Redis, how they are
# made, watched, restarted, stopped, and found again after every bad end.
use strict;
use warnings;
use Fcntl qw(O_RDONLY);
use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Test::More;
use T::Command;
use T::Private;
use T::Redis;
use T::Run;
use T::Tree;
use T::Wait;

sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }

sub key_in { return ($_[0] =~ /^Its admin key is (\w+)$/m)[0] }

sub schema_version {
	return (T::Tree::text('src/store/schema.h')
		    =~ /^#define SCHEMA_VERSION (\d+)$/m)[0];
}

my $server = T::Private->start(workers => 2);
my $state  = $server->state_dir;

subtest 'the first start greets' => sub {
	wait_until { -e "$state/admin_key" };
	my $log = $server->log_text;
	my $key = key_in($log);

	like(
		$log, qr/^Partyline listens on \Q${\$server->address}\E$/m,
		'where it listens'
	);
	like($key, qr/^\w{24}$/, 'the admin key');
	is(T::Command::slurp("$state/admin_key"), "$key\n", 'which is kept');
	is(T::Http->request($server, 'POST', '/api/auth/login',
		qq({"key":"$key"}))->{status}, 200, 'one signs in with it');
	my ($health, $ready, $status) = $log =~ /^  ((?:curl|partyline) .+)$/mg;
	like(qx($health 2>/dev/null), qr/"status":"ok"/,   $health);
	like(qx($ready 2>/dev/null),  qr/"postgres":"ok"/, $ready);
	$status =~ s/^partyline/T::Run::program()/e;
	like(qx($status), qr/requests/, 'partyline status');
};

subtest 'nothing is open to others' => sub {
	is(mode("$state/$_"), '0600', $_)
	    for qw(secrets admin_key postgres.log redis.log);
	is(mode("$state/$_"),  '0700', $_) for qw(postgres redis);
	is(mode("$state/run"), '0711', 'run');
	is($server->sql('SHOW listen_addresses'), '', 'no TCP');
	is($server->sql('SHOW fsync'), 'on',
		'what is committed is on the disk');
	my %secrets = T::Command::slurp("$state/secrets") =~ /^(\w+)=(\w+)$/mg;
	is_deeply(
		[sort keys %secrets],
		[qw(partyline partyline_owner postgres redis)], 'passwords'
	);
	my $seen = join ' ', $server->log_text,
	    T::Command::slurp("$state/postgres.log"),
	    T::Command::slurp("$state/redis.log"),
	    map { T::Command::slurp($_) } glob '/proc/[0-9]*/cmdline';
	unlike($seen, qr/$_/, 'not to be seen') for values %secrets;
	# Through its folder, because the path may be too long for a socket.
	sysopen my $run, "$state/run/redis", O_RDONLY or die "run/redis: $!";
	my $redis = IO::Socket::UNIX->new(
		Peer => '/proc/self/fd/' . fileno($run) . '/redis.sock');
	print $redis "PING\r\n";
	like(scalar <$redis>, qr/^-NOAUTH/, 'Redis wants its password');
	local $ENV{PGPASSWORD} = 'wrong';
	isnt(
		system(
			"psql -w -h $state/run/postgres -U postgres "
			    . "-c 'SELECT 1'"
			    . ' partyline >/dev/null 2>&1'
		),
		0,
		'and so does PostgreSQL'
	);
};

subtest 'the roles are what the schema needs' => sub {
	is(
		$server->sql(
			"SELECT string_agg(rolname || ' ' || rolsuper || ' '
		|| rolcreaterole || ' ' || rolinherit, ', ' ORDER BY rolname)
		FROM pg_roles WHERE rolname LIKE 'partyline%'"
		),
		'partyline false false false, '
		    . 'partyline_fleet false false false, '
		    . 'partyline_owner false true true, '
		    . 'partyline_server false false false'
	);
	is(
		$server->sql(
			"SELECT string_agg(r.rolname, ', ' ORDER BY r.rolname)
		FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
		WHERE m.member = 'partyline'::regrole"
		),
		'partyline_fleet, partyline_server',
		'and the login may take both'
	);
	is(
		$server->sql(
			'SELECT max(version), pg_get_userbyid(nspowner)
		FROM partyline.schema_version, pg_namespace
		WHERE nspname = $$api$$ GROUP BY 2'
		),
		schema_version() . '|partyline_owner',
		'the schema is there, and its owner\'s'
	);
	is(
		$server->sql(
			"SELECT pg_get_userbyid(datdba) || ' '
		|| pg_encoding_to_char(encoding) || ' ' || datcollate
		FROM pg_database WHERE datname = 'partyline'"
		),
		'partyline_owner UTF8 C.UTF-8',
		'the database is the owner\'s'
	);
	$server->sql('CREATE TABLE kept (id int)');
};

subtest 'commands reach the private database' => sub {
	my $drive = { program => T::Run::build() . '/t/drive/command_db' };
	my @calls = ('--state-dir', $state, 'tenant_add', 'guild');
	my $said  = partyline($drive, @calls);

	is($said->{exit}, 0, 'one calls a function') or diag($said->{err});
	like($said->{out}, qr/^201 .*"guild"/, 'and is answered');
	local $ENV{PGHOSTADDR} = '192.0.2.1';
	$said = partyline($drive, @calls);
	is($said->{err}, "partyline: A tenant has this name\n",
		'whatever the environment says');
	SKIP: {
		skip 'only root can give up root', 1 if $> != 0;
		my $copy = T::Run::folder() . "/command_db-$$";

		copy($drive->{program}, $copy) or die "$copy: $!\n";
		chmod 0755, $copy;
		$said = partyline({ program => 'setpriv' }, '--reuid=65534',
			'--clear-groups', $copy, @calls);
		is($said->{exit}, 77, 'not for everybody');
		like($said->{err}, qr/ask as the user that runs the server/,
			'in words');
	}
};

subtest 'a state folder of an earlier version' => sub {
	ok($server->stop, 'stopped');
	my $mark = $server->log_mark;
	ok($server->start_again, 'started');
	$server->sql('DROP SCHEMA api, partyline CASCADE');
	$server->sql('DROP OWNED BY partyline_server, partyline_fleet');
	$server->sql('DROP ROLE partyline_server, partyline_fleet');
	ok($server->stop, 'one that knew no migrations');
	ok($server->start_again, 'goes on');
	is($server->sql('SELECT count(*) FROM partyline.tenant'), 2,
		'with the schema');
	is(scalar(() = $server->log_since($mark) =~ /"database migrated"/g),
		2, 'each start looks once');
};

subtest 'a killed PostgreSQL comes back' => sub {
	my $was  = $server->postgres_pid;
	my $mark = $server->log_mark;

	$server->sql('INSERT INTO kept VALUES (1)');
	kill KILL => $was;
	ok(
		$server->wait_for_log(
			qr/"private server ended".*PostgreSQL.*"signal 9/
		),
		'the log says how it ended'
	);
	ok(
		(wait_until { ($server->postgres_pid // $was) != $was }),
		'another one runs'
	);
	ok($server->becomes('postgres', 'ok'), 'readiness returns');
	ok((wait_until { ($server->sql('SELECT count(*) FROM kept') // '')
		eq '1' }), 'with its data');
	unlike($server->log_since($mark), qr/migrate/, 'and its schema');
};

subtest 'so does Redis, and one of PostgreSQL\'s processes' => sub {
	my $was = $server->redis_pid;

	kill KILL => $was;
	ok(
		(wait_until { ($server->redis_pid // $was) != $was }),
		'another one runs'
	);
	ok($server->becomes('redis', 'ok'), 'readiness returns');
	my $below = $server->workers_below;
	my ($writer) = grep { $below->{$_} =~ /walwriter/ } keys %$below;
	kill KILL => $writer;
	ok(
		(
			wait_until {
				(
					$server->sql(
						'SELECT count(*) FROM kept')
					    // ''
				) eq '1'
			}
			20
		),
		'PostgreSQL recovers by itself'
	);
	ok($server->becomes('postgres', 'ok'), 'and is ready');
};

subtest 'the end stops them, the next start is silent' => sub {
	my $mark = $server->log_mark;

	ok($server->stop, 'it stops');
	like(
		$server->log_since($mark),
		qr/server":"$_","how":"exit code 0"/, "$_ stopped well"
	) for qw(PostgreSQL Redis);
	is_deeply($server->workers_below, {}, 'nobody is left');
	$mark = $server->log_mark;
	ok($server->start_again, 'it starts again');
	unlike(
		$server->log_since($mark), qr/admin key|listens on/,
		'without a greeting'
	);
	is($server->sql('SELECT count(*) FROM kept'), 1, 'its data is there');
};

subtest 'the master is killed' => sub {
	$server->sql('INSERT INTO kept VALUES (2)');
	$server->kill9;
	ok(
		(wait_until { !%{ $server->workers_below } } 20),
		'the private servers stop by themselves'
	);
	ok($server->start_again, 'a start goes on');
	is($server->sql('SELECT count(*) FROM kept'), 2, 'with all data');
};

subtest 'the master is killed and an orphan stays' => sub {
	my @stay = ($server->postgres_pid, $server->redis_pid);
	my $mark = $server->log_mark;

	# Stopped, they do not hear the signal of their parent's death.
	kill STOP => @stay;
	$server->kill9;
	is(scalar(grep { kill 0 => $_ } @stay), 2, 'both are still there');
	ok($server->start_again, 'a start goes on');
	like(
		$server->log_since($mark),
		qr/earlier private server is stopped","server":"$_"/,
		"$_ was stopped first"
	) for qw(PostgreSQL Redis);
	is($server->sql('SELECT count(*) FROM kept'), 2, 'with all data');
};

subtest 'pids of strangers in stale files keep nobody away' => sub {
	my $ours = getpwuid((stat "$state/postgres")[4]);
	my @stranger =
	    $> != 0
	    ? ()
	    : ('setpriv', "--reuid=$ours", '--clear-groups');
	my $pid = fork // die "fork: $!\n";

	if ($pid == 0) {
		exec @stranger, 'sleep', 1000;
	}
	ok($server->stop, 'stopped');
	for my $path (
		"$state/postgres/postmaster.pid",
		"$state/run/postgres/.s.PGSQL.5432.lock"
	    )
	{
		open my $file, '>', $path or die "$path: $!\n";
		print $file "$pid\n/nowhere\n0\n5432\n\n*\n";
		close $file;
		chmod 0600, $path;
		chown +(stat "$state/postgres")[4, 5], $path if $> == 0;
	}
	ok($server->start_again, 'it starts');
	ok(kill(0 => $pid),      'the stranger lives');
	kill KILL => $pid;
	waitpid $pid, 0;
};

subtest 'lost passwords are set anew' => sub {
	my $was = T::Command::slurp("$state/secrets");

	ok($server->stop, 'stopped');
	unlink "$state/secrets" or die "secrets: $!\n";
	ok($server->start_again, 'it starts');
	isnt(T::Command::slurp("$state/secrets"), $was, 'with others');
	is($server->sql('SELECT count(*) FROM kept'), 2, 'and all data');
	ok($server->stop, 'stopped');

	open my $file, '>', "$state/secrets" or die "secrets: $!\n";
	print $file $was;
	close $file;
	$server->expect_exit(69);
	$server->spawn;
	ok((wait_until { !$server->is_running } 20), 'wrong ones are refused');
	like(
		$server->log_text, qr/refuses our password.*remove \S+secrets/,
		'in words that help'
	);
	ok($server->stop);
	unlink "$state/secrets";
	$server->expect_exit(0);
	ok($server->start_again, 'and they do');
};

subtest 'a hanging server is noticed, killed and started again' => sub {
	my $hung = T::Private->start(beat_timeout => '2s');

	for my $of (qw(postgres redis)) {
		my $find = "${of}_pid";
		my $was  = $hung->$find;

		kill STOP => $was;
		ok($hung->becomes($of, 'down', 15), "$of is said to be down");
		is($hung->get('/livez')->{status}, 200, 'the rest lives');
		ok($hung->becomes($of, 'ok', 30), 'it is ready again');
		isnt($hung->$find, $was, 'as another process');
	}
	# A busy machine may take so long to end one that it is killed again,
	# and so short a bound may catch a process of ours.
	my %hung = map { $_ => 1 }
	    $hung->log_text =~ /"private server hangs, killed".*?"pid":(\d+)/g;
	cmp_ok(scalar keys %hung, '>=', 2, 'logged, both');
	cmp_ok($hung->count('process_hangs'), '>=', 2, 'and counted');
};

subtest 'killed at any moment, from the first start on' => sub {
	my $storm = T::Private->prepare;
	my $kept  = 0;
	my $mark  = 0;

	srand 7;
	for my $round (1 .. 16) {
		if ($round > 8) {
			ok($storm->start_again, "round $round")
			    or diag($storm->log_since($mark)), last;
			$storm->sql('CREATE TABLE IF NOT EXISTS kept (id int)');
			$storm->sql("INSERT INTO kept VALUES ($round)");
			$kept++;
		} else {
			$storm->spawn;
			T::Wait::pause(rand 0.9);
		}
		$mark = $storm->log_mark;
		my @those = keys %{ $storm->workers_below };
		kill KILL => grep { rand() < 0.4 } @those;
		$storm->kill9;
	}
	ok($storm->start_again, 'it starts at last');
	is(
		$storm->sql('SELECT count(*) FROM kept'), $kept,
		'and what was committed is there'
	);
	ok(!-e $storm->state_dir . '/postgres.new', 'nothing half is left');
};

subtest 'a redis_url of somebody else\'s' => sub {
	my $redis = T::Redis->new;
	my $mixed = T::Private->start(redis_url => $redis->url);

	ok($mixed->postgres_pid, 'PostgreSQL is private');
	ok(!$mixed->redis_pid,   'Redis is not');
};

subtest 'an admin_key that is set is not shown' => sub {
	my $set = T::Private->start(admin_key => 'a-key-of-ours');

	ok($set->wait_for_log(qr/Partyline listens/), 'it greets');
	unlike($set->log_text, qr/a-key-of-ours|admin key is/, 'without it');
	ok($set->stop);
	delete $set->{set}{admin_key};
	ok($set->start_again,                       'started without one');
	ok((wait_until { key_in($set->log_text) }), 'a key is made and shown');
};

subtest 'TERM during the first start' => sub {
	for my $when (qr/making the private database/,
		qr/private server started/)
	{
		my $early = T::Private->start(wait => '');

		ok($early->wait_for_log($when), "when it says $when");
		$early->signal('TERM');
		ok($early->stop, 'it stops as asked');
		ok((wait_until { !%{ $early->workers_below } }),
			'nobody is left');
	}
};

subtest 'what is missing is named, with what to install' => sub {
	my $none = T::Private->refused(postgres_bin => '/nowhere');
	is($none->{exit}, 69);
	like($none->{log},
		qr/postgres_bin \/nowhere.*apt-get install postgresql/);

	my $bare = T::Private->refused(command => ['env', 'PATH=/nowhere']);
	is($bare->{exit}, 69);
	like($bare->{log},
		qr/Redis is not installed: apt-get install redis-server/);
};

subtest 'a folder that is no cluster, or another version\'s' => sub {
	ok($server->stop);
	$server->expect_exit(undef);
	my $version = "$state/postgres/PG_VERSION";
	my $was     = T::Command::slurp($version);
	my %says    = (
		"11\n" =>
		    qr/was made by PostgreSQL 11.*install postgresql-11/,
		"\n" => qr/is no PostgreSQL cluster; move it away/,
	);
	for my $now (sort keys %says) {
		my $mark = $server->log_mark;

		open my $file, '>', $version or die "$version: $!\n";
		print $file $now;
		close $file;
		$server->spawn;
		ok((wait_until { !$server->is_running } 20), 'refused');
		isnt($server->exit_code, 0);
		like($server->log_since($mark), $says{$now}, 'and says so');
	}
	open my $file, '>', $version or die "$version: $!\n";
	print $file $was;
	close $file;
	$server->expect_exit(0);
	ok($server->start_again, 'put right, it starts');
	is($server->sql('SELECT count(*) FROM kept'), 2, 'with its data');
};

subtest 'a PostgreSQL that does not start' => sub {
	ok($server->stop);
	open my $file, '>>', "$state/postgres/postgresql.auto.conf"
	    or die "postgresql.auto.conf: $!\n";
	print $file "nonsense = 1\n";
	close $file;
	my $mark = $server->log_mark;
	$server->expect_exit(69);
	$server->spawn;
	ok((wait_until { !$server->is_running } 20), 'is given up');
	like(
		$server->log_since($mark),
		qr/private PostgreSQL does not start: FATAL.*postgres\.log/,
		'with its own last words'
	);
	ok($server->stop);
	is_deeply($server->workers_below, {}, 'and nobody is left');
};

done_testing;
