#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Who is at a table, over workers and hosts: each coming and going is told
# once to each who is there, whoever is killed, paused or away meanwhile.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::AsyncApi;
use T::Client;
use T::Db;
use T::OwnRedis;
use T::Run;
use T::Server;
use T::Tabletop;
use T::Wait;

my $db = T::Db->new;
my $redis = T::OwnRedis->start;

sub host {
	my $host = T::Server->start(workers => 2, wait => 'readyz',
		database_url => $db->url, redis_url => $redis->url,
		redis_prefix => $redis->prefix);

	$host->{db} = $db;
	T::Client::wait_for_workers($host);
	return $host;
}

my ($here, $there) = (host(), host());
my ($ann, $bert, $cleo) = T::Tabletop::users($here, qw(Ann Bert Cleo));

sub session {
	my ($name) = @_;
	my $id;

	# Whoever it was connected to may have been killed, or has no way to
	# PostgreSQL at the moment.
	wait_until {
		$ann->{client}->hang_up;
		$id = $ann->post('/api/tabletop/sessions', { name => $name })
		    ->{json}{id};
	} 20 or die "no session\n";
	$ann->post("/api/tabletop/sessions/$id/members",
		{ userId => $_->{id} }) for $bert, $cleo;
	return $id;
}

# A player at a table; options as of T::SocketIo.
sub sits {
	my ($user, $id, %options) = @_;
	my $host = delete $options{at} // $here;
	my $player = do {
		local $user->{server} = $host;
		$user->player(%options);
	};
	my $answer = $player->ask('join-session', $id);

	ok($answer->{success}, "$user->{name} sits down") or diag explain
	    $answer;
	$player->{present} = $answer->{data}{present};
	return $player;
}

# What it was told of a socket, until the message that says that all came.
sub of {
	my ($player, $sid, $says, $id) = @_;
	my $word = 'mark ' . rand;
	my @told;

	$says->ask('chat-message', { sessionId => $id, message => $word });
	while (my $came = $player->next(20)) {
		last if $came->[0] eq 'chat-message'
		    && $came->[1]{message} eq $word;
		push @{ $player->{came} }, $came;
	}
	for my $came (splice @{ $player->{came} }) {
		push @told, $came->[0] if $came->[0] =~ /^user-/
		    && $came->[1]{socket} eq $sid;
	}
	return "@told";
}

subtest 'who is there' => sub {
	my $id = session('There');
	my $a = sits($ann, $id, worker => 1);
	my $b = sits($bert, $id, at => $there, worker => 2);
	my $two = sits($bert, $id, worker => 2);

	is_deeply($two->{present}, [{ userId => $ann->{id}, name => 'Ann',
		socket => $a->{sid} }, map { { userId => $bert->{id},
		name => 'Bert', socket => $_->{sid} } } $b, $two],
		'who comes is told, from all hosts and workers');
	is(of($a, $b->{sid}, $two, $id), 'user-joined', 'told once');
	is($b->told('user-joined')->{socket}, $two->{sid}, 'told elsewhere');
	is_deeply($two->ask('leave-session', $id), { success =>
		JSON::PP::true }, 'one leaves');
	is($b->told('user-left')->{socket}, $two->{sid}, 'told, too');
	ok($two->ask('join-session', $id, 'orc')->{success}, 'and is back');
	is($b->told('user-joined')->{actorId}, 'orc', 'as whom');
	$two->ask('join-session', session('Other'));
	is_deeply($b->told('user-left')->{actorIds}, ['orc'],
		'in another one he is no more here');
	is(scalar @{ sits($cleo, $id)->{present} }, 3, 'who is left');
};

# Each of these joins while another is asked for.
subtest 'in a hurry' => sub {
	my @ids = map { session("Hurry $_") } 1 .. 3;
	my @watches = map { sits($ann, $_) } @ids;
	my $b = $bert->player(worker => 2);

	for my $round (1 .. 20) {
		$b->emit('join-session', $ids[$round % 3]);
		$b->emit('leave-session') if $round % 7 == 0;
	}
	ok($b->ask('join-session', $ids[1])->{success}, 'to the last one');
	$b->emit('leave-session', $ids[1]);
	$b->ask('get-user-data');
	ok((wait_until { $db->query('SELECT count(*) FROM
		partyline.tabletop_seat WHERE user_id = ' . $bert->{id}
		. " AND socket = '$b->{sid}'") == 0 }), 'he sits nowhere');
	for my $i (0 .. 2) {
		like(of($watches[$i], $b->{sid}, $watches[$i], $ids[$i]),
			qr/^(?:(?:^| )user-joined user-left)*$/,
			'comings and goings one after the other');
	}
};

# What each was answered and what it was told then make one picture.
subtest 'a crowd comes and goes' => sub {
	my $id = session('Crowd');
	my @crowd = map {
		my $user = ($ann, $bert, $cleo)[$_ % 3];

		local $user->{server} = $_ % 2 ? $here : $there;
		$user->player(worker => 1 + ($_ >> 1) % 2);
	} 1 .. 8;
	my (%there, %sees);

	for my $round (1 .. 6) {
		for my $i (0 .. $#crowd) {
			my $comes = $round == 6 || ($i + $round) % 3;
			my $says = $comes ? "join-session\",$id" :
			    'leave-session"';

			$crowd[$i]{socket}->say("2$round\[\"$says]");
			$there{$i} = $comes;
		}
		# Its answer is the last of what it came with.
		for my $one (@crowd) {
			take($one, \%sees)
			    until ($sees{ $one->{sid} }{round} // 0) == $round;
		}
	}
	$crowd[0]->ask('chat-message', { sessionId => $id, message => 'now' });
	for my $one (@crowd[1 .. 7]) {
		take($one, \%sees) until $sees{ $one->{sid} }{is_over};
	}
	$crowd[0]->ask('get-user-data');
	take($crowd[0], \%sees) while @{ $crowd[0]{came} };
	my $all = join ' ', sort map { $_->{sid} } @crowd;
	is(join(' ', sort keys %{ $sees{ $_->{sid} }{present} }), $all,
		'all are seen') for @crowd;
};

# One message more of what a player sees.
sub take {
	my ($player, $sees) = @_;
	my $came = shift @{ $player->{came} } // $player->next(30)
	    // die "it hears no more\n";
	my $seen = $sees->{ $player->{sid} } //= {};
	my ($name, $told) = @$came;

	if (ref $name) {
		$seen->{round} = $$name;
		$seen->{present} = { map { $_->{socket} => 1 }
			@{ $told->{data}{present} } } if $told->{data};
	} elsif ($name eq 'user-joined') {
		$seen->{present}{ $told->{socket} } = 1;
	} elsif ($name eq 'user-left') {
		delete $seen->{present}{ $told->{socket} };
	}
	$seen->{is_over} = $name eq 'chat-message';
	return;
}

subtest 'a worker is killed' => sub {
	my $id = session('Killed');
	my $a = sits($ann, $id, worker => 1);
	my $b = sits($bert, $id, worker => 2);
	my $c = sits($cleo, $id, at => $there);

	# Older than who may have begun since.
	$db->query("UPDATE partyline.tabletop_seat
		SET since = since - interval '2 s'");
	kill KILL => $here->worker_pid(2);
	is($_->told('user-left', 20)->{socket}, $b->{sid}, 'told')
	    for $a, $c;
	my $back = sits($bert, $id, worker => 1);
	is(scalar @{ $back->{present} }, 3, 'nobody sits twice');
	is(of($a, $b->{sid}, $back, $id), 'user-joined', 'told no other time');
	is(of($c, $b->{sid}, $back, $id), '', 'nor to who came later');
	$here->counts(tabletop_seats_swept => 1);
	T::Client::wait_for_workers($here);
};

subtest 'PostgreSQL is away while one leaves' => sub {
	my $id = session('Away');
	my $a = sits($ann, $id, worker => 1);
	my $b = sits($bert, $id, worker => 2);

	my $name = $db->name;

	T::Run::psql('postgres', "ALTER DATABASE $name
		ALLOW_CONNECTIONS false");
	T::Run::psql('postgres', "SELECT count(pg_terminate_backend(pid))
		FROM pg_stat_activity WHERE datname = '$name'");
	$b->{socket}->say('1');
	T::Run::psql('postgres', "ALTER DATABASE $name
		ALLOW_CONNECTIONS true");
	is($a->told('user-left', 30)->{socket}, $b->{sid}, 'told later');
};

subtest 'who was taken for dead takes his seat back' => sub {
	my $id = session('Alive');
	my $a = sits($ann, $id, at => $there);
	my $b = sits($bert, $id);

	# As a host does it that hears nothing of this one.
	$db->query("SELECT api.tabletop_leave(ROW(1, NULL, NULL, 'seat', NULL,
	    NULL, NULL)::api.ctx, $id, '$b->{sid}', 99)");
	is($a->told($_, 20)->{socket}, $b->{sid}, $_)
	    for qw(user-joined user-left user-joined);
	is(scalar @{ sits($cleo, $id)->{present} }, 3, 'and sits there');
};

subtest 'who may not stay' => sub {
	my $id = session('Lead');
	my $a = sits($ann, $id);
	my $b = sits($bert, $id);
	my $c = sits($cleo, $id, at => $there);

	is($ann->patch("/api/tabletop/sessions/$id",
		{ gameMasterId => $bert->{id} })->{status}, 200,
		'somebody else leads');
	is($a->told('error')->{message}, 'Access denied: not a participant '
		. 'in this session', 'who led is told');
	is($_->told('user-left')->{socket}, $a->{sid}, 'so are the others')
	    for $b, $c;
	$bert->{client}->hang_up;
	is($bert->delete("/api/tabletop/sessions/$id/members/$bert->{id}")
		->{status}, 200, 'who leads it is no participant any more');
	$c->ask('chat-message', { sessionId => $id, message => 'still?' });
	is($b->told('chat-message')->{message}, 'still?', 'but there');
};

subtest 'a whole host is killed' => sub {
	my $id = session('Host');
	my $a = sits($ann, $id);
	my @far = map { sits($bert, $id, at => $there, worker => $_) } 1, 2;

	$there->expect_exit(undef);
	my @pids = map { $_->{pid} } $there->processes;
	kill KILL => $there->pid, @pids;
	$there->kill9;
	my @left = map { $a->told('user-left', 60)->{socket} } @far;
	is(join(' ', sort @left), join(' ', sort map { $_->{sid} } @far),
		'when it was silent for long enough');
	is(of($a, $far[0]{sid}, $a, $id), 'user-joined', 'and once');
};

T::AsyncApi::received($_) for split /\n/, $db->query("SELECT payload
	FROM partyline.event WHERE stream ~ '^(table|user):'");
done_testing;
