#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline events tail: what a server's clients do, as it is written; from a
# number on; and the state where that cannot be told.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::AsyncApi;
use T::Client;
use T::Command;
use T::Evidence;
use T::Run;
use T::Server;
use T::Wait;

my $server = T::Server->prepare(workers => 2);
my $db     = $server->db;
my $json   = JSON::PP->new->utf8;
my @where  = ('--set', 'database_url=' . $db->url);

is(partyline('tenant', 'add', 'den', @where)->{exit}, 0, 'a second tenant');
$server->spawn;
ok($server->wait_ready('readyz'), 'the server is ready');
my $admin = T::Client->new($server);

sub session {
	my ($client) = @_;
	my $id = ($client // $admin)->post('/api/sessions')->{json}{id};

	($client // $admin)->post("/api/sessions/$id/close");
	return $id;
}

sub emit {
	my ($id, $n) = @_;

	return $admin->post("/api/sessions/$id/events",
		{ type => 'custom.n', data => { n => $n } })->{json}{seq};
}

sub tail {
	my (@words) = @_;

	return partyline('events', 'tail', @words, @where);
}

# One that goes on: its pid, and the pipes of what it says.
sub start {
	my (@words) = @_;
	my %env = T::Command::environment($server->dir . '/tail');

	pipe my $out, my $into or die "pipe: $!\n";
	pipe my $err, my $about or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDOUT, '>&', $into;
		open STDERR, '>&', $about;
		close $_ for $out, $err;
		T::Command::become(\%env, 'setpriv', '--pdeathsig', 'KILL',
			T::Run::program(), 'events', 'tail', @words, @where);
	}
	close $_ for $into, $about;
	T::Evidence::record(command => 'events');
	return { pid => $pid, out => $out, err => $err, of => {} };
}

# The next line of that pipe; undef: none came.
sub line {
	my ($tail, $name, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);
	my $pipe = $tail->{$name};

	$tail->{of}{$name} //= '';
	while ($tail->{of}{$name} !~ /\n/) {
		my $left = $deadline - time;

		return undef if $left <= 0 || !IO::Select->new($pipe)
		    ->can_read($left);
		sysread $pipe, $tail->{of}{$name}, 65536,
		    length $tail->{of}{$name} or return undef;
	}
	$tail->{of}{$name} =~ s/\A(.*)\n//;
	return $1;
}

# Its exit code.
sub end {
	my ($tail, $signal) = @_;

	kill $signal => $tail->{pid} if defined $signal;
	my $pid = 0;
	wait_until { ($pid = waitpid $tail->{pid}, 1) != 0 } 10;
	kill KILL => $tail->{pid} if $pid == 0;
	return $pid == 0 ? 'it goes on' : $? & 127 ? "signal $?" : $? >> 8;
}

sub place {
	my ($stream) = @_;

	return split /\|/, $db->query('SELECT epoch, head FROM '
		. "partyline.stream WHERE tenant_id = 1 AND name = '$stream'");
}

subtest 'as it is written' => sub {
	my $id = session();
	my ($epoch) = place("session:$id");
	my $tail = start('--session', $id, '--json');

	is(line($tail, 'err'), "partyline: session:$id of tenant default is "
		. "told from $epoch:1", 'it says where it begins');
	for my $n (2 .. 4) {
		emit($id, $n);
		my $said = line($tail, 'out');

		is($said, $db->query('SELECT payload FROM partyline.event '
			. "WHERE tenant_id = 1 AND stream = 'session:$id' AND "
			. "seq = $n"), "number $n, byte for byte");
	}
	is(end($tail, 'INT'), 0, 'INT ends it well');
	is(line($tail, 'err'), "partyline: session:$id of tenant default was "
		. "told to $epoch:4", 'and where it ends');
	is(line($tail, 'out'), undef, 'nothing else');

	$tail = start();
	like(line($tail, 'err'), qr/: lobby of tenant default is told from /,
		'without --session the lobby');
	session();
	like(line($tail, 'out'), qr/\A\d+  \d{4}-\S+Z  session\.started  /,
		'a line for people');
	is(end($tail, 'TERM'), 0, 'TERM ends it too');
};

subtest 'from a number on' => sub {
	my $id = session();
	my ($epoch) = place("session:$id");

	emit($id, $_) for 2 .. 6;
	for my $since (0, 3, "$epoch:0", "$epoch:3") {
		my $after = $since =~ s/.*://r;
		my $said = tail('--session', $id, '--since', $since,
			'--count', 6 - $after, '--json');

		is($said->{exit}, 0, "since $since: exit code");
		is(join(' ', map { $json->decode($_)->{seq} }
			split /\n/, $said->{out}),
			join(' ', $after + 1 .. 6), "since $since: all behind");
	}
	is(tail('--session', $id, '--since', 0, '--count', 2)->{out} =~ tr/\n//,
		2, 'no more than are wanted');
};

subtest 'what cannot be told event by event' => sub {
	my $id = session();
	my ($epoch) = place("session:$id");

	emit($id, $_) for 2 .. 5;
	$db->query("UPDATE partyline.stream SET lowest = 4 WHERE tenant_id = 1 "
		. "AND name = 'session:$id'");
	for my $since (0, 2, "$epoch:9", 'other:5', 9) {
		my $tail = start('--session', $id, '--since', $since,
			'--json', '--count', 1);
		my $said = line($tail, 'out') // '{}';

		T::AsyncApi::received($said);
		my $told = $json->decode($said);
		is_deeply([@$told{qw(type stream epoch seq from)},
			$told->{state}{id}],
			['resync', "session:$id", $epoch, 5, 4, $id],
			"since $since: the state");
		is(end($tail, 'INT'), 0, 'and it went on');
	}
	my $tail = start('--session', $id, '--since', 5);
	line($tail, 'err');
	$db->query('UPDATE partyline.stream SET epoch = DEFAULT WHERE '
		. "tenant_id = 1 AND name = 'session:$id'");
	my ($new) = place("session:$id");
	like(line($tail, 'out'), qr/\A5  resync  epoch \Q$new\E  \{"from":4,/,
		'a new epoch under it');
	emit($id, 6);
	like(line($tail, 'out'), qr/\A6  \S+  custom\.n  \{"n":6\}\z/,
		'and on from there');
	$admin->request('delete', "/api/sessions/$id");
	is(line($tail, 'err'), "partyline: session:$id was deleted",
		'until it is deleted');
	is(end($tail), 0, 'which ends it');
};

subtest 'other tenants, and what is refused' => sub {
	my $other = T::Client->new($server, tenant => 'den');
	my $id = session($other);
	my $said = tail('--tenant', 'den', '--session', $id, '--since', 0,
		'--count', 1);

	is($said->{exit}, 0, 'another tenant: exit code') or diag $said->{err};
	like($said->{out}, qr/\A1  \S+  session\.ended  /, 'and its events');
	for (
		[65, qr/there is no session:999 in tenant default/,
			'--session', 999],
		[65, qr/--session: a whole number/, '--session', 'x'],
		[65, qr/--session: a whole number/, '--session', 0],
		[65, qr/--count: a whole number/, '--count', 0],
		[65, qr/--since: a number, or an epoch/, '--since', 'x'],
		[65, qr/--since: a number, or an epoch/, '--since', -1],
		[65, qr/Tenant not found|no tenant/i, '--tenant', 'none'],
		[64, qr/tail takes no more words/, 'x']) {
		my ($exit, $pattern, @words) = @$_;
		my $answer = tail(@words);

		is($answer->{exit}, $exit, "@words: exit code");
		like($answer->{err}, $pattern, "@words: told");
		is($answer->{out}, '', "@words: nothing else");
	}
	is(partyline('events')->{exit}, 64, 'a verb is needed');
	# What others wrote moves no cursor.
	my $bell = session();
	$admin->post("/api/sessions/$bell/events",
		{ type => 'custom.n', data => { x => "\x{9b}1m\x{7f}\n" } });
	is((split /  /, tail('--session', $bell, '--since', 1, '--count', 1)
		->{out})[3], qq({"x":"?1m?\\n"}\n), 'controls are not printed');
};

done_testing;
