#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Rights on an open connection: they come with a sign-in, are replaced by the
# next, and end with the token, or when it is revoked, on every worker of
# every host within a second, Redis or not.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Command;
use T::Hosts;
use T::Live;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;
my ($one, $two) = T::Hosts::pair(workers => 2, login_failures => 300,
	live_sign_in => '700ms');
my $db = $one->db;
my @places = T::Hosts::places($one, $two);
my $admin = T::Client->new($one);

sub command {
	my (@words) = @_;
	my $said = partyline(@words, '--set', 'database_url=' . $db->url);

	is($said->{exit}, 0, "partyline @words[0, 1]") or diag $said->{err};
	return $said->{out} =~ s/\n\z//r;
}

# One client with each worker of both.
sub clients {
	my (%options) = @_;

	return map { T::Live->enter($_->[0], worker => $_->[1], %options) }
	    @places;
}

# All of them are closed for that reason soon after, and others stay. A
# machine that is busy may take longer once or twice, never three times.
sub are_closed_soon {
	my ($name, $number, $code, $make, $change) = @_;
	my $other = T::Live->enter($two);
	my $best;

	for my $try (1 .. 3) {
		my %options = $make->();
		my @lives = clients(%options);

		$change->(%options);
		my $begun = time;
		is_closed($_, $number, $code, name => $name) for @lives;
		my $took = time - $begun;
		$best = $took if !defined $best || $took < $best;
		last if $best < 1;
	}
	ok($other->settle, "$name: others stay");
	$other->leave;
	return cmp_ok($best, '<', 1.5 * ($ENV{T_SLOW} || 1),
		"$name: within a second everywhere");
}

subtest 'who never signs in' => sub {
	my $begun = time;
	my @late = map { T::Live->connect($one, worker => $_) } 1, 2;
	my $in = T::Live->enter($one, worker => 1);

	$late[0]->sign_in('x');
	$late[1]->settle;
	is_closed($_, 4001, 'sign_in_timeout') for @late;
	cmp_ok(time - $begun, '>', 0.6, 'not before its time');
	ok($in->settle, 'who did stays');
	$in->leave;
};

subtest 'a token\'s end' => sub {
	my $exp = 2 + int time;
	my $token = T::Live::token_for($one, claims => { exp => $exp });
	my @lives = clients(token => $token);
	my $kept  = T::Live->enter($one, token => $token);
	my $cut   = T::Live->enter($one);

	$kept->sign_in(T::Live::token_for($one, name => 'Bob'));
	$cut->sign_in($token);
	for my $live (@lives, $cut) {
		is_closed($live, 4002, 'token_expired');
		cmp_ok(time, '>=', $exp, 'not before its end');
	}
	cmp_ok(time, '<', $exp + 1.5 * ($ENV{T_SLOW} || 1), 'and soon then');
	ok($kept->settle, 'who signed in again since has the new one');
	is($kept->sign_in($token)->{type}, 'auth_error', 'it is over');
	ok($kept->settle, 'which changes nothing');
	$kept->leave;
};

subtest 'revoked' => sub {
	my $make = sub {
		return (token => command(qw(token make --name Kosmi --role
			bot)));
	};

	are_closed_soon('a token', 4003, 'revoked', $make,
		sub { command('token', 'revoke', {@_}->{token}) });
	are_closed_soon('a name', 4003, 'revoked', $make,
		sub { command(qw(token revoke --name Kosmi)) });
	are_closed_soon('an admin', 4003, 'revoked', sub {
		my $key = $json->decode(command(qw(admin add --name Dan
			--json)))->{key};
		return (token => T::Client->new($one, role => undef)->post(
			'/api/auth/login', { key => $key })->{json}{token});
	}, sub { command(qw(admin revoke Dan)) });
	my $back = T::Live->connect($one);
	is($back->sign_in(T::Live::token_for($one, name => 'Dan',
		claims => { iat => time - 60,
		timestamp => (time - 60) * 1000 }))->{type}, 'auth_error',
		'nor may he come back with an older one');
	$back->hang_up;
};

subtest 'the rights of the last sign-in' => sub {
	my @tokens = map { command(qw(token make --name), $_,
		qw(--role bot)) } qw(Eve Fay);
	my $live = T::Live->enter($two, worker => 2, token => $tokens[0]);

	is($live->sign_in($tokens[1])->{type}, 'auth_success', 'as another');
	command('token', 'revoke', $tokens[0]);
	ok((wait_until { T::Client->new($two, role => undef)->post(
		'/api/auth/verify', undef, Authorization =>
		"Bearer $tokens[0]")->{status} == 403 }), 'the first is over');
	ok($live->settle, 'it is the last that counts');
	command('token', 'revoke', $tokens[1]);
	is_closed($live, 4003, 'revoked');
};

subtest 'the key that signed it' => sub {
	my @old = clients();
	command(qw(token rotate));
	ok($_->settle, 'an older key is good for its time') for @old;
	command(qw(token rotate --life 0s));
	is_closed($_, 4003, 'revoked', name => 'a key that is gone') for @old;
	my @new;
	ok((wait_until {
		@new = eval { clients() };
		@new == 4;
	}), 'the new one is good everywhere');
	ok(settled(@new), 'and stays');
	$_->leave for @new;
};

subtest 'a tenant that is removed' => sub {
	my ($n, $slug) = (0);

	are_closed_soon('its clients', 4004, 'tenant_gone', sub {
		$slug = 'gone' . ++$n;
		command('tenant', 'add', $slug);
		wait_until {
			!grep {
				T::Live->connect($_->[0], worker => $_->[1],
					tenant => $slug)->answer->{status}
				    != 101
			} @places;
		};
		return (tenant => $slug);
	}, sub { command('tenant', 'remove', $slug, '--yes') });
};

for my $host ($one, $two) {
	$host->counts(live_clients => 0, subscriptions => 0, hubs => 0,
		socks_open => 0);
}
done_testing;
