#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The tabletop over Socket.IO, with players on either of two workers: who is
# let in, joining and leaving in each dialect, chat, tokens, dice, what is
# asked, limits, and rights that end.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::AsyncApi;
use T::Client;
use T::Server;
use T::SocketIo;
use T::Tabletop;
use T::Wait;

my $server = T::Server->start(wait => 'readyz', workers => 2, set => {
	tabletop_moves => 12, tabletop_edits => 8, tabletop_messages => 60 });
my ($ann, $bert, $cleo) = T::Tabletop::users($server, qw(Ann Bert Cleo));
my $root = T::Tabletop::make($server, 'Root', admin => 1);
my $time = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;

# A session that Ann leads, and Bert plays in.
sub session {
	my ($name) = @_;
	my $id = $ann->post('/api/tabletop/sessions', { name => $name })
	    ->{json}{id};

	is($ann->post("/api/tabletop/sessions/$id/members",
		{ userId => $bert->{id} })->{status}, 200, "$name is there");
	return $id;
}

sub encounter {
	my ($session) = @_;

	return $ann->post("/api/tabletop/sessions/$session/encounters",
		{ name => 'Cave' })->{json}{id};
}

sub refusal { return { success => JSON::PP::false, error => $_[0] } }

my $den = session('Den');

subtest 'who is let in' => sub {
	my $enter = sub {
		my ($cookie, %headers) = @_;
		my $client = T::SocketIo->connect($server, headers => {
			(defined $cookie ? (Cookie => $cookie) : ()),
			%headers });

		return eval { $client->enter('/') } // $@;
	};
	my $refused = qr/\A\Qnot let in: 4{"message":"Authentication re/;
	my $good = $ann->{cookie};

	like($enter->($good), qr/\A[\w-]{20}\z/, 'with a login');
	like($enter->("a=b; $good; c=d"), qr/\A[\w-]{20}\z/, 'among others');
	like($enter->($good =~ s/=s:/=s%3A/r), qr/\A[\w-]{20}\z/,
		'written as others write it');
	like($enter->(undef), qr/\A[\w-]{20}\z/, 'none: it is a thread\'s');
	like($enter->($_), $refused, $_) for 'connect.sid=',
	    'connect.sid=s:x.y', $good =~ s/.\z/_/r,
	    $good =~ s/=s:(.)/'=s:' . ($1 eq 'A' ? 'B' : 'A')/er,
	    $good =~ s/s://r, "$good.x";
	like($enter->($good, Origin => 'http://test'), qr/\A[\w-]{20}\z/,
		'from a page of ours');
	my $engine = T::EngineIo->new($server, path => '/socket.io/',
		headers => { Cookie => $good, Origin => 'http://evil' });
	my $answer = $engine->get;
	is("$answer->{status} $answer->{body}",
		'403 {"code":4,"message":"Forbidden"}', 'not from others');
	my $nobody = bless { socket => T::SocketIo->connect($server),
		came => [], asked => 0 }, 'T::Tabletop::Player';
	$nobody->{socket}->enter('/');
	is_deeply($nobody->ask($_, {}), refusal('Authentication required'),
		"which may not say $_") for qw(join-session chat-message
		token:move roll get-user-data validate-action);
	my $gone = T::Tabletop::make($server, 'Gone');
	$gone->post('/api/tabletop/logout');
	like($enter->($gone->{cookie}), $refused, 'who has logged out');
};

subtest 'who may join' => sub {
	my ($a, $b) = ($ann->player(worker => 1), $bert->player(worker => 2));
	my $c = $cleo->player;
	my $joined = $a->ask('join-session', $den);

	is_deeply([@$joined{qw(success)}, @{ $joined->{data} }{qw(id name
		gameMasterId participantIds)}], [JSON::PP::true, $den, 'Den',
		$ann->{id}, [$bert->{id}]], 'the game master');
	is($b->ask('join-session', "$den")->{success}, JSON::PP::true,
		'a participant, and an id as a text');
	is_deeply($a->told('user-joined'), { userId => $bert->{id}, name =>
		'Bert', sessionId => $den, socket => $b->{sid} },
		'the others are told');
	is_deeply($c->ask('join-session', $den), refusal('Access denied: not'
		. ' a participant in this session'), 'nobody else');
	is_deeply($c->ask('join-session', $_),
		refusal('Failed to get game session'), "no session: $_")
	    for 999, 0, 'x', '9' x 30;
	$c->emit('join-session', $den);
	is_deeply($c->told('error'), { message => 'Access denied: not a'
		. ' participant in this session' }, 'or by an event');
	$c->emit('joinSession', 999, undef);
	is($c->told('error'), 'Failed to get game session', 'in its dialect');
	is($root->player->ask('joinSession', $den, undef)->{success},
		JSON::PP::true, 'an admin');
	is_deeply($a->told('user-joined')->{name}, 'Root', 'who is told of');
	is_deeply([$c->events], [], 'who is not in hears nothing');
	is_deeply($c->ask('join-session'), refusal('Invalid arguments'),
		'without anything');
};

subtest 'three dialects, one session at a time' => sub {
	my $id = session('Dialects');
	my @of = (['join-session', 'user-joined', 'user-left',
			'leave-session'],
		['joinSession', 'userJoinedSession', 'userLeftSession',
			'leaveSession'],
		['gameSession:join', 'gameSession:joined', 'gameSession:left',
			'gameSession:leave']);
	my @players = map { $ann->player(worker => 1 + $_ % 2) } 0 .. 2;

	ok($players[$_]->ask($of[$_][0], $id)->{success}, $of[$_][0])
	    for 0 .. 2;
	$_->events for @players;
	for my $row (@of) {
		my $b = $bert->player(worker => 2);

		ok($b->ask($row->[0], $id, 'actor-1')->{success}, $row->[0]);
		is_deeply($players[$_]->told($of[$_][1]), { userId =>
			$bert->{id}, name => 'Bert', sessionId => $id,
			actorId => 'actor-1', socket => $b->{sid} },
			$of[$_][1]) for 0 .. 2;
		$b->emit($row->[3], $id);
		is_deeply($players[$_]->told($of[$_][2]), { userId =>
			$bert->{id}, name => 'Bert', sessionId => $id,
			actorIds => ['actor-1'], characterNames => [],
			socket => $b->{sid} }, $of[$_][2]) for 0 .. 2;
		is_deeply([$b->events], [], 'he himself is not told');
	}
	my $b = $bert->player;
	$b->ask('join-session', $id);
	ok($b->ask('join-session', $den)->{success}, 'into another one');
	ok($players[0]->told('user-left'), 'is out of the first');
	$b->{socket}{ws}{http}->close;
	my $again = $bert->player;
	ok($again->ask('join-session', $id)->{success},
		'who was cut off is a member still');
	$again->{socket}->say('1');
	ok($players[2]->told('gameSession:left'), 'who goes is told of');
};

subtest 'chat' => sub {
	my $id = session('Chat');
	my ($a, $b) = ($ann->player(worker => 1), $bert->player(worker => 2));
	my $c = $cleo->player;
	my $old = $ann->player(worker => 2);

	$_->ask('join-session', $id) for $a, $b;
	$old->ask('joinSession', $id, undef);
	$_->events for $a, $b;
	my $answer = $b->ask('chat-message', { sessionId => $id, message =>
		"h\x{e9}llo", color => [1, 'red'] });
	like($answer->{data}{timestamp}, $time, 'when');
	my $heard = $a->told('chat-message');
	is_deeply([@$heard{qw(id sessionId message userId name timestamp
		color)}], [$answer->{data}{id}, $id, "h\x{e9}llo", $bert->{id},
		'Bert', $answer->{data}{timestamp}, [1, 'red']],
		'the others hear it, with all that was said');
	my ($metadata, $message) = $old->told('chat');
	is($message, "h\x{e9}llo", 'in the other dialect, too');
	is_deeply([@$metadata{qw(sender recipient)}], [{ type => 'user',
		id => $bert->{id} }, { type => 'session', id => $id }],
		'from whom to whom');
	is_deeply([$b->events], [], 'but not who said it');
	ok($old->ask('chat', { recipient => { type => 'session', id => "$id" },
		sender => { type => 'system' } }, 'from of old')->{success},
		'the other way round');
	is($_->told('chat-message')->{metadata}{sender}{type}, 'user',
		'nobody can say that he is another') for $a, $b;
	is_deeply($c->ask('chat-message', { sessionId => $id, message => 'x' }),
		refusal('Access denied: not in session'), 'members alone');
	is_deeply($b->ask('chat-message', $_), refusal('Invalid message'),
		'no message') for {}, { sessionId => $id },
	    { sessionId => $id, message => '' },
	    { sessionId => $id, message => 7 },
	    { sessionId => $id, message => 'x' x 40001 };

	ok($a->ask('chat', { recipient => { type => 'user', id =>
		$cleo->{id} } }, 'psst')->{success}, 'to one alone');
	is($c->told('chat-message')->{message}, 'psst', 'who hears it');
	is_deeply([$b->events], [], 'and nobody else');
	is_deeply($a->ask('chat', { recipient => { type => 'user', id =>
		999 } }, 'psst'), refusal('User not found'), 'nobody');
	ok($old->ask('chat', { recipient => { type => 'actor', id => 'orc' } },
		'grunt')->{success}, 'to an actor');
	ok($b->ask('join-session', $id, 'orc')->{success}, 'who is played');
	ok($old->ask('chat', { recipient => { type => 'actor', id => 'orc' } },
		'grunt')->{success}, 'by then');
	is($b->told('chat-message')->{message}, 'grunt', 'hears it');

	my $path = "/api/tabletop/sessions/$id/chat";
	my $history = $bert->get($path)->{json};
	is_deeply([map { $_->{message} } @$history], ["h\x{e9}llo",
		'from of old'], 'the history has what was said to all');
	is_deeply([map { $_->{message} } @{ $bert->get("$path?limit=1"
		. "&before=$history->[1]{id}")->{json} }], ["h\x{e9}llo"],
		'page by page');
	is($cleo->get($path)->{status}, 403, 'for members');
};

subtest 'tokens' => sub {
	my $id = session('Tokens');
	my $cave = encounter($id);
	my ($a, $b) = ($ann->player(worker => 1), $bert->player(worker => 2));
	my $old = $ann->player(worker => 1);
	my $c = $cleo->player;
	my %at = (sessionId => $id, encounterId => $cave);

	$_->ask('join-session', $id) for $a, $b;
	$old->ask('joinSession', $id, undef);
	$_->events for $a, $b;
	my $made = $a->ask('token:create', { %at, tokenData => { name => 'Orc',
		size => 'large', position => { x => 1, y => 2, elevation =>
			0.5 }, isVisible => \1, data => { hp => 7 } } });
	my $token = $made->{tokenId};
	is_deeply([@{ $made->{token} }{qw(id name size encounterId version
		createdBy data)}], [$token, 'Orc', 'large', $cave, 1,
		$ann->{id}, { hp => 7 }], 'made');
	my $heard = $b->told('token:created');
	is_deeply([@$heard{qw(encounterId userId token)}], [$cave, $ann->{id},
		$made->{token}], 'told');
	like($heard->{timestamp}, $time, 'when');
	ok($old->told('token:created'), 'to all');

	my $moved = $b->ask('token:move', { %at, tokenId => $token, userId =>
		$ann->{id}, position => { x => 3, y => 4, elevation => 0 } });
	is_deeply([@$moved{qw(success tokenId position)}], [JSON::PP::true,
		$token, { x => 3, y => 4, elevation => 0 }],
		'who plays may move it');
	$heard = $a->told('token:moved');
	is_deeply([@$heard{qw(tokenId encounterId position userId)}], [$token,
		$cave, $moved->{position}, $bert->{id}], 'told, and who did');
	$old->ask('token:move', { %at, tokenId => $token, position =>
		{ x => 1, y => 1 } });
	is(() = grep({ $_->[0] eq 'token:moved' } $old->events), 2,
		'in that dialect who does it hears it, too');
	is_deeply([map { $_->[0] } $b->events], ['token:moved'],
		'in this one only the others do');
	$a->events;

	is_deeply($b->ask('token:update', { %at, tokenId => $token, updates =>
		{ name => 'X' } }), refusal('Access denied'), 'not of others');
	is($b->told('encounter:error')->{error}, 'Access denied',
		'told as well');
	is($a->ask('token:update', { %at, tokenId => $token, updates =>
		{ name => 'King', size => 'huge' } })->{token}{name}, 'King',
		'by who leads');
	is($b->told('token:updated')->{token}{version}, 4,
		'each change counts');
	is_deeply($c->ask('token:move', { %at, tokenId => $token, position =>
		{ x => 1, y => 1 } }), refusal('Access denied: not in session'),
		'nobody else moves it');
	is_deeply([$c->events], [], 'which the answer alone says');
	is_deeply($a->ask('token:move', { %at, tokenId => $token, position =>
		$_ }), refusal('Invalid position'), 'there is no such place')
	    for { x => -1, y => 0 }, { x => 0 };
	is($a->told('encounter:error')->{code}, 'TOKEN_MOVE_FAILED', 'a code');
	is_deeply($a->ask('token:move', { %at, tokenId => 999, position =>
		{ x => 1, y => 1 } }), refusal('Token not found'), 'nor token');
	is_deeply($a->ask('token:create', { %at, tokenData => {} }),
		refusal('Failed to create token'), 'it has to have a name');

	my $valid = sub {
		return $_[0]->ask('validate-action', { %at, tokenId => $token,
			position => { x => 1, y => 1 }, action => $_[1] })
		    ->{data};
	};
	is_deeply($valid->($b, 'token:move'), { valid => JSON::PP::true,
		errors => [] }, 'what he may');
	is_deeply($valid->($b, 'token:delete'), { valid => JSON::PP::false,
		errors => ['Access denied'] }, 'what he may not');
	my %whole = (name => 'Elf', position => { x => 1, y => 1 });
	my $may = sub {
		my ($action, %given) = @_;

		return $a->ask('validate-action', { %at, tokenId => $token,
			action => $action, %given })->{data}{errors}[0] // '';
	};
	is($may->('token:create', tokenData => { %whole }), '', 'to make');
	is($may->('token:create', tokenData => { %whole, size => 'flat' }),
		'Invalid token', 'as the operation has it');
	is($may->('token:create', tokenData => { %whole, position => {} }),
		'Invalid position', 'all of it');
	is($may->('token:create'), 'Invalid token', 'nothing');
	is($may->('token:update', updates => { name => 'Elf' }), '',
		'to change');
	is($may->('token:update', updates => { name => 7 }), 'Invalid token',
		'as the operation has that');
	is_deeply($valid->($c, 'attack')->{errors},
		['Access denied: not in session'], 'nor anybody else');
	is($ann->get("/api/tabletop/encounters/$cave/tokens")->{json}[0]
		{version}, 4, 'none of which did anything');

	is($a->ask('token:delete', { %at, tokenId => $token })->{tokenId},
		$token, 'taken away');
	is($b->told('token:deleted')->{tokenId}, $token, 'told');
	is_deeply($ann->get("/api/tabletop/encounters/$cave/tokens")->{json},
		[], 'it is gone');
};

subtest 'dice and hands' => sub {
	my $id = session('Dice');
	my ($a, $b) = ($ann->player(worker => 1), $bert->player(worker => 2));
	my $c = $cleo->player;

	$_->ask('join-session', $id) for $a, $b;
	$_->events for $a, $b;
	$b->emit('diceRoll', { formula => '3d6+2', why => 'luck' });
	my ($here, $there) = map { $_->told('diceRoll') } $a, $b;
	is_deeply($here, $there, 'all see the same');
	is($here->{why}, 'luck', 'and why');
	my $total = 2;
	$total += $_->{result} for @{ $here->{result}{rolls} };
	is_deeply([@{ $here->{result} }{qw(formula total userId)},
		scalar @{ $here->{result}{rolls} }], ['3d6+2', $total,
		$bert->{id}, 3], 'as it was asked for');
	is((grep { $_->{die} != 6 || $_->{result} < 1 || $_->{result} > 6 }
		@{ $here->{result}{rolls} }), 0, 'each on a side');
	is_deeply($b->ask('roll', { formula => 'd20', gameSessionId => $id }),
		{ success => JSON::PP::true }, 'the other way');
	is($_->told('roll-result')->{gameSessionId}, $id, 'told')
	    for $a, $b;
	is_deeply($c->ask('roll', { formula => 'd20', gameSessionId => $id }),
		refusal('Not authorized for this game session'), 'by members');
	is_deeply($b->ask('roll', { formula => 'd20', gameSessionId => 999 }),
		refusal('Game session not found'), 'of a session');
	is_deeply($b->ask('roll', { formula => 'd20', gameSessionId => -$id }),
		refusal('Game session not found'), 'of a session');
	is_deeply($b->ask('diceRoll', {}),
		refusal('No dice formula provided'), 'nothing');
	$b->emit('diceRoll', { formula => '0d6' });
	is_deeply($b->told('error'), { message =>
		'Failed to process dice roll' }, 'no such dice');

	$b->emit('move', { gameSessionId => $id, position => { x => 1.25,
		y => 2 }, actorId => 'orc' });
	is_deeply($a->told('move'), { gameSessionId => $id, actorId => 'orc',
		position => { x => 1.25, y => 2 } }, 'a hand, as it came');
	is_deeply([$b->events], [], 'to the others');
	$c->emit('move', { gameSessionId => $id, position => {} });
	is($c->told('error'), 'Failed to process move', 'by who is in');
};

subtest 'who he is' => sub {
	my $player = $bert->player;
	my $data = $player->ask('get-user-data')->{data};

	is_deeply([@$data{qw(id name isAdmin)}], [$bert->{id}, 'Bert',
		JSON::PP::false], 'his profile');
	is($data->{sessions}[0]{name}, 'Den', 'and where he plays');
	is_deeply($player->ask('get-user-data', {})->{data}, $data, 'asked so');
};

subtest 'limits are answered' => sub {
	my $dora = T::Tabletop::make($server, 'Dora');
	my $id = $dora->post('/api/tabletop/sessions', { name => 'Dora' })
	    ->{json}{id};
	my $cave = $dora->post("/api/tabletop/sessions/$id/encounters",
		{ name => 'Cave' })->{json}{id};
	my @players = map { $dora->player(worker => $_) } 1, 2;
	my %at = (sessionId => $id, encounterId => $cave);
	my $create = sub {
		return $players[$_[0] % 2]->ask('token:create', { %at,
			tokenData => { name => 'Orc', position => { x => 1,
				y => 1 } } });
	};

	ok($create->($_)->{success}, "$_ of 8") for 1 .. 8;
	is_deeply($create->(1), refusal('Rate limit exceeded'),
		'over both workers');
	my $error = $players[1]->told('encounter:error');
	is("$error->{error} $error->{code}", 'Rate limit exceeded RATE_LIMIT',
		'told as well');
	my $move = sub {
		return $players[0]->ask('token:move', { %at, tokenId => 1,
			position => { x => 1, y => 1 } });
	};
	$move->() for 1 .. 12;
	is_deeply($move->(), refusal('Rate limit exceeded'), 'moves as well');
	my $said;
	for (1 .. 61) {
		$said = $players[0]->ask('diceRoll', { formula => 'd6' });
	}
	is_deeply($said, refusal('Rate limit exceeded'), 'and all else');
};

subtest 'rights that end' => sub {
	my $id = session('Ends');
	my ($a, $b) = ($ann->player(worker => 1), $bert->player(worker => 2));

	$_->ask('join-session', $id) for $a, $b;
	is($ann->delete("/api/tabletop/sessions/$id/members/$bert->{id}")
		->{status}, 200, 'a member is removed');
	is_deeply($b->told('error'), { message => 'Access denied: not a'
		. ' participant in this session' }, 'told');
	is($a->told('user-left')->{userId}, $bert->{id}, 'so are the others');
	$a->ask('chat-message', { sessionId => $id, message => 'secret' });
	is_deeply([grep { $_->[0] eq 'chat-message' } $b->events], [],
		'he hears nothing any more');
	is($ann->patch("/api/tabletop/sessions/$id", { status => 'paused' })
		->{status}, 200, 'a change');
	is($a->told('session-updated')->{session}{status}, 'paused', 'told');
	is($ann->delete("/api/tabletop/sessions/$id")->{status}, 200,
		'the session is removed');
	is_deeply($a->told('error'), { message => 'Game session not found' },
		'told');
	is($ann->post('/api/tabletop/logout')->{status}, 204, 'logged out');
	ok($a->{socket}->is_over, 'is cut off');
	$ann->login;
	ok($ann->player->ask('join-session', $den)->{success}, 'and back');
};

subtest 'what is stored is as it is described' => sub {
	my @events = split /\n/, $server->db->query("SELECT payload
		FROM partyline.event WHERE stream ~ '^(table|user):'");

	T::AsyncApi::received($_) for @events;
	cmp_ok(scalar @events, '>', 50, 'all of it');
};

unlike($server->log_text, qr/"level":"error"/, 'nothing is amiss');
done_testing;
