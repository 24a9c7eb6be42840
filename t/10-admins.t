#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline admin and partyline token: what they do to a real database, what
# they say, and that a refusal leaves everything as it was.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Command;
use T::Sql;
use T::Token;

my $json = JSON::PP->new->utf8->canonical;
my $db   = T::Sql->database;

sub asked {
	my ($in, @words) = @_;

	return partyline({ defined $in ? (in => $in) : () }, @words,
		'--set', 'database_url=' . $db->url);
}

sub command { return asked(undef, @_) }

# What it says in JSON, after nothing was complained of.
sub told {
	my @words = @_;
	my $said  = command(@words, '--json');

	is($said->{exit}, 0, "@words") or diag($said->{err});
	is($said->{err}, '', 'nothing to complain of');
	return $json->decode($said->{out} || '{}');
}

# Everything that these commands may change.
sub everything {
	return join "\n", map { $db->query("SELECT json_agg(t ORDER BY t)
		FROM (SELECT x::text AS t FROM partyline.$_ x) y") }
	    qw(admin token_revocation secret event);
}

sub refused {
	my ($exit, $pattern, @words) = @_;
	my $before = everything();
	my $said   = command(@words);
	my $name   = join ' ', map { length > 60 ? substr($_, 0, 60) . '…'
		    : $_ } @words;

	is($said->{exit}, $exit, "$name: exit code") or diag($said->{err});
	like($said->{err}, $pattern, "$name: told");
	is($said->{out}, '', "$name: nothing else");
	is(everything(), $before, "$name: nothing done");
	return;
}

sub control {
	return $db->query(q{SELECT string_agg(type || ' '
		|| (payload::json->>'data'), E'\n' ORDER BY seq)
		FROM partyline.event WHERE stream = 'control'});
}

partyline('tenant', 'add', 'den', '--set', 'database_url=' . $db->url);

subtest 'admins are added, listed, revoked' => sub {
	my $said = command('admin', 'add', '--name', 'Ann');
	is($said->{exit}, 0, 'added') or diag($said->{err});
	like($said->{out}, qr/\AAnn is admin in tenant default\nthe key, /,
		'told');
	like($said->{out}, qr/shown this once: [0-9A-Za-z]{24}\n\z/,
		'and the key');
	my ($key) = $said->{out} =~ /: (\w+)$/;
	like($db->query("SELECT lookup || ' ' || hash FROM partyline.admin"),
		qr/^[0-9a-f]{64} scrypt\$16384\$8\$1\$/, 'hashed');
	unlike(everything(), qr/\Q$key\E/, 'and nowhere as it is');

	my $bot = told('admin', 'add', '--name', 'Kosmi', '--role', 'bot',
		'--tenant', 'den');
	is_deeply([sort keys %$bot], [qw(key name role tenant)],
		'for programs');
	is("$bot->{name} $bot->{role} $bot->{tenant}", 'Kosmi bot den',
		'another role in another tenant');
	$said = asked("a key of mine\r\n", qw(admin add --name Bob --role
		viewer --key-file -));
	is($said->{out}, "Bob is viewer in tenant default\n",
		'a key that is known already is not shown');

	$said = command('admin', 'list');
	is($said->{out} =~ s/\S+Z //gr, "admin   command        Ann\n"
		. "viewer  command        Bob\n", 'listed');
	is_deeply([map { "$_->{id} $_->{name}" } @{ told('admin', 'list',
		'--tenant', 'den') }], ['1 Kosmi'], 'by tenant');
	is(control(), 'tenant.added {"tenant":2}', 'nobody has to be told');

	$said = command('admin', 'revoke', 'Ann');
	is($said->{out}, "Ann was revoked in tenant default, with all tokens "
		. "of that name\n", 'revoked');
	like(command('admin', 'list')->{out}, qr/ Ann \(revoked \S+Z\)$/m,
		'which stays listed');
	like(control(), qr/^admin\.revoked \{"tenant":1,"name":"Ann",/m,
		'servers are told');
	like(control(), qr/,"before":"[^"]+Z"\}$/, 'with the moment');
	is(told('admin', 'revoke', 'Kosmi', '--tenant', 'den')->{name},
		'Kosmi', 'for programs');
	is(command('admin', 'add', '--name', 'Ann')->{exit}, 0,
		'the name may come again');
};

subtest 'one of the configuration' => sub {
	$db->query(q{INSERT INTO partyline.admin VALUES (1, 100, 'Cid',
		'admin', 'x', 'y', 'configuration', now(), '')});
	my $said = command('admin', 'revoke', 'Cid');
	is($said->{exit}, 0, 'revoked');
	like($said->{err}, qr/Cid stands in the configuration still/,
		'what is left to do');
};

subtest 'admins refused' => sub {
	refused(65, qr/^partyline: Another admin has this name$/m, 'admin',
		'add', '--name', 'Ann');
	my $said = asked('a key of mine', qw(admin add --name Dan --key-file
		-));
	is($said->{exit}, 65, 'a key that another has');
	is($said->{err}, "partyline: Another admin has this key\n", 'told');
	refused(65, qr/--name: a name has 1 to 100 characters/, 'admin', 'add',
		'--name', $_) for '', "a\nb", 'x' x 101, "\xff";
	refused(65, qr/--role: there are admin, bot and viewer/, 'admin',
		'add', '--name', 'Dan', '--role', 'king');
	refused(65, qr/Tenant not found/, 'admin', @$_, '--tenant', 'nobody')
	    for ['add', '--name', 'Dan'], ['list'], ['revoke', 'Ann'];
	refused(65, qr/^partyline: Admin not found$/m, 'admin', 'revoke',
		'Dan');
	refused(65, qr/Admin not found/, 'admin', 'revoke', 'Ann',
		'--tenant', 'den');
	refused(66, qr{/no/such/file: No such file}, 'admin', 'add', '--name',
		'Dan', '--key-file', '/no/such/file');
	for my $key ('', "\n", "two\nlines", "\xff", 'x' x 257, 'x' x 2000) {
		my $before = everything();
		my $said   = asked($key, qw(admin add --name Dan --key-file -));

		is($said->{exit}, 65, 'a key that is not fit') or diag($key);
		is(everything(), $before, 'nothing done');
	}
};

subtest 'how they are not used' => sub {
	refused(64, qr/admin takes add, list or revoke\nusage: partyline adm/,
		'admin', @$_) for [], ['ad'];
	refused(64, qr/admin add needs --name/, 'admin', 'add');
	refused(64, qr/admin add takes no more words/, 'admin', 'add', 'Ann',
		'--name', 'Ann');
	refused(64, qr/admin revoke takes NAME/, 'admin', 'revoke');
	refused(64, qr/admin list does not take --role/, 'admin', 'list',
		'--role', 'bot');
	refused(64, qr/admin does not take --life/, 'admin', 'list', '--life',
		'1h');
	refused(64, qr/token takes make, inspect, revoke or rotate/, 'token');
	refused(64, qr/token make needs --(?:name|role)/, 'token', 'make',
		@$_) for ['--name', 'x'], ['--role', 'bot'];
	refused(64, qr/token revoke takes TOKEN or --name/, 'token', 'revoke',
		@$_) for [], ['x', '--name', 'y'];
	refused(64, qr/token inspect does not take --name/, 'token',
		'inspect', '--name', 'y');
	refused(64, qr/of which tenant/, 'token', 'revoke', 'x', '--tenant',
		'den');
	refused(64, qr/token inspect takes one TOKEN/, 'token', 'inspect',
		'x', 'y');
	is(partyline('admin', 'list', '--set', 'database_url=postgresql://'
		. 'nobody@127.0.0.1:1/none')->{exit}, 69, 'without a database');
};

my $token;
subtest 'a token is made and looked at' => sub {
	my $before = time;
	my $said = command(qw(token make --name Kosmi --role bot));
	is($said->{exit}, 0, 'made') or diag($said->{err});
	like($said->{out}, qr/\A[\w-]+\.[\w-]+\.[\w-]+\n\z/, 'and only that');
	chomp($token = $said->{out});

	my $seen = told('token', 'inspect', $token);
	is_deeply([@$seen{qw(tenant verdict)}], ['default', 'good'], 'good');
	ok($seen->{believed} && !$seen->{revoked}, 'and believed');
	is_deeply([sort keys %{ $seen->{claims} }],
		[qw(exp iat jti name role tenant timestamp)], 'its claims');
	is($seen->{claims}{exp} - $seen->{claims}{iat}, 86400, 'for a day');
	cmp_ok(abs($seen->{claims}{iat} - $before), '<', 30, 'from now');
	is($seen->{header}{kid}, $db->query(q{SELECT id FROM partyline.secret
		WHERE kind = 'jwt'}), 'by the key of the database');
	$said = asked("$token\n", 'token', 'inspect');
	like($said->{out}, qr/^header   \{"alg":"HS256",.*\}$/m, 'in words');
	like($said->{out}, qr/^good     from \S+Z until \S+Z$/m, 'with times');
	like($said->{out}, qr/^revoked  no\nverdict  good\nbelieved yes\n\z/m,
		'from standard input');
	is($said->{exit}, 0, 'exit code');

	my $made = told(qw(token make --name Ann --role viewer --life 90d
		--tenant den));
	is_deeply([@$made{qw(name role tenant)}], [qw(Ann viewer den)],
		'another');
	$seen = told('token', 'inspect', $made->{token});
	is($seen->{claims}{exp} - $seen->{claims}{iat}, 90 * 86400,
		'of another life');
	is($seen->{tenant}, 'den', 'in another tenant');
	is($made->{id}, $seen->{claims}{jti}, 'named by its id');

	refused(65, qr/--life: /, qw(token make --name x --role bot --life),
		$_) for '0s', '11y', 'long', '4000d';
	refused(65, qr/--role: /, qw(token make --name x --role king));
	$said = command(qw(token make --name x --role bot --set), 'jwt_secret='
		. 'a secret of the options, long enough');
	chomp(my $own = $said->{out});
	is(asked($own, qw(token inspect --set), 'jwt_secret='
		. 'a secret of the options, long enough')->{exit}, 0,
		'jwt_secret signs where it is set');
	like(asked($own, 'token', 'inspect')->{out},
		qr/^verdict  unknown key$/m, 'and nowhere else');
};

subtest 'what is not believed' => sub {
	my ($kid, $secret) = split /\|/, $db->query(q{SELECT id, value FROM
		partyline.secret WHERE kind = 'jwt'});
	my $count = 0;

	for my $row (T::Token::crafted($secret, kid => $kid)) {
		my ($name, $crafted, $is_good, $says) = @$row;

		next if $crafted =~ /[\0\r\n]/ || $crafted eq '-'
		    || $crafted =~ /^\s|\s\z/ || $crafted =~ /^-/;
		$count++;
		my $said = asked($crafted, 'token', 'inspect', '--json');
		if ($crafted eq '' || length $crafted > 4096) {
			is($said->{exit}, 65, $name);
			next;
		}
		my $seen = eval { $json->decode($said->{out}) } // {};
		is($seen->{verdict}, $says eq 'NOT_YET' ? 'not valid yet'
			: lc $says =~ s/_/ /gr, $name)
		    or diag($crafted, $said->{err});
		# Of a tenant that is not there: nobody's.
		is($said->{exit}, $seen->{believed} ? 0 : 65,
			"$name: exit code");
	}
	cmp_ok($count, '>=', 50, 'they are many');
	my $sly = T::Token::signed('x', '{"alg":"HS256"}',
		"{\"name\":\"\x7f\xc2\x9b31m\"}");
	my $said = command('token', 'inspect', $sly);
	unlike($said->{out}, qr/[\x7f\x9b]/, 'nobody paints our terminal');
	like($said->{out}, qr/^claims   \{"name":"\?\?31m"\}$/m, 'with claims');
};

subtest 'tokens are revoked' => sub {
	my $said = command('token', 'revoke', $token);
	is($said->{exit}, 0, 'one') or diag($said->{err});
	like($said->{out}, qr/^token \w+ was revoked$/, 'by its id');
	like(control(), qr/^token\.revoked \{"tenant":1,"token":"\w+"\}$/m,
		'servers are told');
	$said = command('token', 'inspect', $token);
	is($said->{exit}, 65, 'it is not believed');
	like($said->{out}, qr/^revoked  yes\nverdict  good\nbelieved no$/m,
		'because of that');

	chomp(my $one = command(qw(token make --name Kosmi --role bot))
		->{out});
	chomp(my $other = command(qw(token make --name Ann --role bot))
		->{out});
	$said = command(qw(token revoke --name Kosmi));
	is($said->{exit}, 0, 'all of a name') or diag($said->{err});
	like(control(), qr/^token\.revoked \{"tenant":1,"name":"Kosmi",/m,
		'servers are told');
	is(command('token', 'inspect', $one)->{exit}, 65, 'is over');
	is(command('token', 'inspect', $other)->{exit}, 0, 'others not');
	chomp($one = command(qw(token make --name Kosmi --role bot))->{out});
	is(command('token', 'inspect', $one)->{exit}, 0, 'nor later ones');
	command(qw(token revoke --name Kosmi --tenant den));
	is(command('token', 'inspect', $one)->{exit}, 0,
		'nor those of another tenant');
	is(command('admin', 'revoke', 'Ann')->{exit}, 0, 'an admin');
	is(command('token', 'inspect', $other)->{exit}, 65,
		'takes the tokens of his name along');

	my ($kid, $secret) = split /\|/, $db->query(q{SELECT id, value FROM
		partyline.secret WHERE kind = 'jwt'});
	refused(65, qr/nobody believes that token: expired/, 'token',
		'revoke', T::Token::make($secret, exp => 1));
	refused(65, qr/nobody believes that token: bad signature/, 'token',
		'revoke', T::Token::make('another'));
	refused(65, qr/has no id \(jti\); .* --name/, 'token', 'revoke',
		T::Token::make($secret));
	refused(65, qr/its tenant is not there/, 'token', 'revoke',
		T::Token::make($secret, tenant => 77, jti => 'x'));
};

subtest 'keys are rotated' => sub {
	chomp(my $old = command(qw(token make --name Old --role bot))->{out});
	my $said = command(qw(token rotate));
	is($said->{exit}, 0, 'rotated') or diag($said->{err});
	my ($id) = $said->{out} =~
	    /\Akey (\w+) signs now; what others signed is believed for 24h\n\z/;
	ok($id, 'and told');
	like(control(), qr/^secret\.changed \{"kind":"jwt","id":"$id"\}$/m,
		'to servers, too');
	chomp(my $new = command(qw(token make --name New --role bot))->{out});
	is(told('token', 'inspect', $new)->{header}{kid}, $id, 'it signs');
	is(command('token', 'inspect', $old)->{exit}, 0,
		'the former is believed');
	like($db->query(q{SELECT retires_at - now() FROM partyline.secret
		WHERE kind = 'jwt' AND retires_at IS NOT NULL}),
		qr/^(?:23:59|1 day|24:00)/, 'for a day');

	is(told(qw(token rotate --life 0s))->{id}, $db->query(q{SELECT id
		FROM partyline.secret WHERE kind = 'jwt'
		AND retires_at IS NULL}), 'at once, for programs');
	like(command('token', 'inspect', $_)->{out},
		qr/^verdict  unknown key$/m, 'all others are over')
	    for $old, $new;
	$said = command(qw(token rotate --set), 'jwt_secret=' . 'x' x 32);
	like($said->{err}, qr/jwt_secret is set, which signs before/,
		'where it changes nothing it says so');
	refused(65, qr/--life: /, qw(token rotate --life soon));
};

done_testing;
