#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Long poll: events behind a number, at once or as soon as there are some;
# who may; what ends it early; and that who leaves is noticed.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use Time::HiRes qw(time);
use T::Certificate;
use T::Client;
use T::Http;
use T::Server;
use T::Wait;

my $server = T::Server->start(workers => 2, set => { db_timeout => '4s' });
my $db  = $server->db;
my $one = T::Client->new($server, worker => 1);
my $two = T::Client->new($server, worker => 2);
my $bot = T::Client->new($server, role => 'bot');
my @writers = map { T::Client->new($server, worker => $_) } 1, 2;

$server->partyline('tenant', 'add', 'den', '--set',
	'database_url=' . $db->url) ->{exit} == 0 or die "no tenant\n";
wait_until { T::Client->new($server, tenant => 'den')
	    ->get('/api/sessions')->{status} == 200 }
    or die "nobody knows the tenant\n";
my $ann = T::Client->new($server, tenant => 'den', name => 'Ann');
my $viv = T::Client->new($server, tenant => 'den', name => 'Viv',
	role => 'viewer');
my $nobody = T::Client->new($server, tenant => 'den', role => undef);

# Only one session can be active.
sub session {
	my ($client) = @_;
	my $active = $client->get('/api/sessions/active')->{json};

	$client->post("/api/sessions/$active->{id}/close") if $active->{id};
	return $client->post('/api/sessions')->{json}{id};
}

sub post {
	my ($client, $id, @numbers) = @_;

	$client->post("/api/sessions/$id/events", { type => 'custom.n',
		data => { n => $_ } })->{status} == 201
	    or die "no event\n" for @numbers;
	return;
}

sub poll { return join '', '/api/sessions/', shift, '/events?', @_ }

sub numbers {
	my ($answer) = @_;

	return join ' ', map { $_->{seq} } @{ $answer->{json}{events} // [] };
}

sub waiting {
	my ($count) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok((wait_until { $server->count('polls_waiting') == $count }),
		"$count waiting");
}

subtest 'what is there, at once' => sub {
	my $id = session($one);
	my $empty = $one->get(poll($id));

	is($empty->{status}, 200, 'nothing is there');
	is_deeply($empty->{json}, { stream => "session:$id", head => 0,
		epoch => $empty->{json}{epoch}, events => [] },
		'all that is said of nothing');
	is($empty->{headers}{'cache-control'}, 'no-store', 'not to be kept');
	post($bot, $id, 1 .. 7);
	is(numbers($_->get(poll($id, 'since=0'))), '1 2 3 4 5 6 7',
		'all of it, from both workers') for $one, $two;
	my $some = $two->get(poll($id, 'since=2&limit=3'));
	is(numbers($some), '3 4 5', 'behind a number, so many');
	is($some->{json}{head}, 7, 'and how many there are');
	my $epoch = $some->{json}{epoch};
	is(numbers($one->get(poll($id, "since=$epoch:5"))), '6 7',
		'behind a pair');
	is_deeply($some->{json}{events}[0]{data}, { n => 3 }, 'the data');
	my $now = $one->get(poll($id));
	is(numbers($now) . "|$now->{json}{head}", '|7',
		'without a number: where it stands');
	is($one->get(poll($id, 'since=7&limit=1000'))->{json}{head}, 7,
		'behind the last one there is nothing');

	refused($one->get(poll($id, $_->[1])), 400, 'input_invalid',
		field => $_->[0], error => $_->[2])
	    for ['wait', 'wait=61', 'wait must be a whole number from 0 to 60'],
	    ['limit', 'limit=0', 'limit must be a whole number from 1 to 1000'],
	    ['since', 'since=x', 'since must be a number, or an epoch, a '
		. 'colon and a number'];
	refused($one->get(poll($id), 'Last-Event-ID' => '1:2:3'), 400,
		'input_invalid', field => 'Last-Event-ID', error =>
		'Last-Event-ID must be a number, or an epoch, a colon and a '
		. 'number');
	is(numbers($one->get(poll($id, 'since=1'), 'Last-Event-ID' => '5')),
		'6 7', 'Last-Event-ID goes before since');
	refused($one->get(poll(999)), 404, 'session_not_found');
};

subtest 'what is not there yet' => sub {
	my $id = session($one);
	my $begun = time;

	is(numbers($one->get(poll($id, 'since=0&wait=1'))), '', 'nothing came');
	cmp_ok(time() - $begun, '>=', 0.9, 'it waited');
	for my $from (@writers) {
		$begun = time;
		$one->ask(GET => poll($id, 'wait=60'));
		waiting(1);
		post($from, $id, 1);
		is(scalar @{ $one->take->{json}{events} }, 1,
			"an event of worker $from->{worker}");
		cmp_ok(time() - $begun, '<', 20, 'as soon as it was there');
	}
	is($server->count('polls_waiting'), 0, 'nobody waits');

	my $head = $one->get(poll($id))->{json}{head};
	$one->ask(GET => poll($id, "since=$head&wait=60"));
	waiting(1);
	$two->ask(POST => "/api/sessions/$id/events",
		{ type => 'custom.n', data => {} }) for 1 .. 200;
	my $last = $head;
	my $bad  = '';
	my $gather = sub {
		my ($answer) = @_;

		for my $event (@{ $answer->{json}{events} }) {
			$bad .= " $event->{seq} after $last"
			    if $event->{seq} != $last + 1;
			$last = $event->{seq};
		}
	};
	$gather->($one->take);
	$gather->($one->get(poll($id, "since=$last&wait=5&limit=30")))
	    while $last < $head + 200 && $bad eq '';
	is("$bad $last", ' ' . ($head + 200),
		'a crowd of them, poll after poll, without gap or repeat');
	$two->take for 1 .. 200;
};

subtest 'one page is not enough' => sub {
	my $id = session($one);

	$db->query(qq{WITH e AS (SELECT api.emit(
		ROW(1,NULL,NULL,'t',NULL,NULL,NULL)::api.ctx, 'session:$id',
		'custom.n', '{"n":' || n || '}') FROM generate_series(1, 900) n)
		SELECT count(*) FROM e});
	is(numbers($_->get(poll($id, 'since=0&limit=1000'))),
		join(' ', 1 .. 900), 'as many as are asked for')
	    for $one, $two;
	is(numbers($one->get(poll($id, 'since=100&limit=700'))),
		join(' ', 101 .. 800), 'and no more');
};

subtest 'the lobby' => sub {
	my $head = $two->get('/api/events')->{json}{head};

	$two->ask(GET => "/api/events?since=$head&wait=60");
	waiting(1);
	my $id = session($one);
	my $answer = $two->take;
	is($answer->{json}{stream}, 'lobby', 'its name');
	is($answer->{json}{events}[0]{type}, 'session.started', 'its event');
	is($answer->{json}{events}[0]{data}{session}{id}, $id, 'of this one');
};

subtest 'another epoch' => sub {
	my $id = session($one);

	post($one, $id, 1 .. 3);
	my $epoch = $one->get(poll($id))->{json}{epoch};
	$one->ask(GET => poll($id, "since=$epoch:3&wait=60"));
	waiting(1);
	$db->query('SELECT api.epoch_renew()');
	my $told = $one->take;
	is_deeply([$told->{json}{events}, $told->{json}{head},
		$told->{json}{resync}{from}, $told->{json}{resync}{state}{id}],
		[[], 3, 1, $id], 'who waits is told the state');
	isnt($told->{json}{epoch}, $epoch, 'of the new one');
	is_deeply($two->get(poll($id, "since=$epoch:1"))->{json},
		$told->{json}, 'so is who comes with the old one');
	is(numbers($two->get(poll($id, 'since=1'))), '2 3',
		'a bare number counts in the new one');
	ok($one->get(poll($id, 'since=4'))->{json}{resync},
		'one above the head is no number of it');
	post($two, $id, 4);
	is(numbers($one->get(poll($id, "since=$told->{json}{epoch}:3"))), '4',
		'and from there it goes on');
};

subtest 'what was forgotten' => sub {
	my $id = session($one);
	my $trim = sub {
		$db->query("SELECT api.stream_trim(
			ROW(1,NULL,NULL,'t',NULL,NULL,NULL)::api.ctx,
			'session:$id', $_[0])");
	};

	post($one, $id, 1 .. 9);
	$trim->(6);
	my $told = $one->get(poll($id, 'since=3'))->{json};
	is_deeply([$told->{events}, $told->{head}, $told->{resync}{from}],
		[[], 9, 6], 'the state in place of it');
	is(numbers($one->get(poll($id, 'since=5'))), '6 7 8 9',
		'what is left follows on what was seen');
	is(numbers($one->get(poll($id, "since=$told->{head}"))), '',
		'and on the state there follows nothing yet');
};

subtest 'deleted' => sub {
	my $id = session($one);

	$one->post("/api/sessions/$id/close");
	$two->ask(GET => poll($id, 'wait=60'));
	waiting(1);
	is($one->delete("/api/sessions/$id")->{status}, 200, 'it is deleted');
	refused($two->take, 404, 'session_not_found');
	refused($two->get(poll($id, 'since=0')), 404, 'session_not_found');
};

sub set_den {
	my ($word) = @_;
	my $said = $server->partyline('tenant', 'set', 'den', $word, '--set',
		'database_url=' . $db->url);

	return is($said->{exit}, 0, $word) || diag($said->{err});
}

# Until all workers have heard of it.
sub is_public {
	my ($status) = @_;
	my @each = map { T::Client->new($server, tenant => 'den',
			role => undef, worker => $_) } 1, 2;

	return wait_until {
		!grep { $_->get('/api/events')->{status} != $status } @each;
	};
}

sub ticket {
	my ($client, $stream) = @_;

	return $client->post('/api/auth/ticket', { stream => $stream })
	    ->{json}{ticket} // die "no ticket\n";
}

subtest 'who may' => sub {
	my $id = session($ann);

	$nobody->ask(GET => poll($id, 'wait=60'));
	waiting(1);
	set_den('public_read=off');
	refused($nobody->take, 401, 'token_required');
	ok(is_public(401), 'all have heard it');
	refused($nobody->get(poll($id)), 401, 'token_required');
	is($viv->get(poll($id))->{status}, 200, 'a viewer may');
	refused($bot->get("/t/den" . poll($id)), 403, 'invalid_token');

	my $ticket = ticket($viv, "session:$id");
	is($nobody->get(poll($id, "ticket=$ticket"))->{status}, 200,
		'who has a ticket may');
	refused($nobody->get(poll($id, "ticket=$ticket")), 403,
		'invalid_token');
	my $lobby = ticket($viv, 'lobby');
	refused($nobody->get(poll($id, "ticket=$lobby")), 403,
		'invalid_token');
	is($nobody->get("/api/events?ticket=$lobby")->{status}, 200,
		'it was for the lobby, and is still good there');
	refused($viv->get(poll($id, 'ticket=')), 403, 'invalid_token');
	refused($viv->get(poll($id, 'ticket=x')), 403, 'invalid_token');
	$ticket = ticket($viv, "session:$id");
	refused($nobody->get(poll($id, "ticket=" . $ticket =~ s/\d{2}\b/99/r)),
		403, 'invalid_token');
	refused($one->get(poll($id, "ticket=$ticket")), 403, 'invalid_token');
	$db->query("UPDATE partyline.ticket SET expires_at = now()");
	refused($nobody->get(poll($id, "ticket=$ticket")), 403,
		'invalid_token');
};

subtest 'until when' => sub {
	my $id = session($ann);
	my $late = T::Client->new($server, tenant => 'den', name => 'Late');
	my $gone = T::Client->new($server, tenant => 'den', name => 'Gone');
	my $guest = T::Client->new($server, tenant => 'den', role => undef);

	$late->{token} = T::Client::token($server, 'den', name => 'Late',
		exp => int(time()) + 5);
	my $begun  = time;
	my $ticket = ticket($gone, "session:$id");
	$_->ask(GET => poll($id, 'wait=60')) for $late, $gone, $viv;
	$guest->ask(GET => poll($id, "wait=60&ticket=$ticket"));
	waiting(4);
	$db->query(q{SELECT api.emit_control(c, 'admin.revoked',
		api.name_strike(c, 'Gone')) FROM (SELECT ROW(2,NULL,NULL,'t',
		NULL,NULL,NULL)::api.ctx AS c) t});
	refused($gone->take, 403, 'invalid_token');
	refused($guest->take, 403, 'invalid_token');
	cmp_ok(time() - $begun, '<', 20, 'at once');
	refused($late->take, 403, 'invalid_token');
	is($server->count('polls_waiting'), 1, 'the other one waits');
	post($ann, $id, 1);
	is(numbers($viv->take), 1, 'and is told');
	set_den('public_read=on');
	ok(is_public(200), 'all have heard it');
};

subtest 'the database does not answer' => sub {
	my $id = session($one);
	my $may = sub { $db->query("$_[0] SELECT ON partyline.event,
		partyline.stream $_[1] partyline_server") };

	post($one, $id, 1 .. 3);
	# While somebody waits, the stream is known, and the log is read
	# again and again; where it is not known, there is nothing to try.
	$one->ask(GET => poll($id, 'wait=60'));
	waiting(1);
	$may->('REVOKE', 'FROM');
	my $other = T::Client->new($server, worker => 1);
	refused($other->get(poll($id, 'since=1&wait=60')), 503,
		'database_away');
	my $answer = $two->get(poll($id, 'wait=60'));
	refused($answer, 503, 'database_away');
	ok($answer->{headers}{'retry-after'}, 'it says when to come back');
	$other->ask(GET => poll($id, 'since=1&wait=60'));
	waiting(2);
	$may->('GRANT', 'TO');
	is(numbers($other->take), '2 3', 'who waits long enough is told');
	is(numbers($two->get(poll($id, 'since=2'))), '3', 'so is who comes');
	post($two, $id, 4);
	is(numbers($one->take), 4, 'who waited noticed nothing');
};

subtest 'who leaves is noticed' => sub {
	my $id = session($one);
	my @leaving = map { T::Http->connect($server) } 1 .. 40;
	my $ask = 'GET ' . poll($id, 'wait=60')
	    . " HTTP/1.1\r\nHost: x\r\n\r\n";
	my $open = $server->count('connections_open');

	$_->send($ask) for @leaving;
	waiting(40);
	my $begun = time;
	(pop @leaving)->close for 1 .. 20;
	ok((wait_until { $server->count('connections_open')
			    == $open - 20 } 5), 'their connections are gone');
	is($server->count('polls_waiting'), 20, 'and their polls');
	# With a question more behind it, which is not read while it waits.
	$_->send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") for @leaving;
	(pop @leaving)->close for 1 .. 10;
	ok((wait_until { $server->count('polls_waiting') == 10 } 5),
		'also if they asked more');
	post($two, $id, 1);
	is(join(' ', map { my $c = $_; $c->answer->{status} . '+'
				. $c->answer->{body} } @leaving),
		join(' ', ('200+{"status":"ok"}') x 10),
		'who stays has both answers, in order');
};

subtest 'over TLS' => sub {
	my $folder = File::Temp->newdir(TMPDIR => 1);
	my $door = T::Certificate->new;
	my $tls = T::Server->start(workers => 1, set => { $door->options });
	my $client = T::Client->new($tls);
	my $id = session($client);
	my $curl = sub {
		my ($path, $out) = @_;
		my $pid = fork // die "fork: $!\n";

		return $pid if $pid;
		open STDOUT, '>', "$folder/$out";
		exec qw(setpriv --pdeathsig KILL curl -skN -m 100),
		    'https://' . $door->address . $path;
	};
	my @pids = map { $curl->(poll($id, 'wait=60'), "out$_") } 1 .. 3;

	ok((wait_until { $tls->count('polls_waiting') == 3 }), 'they wait');
	kill TERM => $pids[0];
	waitpid $pids[0], 0;
	ok((wait_until { $tls->count('polls_waiting') == 2 } 5),
		'one left, and is not waited for');
	kill STOP => $pids[1];
	post($client, $id, 1);
	waitpid $pids[2], 0;
	is($? >> 8, 0, 'the other is answered');
	like(T::Command::slurp("$folder/out3"), qr/"seq":1/, 'with the event');
	kill KILL => $pids[1];
	waitpid $pids[1], 0;

	@pids = map { $curl->("/api/sessions/$id/stream", "out$_") } 4, 5;
	ok((wait_until { $tls->count('sse_clients') == 2 }), 'two listen');
	post($client, $id, 2);
	ok((wait_until { T::Command::slurp("$folder/out4") =~ /"seq":2/ }),
		'and hear');
	kill TERM => $pids[0];
	waitpid $pids[0], 0;
	ok((wait_until { $tls->count('sse_clients') == 1 } 5),
		'one left, and is not told any more');
	kill TERM => $tls->pid;
	waitpid $pids[1], 0;
	is($? >> 8, 0, 'the other has a whole answer');
	like(T::Command::slurp("$folder/out5"), qr/event: closing\n.*\n\n\z/,
		'to its end');
};

subtest 'a place among the connections' => sub {
	set_den('max_connections=2');
	ok((wait_until { $ann->hang_up; $ann->get('/api/events')->{headers} }),
		'set');
	my $id = session($ann);
	my @others = map { T::Client->new($server, tenant => 'den',
			role => undef) } 1, 2, 3;
	my $refused = wait_until {
		$_->hang_up for @others;
		$_->ask(GET => poll($id, 'wait=60')) for @others[0, 1];
		my $answer = $others[2]->get('/api/events');
		$answer->{status} == 429 && $answer;
	};
	refused($refused || {}, 429, 'too_many_tenant_connections');
	$_->hang_up for @others, $ann;
	set_den('max_connections=');
};

subtest 'its worker leaves' => sub {
	my $id = session($one);

	$one->ask(GET => poll($id, 'since=0&wait=60'));
	waiting(1);
	$server->hup;
	my $answer = $one->take;
	is($answer->{status} . '|' . numbers($answer), '200|', 'nothing yet');
	is($answer->{headers}{connection}, 'close', 'and come again');
	my ($next, $writer) = map { T::Client->new($server) } 1, 2;
	$next->ask(GET => poll($id, 'since=0&wait=60'));
	post($writer, $id, 1);
	is(numbers($next->take), '1', 'to the next one, from where it was');
};

subtest 'the server stops' => sub {
	my $client = T::Client->new($server);
	my $id = session($client);

	$client->ask(GET => poll($id, 'wait=60'));
	waiting(1);
	my $begun = time;
	$server->note_counts;
	$server->signal('TERM');
	my $answer = $client->take;
	is($answer->{status} . '|' . numbers($answer), '200|',
		'it is answered');
	cmp_ok(time() - $begun, '<', 20, 'before its time');
};

done_testing;
