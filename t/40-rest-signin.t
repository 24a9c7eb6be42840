#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Signing in as clients see it: keys become tokens, what tokens are believed
# and what each role may, tickets, and what it costs the others.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Http;
use T::Lock;
use T::Server;
use T::Sql;
use T::Table;
use T::Token;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;
my %key  = (Admin => 'the key of the options', Ann => "Ann's own k\x{e9}y");
my (@secrets, @kids);		# that must not be in the log

my $server = T::Server->start(
	wait           => 'readyz',
	workers        => 2,
	login_failures => 300,
	admin_key      => $key{Admin},
);
my $db     = $server->db;
my $nobody = T::Client->new($server, role => undef);
my $admin  = T::Client->new($server);
my @url    = ('--set', 'database_url=' . $db->url);

sub command {
	my (@words) = @_;
	my $said = $server->partyline(@words, @url);

	is($said->{exit}, 0, "partyline @words[0, 1]") or diag $said->{err};
	return $said->{out};
}

sub login {
	my ($key, %options) = @_;
	my $client = $options{client} // $nobody;

	push @secrets, $key;
	my $answer = $client->post('/api/auth/login', { key => $key });
	push @secrets, $answer->{json}{token} if $answer->{status} == 200;
	return $answer;
}

sub verify {
	my ($token, $client) = @_;

	push @secrets, $token;
	return ($client // $nobody)->post('/api/auth/verify', undef,
		Authorization => "Bearer $token");
}

sub claims {
	my ($token) = @_;
	my ($header, $claims) = map { $json->decode($_) }
	    T::Token::decoded($token);

	return wantarray ? ($claims, $header) : $claims;
}

sub secret {
	return split /\|/, $db->query(q{SELECT id, value FROM partyline.secret
		WHERE kind = 'jwt' ORDER BY created_at DESC LIMIT 1});
}

sub median {
	my @sorted = sort { $a <=> $b } @_;

	return $sorted[@sorted / 2];
}

command(qw(tenant add den));
command(qw(tenant add shut));
command(qw(tenant set shut public_read=off));
my $den = T::Client->new($server, role => undef, tenant => 'den');
ok((wait_until { $den->get('/api/sessions')->{status} == 200
	    && T::Client->new($server, role => undef, tenant => 'shut')
	    ->get('/api/sessions')->{status} == 401 }), 'there are tenants');

subtest 'login' => sub {
	my $answer = login($key{Admin});
	is($answer->{status}, 200, 'a key');
	my $token = delete $answer->{json}{token};
	is_deeply($answer->{json}, { message => 'Authentication successful',
		expiresIn => '24h', name => 'Admin' }, 'what is said');
	is($answer->{headers}{'cache-control'}, 'no-store', 'to nobody else');

	my ($claims, $header) = claims($token);
	my ($kid) = secret();
	is_deeply($header, { alg => 'HS256', typ => 'JWT', kid => $kid },
		'its header');
	is_deeply([sort keys %$claims], [qw(exp iat jti name role tenant
		timestamp)], 'its claims');
	is_deeply([@$claims{qw(name role tenant)}], ['Admin', 'admin', 1],
		'whose it is');
	is($claims->{exp}, $claims->{iat} + 86400, 'for a day');
	is(int($claims->{timestamp} / 1000), $claims->{iat}, 'from then');
	cmp_ok(abs($claims->{iat} - time), '<', 30, 'from now');
	isnt(claims(login($key{Admin})->{json}{token})->{jti}, $claims->{jti},
		'each has its own id');

	refused($nobody->post('/api/auth/login', $_), 400,
		'admin_key_required', field => 'key')
	    for {}, { key => '' }, { key => undef };
	is(login($_)->{status}, 401, 'no key of ours')
	    for 'x', "$key{Admin} ", lc $key{Admin} . 'X', 'x' x 256,
	    "\x{e9}" x 256;
	is($nobody->post('/api/auth/login', { key => 'x' x 257 })->{status},
		400, 'what is no key');
	is($nobody->post('/api/auth/login', $_)->{status}, 400, "$_")
	    for '{"key":7}', '{"key":["x"]}', '{"key":"\u0000"}', '[]',
	    '{"key":';
	is($nobody->post('/api/auth/login')->{status}, 400, 'nothing at all');
	my $wrong = login('wrong');
	refused($wrong, 401, 'invalid_admin_key');
	is($wrong->{headers}{'www-authenticate'}, 'Bearer', 'says how');
	refused(login($key{Admin}, client => $den), 401, 'invalid_admin_key');
};

subtest 'verify' => sub {
	my $token  = login($key{Admin})->{json}{token};
	my $claims = claims($token);
	my $answer = verify($token);

	is($answer->{status}, 200, 'a good one');
	is_deeply($answer->{json}, { valid => JSON::PP::true, user => {
		map { $_ => $claims->{$_} } qw(role timestamp name iat exp)
	} }, 'what is said');
	$answer = $nobody->post('/api/auth/verify');
	refused($answer, 401, 'token_required');
	is($answer->{headers}{'www-authenticate'}, 'Bearer', 'says how');
	refused($nobody->post('/api/auth/verify', undef, Authorization => $_),
		401, 'token_required') for 'Basic QTpi', 'Bearer', '', $token;
	is($nobody->post('/api/auth/verify', undef, Authorization => $_)
		->{status}, 200, 'written otherwise')
	    for "bearer $token", "BEARER   $token  ";
	refused(verify('nonsense'), 403, 'invalid_token');
	refused(verify($token, $den), 403, 'invalid_token');

	my (undef, $secret) = secret();
	is(verify(T::Token::make($secret, tenant => undef))->{status}, 200,
		'an older one, of the default tenant');
	refused(verify(T::Token::make($secret, tenant => undef), $den), 403,
		'invalid_token');
	refused(verify(T::Token::make($secret, name => undef)), 403,
		'invalid_token');
};

subtest 'every crafted token' => sub {
	my ($kid, $secret) = secret();
	my $count = 0;

	for my $row (T::Token::crafted($secret, kid => $kid)) {
		my ($name, $token, $is_good) = @$row;

		# Blanks at the ends are the header's, not the token's.
		next if $token =~ /[\0\r\n]/ || $token =~ /^\s|\s\z/;
		$count++;
		my $answer = verify($token);
		pop @secrets;
		like($answer->{status}, $is_good ? qr/^200$/ : qr/^40[13]$/,
			$name) or diag $answer->{body};
		$nobody->hang_up;
	}
	cmp_ok($count, '>=', 50, 'they are many');
};

subtest 'a header that comes twice' => sub {
	my $token = login($key{Admin})->{json}{token};

	for my $name (qw(Authorization Idempotency-Key Origin)) {
		my @who = ('Authorization', "Bearer $token");
		my @one = $name eq $who[0] ? @who : ($name => 'x');
		my @rest = $name eq $who[0] ? () : @who;
		my $answer = T::Http->request($server, 'POST',
			'/api/auth/verify', undef, @rest, @one, @one);
		$answer->{json} = $json->decode($answer->{body});
		refused($answer, 400, 'malformed_request');
		is($answer->{headers}{connection}, 'close', 'and it is over');
		is(T::Http->request($server, 'POST', '/api/auth/verify',
			undef, @rest, @one)->{status}, 200, "one $name");
	}
};

subtest 'who may do what' => sub {
	my %rank = (none => 0, viewer => 1, bot => 2, admin => 3);
	my %need = (ANYONE => 0, MEMBER => 1, BOT => 2, ADMIN => 3,
		USER => 3);
	my $count = 0;

	for my $slug (qw(default shut)) {
		my %client = map { $_ => T::Client->new($server, tenant =>
			$slug, role => $_ eq 'none' ? undef : $_) } keys %rank;

		$need{READER} = $slug eq 'default' ? 0 : 1;
		for my $row (T::Table->rows('operations')) {
			my $path = $row->{path} =~ s/\{\w+\}/999999/gr;
			next if $row->{door} ne 'FRONT' || $path !~ m{^/api/};
			for my $role (sort keys %rank) {
				my $answer = $client{$role}->request(
					lc $row->{method}, $path,
					$row->{method} eq 'POST' ? '{}'
					: undef);
				my $what = "$slug: $role, $row->{name}";

				$count++;
				if ($rank{$role} >= $need{ $row->{who} }) {
					like($answer->{status},
						qr/^(?:2..|40[049])$/,
						"$what: may");
				} elsif ($role eq 'none') {
					is($answer->{json}{code},
						$row->{who} eq 'USER'
						? 'login_required'
						: 'token_required', $what);
					is($answer->{status}, 401, $what);
				} else {
					is($answer->{json}{code},
						'not_allowed', $what);
					is($answer->{status}, 403, $what);
				}
			}
			# What the test itself began.
			$client{admin}->post("/api/sessions/$_->{id}/close")
			    for grep { $_ && $_->{id} } $client{admin}->get(
				'/api/sessions/active')->{json};
		}
	}
	cmp_ok($count, '>=', 100, 'they are many');
	my @inside = grep { $_->{door} eq 'ADMIN' }
	    T::Table->rows('operations');
	is($admin->get($_->{path})->{status}, 404, "$_->{name}: from inside")
	    for @inside;
	is(T::Http->get($server->admin, $_->{path})->{status}, 200, 'there')
	    for @inside;
};

subtest 'tickets' => sub {
	my $made = T::Client->new($server, role => 'viewer', name => 'Vi')
	    ->post('/api/auth/ticket', { stream => 'lobby' });
	is($made->{status}, 201, 'anybody with a token');
	my $ticket = delete $made->{json}{ticket};
	is_deeply($made->{json}, { stream => 'lobby', expiresIn => 60 },
		'what is said');
	push @secrets, $ticket;
	like($ticket, qr/^[0-9a-f]{64}\.\d{13}\.\d{10}\.[0-9a-f]*$/,
		'a ticket');
	is($db->query('SELECT hash, stream, caller, role, round(extract(epoch'
		. ' FROM expires_at - now()) / 10) FROM partyline.ticket'),
		sha256_hex($ticket) . '|lobby|admin:Vi|viewer|6',
		'of which the database knows only the hash');

	my $used = sub {
		my ($tenant, $stream) = @_;
		my $hash = sha256_hex($ticket);

		my ($text) = T::Sql::run($db->name, '-U', $T::Db::super,
			'-c', 'SELECT body FROM api.ticket_use(ROW('
			. "$tenant, '', '', 'r', NULL, NULL, '')::api.ctx, "
			. "'$stream', '$hash')");
		chomp $text;
		return $text;
	};
	like($used->(2, 'lobby'), qr/invalid_token/, 'not in another tenant');
	like($used->(1, 'control'), qr/invalid_token/,
		'nor for another stream');
	is($used->(1, 'lobby'),
		'{"caller" : "admin:Vi", "role" : "viewer"}', 'used');
	like($used->(1, 'lobby'), qr/invalid_token/, 'once');

	my $session = $admin->post('/api/sessions', {})->{json}{id};
	my $stream  = "session:$session";
	is($admin->post('/api/auth/ticket', { stream => $stream })
		->{json}{stream}, $stream, 'for a session');
	refused($admin->post('/api/auth/ticket', { stream => $_ }), 404,
		'stream_not_found') for 'session:77', 'x', 'control';
	is($admin->post('/api/auth/ticket', $_)->{status}, 400, 'what is none')
	    for {}, { stream => '' }, { stream => 7 }, { stream => 'x' x 101 };
	refused($nobody->post('/api/auth/ticket', { stream => 'lobby' }), 401,
		'token_required');
	my $one = T::Client->new($server, name => 'One');
	isnt($one->post('/api/auth/ticket', { stream => 'lobby' },
		'Idempotency-Key' => 'k')->{json}{ticket},
		$one->post('/api/auth/ticket', { stream => 'lobby' },
		'Idempotency-Key' => 'k')->{json}{ticket},
		'a secret is never kept for a second answer');
};

subtest 'revoked while the key is proved' => sub {
	my $dan = 'the key of Dan';
	my $add = sub {
		my $said = T::Command::partyline({ in => $dan }, qw(admin add
			--name Dan --key-file -), @url);
		is($said->{exit}, 0, 'an admin') or diag $said->{err};
	};
	my $revoke = q{SELECT api.admin_revoke(ROW(1, '', 'admin', 'r', NULL,
		NULL, '')::api.ctx, 'Dan')};

	$add->();
	is(login($dan)->{status}, 200, 'he may sign in');
	# The api names its transactions, T::Lock knows its own by name.
	my $lock = T::Lock->new($db, "$revoke; RESET application_name");
	$nobody->ask(post => '/api/auth/login', { key => $dan });
	my $other = T::Client->new($server, role => undef);
	is(login('wrong', client => $den)->{status}, 401,
		'meanwhile another tenant is not held up');
	$lock->commit;
	refused($nobody->take, 401, 'invalid_admin_key');

	# Others keep the threads at work, so that he is revoked in between.
	my ($met, @believed) = (0);
	for my $try (1 .. 20) {
		my @others = map { T::Client->new($server, role => undef) }
		    1 .. 8;
		$add->();
		$_->ask(post => '/api/auth/login', { key => 'no' }) for @others;
		$other->ask(post => '/api/auth/login', { key => $dan });
		$db->query($revoke);
		my $answer = $other->take;
		$_->take for @others;
		next if $answer->{status} != 200;
		wait_until { verify($answer->{json}{token})->{status} != 200 }
		    or push @believed, $try;
		last if ++$met >= 3;
	}
	cmp_ok($met, '>', 0, 'that was met');
	is(join(' ', @believed), '', 'his token is over');
};

subtest 'a known key takes as long as an unknown one' => sub {
	my %took;

	for my $round (1 .. 25) {
		for my $key ($round % 2 ? qw(known none) : qw(none known)) {
			my $begun = time;
			my $answer = login($key eq 'known' ? $key{Admin}
				: "unknown $round");

			push @{ $took{$key} }, time - $begun;
			is($answer->{status}, $key eq 'known' ? 200 : 401,
				$key) if $round == 1;
		}
	}
	my ($known, $none) = map { median(@{ $took{$_} }) } qw(known none);
	cmp_ok($known, '<', 1.5 * $none, 'not longer');
	cmp_ok($none, '<', 1.5 * $known, 'nor shorter');
};

subtest 'logins do not hold up others' => sub {
	my $one = T::Client->new($server, role => undef, worker => 1);
	my $get = sub {
		my $begun = time;

		$one->get('/api/sessions/active');
		return time - $begun;
	};
	my $alone = median(map { $get->() } 1 .. 40);
	my $begun = time;
	login('x', client => $one);
	my $login = time - $begun;
	my @in    = map { T::Client->new($server, role => undef, worker => 1) }
	    1 .. 20;

	$_->ask(post => '/api/auth/login', { key => 'x' }) for @in;
	my $beside = median(map { $get->() } 1 .. 20);
	is(join(' ', map { $_->take->{status} } @in), join(' ', (401) x 20),
		'all are answered');
	cmp_ok($beside, '<', 10 * $alone + $login / 4,
		'a read beside them does not wait for one');
};

subtest 'nothing of it is in the log' => sub {
	my $log = $server->log_text;
	my %seen;
	my @found = grep { length > 5 && !$seen{$_}++ && index($log, $_) >= 0 }
	    map { my $bytes = $_; utf8::encode($bytes); ($_, $bytes) } @secrets;

	is(join("\n", @found), '', 'no key, token or ticket');
	cmp_ok(scalar @secrets, '>', 50, 'they were many');
	like($log, qr/"message":"login refused","tenant":"default"/,
		'that it was refused is');
};
ok($server->stop, 'the server ends well');

subtest 'too many at once' => sub {
	my $small = T::Server->start(wait => 'readyz', workers => 1,
		admin_key => 'x', sign_in_threads => 1, sign_in_queue => 0,
		login_failures => 300);
	my @clients = map { T::Client->new($small, role => undef) } 1 .. 12;
	my %count;

	$_->ask(post => '/api/auth/login', { key => 'x' }) for @clients;
	for my $answer (map { $_->take } @clients) {
		$count{ $answer->{status} }++;
		next if $answer->{status} != 503;
		refused($answer, 503, 'sign_in_busy');
		like($answer->{headers}{'retry-after'}, qr/^\d+$/,
			'says when to come again');
	}
	cmp_ok($count{200} // 0, '>', 0, 'who has a place is served');
	cmp_ok($count{503} // 0, '>', 0, 'who has none is told');
	is(($count{200} // 0) + ($count{503} // 0), 12, 'all are answered');
	cmp_ok($small->count('crew_full'), '>=', $count{503} // 0, 'counted');
	cmp_ok($small->count('logins'), '==', $count{200}, 'as the others');
};

subtest 'who fails too often' => sub {
	my $strict = T::Server->start(wait => 'readyz', workers => 2,
		admin_key => 'x', login_failures => 3);
	my $client = T::Client->new($strict, role => undef);
	my $try = sub { $client->post('/api/auth/login', { key => $_[0] }) };

	is($try->('no')->{status}, 401, 'wrong') for 1 .. 3;
	my $answer = $try->('x');
	refused($answer, 429, 'too_many_logins');
	cmp_ok($answer->{headers}{'retry-after'}, '<=', 60, 'for a minute');
	like($answer->{headers}{'ratelimit-policy'}, qr/"logins";q=3;w=60/,
		'the limit');
	cmp_ok($strict->count('logins_refused'), '==', 3, 'counted');
	my $from = T::Http->connect($strict, from => '127.0.0.99');
	$from->send("POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
		. "Content-Length: 11\r\n\r\n{\"key\":\"x\"}");
	is($from->answer->{status}, 200, 'another address may');
};

done_testing;
