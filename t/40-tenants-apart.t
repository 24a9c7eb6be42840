#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# That no tenant can tell whether there is another. One script of calls, every
# operation right and wrong, runs in two tenants of one server at once and in
# a tenant that is alone on its own: the three transcripts are the same, byte
# for byte, but for what has to differ (times, epochs, tokens, tickets), which
# has to have the same form. Then one of the two has what the other has not,
# and the other is asked for it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX    ();
use Test::More;
use T::Client;
use T::Night;
use T::Responder;
use T::Server;
use T::Table;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $key  = 'the key of Ann';
my @rows = grep { $_->{door} eq 'FRONT' } T::Table->rows('operations');
my $responder = T::Responder->start;

sub started {
	my (@tenants) = @_;
	my $server = T::Server->prepare(workers => 3, jwt_secret => 'k' x 32,
		outgoing_allow => '127.0.0.0/8', debug_key => 'd' x 32);
	my $do = sub {
		my $said = $server->partyline(@_, '--set',
			'database_url=' . $server->db->url);

		return $said->{exit} == 0 || die "$said->{err}\n";
	};

	for my $slug (@tenants) {
		$do->('tenant', 'add', $slug, '--host', "$slug.example")
		    if $slug ne 'default';
		$do->('tenant', 'set', $slug,
			'responder_url=' . $responder->url('/json'));
		$do->({ in => $key }, 'admin', 'add', '--name', 'Ann',
			'--key-file', '-', '--tenant', $slug);
	}
	$server->spawn;
	$server->wait_ready('readyz') or die $server->log_text;
	return $server;
}

# The two have nothing in common but the server; the third is the default
# tenant of another one, as it is where nobody ever heard of tenants.
my $shared = started(qw(left right));
my $own    = started('default');
my %whose  = (left => $shared, right => $shared, alone => $own);

# --- the script ------------------------------------------------------------
#
# A step: [who, method, path, body, headers]. {tag} in a header is the last
# ETag of that path.

my @ids = qw(0 -1 1.5 abc 01 99 9223372036854775807 9223372036854775808
    99999999999999999999 1%20 1%00 %ff {id});
my %wrong = (
	text    => [7, undef, [], {}, '', 'x' x 20_000, "\x{1}", '"'],
	custom  => [7, undef, '', 'custom.', 'custom.a b', 'session.started'],
	object  => [7, undef, 'x', [], { x => 'x' x 5000 }],
	events  => [7, undef, '', {}, [7], ['nothing']],
	ids     => [7, undef, [], [0], ['1'], [1.5], [99, 98], [-1], {}],
	choice  => [7, undef, '', 'nothing', []],
	integer => ['x', undef, 1.5],
	boolean => ['x', 2],
	csv     => [7, undef, '', 'x', "title\n\"", "\x{1}"],
	id      => [0, 'x'],
	room    => [7, undef, '', 'qx7z', 'QX7ZZ'],
	moment  => [7, undef, '', 'x', '2026-02-30T00:00:00Z'],
	chat    => [7, undef, {}, [7], [{}]],
);
my @queries = qw(filter=x filter= limit=x limit=-1 limit=0 limit=2 limit=all
    offset=1 offset=-1 offset=x filter=%zz nothing=1 filter=all&filter=archived
    limit=1&offset=1 playerCount=4 enabled=x from=2026-01-01 to=x);
my %fit = (key => $key, stream => 'lobby', action => 'archive', ids => [99],
	notes => 'fit', type => 'custom.fit', data => { fit => 1 },
	pack_name => 'Fit', title => 'Fit', min_players => 1,
	max_players => 2, length_minutes => 3, game_type => 'Fitting',
	secondary_type => 'Fit', ticker => 'FIT', has_audience => 1,
	family_friendly => 1, enabled => 1, favor_bias => 1,
	name => 'Fit', url => 'http://fit.invalid/', secret => 'fit',
	events => ['game.added'],
	csvData => "pack_name,title,min_players,max_players\nFit,Two,1,2");

# A body that fits, but for what is given.
sub body {
	my ($row, %but) = @_;
	my @body = grep { $_->{where} eq 'body' } @{ $row->{inputs} };

	return @body ? { (map { $_->{name} => $fit{ $_->{name} } } @body),
		%but } : undef;
}

sub path {
	my ($row, $id) = @_;

	return $row->{path} =~ s/\{id\}/$id/r
	    =~ s/\{(?:game|delivery|userId)\}/1/r
	    =~ s/\{name\}/Nobody%27s/r;
}

# A key tells nothing where it is of no use to guess: few are wrong.
sub wrong_values {
	my ($row) = @_;
	my @steps;

	for my $input (grep { $_->{where} eq 'body' } @{ $row->{inputs} }) {
		my $body = body($row);

		delete $body->{ $input->{name} };
		push @steps, ['admin', $row->{method}, path($row, 99), $body];
		for my $value (@{ $wrong{ $input->{kind} } }) {
			next if $input->{name} eq 'key' && !ref $value
			    && length($value // '') && $value ne '7';
			push @steps, ['admin', $row->{method}, path($row, 99),
				body($row, $input->{name} => $value)];
		}
	}
	return @steps;
}

# What can be wrong with any operation, where it does no harm: there is no
# session 99.
sub wrong_calls {
	my ($row) = @_;
	my ($method, $path) = ($row->{method}, path($row, 99));
	my @steps = map { [$_, $method, $path, body($row)] }
	    qw(nobody viewer bot stranger forged);

	push @steps, map { ['admin', $_, $path] }
	    qw(HEAD PUT PATCH OPTIONS BREW);
	push @steps, map { ['admin', $method, path($row, $_), body($row)] }
	    @ids if $row->{path} =~ /\{id\}/;
	push @steps, map { ['nobody', GET => "$path?$_"] } @queries
	    if $method eq 'GET';
	return @steps if $method ne 'POST';
	push @steps, map { ['admin', POST => $path, $_] } '', '{', '[]', '7',
	    'null', '"x"', "{\"\xff\":1}", '{}' x 2, '[' x 100;
	push @steps, ['admin', POST => $path, '{}',
		{ 'Content-Type' => 'text/plain' }];
	push @steps, map { ['admin', POST => $path, body($row),
			{ 'Idempotency-Key' => $_ }] } '', 'a b', 'k' x 256;
	return (@steps, wrong_values($row));
}

# What an admin does with his games. There are 67 in the beginning.
sub catalog {
	my @games = map { my $who = $_; map { [$who, GET => "/api/$_"] }
	    qw(games games?playerCount=5&drawing=only games/packs stats games/1
	    games/meta/packs games/68 stats/trends sessions/1/recap) }
	    qw(nobody viewer);
	my $of = sub { return ['admin', $_[0], "/api/games$_[1]", $_[2]] };
	my $game = { pack_name => 'New', title => "The \x{2603}",
		min_players => 1, max_players => 2, ticker => 'NEW' };

	return (@games, (map { ['admin', POST => '/api/games', $game, {
			'Idempotency-Key' => 'g' }] } 1, 2), @games,
		$of->(POST => '', $game), $of->(PATCH => '/2/toggle'),
		(map { $of->(PATCH => "/$_/favor", { favor_bias => 1 }) } 1,
			'packs/New'),
		$of->(PATCH => '/packs/Standalone/toggle', { enabled => 0 }),
		$of->(PUT => '/3', { %$game, title => 'T', ticker => '' }),
		@games, (map { $of->(DELETE => '/68') } 1, 2),
		(map { $of->(POST => '/import/csv', { csvData => $_ }) } 'x',
			$fit{csvData}), $of->(GET => '/export/csv'), @games);
}

# What an admin does at the tabletop.
sub tabletop {
	my $of = sub { return ['admin', $_[0], "/api/tabletop/$_[1]", $_[2],
		defined $_[3] ? { 'Idempotency-Key' => $_[3] } : ()] };
	my $user = { name => 'Zed', password => 'secret' };
	my @reads = map { $of->(GET => $_) } qw(me sessions sessions/1
		sessions/2 sessions/1/encounters sessions/1/chat
		encounters/1/tokens encounters/2/tokens);

	return (@reads, (map { $of->(POST => 'users', $user, 't') } 1, 2),
		$of->(POST => 'users', $user), ['nobody', POST =>
			'/api/tabletop/login', $user],
		(map { $of->(POST => 'sessions', { name => 'Den',
			gameMasterId => $_ }, "t$_") } 1, 1, 99), @reads,
		$of->(POST => 'sessions/1/members', { userId => 1 }, 't'),
		$of->(POST => 'sessions/1/encounters', { name => 'Cave' },
			't'),
		$of->(PATCH => 'sessions/1', { status => 'paused' }), @reads,
		(map { $of->(DELETE => 'sessions/1/members/1') } 1, 2),
		(map { $of->(DELETE => 'sessions/1') } 1, 2), @reads,
		$of->(POST => 'logout'));
}

# One evening, and what a client may think of in between.
sub story {
	my @reads = map { my $who = $_; map { [$who, GET => "/api/sessions$_"] }
	    '', '/active', '/1', '/2', '/3', '?filter=all', '?filter=archived',
	    '?limit=1&offset=1' } qw(nobody viewer);
	my @tagged = map { ['nobody', GET => $_, undef,
		{ 'If-None-Match' => '{tag}' }] } '/api/sessions',
	    '/api/sessions/1', '/api/sessions/active', '/livez';
	my $post = sub {
		my ($path, $body, $name) = @_;
		return ['admin', POST => "/api/sessions$path", $body,
			defined $name ? { 'Idempotency-Key' => $name } : ()];
	};
	my $event = sub {
		my ($id, $data, $name) = @_;
		return ['bot', POST => "/api/sessions/$id/events", { type =>
			'custom.hello', data => $data }, defined $name
			? { 'Idempotency-Key' => $name } : ()];
	};
	my $lead = sub {
		return ['bot', POST => '/api/sessions/1/voting/leading',
			{ gameId => $_[0], label => 'Other', votes => 7 }];
	};
	my @poll = (
		$lead->(0), $post->('/1/voting/end'),
		(map { $post->('/1/voting/start', undef, 'v') } 1, 2),
		$post->('/1/voting/start'), $lead->(0), @reads,
		$post->('/1/voting/cancel-end'),
		$post->('/1/voting/end', { delay => 300 }), @reads,
		$post->('/1/voting/cancel-end'), $post->('/1/voting/end'),
		(map { $post->('/1/game-selection', { gameId => $_,
			source => 'dice' }) } 1, 99999), @reads,
		(map { ['admin', DELETE => '/api/sessions/1/game-selection'] }
			1, 2)
	);
	# What becomes of a try is nothing that can be foretold.
	my @hooks = map { ['admin', @$_] } [POST => '/api/webhooks',
		{ name => 'Bot', url => 'http://bot.invalid/', secret => 's',
			events => ['custom.none'] }],
	    [GET => '/api/webhooks'], (map { [GET => "/api/webhooks/1$_"] }
		'', '/deliveries', '/logs'),
	    [PATCH => '/api/webhooks/1', { enabled => 0 }],
	    [POST => '/api/webhooks/test/1'],
	    [POST => '/api/webhooks/1/deliveries/1/redeliver'],
	    [POST => '/api/webhooks/1/replay', { state => 'all' }],
	    [DELETE => '/api/webhooks/1'], [GET => '/api/webhooks'];
	my @files = map { ['admin', GET =>
		"/api/sessions/1/export?format=$_"] } qw(json csv txt);
	my @tickets = map { ['viewer', POST => '/api/auth/ticket',
		{ stream => $_ }] } qw(lobby session:1 session:2 session:99
		control user:1 session: session:1x *), ' lobby', '';

	return (
		catalog(), tabletop(), @reads, @tickets,
		$post->('', { notes => "The first \x{2603} one" }, 'k'),
		$post->('', { notes => "The first \x{2603} one" }, 'k'),
		$post->('', { notes => 'another' }, 'k'),
		$post->('', {}), T::Night::steps(), @reads, @tagged, @tickets,
		(map { $event->(1, { n => $_ }) } 1 .. 3),
		$event->(1, { n => 4 }, 'k'), $event->(1, { n => 4 }, 'k'),
		$event->(1, { n => 5 }, 'k'), $event->(2, { n => 6 }, 'k'),
		@poll, @hooks, @files,
		(map { ['viewer', GET => "/api/sessions/1/$_?since=2"] }
			qw(events stream)),
		$post->('/1/archive'), ['admin', DELETE => '/api/sessions/1'],
		$post->('/bulk', { action => 'delete', ids => [1] }),
		$post->('/bulk', { action => 'archive', ids => [1, 2, 3] }),
		$post->('/1/close', { notes => 'Good night' }, 'k'),
		$post->('/1/close', { notes => 'Good night' }, 'k'),
		$post->('/1/close'), @reads, @tagged, @files,
		$post->('/1/archive', undef, 'k'), $post->('/1/archive'),
		$event->(1, {}), @reads, $post->('/1/unarchive'),
		$event->(1, {}),
		(map { ($post->('', { notes => "Number $_" }),
			$post->("/$_/close", {})) } 2 .. 4),
		$post->('/bulk', { action => 'archive', ids => [4, 2, 2] },
			'b'),
		$post->('/bulk', { action => 'archive', ids => [4, 2, 2] },
			'b'),
		@reads,
		$post->('/bulk', { action => 'unarchive', ids => [2] }),
		$post->('/bulk', { action => 'delete', ids => [2, 3] }),
		@reads,
		['admin', DELETE => '/api/sessions/1'],
		['admin', DELETE => '/api/sessions/1'], @reads, @tickets,
		(map { [$_, POST => '/api/auth/verify'] }
			qw(admin bot viewer nobody stranger forged)),
		(map { ['nobody', POST => '/api/auth/login', { key => $_ }] }
			$key, 'the key of Bob', $key, "$key ", 'x'),
		$post->('', { notes => 'The last one' }), @reads, @tagged,
		(map { ['nobody', GET => $_] } qw(/health /livez /readyz))
	);
}

my @script = (story(), (map { wrong_calls($_) } @rows), story(),
	['admin', GET => '/api/nothing'], ['nobody', POST => '/nothing'],
	['nobody', OPTIONS => '/api/sessions'],
	(map { ['nobody', GET => "/clients/$_"] } qw(socket.js nothing.js)),
	(map {
		my $path = $_;
		map { ['nobody', GET => "/debug/$path$_"] }
		    '', '?api_key=x', '?thread_id=t&api_key=' . 'd' x 32
	} qw(all-sessions thread-sessions websocket-sessions)),
	['nobody', GET => '/t/x/livez']);

# --- running it --------------------------------------------------------------

# A tenant's own callers. Left is found by its host, right by its prefix.
sub callers {
	my ($tenant) = @_;
	my $slug = $tenant eq 'alone' ? 'default' : $tenant;
	my $server = $whose{$tenant};
	my %caller = map { $_ => T::Client->new($server, tenant => $slug,
		role => $_ eq 'nobody' ? undef : $_, name => ucfirst $_) }
	    qw(admin bot viewer nobody);
	my $claims = { kid => 'conf', name => 'Ann' };

	for my $name (qw(stranger forged)) {
		$caller{$name} = T::Client->new($server, tenant => $slug,
			role => undef);
		# Of the other of the two, who here is nobody.
		$caller{$name}{token} = T::Token::make(
			$name eq 'forged' ? 'f' x 32 : 'k' x 32, %$claims,
			tenant => $tenant eq 'left' ? 3 : 2);
	}
	$_->{prefix} = '' for $tenant eq 'left' ? values %caller : ();
	return \%caller;
}

# What has to differ, by its form.
sub form {
	my ($text) = @_;

	$text =~ s/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/TIME/g;
	$text =~ s/("epoch":")[0-9a-f]{12}"/$1EPOCH"/g;
	$text =~ s/("ticket":")[0-9a-f]{64}\.\d{13}\.\d{10}\./$1TICKET./g;
	$text =~ s/("token":")([\w-]+)\.[\w-]{100,}\.([\w-]{43})"/$1TOKEN"/g;
	# A cookie goes back to where it came from, by prefix or host.
	$text =~ s{(connect\.sid=)(?:s:[\w-]{44}\.[0-9a-f]{64})?;
		\ Path=/(?:t/right)?;}{$1LOGIN;}gx;
	$text =~ s/("timestamp":)\d{13}\b/$1TIME/g;
	$text =~ s/("(?:iat|exp)":)\d{10}\b/$1TIME/g;
	$text =~ s/^(retry: )\d+$/$1TIME/mg;
	$text =~ s/^(id: )[0-9a-f]{12}:/$1EPOCH:/mg;
	$text =~ s/^Date: \w+, .* GMT\r\n/Date: TIME\r\n/m;
	# Picks are left to chance, and have other lengths.
	$text =~ s/^(Content-Length: )\d+/$1LENGTH/m
	    if $text =~ s/"games?":[\[{].*(?=,"poolSize")/PICKED/;
	$text =~ s/^(etag: )"[0-9a-f]{32}((?:-gz)?")/$1"TAG$2/m;
	return $text;
}

sub told {
	my ($step) = @_;
	my ($who, $method, $path, $body, $headers) = @$step;

	return substr join(' ', $who, $method, $path, map { ref $_
		? $json->encode($_) : $_ // '' } $body, $headers // ()), 0, 200;
}

# A transcript: of each step [what, status, the answer's form].
sub transcript {
	my ($tenant, @steps) = @_;
	my $caller = callers($tenant);
	my (@told, %tag);

	for my $step (@steps) {
		my ($who, $method, $path, $body, $headers) = @$step;
		my %headers = %{ $headers // {} };

		s/\{tag\}/$tag{$path} \/\/ '"none"'/e for values %headers;
		$headers{Host} = 'left.example' if $tenant eq 'left';
		$headers{'X-Request-Id'} = 'step-' . @told;
		my $answer = $caller->{$who}->request($method, $path, $body,
			%headers);

		$tag{$path} = $answer->{headers}{etag}
		    if $answer->{headers}{etag};
		push @told, [told($step), $answer->{status}, form(
			($answer->{head} // $answer->{why} // '')
			. $answer->{body})];
	}
	return \@told;
}

# Of each of these, at the same time.
sub at_once {
	my ($steps, @tenants) = @_;
	my (%out, %pid);

	for my $tenant (@tenants) {
		$out{$tenant} = $whose{$tenant}->dir . "/$tenant.transcript";
		my $pid = fork // die "fork: $!\n";

		if ($pid == 0) {
			my $told = eval { transcript($tenant, @$steps) }
			    // [["$tenant: $@", 0, '']];

			open my $file, '>', $out{$tenant} or POSIX::_exit(1);
			print $file $json->encode($told);
			close $file;
			POSIX::_exit(0);
		}
		$pid{$tenant} = $pid;
	}
	waitpid $_, 0 for values %pid;
	return map {
		open my $file, '<', $out{$_} or die "$out{$_}: $!\n";
		local $/;
		$_ => $json->decode(<$file>);
	} @tenants;
}

sub alike {
	my ($name, $told, @tenants) = @_;
	my ($first, @others) = @tenants;

	for my $other (@others) {
		my @differ = grep {
			$told->{$first}[$_][2] ne $told->{$other}[$_][2]
		} 0 .. $#{ $told->{$first} };

		is(scalar @{ $told->{$other} }, scalar @{ $told->{$first} },
			"$name: as many answers");
		is_deeply([map { $told->{$first}[$_][0] } @differ], [],
			"$name: $other is told what $first is told");
		diag("$first: $told->{$first}[$_][2]\n"
			. "$other: $told->{$other}[$_][2]")
		    for grep { defined } @differ[0 .. 2];
	}
	return;
}

sub id_of {
	my ($slug) = @_;

	return $shared->db->query(
		"SELECT id FROM partyline.tenant WHERE slug = '$slug'");
}

my %told;

subtest 'the same script in two at once, and in one alone' => sub {
	cmp_ok(scalar @script, '>', 800, 'it is long');
	%told = at_once(\@script, qw(left right alone));
	alike('the script', \%told, qw(alone left right));

	my (%right, %wrong);
	for my $n (0 .. $#script) {
		my ($what, $status) = @{ $told{alone}[$n] };
		my ($method, $path) = @{ $script[$n] }[1, 2];
		my $row = T::OpenApi::row($method, $path) or next;

		$right{ $row->{name} } = 1 if $status == $row->{status};
		$wrong{ $row->{name} } = 1 if $status >= 400 && $status < 500;
	}
	my @names = sort map { $_->{name} } @rows;
	is_deeply([sort keys %right], \@names, 'every operation succeeds');
	is_deeply([sort keys %wrong], \@names, 'and is refused');
	my %statuses = map { $_->[1] => 1 } @{ $told{alone} };
	is_deeply([sort keys %statuses], [qw(200 201 204 304 400 401 403 404
		405 409 415 422)], 'in every way, and nothing fails');
	my ($first) = grep { $_->[1] == 201 && $_->[0] =~
		m{^admin POST /api/sessions } } @{ $told{left} };
	like($first->[2], qr/\{"id":1,/, 'ids begin at 1');
	# What documents everything is the same for all of them.
	is((grep { $_->[2] =~ /left|right|\.example/ && $_->[0] !~
		m{ /(?:docs|openapi|asyncapi|clients)\b} }
		map { @$_ } values %told), 0, 'no name of a tenant is told');
};

# Rows of a tenant by table, and what of them should be the same; whether a
# delivery was tried already is nothing that can be foretold.
sub contents {
	my ($server, $id) = @_;
	my $db = $server->db;
	my @tables = split /\n/, $db->query(q{SELECT relname FROM pg_class c
		WHERE relnamespace = 'partyline'::regnamespace AND relkind = 'r'
		AND EXISTS (SELECT FROM pg_attribute a WHERE attrelid = c.oid
		AND attname = 'tenant_id') AND relname NOT IN ('tenant_host',
		'webhook_log')});
	my %count = map { $_ => $db->query("SELECT count(*) FROM partyline.$_"
		. " WHERE tenant_id = $id") } @tables;

	$count{counters} = $db->query("SELECT string_agg(noun || ' ' || last,"
		. " ', ' ORDER BY noun) FROM partyline.counter"
		. " WHERE tenant_id = $id");
	$count{streams} = $db->query("SELECT string_agg(name || ' ' || head ||"
		. " ' ' || bytes, ', ' ORDER BY name) FROM partyline.stream"
		. " WHERE tenant_id = $id");
	return \%count;
}

subtest 'each has its own rows' => sub {
	my $alone = contents($own, 1);

	cmp_ok($alone->{$_}, '>', 0, "there are rows of $_")
	    for qw(session stream event idempotency ticket admin counter);
	is_deeply(contents($shared, id_of($_)), $alone, "$_ has as many")
	    for qw(left right);
	my @of_nobody = split /\n/, $shared->db->query(q{SELECT DISTINCT
		tenant_id FROM partyline.stream WHERE tenant_id NOT IN (SELECT
		id FROM partyline.tenant WHERE slug IN ('left', 'right'))
		AND (tenant_id, name) NOT IN ((0, 'control'), (1, 'lobby'))});
	is_deeply(\@of_nobody, [], 'and nobody else has any');
};

subtest 'what only one has' => sub {
	my $left = T::Client->new($shared, tenant => 'left');
	my $made = $left->get('/api/sessions/active')->{json}{id};
	my @more = map { $made + $_ } 1 .. 5;

	for my $id (@more) {
		$left->post("/api/sessions/@{[$id - 1]}/close", {});
		is($left->post('/api/sessions', { notes => 'only left' })
			->{json}{id}, $id, 'left has more sessions');
		is($left->post("/api/sessions/$id/events", { type =>
			'custom.only', data => { only => 'left' } },
			'Idempotency-Key' => "only-$id")->{status}, 201,
			'with events');
		is($left->post('/api/auth/ticket', { stream => "session:$id" })
			->{status}, 201, 'and tickets');
		$left->get("/api/sessions/$id");
	}
	my @ask;
	for my $id (@more) {
		for my $row (@rows) {
			push @ask, map { [$_, $row->{method}, path($row, $id),
				body($row)] } qw(nobody viewer bot admin)
			    if $row->{path} =~ /\{id\}/;
		}
		push @ask, ['viewer', POST => '/api/auth/ticket',
			{ stream => "session:$id" }];
		push @ask, map { ['admin', POST => '/api/sessions/bulk',
			{ action => $_, ids => [$id] }] }
		    qw(archive unarchive delete);
		# A key of left's, with another body.
		push @ask, ['admin', POST => '/api/auth/verify', {},
			{ 'Idempotency-Key' => "only-$id" }];
		push @ask, ['admin', POST => "/api/sessions/$made/events",
			{ type => 'custom.mine', data => {} },
			{ 'Idempotency-Key' => "only-$id" }];
	}
	push @ask, map { ['nobody', GET => "/api/sessions$_"] }
	    '', '/active', '?filter=all', "?offset=$made";
	my %answers = at_once(\@ask, qw(right alone));

	alike('asked for it', \%answers, qw(alone right));
	is((grep { $_->[2] =~ /only left/ } @{ $answers{right} }), 0,
		'nothing of it is shown');
	# A stranger's tag is of use only where the answer is the same.
	my $right = T::Client->new($shared, tenant => 'right', role => undef);
	for my $path ('/api/sessions', '/api/sessions/active') {
		is($right->get($path, 'If-None-Match' => $left->get($path)
			->{headers}{etag})->{status}, 200, "$path: its tag");
	}
	is($right->get('/api/sessions')->{headers}{'x-absolute-total'} + 5,
		$left->get('/api/sessions')->{headers}{'x-absolute-total'},
		'nor counted');
	is_deeply(contents($shared, id_of('right')), contents($own, 1),
		'nor does it change a row');
	for (['event', 'payload'], ['session', 'notes']) {
		my ($table, $column) = @$_;

		is($shared->db->query('SELECT DISTINCT tenant_id FROM '
			. "partyline.$table WHERE $column LIKE '%left%'"),
			id_of('left'), "each row of $table is its tenant's");
	}
};

subtest 'what is in the way of one' => sub {
	my ($left, $right) = map { T::Client->new($shared, tenant => $_) }
	    qw(left right);
	my $alone = T::Client->new($own);
	my @guess = ('/api/auth/login', { key => 'guess' });

	# Left is attacked; nobody else is slowed or refused.
	my $refused = 0;
	$refused = $left->post(@guess)->{status} == 429
	    for 1 .. 12;
	ok($refused, 'left takes no more logins');
	is($right->post(@guess)->{status}, $alone->post(@guess)->{status},
		'right does');
	$shared->partyline('tenant', 'set', 'left', "$_=0", '--set',
		'database_url=' . $shared->db->url)
	    for qw(max_requests max_storage max_events);
	ok((wait_until { $left->get('/api/sessions')->{status} == 429 }),
		'left may do nothing');
	for my $what (['/api/sessions', {}], ['/api/sessions/99/events',
		{ type => 'custom.x', data => {} }]) {
		my ($here, $there) = map { $_->post(@$what,
			'X-Request-Id' => 'x') } $right, $alone;

		is(form($here->{head} . $here->{body}),
			form($there->{head} . $there->{body}),
			"right may: $what->[0]");
	}
};

done_testing;
