#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# The same over TLS: what is in clear is tested elsewhere.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IPC::Open3 qw(open3);
use Mojo::JSON qw(decode_json);
use Symbol     qw(gensym);
use Test::More;
use Time::HiRes qw(time);
use T::Http;
use T::Run;
use T::Server;
use T::Wait;

my $folder = File::Temp->newdir(TMPDIR => 1);
chmod 0755, $folder;

sub certificate {
	my ($name) = @_;

	system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
		. " -nodes -days 2 -subj /CN=$name -keyout $folder/$name.key"
		. " -out $folder/$name.pem 2>$folder/words") == 0
	    or die "no certificate can be made";
	chmod 0644, "$folder/$name.key";
	return (tls_certificate => "$folder/$name.pem",
		tls_key => "$folder/$name.key");
}

my $host = T::Server::own_host();
my $port = T::Server::free_port($host);
my $server = T::Server->start(workers => 1, set => {
	certificate('game.example'), tls_listen => "$host:$port",
	request_timeout => '1s', keepalive_timeout => '1s',
});

# openssl's client as an actor: what it is told, it sends.
sub client {
	my (@words) = @_;
	my ($in, $out);
	my $pid = open3($in, $out, undef, 'setpriv', '--pdeathsig', 'KILL',
		'openssl', 's_client', '-connect', "$host:$port", '-quiet',
		'-servername', 'game.example', @words);

	binmode $_ for $in, $out;
	return bless { pid => $pid, in => $in, socket => $out, got => '',
		why => '' }, 'T::Http';
}

sub say_to {
	my ($client, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';

	syswrite $client->{in}, $bytes;
	return;
}

# The words that openssl puts before what it received.
sub answer {
	my ($client) = @_;

	$client->take_through("HTTP/1.1", time + 10) // return { status => 0 };
	$client->{got} = "HTTP/1.1$client->{got}";
	return $client->answer(seconds => 10) // { status => 0 };
}

sub leave {
	my ($client) = @_;

	close $client->{in};
	kill KILL => $client->{pid};
	waitpid $client->{pid}, 0;
	return;
}

sub says {
	my (@words) = @_;

	my $client = "openssl s_client -connect $host:$port @words";

	return scalar qx($client </dev/null 2>&1);
}

my $ask = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

subtest 'versions and protocols' => sub {
	like(says('-tls1_3'), qr/Protocol\s*: TLSv1.3|New, TLSv1.3/, '1.3');
	like(says('-tls1_2'), qr/New, TLSv1.2|Protocol\s*: TLSv1.2/, '1.2');
	unlike(says('-tls1_1', '-cipher', 'ALL:\@SECLEVEL=0'),
		qr/New, TLSv1.1|Verify return code: 18.*TLSv1.1/s, 'not 1.1');
	like(says('-alpn', 'h2,http/1.1'), qr/ALPN protocol: http\/1.1/,
		'http/1.1 by ALPN');
	like(says('-alpn', 'h2'), qr/No ALPN negotiated/, 'h2 is not spoken');
};

subtest 'requests' => sub {
	for my $version (qw(-tls1_2 -tls1_3)) {
		my $client = client($version);
		for (1 .. 3) {
			say_to($client, $ask);
			my $answer = answer($client);
			is($answer->{status}, 200, "$version");
			is($answer->{body}, '{"status":"ok"}');
		}
		leave($client);
	}
	my $client = client();
	say_to($client, "POST /livez HTTP/1.1\r\nHost: x\r\n"
		. "Content-Length: 99999999\r\n\r\n");
	is(answer($client)->{status}, 413, 'refusals');
	ok($client->is_cut, 'closed');
	leave($client);
};

subtest 'bounds of time' => sub {
	my $half = client();
	say_to($half, "GET /livez HTTP/1.1\r\nHost: x\r\n"
		. "Content-Length: 10\r\n\r\n12345");
	my $answer = answer($half);
	is($answer->{status}, 408, 'who stops in the middle is told');
	is(decode_json($answer->{body} || '{}')->{code}, 'request_timeout');
	ok($half->is_cut, 'closed');
	leave($half);

	my $idle = client();
	say_to($idle, $ask);
	is(answer($idle)->{status}, 200);
	ok($idle->is_cut(8), 'idle ones are closed');
	leave($idle);

	my $mute = T::Http->connect("$host:$port");
	ok($mute->is_cut(8), 'who does not shake hands is closed');
	my $clear = T::Http->connect("$host:$port");
	$clear->send($ask);
	ok($clear->is_cut(8), 'so is who speaks in clear');
	my $begins = T::Http->connect("$host:$port");
	$begins->send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
	ok($begins->is_cut(8), 'and who stops in his first words');
	ok((wait_until { $server->count('connections_open') == 0 }),
		'nobody is left');
	is($server->get('/livez')->{status}, 200);
};

subtest 'a session goes on' => sub {
	my $file = "$folder/session";

	says('-tls1_2', '-sess_out', $file);
	like(says('-tls1_2', '-sess_in', $file), qr/^Reused, TLSv1.2/m,
		'with a ticket');
};

subtest 'a reload takes a new certificate' => sub {
	my %new = certificate('new.example');

	rename "$folder/new.example.$_", "$folder/game.example.$_"
	    for qw(key pem);
	$server->hup;
	ok((wait_until { says() =~ /CN ?= ?new\.example/ } 20), 'it is shown');
};

subtest 'what cannot be used' => sub {
	certificate('other.example');
	my %cases = (
		'a key of another' => [ "$folder/game.example.pem",
			"$folder/other.example.key" ],
		'no certificate'   => [ "$folder/words",
			"$folder/game.example.key" ],
	);
	for my $what (sort keys %cases) {
		my $other = T::Server->start(workers => 1, wait => '', set => {
			tls_listen => "$host:" . T::Server::free_port($host),
			tls_certificate => $cases{$what}[0],
			tls_key => $cases{$what}[1],
		});
		$other->expect_exit(undef);
		ok($other->wait_for_log(
			qr/"why":"[^"]*(?:certificate|private key)/),
			"$what is told");
	}
};

done_testing;
