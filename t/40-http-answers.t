#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# What a proper client gets: answers, headers, refusals, tags, compression.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Compress::Zlib qw(memGunzip);
use Mojo::JSON qw(decode_json);
use Test::More;
use T::Http;
use T::Server;
use T::Table;
use T::Wait;

my $server = T::Server->start(workers => 2);
my $mojo   = $server->mojo;

# Every refusal is JSON with the same three members.
sub refused {
	my ($what, $status, $code, $error) = @_;
	my $body = $mojo->status_is($status)
	    ->content_type_is('application/json')
	    ->json_is('/code', $code)->tx->res->json;

	is($body->{error}, $error, "$what: $error") if defined $error;
	is($body->{requestId}, $mojo->tx->res->headers->header('X-Request-Id'),
		"$what: the same id in head and body");
	is_deeply([sort keys %$body], [qw(code error requestId)],
		"$what: nothing else");
	return;
}

subtest 'health' => sub {
	$mojo->get_ok('/health')->status_is(200)->json_is({
		status  => 'ok',
		message => 'Jackbox Game Picker API is running'
	});
	$mojo->get_ok('/livez')->status_is(200)->json_is({ status => 'ok' });
	$mojo->get_ok('/livez/')->status_is(200);
	$mojo->get_ok('/li%76ez?a=%41')->status_is(200);
	ok((wait_until {
		$mojo->ua->get($server->url('/readyz'))->res->code == 200
	}), 'ready');
	$mojo->get_ok('/readyz')
	    ->json_like('/status', qr/^(?:ready|degraded)\z/);
	my $parts = $mojo->tx->res->json->{parts};
	my @odd = grep { !/^(?:ok|starting|degraded|down)\z/ } values %$parts;
	is_deeply(\@odd, [], 'each part has a state');
	T::Evidence::record(operation => qw(health livez readyz));
};

subtest 'headers of every answer' => sub {
	for my $path (qw(/livez /nothing)) {
		$mojo->get_ok($path)
		    ->header_is('X-Content-Type-Options', 'nosniff')
		    ->header_is('Referrer-Policy', 'no-referrer')
		    ->header_is('X-Frame-Options', 'DENY')
		    ->header_is('Content-Security-Policy',
			"default-src 'none'; frame-ancestors 'none'")
		    ->header_is('Cache-Control', 'no-store')
		    ->header_is('Access-Control-Allow-Origin', '*')
		    ->header_is('Access-Control-Expose-Headers', '*')
		    ->header_is('Content-Type', 'application/json')
		    ->header_is('Server', undef)
		    ->header_is('Transfer-Encoding', undef)
		    ->header_is('Content-Length', length $mojo->tx->res->body);
		unlike($mojo->tx->res->to_string, qr/h2o|partyline/i,
			'no software is named');
	}
};

subtest 'the names of requests' => sub {
	my %seen;

	for (1 .. 200) {
		my $id = $server->get('/livez')->{headers}{'x-request-id'};
		like($id, qr/^[a-z1-9]{26}\z/, 'made') if !%seen;
		$seen{$id}++;
	}
	is(scalar keys %seen, 200, 'each has its own');
	for my $id ('a', 'A.b_c:d-9', 'x' x 128) {
		is($server->get('/livez', 'X-Request-Id' => $id)
			->{headers}{'x-request-id'}, $id, 'a fit one is kept');
	}
	for my $id ('x' x 129, 'a b', 'a,b', 'a"b', '', "\xc3\xa9") {
		like($server->get('/livez', 'X-Request-Id' => $id)
			->{headers}{'x-request-id'}, qr/^[a-z1-9]{26}\z/,
			'an unfit one is not');
	}
};

subtest 'HEAD' => sub {
	my $client = T::Http->connect($server);

	$client->send("HEAD $_ HTTP/1.1\r\nHost: x\r\n\r\n")
	    for qw(/livez /nothing);
	my $there = $client->answer(to_head => 1);
	my $not   = $client->answer(to_head => 1);
	is($there->{status}, 200);
	is($there->{headers}{'content-length'}, 15, 'the length of GET');
	is($not->{status}, 404);
	cmp_ok($not->{headers}{'content-length'}, '>', 50);
	$client->send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
	is($client->answer->{body}, '{"status":"ok"}', 'and no body came');
};

subtest 'OPTIONS' => sub {
	$mojo->options_ok('/livez' => {
		Origin => 'http://elsewhere.example',
		'Access-Control-Request-Method' => 'GET'
	})->status_is(204)
	    ->header_is('Allow', 'GET, HEAD, OPTIONS')
	    ->header_is('Access-Control-Allow-Origin', '*')
	    ->header_is('Access-Control-Allow-Methods', 'GET, HEAD, OPTIONS')
	    ->header_is('Access-Control-Allow-Headers', '*, Authorization')
	    ->header_is('Access-Control-Max-Age', 600)
	    ->header_is('Content-Length', undef)->content_is('');
	$mojo->options_ok('/nothing');
	refused('unknown path', 404, 'not_found');
	is(T::Http->request($server, 'OPTIONS', '*')->{status}, 204,
		'of the server as such');
};

subtest 'refusals, in their order' => sub {
	my @form = ({ 'Content-Type' => 'text/plain' } => 'x');
	my @json = ({ 'Content-Type' => 'application/json' } => '{bad');

	$mojo->get_ok('/nothing');
	refused('unknown path', 404, 'not_found', 'Not found');
	$mojo->post_ok('/nothing' => @form);
	refused('unknown path before all else', 404, 'not_found');
	for my $method (qw(POST PUT PATCH DELETE BREW TRACE)) {
		my $answer = T::Http->request($server, $method, '/livez', 'x',
			'Content-Type' => 'text/plain');
		is($answer->{status}, 405, "$method before the body's type");
		is($answer->{headers}{allow}, 'GET, HEAD, OPTIONS');
		is(decode_json($answer->{body})->{code}, 'method_not_allowed');
	}
	$mojo->get_ok('/livez' => @form);
	refused('another type', 415, 'media_type',
		'Request body must be application/json');
	$mojo->get_ok('/livez' => @json);
	refused('broken JSON', 400, 'invalid_json',
		'Invalid JSON in request body');
	$mojo->get_ok('/livez?a=%zz' => @json);
	refused('the body before the query', 400, 'invalid_json');
	$mojo->get_ok('/livez?a=%zz');
	refused('a broken query', 400, 'invalid_query');
	$mojo->get_ok('/%zz');
	refused('a broken path', 400, 'invalid_path');
};

subtest 'bodies that are taken' => sub {
	$mojo->get_ok('/livez' => { 'Content-Type' => $_ } => '{"a":[1]}')
	    ->status_is(200)
	    for 'application/json', 'Application/JSON; charset=utf-8';
	$mojo->get_ok('/livez' => '{}')->status_is(200);
	$mojo->get_ok('/livez' => { 'Content-Type' => 'text/plain' } => '')
	    ->status_is(200);
	my $client = T::Http->connect($server);
	$client->send("GET /livez HTTP/1.1\r\nHost: x\r\n"
		. "Transfer-Encoding: chunked\r\n\r\n"
		. "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n");
	is($client->answer->{status}, 200, 'in chunks');
};

subtest 'what the library refuses is told in our way' => sub {
	my $large = T::Http->connect($server);
	my $head  = "POST /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\n";

	$large->send("${head}Content-Length: 2000000\r\n\r\n" . 'x' x 2000000);
	my $answer = $large->answer;
	is($answer->{status}, 413);
	is_deeply(decode_json($answer->{body}), {
		error => 'Request body is too large', code => 'body_too_large',
		requestId => 'mine' });
	is($answer->{headers}{connection}, 'close');
	ok($large->is_cut, 'and closes');
	is($large->why, 'closed', 'without a reset, though there was more');

	for my $case (
		[ 'Expect: miracles', 417, 'expectation_failed' ],
		[ 'Transfer-Encoding: gzip', 400, 'malformed_request' ],
		[ 'Content-Length: 1x', 400, 'malformed_request' ]) {
		my ($line, $status, $code) = @$case;
		my $client = T::Http->connect($server);
		$client->send("${head}$line\r\n"
			. ($line =~ /Expect/ ? "Content-Length: 1\r\n" : '')
			. "\r\nx");
		my $got = $client->answer;
		is($got->{status}, $status, $line);
		is(decode_json($got->{body})->{code}, $code);
		is(decode_json($got->{body})->{requestId}, 'mine');
		unlike($got->{head}, qr/^server:/mi);
		is($got->{headers}{'x-content-type-options'}, 'nosniff');
	}
	my $chunked = T::Http->connect($server);
	$chunked->send("${head}Transfer-Encoding: chunked\r\n\r\n"
		. "100000\r\n" . 'x' x 1048576
		. "\r\n1\r\nx\r\n0\r\n\r\n");
	is($chunked->answer->{status}, 413, 'in chunks as well');
};

subtest 'bodies up to the limit' => sub {
	my $body = '"' . 'x' x (1048576 - 2) . '"';

	is(T::Http->request($server, 'GET', '/livez', $body)->{status}, 200,
		'exactly max_body');
	is(T::Http->request($server, 'GET', '/livez', "$body ")->{status}, 413,
		'one more');
	my $chunked = T::Http->connect($server);
	$chunked->send("GET /livez HTTP/1.1\r\nHost: x\r\n"
		. "Transfer-Encoding: chunked\r\n\r\n100000\r\n$body\r\n"
		. "0\r\n\r\n");
	is($chunked->answer->{status}, 200, 'exactly max_body in chunks');
};

subtest 'tags' => sub {
	my $tag = $server->get('/livez')->{headers}{etag};

	like($tag, qr/^"[0-9a-f]{32}"\z/, 'strong');
	is($server->get('/livez')->{headers}{etag}, $tag,
		'the same from every worker') for 1 .. 8;
	isnt($server->get('/health')->{headers}{etag}, $tag);
	for my $have ($tag, "W/$tag", '*', "\"x\", $tag") {
		my $answer = $server->get('/livez', 'If-None-Match' => $have);
		is($answer->{status}, 304, $have);
		is($answer->{headers}{etag}, $tag);
		is($answer->{headers}{'content-type'}, undef);
	}
	for my $have ('"x"', $tag =~ tr/"//dr, '') {
		is($server->get('/livez', 'If-None-Match' => $have)->{status},
			200, "not by '$have'");
	}
	is($server->get('/nothing', 'If-None-Match' => '*')->{status}, 404,
		'a refusal is never unchanged');
};

subtest 'compression' => sub {
	my $plain = T::Http->get($server->admin, '/status');
	cmp_ok(length $plain->{body}, '>', 1024);
	is($plain->{headers}{vary}, 'Accept-Encoding');
	is($plain->{headers}{'content-encoding'}, undef);

	for my $accept ('gzip', 'deflate, GZIP;q=0.5', '*', 'br;q=1, *;q=0.1') {
		my $packed = T::Http->get($server->admin, '/status',
			'Accept-Encoding' => $accept);
		is($packed->{headers}{'content-encoding'}, 'gzip', $accept);
		like($packed->{headers}{etag}, qr/^"[0-9a-f]{32}-gz"\z/);
		is($packed->{headers}{vary}, 'Accept-Encoding');
		cmp_ok(length $packed->{body}, '<', length $plain->{body});
		ok(decode_json(memGunzip($packed->{body}))->{counters},
			'unpacks to JSON');
	}
	for my $accept ('identity', 'gzip;q=0', '*;q=0', 'gzip;q=0.0, *',
		'br') {
		my $plain = T::Http->get($server->admin, '/status',
			'Accept-Encoding' => $accept);
		is($plain->{headers}{'content-encoding'}, undef,
			"not by $accept");
	}
	is($server->get('/livez', 'Accept-Encoding' => 'gzip')
		->{headers}{'content-encoding'}, undef, 'not what is small');
	is($server->get('/livez')->{headers}{vary}, undef);

	my $head = T::Http->request($server->admin, 'HEAD', '/status', undef,
		'Accept-Encoding' => 'gzip');
	is($head->{headers}{'content-encoding'}, 'gzip', 'HEAD as GET');
};

subtest 'one connection, many requests' => sub {
	my $client = T::Http->connect($server);

	$client->send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" x 50);
	is(scalar(grep { $client->answer->{status} == 200 } 1 .. 50), 50,
		'pipelined');
	$client->send("GET http://$_/livez?a HTTP/1.1\r\nHost: x\r\n\r\n")
	    for qw(x x:1);
	is($client->answer->{status}, 200, 'the whole address as a target')
	    for 1 .. 2;
	$client->send("GET /livez HTTP/1.0\r\n\r\n");
	is($client->answer->{headers}{connection}, 'close', 'HTTP/1.0 closes');
	ok($client->is_cut);
};

subtest 'each request is a line of the log' => sub {
	my $id = "log-$$";

	$server->get('/nothing/here?token=secret', 'X-Request-Id' => $id);
	ok($server->wait_for_log(qr/"requestId":"$id"/), 'logged');
	my ($line) = grep { ($_->{requestId} // '') eq $id } $server->log_lines;
	is($line->{message}, 'request');
	is($line->{method},  'GET');
	is($line->{path},    '/nothing/here', 'without its query');
	is($line->{status},  404);
	is($line->{door},    'front');
	is($line->{address}, '127.0.0.1');
	cmp_ok($line->{bytes}, '>', 50);
	like($line->{us}, qr/^\d+\z/);
	unlike($server->log_text, qr/secret/, 'no query in the log');

	my $client = T::Http->connect($server);
	$client->send("POST / HTTP/1.1\r\nHost: x\r\nX-Request-Id: big-$$\r\n"
		. "Content-Length: 99999999\r\n\r\n");
	is($client->answer->{status}, 413);
	ok($server->wait_for_log(qr/"status":413.*"requestId":"big-$$"/),
		'refusals of the library too');
};

subtest 'no lines where none are wanted' => sub {
	my $silent = T::Server->start(workers => 1,
		set => { access_log => 'off' });

	$silent->get('/livez', 'X-Request-Id' => 'quiet');
	$silent->get('/livez');
	cmp_ok($silent->count('requests'), '>=', 2);
	unlike($silent->log_text, qr/"quiet"/);
};

subtest 'limits that were set' => sub {
	my $small = T::Server->start(workers => 1,
		set => { max_body => '1KiB', compress_min => '1MiB' });
	my $body = '"' . 'x' x 1022 . '"';

	is(T::Http->request($small, 'GET', '/livez', $body)->{status}, 200,
		'a body of max_body');
	is(T::Http->request($small, 'GET', '/livez', "$body ")->{status}, 413,
		'one over it');
	is(T::Http->get($small->admin, '/status', 'Accept-Encoding' => 'gzip')
		->{headers}{'content-encoding'}, undef,
		'not compressed below compress_min');
};

subtest 'requests are counted' => sub {
	my $before = $server->numbers;

	$server->get('/livez')   for 1 .. 3;
	$server->get('/nothing') for 1 .. 2;
	$server->counts(
		requests     => $before->{requests} + 5,
		requests_2xx => $before->{requests_2xx} + 3,
		requests_4xx => $before->{requests_4xx} + 2
	);
};

done_testing;
