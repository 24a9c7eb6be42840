#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Bounds: how many connections, how much memory, how long.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mojo::JSON qw(decode_json);
use Test::More;
use Time::HiRes qw(time);
use T::Http;
use T::Server;
use T::Wait;

my $ask = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

# A connection that has been answered and stays open.
sub open_one {
	my ($server, %options) = @_;
	my $client = T::Http->connect($server, %options);

	$client->send($ask);
	$client->{answer} = $client->answer(seconds => 5)
	    // { status => 0, why => $client->why };
	return $client;
}

sub status_of { return join ' ', map { $_->{answer}{status} } @_ }

sub refused {
	my ($client, $status, $code) = @_;
	my $answer = $client->{answer};

	is($answer->{status}, $status, $code);
	is(decode_json($answer->{body} || '{}')->{code}, $code);
	like($answer->{headers}{'retry-after'}, qr/^\d+\z/,
		'when to come back');
	is($answer->{headers}{connection}, 'close');
	ok($client->is_cut, 'and closed');
	return;
}

# As soon as there is room: a connection more among those that are open.
sub comes_in {
	my ($server, $open, %options) = @_;

	return wait_until {
		my $client = open_one($server, %options);

		$client->{answer}{status} == 200 && push @$open, $client;
	};
}

sub kill_workers {
	my ($server) = @_;
	my @old = $server->worker_pids;

	kill KILL => @old;
	return wait_until {
		my %new = map { $_ => 1 } $server->worker_pids;

		keys %new == @old && !grep { $new{$_} } @old;
	};
}

subtest 'connections of the host' => sub {
	my $server = T::Server->start(workers => 2,
		set => { connections => 20 });
	my @open;

	ok((wait_until { $server->count('connections_open') == 0 }), 'empty');
	push @open, open_one($server) for 1 .. 20;
	is(status_of(@open), join(' ', (200) x 20), 'as many as allowed');
	refused(open_one($server), 503, 'too_many_connections') for 1 .. 3;
	is($server->count('connections_refused'), 3, 'counted');
	is(T::Http->get($server->admin, '/metrics')->{status}, 200,
		'who looks after it gets in');
	(shift @open)->close;
	ok(comes_in($server, \@open), 'one went, one comes');
	$_->send($ask) for @open;
	is(scalar(grep { $_->answer->{status} == 200 } @open), 20,
		'those who were in were never disturbed');

	subtest 'those of a killed worker are given back' => sub {
		ok(kill_workers($server), 'all workers killed');
		@open = ();
		ok((wait_until { $server->count('connections_open') == 0 }),
			'none open');
		push @open, open_one($server) for 1 .. 20;
		is(status_of(@open), join(' ', (200) x 20), 'all of them');
		refused(open_one($server), 503, 'too_many_connections');
	};
};

subtest 'connections of an address' => sub {
	my $server = T::Server->start(workers => 2,
		set => { connections_per_address => 5,
			trusted_proxies => '127.0.0.9' });
	my @one = (from => '127.0.0.5');
	my @open;

	push @open, open_one($server, @one) for 1 .. 5;
	is(status_of(@open), '200 200 200 200 200', 'as many as allowed');
	refused(open_one($server, @one), 429, 'too_many_from_address')
	    for 1 .. 3;
	is(open_one($server, from => '127.0.0.6')->{answer}{status}, 200,
		'others are not concerned');
	my @proxied = map { open_one($server, from => '127.0.0.9') } 1 .. 8;
	is(status_of(@proxied), join(' ', (200) x 8),
		'a trusted proxy is not counted');
	(pop @open)->close;
	ok(comes_in($server, \@open, @one), 'one went, one comes');

	subtest 'those of a killed worker are given back' => sub {
		ok(kill_workers($server), 'all workers killed');
		@open = ();
		push @open, open_one($server, @one) for 1 .. 5;
		is(status_of(@open), '200 200 200 200 200', 'all of them');
		refused(open_one($server, @one), 429, 'too_many_from_address');
	};
};

subtest 'more refused than are answered' => sub {
	my $server = T::Server->start(workers => 1,
		set => { connections => 1, request_timeout => '1s' });

	ok((wait_until { $server->count('connections_open') == 0 }), 'empty');
	my @open = (open_one($server),
		map { T::Http->connect($server) } 1 .. 300);
	my $closed = 0;

	is(status_of($open[0]), 200, 'one is inside');
	wait_until { $server->count('connections_refused') >= 300 };
	for my $client (@open[1 .. $#open]) {
		$closed++ if $client->is_cut(0.01);
	}
	cmp_ok($closed, '>=', 300 - 256, 'beyond 256 they are closed at once');
	ok((wait_until { $server->count('connections_open') == 1 } 5),
		'the others after a while');
	$open[0]->send($ask);
	is($open[0]->answer->{status}, 200, 'the one inside is served');
};

subtest 'idle connections' => sub {
	my $server = T::Server->start(workers => 1,
		set => { keepalive_timeout => '500ms',
			request_timeout => '10s' });
	my $idle = open_one($server);
	my $busy = open_one($server);
	my $began = time;

	is(scalar(grep {
		pause(0.2);
		$busy->send($ask);
		($busy->answer // { status => 0 })->{status} == 200;
	} 1 .. 6), 6, 'who asks in time stays');
	ok($idle->is_cut(5), 'who does not is closed');
	is($idle->rest, '', 'without a word');
	cmp_ok(time - $began, '>', 0.4, 'but not before');
};

subtest 'memory for bodies' => sub {
	my $server = T::Server->start(workers => 1,
		set => { body_memory => '1500KiB' });
	my $head = "GET /livez HTTP/1.1\r\nHost: x\r\n"
	    . "Content-Length: 700000\r\n\r\n\"";
	my @clients = map { T::Http->connect($server) } 1 .. 3;
	my $small = T::Http->connect($server);

	$small->send("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Le");
	$_->send($head . 'x' x 599999) for @clients;
	ok((wait_until { $server->count('bodies_refused') == 2 }),
		'of three that are too much two are refused');
	$_->send('x' x 99999 . '"') for @clients;
	my @answers = map { $_->answer } @clients;
	is(join(' ', sort map { $_ ? $_->{status} : 'cut' } @answers),
		'200 503 503', 'the third is served');
	my ($refused) = grep { $_->{status} == 503 } @answers;
	is(decode_json($refused->{body})->{code}, 'memory_busy');
	ok($refused->{headers}{'retry-after'}, 'when to come back');
	is($refused->{headers}{connection}, 'close');
	$small->send("ngth: 2\r\n\r\n{}");
	is($small->answer->{status}, 200, 'small ones go on');
	is(T::Http->request($server, 'GET', '/livez', '"' . 'x' x 700000 . '"')
		->{status}, 200, 'and there is room again');
};

# A client that asks for much and reads nothing yet.
sub glutton {
	my ($server) = @_;
	my $client = T::Http->connect($server);
	my $socket = $client->socket;
	my $asked  = '';

	$socket->blocking(0);
	# Until the server reads no more, because it cannot write.
	wait_until {
		local $SIG{PIPE} = 'IGNORE';
		my $went = 0;

		$asked = $ask x 500 if length $asked < length $ask;
		while (my $n = syswrite $socket, $asked) {
			substr $asked, 0, $n, '';
			$asked .= $ask x 500 if length $asked < 1000;
			$went += $n;
		}
		!$went;
	} 20;
	return $client;
}

subtest 'clients that do not take their answers' => sub {
	my $server = T::Server->start(workers => 1, set => {
		write_timeout => '1s', access_log => 'off',
		keepalive_timeout => '60s', request_timeout => '60s',
	});
	my $stuck = glutton($server);
	my $slow  = glutton($server);
	my $took  = 0;

	ok((wait_until {
		# He takes a little now and then, and so may stay.
		for (1 .. 8) {
			my $n = sysread $slow->socket, my $bytes, 65536;
			$took += $n // 0;
		}
		$server->count('connections_stalled') == 1;
	} 10), 'who takes nothing is cut');
	ok((wait_until { $server->count('connections_open') == 1 }),
		'that one alone');
	cmp_ok($took, '>', 0);
	is($server->get('/livez')->{status}, 200, 'others are served');
	ok((wait_until { $server->count('connections_stalled') == 2 } 10),
		'so is the other when he stops');
};

subtest 'draining' => sub {
	my $server = T::Server->start(workers => 1);
	my $idle = open_one($server);
	my $late = open_one($server);
	my $began;

	ok($server->wait_for_log(qr/"server ready"/), 'all are there');
	$server->hup;
	$began = time;
	ok((wait_until { $server->count('draining') }), 'the old one drains');
	pause(1);
	$late->send($ask);
	my $answer = $late->answer;
	is($answer->{status}, 200, 'a request in the meantime is answered');
	is($answer->{headers}{connection}, 'close', 'as the last one');
	ok($idle->is_cut(8), 'an idle connection is closed');
	cmp_ok(time - $began, '>', 1.5, 'after a while');
	cmp_ok(time - $began, '<', 6,   'before long');
};

done_testing;
