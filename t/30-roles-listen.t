#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Where the server listens: TCP, Unix sockets, TLS, sockets handed over; and
# what it tells the service manager.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(AF_UNIX SOCK_DGRAM sockaddr_un);
use Test::More;
use T::Certificate;
use T::Command;
use T::Run;
use T::Server;
use T::Wait;

# A server whose processes are all there.
sub whole {
	my $server = T::Server->start(@_);
	$server->wait_for_log(qr{"server ready"}) or die "not ready";
	return $server;
}

# What the service manager is told next.
sub told {
	my ($manager) = @_;
	IO::Select->new($manager)->can_read(20 * ($ENV{T_SLOW} || 1))
	  or return 'nothing';
	recv $manager, my $told, 4096, 0;
	return $told;
}

my $folder = File::Temp->newdir('partyline-l-XXXXXX', TMPDIR => 1);
chmod 0755, $folder;

sub ask {
	my ($socket) = @_;
	syswrite $socket,
	  "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	return join '', <$socket>;
}

subtest 'several addresses at once, IPv6 and Unix among them' => sub {
	my $port   = T::Server::free_port("127.0.0.1");
	my $server = whole(workers => 2, set => {
		listen => "127.0.0.1:$port 127.0.0.2:$port [::1]:$port "
		  . "unix:$folder/front" });
	for my $host (qw(127.0.0.1 127.0.0.2)) {
		like(ask(IO::Socket::INET->new("$host:$port")), qr/200/, $host);
	}
	for (1 .. 10) {
		my $socket = IO::Socket::UNIX->new(Peer => "$folder/front");
		like(ask($socket), qr/^HTTP\/1.1 200/, 'unix');
	}
	is((stat "$folder/front")[2] & 0777, 0666, 'open to a proxy');
	my $admin = IO::Socket::UNIX->new(Peer => $server->admin_socket);
	like(ask($admin), qr/404/, 'the admins\' door has no /livez');
	is((stat $server->admin_socket)[2] & 0777, 0600,
		'and is its owner\'s only');
	$server->stop;
	ok(!-e "$folder/front", 'a stop leaves no socket behind');
};

subtest 'a stale Unix socket is replaced, a living one refused' => sub {
	my $stale = IO::Socket::UNIX->new(Local => "$folder/stale",
		Listen => 1);
	my $where = File::Temp->newdir('partyline-s-XXXXXX', TMPDIR => 1);
	my $refused = partyline('serve', '--set', "listen=unix:$folder/stale",
		'--set', "state_dir=$where");
	is($refused->{exit}, 69, 'somebody listens there');
	close $stale;
	my $server = whole(workers => 1,
		set => { listen => "unix:$folder/stale" });
	like(ask(IO::Socket::UNIX->new(Peer => "$folder/stale")), qr/200/,
		'nobody did any more');
};

subtest 'TLS: 1.2 and 1.3, http/1.1 only' => sub {
	my $tls    = T::Certificate->new('localhost');
	my ($host, $port) = split /:/, $tls->address;
	my $server = whole(workers => 2, set => { $tls->options });
	for my $version (qw(1.2 1.3)) {
		my $curl = "curl -s --tlsv$version --tls-max $version "
		    . "--cacert $tls->{pem} -o /dev/null "
		    . "--resolve localhost:$port:$host "
		    . q(-w '%{http_code} %{http_version}');
		my $out = qx($curl https://localhost:$port/livez);
		is($out, '200 1.1', "TLS $version");
	}
	my $s_client = "openssl s_client -connect $host:$port";
	my $old      = qx($s_client -tls1_1 </dev/null 2>&1);
	like($old, qr/error|alert|no protocols/i, 'TLS 1.1 is refused');
	my $h2 = qx($s_client -alpn h2,http/1.1 </dev/null 2>/dev/null);
	like($h2, qr/ALPN protocol: http\/1\.1/, 'h2 is never chosen');

	# The certificate is read anew by a reload.
	unlink $tls->{pem};
	my @old = $server->worker_pids;
	$server->hup;
	ok($server->wait_for_log(qr/TLS cannot be served|reload refused/),
		'a missing certificate is told');
	is($server->get('/livez')->{status}, 200, 'and the old workers go on');
};

subtest 'sockets handed over, and readiness told' => sub {
	plan skip_all => 'built without libsystemd'
	  unless T::Run::has('HAVE_SYSTEMD');
	my $notify = "$folder/notify";
	socket(my $manager, AF_UNIX, SOCK_DGRAM, 0) or die;
	bind $manager, sockaddr_un($notify) or die;
	chmod 0777, $notify;
	my $port = T::Server::free_port('127.0.0.1');
	# What the manager does: opens the socket, names it, and becomes us.
	my $hand_over = <<'END';
		use IO::Select;
use IO::Socket::INET;
		use POSIX ();
		my $port = shift;
		my $socket = IO::Socket::INET->new(Listen => 10,
			ReuseAddr => 1, LocalAddr => "127.0.0.1:$port") or die;
		POSIX::dup2(fileno $socket, 3) if fileno $socket != 3;
		fcntl $socket, 2, 0;	# F_SETFD: stays open
		$ENV{LISTEN_FDS} = 1;
		$ENV{LISTEN_PID} = $$;
		$ENV{LISTEN_FDNAMES} = 'http';
		exec @ARGV or die;
END
	my $server = T::Server->start(workers => 2, wait => '',
		env => { NOTIFY_SOCKET => $notify },
		command => [ 'perl', '-e', $hand_over, $port ]);
	ok($server->wait_for_log(qr/"server ready"/), 'it starts');
	like(ask(IO::Socket::INET->new("127.0.0.1:$port")), qr/200/,
		'the socket handed over is served') for 1 .. 5;
	my $told = told($manager);
	like($told, qr/READY=1/, 'READY=1');
	$server->hup;
	$told = told($manager);
	like($told, qr/RELOADING=1/, 'RELOADING=1');
	$told = told($manager);
	like($told, qr/READY=1/, 'READY=1 again');
	$server->stop;
	$told = told($manager);
	like($told, qr/STOPPING=1/, 'STOPPING=1');
};

subtest 'titles say role and ordinal' => sub {
	my $server = whole(workers => 2);
	my %title  = map {
		my $cmdline = T::Command::slurp("/proc/$_/cmdline");
		$cmdline =~ s/\0.*//s;
		$cmdline => 1
	} $server->pid, $server->worker_pids, $server->pids('relay'),
	  $server->pids('jobs');
	is_deeply([ sort keys %title ], [
		'partyline: jobs', 'partyline: master', 'partyline: relay',
		'partyline: worker 1', 'partyline: worker 2'
	], 'as ps shows them');
};

subtest 'no process that reads from outside is root' => sub {
	plan skip_all => 'only root can give up root' if $> != 0;
	my $server = whole(workers => 1);
	for my $pid ($server->worker_pids, $server->pids('relay'),
		$server->pids('jobs')) {
		my ($uids) = T::Command::slurp("/proc/$pid/status") =~
		  /^Uid:\s+(.*)/m;
		unlike($uids, qr/\b0\b/, 'no uid is 0');
		like(T::Command::slurp("/proc/$pid/status"),
			qr/^CapEff:\s+0+$/m, 'no capabilities');
	}
	my $refused = partyline('serve', '--set', 'user=root', '--set',
		'state_dir=' . File::Temp->newdir(TMPDIR => 1), '--set',
		'listen=127.0.0.1:' . T::Server::free_port("127.0.0.1"));
	is($refused->{exit}, 78, 'user=root is refused');
	$refused = partyline('serve', '--set', 'user=nobody-of-that-name',
		'--set', 'state_dir=' . File::Temp->newdir(TMPDIR => 1));
	is($refused->{exit}, 78, 'and a user that is not there');
};

done_testing;
