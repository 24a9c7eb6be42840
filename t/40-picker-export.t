#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# GET /api/sessions/{id}/export: a session as JSON, text and CSV, to the byte.

use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(encode_utf8);
use Test::More;
use T::Client;
use T::Games;
use T::Server;

my $server = T::Server->start(workers => 2, wait => 'readyz');
my $db     = $server->db;
my $admin  = T::Client->new($server);
my $id     = $admin->post('/api/sessions')->{json}{id};
my @games  = (
	T::Games::add($db, title => "Qui, \"plash\" 3", pack_name => 'Pack 7',
		min_players => 3, max_players => 8, game_type => 'Writing'),
	T::Games::add($db, title => 'Zoës', pack_name => 'Nine',
		min_players => 4, max_players => 4),
);

sub export {
	my ($query, $client) = @_;

	return ($client // $admin)->get("/api/sessions/$id/export$query");
}

# What the file is, and that it is called so.
sub is_file {
	my ($query, $ending, $type, $body) = @_;
	my $got = export($query);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($got->{status}, 200, "$ending: 200");
	is($got->{headers}{'content-type'}, $type, "$ending: its type");
	is($got->{headers}{'content-disposition'}, 'attachment; '
		. "filename=session-$id.$ending", "$ending: its name");
	is($got->{body}, encode_utf8($body), "$ending: its bytes");
	is(export($query)->{body}, $got->{body}, "$ending: the same again");
	is($admin->get("/api/sessions/$id/export$query", 'If-None-Match' =>
		$got->{headers}{etag})->{status}, 304, "$ending: its tag");
	return;
}

my @types = ('text/plain; charset=utf-8', 'text/csv; charset=utf-8');
my $csv = "kind,time,title,pack,players,type,source,status,username,"
    . "message,vote\r\n";
my $created = $admin->get("/api/sessions/$id")->{json}{created_at};

subtest 'an empty session' => sub {
	is_file('?format=json', 'json', 'application/json',
		"{\"session\":{\"id\":$id,\"created_at\":\"$created\","
		. '"closed_at":null,"is_active":1,"notes":null,'
		. '"games_played":0},"games":[],"chat_logs":[]}');
	is_file('?format=csv', 'csv', $types[1], $csv);
	is_file('', 'txt', $types[0], <<"END");
Session $id
=========

Created:      $created
Closed:       still active
Games played: 0

Games
-----

None.

Chat
----

None.
END
};

# A night, with moments that are known.
$admin->post("/api/sessions/$id/games", { game_id => $_->[0],
	source => $_->[1] }) for [$games[0], 'dice'], [$games[1], 'manual'];
$admin->post("/api/sessions/$id/close", { notes => "Zoë won\r\ntwice" });
my $closed = $admin->get("/api/sessions/$id")->{json}{closed_at};
my @at = map { "2026-03-15T20:0$_:00.000Z" } 0 .. 5;
$db->query("UPDATE partyline.session_game SET played_at = '$at[$_->[1]]',
	played_text = '$at[$_->[1]]' WHERE game_id = $_->[0]")
    for [$games[0], 1], [$games[1], 3];
sub say_so {
	my ($n, $at, $name, $said, $vote) = @_;

	$db->query("INSERT INTO partyline.chat_log (tenant_id, id, session_id,
		username, message, said_at, said_text, vote, hash) VALUES
		(1, $n, $id, '$name', E'$said', '$at[$at]', '$at[$at]', $vote,
		sha256('$n'))");
	return;
}
say_so(1, 2, 'zoe', 'thisgame++', 1);
say_so(2, 4, 'a,b', 'no "way"\\nthisgame--', -1);
say_so(3, 0, 'ann', 'hi', 'NULL');

subtest 'a whole night' => sub {
	is_file('?format=json', 'json', 'application/json',
		"{\"session\":{\"id\":$id,\"created_at\":\"$created\","
		. "\"closed_at\":\"$closed\",\"is_active\":0,\"notes\":"
		. '"Zoë won\r\ntwice","games_played":2},"games":['
		. '{"title":"Qui, \"plash\" 3","pack":"Pack 7",'
		. "\"players\":\"3-8\",\"type\":\"Writing\",\"played_at\":"
		. "\"$at[1]\",\"manually_added\":0,\"source\":\"dice\","
		. '"status":"played"},{"title":"Zoës","pack":"Nine",'
		. "\"players\":\"4\",\"type\":null,\"played_at\":\"$at[3]\","
		. '"manually_added":0,"source":"manual","status":"played"}],'
		. "\"chat_logs\":[{\"username\":\"ann\",\"message\":\"hi\","
		. "\"timestamp\":\"$at[0]\",\"vote\":null},"
		. "{\"username\":\"zoe\",\"message\":\"thisgame++\","
		. "\"timestamp\":\"$at[2]\",\"vote\":\"up\"},"
		. '{"username":"a,b","message":"no \"way\"\nthisgame--",'
		. "\"timestamp\":\"$at[4]\",\"vote\":\"down\"}]}");
	is_file('?format=csv', 'csv', $types[1], $csv . join '',
		map { "$_\r\n" } "chat,$at[0],,,,,,,ann,hi,",
		"game,$at[1],\"Qui, \"\"plash\"\" 3\",Pack 7,3-8,Writing,"
		. 'dice,played,,,',
		"chat,$at[2],,,,,,,zoe,thisgame++,up",
		"game,$at[3],Zoës,Nine,4,,manual,played,,,",
		"chat,$at[4],,,,,,,\"a,b\",\"no \"\"way\"\"\nthisgame--\","
		. 'down');
	my $txt = <<"END";
Session $id
=========

Created:      $created
Closed:       $closed
Games played: 2
Notes:        Zoë won
              twice

Games
-----

1. Qui, "plash" 3 (Pack 7)
   Players: 3-8
   Type:    Writing
   Played:  $at[1]
   Source:  dice
   Status:  played

2. Zoës (Nine)
   Players: 4
   Played:  $at[3]
   Source:  manual
   Status:  played

Chat
----

[$at[0]] ann: hi
[$at[2]] zoe: thisgame++ (up)
[$at[4]] a,b: no "way"
    thisgame-- (down)
END
	is_file($_, 'txt', $types[0], $txt)
	    for '?format=txt', '?format=pdf', '?format=';
};

subtest 'refusals' => sub {
	refused(export('?format=json', T::Client->new($server,
		role => undef)), 401, 'token_required');
	refused(export('', T::Client->new($server, role => 'bot')), 403,
		'not_allowed');
	refused($admin->get("/api/sessions/$_/export"), 404,
		'session_not_found') for 999, 'x';
};

done_testing;
