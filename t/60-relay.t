#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Relays of several hosts over one Redis: what is carried, followed, dropped
# and gone on with; and a Redis that is away, frozen, or wants a password.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);
use T::OwnRedis;
use T::Relay;
use T::Wait;

my $redis = T::OwnRedis->start(password => 'se/cret');

# So many hosts, connected; each wants tenant 7 as a worker of slot 2.
sub hosts {
	my ($count) = @_;
	my @hosts = map { T::Relay->start($redis) } 1 .. $count;

	for my $host (@hosts) {
		$host->becomes_good or die 'not good: ' . $host->log_text;
		$host->want(2, 7, 1);
		$host->hears('sweep', 0, '', '', 0, 7) or die 'does not follow';
		$host->forget;
	}
	return @hosts;
}

sub is_heard {
	my ($host, $wanted, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until { $host->events >= @$wanted };
	is_deeply([ $host->events ], $wanted, $name);
	return;
}

# Two hosts do not come back at once: what the first one tells before the
# other follows again, the other's sweep brings.
sub hears_or_compares {
	my ($host, $wanted) = @_;

	return wait_until {
		grep { $_ eq $wanted || $_ eq 'sweep 0   0 7' } $host->heard;
	};
}

# The last that a host hears of another, so that nothing follows.
my $last = 0;

sub settle {
	my ($from, @hosts) = @_;

	$last++;
	$from->put(6, 'event', 7, 'last', $last, N());
	$_->hears('event', 7, 'last', 'e', $last, '\N') for @hosts;
	return;
}

sub N { return '\N' }

subtest 'what one host says, the others hear, and itself does not' => sub {
	my ($ann, $bob, $cid) = hosts(3);

	$ann->put(2, 'event', 7, 'lobby', 1, '{"a b":"c"}');
	$ann->put(3, 'live', 7, 'lobby', 0, '{"typing":1}');
	$ann->put(2, 'event', 7, 'lobby', 2, N());
	$ann->put(2, 'event', 7, 'to one process', 3, 'x', 5);
	$ann->put(2, 'sweep', 0, '', 0, N());
	$ann->put(2, 'event', 7, 'lobby', 4, 'x' x 20000);
	for my $host ($bob, $cid) {
		ok($host->hears('event', 7, 'lobby', 'e', 4, N()),
			'one that is too large comes without what it says');
		is_deeply([ sort $host->heard ], [ sort
			'event 7 lobby e 1 {"a b":"c"}',
			'event 7 lobby e 2 \N', 'event 7 lobby e 4 \N',
			'live 7 lobby e 0 {"typing":1}', 'sweep 0  e 0 \N' ],
			'all but what is for one process');
	}
	ok((wait_until { $ann->count('relay_dropped_own') == 5 }),
		'its own come back and are dropped');
	is_deeply([ $ann->heard ], [], 'not one of them is in its ring');
	is($ann->count('relay_published'), 5, 'published are five');
	is($bob->count('relay_received'),  5, 'received are five');
};

subtest 'within 100 ms, one after the other' => sub {
	my ($ann, $bob) = hosts(2);
	my @took;

	for my $seq (1 .. 50) {
		my $began = time;

		$ann->put(2, 'event', 7, 'lobby', $seq, 'x');
		$bob->hears('event', 7, 'lobby', 'e', $seq, 'x');
		push @took, time - $began;
		$bob->forget;
	}
	@took = sort { $a <=> $b } @took;
	cmp_ok($took[25], '<', 0.1 * ($ENV{T_SLOW} || 1), 'the middle one');
	note("middle $took[25] s, worst $took[-1] s");
};

subtest 'who nobody wants is not followed' => sub {
	my ($ann, $bob) = hosts(2);

	is($redis->followers(0), 2, 'control is always wanted');
	is($redis->followers(7), 2, 'so is what a worker wants');
	is($redis->followers(9), 0, 'and nothing else');
	$bob->put(2, 'event', 64, 'of all', 1, 'x');
	ok($ann->hears('event', 64, 'of all', 'e', 1, 'x'),
		'tenant 64 is beside control');
	$ann->want(3, 9, 1);
	$ann->want(4, 73, 2);
	ok((wait_until { $redis->followers(9) == 1 }), 'as soon as wanted');
	ok($ann->hears('sweep', 0, '', '', 0, 9),
		'and after the acknowledgement all of it is compared');
	is($ann->count('relay_buckets'), 3, 'three buckets');
	$bob->put(2, 'event', 9, 'nine', 1, 'x');
	ok($ann->hears('event', 9, 'nine', 'e', 1, 'x'), 'it is heard');
	$ann->want(3, 9, 0);
	settle($bob, $ann);
	is($redis->followers(9), 1, 'one of two lets go: still followed');
	$ann->want(4, 73, 0);
	my $began = time;
	ok((wait_until { $redis->followers(9) == 0 } 20),
		'both: not followed any more');
	cmp_ok(time - $began, '>', 8, 'but not at once');
	is($ann->count('relay_buckets'), 2, 'two buckets');
	is($redis->followers(7), 2, 'what is wanted stays');
};

subtest 'a message that no relay wrote' => sub {
	my ($ann) = hosts(1);

	$redis->call('PUBLISH', $redis->prefix . ':7', $_)
	    for '', 'garbage', "P1 zz E 1 1 0 0 -\n", "P1 ab E 1 1 9 0 -\n";
	ok((wait_until { $ann->count('relay_unreadable') == 4 }), 'counted');
	is_deeply([ $ann->heard ], [], 'and nothing else');
	ok($ann->is_good, 'it goes on');
};

subtest 'a relay dies: the next goes on where Redis last answered' => sub {
	my ($ann, $bob) = hosts(2);
	my @before;

	$ann->put(2, 'event', 7, 'lobby', 1, 'x');
	settle($ann, $bob);
	ok((wait_until {
		my ($done, $read, $tail) = @before = $ann->cursors(2);
		$done == $tail && $read == $tail
	}), 'what was answered is done');

	$redis->freeze;
	$bob->forget;
	$ann->put(2, 'event', 7, 'lobby', 2, 'x');
	$ann->put(2, 'live', 7, 'lobby', 0, 'once');
	$ann->put(2, 'event', 7, 'lobby', 3, 'x');
	my ($done, $read, $tail) = $ann->cursors(2);
	is($done, $before[0], 'what was not answered is not done');
	is($read, $tail, 'but it was read');
	$ann->dies(3);
	$ann->put(2, 'live', 7, 'lobby', 0, 'unread');
	$redis->thaw;
	ok($ann->becomes_good, 'the next relay is connected');
	settle($ann, $bob);
	my %times;
	$times{$_}++ for $bob->events;
	ok($times{"event 7 lobby e $_ x"}, "number $_ is heard") for 2, 3;
	is($times{'live 7 lobby e 0 once'}, 1,
		'a live one that was read is not sent again');
	is($times{'live 7 lobby e 0 unread'}, 1, 'one that was not is');
	ok(!$times{'event 7 lobby e 1 x'}, 'nor is what was answered');
};

subtest 'cut off when it dies: the next one tells what nobody heard' => sub {
	my ($bob) = hosts(1);

	$redis->call('ACL', 'SETUSER', 'ann', 'reset', 'on', '>pw', '&*',
		'+@all');
	my $ann = T::Relay->start($redis, redis_url => sprintf
		'redis://ann:pw@%s:%d', $redis->{host}, $redis->{port});
	ok($ann->becomes_good, 'the one is well');
	$redis->call('ACL', 'SETUSER', 'ann', 'off');
	$redis->call('CLIENT', 'KILL', 'USER', 'ann');
	ok((wait_until { !$ann->is_good }), 'and cut off');
	ok($bob->is_good, 'the other is not');
	$ann->put(2, 'event', 7, 'lobby', $_, 'x') for 1 .. 3;
	$ann->dies(3);
	$ann->put(4, 'event', 7, 'table', 1, 'x');
	$redis->call('ACL', 'SETUSER', 'ann', 'on');
	ok($bob->hears('event', 7, 'table', 'e', 1, 'x'), 'later ones come');
	is_deeply([ grep { /lobby/ } $bob->events ],
		[ map { "event 7 lobby e $_ x" } 1 .. 3 ],
		'and all before, in order');
};

subtest 'what the relay wrote is not news of this host' => sub {
	my ($ann, $bob, $cid) = hosts(3);

	$bob->put(2, 'event', 7, 'lobby', 1, 'x');
	$ann->hears('event', 7, 'lobby', 'e', 1, 'x');
	is(scalar(grep { /lobby/ } $cid->events), 1, 'heard once');
	$ann->dies(4);
	ok($ann->becomes_good, 'the next relay has another slot');
	settle($ann, $bob, $cid);
	is(scalar(grep { /lobby/ } $cid->events), 1, 'still once');
	is(scalar(grep { /lobby/ } $bob->events), 0, 'and not by its writer');
};

subtest "its slot's last owner told what nobody published" => sub {
	my ($ann, $bob) = hosts(2);

	$redis->freeze;
	$ann->put(2, 'event', 7, 'lobby', 1, 'x');
	$ann->dies(2);
	$redis->thaw;
	# It was on its way already if the relay was quicker than its writer's
	# death.
	my $sweep = join ' ', 'sweep', 0, '', '', 0, N();
	ok((wait_until {
		grep { $_ eq $sweep || $_ eq 'event 7 lobby e 1 x' } $bob->heard
	}), 'the others compare') or diag(join "\n", $bob->heard);
	ok((wait_until { ($ann->ask('state'))[2] == 0 }),
		'until then it is owed');
};

subtest 'faster than Redis takes them' => sub {
	my ($ann, $bob) = hosts(2);

	$bob->want(3, 1, 1);
	$bob->hears('sweep', 0, '', '', 0, 1);
	$ann->crowd(2, 200, 1000);
	is_heard($bob, [ map { "event 1 crowd e $_ 1000 bytes" } 1 .. 200 ],
		'a crowd comes whole and in order');
	$bob->forget;
	$redis->freeze;
	$ann->crowd(2, 150, 15000);
	$ann->crowd(2, 150, 15000);
	my $in_flight = $ann->count('relay_in_flight');
	cmp_ok($in_flight, '>', 0,   'some are on their way');
	cmp_ok($in_flight, '<', 100, 'not more than it keeps in mind');
	cmp_ok($ann->count('ring_laps'), '>', 0, 'the ring lapped');
	$redis->thaw;
	ok($bob->hears('sweep', 0, '', '', 0, N()), 'the others compare');
	ok((wait_until { ($ann->ask('state'))[2] == 0 }), 'nothing is owed');
	settle($ann, $bob);
	ok($ann->is_drained, 'it can leave');
};

subtest 'many at once' => sub {
	my ($ann, $bob) = hosts(2);
	my $count = 2900;

	$bob->want(3, 1, 1);
	$bob->hears('sweep', 0, '', '', 0, 1);
	$ann->crowd(2, $count, 20);
	is_heard($bob, [ map { "event 1 crowd e $_ " . 'x' x 20 } 1 .. $count ],
		'more than may be on their way come in order');
	is($ann->count('ring_laps'), 0, 'without a lap');
};

subtest 'Redis is killed' => sub {
	my ($ann, $bob) = hosts(2);

	$redis->stop;
	for my $host ($ann, $bob) {
		ok((wait_until { !$host->is_good } 2), 'they notice at once');
		is(join(' ', ($host->ask('state'))[0, 1]), 'down cut off',
			'and say so');
		ok((grep { $_ eq 'sweep 0   0 \N' } $host->heard),
			'the host compares, and tells others');
	}
	$ann->put(2, 'event', 7, 'lobby', 1, 'meanwhile');
	$ann->want(4, 8, 1);
	wait_until { $ann->log_text =~ /refused/ };
	$redis->spawn;
	ok($_->becomes_good, 'they are back') for $ann, $bob;
	ok(hears_or_compares($bob, 'event 7 lobby e 1 meanwhile'),
		'what was told meanwhile comes');
	ok($bob->hears('sweep', 0, '', '', 0, 7),
		'what is followed again is compared');
	ok((wait_until { $redis->followers(8) == 1 }), 'new wishes too');
	cmp_ok($ann->count('relay_reconnects'), '>', 0, 'counted');
	my @said = $ann->log_text =~ /cannot be used/g;
	cmp_ok(scalar @said, '<=', 4, 'each reason is said once');
	is(() = $ann->log_text =~ /can be used again/g, 1, 'and its end once');
	unlike($ann->log_text, qr{se/cret}, 'never the password');
};

subtest 'Redis is deaf' => sub {
	my ($ann, $bob) = hosts(2);

	$redis->freeze;
	my $began = time;
	ok((wait_until { !$ann->is_good } 8), 'silence is noticed');
	cmp_ok(time - $began, '>', 1.5, 'not by a lost connection');
	cmp_ok($ann->count('relay_deaf'), '>', 0, 'counted');
	$ann->put(2, 'event', 7, 'lobby', 1, 'meanwhile');
	ok((wait_until { $ann->log_text =~ /does not answer/ }),
		'it cannot be connected to either');
	$redis->thaw;
	ok($_->becomes_good, 'it hears again') for $ann, $bob;
	ok(hears_or_compares($bob, 'event 7 lobby e 1 meanwhile'),
		'what was told meanwhile comes');
};

subtest 'only the subscribing half is deaf' => sub {
	my ($ann) = hosts(1);
	my $before = $ann->count('relay_reconnects');

	$redis->call('CLIENT', 'KILL', 'TYPE', 'pubsub');
	ok((wait_until { $ann->count('relay_reconnects') > $before }),
		'it is made anew');
	ok($ann->becomes_good, 'and hears');
	ok($ann->hears('sweep', 0, '', '', 0, 7), 'and compares');
};

subtest 'who is not let in says so, once' => sub {
	my %said = (
		'the password of redis_url is wrong' => $redis->url('wrong'),
		'Redis wants a password in redis_url' => $redis->url(''),
		'DB index is out of range' => $redis->url . '/9999',
		'Connection refused' => 'redis://127.0.0.1:1',
		'has no address|not known|failure in name' =>
		    'redis://nobody.invalid',
	);

	for my $pattern (sort keys %said) {
		my $host = T::Relay->start($redis,
			redis_url => $said{$pattern});

		ok((wait_until { $host->log_text =~ /$pattern/ } 30), $pattern)
		    or diag($host->log_text);
		ok(!$host->is_good, 'it is not good');
		$host->end;
		is(() = $host->log_text =~ /$pattern/g, 1, 'said once');
	}
	my $named = T::Relay->start($redis, redis_url => sprintf
		'redis://default:%s@localhost:%d/1', 'se%2fcret',
		$redis->{port});
	# It listens on an address that localhost is not.
	ok((wait_until { $named->log_text =~ /refused/ }), 'names are found');
	my $socket = T::Relay->start($redis, redis_url => $redis->unix_url);
	ok($socket->becomes_good, 'a socket will do');
};

subtest 'who may not publish, or not follow' => sub {
	my $prefix = $redis->prefix;
	my %may = (PUBLISH => '-publish', SUBSCRIBE => '-subscribe');

	for my $verb (sort keys %may) {
		$redis->call('ACL', 'SETUSER', lc $verb, 'reset', 'on', '>pw',
			"&$prefix:*", '+@all', $may{$verb});
		my $host = T::Relay->start($redis, redis_url => sprintf
			'redis://%s:pw@%s:%d', lc $verb, $redis->{host},
			$redis->{port});
		ok((wait_until { $host->log_text =~ /forbids it/ }),
			"$verb is forbidden") or diag($host->log_text);
		ok(!$host->is_good, 'it is not good');
	}
	$redis->call('ACL', 'SETUSER', 'little', 'reset', 'on', '>pw',
		"&$prefix:*", '+ping', '+publish', '+subscribe',
		'+unsubscribe');
	my $host = T::Relay->start($redis, redis_url => sprintf
		'redis://little:pw@%s:%d', $redis->{host}, $redis->{port});
	ok($host->becomes_good, 'these four are enough');
};

done_testing;
