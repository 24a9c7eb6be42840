#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# HISTOGRAM delivery: the time from a commit to the sockets, once for each
# event and worker, as operators see it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Http;
use T::Live;
use T::Server;
use T::Sse;
use T::Wait;

my $server = T::Server->start(wait => 'readyz', workers => 2);
my $admin = T::Client->new($server, worker => 1);
my $id = $admin->post('/api/sessions')->{json}{id};
my $stream = "session:$id";

sub emit {
	my ($count) = @_;
	my $last;

	$last = $admin->post("/api/sessions/$id/events", { type => 'custom.n',
		data => {} })->{json}{seq} for 1 .. $count;
	return $last;
}

sub delivery { return $server->status('delivery')->{histograms}{delivery} }

# So many more than before were measured, and no others.
sub measured {
	my ($before, $more, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until { delivery()->{count} >= $before + $more };
	return is(delivery()->{count}, $before + $more, $name);
}

my $begun = delivery()->{count};
emit(3);
measured($begun, 0, 'nobody listens: nothing is measured');

my @lives = map { T::Live->enter($server, worker => $_, deflate => $_ - 1) }
    1, 1, 2, 2;
my $ear = T::Sse->new(T::Client->new($server, worker => 2),
	"/api/sessions/$id/stream");
is($_->follow($id)->{type}, 'subscribed', 'a client follows') for @lives;
$ear->next;

subtest 'once for each event and worker' => sub {
	my $before = delivery();
	my $last = emit(5);

	ok($_->reaches($stream, $last), 'all hear it') for @lives;
	is(scalar $ear->events(5), 5, 'of both doors');
	measured($before->{count}, 10, 'five events, two workers');
	my $now = delivery();
	cmp_ok($now->{sum_us}, '>', $before->{sum_us}, 'it took time');
	my $sum = 0;
	$sum += $_ for @{ $now->{buckets} };
	is($sum, $now->{count}, 'the buckets have all of it');
};

subtest 'what is read from the log is not measured' => sub {
	my $before = delivery()->{count};
	my $late = T::Live->enter($server);

	$late->follow($id, since => 0);
	ok($late->reaches($stream, 8), 'a replay');
	measured($before, 0, 'it was asked for');
	$late->leave;
};

subtest 'a worker that does not run' => sub {
	my $before = delivery();
	my $pid = $server->worker_pid(2);
	my $began = time;

	kill STOP => $pid;
	my $last = emit(1);
	ok($_->reaches($stream, $last), 'the other one goes on')
	    for @lives[0, 1];
	wait_until { time - $began > 0.4 };
	kill CONT => $pid;
	ok($_->reaches($stream, $last), 'it comes late') for @lives[2, 3];
	measured($before->{count}, 2, 'both are measured');
	my $more = delivery()->{sum_us} - $before->{sum_us};
	cmp_ok($more, '>', 300_000, 'as long as it took');
	cmp_ok($more, '<', 1e6 * (time - $began), 'and no longer');
};

subtest 'metrics' => sub {
	my $metrics = T::Http->get($server->admin, '/metrics')->{body};
	my $now = delivery();
	my %bucket = $metrics =~
	    /^partyline_delivery_seconds_bucket\{le="(.*?)"\} (\d+)$/mg;

	is($bucket{'+Inf'}, $now->{count}, 'the last bucket has all');
	cmp_ok($bucket{'0.262144'}, '==', $now->{count} - 1,
		'but the late one is above a quarter of a second');
	like($metrics, qr/^partyline_delivery_seconds_count $now->{count}$/m,
		'their count');
};

done_testing;
