#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The program of docs/live.md for Socket.IO, with the official client: each
# event of a session once and in order, while workers are killed, its token is
# revoked and the database is put back under it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Command;
use T::Run;
use T::Script;
use T::Server;
use T::Wait;

my $client = T::Script::client();

my $text = T::Command::slurp(($ENV{T_SOURCE} // "$FindBin::Bin/..")
	. '/docs/live.md');
my ($program) = $text =~ /^```javascript\n(.*?)^```$/ms;
my $key = 'the key of a test of Socket.IO';
my $server = T::Server->start(wait => 'readyz', workers => 2,
	env => { ADMIN_KEY => $key });
my $admin = T::Client->new($server);
my $id = $admin->post('/api/sessions')->{json}{id};
my $file = T::Run::folder() . "/follow-$$.js";
my $out  = "$file.out";

ok($program && ($program =~ tr/\n//) <= 40, 'forty lines');
open my $to, '>', $file or die "$file: $!\n";
print {$to} $program;
close $to;
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
	open STDOUT, '>', $out;
	open STDERR, '>&', \*STDOUT;
	$ENV{NODE_PATH} = "$client/node_modules";
	exec 'timeout', 120, 'node', $file, $server->url, $key, $id;
}

# So many events more; whoever would take it may just have been killed.
sub emit {
	my ($count) = @_;
	my $last;

	for (1 .. $count) {
		wait_until {
			my $answer = $admin->post("/api/sessions/$id/events",
				{ type => 'custom.n', data => {} });

			$admin->hang_up if !$answer;
			$last = $answer && $answer->{json}{seq};
		} 10 or die "no event was taken\n";
	}
	return $last;
}

sub told { return -e $out ? T::Command::slurp($out) : '' }

sub reaches {
	my ($last, $name) = @_;

	ok((wait_until { told() =~ /^$last custom/m } 30), "$name: $last")
	    or diag told();
	return;
}

reaches(emit(3), 'from the first one on');
for my $round (1 .. 2) {
	for my $worker ($server->worker_pids) {
		kill KILL => $worker;
		emit(2);
		wait_until { $server->worker_pids == 2 } 20;
	}
	reaches(emit(1), "killed workers, round $round");
}
my $last = emit(1);
is(partyline(qw(token revoke --name Admin --set), 'database_url='
	. $server->db->url)->{exit}, 0, 'its token is revoked');
$admin = T::Client->new($server, name => 'Writer');
reaches($last = emit(3), 'a new token');
is_deeply([told() =~ /^(\d+) \S+$/mg], [1 .. $last], 'each once, in order');
is(scalar(() = told() =~ /^state/mg), 0, 'and no state was needed');
$server->db->query("DELETE FROM partyline.event WHERE stream = 'session:$id' "
	. "AND seq > 3; UPDATE partyline.stream SET head = 3 WHERE name = "
	. "'session:$id'");
ok((wait_until { told() =~ /^state \{"id":$id,/m } 30),
	'a database that was put back: the state');
emit(1);
ok((wait_until { told() =~ /^state.*\n4 custom\.n\n\z/m } 20),
	'and on from there') or diag told();
kill TERM => $pid;
waitpid $pid, 0;

done_testing;
