#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The catalog as CSV: import by append and replace, what RFC 4180 has and what
# it has not, the line that is named, all or nothing; and export, which is
# read back as it was.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(decode_utf8);
use Test::More;
use T::Client;
use T::Games;
use T::Server;
use T::Tree;

my $server = T::Server->start(workers => 2, db_timeout => '60s');
my $db     = $server->db;
my $admin  = T::Client->new($server, worker => 1);
my $other  = T::Client->new($server, worker => 2);
my $bot    = T::Client->new($server, role => 'bot');
my $path   = '/api/games/import/csv';
my @names  = qw(pack_name title min_players max_players length_minutes
    has_audience family_friendly game_type secondary_type);
my $header = join ',', @names;

# As decoded text.
sub import_csv {
	my ($csv, $mode, @headers) = @_;

	return $admin->post($path, { csvData => $csv,
		defined $mode ? (mode => $mode) : () }, @headers);
}

sub export_csv { return $other->get('/api/games/export/csv') }

# The catalog in the order of ids, each game as it would stand in a line.
sub catalog {
	return decode_utf8($db->query('SELECT concat_ws($$|$$, pack_name,
		title, min_players, max_players, length_minutes,
		has_audience::int, family_friendly::int, game_type,
		secondary_type, CASE WHEN enabled THEN NULL ELSE $$off$$ END)
		FROM partyline.game ORDER BY id'));
}

# Gone with all that stands on it, and its weight.
sub clear {
	$db->query("DELETE FROM partyline.$_") for qw(live_vote session);
	T::Games::clear($db);
	$db->query("UPDATE partyline.stream s SET bytes = (SELECT coalesce(
		sum(octet_length(payload)), 0) FROM partyline.event e
		WHERE e.stream = s.name)");
	return;
}

sub imported {
	my ($answer, $mode, %counts) = @_;
	my %is = (added => 0, updated => 0, skipped => 0, removed => 0,
		disabled => 0, %counts);
	my $count = $is{added} + $is{updated};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($answer->{status}, 200, "$mode: done") or diag($answer->{body});
	return is_deeply($answer->{json}, { message =>
		"Successfully imported $count games", count => $count,
		mode => $mode, %is }, "$mode: what became of the lines");
}

sub bad_line {
	my ($csv, $line, $reason, $mode) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return refused(import_csv($csv, $mode), 400, 'csv_invalid',
		line => $line, reason => $reason);
}

subtest 'what a tenant begins with' => sub {
	my $seed = decode_utf8(T::Tree::text('sql/seed/games.csv'));
	my $before = catalog();
	my $lines = () = $seed =~ /\n/g;

	imported(import_csv($seed), 'append', skipped => $lines - 1);
	imported(import_csv($seed, 'replace'), 'replace',
		updated => $lines - 1);
	is(catalog(), $before, 'is what its file says');
	my $export = export_csv();
	is($export->{status}, 200, 'export');
	is($export->{headers}{'content-type'}, 'text/csv; charset=utf-8',
		'as CSV');
	is($export->{headers}{'content-disposition'},
		'attachment; filename=games.csv', 'to be kept as a file');
	is(() = $export->{body} =~ /\r\n/g, $lines, 'a line for each game');
	refused($bot->get('/api/games/export/csv'), 403, 'not_allowed');
	is($db->query('SELECT sum(bytes) FROM partyline.game'), 0,
		'nothing of it weighs');
};

subtest 'append' => sub {
	clear();
	imported(import_csv("$header\nA,One,1,2,3,1,0,Drawing,Word\n"),
		'append', added => 1);
	imported(import_csv("$header\nA,One,5,6,,,,,\nA,Two,1,2,,,,,\n"
		. "B,One,1,2,,,,,\nA,Two,3,4,,,,,"), 'append', added => 2,
		skipped => 2);
	is(catalog(), "A|One|1|2|3|1|0|Drawing|Word\nA|Two|1|2|0|0\n"
		. 'B|One|1|2|0|0', 'what is there stays as it is');
	is(scalar @{ $other->get('/api/games')->{json} }, 3,
		'the other worker shows it');
	is(join(' ', map { $_->{name} } @{ $other->get('/api/games/packs')
		->{json} }), 'A B', 'with its packs');
	imported(import_csv("$header\n"), 'append');
	imported(import_csv($header, 'append'), 'append');
};

subtest 'a header in any order, quotes, line ends' => sub {
	clear();
	imported(import_csv("\x{feff}Title, max_players ,MIN_PLAYERS,pack_name"
		. "\r\n\r\n\"T \"\"q\"\", x\", 4 , 2,\"P\r\nQ\"\r\n"
		. "\x{2603}\x{e9},1,1, Q \n\n"), 'append', added => 2);
	is(catalog(), "P\r\nQ|T \"q\", x|2|4|0|0\n Q |\x{2603}\x{e9}|1|1|0|0",
		'what stands there');
	my @true  = (qw(1 true TRUE Yes yes), ' true ');
	my @false = (qw(0 false No FALSE), '');
	imported(import_csv(join "\n", $header,
		(map { "T,t$_,1,2,,$true[$_],$true[$_],," } 0 .. $#true),
		(map { "F,f$_,1,2,,$false[$_],$false[$_],," } 0 .. $#false)),
		'append', added => @true + @false);
	is($db->query("SELECT count(*) FROM partyline.game WHERE has_audience
		AND family_friendly AND pack_name = 'T'"), @true, 'true');
	is($db->query("SELECT count(*) FROM partyline.game WHERE NOT
		has_audience AND NOT family_friendly AND pack_name = 'F'"),
		@false, 'false');
};

subtest 'the bad line is named, and nothing is imported' => sub {
	my $before = catalog();
	my $good   = "$header\nX,Good,1,2,,,,,\n";
	my $number = 'must be a whole number from 1 to 1000';
	my $truth  = 'must be 1, 0, true, false, yes, no or empty';

	for my $mode ('append', 'replace', undef) {
		bad_line("$good$_->[0]", 3, $_->[1], $mode) for (
			[',T,1,2,,,,,', 'pack_name is missing'],
			['P,"",1,2,,,,,', 'title is missing'],
			['P,' . "\x{e9}" x 201 . ',1,2,,,,,',
				'title has more than 200 characters'],
			['x' x 201 . ',T,1,2,,,,,',
				'pack_name has more than 200 characters'],
			(map { ["P,T,$_,2,,,,,", "min_players $number"] }
				'', 'x', '0', '-1', '1.5', '1001', '9' x 12,
				"\x{661}"),
			["P,T,1,,,,,,", "max_players $number"],
			['P,T,3,2,,,,,',
				'max_players must not be below min_players'],
			(map { ["P,T,1,2,$_,,,,", 'length_minutes must be a '
				. 'whole number from 1 to 1440, or empty'] }
				'0', '1441', 'long', '15 min'),
			(map { ["P,T,1,2,,$_,,,", "has_audience $truth"],
				["P,T,1,2,,,$_,,", "family_friendly $truth"] }
				'2', 'y', 'on', 'nope'),
			['P,T,1,2,,,,' . 'x' x 101 . ',',
				'game_type has more than 100 characters'],
			['P,T,1,2,,,,,' . 'x' x 101,
				'secondary_type has more than 100 characters'],
			['P,T,1,2,,,,', 'it must have 9 fields, as the '
				. 'header has'],
			['P,T,1,2,,,,,,', 'it must have 9 fields, as the '
				. 'header has'],
			['"P', 'a quote is not closed'],
			['P"', 'a quote stands inside a field that does not '
				. 'begin with one'],
			['"P" ,T,1,2,,,,,', 'something follows a closing '
				. 'quote'],
			["P,T,1,2,,,,,\rX", 'a carriage return stands alone'],
			[',' x 64, 'there are too many fields'],
		);
	}
	bad_line("$good\r\n\n\"Two\nlines\",\"\n\n\",1,2,,,,,\nP,T,x,2,,,,,\n"
		. 'Q,,1,2,,,,,', 9, "min_players $number");
	bad_line("$good,T,1,2,,,,,\nP,T\n\"", 3, 'pack_name is missing');
	bad_line("${good}P,T\n,T,1,2,,,,,\n\"", 3,
		'it must have 9 fields, as the header has');
	bad_line("\n$_->[0]", 2, $_->[1]) for (
		['pack_name,title,min_players,players',
			'there is no column players'],
		["$header,title", 'title stands there twice'],
		['pack_name,title,max_players',
			'the column min_players is missing'],
		["$header,", 'there is no column '],
		['"pack_name', 'a quote is not closed']);
	bad_line("\n\n", 1, 'there is no header');
	is(catalog(), $before, 'nothing is imported');

	refused($admin->post($path, $_->[0]), 400, $_->[1],
		field => $_->[2], error => $_->[3]) for (
		[{}, 'input_missing', 'csvData', 'csvData is required'],
		[{ csvData => '' }, 'input_invalid', 'csvData', 'csvData must '
			. 'be a CSV text of 1 to 1048576 characters'],
		[{ csvData => ['x'] }, 'input_invalid', 'csvData', 'csvData '
			. 'must be a CSV text of 1 to 1048576 characters'],
		[{ csvData => $header, mode => 'merge' }, 'input_invalid',
			'mode', 'mode must be append or replace']);
	refused($bot->post($path, { csvData => $header }), 403,
		'not_allowed');
};

subtest 'replace' => sub {
	clear();
	imported(import_csv("$header\nA,Kept,1,2,,,,,\nA,Gone,1,2,,,,,\n"
		. "B,Played,1,2,,,,,\nB,Voted,1,2,,,,,\nC,Gone,1,2,,,,,\n"),
		'append', added => 5);
	my %id = map { split /\|/ } split /\n/, $db->query("SELECT title
		|| '|' || id FROM partyline.game");
	my $session = $admin->post('/api/sessions')->{json}{id};
	$db->query("INSERT INTO partyline.session_game (tenant_id, id,
		session_id, game_id, played_at, played_text, source)
		VALUES (1, 1, $session, $id{Played}, now(), '', 'dice');
		INSERT INTO partyline.live_vote VALUES (1, 1, $session,
		$id{Voted}, 'ann', 1, now(), '', now(), '');
		UPDATE partyline.game SET ticker = 'KEPT', favor_bias = 1,
		upvotes = 3, enabled = false WHERE id = $id{Kept}");
	imported(import_csv("title,pack_name,max_players,min_players\n"
		. "New,D,9,8\nKept,A,7,6\nNew,D,5,5\n", 'replace'), 'replace',
		added => 1, updated => 1, skipped => 1, removed => 2,
		disabled => 2);
	is(catalog(), "A|Kept|6|7|0|0|off\nB|Played|1|2|0|0|off\n"
		. "B|Voted|1|2|0|0|off\nD|New|8|9|0|0",
		'the catalog is what the lines say, but for what was used');
	is($db->query("SELECT id || ticker || favor_bias || upvotes
		FROM partyline.game WHERE title = 'Kept'"), "$id{Kept}KEPT13",
		'what is no column stays');
	is($db->query('SELECT string_agg(name, $$ $$ ORDER BY name)
		FROM partyline.pack'), 'A B D', 'empty packs are gone');
	is($db->query("SELECT bytes - (SELECT sum(octet_length(payload))
		FROM partyline.event WHERE stream = 'lobby') FROM
		partyline.stream WHERE name = 'lobby'"), $db->query(
		'SELECT sum(bytes) FROM partyline.game'), 'all is weighed');
};

subtest 'export, and back' => sub {
	clear();
	my $csv = join '', map { "$_\r\n" } $header,
	    ' A ,"Q ""3"", x",1,2,15,1,0,Drawing,"Wri""ting"',
	    "\"A\r\nB\",\x{e9}\x{2603},3,8,,0,1,,", 'a,;,1,1000,1440,0,0,-,=1';

	# What is inserted past the workers is not shown by them at once.
	imported(import_csv($csv), 'append', added => 3);
	my $export = export_csv();
	is(decode_utf8($export->{body}), $csv, 'what came in goes out');
	my $before = catalog();
	imported(import_csv(decode_utf8($export->{body}), 'replace'),
		'replace', updated => 3);
	is(catalog(), $before, 'and is the same when it comes back');
	clear();
	is(export_csv()->{body}, "$header\r\n", 'of nothing: a header');
};

subtest 'once, and many' => sub {
	clear();
	my @key = ('Idempotency-Key' => 'k');
	my $csv = join "\n", $header, map { "P@{[$_ % 50]},T$_,1,2,,,,," }
	    1 .. 5000;
	my $once = import_csv($csv, 'append', @key);

	imported($once, 'append', added => 5000);
	is(import_csv($csv, 'append', @key)->{body}, $once->{body},
		'the same answer');
	refused(import_csv("$csv\n", 'append', @key), 422,
		'idempotency_key_reused');
	is($db->query('SELECT count(*) FROM partyline.game'), 5000, 'once');
	is($db->query('SELECT count(*) FROM partyline.pack'), 50, 'packs too');

	# Several at the same time, both ways, each whole.
	my @many = map { T::Client->new($server) } 1 .. 6;
	$many[$_]->ask(post => $path, { mode => $_ % 2 ? 'append' : 'replace',
		csvData => join "\n", $header, map { my $n = $_;
			map { "P$n,T$_,1,2,,,,," } 1 .. 20 } $_ .. $_ + 3 })
	    for 0 .. $#many;
	is($_->take->{status}, 200, 'done') for @many;
	is($db->query('SELECT count(*) % 20 FROM partyline.game'), 0,
		'no half of one');
	is($db->query("SELECT count(*) FROM partyline.pack p WHERE NOT EXISTS
		(SELECT FROM partyline.game g WHERE g.pack_name = p.name)"), 0,
		'no pack is empty');
};

done_testing;
