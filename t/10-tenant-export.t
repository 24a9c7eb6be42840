#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline tenant export and import: a tenant that has something of
# everything, put into another of the same installation, into another
# installation, and back where he was; what answers then, and what is refused.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use File::Temp  ();
use JSON::PP    ();
use Test::More;
use T::Client;
use T::Command;
use T::Live;
use T::Server;
use T::Table;
use T::TenantFile;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $dir  = File::Temp->newdir('partyline-t-XXXXXX', TMPDIR => 1);
my $key  = 'the key of Ann';

sub admin {
	my ($db, @words) = @_;

	return partyline({ in => $key }, 'admin', @words, '--set',
		'database_url=' . $db->url);
}

# --- a tenant with something of everything ---------------------------------

sub must_be {
	my ($answer, $status, $name) = @_;

	is($answer->{status}, $status, $name) or diag($answer->{body});
	return $answer->{json};
}

sub play {
	my ($who) = @_;
	my $games = $who->get('/api/games')->{json};
	my @made = map { must_be($who->post('/api/games', {
		pack_name => 'Ours', title => "Our \"game\" \\ $_ \x{1F3B2}",
		min_players => 1, max_players => 8, ticker => "OG$_" }), 201,
		'a game of ours')->{id} } 1, 2;
	my $old = must_be($who->post('/api/sessions',
		{ notes => "f\x{fc}nf\n\tlines \\N \x{1}" }), 201,
		'a session')->{id};

	must_be($who->post("/api/sessions/$old/games",
		{ game_id => $_, manually_added => JSON::PP::true }), 201,
		'a game in it') for $games->[0]{id}, @made;
	must_be($who->post("/api/sessions/$old/events",
		{ type => 'custom.x', data => { a => "\x{e4}\\u0000 '" } }),
		201, 'an event');
	must_be($who->post("/api/sessions/$old/close"), 200, 'closed');
	must_be($who->post("/api/sessions/$old/archive"), 200, 'archived');
	my $gone = must_be($who->post('/api/sessions'), 201, 'another')->{id};
	must_be($who->post("/api/sessions/$gone/close"), 200, 'closed');
	must_be($who->delete("/api/sessions/$gone"), 200, 'deleted');
	my $now = must_be($who->post('/api/sessions', { notes => 'now' },
		'Idempotency-Key' => 'k1'), 201, 'one that runs')->{id};
	must_be($who->post("/api/sessions/$now/games",
		{ game_id => $made[1], room_code => 'LSBN' }), 201,
		'a game that is played');
	must_be($who->post("/api/sessions/$now/voting/start", {}), 200,
		'a poll');
	return ($old, $now, @made);
}

# What nobody needs an endpoint for.
sub fill_up {
	my ($db, $slug, $session, $game) = @_;
	my $tenant = $db->query(
		"SELECT id FROM partyline.tenant WHERE slug = '$slug'") + 0;

	$db->query(<<"END");
INSERT INTO partyline.live_vote (tenant_id, id, session_id, game_id, username,
    vote, voted_at, voted_text, created_at, created_text)
SELECT $tenant, 1000 + n, $session, $game, 'user ' || n, -1 + 2 * (n % 2),
    m, api.iso(m), m, api.iso(m)
FROM generate_series(1, 30) n,
    LATERAL (SELECT timestamptz '2026-05-01T20:00:00.123Z'
	+ n * interval '1 minute' AS m) AS at;
INSERT INTO partyline.chat_log (tenant_id, id, session_id, username, message,
    said_at, said_text, vote, game_id, hash)
SELECT $tenant, n, $session, 'user', E'it\\'s "g++" \\\\ \\t' || n, m,
    api.iso(m), CASE WHEN n % 2 = 0 THEN 1 END,
    CASE WHEN n % 2 = 0 THEN $game END, sha256(n::text::bytea)
FROM generate_series(1, 30) n,
    LATERAL (SELECT timestamptz '2026-05-01T20:00:00Z'
	+ n * interval '1 minute' AS m) AS at;
INSERT INTO partyline.webhook (tenant_id, id, name, url, secret,
    former_secret, former_until, events, created_at, created_text)
VALUES ($tenant, 1, 'Bot', 'https://bot.invalid/', 'new', 'old',
    now() + interval '1 day', '{custom.none,game.added}', now(),
    api.iso(date_trunc('milliseconds', now())));
INSERT INTO partyline.webhook_queue (tenant_id, webhook_id, deliveries, logs)
VALUES ($tenant, 1, 3, 3);
INSERT INTO partyline.webhook_delivery (tenant_id, webhook_id, id, message,
    event, payload, state, created_at, queued_at, attempts)
SELECT $tenant, 1, n, 'msg_' || n, 'custom.none', '{"a":1}',
    CASE n WHEN 1 THEN 'dead' ELSE 'delivered' END, now(), now(), 1
FROM generate_series(1, 3) n;
INSERT INTO partyline.webhook_log (tenant_id, webhook_id, id, delivery_id,
    attempt, event, status, answer, took_ms, created_at, created_text)
SELECT $tenant, 1, n, n, 1, 'custom.none', 200, 'said', 7, now(),
    api.iso(date_trunc('milliseconds', now()))
FROM generate_series(1, 3) n;
INSERT INTO partyline.webhook_outbox (tenant_id, stream, seq, webhooks, event,
    payload, at)
VALUES ($tenant, 'lobby', 1, '{99}', 'custom.none', '{}', now());
INSERT INTO partyline.stream (tenant_id, name, epoch)
VALUES ($tenant, 'thread:1', 'e');
INSERT INTO partyline.thread (tenant_id, id, name, created_at, active_at, told)
VALUES ($tenant, 1, 'talk', now(), now(), 7) ON CONFLICT DO NOTHING;
INSERT INTO partyline.tabletop_user (tenant_id, id, name, hash, is_admin,
    created_at, created_text)
SELECT $tenant, n, E'us\\u00e9r ' || n, 'hash', n = 1, m, api.iso(m)
FROM generate_series(1, 2) n,
    LATERAL (SELECT timestamptz '2026-05-01T20:00:00Z' AS m) AS at;
INSERT INTO partyline.tabletop_session (tenant_id, id, name, description,
    game_master_id, created_by, created_text, updated_text)
SELECT $tenant, 1, 'Den', E'deep\\n', 1, 1, t, t
FROM (VALUES ('2026-05-01T20:00:00.000Z')) v (t);
INSERT INTO partyline.tabletop_member VALUES ($tenant, 1, 2);
INSERT INTO partyline.tabletop_encounter VALUES ($tenant, 1, 1, 'Cave');
INSERT INTO partyline.tabletop_token (tenant_id, id, encounter_id, name, size,
    position, is_visible, is_player_controlled, data, version)
VALUES ($tenant, 1, 1, 'Orc', 'large', '{"x":1.50,"y":2,"elevation":0}', true,
    false, '{"hp":[7,"é"]}', 3);
INSERT INTO partyline.tabletop_chat
SELECT $tenant, n, 1, 2, 'session', '1', json_build_object('id', n,
    'sessionId', 1, 'message', 'hello ' || n, 'userId', 2, 'name', 'x',
    'timestamp', '2026-05-01T20:00:00.000Z', 'metadata', '{}'::json)
FROM generate_series(1, 3) n;
INSERT INTO partyline.catalog_due VALUES ($tenant) ON CONFLICT DO NOTHING;
END
	return;
}

my @paths = map { $_->{path} } grep {
	$_->{method} eq 'GET' && $_->{door} eq 'FRONT'
	    && $_->{path} =~ m{^/api/(?!.*stream$)}
} T::Table->rows('operations');

# Every GET of a tenant, with what may be in its place: by path, the status,
# the ETag and the bytes, but for epochs.
sub answers {
	my ($who, @names) = @_;
	my %answers;

	for my $path (map { expand($_, @names) } @paths) {
		my $answer = $who->get($path);
		my $body = $answer->{body}
		    =~ s/"(epoch|requestId)":"\w+"/"$1":""/gr;
		my $etag = $path =~ /events/ ? '' :
		    $answer->{headers}{etag} // 'none';

		$answers{$path} = "$answer->{status} $etag $body";
	}
	return \%answers;
}

sub expand {
	my ($path, @names) = @_;
	my @all = ($path);

	@all = map { my $p = $_; map { $p =~ s/\{\w+\}/$_/r } @names } @all
	    while $all[0] =~ /\{/;
	return $path =~ m{/events$} ? map { "$_?since=0&limit=1000" } @all :
	    @all;
}

sub same_answers {
	my ($got, $wanted, $name) = @_;
	my @other = grep { ($got->{$_} // '') ne $wanted->{$_} }
	    sort keys %$wanted;

	is_deeply(\@other, [], $name) or diag(
		"$wanted->{$other[0]}\n$got->{$other[0]}");
	return;
}

# --- the tenant ------------------------------------------------------------

# Whoever would take what waits for webhooks stands still.
my $server = T::Server->start(workers => 2, wait => 'readyz',
	jwt_secret => 'k' x 32, beat_timeout => '10min');
my ($jobs) = $server->pids('jobs');
kill STOP => $jobs;
my $db = $server->db;
my ($file, @names, $answers) = ("$dir/alpha.tenant");

subtest 'a tenant with something of everything' => sub {
	good(tenant($db, 'add', 'alpha', '--host', 'alpha.example', '--host',
		'a.example'), 'added');
	good(tenant($db, 'set', 'alpha', 'max_storage=1GiB',
		'retention_days=30', 'public_read=on',
		'origins=https://a.example https://b.example'), 'set');
	good(admin($db, qw(add --tenant alpha --key-file - --name Ann)),
		'Ann');
	good(partyline('admin', qw(add --tenant alpha --name Kosmi --role
		bot), '--set', 'database_url=' . $db->url), 'Kosmi');
	good(partyline('admin', qw(add --tenant alpha --name Gone), '--set',
		'database_url=' . $db->url), 'Gone');
	good(admin($db, qw(revoke Gone --tenant alpha)), 'revoked');
	my $who = somebody($server, 'alpha');

	@names = play($who);
	fill_up($db, 'alpha', @names[0, 2]);
	$answers = answers($who, 1 .. 5, $names[2]);
	cmp_ok(scalar keys %$answers, '>', 20, 'it answers');
	is((grep { /^5/ } values %$answers), 0, 'well');

	my $tables = $db->query('SELECT name FROM api.tenant_table
		WHERE left_out IS NULL ORDER BY place');
	my @empty = grep { !$db->query(sprintf 'SELECT count(*) FROM
		partyline.%s WHERE %s = 2', $_,
		$_ eq 'tenant' ? 'id' : 'tenant_id') } split /\n/, $tables;
	is("@empty", '', 'no table is empty');
};

subtest 'a file' => sub {
	my $before = everything($db);
	my $said = good(tenant($db, 'export', 'alpha', $file), 'written');
	my @lines = split /\n/, bytes($file);
	my $head = $json->decode($lines[0]);
	my $tail = $json->decode($lines[-1]);

	like($said, qr/\Atenant alpha: \d+ rows are in \Q$file\E\n\z/, 'said');
	is(everything($db), $before, 'nothing was changed');
	is(sprintf('%o', (stat $file)[2] & 07777), '600',
		'nobody else reads it');
	is_deeply([glob "$dir/*"], [$file], 'nothing beside it');
	is_deeply([@$head{qw(format version slug id)}],
		['partyline-tenant', 1, 'alpha', 2], 'what it is');
	is($head->{schema}, $db->query('SELECT max(version) FROM
		partyline.schema_version'), 'of which schema');
	like($head->{at}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'of when');
	is($tail->{sha256}, sha256_hex(without_end(bytes($file))),
		'its digest is of all before');
	is($tail->{rows}{$_}, $db->query("SELECT count(*) FROM partyline.$_
		WHERE tenant_id = 2"), "rows of $_")
	    for grep { $_ ne 'tenant' } keys %{ $tail->{rows} };
	is(index(bytes($file), $db->query(q{SELECT value FROM partyline.secret
		WHERE kind = 'server'})), -1, 'no secret of the installation');
	is(bytes($file) =~ /"epoch"/, '', 'no epochs');

	my $piped = tenant($db, 'export', 'alpha');
	my $again = tenant($db, 'export', 'alpha', '-');
	is($piped->{err} . $again->{err}, '', 'to standard output');
	s/"at" : "[^"]*"|"sha256":"\w+"//g
	    for my ($one, $two, $three) = ($piped->{out}, $again->{out},
		bytes($file));
	ok($one eq $three && $two eq $three, 'the same each time');
	is_deeply($json->decode(tenant($db, 'export', 'alpha',
		"$dir/json.tenant", '--json')->{out}), { slug => 'alpha',
		file => "$dir/json.tenant", rows => $said =~ /(\d+) rows/ },
		'for programs');
	is(tenant($db, 'export', 'alpha', '/dev/null')->{exit}, 0,
		'what is no plain file is written as it is');
	ok(-c '/dev/null', 'and stays');
};

# --- put back --------------------------------------------------------------

# What is not in the answers: streams and their numbers, and counters.
sub kept {
	my ($db, $slug) = @_;

	return $db->query(qq{SELECT s.name, s.head, s.lowest, s.bytes
		FROM partyline.stream s JOIN partyline.tenant t
		ON t.id = s.tenant_id WHERE t.slug = '$slug' ORDER BY 1})
	    . $db->query(qq{SELECT c.noun, c.last FROM partyline.counter c
		JOIN partyline.tenant t ON t.id = c.tenant_id
		WHERE t.slug = '$slug' AND noun <> 'admin' ORDER BY 1});
}

sub epochs {
	my ($db, $slug) = @_;

	return map { split /\|/ } split /\n/, $db->query(qq{SELECT s.name,
		s.epoch FROM partyline.stream s JOIN partyline.tenant t
		ON t.id = s.tenant_id WHERE t.slug = '$slug'});
}

sub sign_in {
	my ($server, $slug, $key) = @_;

	return T::Client->new($server, tenant => $slug, role => undef)
	    ->post('/api/auth/login', { key => $key })->{status};
}

# The file's tenant and this one are the same, and go on the same way.
sub same_tenant {
	my ($server, $slug, $name) = @_;
	my $who = somebody($server, $slug);
	my $epoch = { epochs($db, 'alpha') }->{lobby};

	same_answers(answers($who, 1 .. 5, $names[2]), $answers,
		"$name: every GET, its bytes and its ETag");
	ok($who->get("/api/events?since=$epoch:1")->{json}{resync},
		"$name: whoever followed before gets the state");
	ok($who->get("/api/sessions/$names[0]/events?since=1")->{json}
		{events}[0]{seq} == 2, "$name: events keep their numbers");
	is($who->post('/api/sessions', { notes => 'now' },
		'Idempotency-Key' => 'k1')->{json}{id}, $names[1],
		"$name: who asks again gets the answer that was given");
	return;
}

subtest 'in the same installation, as another tenant' => sub {
	my $before = everything($db);
	my $said = tenant($db, 'import', 'beta', $file);

	is($said->{exit}, 65, 'a host can be of one only');
	is($said->{err}, "partyline: $file: lines 5 to 6, table tenant_host: "
		. 'Another tenant has this host {"host" : "a.example", '
		. "\"tenant\" : \"alpha\"}\n", 'told');
	is(everything($db), $before, 'nothing was done');

	$said = good(tenant($db, 'import', 'beta', $file, '--no-hosts'),
		'without hosts');
	like($said, qr/\Atenant beta, id \d+: \d+ rows were put back\n/,
		'said');
	is($said =~ s/.*\n//r, 'keys are not known here; new ones need Ann '
		. '(admin), Kosmi (bot); partyline admin add --tenant beta'
		. "\n", 'and who has no key');
	same_tenant($server, 'beta', 'beside it');
	is(kept($db, 'beta'), kept($db, 'alpha'), 'numbers go on');
	my %old = epochs($db, 'alpha');
	my %new = epochs($db, 'beta');
	is_deeply([sort keys %new], [sort keys %old], 'the same streams');
	is((grep { $new{$_} eq $old{$_} } keys %old), 0, 'in new epochs');
	is($db->query(q{SELECT count(*) FROM partyline.tenant_host h JOIN
		partyline.tenant t ON t.id = h.tenant_id WHERE slug = 'beta'}),
		0, 'no hosts');
	is(sign_in($server, 'beta', $key), 401, 'a key of another tenant');
	good(admin($db, qw(add --tenant beta --key-file - --name Ann)),
		'the same name, and key, anew');
	is(sign_in($server, 'beta', $key), 200, 'signs in');
	my $show = tenant($db, 'show', 'beta')->{out};
	is($show =~ s/^tenant.*\n|^hosts.*\n//mgr,
		tenant($db, 'show', 'alpha')->{out}
		=~ s/^tenant.*\n|^hosts.*\n//mgr, 'the same settings');
	is($db->query(q{SELECT count(*) FROM partyline.ticket
		WHERE tenant_id <> 2}), 0, 'no tickets');
};

subtest 'back where it was' => sub {
	my $gone = T::Client->new($server, tenant => 'alpha', name => 'Gone');
	my $ann  = T::Client->new($server, tenant => 'alpha', name => 'Ann');

	# A token of his that was made before he was revoked.
	$gone->{token} = T::Client::token($server, 'alpha', role => 'admin',
		name => 'Gone', iat => time - 3600, timestamp => 1000 *
		(time - 3600));
	my %old = epochs($db, 'alpha');
	good(tenant($db, 'remove', 'alpha', '--yes'), 'removed');
	for my $worker (1, 2) {
		my $who = T::Client->new($server, worker => $worker);

		ok((wait_until {
			$who->get('/t/alpha/api/sessions')->{status} == 404
		} 10), 'and not served');
	}
	my $said = $json->decode(good(tenant($db, 'import', 'alpha', $file,
		'--json'), 'put back'));
	is($said->{tenant}{id}, 2, 'with the number that it had');
	is_deeply($said->{tenant}{hosts}, ['a.example', 'alpha.example'],
		'its hosts');
	is_deeply($said->{without_keys}, [], 'nobody needs a new key');
	wait_until { $ann->get('/api/sessions')->{status} == 200 } 10;
	same_answers(answers(somebody($server, 'alpha'), 1 .. 5, $names[2]),
		$answers, 'every GET, its bytes and its ETag');
	is(sign_in($server, 'alpha', $key), 200, 'a key');
	is($ann->post("/api/sessions/$names[1]/events", { type => 'custom.x',
		data => {} })->{status}, 201, 'a token of before');
	is($gone->post("/api/sessions/$names[1]/events", { type => 'custom.x',
		data => {} })->{status}, 403, 'but not one that was revoked');
	my %new = epochs($db, 'alpha');
	is((grep { $new{$_} eq $old{$_} } keys %old), 0, 'in new epochs');
};

subtest 'in another installation' => sub {
	my $other = T::Server->prepare(workers => 2, jwt_secret => 'l' x 32,
		env => { ADMIN_KEY => 'the key of this place' });
	my $there = $other->db;

	# Databases of a run are copies of one.
	$there->query(q{UPDATE partyline.secret SET value = repeat('7', 64)
		WHERE kind = 'server'});
	$other->spawn;
	$other->wait_ready('readyz') or die $other->log_text;

	wait_until { sign_in($other, 'default', 'the key of this place') ==
		200 } 10;
	my $live = T::Live->enter($other, worker => 1);
	my $was = { epochs($there, 'default') }->{lobby};
	for my $slug ('moved', 'default') {
		good(tenant($there, 'set', 'moved', 'hosts='), 'hosts freed')
		    if $slug eq 'default';
		my $said = good(tenant($there, 'import', $slug, $file),
			"as $slug");
		like($said, qr/new ones need Ann \(admin\), Kosmi/,
			'keys are of an installation');
		same_tenant($other, $slug, $slug);
		is(kept($there, $slug) =~ s/^\w+\|\K.*//mgr,
			kept($db, 'beta') =~ s/^\w+\|\K.*//mgr,
			'the same streams and counters');
	}
	isnt({ epochs($there, 'default') }->{lobby}, $was,
		'whoever followed a new tenant hears of it');
	is(sign_in($other, 'default', 'the key of this place'), 200,
		'who could sign in still can');
	is($there->query(q{SELECT string_agg(name || ' ' || (revoked_at IS
		NULL), ', ' ORDER BY id) FROM partyline.admin
		WHERE tenant_id = 1}),
		'Ann false, Kosmi false, Gone false, Admin true',
		'his number comes after those of the file');
	good(partyline({ in => 'x' x 40 }, qw(admin add --key-file - --name
		Ann --set), 'database_url=' . $there->url), 'a new key');
	is(sign_in($other, 'default', 'x' x 40), 200, 'signs in');
	$live->leave;
};

# --- refused ---------------------------------------------------------------

sub is_refused {
	my ($name, $exit, $pattern, @words) = @_;
	my $before = everything($db);
	my $said   = tenant($db, @words);

	is($said->{exit}, $exit, "$name: exit code");
	like($said->{err}, $pattern, "$name: told");
	is($said->{err} =~ tr/\n//, 1, "$name: in a line") if $exit != 64;
	is($said->{out}, '', "$name: nothing else");
	is(everything($db), $before, "$name: nothing was done");
	return;
}

# Bytes that are no file of a tenant any more.
sub broken {
	my ($name, $bytes, $pattern) = @_;
	my $path = write_file("$dir/broken", $bytes);

	is_refused($name, 65, qr/\Apartyline: \Q$path\E: $pattern/, 'import',
		'gamma', $path, '--no-hosts');
	return;
}

subtest 'a file that is not whole' => sub {
	my $good = bytes($file);
	my $body = without_end($good);
	my $lines = $good =~ tr/\n//;

	broken('nothing', '', qr/line 0: the file is empty; nothing was done/);
	broken('something else', "PK\3\4\n", qr/line 1: this is no file of a/);
	broken('no end', $body, qr/line @{[$lines - 1]}: the file was cut off/);
	broken('cut off', substr($good, 0, $_), qr/line \d+: the file was cut/)
	    for 1, 70, length($good) / 2, length($good) - 1;
	broken('behind it', "$good\n", qr/line @{[$lines + 1]}: the file goes/);
	broken('a letter', $good =~ s/it's/It's/r,
		qr/line $lines: the file was changed: its SHA-256 is not/);
	broken('a row less', $good =~ s/^\["2",.*\n//mr,
		qr/line @{[$lines - 1]}: the file was changed/);
	broken('counts', $body . $good =~ s/\A.*\n(?=.)//sr
		=~ s/"event":\d+/"event":1/r,
		qr/line $lines: table event has \d+ rows, which is not/);
	broken('a newer format', closed($body =~ s/"version" : 1/"version":2/r),
		qr/line 1: the file is of format 2, which a newer program/);
	broken('a newer schema', closed($body
		=~ s/"schema" : \d+/"schema":99/r),
		qr/line 1: the file is of schema 99, which a newer program wr/);
};

subtest 'a file that no program of ours wrote' => sub {
	my $body = without_end(bytes($file));
	my $with = sub {
		my ($name, $change, $pattern) = @_;
		my $bytes = $body;

		local $_ = $bytes;
		$change->();
		isnt($_, $bytes, "$name: is another") or return;
		broken($name, closed($_), $pattern);
	};

	$with->('a table', sub { s/"table" : "pack"/"table":"secret"/ },
		qr/lines .*, table secret: The file has what a tenant here /);
	$with->('tickets', sub { s/"table" : "pack"/"table":"ticket"/ },
		qr/lines .*, table ticket: The file has what a tenant here /);
	$with->('a column', sub { s/"pack_name"/"pack_nome"/ },
		qr/lines .*, table game: The file has what a tenant here ca/);
	$with->('the number of the tenant', sub { s/"noun"/"tenant_id"/ },
		qr/lines .*, table counter: The file has what a tenant here/);
	$with->('no number', sub { s/("pack", .*\n\[)"\d+"/$1"x"/ },
		qr/lines \d+ to .*, table pack: invalid input syntax for /);
	$with->('a rule', sub { s/"played"/"sung"/ },
		qr/.*table session_game: .*violates check constraint/);
	$with->('a game of nobody', sub { s/"Ours"/"Theirs"/ },
		qr/.*table game: .*violates foreign key constraint/);
	$with->('an event less',
		sub { s/^\["session:$names[1]","1".*\n//m },
		qr/The file has what a tenant here cannot have .*:\d/);
	$with->('a row twice',
		sub { s/^(\["session:$names[1]","1".*\n)/$1$1/m },
		qr/.*table event: duplicate key value violates unique const/);
};

subtest 'who is in use, and who is not there' => sub {
	is_refused('in use', 65, qr/\Apartyline: The tenant is in use; only a/,
		'import', 'alpha', $file);
	is_refused('a name', 65, qr/A tenant's name has 1 to 63/, 'import',
		'No Name', $file);
	is_refused('nobody', 65, qr/Tenant not found/, 'export', 'nobody',
		"$dir/nobody");
	is_refused('no file', 66, qr/cannot be read: No such file/, 'import',
		'gamma', "$dir/nothing");
	is_refused('a folder', 74, qr/cannot be read: Is a directory/, 'import',
		'gamma', "$dir");
	is_refused('no folder', 73, qr/cannot be made: No such file/, 'export',
		'alpha', "$dir/nothing/file");
	is_refused('no room', 74, qr/cannot be written: No space/, 'export',
		'alpha', '/dev/full');
	is_refused('no slug', 64, qr/tenant export takes SLUG \[FILE\]/,
		'export');
	is_refused('words', 64, qr/tenant import takes SLUG \[FILE\]/, 'import',
		'a', 'b', 'c');
	is_refused('a flag', 64, qr/only tenant import takes --no-hosts/,
		'export', 'alpha', '--no-hosts');
	is_deeply([grep { /nobody|XXXX|alpha\.tenant\./ } glob "$dir/*"], [],
		'nothing half written stays');
	is(partyline('tenant', 'export', 'alpha', '--set',
		'database_url=postgresql://x@/x?host=/nowhere')->{exit}, 69,
		'without a database');
	good(tenant($db, 'add', 'new'), 'a new tenant');
	good(tenant($db, 'import', 'new', $file, '--no-hosts'),
		'can be put another in the place of');
};

kill CONT => $jobs;
done_testing;
