#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Hundreds of changes of one session at once, and votes between them, through
# two workers. Triggers write down which request changed a row after which:
# played again in that order, one at a time, by a few lines of Perl, the
# requests have to come to the same rows and answers, and the stream has to
# tell of them in that order. Each vote has to be one more than the one before.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX ();
use Test::More;
use T::Client;
use T::Games;
use T::Server;
use Time::HiRes ();

my $json   = JSON::PP->new->utf8;
my $server = T::Server->start(workers => 2);
my $db     = $server->db;
my @crowd  = map { T::Client->new($server, worker => 1 + $_ % 2) } 1 .. 24;
my $reader = T::Client->new($server, role => undef);
my $rounds = 30;

srand 20260315;			# the same requests in each run

# Whoever changes what a session plays holds the session's row until he
# commits, so what he writes down stands in the order of commits.
$db->query(q{
	CREATE TABLE public.said (n bigserial, request text);
	CREATE FUNCTION public.say() RETURNS trigger LANGUAGE plpgsql
	SECURITY DEFINER AS $$
	BEGIN
		INSERT INTO public.said (request) VALUES (substr(
		    current_setting('application_name'), 11));
		RETURN NULL;
	END $$;
	CREATE TRIGGER say AFTER INSERT OR UPDATE OR DELETE
	    ON partyline.session_game FOR EACH ROW EXECUTE FUNCTION say();
	CREATE TRIGGER say AFTER UPDATE ON partyline.session
	    FOR EACH ROW EXECUTE FUNCTION say()});

T::Games::clear($db);
my @games = map { T::Games::add($db, pack_name => "P$_") } 1 .. 5;
my $id    = $crowd[0]->post('/api/sessions')->{json}{id};
my $path  = "/api/sessions/$id";

# --- what is asked -----------------------------------------------------------

my @known = (999);		# rows that were added, some of them gone

my $voters = 0;

sub any { return $_[rand @_] }

sub now {
	my $now = Time::HiRes::time();

	return POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime $now)
	    . sprintf '.%03dZ', 1000 * ($now - int $now);
}

# What: add, status, room, players, start, stop, remove, vote or close.
my %ask = (
	add => sub {
		my %body = (game_id => any(@games));

		$body{room_code} = any('AAAA' .. 'AAAZ') if rand() < 0.5;
		return (post => "$path/games", \%body);
	},
	status => sub {
		return (patch => "$path/games/$_[0]/status",
			{ status => any(qw(playing played skipped)) });
	},
	room => sub {
		return (patch => "$path/games/$_[0]/room-code",
			{ room_code => any('BBBA' .. 'BBBZ') });
	},
	players => sub {
		return (patch => "$path/games/$_[0]/player-count",
			{ player_count => int rand 10 });
	},
	start => sub {
		return (post => "$path/games/$_[0]/start-player-check");
	},
	stop => sub { return (post => "$path/games/$_[0]/stop-player-check") },
	remove => sub { return (delete => "$path/games/$_[0]") },
	vote => sub {
		return (post => '/api/votes/live', { timestamp => now(),
			username => 'Voter ' . ++$voters,
			vote => any(qw(up up down)) });
	},
	close => sub { return (post => "$path/close") },
);
my @usual = (('add') x 8, ('status') x 8, ('players') x 8, ('vote') x 8,
	('room') x 2, ('start') x 3, ('stop') x 2, 'remove');
my %asked;			# by the request's name

# One of each client's, all on their way at once.
sub all_at_once {
	my ($round, @whats) = @_;
	my @asked = map {
		my $game = any(@known);
		my ($method, $where, $body) = $ask{$_}->($game);

		{ what => $_, game => $game, method => $method,
			where => $where, body => $body };
	} @whats;

	for my $n (0 .. $#asked) {
		my $one = $asked[$n];

		$one->{request} = "round-$round-$n";
		$crowd[$n]->ask($one->{method}, $one->{where}, $one->{body},
			'X-Request-Id' => $one->{request});
	}
	for my $n (0 .. $#asked) {
		$asked[$n]{answer} = $crowd[$n]->take;
		$asked{ $asked[$n]{request} } = $asked[$n];
		push @known, $asked[$n]{answer}{json}{id}
		    if $asked[$n]{what} eq 'add'
		    && $asked[$n]{answer}{status} == 201;
	}
	return;
}

all_at_once(0, 'add');
my $most = 0;
for my $round (1 .. $rounds) {
	my @whats = map { any(@usual) } @crowd;

	$whats[$_] = 'close' for $round == $rounds ? (7, 8, 15) : ();
	all_at_once($round, @whats);
	my $playing = grep { $_->{status} eq 'playing' }
	    @{ $reader->get("$path/games")->{json} };
	$most = $playing if $playing > $most;
}
all_at_once($rounds + 1, map { any(@usual) } @crowd);

# --- the same one after another ----------------------------------------------

my (%row, %plays, @wrong, @story);
my ($is_active, $played, $gone) = (1, 0, 0);

# What was playing has been played, and no room is watched; but for one row.
sub demote {
	my ($but) = @_;

	for my $row (map { $row{$_} } grep { $_ != $but } keys %row) {
		$row->{status} = 'played' if $row->{status} eq 'playing';
		$row->{check} = 'stopped' if $row->{check} eq 'checking';
	}
	return;
}

# Each tells the stream what it returns, if anything: type and data.
my %play = (
	add => sub {
		my ($one, undef) = @_;
		my $room = $one->{body}{room_code};

		demote(0);
		$played++;
		$plays{ $one->{body}{game_id} }++;
		$row{ $one->{answer}{json}{id} } = {
			game    => $one->{body}{game_id},
			status  => 'playing',
			room    => $room // '-',
			players => '-',
			check   => defined $room ? 'checking' : '-'
		};
		return "game.added $one->{body}{game_id} $played "
		    . ($room // '-');
	},
	status => sub {
		my ($one, $row) = @_;
		my $to = $one->{body}{status};

		demote($to eq 'playing' ? $one->{game} : 0)
		    if $to ne $row->{status}
		    && ($to eq 'playing' || $row->{status} eq 'playing');
		$row->{status} = $to;
		return;
	},
	room => sub {
		$_[1]{room} = $_[0]{body}{room_code};
		return;
	},
	players => sub {
		my ($one, $row) = @_;

		$row->{players} = $one->{body}{player_count};
		$row->{check} = 'completed' if $row->{check} ne 'checking';
		return "player-count.updated $one->{game} $row->{game} "
		    . "$row->{players} $row->{check}";
	},
	start => sub {
		my ($one, $row) = @_;

		push @wrong, "$one->{request}: watched without a room"
		    if $row->{room} eq '-';
		$row->{check} = 'checking';
		return;
	},
	stop => sub {
		$_[1]{check} = 'stopped';
		return;
	},
	remove => sub {
		delete $row{ $_[0]{game} };
		$played--;
		$gone++;
		return;
	},
	close => sub {
		demote(0);
		$is_active = 0;
		return "session.ended $played";
	},
);

# A row as this program and as the server has it, in the same words.
sub shown {
	my ($id, $row) = @_;

	return join ' ', $id, @$row{qw(game status room players check)};
}

sub said {
	my ($row) = @_;

	return join ' ', map { $_ // '-' } @$row{qw(id game_id status
		room_code player_count player_count_check_status)};
}

my @order = split /\n/, $db->query("SELECT request FROM said
	WHERE request LIKE 'round-%' GROUP BY request ORDER BY min(n)");
for my $request (@order) {
	my $one = $asked{$request};
	my $row = $row{ $one->{game} };
	my $answer = $one->{answer};

	push @wrong, "$request: it was refused, and took effect"
	    if $answer->{status} >= 300;
	push @wrong, "$request: adds to what is closed"
	    if $one->{what} eq 'add' && !$is_active;
	if (!$row && $one->{what} !~ /^(?:add|close)$/) {
		push @wrong, "$request: changes what is not there";
		next;
	}
	my $told = $play{ $one->{what} }->($one, $row);
	push @story, "$request $told" if defined $told;
	next if $one->{what} !~ /^(?:add|room)$/;
	my $wanted = shown($answer->{json}{id}, $row{ $answer->{json}{id} });
	push @wrong, "$request: is told @{[said($answer->{json})]}, "
	    . "but it is $wanted" if said($answer->{json}) ne $wanted;
}

subtest 'a serial order explains it' => sub {
	my %done = map { $_ => 1 } @order;
	my @done = grep { $_->{answer}{status} < 300 } values %asked;
	my %refused;

	is_deeply(\@wrong, [], 'what each was told');
	cmp_ok(scalar @order, '>', 400, 'hundreds took effect');
	# What a row is already needs no change.
	is_deeply([grep { !$done{ $_->{request} }
		&& $_->{what} !~ /^(?:status|vote)$/ } @done], [],
		'all that were told so');
	$refused{"$_->{what} $_->{answer}{json}{code}"}++
	    for grep { $_->{answer}{status} >= 300 } values %asked;
	my %may = ((map { ("$_ session_game_not_found" => 1) }
		qw(status room players start stop remove)),
		'start room_code_missing' => 1, 'close session_closed' => 1,
		'add add_to_closed_session' => 1, 'vote no_active_session' => 1,
		'vote vote_without_game' => 1);
	is_deeply([grep { !$may{$_} } sort keys %refused], [],
		'the others were refused for a reason');
	is($refused{'close session_closed'}, 2, 'it is closed once');
	cmp_ok($refused{'add add_to_closed_session'}, '>', 0,
		'and takes no games then');
	is($most, 1, 'never was more than one playing');
};

subtest 'the rows are those that it leads to' => sub {
	my $session = $reader->get($path)->{json};
	my $list = $reader->get("$path/games")->{json};

	is_deeply([sort map { said($_) } @$list],
		[sort map { shown($_, $row{$_}) } keys %row], 'each row');
	is_deeply([map { $_->{id} } @$list], [sort { $a <=> $b } keys %row],
		'in the order in which they came');
	is($session->{games_played}, scalar @$list, 'games_played counts them');
	is($session->{is_active}, 0, 'it is closed');
	is_deeply({ split /[|\n]/, $db->query('SELECT id, play_count
		FROM partyline.game') }, \%plays, 'play_count counts them all');
	cmp_ok($gone, '>', 0, 'some were removed');
};

subtest 'the stream tells the same story' => sub {
	my @events = map { my ($request, $payload) = split /\|/, $_, 2;
		{ request => $request, %{ $json->decode($payload) } } }
	    split /\n/, $db->query("SELECT request_id, payload
		FROM partyline.event WHERE stream = 'session:$id'
		ORDER BY seq");
	my @changes = grep { $_->{type} ne 'vote.received' } @events;
	my %in_words = (
		'game.added' => sub {
			return "$_[0]{game}{id} $_[0]{session}{games_played} "
			    . ($_[0]{game}{room_code} // '-');
		},
		'player-count.updated' => sub {
			return join ' ', @{ $_[0] }{qw(gameId catalogGameId
				playerCount status)};
		},
		'session.ended' => sub {
			return $_[0]{session}{games_played};
		},
	);

	is_deeply([map { "$_->{request} $_->{type} "
			. $in_words{ $_->{type} }->($_->{data}) } @changes],
		\@story, 'all of it, in that order');
	is_deeply([map { $_->{seq} } @events], [1 .. @events], 'without gaps');
	is($db->query("SELECT head FROM partyline.stream
		WHERE name = 'session:$id'"), scalar @events, 'up to its head');
};

subtest 'votes' => sub {
	my @events = map { $json->decode($_) } split /\n/, $db->query(
		"SELECT payload FROM partyline.event
		WHERE stream = 'session:$id' AND type = 'vote.received'
		ORDER BY seq");
	my (%total, @wrong, %told);

	for my $event (@events) {
		my ($game, $vote, $totals) = @{ $event->{data} }
		    {qw(game vote totals)};
		my $total = $total{ $game->{id} } //= [0, 0];

		$total->[$vote->{type} eq 'up' ? 0 : 1]++;
		push @wrong, "$vote->{username}: after $event->{seq} it is "
		    . "@$total" if "@$total[0, 1]" ne
		    "$totals->{upvotes} $totals->{downvotes}";
		$told{ $vote->{username} } = "$game->{id} $vote->{type} "
		    . "$totals->{upvotes} $totals->{downvotes}";
	}
	is_deeply(\@wrong, [], 'each is one more than the one before');
	is_deeply({ map { my $said = $_->{answer}{json};
			($said->{vote}{username} => "$said->{game}{id} "
			. "$said->{vote}{type} $said->{game}{upvotes} "
			. "$said->{game}{downvotes}") }
		grep { $_->{what} eq 'vote' && $_->{answer}{status} == 200 }
		values %asked }, \%told, 'who voted was told the same');
	cmp_ok(scalar @events, '>', 50, 'there are many');
	my %counted = map { /(\d+)\|(.*)/ } split /\n/, $db->query(
		q{SELECT id, upvotes || ' ' || downvotes FROM partyline.game
		WHERE upvotes + downvotes > 0});
	my %rows = map { /(\d+)\|(.*)/ } split /\n/, $db->query(
		q{SELECT game_id, count(*) FILTER (WHERE vote = 1) || ' ' ||
		count(*) FILTER (WHERE vote = -1) FROM partyline.live_vote
		GROUP BY game_id});
	is_deeply(\%counted, { map { $_ => "@{ $total{$_} }" } keys %total },
		'the games count them all');
	is_deeply(\%rows, \%counted, 'so do the rows');
};

done_testing;
