#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Sockets of Socket.IO that are put back where they were, by each worker of
# two hosts: what they missed, once and in order; and whenever that cannot be,
# new ones. The tabletop and the official client do it in files of their own.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Command;
use T::Hosts;
use T::Live;
use T::LiveSocket;
use T::Server;
use T::Wait;

my ($one, $two) = T::Hosts::pair(workers => 2, socketio_recovery => 60000);
my $db = $one->db;
my @places = T::Hosts::places($one, $two);
my $admin = T::Client->new($two);

sub session { return $admin->closed_session }

sub emit {
	my ($id, $count, $writer) = @_;
	my $seq;

	$seq = ($writer // $admin)->post("/api/sessions/$id/events",
		{ type => 'custom.n', data => {} })->{json}{seq}
	    for 1 .. $count;
	return $seq;
}

sub logged {
	my ($stream) = @_;

	return split /\n/, $db->query('SELECT payload FROM partyline.event '
		. "WHERE stream = '$stream' ORDER BY seq");
}

sub rows {
	my ($what, $sid) = @_;

	return $db->query("SELECT $what FROM partyline.recovery"
		. (defined $sid ? " WHERE sid = '$sid'" : ''));
}

# Somebody at one server who follows a session of its own, from its beginning.
sub guest {
	my ($server, %more) = @_;
	my $id = session();
	my $guest = T::LiveSocket->enter($server, recovered => 1, %more);

	$guest->follow($id, since => 0)->{success} or die "not followed\n";
	return ($guest, $id, "session:$id");
}

sub has_all {
	my ($guest, $stream, $name) = @_;
	my @logged = logged($stream);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$guest->reaches($stream, scalar @logged);
	return T::Live::are_same([$guest->events($stream)], \@logged, $name);
}

sub is_anew {
	my ($guest, $server, $name, %options) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(!$guest->come_back($server, %options), "$name: it begins anew");
	return;
}

subtest 'not unless it is wanted' => sub {
	my $off = T::Server->start(wait => 'readyz', set => {
		database_url => $db->url, redis_url => undef });
	my $id  = session();
	my $raw = T::SocketIo->connect($off);
	my $token = T::Live::token_for($one);
	my $sid = $raw->enter('/live', qq({"token":"$token","pid":")
		. 'x' x 20 . '","offset":"x"}');

	emit($id, 1);
	$raw->say(qq(2/live,1["subscribe",$id,{"since":0}]));
	$raw->hears(qr/^3/);
	my ($logged) = logged("session:$id");
	my ($type) = $logged =~ /^\{"type":"([^"]+)"/;
	is($raw->hear, qq(2/live,["$type",$logged]), 'the bytes of before');
	is(rows('count(*)', $sid), 0, 'and nothing is kept');
};

subtest 'what is kept' => sub {
	my ($guest, $id, $stream) = guest($one);

	is(rows('nsp, caller, rooms', $guest->{sid}),
		sprintf('/live|admin:Ann|[{"nth": 0, "seq": %d, "epoch": "%s",'
		. ' "stream": "lobby"}, {"nth": 1, "seq": 0, "epoch": "%s", '
		. '"stream": "%s"}]', (split /\|/, $db->query('SELECT head, '
		. "epoch FROM partyline.stream WHERE name = 'lobby'")),
		$db->query('SELECT epoch FROM partyline.stream WHERE name = '
		. "'$stream'"), $stream), 'what it follows, and from where');
	is(rows('count(*)', $guest->{pid}), 0, 'but not its private id');
	my $more = session();
	$guest->follow($more);
	is(rows('jsonb_array_length(rooms)', $guest->{sid}), 3, 'one more');
	$guest->ask('unsubscribe', $more);
	is(rows('jsonb_array_length(rooms)', $guest->{sid}), 2, 'one less');
	is($guest->ask('subscribe', 999999)->{error}, 'Session not found',
		'what is not there');
	is(rows('jsonb_array_length(rooms)', $guest->{sid}), 2,
		'is not followed');
	$guest->{client}->say('1/live,');
	ok((wait_until { rows('count(*)', $guest->{sid}) eq '0' } 10),
		'who leaves leaves nothing');
	$guest->leave;
};

subtest 'a connection breaks' => sub {
	for my $by (@T::SocketIo::by) {
		my ($guest, $id, $stream) = guest($one, worker => 1,
			by => $by);

		emit($id, 3);
		$guest->reaches($stream, 3);
		for my $place (@places, reverse @places) {
			my ($server, $worker) = @$place;

			$guest->vanish;
			emit($id, 2);
			ok($guest->come_back($server, worker => $worker,
				by => $by), "$by: it is the same again");
			emit($id, 1);
			has_all($guest, $stream, 'what it missed');
		}
		like($guest->{offset}, qr/\A[0-9a-f]{8}
			[ ]0:[\w-]+:\d+[ ]1:[\w-]+:\d+\z/x, 'an offset');
		$guest->vanish;
		session();
		ok($guest->come_back($two), 'once more');
		ok($guest->reaches('lobby', scalar logged('lobby')),
			'the lobby as well');
		$guest->leave;
	}
	$one->counts(socketio_recoveries => 8);
};

subtest 'more than a page, and others write' => sub {
	my ($guest, $id, $stream) = guest($one);

	emit($id, 1);
	$guest->reaches($stream, 1);
	$guest->vanish;
	emit($id, 600);
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		my $writer = T::Client->new($one);
		emit($id, 100, $writer);
		POSIX::_exit(0);
	}
	ok($guest->come_back($two, worker => 2), 'it is the same again');
	waitpid $pid, 0;
	is($?, 0, 'others wrote meanwhile');
	has_all($guest, $stream, 'all of it, once and in order');
	$guest->leave;
};

subtest 'workers are killed' => sub {
	my ($guest, $id, $stream) = guest($one, worker => 1);

	emit($id, 1);
	$guest->reaches($stream, 1);
	for my $round (1 .. 3) {
		kill KILL => $one->worker_pid(1);
		$guest->wait_for(sub { $guest->{client}{ended} });
		emit($id, 2);
		wait_until { $one->worker_pid(1) } 20;
		ok($guest->come_back($one, worker => 1), "round $round");
		has_all($guest, $stream, 'nothing is missing');
	}
	is(rows('claim', $guest->{sid}), 4, 'three took it over');
	$guest->leave;
};

subtest 'nothing was told yet' => sub {
	my ($guest, $id, $stream) = guest($one);

	$guest->vanish;
	emit($id, 2);
	ok($guest->come_back($one, offset => undef), 'without an offset');
	has_all($guest, $stream, 'all from where it began');
	my $old = $guest->{offset};
	ok(!$guest->come_back($one, pid => 'x' x 20), 'a new one');
	$guest->follow($id);
	$guest->vanish;
	emit($id, 1);
	ok($guest->come_back($two, offset => $old), 'with an older offset');
	has_all($guest, $stream, 'it says nothing of this one');
	$guest->leave;
};

subtest 'who goes back' => sub {
	my ($guest, $id, $stream) = guest($one);

	emit($id, 4);
	$guest->reaches($stream, 5);
	$guest->follow($id, since => 2);
	$guest->wait_for(sub { $guest->numbers($stream) == 8 });
	my ($again, $other) = (session(), session());
	$guest->follow($again);
	$guest->ask('unsubscribe', $again);
	$guest->vanish;
	emit($_, 1) for $id, $again;
	ok($guest->come_back($two), 'it is the same again');
	$guest->reaches($stream, 6);
	is_deeply([$guest->numbers($stream)], [1 .. 5, 3 .. 6],
		'from where it was last');
	ok($guest->is_in, 'and');
	is_deeply([$guest->numbers("session:$again")], [],
		'not what it follows no more');
	$guest->follow($other);
	$guest->vanish;
	my $last = emit($other, 2);
	ok($guest->come_back($one), 'it follows one that is silent');
	$guest->reaches("session:$other", $last);
	is_deeply([$guest->numbers("session:$other")], [$last - 1, $last],
		'and misses nothing of it');
	$guest->leave;
};

subtest 'both are there' => sub {
	my ($guest, $id, $stream) = guest($one, worker => 1);
	my $first = bless { %$guest, heard => [] }, ref $guest;

	$guest->reaches($stream, emit($id, 1));
	ok($guest->come_back($_->[0], worker => $_->[1]), 'taken over')
	    for reverse @places;
	ok((wait_until { $first->listen(1); $first->{client}{ended} } 10),
		'the first connection has ended');
	emit($id, 1);
	has_all($guest, $stream, 'the last one has all');
	is(rows('count(*)', $guest->{sid}), 1, 'and is kept');
	$guest->leave;
};

subtest 'what cannot be' => sub {
	my ($guest, $id, $stream) = guest($one);
	my $new = sub {
		($guest, $id, $stream) = guest($one);
		$guest->reaches($stream, emit($id, 2));
		$guest->vanish;
	};

	for ([pid => 'x' x 20], [pid => 'x'], [pid => 7], [pid => undef],
	    [offset => ''], [offset => 'x'], [offset => 7]) {
		$new->();
		is_anew($guest, $two, "$_->[0] " . ($_->[1] // 'none'), @$_);
	}
	$new->();
	my $offset = $guest->{offset};
	my ($mark, $lobby, $at) = split / /, $offset;
	for ("$mark $lobby $at x", "$mark $at $lobby", "$offset ",
	    "$mark $lobby $lobby", "$mark $lobby 1:x:3",
	    $offset =~ s/3\z/4/r, $offset =~ s/3\z/9223372036854775807/r,
	    $offset =~ s/3\z/-1/r, " $offset") {
		$new->();
		my $wrong = s/^$mark/substr $guest->{offset}, 0, 8/er;
		is_anew($guest, $two, $wrong, offset => $wrong);
	}
	$new->();
	is_anew($guest, $two, 'another one with its pid', token =>
		T::Live::token_for($one, name => 'Bert'));
	ok($guest->come_back($two, pid => $guest->{pid}, offset => undef,
		token => T::Live::token_for($one, name => 'Bert')),
		'who is himself again');
	$new->();
	is_anew($guest, $two, 'nobody with its pid', token => undef);
	$new->();
	$db->query('UPDATE partyline.stream SET epoch = DEFAULT '
		. "WHERE name = '$stream'");
	is_anew($guest, $two, 'another epoch');
	$new->();
	emit($id, 2);
	$db->query("DELETE FROM partyline.event WHERE stream = '$stream' "
		. 'AND seq <= 4; UPDATE partyline.stream SET lowest = 5 '
		. "WHERE name = '$stream'");
	is_anew($guest, $two, 'what is kept no more');
	$new->();
	is($admin->delete("/api/sessions/$id")->{status}, 200, 'deleted');
	is_anew($guest, $two, 'a session that was deleted');
	($guest, $id) = guest($one);
	is($admin->delete("/api/sessions/$id")->{status}, 200, 'deleted');
	is($guest->hears('unsubscribed')->{sessionId}, $id, 'and told so');
	$guest->vanish;
	is_anew($guest, $two, 'as it may not have heard it');
	$new->();
	my $raw = T::SocketIo->connect($two);
	my ($sid) = $raw->enter_kept('/live', T::LiveSocket::encoded(
		$guest->{auth}));
	ok($sid ne $guest->{sid}, 'without a pid: a new one');
	wait_until { rows('until IS NOT NULL', $guest->{sid}) eq 't' } 10;
	$db->query("UPDATE partyline.recovery SET until = now() WHERE sid = "
		. "'$guest->{sid}'");
	is_anew($guest, $two, 'too late');
};

subtest 'another tenant' => sub {
	is(partyline(qw(tenant add den --set), 'database_url=' . $db->url)
		->{exit}, 0, 'there is one');
	my ($guest, $id, $stream) = guest($one);
	my $path = '/t/den/socket.io/';

	wait_until { T::Client->new($two, tenant => 'den')
		->get('/api/sessions')->{status} == 200 } 10;
	$guest->reaches($stream, emit($id, 1));
	is_anew($guest, $two, 'its pid', path => $path, token =>
		T::Live::token_for($one, tenant => 'den'));
	is_deeply([$guest->numbers($stream)], [1, 2],
		'and hears nothing of it');
};

subtest 'it is cleaned up' => sub {
	my $brief = T::Server->start(wait => 'readyz', workers => 1,
		socketio_recovery => 200, work_round => '100ms');
	my $count = sub {
		return $brief->db->query('SELECT count(*) FROM '
			. "partyline.$_[0]");
	};
	my @guests = map { T::LiveSocket->enter($brief, recovered => 1) }
	    1 .. 3;

	$_->hears('subscribed') for @guests;
	is($count->('recovery'), 3, 'they are kept');
	$guests[0]->vanish;
	ok((wait_until { $count->('recovery') == 2 } 20),
		'no longer than it is to be');
	is_anew($guests[0], $brief, 'too late');
	my $killed = $brief->worker_pid(1);
	my $holder = $brief->db->query('SELECT holder FROM partyline.recovery '
		. "WHERE sid = '$guests[1]{sid}'");
	kill KILL => $killed;
	ok((wait_until { $count->('recovery') == 0 } 30),
		'nor those of whoever was killed');
	ok((wait_until { $count->("recovery_holder WHERE name = '$holder'")
		== 0 } 20), 'who is forgotten, too');
};

done_testing;
