#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Sockets of the tabletop that are put back where they were: in their session
# and their dialect, with what was said and moved meanwhile; by each worker of
# two hosts. And those who begin anew, because that cannot be.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Hosts;
use T::SocketIo;
use T::Tabletop;
use T::Wait;

my ($one, $two) = T::Hosts::pair(workers => 2, socketio_recovery => 60000,
	tabletop_edits => 1000, tabletop_messages => 1000);
my $db = $one->db;
my @places = T::Hosts::places($one, $two);
my ($ann, $bert) = T::Tabletop::users($one, qw(Ann Bert));
my %join = (OWNER => 'join-session', CODE => 'joinSession',
	NEW => 'gameSession:join');

sub session {
	my $id = $ann->post('/api/tabletop/sessions', { name => 'Den' })
	    ->{json}{id};

	$ann->post("/api/tabletop/sessions/$id/members",
		{ userId => $bert->{id} });
	my $cave = $ann->post("/api/tabletop/sessions/$id/encounters",
		{ name => 'Cave' })->{json}{id};
	return ($id, $cave);
}

sub vanish { delete $_[0]{socket}; return }

# Names, and of chats what was said: as many as are wanted, and what else is
# there then.
sub heard {
	my ($player, $wanted) = @_;
	my @heard;

	wait_until {
		push @heard, map {
			my ($name, @args) = @$_;
			my $said = ref $args[0]
			    ? $args[0]{message} // $args[1] : '';

			$name =~ /^chat/ ? "$name=$said" : $name;
		} grep { $_->[0] !~ /join|left/i } $player->events;
		@heard >= $wanted;
	} 10;
	return join ' ', @heard;
}

sub hears {
	my ($player, $wanted, $name) = @_;
	my @wanted = split / /, $wanted;
	my $heard = heard($player, scalar @wanted);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	# Of two streams, each in its own order.
	is_deeply([sort split / /, $heard], [sort @wanted], $name);
	is_deeply([grep { /=b/ } split / /, $heard],
		[grep { /=b/ } @wanted], 'in order');
	return is_deeply([grep { !/=b/ } split / /, $heard],
		[grep { !/=b/ } @wanted], 'each stream');
}

for my $dialect (qw(OWNER CODE NEW)) {
	my $chat = $dialect eq 'OWNER' ? 'chat-message' : 'chat';

	subtest "put back: $dialect" => sub {
		my ($id, $cave) = session();
		my $leader = $ann->player(recovered => 1, worker => 2);
		my $player = $bert->player(recovered => 1, worker => 1);

		$leader->ask('join-session', $id);
		is($player->ask($join{$dialect}, $id)->{data}{id}, $id,
			'he joins');
		my $n = 0;
		my $act = sub {
			$n++;
			$leader->ask('chat-message', { sessionId => $id,
				message => "a$n" })->{success}
			    or return '?';
			my $made = $leader->ask('token:create', { sessionId =>
				$id, encounterId => $cave, tokenData => {
				name => 'Orc', size => 'small', position =>
				{ x => 1, y => 1 } } });
			$leader->ask('chat-message', { message => "b$n",
				recipient => { type => 'user', id =>
				$bert->{id} } })->{success} or return '?';
			return $made->{tokenId};
		};
		my $wanted = sub {
			return join ' ', map { "$chat=a$_ token:created "
				. "$chat=b$_" } $n - $_[0] + 1 .. $n;
		};

		$act->();
		hears($player, $wanted->(1), 'what is told');
		for my $place (@places) {
			my ($server, $worker) = @$place;

			vanish($player);
			$act->() for 1 .. 3;
			ok($player->come_back($bert, $server,
				worker => $worker), 'he is the same again');
			hears($player, $wanted->(3), 'what he missed, once');
			$act->();
			hears($player, $wanted->(1), 'and goes on');
		}
		my $token = $act->();
		hears($player, $wanted->(1), 'one more');
		my $moved = $player->ask('token:move', { sessionId => $id,
			encounterId => $cave, tokenId => $token,
			position => { x => 2, y => 3 } });
		ok($moved->{success}, 'he moves');
		vanish($player);
		ok($player->come_back($bert, $one), 'once more');
		unlike(heard($player, 0), qr/moved/, 'not what he did himself')
		    if $dialect eq 'OWNER';
		is($leader->told('token:moved')->{socket}, $player->{sid},
			'others know him by the same name');
	};
}

subtest 'killed workers' => sub {
	my ($id) = session();
	my $leader = $ann->player(recovered => 1, worker => 2);
	my $player = $bert->player(recovered => 1, worker => 1);
	my @said;

	for my $each ($leader, $player) {
		$each->ask('join-session', $id);
	}
	for my $round (1 .. 3) {
		kill KILL => $one->worker_pid(1);
		$leader->ask('chat-message', { sessionId => $id,
			message => "r$round" });
		wait_until { $one->worker_pid(1) } 20;
		ok($player->come_back($bert, $one, worker => 1),
			"round $round");
		hears($player, "chat-message=r$round", 'what he missed');
	}
};

subtest 'where he is' => sub {
	my ($id) = session();
	my ($other) = session();
	my $leader = $ann->player(worker => 2, recovered => 1);
	my $player = $bert->player(worker => 1, recovered => 1);
	my $say = sub {
		$leader->ask('chat-message', { sessionId => $_,
			message => "in$_" }) for $id, $other;
	};

	$player->ask('join-session', $id);
	$player->ask('join-session', $other);
	vanish($player);
	$say->();
	ok($player->come_back($bert, $two), 'it is the same again');
	hears($player, "chat-message=in$other", 'in the second one');
	$player->ask('leave-session', $other);
	vanish($player);
	$say->();
	ok($player->come_back($bert, $two), 'again');
	hears($player, '', 'in none');
	$player->ask('join-session', $id);
	is($player->ask('join-session', 999999)->{success},
		JSON::PP::false, 'one that is not there');
	vanish($player);
	$say->();
	ok($player->come_back($bert, $two), 'and again');
	hears($player, "chat-message=in$id", 'where he still is');
};

subtest 'who was put out' => sub {
	my ($id) = session();
	my $leader = $ann->player(recovered => 1);
	my $player = $bert->player(recovered => 1);

	$_->ask('join-session', $id) for $leader, $player;
	$player->events;
	vanish($player);
	ok((wait_until { $db->query('SELECT count(*) FROM partyline.recovery '
		. "WHERE sid = '$player->{sid}' AND until > now()") eq '1' }
		10), 'his connection is gone');
	$ann->delete("/api/tabletop/sessions/$id/members/$bert->{id}");
	ok($player->come_back($bert, $two), 'it is the same again');
	is($player->told('error')->{message}, 'Access denied: not a '
		. 'participant in this session', 'but is told so');
	$player->events;		# that he is no member, perhaps
	$leader->ask('chat-message', { sessionId => $id, message => 'x' });
	hears($player, '', 'and hears no more');
};

subtest 'who begins anew' => sub {
	my ($id) = session();
	my $actor = $bert->player(recovered => 1);

	$actor->ask('join-session', $id, 'orc');
	vanish($actor);
	ok(!$actor->come_back($bert, $two), 'who plays an actor');
	my $player = $bert->player(recovered => 1);
	$player->ask('join-session', $id);
	vanish($player);
	ok(!$player->come_back($ann, $two), 'whose pid another one has');
	$player = $bert->player(recovered => 1);
	$player->ask('join-session', $id);
	vanish($player);
	$ann->delete("/api/tabletop/sessions/$id");
	ok(!$player->come_back($bert, $two), 'whose session is no more');
	$player = $bert->player(recovered => 1);
	my $other = T::SocketIo->connect($one);
	my (undef, $pid) = $other->enter_kept('/live',
		qq({"pid":"$player->{pid}"}));
	isnt($pid, $player->{pid}, 'in another namespace');
	$player->{socket}->say('1');
	ok((wait_until { $db->query('SELECT count(*) FROM partyline.recovery '
		. "WHERE sid = '$player->{sid}'") eq '0' } 10), 'who left');
	ok(!$player->come_back($bert, $two), 'is another one then');
	$player = $bert->player(recovered => 1);
	vanish($player);
	$bert->post('/api/tabletop/logout');
	ok(!eval { $player->come_back($bert, $two); 1 },
		'who has logged out does not come in');
	like($@, qr/Authentication required/, 'and is told so');
};

done_testing;
