#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The catalog over REST: what a tenant begins with, lists and their filters,
# games and packs that come, change and go; every shape and string, seen
# through both workers.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Run;
use T::Server;
use T::Tree;

my $time   = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $server = T::Server->start(workers => 2);
my $db     = $server->db;
my @admins = map { T::Client->new($server, worker => $_) } 1, 2;
my @anyone = map { T::Client->new($server, worker => $_, role => undef) } 1, 2;
my $bot    = T::Client->new($server, role => 'bot');
my $turn   = 0;

# The admin whose turn it is: they are with different workers.
sub admin { return $admins[$turn++ % 2] }

sub asked {
	my ($method, $path, $body) = @_;

	return admin()->request($method, $path, $body);
}

# A GET without a token, of both workers, which say the same.
sub seen {
	my ($path) = @_;
	my ($one, $two) = map { $_->get($path) } @anyone;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($two->{status}, $one->{status}, "$path: the same status everywhere");
	return $one if $one->{status} != 200;
	is($two->{body}, $one->{body}, "$path: the same body everywhere");
	is($two->{headers}{etag}, $one->{headers}{etag},
		"$path: the same tag everywhere");
	return $one;
}

# How many bytes the catalog takes of the tenant's storage.
sub weight {
	return $db->query("SELECT bytes - (SELECT coalesce(sum(octet_length(
		payload)), 0) FROM partyline.event WHERE stream = 'lobby')
		FROM partyline.stream WHERE name = 'lobby'");
}

sub titles { return join ' ', map { $_->{title} } @{ $_[0]{json} } }

sub not_found {
	my ($answer) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return refused($answer, 404, 'game_not_found',
		error => 'Game not found');
}

subtest 'what a tenant begins with' => sub {
	my $games = seen('/api/games');
	my @lines = grep { length } split /\n/,
	    T::Tree::text('sql/seed/games.csv');

	is(scalar @{ $games->{json} }, @lines - 1, 'a game for each line');
	like($games->{body}, qr/"pack_name":"Jackbox\ Party\ Pack\ 7","title":
		"Quiplash\ 3","min_players":3,"max_players":8,"length_minutes":
		15,"has_audience":1,"family_friendly":1,"game_type":"Writing",
		"secondary_type":"Comedy","ticker":"QPL3","play_count":0,
		"popularity_score":0,"upvotes":0,"downvotes":0,"enabled":1,
		"favor_bias":0,"created_at":"$time"\}/x, 'as it is known');
	my %ticker = map { $_->{ticker} // '' => 1 } @{ $games->{json} };
	is($ticker{TMP2}, 1, 'with symbols to vote by');
	my $packs = seen('/api/games/packs');
	is(scalar(grep { $_->{name} eq 'Jackbox Naughty Pack' }
		@{ $packs->{json} }), 1, 'and packs');
	is(weight(), 0, 'all that takes no storage of his');
	is($db->query('SELECT count(*) FROM partyline.event'), 0,
		'and is no event');
	is_deeply([map { asked(DELETE => "/api/games/$_->{id}")->{status} }
		@{ $games->{json} }], [(200) x @{ $games->{json} }],
		'an admin may empty it');
	$server->partyline('migrate', '--set', 'migrate_url='
		. $db->url($T::Db::owner), '--set', 'database_url='
		. $db->url);
	is($db->query('SELECT count(*) FROM partyline.game'), 0,
		'who emptied it finds it empty after the next start');
};

sub create {
	my ($pack, $title, %more) = @_;

	return asked(POST => '/api/games', { pack_name => $pack,
		title => $title, min_players => 3, max_players => 8, %more });
}

my %id;
subtest 'create' => sub {
	is(seen('/api/games')->{body}, '[]', 'an empty catalog');
	is(seen("/api/games/$_")->{body}, '[]', "no $_")
	    for 'packs', 'meta/packs';
	my $made = create("Pack \"7\"", "Qu\x{ef}plash, 3",
		length_minutes => 16, has_audience => JSON::PP::true,
		family_friendly => 1, game_type => 'Writing',
		secondary_type => '', ticker => 'qpl3');
	my $game = $made->{json};

	is($made->{status}, 201, 'made');
	like($made->{body}, qr/\A\{"id":\d+,"pack_name":"Pack\ \\"7\\"",
		"title":"Qu\xc3\xafplash,\ 3","min_players":3,"max_players":8,
		"length_minutes":16,"has_audience":1,"family_friendly":1,
		"game_type":"Writing","secondary_type":null,"ticker":"QPL3",
		"play_count":0,"popularity_score":0,"upvotes":0,"downvotes":0,
		"enabled":1,"favor_bias":0,"created_at":"$time"\}\z/x,
		'the whole row');
	is(seen("/api/games/$game->{id}")->{body}, $made->{body},
		'GET gives it');
	is(seen('/api/games')->{body}, "[$made->{body}]", 'so does the list');
	my ($pack) = @{ seen('/api/games/packs')->{json} };
	like(delete $pack->{created_at}, qr/\A$time\z/, 'its pack is made');
	is_deeply($pack, { id => $pack->{id}, name => 'Pack "7"',
		favor_bias => 0 }, 'and no more of it is told');
	is(weight(), 8 + 12 + 7 + 4, 'its words take storage');
	$id{quiplash} = $game->{id};

	my $fields = 'Missing required fields';
	for my $name (qw(pack_name title min_players max_players)) {
		refused(create('P', 'T', $name => $_), 400,
			'game_fields_missing', field => $name,
			error => $fields)
		    for undef, $name =~ /players/ ? () : '';
	}
	refused(asked(POST => '/api/games', {}), 400, 'game_fields_missing',
		field => 'pack_name', error => $fields);
	refused(create('P', 'T', min_players => 0), 400, 'input_invalid',
		field => 'min_players',
		error => 'min_players must be a whole number from 1 to 1000');
	refused(create('P', 'T', min_players => 9), 400, 'game_players');
	refused(create('P', 'T', ticker => $_), 400, 'game_ticker')
	    for 'X', "\x{c4}\x{d6}", 'A-B';
	refused(create('P', 'T', ticker => 'TOOLONG'), 400, 'input_invalid',
		field => 'ticker',
		error => 'ticker must be a text of at most 4 characters');
	refused(create('P', 'T', ticker => 'qPl3'), 409, 'game_ticker_taken');
	refused(create('Pack "7"', "Qu\x{ef}plash, 3"), 409, 'game_exists');
	refused($bot->post('/api/games', {}), 403, 'not_allowed');
	refused($anyone[0]->post('/api/games', {}), 401, 'token_required');
	is(scalar @{ seen('/api/games/packs')->{json} }, 1,
		'a refusal leaves no pack');
	is(weight(), 31, 'nor does it weigh');
};

subtest 'lists and filters' => sub {
	my @games = (
		[drawful  => 'B', 'Drawful', max_players => 10,
			length_minutes => 15, game_type => 'Drawing',
			family_friendly => 1],
		[champ    => 'B', 'Champ', length_minutes => 25,
			game_type => 'Writing', secondary_type => 'Drawing'],
		[trivia   => 'A', 'Trivia', min_players => 1,
			length_minutes => 26, game_type => 'Trivia'],
		[unknown  => 'A', 'Unknown', min_players => 8,
			max_players => 8],
	);

	for my $game (@games) {
		my ($name, @words) = @$game;

		$id{$name} = create(@words)->{json}{id};
	}
	asked(PATCH => "/api/games/$id{champ}/toggle");
	my $q = "Qu\x{ef}plash, 3";
	my $lists = sub {
		my ($query, $wanted) = @_;

		local $Test::Builder::Level = $Test::Builder::Level + 1;
		is(titles(seen("/api/games$query")), $wanted, "'$query'");
	};

	$lists->('', "Trivia Unknown Champ Drawful $q");
	$lists->('?enabled=true',  "Trivia Unknown Drawful $q");
	$lists->('?enabled=false', 'Champ');
	$lists->('?enabled=1&nothing=x', "Trivia Unknown Drawful $q");
	$lists->('?playerCount=2', 'Trivia');
	$lists->('?playerCount=3', "Trivia Champ Drawful $q");
	$lists->('?playerCount=8', "Trivia Unknown Champ Drawful $q");
	$lists->('?playerCount=9', 'Drawful');
	$lists->('?playerCount=11', '');
	$lists->('?drawing=only', 'Drawful');
	$lists->('?drawing=exclude', "Trivia Unknown Champ $q");
	$lists->('?length=short',  'Unknown Drawful');
	$lists->('?length=medium', "Champ $q");
	$lists->('?length=long',   'Trivia');
	$lists->('?familyFriendly=true',  "Drawful $q");
	$lists->('?familyFriendly=false', 'Trivia Unknown Champ');
	$lists->('?pack=A', 'Trivia Unknown');
	$lists->('?pack=Pack+%227%22', $q);
	$lists->('?pack=a', '');
	$lists->('?enabled=true&playerCount=4&drawing=exclude&length=medium'
		. '&familyFriendly=true&pack=Pack%20%227%22', $q);
	refused($anyone[0]->get("/api/games?$_->[0]=$_->[1]"), 400,
		'input_invalid', field => $_->[0], error => "$_->[0] $_->[2]")
	    for ['enabled', 'yes', 'must be true or false'],
	    ['playerCount', 'x', 'must be a whole number from 1 to 1000000'],
	    ['drawing', 'no', 'must be only or exclude'],
	    ['length', 'huge', 'must be short, medium or long'],
	    ['familyFriendly', '', 'must be true or false'];

	$db->query("UPDATE partyline.game SET play_count = 2
		WHERE id IN ($id{champ}, $id{drawful})");
	# What was not written by a worker, none of them hears of.
	asked(PATCH => "/api/games/$id{champ}/favor", { favor_bias => 0 });
	is_deeply(seen('/api/games/meta/packs')->{json}, [
		{ name => 'A', total_count => 2, enabled_count => 2,
			total_plays => 0 },
		{ name => 'B', total_count => 2, enabled_count => 1,
			total_plays => 4 },
		{ name => 'Pack "7"', total_count => 1, enabled_count => 1,
			total_plays => 0 }], 'what is in the packs');
	is(join(' ', map { $_->{name} } @{ seen('/api/games/packs')->{json} }),
		'A B Pack "7"', 'packs by name');
	my $list = $anyone[0]->get('/api/games');
	is($anyone[1]->get('/api/games',
		'If-None-Match' => $list->{headers}{etag})->{status}, 304,
		'who has it gets it not again');
	not_found($anyone[0]->get("/api/games/$_")) for 999, 0, 'x', '1.5';
};

subtest 'update' => sub {
	my $path = "/api/games/$id{trivia}";
	my %game = (pack_name => 'C', title => 'Trivia!', min_players => 2,
		max_players => 2);
	my $before = weight();
	my $put = asked(PUT => $path, { %game, ticker => 'tr1v' });

	is($put->{status}, 200, 'done');
	is(seen($path)->{body}, $put->{body}, 'GET gives it');
	is_deeply([@{ $put->{json} }{qw(pack_name title min_players max_players
		length_minutes has_audience game_type ticker enabled)}],
		['C', 'Trivia!', 2, 2, undef, 0, undef, 'TR1V', 1],
		'all of it is new');
	is(weight() - $before, length('Trivia!TR1V') - length 'TriviaTrivia',
		'the weight follows');
	is(join(' ', map { $_->{name} } @{ seen('/api/games/packs')->{json} }),
		'A B C Pack "7"', 'its new pack is there');
	asked(PUT => "/api/games/$id{unknown}", { %game, title => 'Unknown',
		enabled => JSON::PP::false });
	is(join(' ', map { $_->{name} } @{ seen('/api/games/packs')->{json} }),
		'B C Pack "7"', 'an empty one goes');
	is(asked(PUT => $path, \%game)->{json}{ticker}, 'TR1V',
		'the ticker stays');
	is(asked(PUT => $path, { %game, ticker => '' })->{json}{ticker}, undef,
		'unless it is taken away');
	is(seen("/api/games/$id{unknown}")->{json}{enabled}, 0, 'disabled');
	is(asked(PUT => "/api/games/$id{unknown}", { %game,
		title => 'Unknown' })->{json}{enabled}, 0,
		'what is disabled stays so');
	# As a page sends back what it was given.
	my $row = seen("/api/games/$id{quiplash}")->{json};
	is_deeply(asked(PUT => "/api/games/$id{quiplash}", $row)->{json}, $row,
		'a row sent back as it came changes nothing');

	refused(asked(PUT => $path, { %game, title => 'Unknown' }), 409,
		'game_exists');
	refused(asked(PUT => $path, { %game, min_players => 3 }), 400,
		'game_players');
	refused(asked(PUT => $path, { %game, title => '' }), 400,
		'game_fields_missing', field => 'title');
	not_found(asked(PUT => '/api/games/999', \%game));
};

subtest 'toggle and favor' => sub {
	my $path = "/api/games/$id{champ}";

	for my $enabled (1, 0, 1) {
		my $done = asked(PATCH => "$path/toggle");

		is($done->{status}, 200, 'toggled');
		is($done->{json}{enabled}, $enabled, "enabled: $enabled");
		is(seen($path)->{body}, $done->{body}, 'GET gives it');
	}
	for my $bias (1, -1, 0) {
		my $done = asked(PATCH => "$path/favor",
			{ favor_bias => $bias });

		is($done->{body}, '{"message":"Favor bias updated successfully'
			. "\",\"favor_bias\":$bias}", 'what is said');
		is(seen($path)->{json}{favor_bias}, $bias, "bias $bias");
	}
	my $words = 'favor_bias must be 1 (favor), -1 (disfavor), or '
	    . '0 (neutral)';
	for my $of ($path, '/api/games/packs/B') {
		refused(asked(PATCH => "$of/favor", $_), 400, 'favor_invalid',
			field => 'favor_bias', error => $words)
		    for {}, { favor_bias => 2 }, { favor_bias => '1' },
		    { favor_bias => undef }, { favor_bias => 0.5 };
	}
	not_found(asked(PATCH => '/api/games/999/toggle'));
	not_found(asked(PATCH => '/api/games/999/favor', { favor_bias => 1 }));
	refused($bot->request(PATCH => "$path/toggle"), 403, 'not_allowed');
};

subtest 'packs' => sub {
	my $pack = '/api/games/packs/Pack%20%227%22';

	is(asked(PATCH => "$pack/favor", { favor_bias => -1 })->{body},
		'{"message":"Pack favor bias updated successfully",'
		. '"favor_bias":-1}', 'favor');
	my ($row) = grep { $_->{name} eq 'Pack "7"' }
	    @{ seen('/api/games/packs')->{json} };
	is($row->{favor_bias}, -1, 'its bias');
	is(seen("/api/games/$id{quiplash}")->{json}{favor_bias}, 0,
		'its games keep theirs');
	is(asked(PATCH => '/api/games/packs/B/toggle',
		{ enabled => JSON::PP::false })->{body},
		'{"message":"Pack disabled successfully","gamesAffected":2}',
		'disable');
	is(titles(seen('/api/games?enabled=false&pack=B')), 'Champ Drawful',
		'all its games are');
	is(asked(PATCH => '/api/games/packs/B/toggle', { enabled => 1 })
		->{body},
		'{"message":"Pack enabled successfully","gamesAffected":2}',
		'enable');
	refused(asked(PATCH => '/api/games/packs/B/toggle', {}), 400,
		'input_missing', field => 'enabled',
		error => 'enabled is required');
	refused(asked(PATCH => "/api/games/packs/$_/toggle",
		{ enabled => 1 }), 404, 'pack_not_found',
		error => 'Pack not found') for 'Z', 'b', '1', 'x' x 201;
	refused(asked(PATCH => '/api/games/packs/Z/favor',
		{ favor_bias => 1 }), 404, 'pack_not_found');
	asked(PUT => "/api/games/$id{quiplash}", { pack_name => "\x{e4}/ %",
		title => 'Q', min_players => 1, max_players => 2 });
	is(asked(PATCH => '/api/games/packs/%C3%A4%2F%20%25/favor',
		{ favor_bias => 1 })->{status}, 200, 'a name of other signs');
};

subtest 'delete' => sub {
	my $before = weight();

	$admins[0]->post('/api/sessions');
	$db->query("INSERT INTO partyline.session_game (tenant_id, id,
		session_id, game_id, played_at, played_text, source)
		VALUES (1, 1, 1, $id{champ}, now(), '', 'dice')");
	refused(asked(DELETE => "/api/games/$id{champ}"), 409, 'game_in_use');
	is(seen("/api/games/$id{champ}")->{status}, 200, 'it is still there');
	my $gone = asked(DELETE => "/api/games/$id{quiplash}");
	is($gone->{status}, 200, 'deleted');
	is($gone->{body}, '{"message":"Game deleted successfully"}',
		'what is said');
	not_found(seen("/api/games/$id{quiplash}"));
	not_found(asked(DELETE => "/api/games/$id{quiplash}"));
	is(join(' ', map { $_->{name} } @{ seen('/api/games/packs')->{json} }),
		'B C', 'its pack with it');
	is($before - weight(), 5 + 1 + 4, 'and its weight');
	refused($bot->delete("/api/games/$id{champ}"), 403, 'not_allowed');
	cmp_ok(create('Z', 'Z')->{json}{id}, '>', $id{unknown},
		'no id is given again');
};

subtest 'many at once' => sub {
	my @many = map { T::Client->new($server) } 1 .. 12;

	for my $round (1 .. 5) {
		$many[$_]->ask(post => '/api/games', { pack_name => "R$round",
			title => 'T' . $_ % 6, min_players => 1,
			max_players => 2 }) for 0 .. $#many;
		my %answers;
		$answers{ $_->take->{status} }++ for @many;
		is_deeply(\%answers, { 201 => 6, 409 => 6 },
			"round $round: each title once");
	}
	is($db->query("SELECT count(*) FROM partyline.pack
		WHERE name LIKE 'R%'"), 5, 'each pack once');
	$many[$_]->ask($_ % 2 ? ('delete', "/api/games/$id{drawful}")
		: ('put', "/api/games/$id{drawful}", { pack_name => "S$_",
			title => 'D', min_players => 1, max_players => 2 }))
	    for 0 .. $#many;
	my %answers;
	$answers{ $_->take->{status} }++ for @many;
	cmp_ok($answers{404}, '>=', 5, 'one deletes it, nobody after him');
	is(join(' ', sort keys %answers), '200 404', 'nothing else happens');
	is($db->query("SELECT count(*) FROM partyline.pack p WHERE NOT EXISTS
		(SELECT FROM partyline.game g WHERE g.pack_name = p.name)"), 0,
		'no pack is empty');
	is(weight(), $db->query('SELECT sum(bytes) FROM partyline.game'),
		'the weight is that of the games');
};

done_testing;
