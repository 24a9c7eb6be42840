#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Presence: which admins show which page, over two workers and two hosts,
# with clients that go, and processes and hosts that die.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Db;
use T::Live;
use T::OwnRedis;
use T::Server;
use T::Wait;

# Somebody who is signed in and shows a page.
sub enter {
	my ($server, $name, $page, %options) = @_;
	my $live = T::Live->enter($server, name => $name, %options);

	focus($live, $page) if defined $page;
	return $live;
}

sub focus {
	my ($live, $page) = @_;

	$live->say({ type => 'page_focus', page => $page });
	return;
}

sub names { return join ' ', map { $_->{name} } @{ $_[0]{admins} } }

# Who is there as it was told last, once it is that.
sub sees {
	my ($live, $names, $what, $seconds) = @_;
	my $last = sub { ($live->heard('presence_update'))[-1] // {} };

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($live->wait_for(sub { defined $last->()->{admins}
		&& names($last->()) eq $names }, $seconds),
		"$what: " . ($names || 'nobody'))
	    || diag(names($last->()));
}

sub updates { return scalar $_[0]->heard('presence_update') }

my $server = T::Server->prepare(workers => 2);
is($server->partyline('tenant', 'add', 'den', '--set',
	'database_url=' . $server->db->url)->{exit}, 0, 'another tenant');
$server->spawn;
ok($server->wait_ready('readyz'), 'ready');

subtest 'on a page' => sub {
	my $ann = enter($server, 'Ann', '/history', worker => 1);
	my $update = $ann->hears('presence_update');

	like(delete $update->{timestamp},
		qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, 'when');
	is_deeply($update, { type => 'presence_update', admins => [
		{ name => 'Ann', page => '/history' }] }, 'oneself');
	my $bob = enter($server, 'Bob', '/history', worker => 2);
	sees($_, 'Ann Bob', 'over two workers') for $ann, $bob;
	my $cleo = enter($server, 'Cleo', '/', worker => 2);
	sees($cleo, 'Cleo', 'another page has its own');
	my $more = enter($server, 'Bob', '/history', worker => 1);
	sees($more, 'Ann Bob', 'a name counts once');
	my $viewer = enter($server, 'Vic', '/history', role => 'viewer');
	sees($viewer, 'Ann Bob', 'a viewer looks, and is not named');
	my $other = enter($server, 'Zoe', '/history', tenant => 'den');
	sees($other, 'Zoe', 'another tenant has its own');
	settled($ann, $bob, $cleo);
	is(names(($ann->heard('presence_update'))[-1]), 'Ann Bob',
		'nobody else came');
	my $told = updates($ann);

	$more->hang_up;
	focus($cleo, '/history');
	sees($_, 'Ann Bob Cleo', 'somebody moves') for $ann, $bob, $cleo;
	focus($bob, '/');
	sees($_, 'Ann Cleo', 'somebody goes') for $ann, $cleo;
	sees($bob, 'Bob', 'to another page');
	$cleo->leave;
	sees($ann, 'Ann', 'somebody closes');
	is(updates($ann), $told + 3, 'each change is told once');
	focus($ann, '/history');
	ok($ann->wait_for(sub { updates($ann) == $told + 4 }),
		'who says it again is told again');
	$_->leave for $ann, $bob, $viewer, $other;
};

subtest 'what is no page' => sub {
	my $ann = T::Live->enter($server);

	for my $page (undef, '', 7, ['x'], 'x' x 201) {
		focus($ann, $page);
		is_deeply($ann->hears('error'), { type => 'error', message =>
			'page must be a text of at most 200 bytes' },
			'refused');
	}
	my $nobody = T::Live->connect($server);
	focus($nobody, '/');
	is($nobody->hears('error')->{message}, 'Not authenticated',
		'who is not signed in');
	focus($ann, "/\x{1F600}\"\\\n" . 'x' x 180);
	is($ann->hears('presence_update')->{admins}[0]{page},
		"/\x{1F600}\"\\\n" . 'x' x 180, 'any text is one');
	$_->leave for $ann, $nobody;
};

subtest 'a killed worker' => sub {
	my $ann = enter($server, 'Ann', '/', worker => 1);
	my $bob = enter($server, 'Bob', '/', worker => 2);

	sees($_, 'Ann Bob', 'both') for $ann, $bob;
	kill KILL => $server->worker_pid(2);
	sees($ann, 'Ann', 'its admins are forgotten', 5);
	$bob->hang_up;
	ok((wait_until {
		$bob = eval { enter($server, 'Bob', '/', worker => 2) };
	} 20), 'back with its successor');
	sees($_, 'Ann Bob', 'which asks who is there') for $ann, $bob;

	# A reload: clients are sent to the new workers one by one.
	$server->hup;
	$_->code(20), $_->hang_up for $ann, $bob;
	ok((wait_until {
		$ann = eval { enter($server, 'Ann', '/') };
	} 20), 'back after a reload');
	sees($ann, 'Ann', 'alone');
	$ann->leave;
};

subtest 'many' => sub {
	my $ann = enter($server, 'Ann', '/', worker => 1);
	my @crowd = map { enter($server, "Admin$_", '/many', worker => 1
		+ $_ % 2) } 10 .. 39;
	my $names = join ' ', map { "Admin$_" } 10 .. 39;

	sees($_, $names, 'all of them') for @crowd[0, 1, 28, 29];
	$_->hang_up for @crowd[1 .. 29];
	sees($crowd[0], 'Admin10', 'all at once');
	settled($ann);
	is(updates($ann), 1, 'which is nothing to another page');
	$_->leave for $ann, $crowd[0];
	cmp_ok($server->count('presence_said'), '<', 300,
		'what comes at once is announced at once');
};

sub host {
	my ($db, $redis) = @_;

	return T::Server->start(workers => 2, wait => 'readyz',
		database_url => $db->url, redis_url => $redis->url,
		redis_prefix => $redis->prefix, presence_round => '500ms',
		presence_silence => '3s');
}

subtest 'two hosts' => sub {
	my $redis = T::OwnRedis->start;
	my $db = T::Db->new;
	my ($here, $there) = map { host($db, $redis) } 1, 2;
	my $ann = enter($here, 'Ann', '/', worker => 1);
	my $bob = enter($there, 'Bob', '/', worker => 1);
	my $cleo = enter($there, 'Cleo', '/', worker => 2);
	my @all = ($ann, $bob, $cleo);

	sees($_, 'Ann Bob Cleo', 'over two hosts') for @all;
	focus($cleo, '/history');
	sees($_, 'Ann Bob', 'somebody moves') for $ann, $bob;
	focus($cleo, '/');
	sees($_, 'Ann Bob Cleo', 'and comes back') for @all;

	my $told = updates($ann);
	my $said = $there->count('presence_said');
	ok((wait_until { $there->count('presence_said') > $said + 12 } 20),
		'they say it again and again');
	settled(@all);
	is(updates($ann), $told, 'which is no news to clients');

	# The other host sees of a worker only that it is silent.
	kill KILL => $there->worker_pid(2);
	$cleo->hang_up;
	sees($_, 'Ann Bob', 'a worker of the other host is killed', 10)
	    for $bob, $ann;

	my $begun = time;
	$there->expect_exit(undef);
	my @pids = map { $_->{pid} } $there->processes;
	kill KILL => $there->pid, @pids;
	$there->kill9;
	$bob->hang_up;
	sees($ann, 'Ann', 'a whole host is killed', 10);
	cmp_ok(time - $begun, '>', 2, 'not before its silence lasts');
	$ann->leave;
};

done_testing;
