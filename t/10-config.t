#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The configuration from outside: where values come from and which wins, what
# is told about wrong ones, how it is shown.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use JSON::PP   ();
use Test::More;
use T::Command;
use T::Evidence;
use T::Table;

my $folder = File::Temp->newdir;
my $json   = JSON::PP->new->utf8;
my $secret = 'hush' x 8;

sub file {
	my ($name, $text) = @_;

	open my $file, '>', "$folder/$name" or die "$name: $!\n";
	print $file $text;
	close $file;
	return "$folder/$name";
}

# The value of one option, and where it is from.
sub value {
	my ($name, @words) = @_;
	my $options = ref $words[0] ? shift @words : {};
	my $shown = partyline($options, 'config', 'print', '--json', @words);

	return diag($shown->{err}) if $shown->{exit} != 0;
	my $row = $json->decode($shown->{out})->{$name};
	return "$row->{value} from $row->{origin}";
}

sub is_refused {
	my ($words, $pattern, $name) = @_;
	my $checked = partyline(@$words);

	is($checked->{exit}, 78, "$name: refused");
	like($checked->{err}, $pattern, "$name: told");
	return;
}

subtest 'the later source wins' => sub {
	my $conf = file('order.conf', "# workers\nworkers = 2\n");
	my %env  = (env => { PARTYLINE_WORKERS => 3 });

	is(value('workers'), '0 from default', 'the default');
	is(value('workers', '-c', $conf), "2 from $conf:2", 'the file');
	is(value('workers', \%env, '-c', $conf), '3 from PARTYLINE_WORKERS',
		'the environment');
	is(value('workers', \%env, '-c', $conf, '--set', 'workers=4'),
		'4 from --set', 'the command line');
	is(value('workers', '--set=workers=4', '--set', 'workers=5'),
		'5 from --set', 'and there the last');
};

subtest 'the environment that is in use today' => sub {
	my %old = (PORT => 81, ADMIN_KEY => 'k', ADMIN_CONFIG_PATH => '/a',
		JWT_SECRET => $secret, DATABASE_URL => 'postgres://h/d',
		REDIS_URL => 'redis://h');
	my $shown = partyline({ env => \%old }, 'config', 'diff');

	is($shown->{out}, <<'END', 'is read, and told as the origin');
# from ADMIN_KEY
admin_key = ********
# from ADMIN_CONFIG_PATH
admins_file = /a
# from DATABASE_URL
database_url = postgres://h/d
# from JWT_SECRET
jwt_secret = ********
# from PORT
listen = 0.0.0.0:81
# from REDIS_URL
redis_url = redis://h
END
	is(value('listen', { env => { PORT => 81,
		PARTYLINE_LISTEN => '[::1]:82' } }),
		'[::1]:82 from PARTYLINE_LISTEN', 'our own names win');
	is(value('listen', { env => { PORT => '' } }),
		'127.0.0.1:5000 from default', 'an empty one is none');
};

subtest 'secrets in files' => sub {
	my $path  = file('secret', "postgres://u:$secret\@h/d\n");
	my $shown = partyline({ env => {
		PARTYLINE_DATABASE_URL_FILE => $path } }, 'config', 'diff');

	is($shown->{out}, "# from PARTYLINE_DATABASE_URL_FILE\n"
		. "database_url = postgres://u:********\@h/d\n", 'are read');
	my $missing = partyline({ env => {
		PARTYLINE_ADMIN_KEY_FILE => "$folder/none" } }, 'config',
		'check');
	is($missing->{exit}, 78, 'a missing one is refused');
	like($missing->{err}, qr/^PARTYLINE_ADMIN_KEY_FILE: admin_key: /,
		'by name');
};

subtest 'what is wrong is told, all of it at once' => sub {
	my $conf = file('wrong.conf', "workers = many\nworker = 2\n"
		. "max_body = 3\n");
	my $checked = partyline({ env => { PARTYLINE_LISTEN => 'x',
		PARTYLINE_NOTHING => 1 } }, 'config', 'check', '-c', $conf,
		'--set', 'log_level=loud');

	is($checked->{exit}, 78, 'exit code');
	is($checked->{out}, '', 'nothing on standard output');
	my @lines = sort split /\n/, $checked->{err};
	is_deeply(\@lines, [sort
		"$conf:1: workers: \"many\" is not a whole number; "
		    . 'allowed: 0 to 510',
		"$conf:2: worker: there is no such option; "
		    . 'did you mean workers?',
		"$conf:3: max_body: \"3\" is too small; allowed: 1KiB to "
		    . '1GiB (units: KiB, MiB, GiB)',
		'PARTYLINE_LISTEN: listen: "x" has no port; allowed: '
		    . 'addresses with blanks between, such as '
		    . '127.0.0.1:5000, [::1]:5000, unix:/path',
		'PARTYLINE_NOTHING: nothing: there is no such option; '
		    . 'allowed: those that partyline -x options lists',
		'--set: log_level: "loud" is none of the choices; allowed: '
		    . 'error, warn, info or debug'], 'each in a line');
	is_refused(['serve', '-c', $conf], qr/^\Q$conf\E:1: workers: /,
		'serve');
	is_refused(['config', 'print', '-c', $conf], qr/:2: worker: /, 'print');
	is_refused(['config', 'check', '-c', "$folder/none.conf"],
		qr/none\.conf: cannot be read: No such file/, 'no file');
	is_refused(['config', 'check', '-c', "$folder"],
		qr/cannot be read: Is a directory/, 'a folder');
	is_refused(['config', 'check', '--set', 'workers=31'],
		qr/^--set: workers: 31 is too many for max_processes 64;/,
		'two options that do not fit');
	is_refused(['config', 'check', '--set', 'webhook_schedule=5s 5x'],
		qr/^--set: webhook_schedule: "5x" .*; allowed: up to 32 spans/,
		'a list with something else in it');
	for my $refused (
		['1:10.0.0.1:5', '"1:10.0.0.1:5" has no = between'],
		['x=10.0.0.1:5', '"x" is no number of a host; allowed: up to '
			. '64 of NUMBER=ADDRESS'],
		['0=10.0.0.1:5', '"0" is no number of a host;'],
		['65536=10.0.0.1:5', '"65536" is no number of a host;'],
		['1=10.0.0.1', '"10.0.0.1" has no port;'],
		['1=b.example:5', '"b.example:5" has no numeric address'],
		[join(' ', map { "$_=10.0.0.1:$_" } 1 .. 65), 'has more than '
			. '64 hosts;'],
		['1=unix:/a', '"unix:/a" is not on another host;'],
		['1=10.0.0.1:5 1=10.0.0.2:5', '"1=10.0.0.2:5" has the number '
			. 'of another one;'],
		['1=10.0.0.1:5 2=10.0.0.1:5', '"2=10.0.0.1:5" has the address '
			. 'of another one;'],
		['1=10.0.0.1:5', 'needs host_number, by which'],
		['1=10.0.0.1:5 2=10.0.0.2:6 3=[fd00::1]:7', '10.0.0.2:6 is not '
			. 'in trusted_proxies;', 'host_number=3'],
	) {
		my ($peers, $wanted, @more) = @$refused;

		is_refused(['config', 'check', '--set', "peers=$peers",
			'--set', 'trusted_proxies=10.0.0.1', map { ('--set',
			$_) } @more], qr/^--set: peers: \Q$wanted\E/, $wanted);
	}
	is(partyline('config', 'check', '--set', 'host_number=3', '--set',
		'peers=1=10.0.0.1:5 2=[fd00::1]:6 3=10.0.0.3:7', '--set',
		'trusted_proxies=10.0.0.1 fd00::/8')->{exit}, 0,
		'peers, and oneself among them');
	for my $path ('foo', '/foo', 'foo/', '//x/', '/x//y/', '/a b/', '/%41/',
		"/\xc3\xa9/", '/a?b/') {
		is_refused(['config', 'check', '--set',
			"socketio_path=$path"], qr{: socketio_path: is no },
			"Socket.IO at $path");
	}
	for my $path ('/api/', '/api/live/', '/engine.io/', '/t/') {
		is_refused(['config', 'check', '--set',
			"socketio_path=$path"], qr/has other things; allowed:/,
			"Socket.IO at $path");
	}
	is(partyline('config', 'check', '--set', "socketio_path=$_")->{exit}, 0,
		"Socket.IO at $_") for '/x/', '/our/own-sockets_1.0~/';
	is_refused(
		['config', 'check', '--set', "redis_url=rediss://:$secret\@h"],
		qr/run a tunnel/, 'Redis over TLS');
	is_refused(['config', 'check', '--set', 'redis_url=redis://h:65536'],
		qr/^--set: redis_url: has a port that is no number from 1 /,
		'a Redis that cannot be connected to');
	my $json_out = partyline('config', 'check', '--json', '--set', 'x=y');
	is($json_out->{exit}, 78, 'for programs: the same exit code');
	is_deeply($json->decode($json_out->{out}), { ok => JSON::PP::false,
		problems => ['--set: x: there is no such option; allowed: '
			. 'those that partyline -x options lists'] },
		'and the lines as a list');
};

subtest 'a good one' => sub {
	my $good = partyline('config', 'check');
	is($good->{exit}, 0, 'exit code');
	is($good->{out}, "the configuration is good\n", 'told');
	is_deeply($json->decode(partyline('config', 'check', '--json')->{out}),
		{ ok => JSON::PP::true, problems => [] }, 'for programs');
};

# Values for every option that are not its default, by kind.
my %others = (
	flag => 'off', count => 9, bytes => '100KiB', span => '7s',
	text => ' "x" # \\ ', secret => $secret, path => "a b\t# \"c\"",
	hosts => '127.0.0.1:1 [::1]:2', nets => '10.0.0.0/8 unix',
	ports => '443 8000-8999',
);
my %special = (
	log_level     => 'warn',
	engineio_transports => 'polling',
	database_url  => "postgres://u:$secret\@h/d?password=$secret&x=y",
	migrate_url   => "postgres://o:$secret\@h/d",
	redis_url     => "redis://:$secret\@h:6379/1",
	compress_min  => '2KiB',
	access_log    => 'off',
	public_read   => 'off',
);

# The same within narrow bounds; spans are told in milliseconds.
sub other {
	my ($row) = @_;
	my %unit = (count => '', span => 'ms');
	my $value = $special{ $row->{name} } // $others{ $row->{kind} };
	my ($number) = $value =~ /^(\d+)s?$/;
	my $unit = $unit{ $row->{kind} };

	return $value if !defined $unit || !defined $number;
	$number *= 1000 if $unit eq 'ms';
	return $row->{min} . $unit if $number < $row->{min};
	return $row->{max} . $unit if $number > $row->{max};
	return $value;
}

subtest 'printed, read back and printed: the same bytes' => sub {
	my @sets = map { ('--set', "$_->{name}=" . other($_)) }
	    T::Table->rows('options');
	my $first = partyline('config', 'print', @sets);
	is($first->{exit}, 0, 'printed') or diag($first->{err});
	is(() = $first->{out} =~ /^\w+ = /mg,
		scalar T::Table->names('options'), 'every option');
	unlike($first->{out}, qr/\Q$secret\E/, 'no secret among them');
	like($first->{out}, qr/^jwt_secret = \*{8}$/m, 'but a mask');
	my $conf   = file('printed.conf', $first->{out});
	my $second = partyline('config', 'print', '-c', $conf);
	is($second->{out}, $first->{out}, 'the same bytes');
	is($second->{err}, '', 'and no complaint');
	unlike(partyline('config', $_->[0], @{ $_->[1] }, @sets)->{out},
		qr/\Q$secret\E/, "@$_[0]: no secret")
	    for ['diff', []], ['print', ['--json']], ['diff', ['--json']];
	# These are kept for what comes later; no other test can see them work.
	T::Evidence::record(option => qw(admins_file jwt_secret migrate_url
		public_read redis_prefix)) if $first->{exit} == 0;

	is_refused(['config', 'check', '-c', $conf],
		qr/:\d+: jwt_secret: is masked/,
		'a server would start without its secrets');
	my $mended = partyline({ env => { JWT_SECRET => $secret } }, 'config',
		'check', '-c', $conf);
	unlike($mended->{err}, qr/jwt_secret/, 'until they are given again');
};

subtest 'defaults' => sub {
	is(partyline('config', 'diff')->{out}, '', 'differ from nothing');
	my $all  = $json->decode(partyline('config', 'print', '--json')->{out});
	my %want = map { $_ => 1 } T::Table->names('options');
	is_deeply([sort keys %$all], [sort keys %want], 'all are there');
	is($all->{max_body}{value}, 1024 * 1024, 'as numbers');
	is($all->{drain_timeout}{value}, 30_000, 'spans in milliseconds');
};

done_testing;
