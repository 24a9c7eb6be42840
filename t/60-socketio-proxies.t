#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# conf/nginx.conf and conf/haproxy.cfg before two hosts that have no peers:
# every request of a session comes to its host, by polling, by WebSocket and
# across the change; and when one host is gone, to the other.

use strict;
use warnings;
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64url);
use Test::More;
use T::Command;
use T::Db;
use T::EngineIo;
use T::Run;
use T::Server;
use T::Wait;

my $source = T::Run::source();
my $folder = File::Temp->newdir(TMPDIR => 1);
my $db  = T::Db->new;
my $own = T::Server::own_host();
my ($ann, $bob) = map { T::Server->start(wait => 'readyz', workers => 1,
	set => { socketio_conformance => 'on', host_number => $_,
		database_url => $db->url, trusted_proxies => $own }) } 1, 2;

# A proxy as a server that the clients of a test know.
package Proxy {
	sub address { return $_[0]{address} }

	sub DESTROY {
		my ($self) = @_;

		local ($?, $!, $@);
		kill KILL => $self->{pid};
		waitpid $self->{pid}, 0;
	}
}

# The file as it is, but for who is where.
sub sample {
	my ($name, $port) = @_;
	my $text = T::Command::slurp("$source/conf/$name");

	$text =~ s/10\.0\.0\.1:5000/$ann->address/ge;
	$text =~ s/10\.0\.0\.2:5000/$bob->address/ge;
	$text =~ s/(listen 80;|bind :80\b)/$1 =~ s{:?80}{$own:$port}r/e
	    or die "$name: no port\n";
	return $text;
}

sub write_file {
	my ($name, $text) = @_;

	open my $file, '>', "$folder/$name" or die "$name: $!\n";
	print $file $text;
	close $file or die "$name: $!\n";
	return "$folder/$name";
}

sub proxy {
	my ($port, @words) = @_;
	my $pid = fork // die "fork: $!\n";

	if ($pid == 0) {
		open STDOUT, '>', "$folder/words";
		open STDERR, '>&', \*STDOUT;
		exec 'setpriv', '--pdeathsig', 'KILL', @words
		    or POSIX::_exit(127);
	}
	my $proxy = bless { pid => $pid, address => "$own:$port",
		is_serving => 1 }, 'Proxy';
	wait_until { eval { T::Http->get($proxy, '/livez')->{status} == 200 } }
	    or die 'no proxy: ' . T::Command::slurp("$folder/words") . "\n";
	return $proxy;
}

sub nginx {
	my $port = T::Server::free_port($own);

	write_file('partyline.conf', sample('nginx.conf', $port));
	return proxy($port, 'nginx', '-p', "$folder", '-e',
		"$folder/errors", '-c', write_file('nginx.conf', <<"END"));
daemon off;
master_process off;
pid $folder/pid;
events { }
http {
	access_log off;
	client_body_temp_path $folder/body;
	proxy_temp_path $folder/proxy;
	fastcgi_temp_path $folder/fastcgi;
	uwsgi_temp_path $folder/uwsgi;
	scgi_temp_path $folder/scgi;
	include $folder/partyline.conf;
}
END
}

sub haproxy {
	my $port = T::Server::free_port($own);

	return proxy($port, 'haproxy', '-db', '-f',
		write_file('haproxy.cfg', sample('haproxy.cfg', $port)));
}

subtest 'what names begin with' => sub {
	for my $name ('nginx.conf', 'haproxy.cfg') {
		my $text = T::Command::slurp("$source/conf/$name");
		my %begins = map { /(\^AA\[.*?\])/ ? ("$1", /_(\d)/) : () }
		    grep { /^\s*#?(?:~\^|use-server)/ } split /\n/, $text;

		is_deeply([sort values %begins], [1 .. 4], "$name: 1 to 4");
		for my $number (0 .. 200, 16384, 65535) {
			my @sids = map { encode_base64url(pack 'nnCx10',
				$number, $_, $_ & 255) } 0, 0x7fff, 0xffff;

			for my $sid (@sids) {
				my @fit = map { $begins{$_} }
				    grep { $sid =~ /$_/ } keys %begins;

				next if "@fit" eq ($number >= 1
				    && $number <= 4 ? $number : '');
				fail("$name: $number is '@fit'");
			}
		}
	}
	for my $pair ([$ann, 'E-H'], [$bob, 'I-L']) {
		my ($host, $third) = @$pair;

		like(T::EngineIo->new($host)->open->{sid}, qr/\AAA[$third]/,
			'as hosts name them');
	}
};

# Forty sessions, each with some requests of its own.
sub serves {
	my ($proxy) = @_;
	my @before = map { $_->count('engineio_sessions') } $ann, $bob;
	my @engines = map { T::EngineIo->new($proxy) } 1 .. 20;

	$_->open for @engines;
	for my $round (1 .. 4) {
		for my $engine (@engines) {
			next if $engine->{ws};
			is($engine->post("4$round")->{body}, 'ok', 'sent');
			is($engine->get->{body}, "4$round", 'and back');
		}
		for my $engine (@engines[grep { $_ % 5 == $round } 0 .. 19]) {
			$engine->{ws} = $engine->upgrade;
			$engine->{ws}->send('4over');
			is($engine->{ws}->hear, '4over', 'by WebSocket');
		}
	}
	my @after = map { $_->count('engineio_sessions') } $ann, $bob;
	cmp_ok($after[$_] - $before[$_], '>', 5, 'each has some') for 0, 1;
	my $ws = T::EngineIo->new($proxy)->connect;
	$ws->send('4a');
	is($ws->hear, '4a', 'a WebSocket from the beginning');
	$_->{ws} ? $_->{ws}->hang_up : $_->post('1') for @engines;
	$ws->hang_up;
	return;
}

# Of a host that is gone its sessions are not known; another begins.
sub outlives {
	my ($proxy) = @_;
	my @engines = map { T::EngineIo->new($proxy) } 1 .. 6;

	$_->open for @engines;
	kill KILL => (map { $_->{pid} } $bob->processes), $bob->pid;
	$bob->kill9;
	for my $engine (@engines) {
		my $is_there = $engine->{sid} =~ /^AA[E-H]/;

		ok((wait_until {
			my $answer = $engine->post('4a');
			$is_there ? $answer->{body} eq 'ok'
			    : $answer->{body} =~ /"code":1,/
		}), $is_there ? 'it goes on' : 'it is not known');
	}
	my $next = T::EngineIo->new($proxy);
	ok((wait_until { eval { $next->open } }), 'another begins');
	is($next->post('4a')->{body}, 'ok', 'and goes on');
	$bob->spawn;
	ok($bob->wait_ready('readyz'), 'the host comes again');
	return;
}

sub has { return system("$_[0] -v >/dev/null 2>&1") == 0 }

SKIP: {
	skip 'nginx is not there', 1 if !has('nginx');
	subtest 'nginx' => sub {
		my $proxy = nginx();

		serves($proxy);
		outlives($proxy);
	};
}

SKIP: {
	skip 'haproxy is not there', 1 if !has('haproxy');
	subtest 'HAProxy' => sub {
		my $proxy = haproxy();

		serves($proxy);
		outlives($proxy);
	};
}

$_->stop for $ann, $bob;

done_testing;
