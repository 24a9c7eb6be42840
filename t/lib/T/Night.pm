# SPDX-License-Identifier: MIT
package T::Night;

# What is picked, played, voted and said in session 1 while it goes on, in a
# catalog as a tenant begins with it: for tests that do the same twice.
#
#	for my $step (T::Night::steps()) {
#		my ($who, $method, $path, $body, $headers) = @$step;

use strict;
use warnings;

sub steps {
	my $time = '2026-01-01T20:00:00.000Z';
	my $keyed = sub { return { 'Idempotency-Key' => $_[0] } };
	my $in = sub {
		my ($method, $path, $body, $key) = @_;
		return ['admin', $method, "/api/sessions/1/$path", $body,
			defined $key ? $keyed->($key) : ()];
	};
	my $vote = sub {
		my ($name, %more) = @_;
		return ['bot', POST => '/api/votes/live', { username => $name,
			vote => 'up', timestamp => $time, %more },
			$keyed->($name)];
	};
	my $chat = sub {
		return ['bot', POST => '/api/sessions/1/chat-import',
			{ chatData => [{ username => 'Zoe', timestamp => $time,
			message => 'thisgame++' }] }, $keyed->($_[0])];
	};
	my @seen = map { my $who = $_; map { [$who, GET => "/api/$_"] }
		'votes', map { "sessions/1/$_" } qw(games votes recap
		games/1/status-live games/2/status-live games/3/status-live) }
	    qw(nobody viewer);

	return (
		@seen, (map { ['nobody', POST => '/api/pick', { sessionId => 1,
			%$_ }] } {}, { count => 5 }, { playerCount => 99999 }),
		$in->(POST => 'game-selection',
			{ gameId => 2, source => 'dice' }, 'select'),
		$in->(DELETE => 'game-selection'),
		$in->(DELETE => 'game-selection'),
		(map { $in->(POST => 'games', { game_id => 2 }, 'add') } 1, 2),
		$in->(POST => 'games', { game_id => 4, room_code => 'QX7Z' }),
		$in->(PATCH => 'games/1/status', { status => 'playing' }),
		$in->(PATCH => 'games/1/room-code', { room_code => 'AB12' }),
		$in->(PATCH => 'games/1/player-count', { player_count => 5 }),
		$in->(POST => 'games/1/start-player-check', {}, 'start'),
		$in->(POST => 'games/1/stop-player-check', {}, 'stop'),
		$in->(POST => 'games/2/start-player-check'), @seen,
		(map { $vote->($_, ticker => 'HEAR') } qw(Zoe Zoe Max)),
		(map { $vote->($_, ticker => 'NONE') } qw(Ida)),
		$vote->('Eva'), (map { $chat->($_) } qw(chat chat more)),
		$in->(POST => 'voting/start', {}, 'poll'),
		$in->(POST => 'voting/leading',
			{ gameId => 2, label => 'Two', votes => 3 }),
		$in->(POST => 'voting/end', { delay => 300 }),
		$in->(POST => 'voting/cancel-end'),
		$in->(POST => 'voting/end'), $in->(POST => 'voting/end'),
		(map { $in->(DELETE => 'games/2') } 1, 2), @seen,
		(map { ['admin', GET => "/api/sessions/1/export?format=$_"] }
			qw(json txt csv x)),
	);
}

1;
