#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Two hosts over one database: a token of one is good on the other, keys that
# rotate are known to both, and what is revoked is felt on every worker of
# both within a second.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP    ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Command;
use T::Run;
use T::Server;
use T::Token;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;
my $path = T::Run::folder() . "/admins-$$.json";

sub write_admins {
	my (@names) = @_;

	open my $file, '>', "$path.new" or die "$path: $!\n";
	print $file $json->encode(
		[map { { name => $_, key => "key of $_" } } @names]);
	close $file or die "$path: $!\n";
	rename "$path.new", $path;
	return;
}

write_admins('Ann', 'Bob');
my %options = (wait => 'readyz', workers => 2, login_failures => 300,
	admins_file => $path);
my $one = T::Server->start(%options);
my $db  = $one->db;
my $two = T::Server->start(%options, set => { database_url => $db->url });
$two->{db} = $db;
my @hosts = ($one, $two);

# Somebody without a name at each worker of both.
my @workers = map {
	my $host = $_;
	map { T::Client->new($host, role => undef, worker => $_) } 1, 2
} @hosts;

sub command {
	my (@words) = @_;
	my $said = partyline(@words, '--set', 'database_url=' . $db->url);

	is($said->{exit}, 0, "partyline @words[0, 1]") or diag $said->{err};
	return $said->{out} =~ s/\n\z//r;
}

sub login {
	my ($host, $key) = @_;

	return T::Client->new($host, role => undef)
	    ->post('/api/auth/login', { key => $key })->{json}{token};
}

# What each worker thinks of it.
sub verdicts {
	my ($token) = @_;

	return map { $_->post('/api/auth/verify', undef,
			Authorization => "Bearer $token")->{status} } @workers;
}

sub all_are {
	my ($status, $token) = @_;

	return !grep { $_ != $status } verdicts($token);
}

# A token is made, good everywhere, and no longer so after the change: within
# a second. A machine that is busy may take longer once or twice, never three
# times.
sub is_over_soon {
	my ($name, $make, $change) = @_;
	my $best;

	for my $try (1 .. 3) {
		my $token = $make->();
		ok((wait_until { all_are(200, $token) }), "$name: good");
		$change->($token);
		my $begun = time;
		wait_until { all_are(403, $token) }
		    or return fail("$name: never over: "
			. join ' ', verdicts($token));
		my $took = time - $begun;
		$best = $took if !defined $best || $took < $best;
		last if $best < 1;
	}
	return cmp_ok($best, '<', 1.5 * ($ENV{T_SLOW} || 1),
		"$name: over within a second on every worker");
}

subtest 'hosts agree' => sub {
	ok(all_are(200, login($_, 'key of Ann')), 'a token of one host')
	    for @hosts;
	is($db->query(q{SELECT count(*) FROM partyline.admin}), 2,
		'they have the same admins');
	ok(all_are(200, command(qw(token make --name Kosmi --role bot))),
		'a token that was made by command');
};

subtest 'an admin is revoked' => sub {
	is_over_soon('by command', sub {
		my $key = $json->decode(command(qw(admin add --name Dan
			--json)))->{key};
		return login($one, $key);
	}, sub { command(qw(admin revoke Dan)) });
};

subtest 'a token is revoked' => sub {
	my $make = sub { command(qw(token make --name Kosmi --role bot)) };
	my $kept = $make->();

	is_over_soon('by itself', $make,
		sub { command('token', 'revoke', $_[0]) });
	ok(all_are(200, $kept), 'the others of its name are not');
	is_over_soon('by its name', $make,
		sub { command(qw(token revoke --name Kosmi)) });
	ok(all_are(403, $kept), 'with the others');
	ok(all_are(200, $make->()), 'but not later ones');
};

subtest 'a key leaves the configuration' => sub {
	is_over_soon('by one reload', sub {
		write_admins('Ann', 'Bob');
		my $token;
		$one->hup;
		ok((wait_until {
			$token = login($two, 'key of Bob') }), 'Bob is in');
		return $token;
	}, sub {
		write_admins('Ann');
		$one->hup;
	});
	ok(all_are(200, login($one, 'key of Ann')), 'the others are there');
	is(T::Client->new($two, role => undef)->post('/api/auth/login',
		{ key => 'key of Bob' })->{status}, 401, 'his key is over');
};

# The id of the key by which a host signs now.
sub signs {
	my ($worker) = @_;
	my $token = $worker->post('/api/auth/login',
		{ key => 'key of Ann' })->{json}{token};

	my ($header) = T::Token::decoded($token);
	return $json->decode($header)->{kid};
}

subtest 'keys rotate' => sub {
	my $old   = login($one, 'key of Ann');
	my $begun = $json->decode(command(qw(token rotate --json)))->{id};

	ok((wait_until { !grep { signs($_) ne $begun } @workers }),
		'every worker signs with the new one');
	ok(all_are(200, $old), 'what was signed by the old one is good');
	ok(all_are(200, login($_, 'key of Ann')), 'as is what is new')
	    for @hosts;
	my $next = $json->decode(command(qw(token rotate --json)))->{id};
	ok((wait_until { !grep { signs($_) ne $next } @workers }),
		'rotated again');
	ok(all_are(200, $old), 'the oldest is good still');
};

subtest 'a key retires' => sub {
	my $old = login($one, 'key of Ann');

	command(qw(token rotate --life 3s));
	ok(all_are(200, $old), 'good for as long as was said');
	ok((wait_until { all_are(403, $old) } 15),
		'and then no longer, without any other news');
	is_over_soon('at once', sub { login($two, 'key of Ann') },
		sub { command(qw(token rotate --life 0s)) });
};

subtest 'a key of the options' => sub {
	my $secret = 'a secret of the options, long enough';
	my $third  = T::Server->start(%options, jwt_secret => $secret,
		set => { database_url => $db->url });
	my $client = T::Client->new($third, role => undef);
	my $verify = sub { $client->post('/api/auth/verify', undef,
			Authorization => "Bearer $_[0]")->{status} };

	is(signs($client), 'conf', 'signs');
	is($verify->(T::Token::make($secret)), 200, 'and is believed');
	is($verify->(T::Token::make($secret, kid => 'conf')), 200, 'by id');
	is($verify->(login($one, 'key of Ann')), 200,
		'beside those of the database');
	ok(all_are(403, T::Token::make($secret)),
		'but not by hosts that do not have it');
};

unlink $path;
done_testing;
