#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What every operation gets from the core beside its body: tags and 304, who
# may keep an answer, names of requests from the client to the stored event,
# limits of a tenant over two workers, 401, compression.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Compress::Zlib qw(memGunzip);
use Test::More;
use T::Client;
use T::Http;
use T::Lock;
use T::Server;
use T::Table;
use T::Wait;

my $server = T::Server->start(workers => 2, db_timeout => '60s');
my $db     = $server->db;
my $admin  = T::Client->new($server);
my @anyone = map { T::Client->new($server, worker => $_, role => undef) } 1, 2;
my @admins = map { T::Client->new($server, worker => $_) } 1, 2;

ok($server->wait_ready('readyz'), 'all is ready');

# Whether somebody waits for what is locked, in time.
sub waits {
	my ($where) = @_;

	return wait_until { T::Lock::waiting($where // $db) == 1 };
}

# A session that is over, of a tenant.
sub past {
	my ($who, $notes, @games) = @_;
	my $made = $who->post('/api/sessions', { notes => $notes });

	$who->post("/api/sessions/$made->{json}{id}/games",
		{ game_id => $_ })->{status} == 201 or die "no game $_\n"
	    for @games;
	$who->post("/api/sessions/$made->{json}{id}/close")->{status} == 200
	    or die "$made->{body}\n";
	return $made->{json}{id};
}

my $id = past($admin, 'first', 1);
my %part = (id => $id, name => 'session_monitor.js', game => $db->query(
	"SELECT id FROM partyline.session_game WHERE session_id = $id"));
$admin->post('/api/webhooks', { name => 'Bot', secret => 'whsec_AAAA',
	url => 'http://bot.invalid/', events => [] })->{json}{id} == $id
    or die "no webhook $id\n";

# Of the same ids: a session of the tabletop, and its first encounter.
my $table = '/api/tabletop';
$admin->post("$table/users", { name => 'Gwen', password => 'Gwen' });
$admin->post("$table/sessions", { name => 'Den' })->{json}{id} == $id
    or die "no session $id at the table\n";
$admin->post("$table/sessions/$id/members", { userId => 1 });
$admin->post("$table/sessions/$id/encounters", { name => 'Cave' });
my ($cookie) = $anyone[0]->post("$table/login",
	{ name => 'Gwen', password => 'Gwen' })
	->{headers}{'set-cookie'} =~ /\A([^;]+)/;
my %who = (ADMIN => [\@admins], USER => [\@anyone, Cookie => $cookie]);

# What C answers of its own looks at the moment, and is never kept.
my %asked_by;
my @reads = map {
	my $path = $_->{path} =~ s/\{(\w+)\}/$part{$1}/gr;

	$asked_by{$path} = $who{ $_->{who} } // [\@anyone];
	$path;
}
    grep { $_->{method} eq 'GET' && $_->{door} eq 'FRONT'
	&& $_->{way} ne 'OWN' && $_->{answer} ne 'event_stream' }
    T::Table->rows('operations');

sub told {
	my ($who, @words) = @_;
	my $said = $server->partyline($who, @words,
		'--set', 'database_url=' . $db->url);

	is($said->{exit}, 0, "$who @words") or diag($said->{err});
	return;
}

subtest 'tags of every GET' => sub {
	for my $path (@reads) {
		my ($who, @as) = @{ $asked_by{$path} };
		my @who = @$who;
		my $one = $who[0]->get($path, @as);
		my $tag = $one->{headers}{etag};

		is($one->{status}, 200, $path);
		like($tag, qr/\A"[0-9a-f]{32}"\z/, "$path: a strong tag");
		is($_->get($path, @as)->{headers}{etag}, $tag,
			"$path: the same of each worker, kept or not")
		    for @who, @who;
		for my $given ($tag, "\"x\", $tag", "W/$tag", '*',
			"\"x\"  ,\t$tag , \"y\"") {
			my $none = $who[0]->get($path, @as,
				'If-None-Match' => $given);
			is($none->{status}, 304, "$path: 304 for $given");
			is($none->{body},   '',  "$path: without a body");
			is($none->{headers}{etag}, $tag,
				"$path: the tag again");
			is($none->{headers}{'cache-control'},
				$one->{headers}{'cache-control'},
				"$path: how long to keep it, again");
			is($none->{headers}{'content-length'}, undef,
				"$path: no length");
		}
		is($who[0]->head($path, @as, 'If-None-Match' => $tag)
			->{status}, 304, "$path: HEAD the same");
		is($who[0]->get($path, @as, 'If-None-Match' => $_)
			->{body}, $one->{body}, "$path: all of it for $_")
		    for '"x"', $tag =~ tr/"//dr, '""', substr $tag, 0, -2;
	}
	my $refused = $anyone[0]->get('/api/sessions/999',
		'If-None-Match' => '*');
	refused($refused, 404, 'session_not_found');
	is($refused->{headers}{etag}, undef, 'a refusal has no tag');
	is($admin->post("/api/sessions/$id/archive", undef,
		'If-None-Match' => '*')->{status}, 200,
		'it means nothing to a POST');
	$admin->post("/api/sessions/$id/unarchive");
};

subtest 'a tag changes with what it stands for' => sub {
	my %tag;
	my $look = sub {
		my ($what, @changed) = @_;
		my %is_changed = map { $_ => 1 } @changed;

		for my $path ('/api/sessions', '/api/sessions/active',
			"/api/sessions/$id", '/api/sessions?filter=archived') {
			my @now = map { $_->get($path, $tag{$path}
				? ('If-None-Match' => $tag{$path}) : ()) }
			    @anyone;
			my $wanted = !$tag{$path} || $is_changed{$path}
			    ? 200 : 304;

			is_deeply([map { $_->{status} } @now],
				[$wanted, $wanted], "$what: $path");
			is($now[0]{headers}{etag}, $now[1]{headers}{etag},
				"$what: $path: one tag");
			$tag{$path} = $now[0]{headers}{etag};
		}
	};

	$look->('at first');
	$look->('nothing');
	my $new = $admin->post('/api/sessions')->{json}{id};
	$look->('create', '/api/sessions', '/api/sessions/active');
	$admin->post("/api/sessions/$new/close");
	$look->('close', '/api/sessions', '/api/sessions/active');
	$admin->post("/api/sessions/$id/archive");
	$look->('archive', '/api/sessions', "/api/sessions/$id",
		'/api/sessions?filter=archived');
	$admin->post("/api/sessions/$new/archive");
	$look->('archive another', '/api/sessions',
		'/api/sessions?filter=archived');
	$admin->delete("/api/sessions/$new");
	$look->('delete', '/api/sessions?filter=archived');
	$admin->post("/api/sessions/$id/unarchive");
	$look->('unarchive', '/api/sessions', "/api/sessions/$id",
		'/api/sessions?filter=archived');
};

subtest 'who may keep an answer' => sub {
	told(tenant => 'add', 'closed');
	told(tenant => 'set', 'closed', 'public_read=off');
	my ($viewer, $nobody) = map { T::Client->new($server,
		tenant => 'closed', worker => 1, role => $_) } 'viewer', undef;
	ok((wait_until {
		$nobody->get('/api/sessions')->{status} == 401 }),
		'reads of the closed tenant need a token');
	my %keep = (
		'no-cache' => [
			(map { $anyone[0]->get("/api/sessions$_") } '', '',
				'/active', "/$id"),
			$admin->get('/api/sessions'),
		],
		'private, no-cache' => [
			map { $viewer->get("/api/sessions$_") } '', '',
			    '/active'
		],
		'no-store' => [
			$admin->post("/api/sessions/$id/unarchive"),
			$admin->post('/api/sessions/bulk',
				{ action => 'unarchive', ids => [$id] }),
			$admin->post('/api/auth/verify'),
			$anyone[0]->get('/api/sessions/999'),
			$anyone[0]->get('/api/nothing'),
			$anyone[0]->get('/api/sessions?limit=x'),
			$nobody->get('/api/sessions'),
			$anyone[0]->get('/livez'),
		],
	);
	for my $wanted (sort keys %keep) {
		is($_->{headers}{'cache-control'}, $wanted,
			"$_->{status}: $wanted") for @{ $keep{$wanted} };
	}
};

subtest 'who has to say who he is' => sub {
	for my $headers ([], [Authorization => 'Basic eDp5'],
		[Authorization => ''], [Authorization => 'Bearer']) {
		my $answer = $anyone[0]->post('/api/sessions', '{}', @$headers);

		refused($answer, 401, 'token_required',
			error => 'Access token required');
		like($answer->{headers}{'www-authenticate'}, qr/^Bearer\b/,
			'how to say it');
	}
	my $answer = $anyone[0]->post('/api/sessions', '{}',
		Authorization => 'Bearer a.b.c');
	refused($answer, 403, 'invalid_token',
		error => 'Invalid or expired token');
	is($answer->{headers}{'www-authenticate'}, undef,
		'it was said, and is not so');
};

subtest 'names of requests' => sub {
	for my $name ('a', 'Night-7:close.1_x', 'x' x 128) {
		is($admin->get('/api/sessions', 'X-Request-Id' => $name)
			->{headers}{'x-request-id'}, $name, 'taken over')
		    for 1, 2;
	}
	my %made;
	for my $name (undef, '', 'two words', 'x' x 129, "\xc3\xab", 'a"b',
		'<x>') {
		my $id = $admin->get('/api/sessions', 'X-Request-Id' => $name)
		    ->{headers}{'x-request-id'};

		like($id, qr/\A[a-z1-9]{26}\z/, 'made');
		ok(!$made{$id}++, 'another one each time');
	}
};

subtest 'a name goes with its request to the end' => sub {
	my $name = "night-$$:close.1";
	my $open = $admin->post('/api/sessions')->{json}{id};
	my $lock = T::Lock->new($db, 'SELECT FROM partyline.session '
		. "WHERE id = $open FOR UPDATE");

	$admin->ask(post => "/api/sessions/$open/close", undef,
		'X-Request-Id' => $name);
	ok(waits(), 'a close waits for its row');
	is($db->query(q{SELECT application_name FROM pg_stat_activity
		WHERE wait_event_type = 'Lock'
		AND datname = current_database()}), "partyline $name",
		'PostgreSQL shows whose it is');
	$lock->let_go;
	my $closed = $admin->take;
	is($closed->{status}, 200, 'closed');
	is($closed->{headers}{'x-request-id'}, $name, 'the answer has it');
	is($db->query("SELECT type FROM partyline.event
		WHERE request_id = '$name'"), 'session.ended',
		'the stored event has it');
	ok($server->wait_for_log(qr/"requestId":"\Q$name\E"/),
		'the log has it');
	my ($line) = grep { ($_->{requestId} // '') eq $name }
	    $server->log_lines;
	is("$line->{method} $line->{path} $line->{status}",
		"POST /api/sessions/$open/close 200", 'in its line');
	my $again = $admin->post("/api/sessions/$open/close", undef,
		'X-Request-Id' => "$name-again");
	is($again->{json}{requestId}, "$name-again", 'a refusal says it too');
};

subtest 'requests in a minute' => sub {
	told(tenant => 'add', 'den');
	told(tenant => 'set', 'den', 'max_requests=40');
	my @den = map { T::Client->new($server, tenant => 'den',
		worker => $_) } 1, 2;
	my %limit = map { $_ => undef } qw(ratelimit ratelimit-policy);
	my $ask = sub { return $_[0]->get('/api/sessions/active') };

	is($anyone[0]->get('/api/sessions')->{headers}{$_}, undef,
		"no limit, no $_") for sort keys %limit;
	for my $den (@den) {
		ok((wait_until {
			$ask->($den)->{headers}{ratelimit} }),
			'the worker knows the limit');
	}
	my $last = $ask->($den[0]);
	is($last->{headers}{'ratelimit-policy'}, '"requests";q=40;w=60',
		'the policy');
	my ($left) = $last->{headers}{ratelimit} =~
	    /\A"requests";r=(\d+);t=\d+\z/;
	cmp_ok($left, '<', 38, 'what is left, of both workers');

	# What is kept, what is asked for, what is refused.
	my @ways = (
		sub { $_[0]->get('/api/sessions/active') },
		sub { $_[0]->get('/api/sessions/999') },
		sub { $_[0]->post('/api/sessions/999/close') },
		sub { $_[0]->get("/api/sessions?limit=$left") },
		sub { $_[0]->get('/api/sessions?limit=x') },
	);
	my $turn = 0;
	while ($left > 0) {
		my $answer = $ways[$turn % @ways]->($den[$turn % 2]);

		$turn++;
		$left--;
		like($answer->{headers}{ratelimit},
			qr/\A"requests";r=$left;t=(?:[1-9]|[1-5]\d|60)\z/,
			"one less: $left");
		isnt($answer->{status}, 429, 'it is done');
	}
	for my $way (@ways[0 .. 3], @ways[0 .. 3]) {
		my $answer = $way->($den[$turn++ % 2]);
		my $headers = $answer->{headers};

		refused($answer, 429, 'too_many_requests', error =>
			'Too many requests, please try again later');
		my ($again) = ($headers->{ratelimit} // '') =~
		    /\A"requests";r=0;t=(\d+)\z/;
		is($headers->{'retry-after'}, $again, 'when to come again');
		ok($again >= 1 && $again <= 60, 'within a minute');
		is($headers->{'cache-control'}, 'no-store', 'not to be kept');
		is($headers->{etag}, undef, 'no tag');
	}
	is($admin->get('/api/sessions')->{status}, 200,
		'another tenant does not notice');
	is($db->query('SELECT count(*) FROM partyline.session s JOIN '
		. q{partyline.tenant t ON t.id = s.tenant_id AND t.slug = 'den'}
		), 0, 'nothing happened there');
};

subtest 'events in a minute' => sub {
	told(tenant => 'add', 'cave');
	told(tenant => 'set', 'cave', 'max_events=6');
	my @cave = map { T::Client->new($server, tenant => 'cave',
		worker => $_) } 1, 2;

	ok((wait_until {
		$cave[0]->post('/api/sessions', '{}')->{status} == 201 }),
		'one event, as soon as the tenant is known');
	# A worker that has not heard of the limit counts nothing.
	my ($heard, $sum) = (0, 0);
	wait_until {
		my $answer = $cave[$sum++ % 2]->post('/api/sessions/1/events',
			{ type => 'custom.x', data => {} });
		$heard = $answer->{status} == 429 ? $heard + 1 : 0;
		$heard == 4;
	};
	is($heard, 4, 'both workers refuse');
	my $answer = $cave[0]->post('/api/sessions/1/close');
	refused($answer, 429, 'too_many_events', error =>
		'Too many events, please try again later');
	is($answer->{headers}{'ratelimit-policy'}, '"events";q=6;w=60',
		'which limit it was');
	like($answer->{headers}{ratelimit}, qr/\A"events";r=0;t=\d+\z/,
		'nothing is left of it');
	like($answer->{headers}{'retry-after'}, qr/\A[1-9]\d?\z/,
		'when to come again');
	is($cave[1]->get('/api/sessions/1')->{json}{is_active}, 1,
		'what was refused did nothing');
};

subtest 'compression' => sub {
	past($admin, "number $_, " . 'of many ' x 20) for 1 .. 20;
	for my $who (@anyone) {
		my ($plain, $again) = map { $who->get('/api/sessions') } 1, 2;
		my ($packed, $kept) = map { $who->get('/api/sessions',
			'Accept-Encoding' => 'br, gzip') } 1, 2;
		my $tag = $plain->{headers}{etag};

		is($packed->{headers}{'content-encoding'}, 'gzip', 'packed');
		is(memGunzip(my $copy = $packed->{body}), $plain->{body},
			'it is the same list');
		cmp_ok(length $packed->{body}, '<', length($plain->{body}) / 5,
			'and much shorter');
		is($kept->{body}, $packed->{body}, 'the same again');
		is($packed->{headers}{etag}, $tag =~ s/"\z/-gz"/r,
			'with a tag of its own');
		is($_->{headers}{vary}, 'Accept-Encoding', 'what it hangs on')
		    for $plain, $packed;
		cmp_ok($_->{headers}{'x-total-count'}, '>=', 20, 'how many')
		    for $plain, $packed;
		my $ask = sub {
			my ($encoding, $given) = @_;

			return $who->get('/api/sessions', 'Accept-Encoding' =>
				$encoding, 'If-None-Match' => $given)->{status};
		};
		is($ask->('gzip', $packed->{headers}{etag}), 304,
			'304 for the packed one');
		is($ask->('gzip', $tag), 200, 'each form has its own');
		is($ask->('gzip;q=0', $tag), 304, '304 for the plain one');
	}
	is($anyone[0]->get('/api/sessions?limit=1', 'Accept-Encoding' =>
		'gzip')->{headers}{'content-encoding'}, undef,
		'what is short goes as it is');
};

done_testing;
