# SPDX-License-Identifier: MIT
package T::Ecast;

# The service that knows the rooms of games, as monitors see it: rooms over
# REST, and each as a WebSocket (ecast-v0). With its oddities, which a room
# is told to have. It runs in a process of its own.
#
#	my $ecast = T::Ecast->start;
#	T::Server->start($ecast->options);
#	$ecast->make('LSBN', players => ['Alice'], key => 'bc:room');
#	$ecast->join('LSBN', 'Bob');		a player
#	$ecast->set('LSBN', state => 'Gameplay');	of the room's object
#	$ecast->tell('LSBN', opcode => 'x', result => {});	to all shards
#	$ecast->cut('LSBN');			all its sockets, without a word
#	$ecast->freeze(3);			all are silent for seconds
#	$ecast->finish('LSBN');			the room is gone
#	is($ecast->shards('LSBN'), 1);		connections at present
#	$ecast->asked(qr/rooms/);		requests so far: { path, query,
#						headers, status }
#
# What a room can be: app_tag, max_players, host (where its WebSocket is said
# to be), key (room or bc:room), and with a true value
#
#	silent_joins	nobody is told of who joins
#	no_texts	it has no textDescriptions; no_connected: nor that
#	refuses => N	shards get the error N instead of a welcome
#	closes => N	the first N connections end before the welcome
#	ails => N	the first N answers of REST are 503
#	deaf		what a shard says is not answered, nor are pings
#
# Slots never fall: who left is still counted in connections.

use strict;
use warnings;
use JSON::PP ();
use Mojo::UserAgent;
use POSIX ();
use T::Server ();
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;

# --- what a test has in hand -----------------------------------------------

sub start {
	my ($class, %options) = @_;
	my $host = T::Server::own_host();
	my $self = bless { owner => $$, host => $host,
		port => $options{port} // T::Server::free_port($host) }, $class;

	$self->{pid} = fork // die "fork: $!\n";
	if ($self->{pid} == 0) {
		my @words = ('setpriv', '--pdeathsig', 'KILL', $^X,
			(map { "-I$_" } grep { !ref } @INC), '-MT::Ecast',
			'-e', 'T::Ecast::serve(@ARGV)', $self->address);
		exec { $words[0] } @words or POSIX::_exit(127);
	}
	wait_until { eval { $self->ask('ping') } } 20 or die "no T::Ecast\n";
	return $self;
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$;
	local $?;
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

sub address { return "$_[0]{host}:$_[0]{port}" }
sub url     { return 'http://' . $_[0]->address . '/api/v2' }

# Of a server that is to find it.
sub options {
	my ($self) = @_;

	return (
		monitor_url    => $self->url,
		outgoing_allow => '127.0.0.0/8',
	);
}

sub ask {
	my ($self, $verb, @words) = @_;
	my $answer = ($self->{agent} //= Mojo::UserAgent->new)->post(
		'http://' . $self->address . '/told',
		$json->encode([$verb, @words]))->result;

	die "$verb: ", $answer->code, ' ', $answer->body, "\n"
	    if $answer->code != 200;
	return $json->decode($answer->body)->[0];
}

for my $verb (qw(make join set texts tell cut finish shards change)) {
	no strict 'refs';
	*$verb = sub { my $self = shift; return $self->ask($verb, @_) };
}

# It says nothing for so long, and nothing breaks.
sub freeze {
	my ($self, $seconds) = @_;

	kill 'STOP', $self->{pid};
	T::Wait::pause($seconds);
	kill 'CONT', $self->{pid};
	return;
}

sub asked {
	my ($self, $pattern) = @_;

	return grep { !$pattern || $_->{path} =~ $pattern }
	    @{ $self->ask('asked') };
}

# --- the service ------------------------------------------------------------

my (%rooms, @asked, %verbs);

sub serve {
	my ($address) = @_;

	require Mojo::Server::Daemon;
	require Mojolicious;
	my $app    = Mojolicious->new;
	my $routes = $app->routes;

	$app->log->level('fatal');
	$app->hook(after_dispatch => sub { noted($_[0]) });
	$routes->post('/told' => sub { obey($_[0]) });
	$routes->get('/api/v2/rooms/:code'      => sub { tell_room($_[0]) });
	$routes->get('/api/v2/rooms/:code/info' => sub { tell_info($_[0]) });
	$routes->get('/api/v2/rooms/:code/connections' =>
		    sub { tell_connections($_[0]) });
	$routes->websocket('/api/v2/rooms/:code/play' => sub { play($_[0]) });
	my $daemon = Mojo::Server::Daemon->new(app => $app, silent => 1,
		listen => ["http://$address"], max_clients => 20000,
		inactivity_timeout => 0);
	$daemon->run;
	exit 0;
}

sub noted {
	my ($c, $status) = @_;
	my $request = $c->req;

	return if $request->url->path eq '/told'
	    || !$status && $c->tx->is_websocket;
	push @asked, {
		path    => $request->url->path->to_string,
		query   => $request->query_params->to_hash,
		headers => { map { lc $_ => $request->headers->header($_) }
			    @{ $request->headers->names } },
		status  => $status // $c->res->code,
	};
	return;
}

sub obey {
	my ($c) = @_;
	my ($verb, @words) = @{ $json->decode($c->req->body) };
	my $act = $verbs{$verb} or return $c->render(text => '?',
		status => 400);

	return $c->render(data => $json->encode([$act->(@words)]));
}

# Nobody who does not say what he is gets anything.
sub refuses_bare {
	my ($c) = @_;

	return 0 if length($c->req->headers->user_agent // '');
	$c->render(text => '', status => 403);
	return 1;
}

sub room_of {
	my ($c) = @_;
	my $room = $rooms{ $c->param('code') };

	return if refuses_bare($c);
	if ($room && $room->{ails}) {
		$room->{ails}--;
		$c->render(text => 'not now', status => 503);
		return;
	}
	return $room if $room && !$room->{gone};
	$c->render(json => { ok => JSON::PP::false, error => 'no such room' },
		status => 404);
	return;
}

sub tell_room {
	my ($c) = @_;
	my $room = room_of($c) // return;

	return $c->render(json => { ok => JSON::PP::true, body => {
		appId           => 'f1c7b5d2-0000-0000-0000-000000000001',
		appTag          => $room->{app_tag},
		audienceEnabled => JSON::PP::true,
		code            => $c->param('code'),
		host            => $room->{host} // $c->req->headers->host,
		audienceHost    => $room->{host} // $c->req->headers->host,
		locked          => $room->{locked} ? \1 : \0,
		full            => @{ $room->{players} }
		    >= $room->{max_players} ? \1 : \0,
		maxPlayers       => $room->{max_players},
		minPlayers       => 3,
		moderationEnabled => JSON::PP::false,
		passwordRequired => JSON::PP::false,
		twitchLocked     => JSON::PP::false,
		locale           => 'en',
		keepalive        => JSON::PP::true,
	} });
}

sub tell_info {
	my ($c) = @_;
	my $room = room_of($c) // return;

	return $c->render(json => { roomid => $c->param('code'),
		server => $c->req->headers->host, apptag => $room->{app_tag},
		appid => 'f1c7b5d2-0000-0000-0000-000000000001',
		numAudience => 0, audienceEnabled => JSON::PP::true,
		joinAs => 'player', requiresPassword => JSON::PP::false });
}

sub tell_connections {
	my ($c) = @_;
	my $room = room_of($c) // return;

	return $c->render(json => { ok => JSON::PP::true,
		body => { connections => 1 + @{ $room->{players} }
			    + keys %{ $room->{slots} } } });
}

# --- the WebSocket ----------------------------------------------------------

sub error_to {
	my ($tx, $code, $words, %more) = @_;

	return $tx->send({ text => $json->encode({ pc => 1, opcode => 'error',
		result => { code => $code, msg => $words }, %more }) });
}

sub play {
	my ($c) = @_;
	my $room = $rooms{ $c->param('code') };
	my %said = %{ $c->req->query_params->to_hash };
	my $tx   = $c->tx;

	return if refuses_bare($c);
	return $c->render(text => 'no subprotocol', status => 400)
	    if !$tx->with_protocols('ecast-v0');
	noted($c, 101);
	if ($room && $room->{closes}) {
		$room->{closes}--;
		return sever($tx);
	}
	$c->rendered(101);
	$c->inactivity_timeout(0);
	$tx->max_websocket_size(1 << 24);
	if (!$room || $room->{gone} || $room->{refuses}) {
		error_to($tx, $room && $room->{refuses} || 2027,
			'the room will not have you');
		return $tx->finish(1000);
	}
	return enter($tx, $room, \%said);
}

sub enter {
	my ($tx, $room, $said) = @_;
	my $id = $said->{id} || ++$room->{last_id};
	my $is_back = $said->{id} ? 1 : 0;

	if ($is_back && ($room->{secrets}{$id} // '') ne $said->{secret}) {
		error_to($tx, 2018, 'wrong secret');
		return $tx->finish(1000);
	}
	$room->{secrets}{$id} //= sprintf '%08x-%s', rand 2**32, 'secret';
	$room->{slots}{$id}   = $said->{role};
	$room->{shards}{$tx}  = $tx;
	$tx->on(finish => sub { delete $room->{shards}{ $_[0] } });
	$tx->on(text => sub { hear($_[0], $room, $_[1]) });
	return $tx->send({ text => $json->encode({ pc => ++$room->{pc},
		opcode => 'client/welcome', result => {
			id        => 0 + $id,
			name      => $said->{name},
			secret    => $room->{secrets}{$id},
			reconnect => $is_back ? \1 : \0,
			entities  => entities($room),
			here      => here($room),
			profile   => undef,
		} }) });
}

sub here {
	my ($room) = @_;
	my %here = (1 => { id => 1, roles => { host => {} } });

	for my $player (@{ $room->{players} }) {
		$here{ $player->{id} } = { id => $player->{id}, roles =>
			    { player => { name => $player->{name} } } };
	}
	for my $id (keys %{ $room->{slots} }) {
		$here{$id} = { id => 0 + $id,
			roles => { $room->{slots}{$id} => {} } };
	}
	return \%here;
}

sub object {
	my ($key, $val, $version) = @_;

	return { key => $key, val => $val, version => $version, from => 1 };
}

sub entities {
	my ($room) = @_;
	my %entities = (
		$room->{key} => ['object', object($room->{key}, $room->{val},
			$room->{version}), { locked => \0 }],
		audience => ['crdt/pn-counter', [], { locked => \0 }],
	);

	$entities{textDescriptions} = ['object', object('textDescriptions',
		{ latestDescriptions => [] }, 0), { locked => \0 }]
	    if !$room->{no_texts};
	return \%entities;
}

sub hear {
	my ($tx, $room, $bytes) = @_;
	my $said = eval { $json->decode($bytes) } // return;

	return if $room->{deaf};
	return error_to($tx, 2003, 'no such opcode', re => $said->{seq})
	    if $said->{opcode} ne 'object/get';
	return error_to($tx, 2005, 'no such entity', re => $said->{seq})
	    if $said->{params}{key} ne $room->{key};
	return $tx->send({ text => $json->encode({ pc => ++$room->{pc},
		re => $said->{seq}, opcode => 'object', result =>
		    object($room->{key}, $room->{val}, $room->{version}) }) });
}

sub broadcast {
	my ($room, $opcode, $result) = @_;
	my $bytes = $json->encode({ pc => ++$room->{pc}, opcode => $opcode,
		result => $result });

	$_->send({ text => $bytes }) for values %{ $room->{shards} };
	return 1;
}

# Without a close frame, as a network that broke.
sub sever {
	my ($tx) = @_;

	Mojo::IOLoop->remove($tx->connection);
	return 1;
}

%verbs = (
	ping  => sub { return 1 },
	asked => sub { return [@asked] },
	make  => sub {
		my ($code, %is) = @_;
		my $players = delete $is{players} // [];
		my $val     = delete $is{val}     // { state => 'Lobby',
			lobbyState => 'WaitingForMore', gameCanStart => \0,
			gameIsStarting => \0, gameFinished => \0 };

		$rooms{$code} = { app_tag => 'drawful2international',
			max_players => 8, key => 'room', version => 1,
			last_id => 1, pc => 0, players => [], slots => {},
			shards => {}, secrets => {}, val => $val, %is };
		push @{ $rooms{$code}{players} },
		    { id => ++$rooms{$code}{last_id}, name => $_ }
		    for @$players;
		return 1;
	},
	change => sub {
		my ($code, %is) = @_;

		@{ $rooms{$code} }{ keys %is } = values %is;
		return 1;
	},
	join => sub {
		my ($code, $name) = @_;
		my $room = $rooms{$code};
		my $id   = ++$room->{last_id};

		push @{ $room->{players} }, { id => $id, name => $name };
		return $id if $room->{silent_joins};
		broadcast($room, 'client/connected', { id => $id,
			userId => "user-$id", name => $name, role => 'player',
			reconnect => \0,
			profile => { roles => { player =>
				    { name => $name } } } })
		    if !$room->{no_connected};
		broadcast($room, 'object', object('textDescriptions',
			{ latestDescriptions => [{ id => $id,
			    category => 'TEXT_DESCRIPTION_PLAYER_JOINED',
			    text     => "$name joined." }] }, $id))
		    if !$room->{no_texts};
		return $id;
	},
	set => sub {
		my ($code, %values) = @_;
		my $room = $rooms{$code};
		my %flags = map { $_ => 1 }
		    qw(gameCanStart gameIsStarting gameFinished);

		$room->{val} = { %{ $room->{val} }, map { $_ => $flags{$_}
			    ? ($values{$_} ? \1 : \0) : $values{$_} }
			    keys %values };
		return broadcast($room, 'object', object($room->{key},
			$room->{val}, ++$room->{version}));
	},
	texts => sub {
		my ($code, @lines) = @_;

		return broadcast($rooms{$code}, 'object',
			object('textDescriptions', { latestDescriptions =>
				    [map { { text => $_ } } @lines] }, 1));
	},
	tell => sub {
		my ($code, %message) = @_;

		return broadcast($rooms{$code}, @message{qw(opcode result)});
	},
	cut => sub {
		my ($code) = @_;

		sever($_) for values %{ $rooms{$code}{shards} };
		return 1;
	},
	finish => sub {
		my ($code) = @_;
		my $room = $rooms{$code};

		$room->{gone} = 1;
		broadcast($room, 'room/exit', { cause => 1 });
		$_->finish(1000) for values %{ $room->{shards} };
		return 1;
	},
	shards => sub {
		my ($code) = @_;

		return scalar keys %{ $rooms{$code}{shards} };
	},
);

1;
