#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# docs/moving.md, typed by the letter against a server, with a database as
# today's server makes it. … stands for anything.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Evidence;
use T::Run;
use T::Server;
use T::Tree;

my $json   = JSON::PP->new->utf8;
my $server = T::Server->start(workers => 1);
my $file   = $server->dir . '/jackbox.db';
my @blocks;

open my $to, '|-', 'sqlite3', '-bail', $file or die "sqlite3: $!\n";
print $to <<'END';
CREATE TABLE games (id INTEGER PRIMARY KEY AUTOINCREMENT, pack_name TEXT,
    title TEXT, min_players INTEGER, max_players INTEGER,
    length_minutes INTEGER, created_at TEXT);
INSERT INTO games VALUES
    (1, 'Party Pack 1', 'Drawful', 3, 8, 20, '2025-01-01 00:00:00'),
    (2, 'Party Pack 2', 'Quiplash XL', 3, 8, 15, '2025-01-01 00:00:00');
CREATE TABLE packs (id INTEGER PRIMARY KEY, name TEXT, favor_bias INTEGER,
    created_at TEXT);
INSERT INTO packs VALUES (1, 'Party Pack 1', 0, '2025-01-01 00:00:00'),
    (2, 'Party Pack 2', 1, '2025-01-01 00:00:00');
CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT,
    closed_at TEXT, is_active INTEGER, notes TEXT);
INSERT INTO sessions VALUES
    (1, '2026-01-01 19:00:00', '2026-01-01 23:00:00', 0, 'New Year'),
    (2, '2026-01-08 19:00:00', NULL, 1, NULL);
CREATE TABLE session_games (id INTEGER PRIMARY KEY, session_id INTEGER,
    game_id INTEGER, played_at TEXT, manually_added INTEGER, status TEXT);
INSERT INTO session_games VALUES
    (1, 1, 1, '2026-01-01 19:05:00', 0, 'played'),
    (2, 2, 2, '2026-01-08 19:05:00', 1, 'playing'),
    (3, 1, 2, '2026-01-01 20:05:00', 0, 'playing');
CREATE TABLE live_votes (id INTEGER PRIMARY KEY, session_id INTEGER,
    game_id INTEGER, username TEXT, vote_type INTEGER, timestamp TEXT,
    created_at TEXT);
INSERT INTO live_votes VALUES (1, 1, 1, 'Ann', 1, '2026-01-01T19:06:00.000Z',
    '2026-01-01 19:06:00');
CREATE TABLE chat_logs (id INTEGER PRIMARY KEY, session_id INTEGER,
    chatter_name TEXT, message TEXT, timestamp TEXT, parsed_vote TEXT);
INSERT INTO chat_logs VALUES (1, 1, 'Bob', 'hi', '2026-01-01 19:07:00', NULL);
CREATE TABLE webhooks (id INTEGER PRIMARY KEY, name TEXT, url TEXT,
    secret TEXT, events TEXT, enabled INTEGER, created_at TEXT);
INSERT INTO webhooks VALUES (1, 'Bot', 'http://127.0.0.1/', 'secret',
    '["game.added"]', 1, '2026-01-01 19:00:00');
CREATE TABLE webhook_logs (id INTEGER PRIMARY KEY, webhook_id INTEGER);
END
close $to or die "sqlite3 refuses\n";

my $guide = T::Tree::text('docs/moving.md');
while ($guide =~ /^```(\w+)\n(.*?)^```$/gms) {
	my ($language, $block) = ($1, $2);

	if ($language ne 'sh') {
		@{ $blocks[-1] }[1, 2] = ($language, $block);
	} elsif (@blocks && !defined $blocks[-1][1]) {
		$blocks[-1][0] .= $block;
	} else {
		push @blocks, [$block];
	}
}
cmp_ok(scalar @blocks, '>', 5, 'the guide has commands');

# All of them in one shell, as somebody types them.
sub printed {
	local @ENV{qw(URL FILE PARTYLINE_DATABASE_URL PATH)} =
	    ($server->url, $file, $server->db->url,
		T::Run::build() . ":$ENV{PATH}");
	my $path = $server->dir . '/guide.sh';

	open my $script, '>:raw', $path or die "$path: $!\n";
	print $script 'cd ', $server->dir, "\n", join "echo '=== end'\n",
	    map { $_->[0] } @blocks;
	close $script;
	open my $out, '-|', 'timeout', 60, 'sh', $path or die "sh: $!\n";
	local $/;
	my $all = <$out>;
	close $out;
	return split /=== end\n/, $all;
}

my @printed = printed();
for my $n (0 .. $#blocks) {
	my ($commands, $language, $wanted) = @{ $blocks[$n] };
	my $said = $printed[$n] // '';
	my ($name) = $commands =~ /([^\n]*)\n\z/;

	if ($language eq 'json') {
		is_deeply(eval { $json->decode($said) } // $said,
			$json->decode($wanted), $name);
	} else {
		# What is told of the first catalog is left open.
		my $pattern = quotemeta($wanted) =~ s/\\\xe2\\\x80\\\xa6/.+/gr;

		like($said =~ s/^games: replaced: .*\n//mr,
			qr/\A$pattern\z/, $name);
	}
}
T::Evidence::record(command => 'import');

done_testing;
