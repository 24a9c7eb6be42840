# SPDX-License-Identifier: MIT
#
# The servers of t/bench/rest. Each start gives a hash: `name`; `roots`, the
# processes whose trees are its cost; `label`, by case, how it is called in
# the cases that it takes part in; `database`, if PostgreSQL's cost is also
# its; and then either `origin`, `port`, `key` of one that answers like
# partyline, or by case `url` or `script` of one that knows only one answer.
package Bench::Rest;

use strict;
use warnings;

use Bench qw(free_port output said spawn wait_for);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Bench::Sessions;
use HTTP::Tiny;
use IO::Socket::INET;

my $here  = dirname(abs_path(__FILE__)) . '/..';
my $key   = 'the-key-of-a-bench-which-nobody-else-has';
my @reads = qw(get active list);

# The same name in all of these cases.
sub named {
	my ($name, @cases) = @_;
	return { map { $_ => $name } @cases };
}

# Where everything is: folder, core (the servers'), postgres, node, partyline.
sub new {
	my ($class, %place) = @_;
	return bless {%place}, $class;
}

sub put {
	my ($self, $name, $content) = @_;
	open my $file, '>', "$self->{folder}/$name" or die "$name: $!";
	print {$file} $content;
	close $file or die "$name: $!";
	return "$self->{folder}/$name";
}

sub answers {
	my ($port) = @_;
	return sub {
		IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $port);
	};
}

# On the servers' core; its log is named for it.
sub run {
	my ($self, $name, @command) = @_;
	return spawn("$self->{folder}/$name.log", 'taskset', '-c',
		$self->{core}, @command);
}

# The port that a program of ours prints.
sub printed_port {
	my ($self, $name) = @_;
	my $log = "$self->{folder}/$name.log";
	my $port;
	wait_for($name,
		sub { ($port) = said($log) =~ /^port (\d+)$/m }, $log);
	return $port;
}

# partyline on a database of its own: two hosts on one have to do without the
# read cache.
sub partyline {
	my ($self, $name, $database, $label, @set) = @_;
	my $folder = $self->{folder};
	my $port   = free_port();
	my $url    = $self->{postgres}->url($database);
	$self->{postgres}->create($database);
	my $conf = $self->put("$database.conf", join '', map { "$_\n" }
		  "listen = 127.0.0.1:$port",
		'workers = 1',
		"state_dir = $folder/$database-state",
		"sql_dir = $here/../../sql",
		'access_log = off',
		'log_level = warn',
		qq(admin_key = "$key"),
		qq(database_url = "$url"),
		qq(migrate_url = "$url"),
		@set);
	chmod 0644, $conf;
	my $pid = $self->run($database, $self->{partyline}, 'serve',
		'-c', $conf);
	my $log = "$folder/$database.log";
	wait_for($name, answers($port), $log);
	wait_for("$name ready", sub {
		HTTP::Tiny->new->get("http://127.0.0.1:$port/readyz")
		  ->{status} == 200;
	}, $log);
	return {
		name     => $name,
		roots    => [$pid],
		label    => $label,
		origin   => "http://127.0.0.1:$port",
		port     => $port,
		key      => $key,
		database => $database,
		conf     => $conf,
	};
}

# As it is: reads that find nothing changed are answered from memory.
sub kept {
	my ($self) = @_;
	return $self->partyline('partyline', 'kept', {
		%{ named('partyline, nothing changed', @reads) },
		pair => 'partyline',
	});
}

# Every read goes to PostgreSQL.
sub all_in {
	my ($self) = @_;
	return $self->partyline('partyline, read_cache = 0', 'all_in',
		named('partyline, all in', @reads), 'read_cache = 0');
}

sub node {
	my ($self, $name, $script, @arguments) = @_;
	local $ENV{ADMIN_KEY} = $key;
	my $pid = $self->run($script, $self->{node}->command(
		"$script.js", @arguments));
	my $port = $self->printed_port($script);
	return {
		name   => $name,
		roots  => [$pid],
		label  => named($name, @reads, 'pair', 'create'),
		origin => "http://127.0.0.1:$port",
		port   => $port,
		key    => $key,
	};
}

sub fastify {
	my ($self) = @_;
	my $postgres = $self->{postgres};
	$postgres->create('fastify');
	my $server = $self->node('Fastify 5 + pg', 'fastify',
		$postgres->sockets, $postgres->user, 'fastify');
	$server->{database} = 'fastify';
	return $server;
}

sub express {
	my ($self) = @_;
	return $self->node('Express 4 + better-sqlite3', 'express',
		"$self->{folder}/express.db");
}

# The statements of fastify.js, in its database, without an HTTP server; id:
# of the session to read.
sub pgbench {
	my ($self, $id) = @_;
	my $name = 'PostgreSQL alone (pgbench)';
	my $columns =
	  'id, notes, is_active, created_at, closed_at, games_played';
	my $create = "INSERT INTO session (notes) VALUES ('A night of games, "
	  . "with friends') RETURNING id, notes, is_active, created_at, "
	  . 'closed_at';
	my %script = (
		get => "\\set wanted $id\nSELECT $columns FROM session"
		  . " WHERE id = :wanted;\n",
		active => "SELECT $columns FROM session WHERE is_active = 1"
		  . " ORDER BY id DESC LIMIT 1;\n",
		list => "\\set most 20\nSELECT $columns FROM session"
		  . " ORDER BY created_at DESC, id DESC LIMIT :most;\n",
		create => "$create;\n",
		pair   => "$create \\gset\nUPDATE session SET is_active = 0,"
		  . ' closed_at = now() WHERE id = :id AND is_active = 1'
		  . " RETURNING $columns;\n",
	);
	return {
		name     => $name,
		roots    => [],
		label    => named($name, keys %script),
		database => 'fastify',
		script   => { map { $_ => $self->put("$_.sql", $script{$_}) }
			  keys %script },
	};
}

# nginx and the limit give back, byte for byte, what the body of each read
# was: { get => body, ... }.
sub nginx {
	my ($self, %body) = @_;
	my $folder = $self->{folder};
	my $port   = free_port();
	my $places = join '', map {
		my $text = $body{$_} =~ s/(['\\\$])/\\$1/gr;
		"location = /$_ { return 200 '$text'; }\n"
	} sort keys %body;
	my $conf = $self->put('nginx.conf', <<"END");
daemon off; worker_processes 1; pid $folder/nginx.pid;
error_log $folder/nginx.err;
events { worker_connections 1024; }
http {
	access_log off; keepalive_requests 100000000;
	client_body_temp_path $folder/n1; proxy_temp_path $folder/n2;
	fastcgi_temp_path $folder/n3; uwsgi_temp_path $folder/n4;
	scgi_temp_path $folder/n5;
	server { listen 127.0.0.1:$port; default_type application/json;
$places	}
}
END
	my $pid = $self->run('nginx', 'nginx', '-c', $conf);
	wait_for('nginx', answers($port), "$folder/nginx.log");
	return {
		name  => 'nginx, constant',
		roots => [$pid],
		label => named('nginx, constant', keys %body),
		url   => { map { $_ => "http://127.0.0.1:$port/$_" }
			  keys %body },
	};
}

sub limit {
	my ($self, %body) = @_;
	my $folder  = $self->{folder};
	my $program = "$folder/limit";
	system('gcc', '-O2', '-o', $program, "$here/limit.c") == 0
	  or die "limit.c does not compile\n";
	my $name   = 'limit: only the kernel calls';
	my %server = (name => $name, label => named($name, keys %body));
	for my $case (sort keys %body) {
		my $file = $self->put("limit.$case", join "\r\n",
			'HTTP/1.1 200 OK', 'Content-Type: application/json',
			'Content-Length: ' . length $body{$case}, '',
			$body{$case});
		my $pid  = $self->run("limit-$case", $program, $file);
		my $port = $self->printed_port("limit-$case");
		push @{ $server{roots} }, $pid;
		$server{url}{$case} = "http://127.0.0.1:$port/";
	}
	return \%server;
}

# Tenants of partyline, each with an administrator's token: their prefixes
# and tokens. No login: that is slow on purpose.
sub tenants {
	my ($self, $server, $count) = @_;
	my @clients;
	for my $slug (map { "bench-$_" } 1 .. $count) {
		$self->command($server, 'tenant', 'add', $slug);
		my $said = $self->command($server, 'token', 'make',
			'--name', 'Bench', '--role', 'admin',
			'--tenant', $slug);
		my ($token) = $said =~ /([\w-]+\.[\w-]+\.[\w-]+)/
		  or die "token make told no token: $said\n";
		push @clients, { prefix => "/t/$slug", token => $token };
	}
	# A running server knows of them within a second.
	for my $client (@clients) {
		my $url = "$server->{origin}$client->{prefix}/api/sessions";
		wait_for($client->{prefix},
			sub { HTTP::Tiny->new->get($url)->{success} });
	}
	return \@clients;
}

# What a command of the program prints.
sub command {
	my ($self, $server, @words) = @_;
	my $said = output($self->{partyline}, @words, '-c', $server->{conf});
	die "partyline @words: exit status $?\n" if $?;
	return $said;
}

1;
