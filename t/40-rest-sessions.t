#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Sessions over REST: every shape, status, header and string that clients of
# today rely on, seen through both workers; and what the streams are told.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Server;
use T::Wait;

my $json   = JSON::PP->new->utf8;
my $time   = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $server = T::Server->start(workers => 2);
my $db     = $server->db;
my @admins = map { T::Client->new($server, worker => $_) } 1, 2;
my @anyone = map { T::Client->new($server, worker => $_, role => undef) } 1, 2;
my $turn   = 0;

# The admin whose turn it is: they are with different workers.
sub admin { return $admins[$turn++ % 2] }

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

sub not_found {
	my ($path) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return refused(seen($path), 404, 'session_not_found',
		error => 'Session not found');
}

sub create {
	my ($notes) = @_;
	my $made = admin()->post('/api/sessions', { notes => $notes });

	return $made->{json}{id} // die "create: $made->{body}\n";
}

sub close_it {
	my ($id, @body) = @_;

	return admin()->post("/api/sessions/$id/close", @body);
}

# A session that is over.
sub past {
	my ($notes) = @_;
	my $id = create($notes);

	close_it($id)->{status} == 200 or die "close $id failed\n";
	return $id;
}

sub ids { return join ' ', map { $_->{id} } @{ $_[0]{json} } }

# The envelopes of a stream, decoded, and the last one.
sub told {
	my ($stream, $tenant) = @_;
	my @told = map { $json->decode($_) } split /\n/, $db->query(
		"SELECT payload FROM partyline.event WHERE stream = '$stream'
		AND tenant_id = @{[$tenant // 1]} ORDER BY seq");

	return wantarray ? @told : $told[-1];
}

subtest 'before there is any' => sub {
	my $list = seen('/api/sessions');

	is($list->{body}, '[]', 'an empty list');
	is($list->{headers}{'x-total-count'},    '0', 'nothing shown');
	is($list->{headers}{'x-absolute-total'}, '0', 'nothing there');
	is(seen('/api/sessions/active')->{body},
		'{"session":null,"message":"No active session"}',
		'none active');
	not_found('/api/sessions/1');
};

my $first;
subtest 'create' => sub {
	my $made = admin()->post('/api/sessions', { notes => "Zo\x{eb}\"q\"" });
	my $s = $made->{json};

	$first = $s->{id};
	is($made->{status}, 201, 'made');
	like($made->{body}, qr/\A\{"id":1,"notes":"Zo\xc3\xab\\"q\\"",
		"is_active":1,"created_at":"$time","closed_at":null\}\z/x,
		'the session without games_played');
	my $event = told('lobby');
	like(delete $event->{timestamp}, qr/\A$time\z/, 'when it was told');
	is_deeply($event, { type => 'session.started', stream => 'lobby',
		seq => 1, data => { session => { id => 1, is_active => 1,
		created_at => $s->{created_at}, notes => $s->{notes} } } },
		'the lobby is told, all of it');
	is($db->query("SELECT head FROM partyline.stream WHERE tenant_id = 1
		AND name = 'session:1'"), '0', 'it has a stream of its own');

	refused(admin()->post('/api/sessions', { notes => 'another' }), 400,
		'active_session_exists', activeSessionId => 1, error =>
		'An active session already exists. Please close it before '
		. 'creating a new one.') for 1, 2;
	is(scalar(my @told = told('lobby')), 1, 'a refusal tells nobody');

	my $object = seen('/api/sessions/1');
	is_deeply($object->{json}, { %$s, games_played => 0 }, 'GET gives it');
	is(seen('/api/sessions/active')->{body}, $object->{body},
		'the same as active');
	is(seen('/api/sessions')->{body}, "[$object->{body}]",
		'the same in the list');
};

subtest 'create: what is in the body' => sub {
	for my $case (
		[undef, undef, 'no body'], ['{}', undef, 'an empty object'],
		['{"notes":null}', undef, 'null'],
		['{"notes":""}', '', 'empty'],
		['{"notes":"x","more":[1]}', 'x', 'members that nobody knows'],
		['{"notes":"' . "\xc3\xab" x 10000 . '"}', "\x{eb}" x 10000,
			'as long as it may be']) {
		my ($body, $notes, $what) = @$case;

		close_it($first);
		my $made = admin()->post('/api/sessions', $body);
		is($made->{status}, 201, "$what: made");
		is($made->{json}{notes}, $notes, "$what: its notes");
		is(seen("/api/sessions/$made->{json}{id}")->{json}{notes},
			$notes, "$what: its notes as they are kept");
		$first = $made->{json}{id};
	}
	close_it($first);
	for my $case (
		['{"notes":5}', 'a number'], ['{"notes":["x"]}', 'a list'],
		['{"notes":true}', 'a boolean'], ['{"notes":{}}', 'an object'],
		['{"notes":"' . 'x' x 10001 . '"}', 'too long']) {
		refused(admin()->post('/api/sessions', $case->[0]), 400,
			'input_invalid', field => 'notes', error =>
			'notes must be a text of at most 10000 characters');
	}
	refused(admin()->post('/api/sessions', '{"notes":'), 400,
		'invalid_json', error => 'Invalid JSON in request body');
	refused(admin()->post('/api/sessions', '[]'), 400, 'body_not_object');
	refused(admin()->post('/api/sessions', '{"notes":"\u0000"}'), 400,
		'invalid_json', error => 'Invalid JSON in request body');
	refused(admin()->post('/api/sessions', 'notes=x',
		'Content-Type' => 'text/plain'), 415, 'media_type');
	is(seen('/api/sessions/active')->{json}{session}, undef,
		'none of these made one');
};

subtest 'close' => sub {
	my $id = create('before');

	$db->query("UPDATE partyline.session SET games_played = 3
		WHERE id = $id");
	my $closed = close_it($id, { notes => 'after' });
	is($closed->{status}, 200, 'closed');
	like($closed->{body}, qr/\A\{"id":$id,"notes":"after","is_active":0,
		"created_at":"($time)","closed_at":"($time)",
		"games_played":3\}\z/x, 'the session with games_played');
	my $s = $closed->{json};
	ok($s->{closed_at} ge $s->{created_at}, 'it ended after it began');
	is(seen("/api/sessions/$id")->{body}, $closed->{body}, 'GET gives it');
	my $event = told("session:$id");
	like(delete $event->{timestamp}, qr/\A$time\z/, 'when it was told');
	is_deeply($event, { type => 'session.ended', stream => "session:$id",
		seq => 1, data => { session => { id => $id, is_active => 0,
		games_played => 3 } } }, 'its stream is told, all of it');

	refused(close_it($id), 400, 'session_closed',
		error => 'Session is already closed') for 1, 2;
	is(scalar(my @told = told("session:$id")), 1, 'told once');
	refused(close_it(999), 404, 'session_not_found',
		error => 'Session not found');

	for my $case ([undef, 'no body'], ['{}', 'no notes'],
		['{"notes":null}', 'null']) {
		is(close_it(create('kept'), $case->[0])->{json}{notes}, 'kept',
			"$case->[1]: the notes stay");
	}
	is(close_it(create('kept'), { notes => '' })->{json}{notes}, '',
		'notes can be emptied');
	my $open = create('kept');
	refused(close_it($open, { notes => 7 }), 400, 'input_invalid',
		field => 'notes', error =>
		'notes must be a text of at most 10000 characters');
	is(seen("/api/sessions/$open")->{json}{is_active}, 1,
		'what is refused closes nothing');
	close_it($open);
};

subtest 'list' => sub {
	$db->query("DELETE FROM partyline.session");
	my @ids = map { past("number $_") } 1 .. 6;
	my @newest = reverse @ids;
	my %at;
	my $lists = sub {
		my ($query, $wanted, $total, $before) = @_;
		my $list = seen("/api/sessions$query");
		my $headers = $list->{headers};

		is($list->{status}, 200, "'$query': 200");
		is(ids($list), "@$wanted", "'$query': these, in this order");
		is($headers->{'x-total-count'}, $total,
			"'$query': all that the filter shows");
		is($headers->{'x-absolute-total'}, 6,
			"'$query': all there are");
		is($headers->{'x-prev-last-date'}, $before && $at{$before},
			"'$query': the one before this page");
		return $list;
	};

	my $whole = $lists->('', \@newest, 6);
	$at{ $_->{id} } = $_->{created_at} for @{ $whole->{json} };
	is_deeply([map { join ' ', sort keys %$_ } @{ $whole->{json} }],
		[('closed_at created_at games_played id is_active notes') x 6],
		'each has these members and no others');
	like($whole->{headers}{'access-control-expose-headers'},
		qr/\A\*\z|X-Total-Count.*X-Absolute-Total.*X-Prev-Last-Date/,
		'pages may read the headers');

	my ($a, $b) = @ids[1, 3];
	is(admin()->post("/api/sessions/$_/archive")->{json}{success}, 1,
		"$_ is archived") for $a, $b;
	my @default = grep { $_ != $a && $_ != $b } @newest;
	$lists->($_, \@default, 4) for '', '?filter=default', '?limit=all',
	    '?limit=all&filter=default', '?offset=0', '?limit=1000';
	$lists->('?filter=all', \@newest, 6);
	$lists->('?filter=archived', [$b, $a], 2);

	$lists->('?limit=2', [@default[0, 1]], 4);
	$lists->('?limit=2&offset=2', [@default[2, 3]], 4, $default[1]);
	$lists->('?limit=2&offset=3', [$default[3]], 4, $default[2]);
	$lists->('?offset=1', [@default[1 .. 3]], 4, $default[0]);
	$lists->('?limit=0', [], 4);
	$lists->('?filter=all&limit=2&offset=1', [@newest[1, 2]], 6,
		$newest[0]);
	$lists->('?filter=archived&offset=1', [$a], 2, $b);
	$lists->('?offset=4', [], 4, $default[3]);
	$lists->("?offset=$_", [], 4) for 5, 999, '9' x 30;
	$lists->("?offset=$_", \@default, 4)
	    for '-1', 'x', '', '1.5', '%2B1', '-9999999999999999999';

	refused($anyone[0]->get("/api/sessions?filter=$_"), 400,
		'input_invalid', field => 'filter',
		error => 'filter must be default, all or archived')
	    for 'mine', '', 'ALL', 'default%7Call';
	refused($anyone[1]->get("/api/sessions?limit=$_"), 400,
		'input_invalid', field => 'limit', error => 'limit must be a '
		. 'whole number from 0 to 1000000000, or all')
	    for '-1', 'x', '', '1.5', 'ALL', '9' x 30;
	refused($anyone[0]->get('/api/sessions?limit=%'), 400,
		'invalid_query');
};

subtest 'archive and unarchive' => sub {
	my $id = create('to be archived');

	refused(admin()->post("/api/sessions/$id/archive"), 400,
		'session_archive_active', error =>
		'Cannot archive an active session. Please close it first.');
	close_it($id);
	my $before = seen("/api/sessions/$id");
	for (1, 2) {
		my $done = admin()->post("/api/sessions/$id/archive");
		is($done->{status}, 200, 'archived, however often');
		is($done->{body}, '{"success":true}', 'what is said');
		is(seen("/api/sessions/$id")->{body}, substr($before->{body}, 0,
			-1) . ',"archived":1}', 'GET says so');
	}
	unlike(seen('/api/sessions?filter=archived')->{body}, qr/"archived"/,
		'a list does not');
	for (1, 2) {
		my $done = admin()->post("/api/sessions/$id/unarchive");
		is($done->{status}, 200, 'back, however often');
		is($done->{body}, '{"success":true}', 'what is said');
		is(seen("/api/sessions/$id")->{body}, $before->{body},
			'as it was');
	}
	refused(admin()->post("/api/sessions/999/$_"), 404,
		'session_not_found', error => 'Session not found')
	    for qw(archive unarchive);
};

subtest 'delete' => sub {
	my $id = create('to be deleted');

	refused(admin()->delete("/api/sessions/$id"), 400,
		'session_delete_active', error =>
		'Cannot delete an active session. Please close it first.');
	is(seen("/api/sessions/$id")->{status}, 200, 'it is still there');
	close_it($id);
	my $gone = admin()->delete("/api/sessions/$id");
	is($gone->{status}, 200, 'deleted');
	is($gone->{body}, '{"message":"Session deleted successfully",'
		. "\"sessionId\":$id}", 'what is said');
	not_found("/api/sessions/$id");
	unlike(seen('/api/sessions?filter=all')->{body}, qr/"id":$id,/,
		'gone from the list');
	is($db->query("SELECT count(*) FROM partyline.stream
		WHERE name = 'session:$id'"), '0', 'its stream is gone');
	is($db->query("SELECT count(*) FROM partyline.event
		WHERE stream = 'session:$id'"), '0', 'and its events');
	my $event = told('control', 0);
	is($event->{type}, 'session.deleted', '`control` is told');
	is_deeply($event->{data}, { tenant => 1, stream => "session:$id" },
		'which stream it was');
	refused(admin()->delete("/api/sessions/$id"), 404,
		'session_not_found', error => 'Session not found');
	cmp_ok(past('after it'), '>', $id, 'its id is not given again');
};

subtest 'bulk' => sub {
	my ($a, $b, $c) = map { past($_) } qw(a b c);
	my $open = create('open');
	my $bulk = sub {
		my ($action, @ids) = @_;

		return admin()->post('/api/sessions/bulk',
			{ action => $action, ids => \@ids });
	};
	my $archived = sub {
		return ids(seen('/api/sessions?filter=archived'));
	};
	my $before = $archived->();

	for my $case (
		['archive', 'session_archive_active', 'Cannot archive an '
			. 'active session. Please close it first.'],
		['delete', 'session_delete_active', 'Cannot delete an '
			. 'active session. Please close it first.']) {
		refused($bulk->($case->[0], $a, $open, $b), 400, $case->[1],
			error => $case->[2], activeIds => [$open]);
		refused($bulk->($case->[0], $a, 999, $open, 888, 999), 404,
			'session_not_found', error => 'Session not found',
			missingIds => [888, 999]);
	}
	refused($bulk->('unarchive', $a, 999), 404, 'session_not_found',
		missingIds => [999]);
	is($archived->(), $before, 'a refusal changes nothing');
	is(seen("/api/sessions/$_")->{status}, 200, "$_ is still there")
	    for $a, $b;

	my $done = $bulk->('archive', $b, $a, $b);
	is($done->{status}, 200, 'archive: 200');
	is($done->{body}, '{"success":true,"affected":2}',
		'one named twice counts once');
	is($archived->(), join(' ', "$b $a", $before || ()), 'archived');
	is($bulk->('unarchive', $open, $b)->{body},
		'{"success":true,"affected":2}',
		'unarchive: an active one too');
	is($archived->(), join(' ', $a, $before || ()), 'one is back');

	my $control = () = told('control', 0);
	is($bulk->('delete', $c, $a)->{body}, '{"success":true,"affected":2}',
		'delete');
	not_found("/api/sessions/$_") for $a, $c;
	my @told = told('control', 0);
	is_deeply([map { $_->{data}{stream} } @told[$control .. $#told]],
		["session:$a", "session:$c"], '`control` is told of each');
	is($db->query("SELECT count(*) FROM partyline.event WHERE stream IN
		('session:$a', 'session:$c')"), '0', 'their events are gone');
	close_it($open);

	my $refused = sub {
		my ($body, $code, $field, $error) = @_;

		local $Test::Builder::Level = $Test::Builder::Level + 1;
		refused(admin()->post('/api/sessions/bulk', $body), 400, $code,
			field => $field, error => $error);
	};
	my $ids    = 'ids must be a list of 1 to 1000 ids';
	my $action = 'action must be archive, unarchive or delete';
	$refused->($_, 'input_invalid', 'ids', $ids)
	    for map { "{\"action\":\"archive\",\"ids\":$_}" } '[]', '5', '"5"',
	    '{}', '[0]', '[-1]', '["5"]', '[1.5]', '[null]', '[[1]]',
	    '[' . join(',', 1 .. 1001) . ']';
	refused(admin()->post('/api/sessions/bulk',
		'{"action":"archive","ids":[9223372036854775808]}'), 400,
		'invalid_json');
	$refused->('{"action":"archive"}', 'input_missing', 'ids',
		'ids is required');
	$refused->("{\"action\":$_,\"ids\":[$b]}", 'input_invalid', 'action',
		$action) for '"close"', '""', '"DELETE"', '1', '["delete"]';
	$refused->("{\"ids\":[$b]}", 'input_missing', 'action',
		'action is required');
	is(seen("/api/sessions/$b")->{status}, 200, 'none of these did it');
};

subtest 'ids that are none' => sub {
	my $id = past('the only one');

	for my $bad ('0', '-1', 'x', '1x', '1.0', '0x1', '%20', '1%20', '+1',
		'1e3', '9223372036854775808', '9' x 40, 'null', '%00', '%E2%82',
		'١', "$id%2F", "$id;x") {
		my $answer = $anyone[0]->get("/api/sessions/$bad");

		next if $bad =~ /%(?:00|E2)/
		    && refused($answer, 400, 'invalid_path');
		refused($answer, 404, 'session_not_found',
			error => 'Session not found') or diag("id '$bad'");
		refused(admin()->post("/api/sessions/$bad/$_"), 404,
			'session_not_found') or diag("id '$bad', $_")
		    for qw(close archive unarchive);
		refused(admin()->delete("/api/sessions/$bad"), 404,
			'session_not_found') or diag("id '$bad'");
	}
	not_found('/api/sessions/9223372036854775807');
	is(seen("/api/sessions/$id/")->{json}{id}, $id, 'a slash at the end');
};

subtest 'paths and methods' => sub {
	refused($anyone[0]->get($_), 404, 'not_found', error => 'Not found')
	    for qw(/api /api/session /api/sessions/1/nothing /API/sessions
	    /api/sessions/active/1 /api/sessions/1/close/2 //api/sessions);
	my %allow = (
		'/api/sessions'              => 'GET, HEAD, POST, OPTIONS',
		'/api/sessions/active'       => 'GET, HEAD, OPTIONS',
		'/api/sessions/bulk'         => 'POST, OPTIONS',
		'/api/sessions/1'            => 'GET, HEAD, DELETE, OPTIONS',
		'/api/sessions/1/close'      => 'POST, OPTIONS',
		'/api/sessions/1/archive'    => 'POST, OPTIONS',
		'/api/sessions/1/unarchive'  => 'POST, OPTIONS',
	);
	for my $path (sort keys %allow) {
		for my $method (qw(GET POST PUT PATCH DELETE)) {
			next if $allow{$path} =~ /\b$method\b/;
			my $answer = admin()->request($method, $path);
			refused($answer, 405, 'method_not_allowed',
				error => 'Method not allowed');
			is($answer->{headers}{allow}, $allow{$path},
				"$method $path: what there is instead");
		}
		my $options = $anyone[0]->options($path);
		is($options->{status}, 204, "OPTIONS $path");
		is($options->{headers}{allow}, $allow{$path},
			'what may be asked');
		is($options->{headers}{'access-control-allow-methods'},
			$allow{$path}, 'by pages, too');
	}
	my $id = past('to be looked at');
	for my $path ('/api/sessions', '/api/sessions/active',
		"/api/sessions/$id", '/api/sessions?limit=1&offset=1') {
		my ($get, $head) = map { $anyone[1]->$_($path) } qw(get head);

		is($head->{status}, 200, "HEAD $path");
		is($head->{body}, '', 'has no body');
		is($head->{headers}{$_}, $get->{headers}{$_}, "the same $_")
		    for qw(etag content-length content-type cache-control
		    x-total-count x-absolute-total x-prev-last-date);
	}
	is($anyone[0]->head('/api/sessions/999')->{status}, 404,
		'HEAD of a missing one');
};

subtest 'who may' => sub {
	my $id = past('of an admin');
	my $before = seen('/api/sessions?filter=all')->{body};
	my %asked = (
		'/api/sessions'               => '{}',
		"/api/sessions/$id/close"     => undef,
		"/api/sessions/$id/archive"   => undef,
		"/api/sessions/$id/unarchive" => undef,
		'/api/sessions/bulk' => "{\"action\":\"delete\",\"ids\":[$id]}",
	);
	for my $role (undef, 'viewer', 'bot') {
		my $who = T::Client->new($server, role => $role);
		my @refusal = !defined $role
		    ? (401, 'token_required', error => 'Access token required')
		    : (403, 'not_allowed');

		refused($who->post($_, $asked{$_}), @refusal)
		    for sort keys %asked;
		refused($who->delete("/api/sessions/$id"), @refusal);
		is($who->get($_)->{status}, 200, "$_ is for anyone")
		    for '/api/sessions', '/api/sessions/active',
		    "/api/sessions/$id";
	}
	refused($admins[0]->post('/api/sessions', '{}',
		Authorization => 'Bearer nonsense'), 403, 'invalid_token',
		error => 'Invalid or expired token');
	is(seen('/api/sessions?filter=all')->{body}, $before,
		'nothing was changed');
};

subtest 'many at once' => sub {
	my @crowd = map { T::Client->new($server) } 1 .. 20;
	my $all = sub {
		my ($method, $path) = @_;

		$_->ask($method, $path) for @crowd;
		return map { $_->take } @crowd;
	};
	my @made = $all->(POST => '/api/sessions');
	my ($winner, @others) = sort { $a->{status} <=> $b->{status} } @made;
	my $id = $winner->{json}{id};
	is($winner->{status}, 201, 'one makes a session');
	is_deeply([map { "$_->{json}{code} $_->{json}{activeSessionId}" }
		@others], [("active_session_exists $id") x 19],
		'all the others are told which');

	for my $case (
		[POST => "/api/sessions/$id/close", 'session_closed'],
		[DELETE => "/api/sessions/$id", 'session_not_found']) {
		my ($method, $path, $code) = @$case;
		my @done = sort { $a->{status} <=> $b->{status} }
		    $all->($method, $path);

		is((shift @done)->{status}, 200, "$method: for one it is done");
		is_deeply([map { $_->{json}{code} } @done], [($code) x 19],
			"$method: the others come too late");
		is(scalar(my @told = told("session:$id")), 1, 'told once')
		    if $method eq 'POST';
	}
};

done_testing;
