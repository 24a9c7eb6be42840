#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# POST /api/pick: what is picked from, what is said of it, and that games come
# as often as their weights say. What is drawn is held against the weights by
# the chi-square test, which a right program fails once in a billion runs.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Games;
use T::Server;
use T::Table;

my $json   = JSON::PP->new->utf8;
my $server = T::Server->start(workers => 2);
my $db     = $server->db;
my $admin  = T::Client->new($server);
my @anyone = map { T::Client->new($server, worker => $_, role => undef) } 1, 2;
my $turn   = 0;

sub pick {
	my (%what) = @_;

	return $anyone[$turn++ % 2]->post('/api/pick', \%what);
}

# The titles that are picked from, all of them.
sub pool {
	my (%what) = @_;
	my $said = pick(%what, count => 100);

	return '' if $said->{status} == 404;
	return join ' ', sort map { $_->{title} } @{ $said->{json}{games} };
}

# How likely a chi-square of that many cells is as large as this one.
sub chance_of {
	my ($square, $cells) = @_;
	my ($half, $term, $sum) = ($square / 2, 1, 0);

	die "only for an odd number of cells\n" if $cells % 2 == 0;
	for my $i (1 .. ($cells - 1) / 2) {
		$sum += $term;
		$term *= $half / $i;
	}
	return exp(-$half) * $sum;
}

# What was drawn, by name, against how likely each is.
sub as_likely {
	my ($name, $drawn, $chance) = @_;
	my ($all, $square) = (0, 0);

	$all += $_ for values %$drawn;
	for my $one (keys %$chance) {
		my $wanted = $all * $chance->{$one};

		$square += (($drawn->{$one} // 0) - $wanted)**2 / $wanted;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok(chance_of($square, scalar keys %$chance), '>', 1e-9, $name)
	    or diag(explain($drawn));
	return;
}

sub no_game {
	my ($code, $error, $enabled, %what) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return refused(pick(%what), 404, $code, error => $error,
		poolSize => 0, totalEnabled => $enabled);
}

my $nothing = 'No games match the current filters';
my $all     = 'All eligible games have been played in this session';
my $yes     = JSON::PP::true;
my $no      = JSON::PP::false;

T::Games::clear($db);

subtest 'an empty catalog' => sub {
	no_game('no_game_matches', $nothing, 0) for 1, 2;
	T::Games::add($db, title => 'off', enabled => 0);
	no_game('no_game_matches', $nothing, 0);
};

# Each of three favors of a game in each of three of a pack.
my %weight;
T::Games::clear($db);
for my $of_pack (1, 0, -1) {
	for my $of_game (1, 0, -1) {
		my $name = "$of_pack/$of_game";

		T::Games::add($db, title => $name, pack_name => "P$of_pack",
			favor_bias => $of_game, upvotes => 1000 * (1 -
			$of_game), play_count => 7);
		$weight{$name} = { 1 => 2, 0 => 1, -1 => 0.3 }->{$of_pack}
		    * { 1 => 3, 0 => 1, -1 => 0.2 }->{$of_game};
	}
	T::Games::favor($db, "P$of_pack", $of_pack);
}
my $sum = 0;
$sum += $_ for values %weight;
my %chance = map { $_ => $weight{$_} / $sum } keys %weight;
T::Games::add($db, title => 'off', enabled => 0, favor_bias => 1);

subtest 'what is said' => sub {
	my $said = $anyone[0]->post('/api/pick');
	my $game = $said->{json}{game};

	is($said->{status}, 200, 'without a body');
	is_deeply([sort keys %{ $said->{json} }],
		[qw(game poolSize totalEnabled totalWeight weight)],
		'these members');
	is_deeply($game, $anyone[0]->get("/api/games/$game->{id}")->{json},
		'the game as GET gives it')
	    if (grep { $_->{name} eq 'game_get' } T::Table->rows('operations'));
	is("$said->{json}{poolSize} $said->{json}{totalEnabled}", '9 9',
		'among how many, of how many');
	my %seen;
	for (1 .. 200) {
		my $one = pick()->{json};

		$seen{ $one->{game}{title} }++;
		fail("the weight of $one->{game}{title}")
		    if abs($one->{weight} - $weight{ $one->{game}{title} })
			> 1e-9 || abs($one->{totalWeight} - $sum) > 1e-9;
	}
	cmp_ok(scalar keys %seen, '>', 2, 'each time anew');
	as_likely('200 of them', \%seen, \%chance);
};

# Calls the function itself, so that it can be often: the titles.
sub drawn {
	my ($times, $count) = @_;

	return map { $json->decode($_) } split /\n/, $db->query("SELECT p.body
		FROM generate_series(1, $times) n, LATERAL (SELECT body FROM
		api.pick(ROW(1, NULL, NULL, 'pick-' || n, NULL, NULL, NULL)
		::api.ctx, NULL, NULL, NULL, NULL, NULL, NULL, $count)) p");
}

subtest 'as often as its weight says' => sub {
	my %seen;

	$seen{ $_->{game}{title} }++ for drawn(8000, 'NULL');
	as_likely('one at a time', \%seen, \%chance);
};

subtest 'several at once' => sub {
	my (@seen, %second);
	my $repeats = 0;

	for my $said (drawn(4000, 3)) {
		my @titles = map { $_->{title} } @{ $said->{games} };
		my %once = map { $_ => 1 } @titles;

		$repeats++ if keys %once != 3;
		$seen[$_]{ $titles[$_] }++ for 0 .. 2;
	}
	is($repeats, 0, 'three different ones, always');
	for my $one (keys %weight) {
		$second{$one} += $chance{$_} * $weight{$one}
		    / ($sum - $weight{$_}) for grep { $_ ne $one } keys %weight;
	}
	as_likely('the first as if it were alone', $seen[0], \%chance);
	as_likely('the second of what is left', $seen[1], \%second);

	my $said = pick(count => 4)->{json};
	is_deeply([sort keys %$said],
		[qw(games poolSize totalEnabled totalWeight weights)],
		'these members');
	is(scalar @{ $said->{games} }, 4, 'as many as were asked for');
	is_deeply([map { sprintf '%.2f', $_ } @{ $said->{weights} }],
		[map { sprintf '%.2f', $weight{ $_->{title} } }
			@{ $said->{games} }], 'with their weights');
	is(scalar @{ pick(count => 1)->{json}{games} }, 1, 'one is a list');
	is(pool(), join(' ', sort keys %weight), 'or all that there are');
};

T::Games::clear($db);
T::Games::add($db, title => 'a', min_players => 2, max_players => 4,
	length_minutes => 15, game_type => 'Drawing', family_friendly => 1);
T::Games::add($db, title => 'b', min_players => 3, max_players => 8,
	length_minutes => 16, game_type => 'Trivia');
T::Games::add($db, title => 'c', min_players => 1, max_players => 10,
	length_minutes => 25, family_friendly => 1);
T::Games::add($db, title => 'd', min_players => 5, max_players => 10,
	length_minutes => 26, game_type => 'drawing');
T::Games::add($db, title => 'e', min_players => 1, max_players => 1);
T::Games::add($db, title => 'off', enabled => 0, game_type => 'Drawing');

subtest 'filters' => sub {
	for my $case (
		['a b c d e'], ['c e', playerCount => 1],
		['a c', playerCount => 2], ['a b c', playerCount => 3],
		['b c d', playerCount => 8], ['c d', playerCount => 10],
		['', playerCount => 11], ['a', drawing => 'only'],
		['b c d e', drawing => 'exclude'], ['a e', length => 'short'],
		['b c', length => 'medium'], ['d', length => 'long'],
		['a c', familyFriendly => $yes],
		['b d e', familyFriendly => $no],
		['c', playerCount => 3, drawing => 'exclude',
			familyFriendly => $yes, length => 'medium'],
		['a b c d e', map { $_ => undef } qw(playerCount drawing
			length familyFriendly sessionId excludePlayed)]) {
		my ($wanted, %what) = @$case;
		my $name = $json->canonical->encode(\%what);

		is(pool(%what), $wanted, $name);
		if ($wanted eq '') {
			no_game('no_game_matches', $nothing, 5, %what);
			next;
		}
		my $said = pick(%what)->{json};
		is($said->{poolSize}, scalar(my @n = split / /, $wanted),
			"$name: among so many");
		is($said->{totalEnabled}, 5, "$name: of all these");
	}
};

subtest 'what was played is not picked again' => sub {
	my $id = $admin->post('/api/sessions')->{json}{id};
	my %id = map { reverse split /\|/ } split /\n/,
	    $db->query('SELECT id, title FROM partyline.game');
	my %row;
	my $play = sub {
		for my $title (@_) {
			my $row = $admin->post("/api/sessions/$id/games",
				{ game_id => 0 + $id{$title} });
			$row{$title} = $row->{json}{id};
		}
	};

	is(pool(sessionId => $id), 'a b c d e', 'nothing was played');
	is(pool(sessionId => $id, excludePlayed => $yes), 'a b c d e',
		'nothing at all');
	$play->(qw(a));
	is(pool(sessionId => $id), 'b c d e', 'the last one');
	$play->(qw(b c));
	is(pool(sessionId => $id), 'a d e', 'the last two');
	is(pool(sessionId => $id, excludePlayed => $no), 'a d e',
		'the last two');
	is(pool(sessionId => $id, excludePlayed => $yes), 'd e', 'or all');
	is(pool(excludePlayed => $yes), 'a b c d e', 'of no session: none');
	$admin->request('patch', "/api/sessions/$id/games/$row{c}/status",
		{ status => 'skipped' });
	is(pool(sessionId => $id), 'a d e', 'a skipped one counts');
	$admin->delete("/api/sessions/$id/games/$row{c}");
	is(pool(sessionId => $id), 'c d e', 'a removed one does not');
	is(pool(sessionId => $id + 1), 'a b c d e',
		'a session that is not there played nothing');

	no_game('all_games_played', $all, 5, sessionId => $id,
		drawing => 'only');
	$play->(qw(c d e));
	no_game('all_games_played', $all, 5, sessionId => $id,
		excludePlayed => $yes);
	no_game('no_game_matches', $nothing, 5, sessionId => $id,
		excludePlayed => $yes, playerCount => 11);
	is(pool(sessionId => $id), 'a b c', 'some time later it is again');
};

subtest 'what cannot be' => sub {
	for my $case (
		['playerCount', 'a whole number from 1 to 1000000',
			0, -1, 1.5, '"4"', 'true'],
		['drawing', 'only or exclude', '"all"', '""', 1],
		['length', 'short, medium or long', '"Short"', 15],
		['familyFriendly', 'true or false', '"true"', 2],
		['sessionId', 'a whole number from 1', 0, '"1"', -3],
		['excludePlayed', 'true or false', '"yes"', -1],
		['count', 'a whole number from 1 to 100', 0, 101, '"2"']) {
		my ($name, $rule, @values) = @$case;

		refused($anyone[0]->post('/api/pick', "{\"$name\":$_}"), 400,
			'input_invalid', field => $name,
			error => "$name must be $rule") for @values;
	}
};

done_testing;
