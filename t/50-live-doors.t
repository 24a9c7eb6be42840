#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# One client that changes door, worker and host in the middle of a session,
# and goes on from the same cursor: no gap, no repeat, whether the hosts hear
# of each other through Redis or have none.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Db;
use T::Live;
use T::Redis;
use T::Server;
use T::Sse;
use T::Wait;

# From (epoch, seq) on, by one door; gives back the numbers that came.
my %take = (
	live => sub {
		my ($host, $worker, $id, $epoch, $seq, $last) = @_;
		my $live = T::Live->enter($host, worker => $worker);
		my $said = $live->follow($id,
			since => { epoch => $epoch, seq => $seq });

		ok($said->{recovered}, 'the socket goes on');
		ok($live->reaches("session:$id", $last), "up to $last");
		my @numbers = $live->numbers("session:$id");
		$live->leave;
		return @numbers;
	},
	sse => sub {
		my ($host, $worker, $id, $epoch, $seq, $last) = @_;
		my $ear = T::Sse->new(T::Client->new($host,
			worker => $worker), "/api/sessions/$id/stream",
			headers => { 'Last-Event-ID' => "$epoch:$seq" });
		my @numbers = map { $_->{seq} } $ear->events($last - $seq);

		$ear->close;
		return @numbers;
	},
	poll => sub {
		my ($host, $worker, $id, $epoch, $seq, $last) = @_;
		my $client = T::Client->new($host, worker => $worker);
		my @numbers;

		while ($seq < $last) {
			my $answer = $client->request('GET', "/api/sessions/"
				. "$id/events?wait=10&since=$epoch:$seq");
			my @events = @{ $answer->{json}{events} // [] }
			    or last;

			push @numbers, map { $_->{seq} } @events;
			$seq = $numbers[-1];
		}
		return @numbers;
	},
);

for my $has_redis (1, 0) {
	subtest $has_redis ? 'with a Redis' : 'without a Redis' => sub {
		my $db = T::Db->new;
		my $redis = T::Redis->new;
		my @hosts = map { T::Server->start(wait => 'readyz',
			workers => 2, database_url => $db->url,
			redis_url => $has_redis ? $redis->url : undef,
			redis_prefix => $redis->prefix) } 1, 2;

		$_->{db} = $db for @hosts;
		my @writers = map { T::Client->new($_) } @hosts;
		my $id = $writers[0]->post('/api/sessions')->{json}{id};
		my $emit = sub {
			my ($count) = @_;
			my $answer;

			$answer = $writers[$_ % 2]->post(
				"/api/sessions/$id/events",
				{ type => 'custom.n', data => {} })->{json}
			    for 1 .. $count;
			return @$answer{qw(epoch seq)};
		};
		my ($epoch, $last) = $emit->(3);
		my ($seq, @all) = (0);
		my $round = 0;

		for my $door (qw(live sse poll live poll sse live)) {
			my $host = $hosts[$round % 2];
			my $worker = 1 + ($round++ >> 1) % 2;
			my @came = $take{$door}->($host, $worker, $id, $epoch,
				$seq, $last);

			is("@came", join(' ', $seq + 1 .. $last),
				"$door, worker $worker");
			push @all, @came;
			$seq = $last;
			($epoch, $last) = $emit->(4);
		}
		is("@all", join(' ', 1 .. $seq), 'each once and in order');
	};
}

done_testing;
