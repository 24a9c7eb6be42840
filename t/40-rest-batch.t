#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# POST /api/sessions/{id}/events: what clients say to each other is stored as
# they said it, and however many say something at once, each gets his own
# answer, his own number, and his refusal alone.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Lock;
use T::Server;
use T::Wait;

my $time   = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $server = T::Server->start(workers => 2, db_timeout => '60s');
my $db     = $server->db;
my $admin  = T::Client->new($server);
my $bot    = T::Client->new($server, role => 'bot', worker => 1);

# Who says `poison` makes PostgreSQL refuse the whole call; who says `gate`
# waits there as long as the test wants.
$db->query(<<'SQL');
CREATE FUNCTION partyline.check_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.payload LIKE '%poison%' THEN
		RAISE 'it is poison' USING ERRCODE = 'XX001';
	ELSIF new.payload LIKE '%gate%' THEN
		PERFORM pg_advisory_xact_lock_shared(77);
	END IF;
	RETURN new;
END
$$;
CREATE TRIGGER check_event BEFORE INSERT ON partyline.event
FOR EACH ROW EXECUTE FUNCTION partyline.check_event();
SQL

# Whether somebody waits for what is locked, in time.
sub waits {
	my ($where) = @_;

	return wait_until { T::Lock::waiting($where // $db) == 1 };
}

sub past {
	my $id = $admin->post('/api/sessions', '{}')->{json}{id};

	$admin->post("/api/sessions/$id/close")->{status} == 200
	    or die "close $id failed\n";
	return $id;
}

# With the data as it is to be sent.
sub event {
	my ($data, $type) = @_;

	return '{"type":"' . ($type // 'custom.x') . "\",\"data\":$data}";
}

sub path { return "/api/sessions/$_[0]/events" }

# The bytes of an event's payload, and who asked for it.
sub stored {
	my ($id, $seq) = @_;
	my ($hex, $name) = split /\|/, $db->query("SELECT
		encode(convert_to(payload, 'UTF8'), 'hex'), request_id
		FROM partyline.event WHERE tenant_id = 1
		AND stream = 'session:$id' AND seq = $seq"), -1;

	return (pack('H*', $hex // ''), $name);
}

sub count_of {
	my ($id) = @_;

	return $db->query("SELECT count(*) FROM partyline.event
		WHERE stream = 'session:$id'");
}

# Holds the row that writers of this session's events wait for.
sub hold {
	my ($id) = @_;

	return T::Lock->new($db, "SELECT FROM partyline.stream WHERE
		tenant_id = 1 AND name = 'session:$id' FOR UPDATE");
}

# So many bots, each on a connection of his own with the first worker.
sub bots {
	my ($count) = @_;
	my @bots = map { T::Client->new($server, role => 'bot',
		worker => 1) } 1 .. $count;

	$_->get('/livez') for @bots;
	return @bots;
}

subtest 'one event' => sub {
	my $id = $admin->post('/api/sessions', '{}')->{json}{id};
	my ($epoch) = $db->query("SELECT epoch FROM partyline.stream
		WHERE tenant_id = 1 AND name = 'session:$id'");

	for my $seq (1 .. 3) {
		my $said = $bot->post(path($id), event('{"x":1}', 'custom.a'));
		is($said->{status}, 201, 'stored');
		is($said->{body}, "{\"stream\":\"session:$id\","
			. "\"epoch\":\"$epoch\",\"seq\":$seq}", 'where');
		my ($payload, $name) = stored($id, $seq);
		like($payload, qr/\A\{"type":"custom\.a","stream":"session:$id",
			"seq":$seq,"timestamp":"$time","data":\{"x":1\}\}\z/x,
			'the envelope');
		is($name, $said->{headers}{'x-request-id'}, 'whose it is');
	}
	$admin->post("/api/sessions/$id/close");
	is($bot->post(path($id), event('{}'))->{json}{seq}, 5,
		'a closed session takes them too, behind session.ended');
	$admin->post("/api/sessions/$id/archive");
	refused($bot->post(path($id), event('{}')), 400, 'session_archived',
		error => 'Session is archived');
	$admin->post("/api/sessions/$id/unarchive");
	is($bot->post(path($id), event('{}'))->{json}{seq}, 6,
		'as soon as it is back');
	$admin->delete("/api/sessions/$id");
	refused($bot->post(path($_), event('{}')), 404, 'session_not_found',
		error => 'Session not found')
	    for $id, 999, 0, -1, 'x', '9223372036854775808';
	refused($bot->request(PUT => path(past())), 405, 'method_not_allowed');
};

subtest 'who may' => sub {
	my $id = past();

	is($_->post(path($id), event('{}'))->{status}, 201, 'may')
	    for $admin, $bot;
	refused(T::Client->new($server, role => 'viewer')->post(path($id),
		event('{}')), 403, 'not_allowed');
	refused(T::Client->new($server, role => undef)->post(path($id),
		event('{}')), 401, 'token_required',
		error => 'Access token required');
	is(count_of($id), 3, 'what was refused is not there');
};

subtest 'data is kept as it was written' => sub {
	my $id = past();
	my $fills = sub { '{"x":"' . $_[0] x (($_[1] - 8) / length $_[0])
		    . '"}' };
	my @verbatim = (
		'{}', '{ }', "{\n\t\"a\" :\r [ 1 ,2 ]\n}",
		'{"a":1.0,"b":1e5,"c":1E+05,"d":-0,"e":0.10,"f":-0.0}',
		'{"a":9007199254740993,"b":0.1234567890123456789012345}',
		'{"a":"\\u00e9\\u0041\\/\\n\\ud83d\\ude00"}',
		"{\"a\":\"\xc3\xa9 \xf0\x9f\x98\x80\"}",
		'{"a":1,"b":2,"a":3}', '{"b":1,"a":2}', '{"":""}',
		'{"a":"\\"\\\\ \\\\\\" {} , \' NULL \\\\N $1 %s"}',
		'{"a":[[],[[{}]],true,false,null]}',
		'{"data":{"data":{}},"type":"custom.y"}',
		$fills->('y', 4096), $fills->("\xc3\xa9", 4096),
	);
	for my $data (@verbatim) {
		my $said = $bot->post(path($id), event($data));

		is($said->{status}, 201, 'stored') or diag($data);
		my ($payload) = stored($id, $said->{json}{seq});
		is($payload =~ s/\A.*?"timestamp":"$time","data"://sr,
			"$data}", 'byte for byte');
	}
	my %odd = (
		'{"data":{"a":1},"type":"custom.x","data":{"a":2.0}}'
		    => '{"a":2.0}',
		'{"d\\u0061ta":{"a":1e1},"\\u0074ype":"custom.\\u0078"}'
		    => '{"a":1e1}',
		" {\n\"type\" : \"custom.x\",\t\"data\" :  {\"a\" : 1} , "
		    . "\"more\":1}\r\n" => '{"a" : 1}',
	);
	for my $body (sort keys %odd) {
		my $said = $bot->post(path($id), $body);

		is($said->{status}, 201, 'an odd way to say it');
		my ($payload) = stored($id, $said->{json}{seq});
		like($payload, qr/"type":"custom\.x",.*
			"data":\Q$odd{$body}\E\}\z/x, 'the data alone');
	}
	my $kept = count_of($id);
	refused($bot->post(path($id), event($_)), 400, 'input_invalid',
		field => 'data',
		error => 'data must be an object of 2 to 4096 bytes')
	    for '[]', '"x"', '1', 'true', $fills->('y', 4097),
	    $fills->("\xc3\xa9", 4098), '{"a":1' . ' ' x 4090 . '}';
	refused($bot->post(path($id), '{"type":"custom.x"' . $_), 400,
		'input_missing', field => 'data', error => 'data is required')
	    for '}', ',"data":null}', ',"data":{},"data":null}';
	refused($bot->post(path($id), event($_)), 400, 'invalid_json',
		error => 'Invalid JSON in request body')
	    for '{"a":}', '{"a":"\\ud83d"}', '{"a":"\\u0000"}',
	    "{\"a\":\"\xff\"}", '{' . '"a":{' x 40 . '}' x 41;
	is(count_of($id), $kept, 'none of these is there');
};

subtest 'names' => sub {
	my $id = past();
	my $rule = 'type must be custom. and a name of letters, digits, dots, '
	    . '- and _, of 8 to 64 characters';

	for my $type ('custom.x', 'custom.a.B-9_z', 'custom.' . 'x' x 57,
		'custom..') {
		my $said = $bot->post(path($id), event('{}', $type));
		is($said->{status}, 201, 'a name') or diag($type);
		my ($payload) = stored($id, $said->{json}{seq});
		like($payload, qr/\A\{"type":"\Q$type\E",/, 'as it was given');
	}
	refused($bot->post(path($id), event('{}', $_)), 400, 'input_invalid',
		field => 'type', error => $rule)
	    for 'custom.', 'custom', 'Custom.x', 'session.ended', 'xcustom.x',
	    'custom.a b', 'custom.a\\"', 'custom.\\n', "custom.\xc3\xa9",
	    'custom.' . 'x' x 58, 'custom.a,b', '';
	refused($bot->post(path($id), "{\"type\":$_,\"data\":{}}"), 400,
		'input_invalid', field => 'type', error => $rule)
	    for 1, '["custom.x"]', '{}', 'true';
	refused($bot->post(path($id), '{"data":{}}'), 400, 'input_missing',
		field => 'type', error => 'type is required');
	is(count_of($id), 5, 'nothing else is there');
};

subtest 'a crowd' => sub {
	my @ids = (past(), past());
	my ($clients, $times) = (24, 20);
	my @crowd = map { T::Client->new($server, role => 'bot',
		worker => $_ % 2 + 1) } 1 .. $clients;
	$_->get('/livez') for @crowd;
	my $before = $server->numbers;
	my $lock = hold($ids[0]);
	my (%seen, @wrong);

	# All that one has to say goes out at once, down his connection.
	for my $n (0 .. $#crowd) {
		for my $time (1 .. $times) {
			$crowd[$n]->ask(post => path($ids[$time % 4 == 0]),
				event("{\"who\":$n,\"time\":$time}"));
		}
	}
	$lock->let_go;
	for my $n (0 .. $#crowd) {
		my %last = map { $_ => 0 } @ids;

		for my $time (1 .. $times) {
			my $id = $ids[$time % 4 == 0];
			my $said = $crowd[$n]->take;
			my $seq = $said->{json}{seq} // 0;
			push @wrong, "$n, $time: $said->{body}"
			    if $said->{status} != 201
			    || $said->{json}{stream} ne "session:$id";
			push @wrong, "$n, $time: $seq after $last{$id}"
			    if $seq <= $last{$id};
			$last{$id} = $seq;
			$seen{$id}{$seq} = [$n, $time,
				$said->{headers}{'x-request-id'}];
		}
	}
	is_deeply(\@wrong, [], 'all are stored, each in its order');
	my $after = $server->numbers;
	my $all = $clients * $times;
	is($after->{events} - $before->{events}, $all, 'all are told of');
	cmp_ok($after->{batches} - $before->{batches}, '<', $all / 2,
		'several went together');
	for my $id (@ids) {
		my @rows = map { [split /\|/] } split /\n/, $db->query("SELECT
			seq, payload::json -> 'data' ->> 'who',
			payload::json -> 'data' ->> 'time', request_id,
			payload::json ->> 'seq' FROM partyline.event
			WHERE stream = 'session:$id' AND seq > 1 ORDER BY seq");
		my $of = $seen{$id};

		is_deeply([map { $_->[0] } @rows], [2 .. 1 + keys %$of],
			"session $id: no number is missing");
		is_deeply([map { [@$_[1, 2, 3, 4]] } @rows],
			[map { [@{ $of->{$_} }, $_] } 2 .. 1 + keys %$of],
			"session $id: each number is its own event's");
		is($db->query("SELECT head FROM partyline.stream
			WHERE name = 'session:$id'"), 1 + keys %$of,
			"session $id: the head is the last one");
	}
};

# Asks with one bot after the other, each once the one before has arrived;
# what was asked then goes in as few calls as can be.
sub say_together {
	my ($id, @asked) = @_;
	my ($first, @others) = bots(1 + @asked);
	my $lock = hold($id);
	my $before = $server->count('batches');

	$first->ask(post => path($id), event('{"n":"first"}'));
	ok(waits(), 'the first one is at work');
	for my $n (0 .. $#others) {
		my ($body, $key) = @{ $asked[$n] };

		$others[$n]->ask(post => path($id), $body,
			'Idempotency-Key' => $key);
		# The worker has taken it in when it answers the next one.
		$bot->get('/livez');
	}
	$lock->let_go;
	my @said = map { $_->take } $first, @others;
	is((shift @said)->{status}, 201, 'the first is done');
	return ($server->count('batches') - $before, @said);
}

subtest 'what waits goes together' => sub {
	my $id = past();
	my ($calls, @said) = say_together($id,
		map { [event("{\"n\":$_}")] } 1 .. 30);

	is($calls, 2, 'thirty in one call, behind the first');
	is_deeply([map { $_->{json}{seq} } @said], [3 .. 32],
		'numbered as they came');
	is_deeply([map { (stored($id, $_->{json}{seq}))[0] =~ /"n":(\d+)/ }
		@said], [1 .. 30], 'each its own');

	my $large = '{"n":"' . 'y' x 4088 . '"}';
	($calls, @said) = say_together($id, map { [event($large)] } 1 .. 70);
	is($calls, 3, 'what is too large for one call goes in two');
	is_deeply([map { $_->{json}{seq} } @said], [34 .. 103],
		'in their order');
};

subtest 'the refusal of one leaves the others alone' => sub {
	my $id = past();
	my $busy = T::Lock->new($db, 'SELECT pg_advisory_xact_lock('
		. "hashtextextended(concat_ws(E'\\n', 1, 'admin:Bot', "
		. "'session_event_create $id', 'busy'), 0))");
	my ($calls, @said) = say_together($id,
		[event('{"n":1}'), 'one'], [event('{"n":2}')],
		[event('{"n":3}'), 'one'], [event('{"n":1}'), 'one'],
		[event('{"n":5}'), 'busy'], [event('{"n":6}'), 'six'],
		[event('{"n":6}'), 'six'], [event('{"n":8}')]);
	my $second = sub { $_[0]{json}{seq} };

	is($calls, 2, 'all in one call');
	is_deeply([map { $_->{status} } @said],
		[201, 201, 422, 201, 409, 201, 201, 201], 'each his own');
	refused($said[2], 422, 'idempotency_key_reused');
	refused($said[4], 409, 'idempotency_in_progress');
	like($said[4]{headers}{'retry-after'}, qr/\A[1-9]\d*\z/,
		'when to ask again');
	is_deeply([map { $_->{json}{seq} } @said[0, 1, 3, 5, 6, 7]],
		[3, 4, 3, 5, 5, 6], 'one number for one key');
	is(count_of($id), 6, 'and one event');
	$busy->let_go;
	is($bot->post(path($id), event('{"n":5}'), 'Idempotency-Key' => 'busy')
		->{json}{seq}, 7, 'what was refused can be repeated');
	is($bot->post(path($id), event('{"n":1}'), 'Idempotency-Key' => 'one')
		->{body}, $said[0]{body}, 'what was done is told again');
	is(count_of($id), 7, 'without another event');
};

subtest 'PostgreSQL refuses a call as a whole' => sub {
	my $id = past();
	my ($calls, @said) = say_together($id,
		[event('{"n":1}')], [event('{"n":"poison"}'), 'p'],
		[event('{"n":3}'), 'three'], [event('{"n":4}')]);

	is($calls, 6, 'then its elements go one by one');
	is_deeply([map { $_->{status} } @said], [201, 500, 201, 201],
		'and only one suffers');
	refused($said[1], 500, 'internal', error => 'Something went wrong!');
	is_deeply([map { $_->{json}{seq} } @said[0, 2, 3]], [3, 4, 5],
		'no number is lost');
	is($bot->post(path($id), event('{"n":3}'), 'Idempotency-Key' =>
		'three')->{body}, $said[2]{body}, 'its key was kept');
	($calls) = say_together($id, [event('{"n":6}')], [event('{"n":7}')]);
	is($calls, 2, 'those that follow go together again');
	ok($server->wait_for_log(qr/PostgreSQL refused a call.*it is poison/),
		'the log says why');
};

subtest 'the connection is lost under a call of many' => sub {
	my $id = past();
	my @bots = bots(11);
	my $gate = T::Lock->new($db, 'SELECT pg_advisory_xact_lock(77)');
	my $lock = hold($id);
	my $ask = sub {
		my ($n) = @_;

		$bots[$n]->ask(post => path($id), event($n ? "{\"gate\":$n}"
			: '{}'), 'Idempotency-Key' => "key $n" =~ tr/ //dr);
	};

	$ask->(0);
	ok(waits(), 'the first one is at work');
	$ask->($_), $bot->get('/livez') for 1 .. 10;
	$lock->let_go;
	is($bots[0]->take->{status}, 201, 'the first is done');
	ok(waits(), 'ten are at work');
	$db->query(q{SELECT count(pg_terminate_backend(pid)) FROM
		pg_stat_activity WHERE datname = current_database()
		AND wait_event_type = 'Lock'});
	my @said = map { $_->take } @bots[1 .. 10];
	is(scalar(grep { $_->{status} == 503 } @said), 10,
		'nobody knows what became of them');
	$gate->let_go;

	my @told = map {
		my ($n, $answer) = ($_);

		wait_until {
			$ask->($n);
			$answer = $bots[$n]->take;
			$answer->{status} == 201;
		};
		$answer;
	} 1 .. 10;
	my @seqs = sort { $a <=> $b } map { $_->{json}{seq} } @told;
	is_deeply(\@seqs, [3 .. 12], 'each has a number when it is repeated');
	is(count_of($id), 12, 'and is there once');
	is_deeply([map { (stored($id, $_->{json}{seq}))[0] =~ /"gate":(\d+)/ }
		@told], [1 .. 10], 'its own');
};

subtest 'no more than may wait' => sub {
	my $small = T::Server->start(workers => 1, db_queue => 3,
		db_timeout => '60s');
	my $who = T::Client->new($small);
	my $id = $who->post('/api/sessions', '{}')->{json}{id};
	my @crowd = map { T::Client->new($small, role => 'bot') } 1 .. 6;
	my $lock = T::Lock->new($small->db, 'SELECT FROM partyline.stream
		WHERE tenant_id = 1 AND name = \'session:1\' FOR UPDATE');
	my $ask = sub { $_[0]->ask(post => path($id), event('{}'));
		$who->get('/livez') };

	$ask->($crowd[0]);
	ok(waits($small->db), 'the first one is at work');
	$ask->($_) for @crowd[1 .. 5];
	for my $late (@crowd[4, 5]) {
		my $said = $late->take;

		refused($said, 503, 'database_busy');
		like($said->{headers}{'retry-after'}, qr/\A[1-9]\d*\z/,
			'when to ask again');
	}
	$lock->let_go;
	is_deeply([map { $_->take->{json}{seq} } @crowd[0 .. 3]], [1 .. 4],
		'those before it are done');
};

done_testing;
