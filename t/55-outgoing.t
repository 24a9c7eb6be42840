#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The fetcher against whoever answers badly: each way ends in time, as what
# it was, in bounded memory, and no other request notices.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Command;
use T::Receiver;
use T::Run;
use T::Server;
use T::Wait;

my $receiver = T::Receiver->start;
our @set = map { ('--set', $_) } 'outgoing_allow=127.0.0.0/8 ::1',
    'outgoing_ca=' . $receiver->ca;

# Ends by URL, each why, status, retry_after, is_cut, length, words.
sub fetch {
	my (@words) = @_;
	my $said = partyline({
		program => T::Run::build() . '/t/drive/outgoing' },
		@set, @words);
	my %ends;

	is($said->{exit}, 0, 'the driver ends by itself')
	    or diag($said->{err});
	for my $line (split /\n/, $said->{out}) {
		my ($word, $url, @rest) = split /\t/, $line, -1;

		$ends{memory} = $url if $word eq 'memory';
		push @{ $ends{$url} }, \@rest if $word eq 'end';
		push @{ $ends{said} }, $rest[0] if $word eq 'said';
	}
	return \%ends;
}

my $before = qr/^timed out .* before the answer/;
my $middle = qr/in the middle of the answer/;

# What each path ends as: why, status, words.
my %plain = (
	'/ok'           => [ 'answered', 200, qr/^$/ ],
	'/echo'         => [ 'answered', 200, qr/^$/ ],
	'/once'         => [ 'answered', 200, qr/^$/ ],
	'/leave'        => [ 'answered', 200, qr/^$/ ],
	'/status/204'   => [ 'answered', 204, qr/^$/ ],
	'/status/410'   => [ 'answered', 410, qr/^$/ ],
	'/status/500'   => [ 'answered', 500, qr/^$/ ],
	'/redirect/301' => [ 'answered', 301, qr/^$/ ],
	'/redirect/308' => [ 'answered', 308, qr/^$/ ],
	'/redirect-away' => [ 'answered', 307, qr/^$/ ],
	'/hints'        => [ 'answered', 200, qr/^$/ ],
	'/continue'     => [ 'answered', 200, qr/^$/ ],
	'/surplus'      => [ 'answered', 200, qr/^$/ ],
	'/bomb'         => [ 'answered', 200, qr/^$/ ],
	'/later/0.3'    => [ 'answered', 200, qr/^$/ ],
	'/endless-body' => [ 'answered', 200, qr/^$/ ],
	'/endless-chunks' => [ 'answered', 200, qr/^$/ ],
	'/large/5000'   => [ 'answered', 500, qr/^$/ ],
	'/close'        => [ 'cut', 0, qr/before the answer/ ],
	'/reset'        => [ 'cut', 0, qr/^the connection was cut/ ],
	'/reset-head'   => [ 'cut', 0, qr/^the connection was cut/ ],
	'/reset-body'   => [ 'cut', 200, qr/^the connection was cut/ ],
	'/half-body'    => [ 'cut', 200, $middle ],
	'/half-chunk'   => [ 'cut', 200, $middle ],
	'/silent'       => [ 'timed_out', 0, $before ],
	'/slow-head'    => [ 'timed_out', 0, $before ],
	'/slow-body'    => [ 'timed_out', 200, $middle ],
	'/stall-body'   => [ 'timed_out', 200, $middle ],
	'/huge-length'  => [ 'timed_out', 200, $middle ],
	'/endless-headers' => [ 'too_large', 0, qr/headers are larger/ ],
	'/endless-trailers' => [ 'too_large', 200, qr/headers are larger/ ],
	'/huge-header'  => [ 'too_large', 0, qr/headers are larger/ ],
	'/flood'        => [ 'too_large', 0, qr/headers are larger/ ],
	'/smtp'         => [ 'bad_answer', 0, qr/does not speak HTTP/ ],
	'/garbage'      => [ 'bad_answer', 0, qr/does not speak HTTP/ ],
);
# Where libcurl's reading may end in one way or the other.
my %refused = (
	'/half-head'      => 1, '/endless-header' => 1, '/bad-status' => 1,
	'/bad-chunk'      => 1, '/bad-length'     => 1, '/switch'     => 1,
);

# Who never ends by himself is given little time; the others are given so
# much that nothing but the fetcher ends them, however busy the machine is.
subtest 'each bad way is told as what it was, in time' => sub {
	my %late = map { $_ => 1 } '/switch',
	    grep { $plain{$_}[0] eq 'timed_out' } keys %plain;
	my %ends;

	for my $is_late (0, 1) {
		my @urls = map { $receiver->url($_) }
		    grep { ($late{$_} // 0) == $is_late }
		    sort(keys %plain, keys %refused);
		my $some = fetch('--set', 'outgoing_per_origin=64',
			'--timeout', $is_late ? 2000 : 30000, @urls);

		cmp_ok($some->{memory}, '<',
			65536 * (T::Run::has('SANITIZED') ? 9 : 1),
			'in bounded memory');
		%ends = (%ends, %$some);
	}
	my $ends = \%ends;

	for my $path (sort keys %late) {
		my $words = $ends->{ $receiver->url($path) }[0][5];

		like($words, qr/^timed out after [\d.]+ s/, $path);
		cmp_ok($words =~ /([\d.]+) s/ ? $1 : 99, '<',
			3 * ($ENV{T_SLOW} // 1), 'in time');
	}
	for my $path (sort keys %plain) {
		my ($why, $status, $words) = @{ $plain{$path} };
		my $end = $ends->{ $receiver->url($path) }[0];

		is("@$end[0, 1]", "$why $status", $path);
		like($end->[5], $words, "$path in words");
	}
	for my $path (sort keys %refused) {
		my $end = $ends->{ $receiver->url($path) }[0];

		isnt($end->[0] eq 'answered' && $end->[1] =~ /^2/, 1,
			"$path is no success ($end->[0] $end->[1] $end->[5])");
	}
	my $kept = sub {
		return "@{ $ends->{ $receiver->url($_[0]) }[0] }[3, 4]";
	};

	is($kept->('/endless-body'), '1 2048', 'the beginning is kept');
	is($kept->('/large/5000'), '1 2048', 'of what ends, too');
	like($kept->('/bomb'), qr/ 2048$/, 'nothing is unpacked');
	is(scalar $receiver->requests(qr{redirected}), 0,
		'no redirect is followed');
};

subtest 'how long to wait, as the answer says' => sub {
	my %paths = ('/retry/503/7' => 7, '/retry/429/120' => 120,
		'/retry/429/soon' => 0, '/skew' => 60, '/ok' => 0);
	my $date  = $receiver->url('/retry-date/90');
	my $ends  = fetch($date, map { $receiver->url($_) } sort keys %paths);

	is($ends->{ $receiver->url($_) }[0][2], $paths{$_}, $_)
	    for sort keys %paths;
	cmp_ok($ends->{$date}[0][2], '>', 80, 'as a date');
	cmp_ok($ends->{$date}[0][2], '<=', 90, 'from now on');
};

subtest 'certificates' => sub {
	my %doors = (
		stranger     => qr/self-signed certificate/,
		'other-name' => qr/name|mismatch/i,
		expired      => qr/expired/,
		'tls-cut'    => qr/./,
		'tls-silent' => qr/before a connection|in TLS/,
	);
	my %urls = map { $_ => $receiver->url("/ok/$_", $_) }
	    'good', keys %doors;
	my @urls = @urls{ sort keys %urls };
	my $live = sub { return $_[0] =~ s/^http/ws/r =~ s{/ok}{/ws}r };
	my $ends = fetch(map { ($_, $live->($_)) }
		grep { $_ ne $urls{'tls-silent'} } @urls);
	my $late = fetch('--timeout', 1000, $urls{'tls-silent'},
		$live->($urls{'tls-silent'}));

	%$ends = (%$late, %$ends);

	for my $url (@urls) {
		my ($door) = $url =~ m{([\w-]+)\z};

		for my $end ($ends->{$url}[0], $ends->{ $live->($url) }[0]) {
			if ($door eq 'good') {
				is($end->[0], 'answered', $door);
				next;
			}
			isnt($end->[0], 'answered', $door);
			is($end->[0], 'tls', "$door is told as it is")
			    if $door !~ /^tls/;
			like($end->[5], $doors{$door}, "$door in words");
		}
	}
	is_deeply($ends->{said}, ['hello'], 'messages over TLS');
	is(scalar $receiver->requests(qr{/(?:stranger|other|expired)}), 0,
		'nothing is said to whom nobody knows');
	my $plain = $receiver->url('/ok') =~ s/^http/https/r;

	isnt(fetch('--timeout', 1000, $plain)->{$plain}[0][0], 'answered',
		'no TLS where it belongs');
};

subtest 'a connection is used again' => sub {
	my $url = $receiver->url('/ok/again');

	fetch('--twice', $url);
	my @came = $receiver->requests('/ok/again');

	is(scalar @came, 2, 'two requests');
	is($came[0]{peer}, $came[1]{peer}, 'over one connection');
	fetch('--twice', $receiver->url('/leave/again'));
	is(scalar $receiver->requests('/leave/again'), 2,
		'a new one where the other side left');
};

subtest 'what is sent' => sub {
	local @ENV{qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY)}
	    = ('http://127.0.0.1:1/') x 4;
	my $url  = $receiver->url('/echo/sent');
	my $ends = fetch('--post', '{"a":"ü"}', $url);
	my ($came) = $receiver->requests('/echo/sent');

	is($ends->{$url}[0][0], 'answered', 'no proxy of the environment');
	is($came->{method}, 'POST', 'its method');
	is($came->{body}, "{\"a\":\"\x{fc}\"}", 'its body');
	is($came->{headers}{'user-agent'}, 'Partyline', 'by whom');
	ok(!exists $came->{headers}{$_}, "no $_")
	    for qw(expect accept-encoding cookie authorization referer);
};

subtest 'a stream is bounded as a whole' => sub {
	my $url  = $receiver->url('/endless-body/stream');
	my $ends = fetch('--stream', '--keep', 100000, $url);

	is($ends->{$url}[0][0], 'too_large', 'more than that is refused');
	cmp_ok($ends->{$url}[0][4], '<=', 100000, 'and not handed on');
};

subtest 'where nothing may go' => sub {
	my $port = $receiver->port;
	my %urls = (
		"http://127.0.0.1:$port/ok/guard" => 'loopback',
		"http://localhost:$port/ok/guard" => 'loopback',
		"http://2130706433:$port/ok/guard" => 'loopback',
		"http://[::ffff:127.0.0.1]:$port/ok/guard" => 'loopback',
		"ws://127.1:$port/ws/guard" => 'loopback',
	);
	local @set = ();
	my $ends = fetch(sort keys %urls);

	for my $url (sort keys %urls) {
		is($ends->{$url}[0][0], 'not_allowed', $url);
		like($ends->{$url}[0][5], qr/$urls{$url}/, 'in words');
	}
	is(scalar $receiver->requests(qr{/guard}), 0, 'nothing came');
	$ends = fetch('--trust', "http://127.0.0.1:$port/ok/guard");
	is(scalar $receiver->requests(qr{/guard}), 1,
		'but from whom the operator himself sends');
};

subtest 'a server: turns, networks, ports, and what is said of them' => sub {
	my $server = T::Server->start(
		workers             => 1,
		outgoing_allow      => '127.0.0.1',
		outgoing_at_once    => 1,
		outgoing_per_origin => 1,
		outgoing_ports      => '1024-65535',
		webhook_schedule    => '1h',
	);
	my $admin = T::Client->new($server);
	my $port  = $receiver->port;
	my %ways  = (
		'slow one'     => $receiver->url('/later/1.5/a'),
		'slow two'     => $receiver->url('/later/1.5/b'),
		'private'      => 'http://127.0.0.2:8080/',
		'low port'     => 'http://127.0.0.1:443/',
		'by its name'  => "http://localhost:$port/ok/named",
	);
	my %ids = map {
		$_ => $admin->post('/api/webhooks', {
			name   => $_, url => $ways{$_}, secret => 'a secret',
			events => ['custom.dice'] })->{json}{id}
	} sort keys %ways;
	my $session = $admin->post('/api/sessions', {})->{json}{id};

	$admin->post("/api/sessions/$session/events",
		{ type => 'custom.dice', data => { n => 6 } });
	ok((wait_until { $server->count('outgoing_at_work') == 1
			&& $server->count('outgoing_waiting') >= 1 } 10),
		'one at work, others wait');
	ok((wait_until { $server->count('webhook_delivered') == 3
			&& $server->count('webhook_failed') == 2 } 20),
		'what may go has come') or diag($server->log_text);
	cmp_ok($server->count('outgoing_requests'), '>=', 3, 'all counted');
	cmp_ok($server->count('outgoing_not_allowed'), '>=', 1, 'refusals');
	cmp_ok($server->count('outgoing_failed'), '>=', 2, 'failures');
	my %words = (
		private    => 'address not allowed: 127.0.0.2 is loopback',
		'low port' => 'port not allowed: 443',
	);

	for my $name (sort keys %words) {
		my $said = $admin->get("/api/webhooks/$ids{$name}/logs")
		    ->{body} // '';

		like($said, qr/\Q$words{$name}\E/, "$name is told in words");
	}
};

$receiver->stop;
done_testing;
