#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline tenant export and import while they run: nobody waits for them,
# what they write is one moment, they take no memory for the size of a tenant,
# and one that is killed half way did nothing.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use JSON::PP   ();
use Test::More;
use T::Command;
use T::Run;
use T::Server;
use T::TenantFile;
use T::Wait;

my $json   = JSON::PP->new->utf8;
my $dir    = File::Temp->newdir('partyline-t-XXXXXX', TMPDIR => 1);
my $server = T::Server->start(workers => 2, wait => 'readyz',
	jwt_secret => 'k' x 32);
my $db = $server->db;

# A command that is under way, with a pipe to or from it.
sub under_way {
	my ($mode, @words) = @_;
	my %env = T::Command::environment("$dir/sanitizer");
	my $pid = open my $pipe, $mode // die "fork: $!\n";

	if ($pid == 0) {
		open STDERR, '>', "$dir/err";
		T::Command::become(\%env, T::Run::program(), 'tenant', @words,
			'--set', 'database_url=' . $db->url);
	}
	binmode $pipe;
	$pipe->autoflush(1);
	return ($pid, $pipe);
}

sub most_memory {
	my ($pid) = @_;

	return bytes("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m ? $1 : 0;
}

sub big {
	my ($slug, $count) = @_;

	good(tenant($db, 'add', $slug), "$slug is added");
	$db->query(qq{INSERT INTO partyline.event (tenant_id, stream, seq,
		type, payload, at) SELECT t.id, 'lobby', n, 'custom.x',
		'{"data":"' || repeat('x', 1000) || '"}', now()
		FROM partyline.tenant t, generate_series(1, $count) n
		WHERE t.slug = '$slug';
		UPDATE partyline.stream SET head = $count, bytes = 1
		WHERE name = 'lobby' AND tenant_id = (SELECT id
		FROM partyline.tenant WHERE slug = '$slug')});
	return;
}

subtest 'nobody waits, and it is one moment' => sub {
	big('long', 2000);
	my $who = somebody($server, 'long');
	my $session = $who->post('/api/sessions')->{json}{id};
	my ($pid, $pipe) = under_way('-|', 'export', 'long');
	my $file = readline $pipe;

	# It cannot be through: the pipe does not take all of it.
	is($who->post("/api/sessions/$session/close")->{status}, 200,
		'a session is closed meanwhile');
	is($who->post('/api/sessions')->{status}, 201, 'another begins');
	is($who->delete("/api/sessions/$session")->{status}, 200,
		'the first one is deleted');
	is($who->post('/api/games', { pack_name => 'P', title => 'T',
		min_players => 1, max_players => 2 })->{status}, 201,
		'a game comes');
	ok(kill(0, $pid), 'and it is still at it');
	$file .= $_ while readline $pipe;
	ok(close $pipe, 'it comes to its end');
	my $rows = $json->decode($file =~ s/\A.*\n(?=.)//sr)->{rows};
	is($rows->{session}, 1, 'of before');
	is($rows->{event}, 2001, 'all of it');
	write_file("$dir/long.tenant", $file);
	good(tenant($db, 'import', 'long-again', "$dir/long.tenant"),
		'what it wrote fits together');
	my $again = somebody($server, 'long-again');
	ok($again->get("/api/sessions/$session")->{json}{is_active},
		'the session runs there');
};

subtest 'the size of a tenant is no memory' => sub {
	my %most;

	# Small, but more than a pipe holds.
	big('small', 500);
	big('huge', 40_000);
	for my $slug ('small', 'huge') {
		my $path = "$dir/$slug.tenant";

		good(tenant($db, 'export', $slug, $path), "$slug is written");
		my $size = -s $path;
		my ($pid, $pipe) = under_way('-|', 'export', $slug);
		my $left = $size - 100_000;
		$left -= read $pipe, my $piece, $left < 65536 ? $left : 65536
		    while $left > 0;
		$most{"$slug out"} = most_memory($pid);
		1 while read $pipe, my $rest, 65536;
		close $pipe;

		my $bytes = bytes($path);
		($pid, $pipe) = under_way('|-', 'import', "$slug-again", '-',
			'--no-hosts');
		print $pipe without_end($bytes);
		# All but what the pipe holds was taken by now.
		$most{"$slug in"} = most_memory($pid);
		print $pipe substr $bytes, length without_end($bytes);
		ok(close $pipe, "$slug is read") or diag(bytes("$dir/err"));
		cmp_ok($size, '>', 40_000_000, 'which is much')
		    if $slug eq 'huge';
	}
	for ('out', 'in') {
		cmp_ok($most{"small $_"}, '>', 0, "memory is measured, $_");
		# A sanitizer keeps what was freed.
		cmp_ok($most{"huge $_"} - $most{"small $_"}, '<', 8192,
			"no more than 8 MiB beyond a small one, $_")
		    if !T::Run::has('SANITIZED');
	}
	is($db->query(q{SELECT count(*) FROM partyline.event e JOIN
		partyline.tenant t ON t.id = e.tenant_id
		WHERE slug = 'huge-again'}), 40_000, 'and all is there');
};

subtest 'killed half way' => sub {
	my $before = everything($db);
	my $body = without_end(bytes("$dir/long.tenant"));
	my ($pid, $pipe) = under_way('|-', 'import', 'killed');

	local $SIG{PIPE} = 'IGNORE';
	print $pipe $body;
	ok((wait_until { $db->query(q{SELECT count(*) FROM pg_stat_activity
		WHERE state = 'idle in transaction'
		AND query LIKE '%tenant_file_put%'}) > 0 } 20), 'it is at it');
	kill 'KILL', $pid;
	close $pipe;
	ok((wait_until { !$db->query(q{SELECT count(*) FROM pg_stat_activity
		WHERE query LIKE '%tenant_file_put%' AND pid <>
		pg_backend_pid()}) } 20), 'it is gone');
	is(everything($db), $before, 'nothing was done');
	good(tenant($db, 'import', 'killed', "$dir/long.tenant"),
		'and can be done');
};

done_testing;
