#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline epoch: what it does to a real database, and that clients who
# follow a stream are told at once.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Command;
use T::Live;
use T::Server;
use T::Sql;

my $json = JSON::PP->new->utf8;

sub epoch {
	my ($db, @words) = @_;

	return partyline('epoch', @words, '--set', 'database_url=' . $db->url);
}

# By tenant and stream.
sub epochs {
	my ($db) = @_;

	return { map { split / / } split /\n/, $db->query(
		q{SELECT coalesce(nullif(t.slug, ''), '-') || ':' || s.name
		|| ' ' || s.epoch FROM partyline.stream s
		JOIN partyline.tenant t ON t.id = s.tenant_id}) };
}

# Streams whose epoch is another one.
sub renewed {
	my ($before, $after) = @_;

	return join ' ', grep { $before->{$_} ne $after->{$_} }
	    sort keys %$before;
}

subtest 'what it does' => sub {
	my $db = T::Sql->database;

	is(partyline('tenant', 'add', 'alpha', '--set', 'database_url='
		. $db->url)->{exit}, 0, 'a second tenant');
	my $before = epochs($db);
	my $said = epoch($db, 'renew', '--tenant', 'alpha');
	my $after = epochs($db);
	is($said->{exit}, 0, 'of a tenant') or diag($said->{err});
	is($said->{out}, 'a new epoch of 1 stream of tenant alpha: their '
		. "clients read the present state\n", 'said');
	is(renewed($before, $after), 'alpha:lobby', 'his streams, no other');
	is($db->query(q{SELECT type || ' ' || (payload::json->>'data')
		FROM partyline.event WHERE stream = 'control'
		ORDER BY seq DESC LIMIT 1}), 'epoch.renewed {"tenant":2}',
		'workers are told');

	$said = epoch($db, 'renew', '--json');
	is($said->{exit}, 0, 'of all') or diag($said->{err});
	is_deeply($json->decode($said->{out}), { streams => 3 },
		'for programs');
	is(renewed($after, epochs($db)), '-:control alpha:lobby '
		. 'default:lobby', 'every stream');
	is($said->{err}, '', 'nothing to complain of');
};

subtest 'what it refuses' => sub {
	my $db = T::Sql->database;
	my $before = epochs($db);
	my $refused = sub {
		my ($exit, $pattern, @words) = @_;
		my $said = epoch($db, @words);

		is($said->{exit}, $exit, "epoch @words: exit code");
		like($said->{err}, $pattern, 'told');
		is($said->{out}, '', 'nothing else');
		is(renewed($before, epochs($db)), '', 'nothing done');
	};

	$refused->(65, qr/Tenant not found/, 'renew', '--tenant', 'nobody');
	$refused->(64, qr/epoch takes renew/);
	$refused->(64, qr/epoch takes renew/, 'rewind');
	$refused->(64, qr/epoch renew takes no more words/, 'renew', 'all');
	$refused->(64, qr/epoch does not take --name/, 'renew', '--name',
		'Ann');
	is(partyline('epoch', 'renew', '--set',
		'database_url=postgresql://x@/x?host=/nowhere')->{exit}, 69,
		'without a database');
};

subtest 'clients are told' => sub {
	my $server = T::Server->start(wait => 'readyz', workers => 2);
	my $db = $server->db;
	my $admin = T::Client->new($server);
	my $id = $admin->post('/api/sessions')->{json}{id};
	my @live = map { T::Live->enter($server, worker => $_) } 1, 2;
	my $post = sub {
		return $admin->post("/api/sessions/$id/events",
			{ type => 'custom.n', data => {} })->{json}{seq};
	};

	is($_->follow($id)->{type}, 'subscribed', 'one follows') for @live;
	for my $round ([], ['--tenant', 'default'], []) {
		my $said = epoch($db, 'renew', @$round);
		my $now;

		is($said->{exit}, 0, "renewed @$round");
		$now = epochs($db)->{"default:session:$id"};
		for my $live (@live) {
			ok($live->hears(sub {
				my ($heard) = @_;

				$heard->{type} eq 'resync'
				    && ($heard->{stream} // '')
				    eq "session:$id"
				    && $heard->{epoch} eq $now;
			}, 3), 'told of the new epoch');
		}
		my $seq = $post->();
		ok($_->reaches("session:$id", $seq), 'and what comes then')
		    for @live;
	}
	is(T::Client->new($server, worker => 1)->get('/api/sessions')
		->{status}, 200, 'the server goes on');
	$_->leave for @live;
};

done_testing;
