#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Two whole hosts over one PostgreSQL and one Redis: news reach the other
# one's rings, killed relays come back, and who is cut off says so, so that
# all compare with the log more often.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use T::Client;
use T::Db;
use T::Http;
use T::OwnRedis;
use T::Relay;
use T::Server;
use T::Wait;

my $json = JSON::PP->new->utf8;

# A host of a database, and of a Redis unless told.
sub host {
	my ($db, $redis, %set) = @_;
	my $host = T::Server->start(
		workers      => 2,
		database_url => $db->url,
		redis_url    => $redis && $redis->url,
		redis_prefix => $redis ? $redis->prefix : 'none',
		%set
	);

	T::Client::wait_for_workers($host);
	return $host;
}

sub ready_of {
	my ($host) = @_;

	return $json->decode(T::Http->get($host, '/readyz')->{body});
}

sub becomes {
	my ($host, $status, $seconds) = @_;

	return wait_until { ready_of($host)->{status} eq $status }
	    $seconds // 20;
}

# What the rows of the hosts say: true and false, by heartbeat.
sub cut_off {
	my ($db) = @_;

	return $db->query('SELECT count(*) FROM partyline.host WHERE degraded');
}

# A new session, the one before closed. Workers that begin answer 503.
sub session {
	my ($admin) = @_;
	my $made;

	wait_until {
		$made = $admin->post('/api/sessions', { notes => 'news' });
		$admin->post("/api/sessions/$made->{json}{activeSessionId}"
			. '/close') if $made->{status} == 400;
		$made->{status} == 201;
	};
	return $made->{json}{id} // die "no session: $made->{body}\n";
}

# The event of that session in a relay's ring.
sub hears_of {
	my ($relay, $id) = @_;

	return wait_until {
		grep { /^event 1 \S+ \S+ \d+ .*"session\.started".*\b$id\b/ }
		    $relay->heard;
	};
}

my $redis = T::OwnRedis->start(password => 'secret');

subtest 'two hosts, and a relay that shows what they say' => sub {
	my $db  = T::Db->new;
	my $ann = host($db, $redis);
	my $bob = host($db, $redis);
	my $ear = T::Relay->start($redis);
	my $admin = T::Client->new($ann);

	ok(becomes($_, 'ready'), 'ready') for $ann, $bob;
	is(ready_of($ann)->{parts}{$_}, 'ok', "$_ is ok") for qw(redis relay);
	ok((wait_until { cut_off($db) == 0 }), 'no host is cut off');
	$ear->becomes_good;
	$ear->want(2, 1, 1);
	$ear->hears('sweep', 0, '', '', 0, 1);

	my $id = session($admin);
	ok(hears_of($ear, $id), 'a write of one host is told to others')
	    or diag explain [ $ear->heard ];
	cmp_ok($ann->count('relay_published'), '>', 0, 'published');

	$ear->put(2, 'event', 0, 'control', 999, N());
	ok((wait_until { $ann->count('relay_received') > 0 }),
		'what another host says is in the ring');
	ok((wait_until { $bob->count('relay_received') > 0 }),
		'of both of them');
	my $received = $bob->count('relay_received');
	$ear->put(2, 'sweep', 0, '', 0, N());
	ok((wait_until { $bob->count('relay_received') > $received }),
		'a sweep too');

	subtest 'a killed relay' => sub {
		my ($relay) = $ann->pids('relay');

		kill KILL => $relay;
		$id = session($admin);
		ok(hears_of($ear, $id), 'what was told meanwhile comes');
		ok((wait_until {
			my ($next) = $ann->pids('relay');
			$next && $next != $relay
		}), 'it is replaced');
		ok(becomes($ann, 'ready'), 'and all is well again');
		ok($ear->hears('sweep', 0, '', '', 0, N()),
			'what the dead one may not have told is compared');
	};

	subtest 'a reload' => sub {
		my ($relay) = $ann->pids('relay');

		$ann->hup;
		$id = session($admin);
		ok(hears_of($ear, $id), 'loses nothing');
		ok((wait_until {
			my @relays = $ann->pids('relay');
			@relays == 1 && $relays[0] != $relay
		}), 'the relay is another one');
		$id = session(T::Client->new($ann));
		ok(hears_of($ear, $id), 'and goes on');
	};

	subtest 'Redis is killed' => sub {
		my $mark = $bob->log_mark;

		$redis->stop;
		ok(becomes($ann, 'degraded'), 'the host is degraded');
		is(ready_of($ann)->{parts}{redis}, 'down', 'Redis is named');
		ok((wait_until {
			ready_of($ann)->{parts}{relay} eq 'degraded'
		}), 'and the relay');
		ok((wait_until { cut_off($db) == 2 } 3), 'both hosts say so');
		ok((wait_until {
			() = $bob->log_since($mark) =~ /may be late, compar/g
			    and $bob->log_since($mark) =~ /worker 2/
		}), 'the workers compare more often');
		$id = session($admin);
		ok($id, 'nobody who writes is held up');
		$redis->spawn;
		ok(becomes($_, 'ready'), 'ready again') for $ann, $bob;
		ok((wait_until { cut_off($db) == 0 }), 'they say so');
		ok((wait_until {
			$bob->log_since($mark) =~ /come in time"/
		}), 'and are at ease');
		unlike($ann->log_text, qr/:secret@|"secret"/, 'no password');
	};
	$ear->end;
};

# Seconds from a write through one host to the answer of a long poll at the
# other, a few times, the shortest first.
sub delays {
	my ($writer, $reader, $id, $head) = @_;
	my ($seq, @took) = $$head;

	for (1 .. 9) {
		$reader->ask(get => "/api/sessions/$id/events?wait=30&since="
			. $seq++);
		# It has joined once its worker follows the stream.
		wait_until { $reader->{server}->count('polls_waiting') == 1 };
		my $began = time;
		$writer->post("/api/sessions/$id/events",
			{ type => 'custom.n', data => { n => 1 } })
		    ->{status} == 201 or die "no event\n";
		my $answer = $reader->take;
		push @took, time - $began;
		is($answer->{json}{events}[0]{seq}, $seq, "number $seq");
	}
	$$head = $seq;
	return sort { $a <=> $b } @took;
}

subtest 'a client of one host, and what is written through the other' => sub {
	my $db   = T::Db->new;
	my $ann  = host($db, $redis);
	my $bob  = host($db, $redis);
	my $slow = $ENV{T_SLOW} || 1;
	my $writer = T::Client->new($ann);
	my $reader = T::Client->new($bob, worker => 2);
	my $id   = session($writer);
	my $head = 0;

	becomes($_, 'ready') for $ann, $bob;
	is($redis->followers(1), 0, 'nobody follows it');
	my @took = delays($writer, $reader, $id, \$head);
	cmp_ok($took[4], '<', 0.1 * $slow, 'within 100 ms, the middle one');
	note("through Redis: @took");
	is($redis->followers(1), 1, 'the one host follows it');
	cmp_ok($bob->count('relay_received'), '>=', 8, 'through Redis');

	$redis->stop;
	ok((wait_until { $bob->log_text =~ /may be late, compar/ }),
		'without Redis they compare more often');
	my $sweeps = $bob->count('sweeps');
	@took = delays($writer, $reader, $id, \$head);
	cmp_ok($took[4], '<', 0.6 * $slow, 'within 600 ms, the middle one');
	note("without Redis: @took");
	cmp_ok($bob->count('sweeps'), '>', $sweeps, 'by comparing');
	$redis->spawn;
	becomes($_, 'ready') for $ann, $bob;
	@took = delays($writer, $reader, $id, \$head);
	cmp_ok($took[4], '<', 0.1 * $slow, 'and again within 100 ms');
};

subtest 'one host of two is cut off' => sub {
	my $db  = T::Db->new;
	my $ann = host($db, $redis);
	my $mark = $ann->log_mark;

	ok(becomes($ann, 'ready'), 'one host alone');
	my $bob = host($db, $redis, redis_url => $redis->url('wrong'));
	ok(becomes($bob, 'degraded'), 'the other is not let in');
	ok($bob->wait_for_log(qr/the password of redis_url is wrong/),
		'and says why');
	is(() = $bob->log_text =~ /password of redis_url/g, 1, 'once');
	unlike($bob->log_text, qr/:wrong@|"wrong"/, 'not the password');
	for my $host ($ann, $bob) {
		ok((wait_until { $host->log_text =~ /may be late, compar/ }),
			'both compare more often');
	}
	is(ready_of($ann)->{status}, 'ready', 'the first one is well');
	$bob->stop;
	ok((wait_until {
		$ann->log_since($mark) =~ /come in time"/
	}), 'the other leaves: at ease');
};

subtest 'without a Redis' => sub {
	my $db  = T::Db->new;
	my $ann = host($db, undef);

	is_deeply([ sort keys %{ ready_of($ann)->{parts} } ],
		[qw(jobs postgres relay)], 'it is no part');
	ok(becomes($ann, 'ready'), 'one host alone is ready');
	my $admin = T::Client->new($ann);
	ok(session($admin), 'and works');
	unlike($ann->log_text, qr/may be late, compar/,
		'there is nothing to hurry for');
	my $bob = host($db, undef);
	for my $host ($ann, $bob) {
		ok((wait_until { $host->log_text =~ /may be late, compar/ }),
			'two hosts compare more often');
	}
	is(ready_of($bob)->{status}, 'ready', 'and are ready');
};

sub N { return '\N' }

done_testing;
