#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What one address, one caller and one tenant may have of the live doors,
# whatever connections and workers it is spread over; and that it is given
# back, also by who was killed.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Live;
use T::Server;
use T::Sse;
use T::Wait;

sub serve {
	my (%set) = @_;
	# Who reads without need of a token is nobody's caller.
	my $server = T::Server->prepare(workers => 2,
		set => { public_read => 'off', %set });

	is($server->partyline('tenant', 'add', 'den', '--set',
		'database_url=' . $server->db->url)->{exit}, 0, 'another');
	$server->spawn;
	ok($server->wait_ready('readyz'), 'ready');
	return $server;
}

# Ann from 127.0.0.2, in worker 1.
sub enter {
	my ($server, $name, $host, $worker, %more) = @_;

	return T::Live->enter($server, name => $name,
		from => "127.0.0.$host", worker => $worker, %more);
}

sub sessions {
	my ($server, $count) = @_;
	my $admin = T::Client->new($server, name => 'Writer');

	return map {
		my $id = $admin->post('/api/sessions')->{json}{id};
		$admin->post("/api/sessions/$id/close");
		$id;
	} 1 .. $count;
}

subtest 'connections of a caller' => sub {
	my $server = serve(connections_per_caller => 3);
	my ($id) = sessions($server, 1);
	my @lives = (enter($server, 'Ann', 2, 1), enter($server, 'Ann', 3, 2));
	my $ann = T::Client->new($server, name => 'Ann', worker => 2);
	my $ear = T::Sse->new($ann, "/api/sessions/$id/stream");
	my $more = T::Live->connect($server, worker => 1);

	is($ear->{status}, 200, 'a stream is the third');
	$more->sign_in(T::Live::token_for($server, name => 'Ann'));
	is_closed($more, 4030, 'too_many_connections');
	my $answer = $ann->request('GET', "/api/sessions/$id/events");
	refused($answer, 429, 'too_many_caller_connections');
	ok(settled(@lives, enter($server, 'Bob', 2, 1)), 'others may');
	$lives[0]->leave;
	my $again = wait_until {
		my $live = T::Live->connect($server, worker => 2);

		$live->sign_in(T::Live::token_for($server, name => 'Ann'));
		$live->settle ? $live : undef;
	};
	ok($again, 'one goes, one comes');
	# Who signs in as another one is no longer counted as the first.
	$again->sign_in(T::Live::token_for($server, name => 'Cat'));
	ok($again->settle, 'as somebody else');
	ok(enter($server, 'Ann', 5, 1)->settle, 'Ann may again');

	kill KILL => $server->worker_pids;
	my @new;
	ok((wait_until {
		my $live = eval { enter($server, 'Ann', 6, 1, early => 1) };

		push @new, $live if $live && $live->settle;
		@new == 3;
	} 20), 'places of killed workers are given back');
};

subtest 'subscriptions' => sub {
	my $server = serve(subscriptions_per_caller => 4,
		subscriptions_per_address => 6, subscriptions_per_tenant => 9);
	my @ids = sessions($server, 5);
	my $follows = sub {
		my ($live, @which) = @_;

		return join ' ', map {
			my $answer = $live->follow($ids[$_]);
			$answer->{code} // $answer->{type};
		} @which;
	};
	my $full = 'too_many_subscriptions';
	my $one = enter($server, 'Ann', 2, 1);
	my $two = enter($server, 'Ann', 3, 2);

	is($follows->($one, 0, 1), 'subscribed subscribed', 'two here');
	is($follows->($two, 0, 1, 2), "subscribed subscribed $full",
		'two there, no more');
	my $ann = T::Client->new($server, name => 'Ann', worker => 1);
	refused($ann->request('GET', "/api/sessions/$ids[0]/events?wait=1"),
		429, $full);
	is(T::Sse->new($ann, "/api/sessions/$ids[0]/stream")->{answer}{json}
		{code}, $full, 'nor by other doors');

	my $bob = enter($server, 'Bob', 2, 2);
	my $cat = enter($server, 'Cat', 2, 1);
	is($follows->($bob, 0 .. 3), join(' ', ('subscribed') x 4),
		'the address has six');
	is($follows->($cat, 0), $full, 'and no more');
	my $dan = enter($server, 'Dan', 4, 2);
	is($follows->($dan, 0, 1), "subscribed $full", 'the tenant has nine');
	my ($other) = T::Client->new($server, tenant => 'den')
	    ->post('/api/sessions')->{json}{id};
	is(enter($server, 'Ann', 2, 1, tenant => 'den')->follow($other)
		->{code}, $full, 'an address counts in all tenants');
	is(enter($server, 'Ann', 5, 1, tenant => 'den')->follow($other)
		->{type}, 'subscribed', 'another tenant has its own');

	$one->say({ type => 'unsubscribe', sessionId => $ids[0] });
	ok($one->settle, 'one is given back');
	is($follows->($dan, 1, 2), "subscribed $full", 'and taken');
	$bob->leave;
	ok((wait_until { $follows->($dan, 2) eq 'subscribed' }),
		'who leaves gives back all');
	kill KILL => $server->worker_pid(1);
	ok((wait_until { $follows->($dan, 3) eq 'subscribed' } 10),
		'so does who is killed');
};

subtest 'messages' => sub {
	my $server = serve(messages_per_caller => 20,
		messages_per_address => 40, messages_per_tenant => 80);
	my $says = sub {
		my ($live, $count) = @_;

		$live->say({ type => 'ping' }) for 1 .. $count;
		return $live->wait_for(sub {
			$live->heard('pong') >= $count;
		});
	};
	my $is_full = sub {
		my ($live, $name) = @_;

		$live->say({ type => 'ping' });
		my $later = is_closed($live, 4029, 'too_many_messages',
			name => $name);
		cmp_ok($later, '<=', 60000, 'when to come back');
		return cmp_ok($later, '>=', 1000, 'in seconds');
	};
	my @anns = (enter($server, 'Ann', 2, 1), enter($server, 'Ann', 3, 2));
	ok($says->($_, 10), 'as many as a caller may') for @anns;
	$is_full->($anns[0], 'of one caller');

	my @same = map { enter($server, $_->[0], 4, $_->[1]) }
	    ['Bob', 1], ['Cat', 2], ['Dan', 1];
	my @each = (15, 15, 7);
	ok($says->($same[$_], $each[$_]), 'as many as an address may')
	    for 0 .. 2;
	$is_full->($same[2], 'of one address');

	# 22 and 40 were counted for the tenant.
	my $eve = enter($server, 'Eve', 5, 2);
	ok($says->($eve, 17), 'as many as a tenant may');
	$is_full->($eve, 'of one tenant');
	my $other = enter($server, 'Eve', 5, 1, tenant => 'den');
	ok($says->($other, 10), 'another tenant goes on');
};

done_testing;
