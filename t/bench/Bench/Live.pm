# SPDX-License-Identifier: MIT
#
# The servers of t/bench/live and t/bench/socketio, and clients of them. Each
# start gives a hash: `name`; `kind`, as live_client.c calls it; `roots`, the
# processes whose trees are its cost, and `beside`, what stands beside it;
# `port`, and `ports` if there are several; `token`; `rooms`, a list of names;
# `cases`, if it takes part in some only; `polls`, if Socket.IO's clients may.
#
#	my $live    = Bench::Live->new(rest => $rest, client => $core,
#		envelope => 256);	# of an event, in bytes
#	my $server  = $live->nchan;
#	my $clients = $live->clients($server, 1000, 1);	 # sockets, rooms
#	my $figures = $clients->publish(100, 16);	 # events, in flight
#	$clients->leave;
#	my $clients = $live->pollers($server, 1000);
#	my $figures = $clients->trips(20000);
package Bench::Live;

use strict;
use warnings;

use Bench qw(free_port said spawn tree wait_for);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Socket::INET;
use IPC::Open2 qw(open2);
use JSON::PP ();

my $here  = dirname(abs_path(__FILE__)) . '/..';
my $rooms = 1000;
my $key   = 'the-key-of-a-bench-which-nobody-else-has';
my $nchan = '/usr/lib/nginx/modules/ngx_nchan_module.so';
my $json  = JSON::PP->new->utf8->canonical;

# rest: a Bench::Rest, which starts programs on the servers' core; core: the
# clients'.
sub new {
	my ($class, %place) = @_;
	my $self = bless { envelope => 256, %place }, $class;
	for my $sources ([qw(live_client live_order live_wire)],
		[qw(poll_client live_wire)], ['live_limit']) {
		system('gcc', '-O2', "-DENVELOPE=$self->{envelope}", '-o',
			"$self->{rest}{folder}/$sources->[0]",
			map { "$here/$_.c" } @{$sources}) == 0
		  or die "$sources->[0].c does not compile\n";
	}
	return $self;
}

# Asks on a connection that is kept, each time in one piece: what is sent in
# two may wait for 40 ms. The answer, decoded.
sub post {
	my ($server, $path, $status, $body) = @_;
	my $socket = $server->{socket} //= IO::Socket::INET->new(
		PeerAddr => '127.0.0.1', PeerPort => $server->{port})
	  // die "$server->{name}: $!\n";
	my $content = $json->encode($body);
	my $token   = $server->{token} // '-';
	$socket->print("POST $path HTTP/1.1\r\nHost: bench\r\n"
		  . "Authorization: Bearer $token\r\n"
		  . "Content-Type: application/json\r\nContent-Length: "
		  . length($content) . "\r\n\r\n$content");
	$socket->flush;
	my ($head, $answer) = ('', '');
	while (defined(my $line = $socket->getline)) {
		last if $line eq "\r\n";
		$head .= $line;
	}
	my ($length) = $head =~ /^content-length: (\d+)/im;
	$socket->read($answer, $length) if $length;
	die "$server->{name}: POST $path: $head$answer\n"
	  if $head !~ m{^HTTP/1.1 $status };
	return $json->decode($answer);
}

sub sign_in {
	my ($server) = @_;
	delete $server->{token};
	$server->{token} = post($server, '/api/auth/login', qr/20[01]/,
		{ key => $key })->{token};
	return;
}

# One worker, as the others have one. A session is a room; one at a time is
# active, and events are taken by all.
sub partyline {
	my ($self, $name, $database, @set) = @_;
	my $server = $self->{rest}->partyline($name // 'partyline',
		$database // 'live', {},
		'connections = 20000', 'connections_per_address = 20000',
		'connections_per_caller = 20000', @set);
	$server->{kind}         = 'json';
	$server->{has_database} = 1;
	sign_in($server);
	for my $n (1 .. $rooms) {
		my $id = post($server, '/api/sessions', 201,
			{ notes => "Room $n" })->{id};
		post($server, "/api/sessions/$id/close", 200, {});
		push @{ $server->{rooms} }, $id;
	}
	return $server;
}

# The same, told of through Socket.IO's namespace /live, and nobody who says
# much is closed for it.
sub slashlive {
	my ($self, $name) = @_;
	my $server = $self->partyline($name, 'socketio',
		'socketio_messages = 1000000',
		map { "messages_per_$_ = 16777215" } qw(address caller tenant));
	$server->{kind}  = 'slashlive';
	$server->{polls} = 1;
	return $server;
}

# The script in a process for each log, which is named here.
sub node {
	my ($self, $name, $kind, $script, $arguments, @logs) = @_;
	my $rest = $self->{rest};
	local $ENV{ADMIN_KEY}    = $key;
	local $ENV{BENCH_SECRET} = $key;
	my @command = $rest->{node}->command("$script.js");
	splice @command, -1, 0, '--expose-gc';
	my @pids = map { $rest->run($_, @command, @{$arguments}) } @logs;
	my @ports = map { $rest->printed_port($_) } @logs;
	my $server = {
		name  => $name,
		kind  => $kind,
		roots => \@pids,
		port  => $ports[0],
		ports => \@ports,
		rooms => [1 .. $rooms],
		tidy  => '/bench/tidy',
	};
	sign_in($server);
	return $server;
}

sub ws { return $_[0]->node('ws (Node)', 'json', 'ws', [], 'ws') }

sub socketio {
	my ($self) = @_;
	my $server = $self->node('Socket.IO', 'socketio', 'socketio', [],
		'socketio');
	$server->{polls} = 1;
	return $server;
}

# Two processes with the adapter of Redis, which stands beside them.
sub socketio_redis {
	my ($self) = @_;
	my $rest  = $self->{rest};
	my $port  = free_port();
	my $redis = spawn("$rest->{folder}/redis.log", 'taskset', '-c',
		$self->{client}, 'redis-server', '--port', $port, '--bind',
		'127.0.0.1', '--save', '', '--appendonly', 'no', '--dir',
		$rest->{folder});
	wait_for('redis', Bench::Rest::answers($port),
		"$rest->{folder}/redis.log");
	my $server = $self->node('Socket.IO + Redis, 2 processes',
		'socketio', 'socketio', [$port], qw(socketio-1 socketio-2));
	$server->{beside} = [$redis];
	$server->{polls}  = 1;
	return $server;
}

sub nchan {
	my ($self) = @_;
	my $rest   = $self->{rest};
	my $folder = $rest->{folder};
	my $port   = free_port();
	-e $nchan or die "libnginx-mod-nchan is not installed\n";
	my $conf = $rest->put('nchan.conf', <<"END");
load_module $nchan;
daemon off; worker_processes 1; worker_rlimit_nofile 20000;
pid $folder/nchan.pid; error_log $folder/nchan.err;
events { worker_connections 19900; }
http {
	access_log off; keepalive_requests 100000000;
	client_body_temp_path $folder/n1; proxy_temp_path $folder/n2;
	fastcgi_temp_path $folder/n3; uwsgi_temp_path $folder/n4;
	scgi_temp_path $folder/n5;
	nchan_shared_memory_size 256M;
	nchan_message_buffer_length 10;
	server { listen 127.0.0.1:$port backlog=4096;
		location ~ ^/sub/(\\d+)\$ { nchan_subscriber websocket;
			nchan_channel_id \$1;
			nchan_subscriber_first_message newest; }
		location ~ ^/pub/(\\d+)\$ { nchan_publisher http;
			nchan_channel_id \$1; }
	}
}
END
	my $pid = $rest->run('nchan', 'nginx', '-c', $conf);
	wait_for('nchan', Bench::Rest::answers($port), "$folder/nchan.log");
	return {
		name  => 'nchan',
		kind  => 'nchan',
		roots => [$pid],
		port  => $port,
		token => '-',
		rooms => [1 .. $rooms],
	};
}

sub limit {
	my ($self, @gather) = @_;
	my $rest = $self->{rest};
	my $file = join '-', 'live_limit', @gather;
	my $pid  = $rest->run($file, "$rest->{folder}/live_limit", $rooms,
		@gather);
	return {
		name  => @gather ? 'limit, gathered' : 'limit',
		kind  => 'limit',
		roots => [$pid],
		port  => $rest->printed_port($file),
		token => 'x' x 300,
		rooms => [1 .. $rooms],
		@gather ? (cases => [qw(many rooms)]) : (),
	};
}

sub limit_gathered { return $_[0]->limit('gather') }

# What is garbage goes, where the server can be asked.
sub tidy {
	my ($server) = @_;
	return if !$server->{tidy};
	for my $port (@{ $server->{ports} }) {
		delete $server->{socket};    # Node may have closed it
		post({ %{$server}, port => $port }, $server->{tidy}, 201, {});
	}
	return;
}

# Bytes of its processes, what they share divided among them.
sub pss {
	my ($server) = @_;
	my $sum = 0;
	for my $pid (map { tree($_) } @{ $server->{roots} }) {
		open my $file, '<', "/proc/$pid/smaps_rollup" or next;
		my ($kib) = map { /^Pss:\s+(\d+)/ } <$file>;
		$sum += ($kib // 0) * 1024;
	}
	return $sum;
}

# --- clients ---------------------------------------------------------------

sub begin {
	my ($self, $server, $program, $before, @after) = @_;
	my $ports = join ',', @{ $server->{ports} // [$server->{port}] };
	my $pid   = open2(my $out, my $in, 'setpriv', '--pdeathsig', 'KILL',
		'taskset', '-c', $self->{client},
		"$self->{rest}{folder}/$program", @{$before}, $ports, @after);
	my $clients = bless { pid => $pid, out => $out, in => $in,
		server => $server }, 'Bench::Live::Clients';
	$clients->hear(qr/^connected$/);
	return $clients;
}

sub clients {
	my ($self, $server, $sockets, $rooms_wanted) = @_;
	my @rooms = @{ $server->{rooms} }[0 .. $rooms_wanted - 1];
	return $self->begin($server, 'live_client', [$server->{kind}],
		$sockets, $server->{token}, @rooms);
}

sub pollers {
	my ($self, $server, $count) = @_;
	return $self->begin($server, 'poll_client', [], $count);
}

package Bench::Live::Clients;

sub pid { return $_[0]{pid} }

sub hear {
	my ($self, $wanted) = @_;
	my $line = readline $self->{out};
	die "$self->{server}{name}: the clients gave up\n"
	  if !defined $line || $line !~ $wanted;
	return $line;
}

# A hash of what live_client.c's tell() says.
sub publish {
	my ($self, $events, $in_flight) = @_;
	syswrite $self->{in}, "publish $events $in_flight\n";
	my $line = $self->hear(qr/^events=/);
	return { $line =~ /(\w+)=([\d.]+)/g };
}

# The same of poll_client.c's.
sub trips {
	my ($self, $count) = @_;
	syswrite $self->{in}, "trips $count\n";
	my $line = $self->hear(qr/^trips=/);
	return { $line =~ /(\w+)=([\d.]+)/g };
}

sub leave {
	my ($self) = @_;
	close $self->{in};
	close $self->{out};
	waitpid $self->{pid}, 0;
	return;
}

1;
