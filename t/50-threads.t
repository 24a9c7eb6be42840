#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Threads' clients: who registers gets each event once, what waited comes
# behind session_registered and once, whoever is killed; the sweep; and who is
# registered where, over workers and hosts.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Client;
use T::Command;
use T::Http;
use T::OwnRedis;
use T::Responder;
use T::Server;
use T::SocketIo;
use T::Turn;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;
my $key = 'debug_websocket_key';
my $stamp = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;
my $true = JSON::PP::true;
my $false = JSON::PP::false;
my $responder = T::Responder->start;

sub start {
	my (%options) = @_;
	my $is_second = delete $options{is_second};
	my $server = T::Server->start(wait => 'readyz', workers => 2,
		%options, set => { outgoing_allow => '127.0.0.0/8',
		debug_key => $key, %{ $options{set} // {} } });

	T::Client::wait_for_workers($server);
	$server->db->query("UPDATE partyline.tenant SET responder_url = '"
		. $responder->url('/words/0') . "' WHERE id = 1")
	    if !$is_second;
	return $server;
}

# A socket that is let in: its sid is in {sid}.
sub socket_of {
	my ($server, %options) = @_;
	my $socket = T::SocketIo->connect($server, %options);

	$socket->{sid} = $socket->enter('/');
	return $socket;
}

# The next event: name and payload, or nothing.
sub event {
	my ($socket, $seconds) = @_;
	my $said = $socket->hear($seconds) // return;

	return ('', $said) if $said !~ /\A2(\[.*)\z/s;
	return @{ $json->decode($1) };
}

# Up to one of that name, which comes last.
sub events_to {
	my ($socket, $wanted, $seconds) = @_;
	my @all;

	while (my ($name, $payload) = event($socket, $seconds)) {
		push @all, [$name, $payload];
		return @all if $name eq $wanted;
	}
	fail("no $wanted after " . join ' ', map { $_->[0] } @all);
	return @all;
}

sub say {
	my ($socket, $name, @arguments) = @_;

	$socket->say('2' . $json->encode([$name, @arguments]));
	return;
}

sub answer {
	my ($socket, $name, @arguments) = @_;

	$socket->say('277' . $json->encode([$name, @arguments]));
	my $said = $socket->hears(qr/\A3/) // die "no answer to $name\n";
	return $json->decode($said =~ s/\A377//r);
}

# Registered: what it was told then.
sub register {
	my ($socket, $thread) = @_;

	say($socket, 'register_session', { thread_id => $thread });
	return (events_to($socket, 'session_registered'))[-1][1];
}

sub ask {
	my ($server, $thread, $words, %options) = @_;
	my $turn = T::Turn->ask(T::Client->new($server, worker => 2,
		role => undef), '/havefun', { thread_id => $thread,
		user_input => $words, use_websocket => $true });

	return $turn if $options{is_open};
	$turn->rest;
	return;
}

# What was analysed, until there are so many.
sub words {
	my ($socket, $count) = @_;
	my @words;

	while (@words < $count) {
		my ($name, $payload) = event($socket) or last;
		push @words, $payload->{content} if $name eq 'analysis_update';
	}
	return join ' ', @words;
}

sub debug {
	my ($server, $path, %headers) = @_;
	my $answer = T::Http->get($server, "/debug/$path", %headers);

	$answer->{json} = eval { $json->decode($answer->{body}) };
	return $answer;
}

# What nobody was told is still there when all is said: it comes with this.
sub is_quiet {
	my ($socket, $what) = @_;
	my @more = grep { $_->[0] eq 'analysis_update' }
	    events_to_answer($socket);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_deeply(\@more, [], $what);
}

sub events_to_answer {
	my ($socket) = @_;
	my @all;

	$socket->say('299["system_ping_response",{}]');
	while (defined(my $said = $socket->hear)) {
		return @all if $said =~ /\A399/;
		push @all, $json->decode($said =~ s/\A2//r)
		    if $said =~ /\A2\[/;
	}
	return @all;
}

my $server = start(set => { thread_queue => 5, log_legacy => 'on' });

for my $by (@T::SocketIo::by) {
	subtest "a socket by $by" => sub {
		my $socket = socket_of($server, by => $by, worker => 1);
		my ($name, $told) = event($socket);

		is($name, 'connected', 'it is told so, behind its sid');
		like(delete $told->{server_time}, $stamp, 'with the time');
		is_deeply($told, { status => 'connected', transport => $by,
			session_id => $socket->{sid} }, 'and who it is');
		is_deeply(register($socket, "by $by"), { status => 'ready',
			thread_id => "by $by", session_id => $socket->{sid},
			transport => $by, is_in_room => $true },
			'registered');
		my ($pong) = @{ answer($socket, 'ping', { timestamp => 'x',
			client_info => { name => 'x' } }) };
		like(delete $pong->{timestamp}, $stamp, 'a pong with the time');
		is_deeply($pong, { pong => $true, session_id => $socket->{sid},
			thread_id => "by $by", transport => $by },
			'and who it is for');
		my ($ack) = @{ answer($socket, 'system_ping_response', {}) };
		is($ack->{status}, 'acknowledged', 'a system pong');
		ask($server, "by $by", 'one two three');
		is(words($socket, 3), 'one two three', 'what is for it');
		is_quiet($socket, 'each once');
		is_deeply(answer($socket, 'register_session',
			{ thread_id => "by $by" }), [], 'who wants an answer');
		is((events_to($socket, 'session_registered'))[-1][1]{status},
			'ready', 'registered once more');
		is_quiet($socket, 'and told nothing again');
	};
}

subtest 'all kinds of events' => sub {
	my $socket = socket_of($server);
	my $db = $server->db;

	register($socket, 'kinds');
	$db->query("UPDATE partyline.tenant SET responder_url = '"
		. $responder->url('/lesson') . "' WHERE id = 1");
	T::Turn->ask(T::Client->new($server, worker => 1, role => undef),
		'/conversation/learning', { thread_id => 'kinds',
		use_websocket => $true })->rest;
	is(join(' ', map { (event($socket))[0] } 1 .. 5), 'analysis_update '
		. 'learning_intent learning_knowledge knowledge next_action',
		'by their names');
	$db->query("UPDATE partyline.tenant SET responder_url = '"
		. $responder->url('/words/0') . "' WHERE id = 1");
};

subtest 'names of threads' => sub {
	my $socket = socket_of($server);
	my $long = "\x{263a}" x 200;

	say($socket, 'register_session');
	like((events_to($socket, 'session_registered'))[-1][1]{thread_id},
		qr/^thread_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{21}\z/,
		'one is made where none is given');
	is(register($socket, $long)->{thread_id}, $long, 'a long one');
	for my $bad ($long . 'x', "a\0b") {
		say($socket, 'register_session', { thread_id => $bad });
		is_deeply((events_to($socket, 'error'))[-1][1], { message =>
			'Invalid thread_id or user_id' }, 'one that cannot be');
	}
};

subtest 'rooms' => sub {
	my $socket = socket_of($server);

	is_deeply(answer($socket, 'force_room_join', {}), [], 'no name');
	is_deeply((events_to($socket, 'error'))[-1][1],
		{ message => 'Missing thread_id parameter' }, 'is told so');
	say($socket, 'force_room_join', { thread_id => 'room' });
	is_deeply((events_to($socket, 'room_joined'))[-1][1], { thread_id =>
		'room', session_id => $socket->{sid}, success => $true },
		'joined');
	ask($server, 'room', 'a b');
	is(words($socket, 2), 'a b', 'and told');
	register($socket, 'elsewhere');
	ask($server, 'room', 'c');
	ask($server, 'elsewhere', 'd');
	is(words($socket, 1), 'd', 'another thread: the former is left');
};

subtest 'what waits' => sub {
	my $dropped = $server->count('thread_dropped') // 0;

	ask($server, 'later', 'one two three four');
	ask($server, 'later', 'five six seven');
	my $socket = socket_of($server, worker => 1);
	event($socket);
	is_deeply(register($socket, 'later')->{missed_messages},
		{ available => $true, count => 5 }, 'how much it is');
	my @told = events_to($socket, 'missed_messages_delivered');
	is(join(' ', map { $_->[1]{content} // $_->[0] } @told), 'three four '
		. 'five six seven missed_messages_delivered',
		'the newest, in order, behind session_registered');
	is_deeply($told[-1][1], { count => 5, thread_id => 'later' },
		'and that it is all');
	is($server->count('thread_dropped'), $dropped + 2,
		'the others are counted');
	is($server->db->query("SELECT dropped FROM partyline.thread
		WHERE name = 'later'"), 2, 'in the thread, too');
	my $other = socket_of($server, worker => 2);
	is(register($other, 'later')->{missed_messages}, undef,
		'nothing waits for the next one');
	ask($server, 'later', 'eight');
	is(words($_, 1), 'eight', 'both are told') for $socket, $other;
	is_quiet($_, 'once') for $socket, $other;
};

subtest 'asking for what waits' => sub {
	my $socket = socket_of($server);

	ask($server, 'asked', 'one two');
	say($socket, 'request_missed_messages', {});
	say($socket, 'request_missed_messages', { thread_id => 'asked' });
	is(words($socket, 2), 'one two', 'each is an event of its own');
	wait_until { $server->db->query("SELECT told FROM partyline.thread
		WHERE name = 'asked'") > 0 };
	for my $thread ('asked', 'never') {
		say($socket, 'request_missed_messages',
			{ thread_id => $thread });
		is_deeply((events_to($socket, 'missed_messages_status'))[-1][1],
			{ status => 'none', thread_id => $thread },
			"nothing: $thread");
	}
	register($socket, 'asked');
	say($socket, 'request_missed_messages', { thread_id => 'asked' });
	is((events_to($socket, 'missed_messages_status'))[-1][1]{status},
		'none', 'of its own thread neither');
};

subtest 'whose it is' => sub {
	my $tabletop = socket_of($server);

	for my $name (qw(join-session chat token:move get-user-data)) {
		is_deeply(answer($tabletop, $name, 'x'), [{ success => $false,
			error => 'Authentication required' }], $name);
	}
	my $with = T::SocketIo->connect($server, headers => { Cookie =>
		'connect.sid=s%3Ano' });
	$with->say('0');
	is($with->hear, '4{"message":"Authentication required"}',
		'a cookie that is none');
	my $set = T::Command::partyline('tenant', 'set', 'default',
		'threads=off', '--set', 'database_url=' . $server->db->url);
	is($set->{exit}, 0, 'without threads') or diag $set->{err};
	ok((wait_until {
		my @without = map { T::SocketIo->connect($server,
			worker => $_) } 1, 2;

		$_->say('0') for @without;
		2 == grep { $_->hear eq '4{"message":"Authentication '
			. 'required"}' } @without;
	}), 'nobody comes without a cookie');
	T::Command::partyline('tenant', 'set', 'default', 'threads=on',
		'--set', 'database_url=' . $server->db->url);
	ok((wait_until { eval { socket_of($server, worker => 1)
		&& socket_of($server, worker => 2) } }), 'and again');
};

subtest 'who is where' => sub {
	my @sockets = map { socket_of($server, worker => $_) } 1, 2, 2;

	register($_, 'seen') for @sockets;
	answer($sockets[0], 'ping', { client_info => { a => [1] } });
	my $seen = debug($server,
		"thread-sessions?thread_id=seen&api_key=$key");
	is($seen->{json}{active_session_count}, 3, 'over workers');
	is_deeply([sort map { $_->{session_id} }
		@{ $seen->{json}{active_sessions} }],
		[sort map { $_->{sid} } @sockets], 'all of them');
	my ($first) = grep { $_->{session_id} eq $sockets[0]{sid} }
	    @{ $seen->{json}{active_sessions} };
	like(delete $first->{$_}, $stamp, $_)
	    for qw(connected_at last_activity last_ping);
	is_deeply($first, { thread_id => 'seen', user_id => 'thefusionlab',
		status => 'ready', transport => 'websocket',
		remote_addr => '127.0.0.1', is_in_socketio => $true,
		is_in_room => $true, pre_registered => $false,
		reconnected => $false, has_pending_request => $false,
		client_info => { a => [1] }, session_id => $sockets[0]{sid},
		map { $_ => undef } qw(server_ping system_ping_response
		api_request_time yielding_timestamp) }, 'and what they are');
	is_deeply(debug($server, "thread-sessions?thread_id=no&api_key=$key")
		->{json}, { thread_id => 'no', active_session_count => 0,
		active_sessions => [] }, 'a thread that nobody has');
	say($sockets[1], 'debug_socket_status');
	my $status = (events_to($sockets[1], 'debug_status'))[-1][1];
	like(delete $status->{timestamp}, $stamp, 'a status');
	is_deeply($status, { session_id => $sockets[1]{sid},
		thread_id => 'seen', session_count => 3, is_registered => $true,
		thread_counts => { seen => 3 } }, 'of its own thread');
	ask($server, 'unseen', 'a b');
	my $all = debug($server, "all-sessions?api_key=$key")->{json};
	cmp_ok($all->{socketio_sessions}{total}, '>=', 3, 'all sockets');
	ok((grep { $_ eq 'seen' }
		@{ $all->{socketio_sessions}{active_threads} }),
		'and their threads');
	is($all->{undelivered_messages}{counts}{unseen}, 2, 'what waits');
	ok((grep { $_ eq 'unseen' } @{ $all->{undelivered_messages}{threads} }),
		'for whom');
	is(debug($server, "websocket-sessions?api_key=$key")
		->{json}{total_sessions}, $all->{socketio_sessions}{total},
		'each of them');
	$sockets[2]->say('1');
	ok((wait_until { debug($server,
		"thread-sessions?thread_id=seen&api_key=$key")
		->{json}{active_session_count} == 2 }), 'one has left');
};

subtest 'who may look' => sub {
	refused(debug($server, "thread-sessions?api_key=$key"), 400,
		'thread_id_required',
		error => 'thread_id parameter is required');
	for my $path ('all-sessions', 'websocket-sessions?api_key=x',
		'thread-sessions?thread_id=a') {
		refused(debug($server, $path), 401, 'debug_key_required',
			error => 'Unauthorized');
	}
	my $admin = T::Client->new($server, worker => 1);
	is($admin->get('/debug/all-sessions')->{status}, 200,
		'an admin\'s token');
	like($server->log_text, qr/\[SESSION_TRACE\] Session registered: SID=/,
		'operators see it');
	unlike($server->log_text, qr/\Q$key\E/, 'but not the key');
};

subtest 'files for pages' => sub {
	for my $name (qw(session_monitor.js example-usage.js socket.js)) {
		my $file = T::Http->get($server, "/clients/$name");

		is($file->{status}, 200, $name);
		like($file->{headers}{'content-type'}, qr{^text/javascript},
			'a script');
	}
	like(T::Http->get($server, '/clients/example.html')->{headers}
		{'content-security-policy'}, qr/script-src 'self'/,
		'a page and its policy');
	is(T::Http->get($server, '/clients/none.js')->{status}, 404,
		'what is not there');
};

subtest 'a killed worker' => sub {
	my $count = 120;
	my $turn;
	my @heard;

	$server->db->query("UPDATE partyline.tenant SET responder_url = '"
		. $responder->url('/words/20') . "' WHERE id = 1");
	my $socket = socket_of($server, worker => 1);
	register($socket, 'killed');
	$turn = ask($server, 'killed', join(' ', 1 .. $count), is_open => 1);
	push @heard, words($socket, 5);
	kill KILL => $server->worker_pid(1);
	$socket->is_over;
	push @heard, grep { defined } map { /content":"(\d+)"/ }
	    @{ $socket->{heard} };
	$socket = socket_of($server, worker => 2);
	register($socket, 'killed');
	push @heard, words($socket,
		$count - ($heard[-1] =~ /(\d+)\z/)[0]);
	is("@heard", join(' ', 1 .. $count), 'each once, in order');
	$turn->rest;
	ok((wait_until { ($server->worker_pid(1) // 0) > 0 }), 'it is back');
};

# A client that polls, and asks for nothing at the moment.
subtest 'what was queued in a killed worker' => sub {
	my $socket = socket_of($server, worker => 1, by => 'polling');
	my $told = $server->count('thread_events');

	register($socket, 'queued');
	ask($server, 'queued', 'one two');
	is(words($socket, 2), 'one two', 'it is told');
	ask($server, 'queued', 'three four');
	ok((wait_until { $server->count('thread_events') >= $told + 4 }),
		'and there is more for it');
	kill KILL => $server->worker_pid(1);
	$socket = socket_of($server, worker => 2);
	register($socket, 'queued');
	is(words($socket, 2), 'three four', 'which comes elsewhere');
	ok((wait_until { ($server->worker_pid(1) // 0) > 0 }), 'it is back');
};

# It asked for what was queued, has it, and then its worker dies.
subtest 'what has just left a killed worker' => sub {
	for my $round (1 .. 5) {
		my $socket = socket_of($server, worker => 1, by => 'polling');
		my $told = $server->count('thread_events');
		my $name = "left $round";

		register($socket, $name);
		ask($server, $name, 'one two');
		ok((wait_until { $server->count('thread_events') >= $told + 2
			}), 'it is queued');
		my $pid = $server->worker_pid(1);
		is(words($socket, 2), 'one two', 'it is asked for');
		kill KILL => $pid;
		$socket = socket_of($server, worker => 2);
		register($socket, $name);
		ask($server, $name, 'three');
		is(words($socket, 1), 'three', 'and does not come again');
		ok((wait_until { ($server->worker_pid(1) // $pid) != $pid }
			20), 'it is back');
	}
};

subtest 'a stopped server' => sub {
	my $db = $server->db;

	ask($server, 'restarted', 'one two');
	my $again;
	undef $server;
	$again = start(database_url => $db->url);
	my $socket = socket_of($again);
	register($socket, 'restarted');
	is(words($socket, 2), 'one two', 'it still waits');
};

subtest 'the sweep' => sub {
	my $swept = start(set => { thread_sweep => '100ms',
		thread_ping_after => '400ms', thread_drop_after => '1200ms' });
	my $socket = socket_of($swept);

	register($socket, 'quiet');
	my ($ping) = events_to($socket, 'system_ping');
	is_deeply([sort keys %{ $ping->[1] }], [qw(message timestamp)],
		'it is asked');
	is($ping->[1]{message}, 'Session activity check', 'in those words');
	answer($socket, 'system_ping_response', {});
	is(debug($swept, "thread-sessions?thread_id=quiet&api_key=$key")
		->{json}{active_session_count}, 1, 'who answers stays');
	ok((wait_until { debug($swept,
		"thread-sessions?thread_id=quiet&api_key=$key")
		->{json}{active_session_count} == 0 }), 'who does not is gone');
	is(answer($socket, 'ping')->[0]{thread_id}, undef,
		'but connected, without a thread');
	ask($swept, 'quiet', 'one');
	is_deeply(register($socket, 'quiet')->{missed_messages},
		{ available => $true, count => 1 }, 'what came waits');
	is(words($socket, 1), 'one', 'until it registers again');
	ok($swept->count($_) > 0, $_)
	    for qw(thread_sessions_dropped thread_system_pings);
};

subtest 'open to all' => sub {
	my $open = start(set => { debug_open => 'on', debug_key => '' });

	is(debug($open, $_)->{status}, 200, $_)
	    for 'all-sessions', 'thread-sessions?thread_id=x';
	refused(debug($open, 'websocket-sessions'), 404, 'not_found',
		error => 'Not found');
	my $shut = start(set => { debug_key => '' });
	refused(debug($shut, $_), 404, 'not_found', error => 'Not found')
	    for 'all-sessions', 'thread-sessions?thread_id=x';
};

subtest 'two hosts' => sub {
	my $redis = T::OwnRedis->start;
	my @set = (redis_url => $redis->url, redis_prefix => 'p');
	my $here = start(@set);
	my $there = start(@set, database_url => $here->db->url,
		is_second => 1);
	my ($one, $two) = map { socket_of($_) } $here, $there;

	register($_, 'far') for $one, $two;
	ask($there, 'far', 'a b');
	is(words($_, 2), 'a b', 'both are told') for $one, $two;
	ok((wait_until { debug($here,
		"thread-sessions?thread_id=far&api_key=$key")
		->{json}{active_session_count} == 2 }), 'and both are seen');
	$_->say('1') for $one, $two;
	ask($here, 'far', 'c');
	my $three = socket_of($there);
	register($three, 'far');
	is(words($three, 1), 'c', 'what waited on the other');
};

done_testing;
