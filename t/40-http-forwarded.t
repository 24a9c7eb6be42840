#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Whom the server takes for the client, as its access log tells.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Http;
use T::Server;
use T::Wait;

my $number = 0;

# The address of a request's line in the log.
sub address_of {
	my ($server, $where, @headers) = @_;
	my $id = 'seen-' . ++$number;
	my $answer = T::Http->request($where, 'GET', '/livez', undef,
		'X-Request-Id' => $id, @headers);

	is($answer->{status}, 200);
	$server->wait_for_log(qr/"requestId":"$id"/);
	my ($line) = grep { ($_->{requestId} // '') eq $id } $server->log_lines;
	return $line->{address};
}

subtest 'nobody is believed unless told to' => sub {
	my $server = T::Server->start(workers => 1);

	is(address_of($server, $server, 'X-Forwarded-For' => '1.2.3.4'),
		'127.0.0.1');
	is(address_of($server, $server, Forwarded => 'for=1.2.3.4'),
		'127.0.0.1');
};

subtest 'a proxy' => sub {
	my $server = T::Server->start(workers => 1,
		set => { trusted_proxies => '127.0.0.0/8 10.0.0.0/8' });
	my $from = sub { address_of($server, $server, @_) };

	is($from->(), '127.0.0.1', 'speaks for itself');
	is($from->('X-Forwarded-For' => '1.2.3.4'), '1.2.3.4');
	is($from->('X-Forwarded-For' => '6.6.6.6, 1.2.3.4, 10.0.0.7'),
		'1.2.3.4', 'from the right');
	is($from->('X-Forwarded-For' => '6.6.6.6',
			'X-Forwarded-For' => '1.2.3.4, 10.0.0.7'),
		'1.2.3.4', 'several lines are one list');
	is($from->('X-Forwarded-For' => '1.2.3.4, nonsense'), '127.0.0.1',
		'malformed is never trusted');
	is($from->(Forwarded => 'for="[2001:db8::7]:123";proto=https'),
		'2001:db8::7');
	is($from->(Forwarded => 'for=1.2.3.4', Forwarded => 'for=10.0.0.7'),
		'1.2.3.4');
	is($from->(Forwarded => 'for=1.2.3.4',
			'X-Forwarded-For' => '6.6.6.6'),
		'1.2.3.4', 'Forwarded goes first');
	is($from->(Forwarded => 'x' x 5000), '127.0.0.1');
};

subtest 'a proxy on a Unix socket' => sub {
	my $server = T::Server->start(workers => 1, set => {
		trusted_proxies => 'unix', admin_listen => '' },
		listen => 'unix:front.sock', wait => '');
	my $front = 'unix:' . $server->state_dir . '/front.sock';

	ok((wait_until { eval { T::Http->get($front, '/livez')->{status}
		== 200 } } 20), 'serves');
	is(address_of($server, $front, 'X-Forwarded-For' => '1.2.3.4'),
		'1.2.3.4', 'is believed');
};

done_testing;
