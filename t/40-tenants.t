#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Tenants as clients and operators see them: found by host and by prefix, who
# may read, which pages may, and that what a command changes is felt on every
# worker within a second.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP    ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Db;
use T::Http;
use T::Server;
use T::Sql;
use T::Table;
use T::Wait;

my $json   = JSON::PP->new->utf8->canonical;
my $proxy  = '127.0.0.77';
my $server = T::Server->start(
	wait            => 'readyz',
	workers         => 3,
	trusted_proxies => $proxy,
	conf            => { public_read => 'on', jwt_secret => 'k' x 32 }
);
my $db      = $server->db;
my @workers = map { T::Client->new($server, role => undef, worker => $_) }
    1 .. 3;

sub tenant {
	my (@words) = @_;
	my $said = $server->partyline('tenant', @words, '--set',
		'database_url=' . $db->url);

	is($said->{exit}, 0, "tenant @words") or diag $said->{err};
	return;
}

# What a command changes: felt by every worker, and within a second. A machine
# that is busy may take longer once or twice, never three times.
sub felt {
	my ($name, $change, $undo, $is_felt) = @_;
	my ($best, $is_there);

	for my $try (1 .. 3) {
		$undo->() if $try > 1;
		$change->();
		my $begun = time;

		$is_there = wait_until {
			!grep { !$is_felt->($_) } @workers;
		} 10;
		my $took = time - $begun;
		$best = $took if !defined $best || $took < $best;
		last if !$is_there || $best < 1;
	}
	ok($is_there, "$name: every worker feels it");
	cmp_ok($best, '<', 1 * ($ENV{T_SLOW} || 1), 'within a second');
	return;
}

sub is_status {
	my ($status, $path, %headers) = @_;

	return sub { $_[0]->get($path, %headers)->{status} == $status };
}

# Whose sessions an answer shows.
sub shown {
	my ($answer) = @_;

	return $answer->{status} if $answer->{status} != 200;
	return join ' ', map { $_->{notes} } @{ $json->decode(
		$answer->{body}) };
}

sub alike {
	my ($answer) = @_;
	my $text = $answer->{head} . $answer->{body};
	my $id   = $answer->{headers}{'x-request-id'} // '';

	return $text =~ s/^Date: .*\r\n//mr =~ s/\Q$id\E/ID/gr;
}

# Tenants that all subtests use, added while the server runs.
felt('tenant add', sub {
	tenant('add', 'alpha', '--host', 'alpha.example', '--host',
		'[2001:db8::1]');
	tenant('add', 'beta', '--host', 'beta.example');
}, sub { tenant('remove', $_, '--yes') for qw(alpha beta) }, sub {
	is_status(200, '/t/alpha/api/sessions')->(@_)
	    && is_status(200, '/t/beta/api/sessions')->(@_);
});

my %admin = map { $_ => T::Client->new($server, tenant => $_) }
    qw(default alpha beta);
for my $slug (sort keys %admin) {
	is($admin{$slug}->post('/api/sessions', { notes => $slug })->{status},
		201, "$slug has a session");
}

subtest 'by host' => sub {
	my $nobody = T::Client->new($server, role => undef);
	my %whose  = (
		(map { $_ => 'alpha' } 'alpha.example', 'ALPHA.Example',
			'alpha.example:5000', 'alpha.example.',
			'Alpha.Example.:80', 'alpha.example:', '[2001:db8::1]',
			'[2001:DB8:0:0::1]:8080'),
		(map { $_ => 'default' } 'gamma.example', 'example',
			'x.alpha.example', 'alpha.example.evil', 'alphaexample',
			'alpha.example:80a', 'alpha.example..', '2001:db8::2',
			'[2001:db8::1', '127.0.0.1', 'a' x 300),
		'beta.example' => 'beta'
	);

	for my $host (sort keys %whose) {
		is(shown($nobody->get('/api/sessions', Host => $host)),
			$whose{$host}, "Host: $host");
	}
	my $http = T::Http->connect($server);
	$http->send("GET http://alpha.example/api/sessions HTTP/1.1\r\n"
		. "Host: beta.example\r\n\r\n");
	is(shown($http->answer), 'alpha', 'an absolute target goes before');
	$http->send("GET /api/sessions HTTP/1.0\r\n\r\n");
	is(shown($http->answer), 'default', 'without any Host');
};

subtest 'by host behind a proxy' => sub {
	my $ask = sub {
		my ($from, @lines) = @_;
		my $http = T::Http->connect($server, from => $from);

		$http->send(join "\r\n", 'GET /api/sessions HTTP/1.1',
			'Host: beta.example', @lines, '', '');
		return shown($http->answer);
	};

	is($ask->($proxy, 'X-Forwarded-Host: alpha.example'), 'alpha',
		'a trusted one is believed');
	is($ask->($proxy, 'Forwarded: for=192.0.2.1;host=alpha.example'),
		'alpha', 'in both languages');
	is($ask->($proxy, 'X-Forwarded-Host: gamma.example'), 'default',
		'also where nobody has that host');
	is($ask->($proxy), 'beta', 'else it is the Host');
	is($ask->('127.0.0.1', 'X-Forwarded-Host: alpha.example',
		'Forwarded: host=alpha.example'), 'beta', 'nobody else is');
};

subtest 'by prefix' => sub {
	my $nobody = T::Client->new($server, role => undef);

	is(shown($nobody->get("/t/$_->[0]/api/sessions", Host => $_->[1])),
		$_->[0], "$_->[0], whatever the host: $_->[1]")
	    for ['alpha', 'test'], ['alpha', 'beta.example'],
	    ['default', 'alpha.example'], ['beta', 'beta.example'];
	is(shown($nobody->get('/t/alpha/api/sessions?limit=1')), 'alpha',
		'with a query');
	is($nobody->get('/t/alpha/livez')->{status}, 200,
		'what is everybody\'s lies there, too');
	my $unknown = alike($nobody->get('/nothing'));

	# Neither a tenant, nor his paths.
	for my $path ('/t/alpha', '/t/alpha/', '/t/alpha/nothing', '/t/', '/t',
		'/t//api/sessions', '/t/%61lpha/api/sessions',
		'/t/alph%61/api/sessions', '/t/Alpha/api/sessions',
		'/t/alpha%2fapi/sessions', '/t/-alpha/api/sessions',
		'/t/alpha-/api/sessions', '/%74/alpha/api/sessions',
		'/t/alpha/t/beta/api/sessions', '/t/alpha.example/api/sessions',
		'/t/' . 'a' x 64 . '/api/sessions', '/t/2/api/sessions') {
		is(alike($nobody->get($path)), $unknown, "$path: no such path");
	}
};

subtest 'a prefix that is nobody\'s' => sub {
	my @paths = map { $_->{path} =~ s/\{\w+\}/1/gr }
	    grep { $_->{door} eq 'FRONT' } T::Table->rows('operations');
	my %unknown;

	cmp_ok(scalar @paths, '>', 15, 'all operations');
	for my $method (qw(GET HEAD POST PUT PATCH DELETE OPTIONS BREW)) {
		for my $client ($workers[0], $admin{default}) {
			my $ask = sub {
				return alike($client->request($method, $_[0],
					$method eq 'POST' ? {} : undef));
			};
			my $unknown = $ask->('/nothing');
			my %other = map { $_ => 1 }
			    grep { $ask->("/t/nobody$_") ne $unknown } @paths,
			    '', '/', '/nothing', '/api/nothing';

			like($unknown, qr{^HTTP/1\.1 404 }, 'it is no path');
			is_deeply([sort keys %other], [],
				"$method: no path of his differs");
		}
	}
};

subtest 'tokens are one tenant\'s' => sub {
	my $token = $admin{beta}{token};
	my $alpha = T::Client->new($server, role => undef, tenant => 'alpha');
	my @bearer = (Authorization => "Bearer $token");

	is($admin{beta}->post('/api/auth/verify')->{status}, 200, 'at home');
	is($alpha->post('/api/auth/verify', undef, @bearer)->{status}, 403,
		'not elsewhere');
	is($alpha->post('/api/sessions', {}, @bearer)->{status}, 403,
		'for nothing');
	is($workers[0]->post('/api/auth/verify', undef, @bearer)->{status},
		403, 'nor in the default tenant');
	is($workers[0]->post('/api/auth/verify', undef, @bearer,
		Host => 'beta.example')->{status}, 200, 'but by its host');
};

# Every reader's operation asks for a token; with each role's it is 200.
sub reads {
	my ($slug, $expected) = @_;
	my %client = map { $_ => T::Client->new($server, tenant => $slug,
		role => $_ eq 'nobody' ? undef : $_) }
	    qw(nobody viewer bot admin);

	for my $path (qw(/api/sessions /api/sessions/active /api/sessions/1)) {
		is_deeply({ map { $_ => $client{$_}->get($path)->{status} }
			keys %client }, { %$expected, viewer => 200, bot => 200,
			admin => 200 }, "$slug: $path");
	}
	my $answer = $client{nobody}->get('/api/sessions');
	is($answer->{json}{code}, 'token_required', 'told why')
	    if $expected->{nobody} == 401;
	my $foreign = T::Client->new($server, role => undef, tenant => $slug);
	is($foreign->get('/api/sessions', Authorization =>
		"Bearer $admin{beta}{token}")->{status}, 403,
		'a token of another tenant') if $expected->{nobody} == 401;
	return;
}

subtest 'public_read' => sub {
	reads($_, { nobody => 200 }) for qw(default alpha);
	# Answers are kept by now: they do not go round it.
	felt('public_read=off',
		sub { tenant('set', 'alpha', 'public_read=off') },
		sub { tenant('set', 'alpha', 'public_read=on') },
		is_status(401, '/t/alpha/api/sessions/1'));
	reads(alpha   => { nobody => 401 });
	reads(default => { nobody => 200 });
	reads(beta    => { nobody => 200 });
	felt('public_read=on', sub { tenant('set', 'alpha', 'public_read=on') },
		sub { tenant('set', 'alpha', 'public_read=off') },
		is_status(200, '/t/alpha/api/sessions/1'));

	felt('public_read=off of default',
		sub { tenant('set', 'default', 'public_read=off') },
		sub { tenant('set', 'default', 'public_read=on') },
		is_status(401, '/api/sessions'));
	reads(default => { nobody => 401 });
	felt('and on again', sub { tenant('set', 'default', 'public_read=on') },
		sub { tenant('set', 'default', 'public_read=off') },
		is_status(200, '/api/sessions'));

	$server->rewrite(public_read => 'off');
	$server->hup;
	my $http = T::Client->new($server, role => undef);
	ok((wait_until {
		$http->hang_up;
		$http->get('/api/sessions')->{status} == 401;
	}), 'off for default by the option');
	ok((wait_until { $server->worker_pids == 3 } 20),
		'by all workers that are left');
	reads(default => { nobody => 401 });
	reads(alpha   => { nobody => 200 });
	tenant('set', 'default', 'public_read=on');
	reads(default => { nobody => 401 });
	$server->rewrite(public_read => 'on');
	$server->hup;
	ok((wait_until {
		$http->hang_up;
		$http->get('/api/sessions')->{status} == 200;
	}), 'and on again');
	ok((wait_until { $server->worker_pids == 3 } 20), 'by all of them');
	$_->hang_up for @workers, values %admin;
};

# Of an answer, what browsers look at.
sub sharing {
	my ($answer) = @_;
	my %shown = map { $_ => $answer->{headers}{$_} } grep {
		/^(?:access-control-.*|vary)$/ } keys %{ $answer->{headers} };

	return \%shown;
}

my %anybody = ('access-control-allow-origin' => '*',
	'access-control-expose-headers' => '*');
my %asks = ('access-control-allow-headers' => '*, Authorization',
	'access-control-max-age' => 600);

subtest 'origins' => sub {
	my $page   = 'https://page.example';
	my $client = T::Client->new($server, tenant => 'alpha');
	my %listed = ('access-control-allow-origin' => $page,
		'access-control-expose-headers' => '*', vary => 'Origin');

	is_deeply(sharing($client->get('/api/sessions', Origin => $page)),
		\%anybody, 'at first they are anybody\'s');
	felt('origins', sub { tenant('set', 'alpha',
		"origins=http://127.0.0.1:5173 $page") },
		sub { tenant('set', 'alpha', 'origins=') },
		sub { !sharing($_[0]->get('/t/alpha/api/sessions'))
			->{'access-control-allow-origin'} });

	is_deeply(sharing($client->get('/api/sessions', Origin => $page)),
		\%listed, 'a listed one is named');
	is_deeply(sharing($client->get('/api/sessions')), { vary => 'Origin' },
		'nobody is where nobody asks');
	is_deeply(sharing($client->get('/api/sessions', Origin => $_)),
		{ vary => 'Origin' }, "not $_")
	    for 'https://other.example', 'http://page.example', 'null', '*',
	    "$page.evil", "$page:444", 'https://page', "$page/";
	is_deeply(sharing($client->get('/api/sessions', Origin =>
		'http://127.0.0.1:5173')), { %listed,
		'access-control-allow-origin' => 'http://127.0.0.1:5173' },
		'the other one');
	is_deeply(sharing($client->get('/api/sessions', Origin => 'HTTPS://PAGE'
		. '.example')), { %listed, 'access-control-allow-origin' =>
		'HTTPS://PAGE.example' }, 'as it was written');

	# Refusals: before the route, at it, behind it.
	is_deeply(sharing($client->request(@$_[1 .. 3], Origin => $page)),
		\%listed, "$_->[0] may be read, too")
	    for [404, GET => '/api/nothing', undef],
	    [404, GET => '/api/sessions/99', undef],
	    [405, PUT => '/api/sessions', undef],
	    [400, POST => '/api/sessions', '{'],
	    [413, POST => '/api/sessions', 'x' x 1_100_000];
	is_deeply(sharing($client->get('/api/sessions/99', Origin =>
		'https://other.example')), { vary => 'Origin' },
		'not by others');

	my $preflight = sub {
		my ($path, $origin) = @_;

		return sharing($client->options($path, Origin => $origin,
			'Access-Control-Request-Method' => 'POST'));
	};
	is_deeply($preflight->('/api/sessions', $page), { %listed, %asks,
		'access-control-allow-methods' => 'GET, HEAD, POST, OPTIONS' },
		'a page may ask first');
	is_deeply($preflight->('/api/sessions', 'https://other.example'),
		{ vary => 'Origin' }, 'another learns nothing');

	is_deeply(sharing($client->get('/livez', Origin => $page)), \%listed,
		'below his prefix all is his');
	is_deeply(sharing($workers[0]->get('/livez', Origin => $_)),
		\%anybody, "what is no tenant's is anybody's: $_")
	    for $page, 'https://other.example';
	is_deeply(sharing($workers[0]->options('/livez')), { %anybody, %asks,
		'access-control-allow-methods' => 'GET, HEAD, OPTIONS' },
		'a preflight, too');
	is_deeply(sharing($admin{beta}->get('/api/sessions', Origin =>
		'https://other.example')), \%anybody, 'and another tenant\'s');

	$client->post('/api/sessions/1/close', { notes => 'x' x 2000 });
	is(sharing($client->get('/api/sessions', Origin => $page))->{vary},
		'Accept-Encoding, Origin', 'where it could be packed, as well');
	felt('origins=', sub { tenant('set', 'alpha', 'origins=') },
		sub { tenant('set', 'alpha', "origins=$page") },
		sub { sharing($_[0]->get('/t/alpha/api/sessions'))
			->{'access-control-allow-origin'} });
};

subtest 'hosts' => sub {
	my $is_of = sub {
		my ($slug, $host) = @_;
		return sub { shown($_[0]->get('/api/sessions?limit=1',
			Host => $host)) eq $slug };
	};

	felt('hosts', sub { tenant('set', 'beta',
		'hosts=b2.example beta.example') },
		sub { tenant('set', 'beta', 'hosts=beta.example') },
		$is_of->('beta', 'b2.example'));
	felt('one less', sub { tenant('set', 'beta', 'hosts=b2.example') },
		sub { tenant('set', 'beta', 'hosts=b2.example beta.example') },
		$is_of->('default', 'beta.example'));
};

# Every row of every table that has tenants, of this one.
sub rows_of {
	my ($id) = @_;
	my @tables = split /\n/, $db->query(q{SELECT relname FROM pg_class c
		WHERE relnamespace = 'partyline'::regnamespace AND relkind = 'r'
		AND EXISTS (SELECT FROM pg_attribute a WHERE attrelid = c.oid
		AND attname = 'tenant_id') ORDER BY 1});

	return { map { $_ => $db->query("SELECT count(*) FROM partyline.$_"
		. " WHERE tenant_id = $id") } @tables };
}

subtest 'removed' => sub {
	tenant('add', 'gone', '--host', 'gone.example');
	ok((wait_until { !grep { !is_status(200, '/t/gone/api/sessions')->($_) }
		@workers }), 'it is there');
	my $id = $db->query(
		q{SELECT id FROM partyline.tenant WHERE slug = 'gone'});
	my $admin = T::Client->new($server, tenant => 'gone');

	is($admin->post('/api/sessions', { notes => 'gone' }, 'Idempotency-Key'
		=> 'k')->{status}, 201, 'with a session');
	is($admin->post('/api/auth/ticket', { stream => 'session:1' })
		->{status}, 201, 'and a ticket');
	my $rows = rows_of($id);
	cmp_ok($rows->{$_}, '>', 0, "$_ has rows")
	    for qw(session stream event idempotency ticket counter tenant_host);

	felt('tenant remove', sub { tenant('remove', 'gone', '--yes') },
		sub { tenant('add', 'gone', '--host', 'gone.example') },
		is_status(404, '/t/gone/api/sessions'));
	is(shown($workers[0]->get('/api/sessions?limit=1',
		Host => 'gone.example')), 'default', 'its host is nobody\'s');
	is($admin->post('/api/sessions', {})->{status}, 404, 'no token helps');
	is_deeply(rows_of($id), { map { $_ => 0 } keys %$rows },
		'nothing of it is left');
};

subtest 'removed while it is written to' => sub {
	tenant('add', 'busy');
	ok((wait_until { !grep { !is_status(200, '/t/busy/api/sessions')->($_) }
		@workers }), 'it is there');
	my $id = $db->query(
		q{SELECT id FROM partyline.tenant WHERE slug = 'busy'});
	my @clients = map { T::Client->new($server, tenant => 'busy',
		worker => $_, name => "Ann $_") } 1 .. 3;

	is($clients[0]->post('/api/sessions', {})->{status}, 201, 'a session');
	# Stands behind its insert until the test lets it go.
	$db->query('CREATE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS'
		. q{ $$ BEGIN PERFORM pg_advisory_xact_lock_shared(77); }
		. 'RETURN NULL; END $$; CREATE TRIGGER stand AFTER INSERT ON '
		. q{partyline.event FOR EACH ROW WHEN (NEW.type = 'custom.x') }
		. 'EXECUTE FUNCTION stand()');
	open my $gate, '|-', T::Sql::psql($db->name, '-o', '/dev/null', '-U',
		$T::Db::super) or die "psql: $!\n";
	$gate->autoflush(1);
	print $gate "SELECT pg_advisory_lock(77);\n";
	my $locks = sub {
		return $db->query('SELECT count(*) FROM pg_locks WHERE '
			. ($_[0] ? '' : 'NOT ') . "granted AND locktype = "
			. "'advisory' AND objid = 77");
	};
	wait_until { $locks->(1) };
	$clients[0]->ask(POST => '/api/sessions/1/events',
		{ type => 'custom.x', data => {} }, 'Idempotency-Key' => 'k');
	ok((wait_until { $locks->(0) }), 'an event is on its way');

	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		my $said = $server->partyline('tenant', 'remove', 'busy',
			'--yes', '--set', 'database_url=' . $db->url);
		POSIX::_exit($said->{exit});
	}
	ok((wait_until { $db->query(q{SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'
		AND query LIKE '%tenant_remove%'}) }), 'while it is removed');
	$clients[1]->ask(POST => '/api/sessions', {});
	$clients[2]->ask(POST => '/api/sessions/1/close', {});
	print $gate "SELECT pg_advisory_unlock(77);\n";
	is($clients[0]->take->{status}, 201, 'what came first is answered');
	waitpid $pid, 0;
	is($?, 0, 'so is who removes it');
	is($_->take->{status}, 404, 'then it is gone') for @clients[1, 2];
	is_deeply([grep { $_ } values %{ rows_of($id) }], [],
		'nothing of it is left');
	close $gate;
	$db->query('DROP TRIGGER stand ON partyline.event');
	unlike($server->log_text, qr/PostgreSQL refused a call/,
		'nobody was surprised');
};

done_testing;
