#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The admins of the configuration: taken over by a start and by a reload,
# refused by their entry where something is wrong, and never brought back
# after a command revoked one.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Command;
use T::Db;
use T::Line;
use T::Run;
use T::Server;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;
my $path = T::Run::folder() . "/admins-$$.json";

# Nobody but who starts the server has to read it.
sub write_file {
	my ($content) = @_;

	$content = $json->encode($content) if ref $content;
	open my $file, '>', "$path.new" or die "$path: $!\n";
	chmod 0600, "$path.new";
	print $file $content;
	close $file or die "$path: $!\n";
	rename "$path.new", $path;
	return;
}

# name => key, …
sub write_admins {
	my (@admins) = @_;
	my @list;

	while (my ($name, $key) = splice @admins, 0, 2) {
		push @list, { name => $name, key => $key };
	}
	write_file(\@list);
	return;
}

sub login {
	my ($server, $key, %options) = @_;

	return T::Client->new($server, role => undef, %options)
	    ->post('/api/auth/login', { key => $key });
}

sub verify {
	my ($server, $token, %options) = @_;

	return T::Client->new($server, role => undef, %options)
	    ->post('/api/auth/verify', undef, Authorization => "Bearer $token")
	    ->{status};
}

# What the log says of the last time that they were taken over.
sub taken_over {
	my ($server, $mark) = @_;
	my $line;

	wait_until {
		($line) = $server->log_since($mark) =~
		    /"message":"(admins of the configuration are in".*)\}/
	};
	return $line;
}

sub reload {
	my ($server) = @_;
	my $mark = $server->log_mark;

	$server->hup;
	return taken_over($server, $mark);
}

write_admins(Ann => "Ann's k\x{e9}y", Bob => 'Bob');
my $server = T::Server->start(
	wait    => 'readyz',
	workers => 2,
	conf    => { admin_key => 'the first', admins_file => $path,
		login_failures => 300 }
);
my $db = $server->db;
my %token;

subtest 'a start takes them over' => sub {
	for my $pair (['the first', 'Admin'], ["Ann's k\x{e9}y", 'Ann'],
		['Bob', 'Bob'])
	{
		my $answer = login($server, $pair->[0]);

		is($answer->{json}{name}, $pair->[1], "$pair->[1] signs in");
		$token{ $pair->[1] } = $answer->{json}{token};
	}
	is($db->query(q{SELECT string_agg(name || role, ' ' ORDER BY name)
		FROM partyline.admin WHERE came_from = 'configuration'
		AND tenant_id = 1}), 'Adminadmin Annadmin Bobadmin',
		'as admins of the default tenant');
	my $before = $db->query('SELECT json_agg(a) FROM partyline.admin a');

	like(reload($server), qr/"admins":3,"added":0,"revoked":0/,
		'a reload has nothing to do');
	my $mark = $server->log_mark;
	ok($server->stop, 'stopped');
	$server->spawn;
	ok($server->wait_ready('readyz'), 'and started');
	like(taken_over($server, $mark), qr/"added":0,"revoked":0/,
		'the same');
	is($db->query('SELECT json_agg(a) FROM partyline.admin a'), $before,
		'nothing was hashed anew');
	is(verify($server, $token{$_}), 200, "$_ is still believed")
	    for qw(Admin Ann Bob);
};

subtest 'a reload makes them equal' => sub {
	write_admins(Ann => 'another', Cid => 'Cid');
	like(reload($server), qr/"admins":3,"added":2,"revoked":0/,
		'two are new');
	like($server->log_text, qr/"admins left the configuration","revoked":2/,
		'after two had gone');
	is(login($server, $_)->{status}, 200, 'a key of now')
	    for 'the first', 'another', 'Cid';
	is(login($server, $_)->{status}, 401, 'a key of before')
	    for "Ann's k\x{e9}y", 'Bob';
	ok((wait_until { verify($server, $token{$_}) == 403 }),
		"$_\'s token is over") for qw(Ann Bob);
	is(verify($server, $token{Admin}), 200, 'Admin\'s is not');
	is(login($server, 'Bob', worker => $_)->{status}, 401, 'anywhere')
	    for 1, 2;

	write_admins(Bob => 'Bob');
	reload($server);
	is(login($server, 'Bob')->{status}, 200, 'who comes again is there');
	is(verify($server, $token{Bob}), 403, 'what he had stays over');
	is(login($server, 'Cid')->{status}, 401, 'who left is not');
};

my @wrong = (
	['[', qr/is not JSON; allowed: \[\{"name":/],
	['', qr/is not JSON/],
	['{"name":"A","key":"sesame"}', qr/is not a list/],
	['[7]', qr/entry 1: is no object/],
	['[{"name":"A","key":"sesame"},{"key":"sesame2"}]',
		qr/entry 2: has no name that is fit; allowed: a name of 1 to/],
	['[{"name":"","key":"sesame"}]', qr/entry 1: has no name/],
	['[{"name":"a\u0007","key":"sesame"}]', qr/entry 1: has no name/],
	['[{"name":"' . 'x' x 101 . '","key":"sesame"}]',
		qr/entry 1: has no name/],
	['[{"name":"A"}]', qr/entry 1: has no key that is fit; allowed: a k/],
	['[{"name":"A","key":""}]', qr/entry 1: has no key/],
	['[{"name":"A","key":"' . 'sesame' x 50 . '"}]',
		qr/entry 1: has no key/],
	['[{"name":"A","key":7}]', qr/entry 1: has no key/],
	['[{"name":"A","key":"sesame","role":"bot"}]',
		qr/entry 1: has "role", which means nothing here/],
	['[{"name":"A","key":"a"},{"name":"B","key":"b"},{"name":"A","key":"c"}'
		. ']', qr/entry 3: has the name of entry 1; allowed: each/],
	['[{"name":"A","key":"sesame"},{"name":"B","key":"sesame"}]',
		qr/entry 2: has the key of entry 1/],
	['[{"name":"Admin","key":"sesame"}]',
		qr/entry 1: has the name of admin_key/],
	['[{"name":"A","key":"the first"}]',
		qr/entry 1: has the key of admin_key/],
	# All that is wrong is told.
	['[{},[],{"name":"A","key":"a"},{"name":"A","key":"b"}]',
		qr/entry 1: .*\n.*entry 2: .*\n.*entry 4: /],
	['x' x 2_000_000, qr/cannot be read: File too large/],
);

subtest 'what is wrong is told by its entry' => sub {
	for my $row (@wrong) {
		my ($content, $pattern) = @$row;

		write_file($content);
		my $said = partyline('config', 'check', '-c',
			$server->conf_path);
		is($said->{exit}, 78, 'config check') or diag $content;
		like($said->{err}, qr/^\S+: admins_file: "\Q$path\E": /m,
			'where');
		like($said->{err}, $pattern, "$pattern");
		unlike($said->{err}, qr/sesame|the first/, 'without the key');
	}
	my $file = $server->conf_path;
	for my $other ('/no/such/file', T::Run::folder()) {
		my $said = partyline('config', 'check', '-c', $file, '--set',
			"admins_file=$other");
		is($said->{exit}, 78, "$other");
		like($said->{err}, qr/cannot be read: (?:No such|Is a dir)/,
			'told');
	}
	my $said = partyline('config', 'check', '--json', '-c', $file);
	is($said->{exit}, 78, 'for programs');
	like($json->decode($said->{out})->{problems}[0], qr/cannot be read/,
		'too');
	write_admins(Bob => 'Bob');
	is(partyline('config', 'check', '-c', $file)->{exit}, 0,
		'a good one');
};

subtest 'a start with a bad one is refused' => sub {
	for my $row (@wrong[0, 13, 15]) {
		write_file($row->[0]);
		my $refused = T::Server->refused(admin_key => 'the first',
			admins_file => $path);
		is($refused->{exit}, 78, 'exit code');
		like($refused->{log}, $row->[1], 'told');
	}
};

subtest 'a reload with a bad one is refused' => sub {
	my $mark   = $server->log_mark;
	my $before = $server->count('reloads_refused');

	write_file($wrong[14][0]);
	$server->hup;
	$server->counts(reloads_refused => $before + 1);
	like($server->log_since($mark), qr/"message":"reload refused.*entry 2/,
		'told');
	is(login($server, 'Bob')->{status}, 200, 'the server goes on');
	write_admins(Bob => 'Bob');
};

subtest 'what commands did stays so' => sub {
	my $command = sub {
		my $said = $server->partyline(@_, '--set',
			'database_url=' . $db->url);
		is($said->{exit}, 0, "@_") or diag $said->{err};
		return $said;
	};
	my $bob = login($server, 'Bob')->{json}{token};

	like($command->(qw(admin revoke Bob))->{err},
		qr/Bob stands in the configuration still/, 'told');
	ok((wait_until { verify($server, $bob) == 403 }), 'over');
	$command->(qw(admin add --name Dan));
	write_admins(Bob => 'Bob', Dan => 'Dan', Eve => 'Eve');
	my $mark = $server->log_mark;
	like(reload($server), qr/"added":1/, 'a reload adds one');
	like($server->log_since($mark), qr/"an admin of the configuration is /,
		'told');
	like($server->log_since($mark), qr/"name":"$_->[0]","why":"$_->[1]"/,
		"why not $_->[0]")
	    for ['Bob', 'a command revoked this key'],
	    ['Dan', 'a command added another of this name'];
	is(login($server, $_)->{status}, 401, "not $_") for qw(Bob Dan);
	is(login($server, 'Eve')->{status}, 200, 'the others are in');
	write_admins(Bob => 'a new one');
	reload($server);
	is(login($server, 'a new one')->{status}, 200, 'another key is');
};

subtest 'nothing of it is in the log' => sub {
	unlike($server->log_text, qr/the first|sesame|a new one|Ann's/,
		'no key');
};
ok($server->stop, 'the server ends well');

subtest 'PostgreSQL is away at the start' => sub {
	my $own  = T::Db->new;
	my $line = T::Line->new($own);

	write_admins(Late => 'Late');
	$line->down;
	my $late = T::Server->start(workers => 2, wait => 'livez', set =>
		{ admins_file => $path, database_url => $line->url });
	my $client = T::Http->request($late, 'POST', '/api/auth/login',
		'{"key":"Late"}');
	is($client->{status}, 503, 'nobody can sign in');
	$line->up;
	ok($late->wait_ready('readyz'), 'it is there');
	# The worker that answers may be a moment behind the one that was ready;
	# but none refuses him before it knows all admins.
	my $status;
	wait_until {
		$status = T::Http->request($late, 'POST', '/api/auth/login',
			'{"key":"Late"}')->{status};
		$status != 503;
	};
	is($status, 200, 'and he signs in at once');
};

unlink $path;
done_testing;
