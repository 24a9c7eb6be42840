#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# A worker that leaves asks its clients to come back, one after the other, and
# each goes on where it stopped.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Live;
use T::Server;
use T::Wait;

sub session {
	my ($server) = @_;

	return T::Client->new($server)->post('/api/sessions')->{json}{id};
}

sub emit {
	my ($writer, $id) = @_;

	return $writer->post("/api/sessions/$id/events",
		{ type => 'custom.n', data => {} })->{json}{seq};
}

# Listens to all until all are closed; when each was told, from $begun on.
sub told {
	my ($begun, $lives, $meanwhile) = @_;
	my %at;

	wait_until {
		for my $n (0 .. $#$lives) {
			$lives->[$n]->listen(time + 0.001);
			$at{$n} //= time - $begun
			    if defined $lives->[$n]{code};
		}
		$meanwhile->() if $meanwhile;
		keys %at == @$lives || !grep { $_->{is_open} } @$lives;
	} 20;
	return map { $at{$_} // -1 } 0 .. $#$lives;
}

my $server = T::Server->start(wait => 'readyz', workers => 2,
	conf => { drain_spread => '2s', log_level => 'info' });

subtest 'a reload' => sub {
	my $id = session($server);
	my $stream = "session:$id";
	my @lives = map { T::Live->enter($server, worker => 1 + $_ % 2) }
	    1 .. 20;
	my $writer = T::Client->new($server, role => 'bot');
	my $last = 0;

	my $epoch = (map { $_->follow($id)->{epoch} } @lives)[0];
	$server->hup;
	my $begun = time;
	# Written all the time, by whichever worker takes it.
	my @told = told($begun, \@lives, sub {
		$last = emit($writer, $id) // $last;
	});
	ok((wait_until { $server->count('reloads') == 1 }), 'reloaded');
	my %later;
	for my $live (@lives) {
		my $later = is_closed($live, 1012, 'draining');

		cmp_ok($later, '>=', 100, 'not at once');
		cmp_ok($later, '<=', 1100, 'but soon');
		$later{$later}++;
	}
	cmp_ok(scalar keys %later, '>', 10, 'each at another moment');
	@told = sort { $a <=> $b } @told;
	cmp_ok($told[-1] - $told[0], '>', 1, 'told over a time');
	cmp_ok($told[-1], '<', 4 * ($ENV{T_SLOW} || 1),
		'which is that of drain_spread');
	cmp_ok($told[10] - $told[0], '>', 0.5, 'evenly');
	$last = emit($writer, $id) // emit($writer, $id);
	for my $live (@lives) {
		my @numbers = $live->numbers($stream);
		my $at = $numbers[-1] // 0;
		my $back = T::Live->enter($server);

		is_deeply([@numbers], [1 .. $at], 'all until then');
		ok($back->follow($id, since => { epoch => $epoch,
			seq => $at })->{recovered}, 'back');
		ok($back->reaches($stream, $last), 'all since');
		is_deeply([@numbers, $back->numbers($stream)], [1 .. $last],
			'nothing twice, nothing left out');
		$back->leave;
	}
	ok((wait_until { $server->worker_pids == 2 }), 'the old ones are gone');
	$server->counts(live_clients => 0, subscriptions => 0, hubs => 0,
		socks_open => 0);
};

subtest 'who comes while it drains' => sub {
	$server->rewrite(drain_spread => '0ms');
	$server->hup;
	wait_until { $server->count('reloads') == 2 };
	ok((wait_until { $server->worker_pids == 2
		&& $server->count('draining') == 0 } 20), 'reloaded');
	my $live = T::Live->enter($server, worker => 1);
	my $line = T::Client->new($server, worker => 1)->http;
	$server->hup;
	my $begun = time;
	is_closed($live, 1012, 'draining', name => 'at once');
	cmp_ok(time - $begun, '<', 2 * ($ENV{T_SLOW} || 1), 'without spread');
	$line->send(T::Live::handshake());
	my $answer = $line->answer;
	# It may have been closed by then; whoever gets in is told to leave.
	if ($answer && $answer->{status} == 101) {
		my $late = bless { http => $line, answers => 1, heard => [],
			at => 0, is_open => 1 }, 'T::Live';
		is_closed($late, 1012, 'draining', name => 'a late one');
	} else {
		pass('nobody comes in any more');
	}
	ok((wait_until { $server->count('draining') == 0 } 20), 'done');
};

subtest 'a stop' => sub {
	$server->rewrite(drain_spread => '1s');
	my $id = session($server) // 1;
	my $other = T::Server->start(wait => 'readyz', workers => 2,
		set => { database_url => $server->db->url });
	$other->{db} = $server->db;
	my @lives = map { T::Live->enter($server, worker => 1 + $_ % 2) }
	    1 .. 6;
	my $epoch = (map { $_->follow(1)->{epoch} } @lives)[0];
	my $writer = T::Client->new($other, role => 'bot');
	my $last = 0;

	$server->signal('TERM');
	my $begun = time;
	told($begun, \@lives, sub { $last = emit($writer, 1) // $last });
	is_closed($_, 1012, 'draining') for @lives;
	$last = emit($writer, 1);
	for my $live (@lives) {
		my @numbers = $live->numbers('session:1');
		my $at = $numbers[-1] // 0;
		my $back = T::Live->enter($other);

		ok($back->follow(1, since => { epoch => $epoch,
			seq => $at })->{recovered}, 'another host goes on');
		ok($back->reaches('session:1', $last), 'to the end');
		is_deeply([@numbers, $back->numbers('session:1')],
			[(@numbers ? $numbers[0] : $at + 1) .. $last],
			'nothing twice, nothing left out');
		$back->leave;
	}
	ok((wait_until { !$server->is_running } 20), 'and it is gone');
};

subtest 'less time than the spread' => sub {
	my $server = T::Server->start(wait => 'readyz', workers => 1, set => {
		drain_spread => '1h', drain_timeout => '3s' });
	my @lives = map { T::Live->enter($server) } 1 .. 4;
	my $dead = T::Live->enter($server, answers => 0);

	$server->signal('TERM');
	my $begun = time;
	told($begun, \@lives);
	is_closed($_, 1012, 'draining') for @lives;
	ok((wait_until { !$server->is_running } 20), 'it ends in its time');
	is($server->exit_code, 0, 'and well');
	is($dead->code, 1012, 'who does not answer was told as well');
};

done_testing;
