#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official client with connection state recovery: its workers are killed,
# and then its host, while others write; it is always recovered, and hears
# each event once and in order.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Command;
use T::Hosts;
use T::Live;
use T::Run;
use T::Script;
use T::Wait;

my $client = T::Script::client();

my %options = (workers => 2, socketio_recovery => 60000);

# So many events more, whoever is killed.
sub emit {
	my ($server, $id, $count) = @_;
	my $writer = T::Client->new($server);
	my $last;

	for (1 .. $count) {
		$last = $writer->post("/api/sessions/$id/events",
			{ type => 'custom.n', data => {} })->{json}{seq}
		    // die "no event was taken\n";
	}
	return $last;
}

for my $transport (qw(websocket polling)) {
	subtest $transport => sub {
		my ($one, $two) = T::Hosts::pair(%options);
		my $id  = T::Client->new($two)->post('/api/sessions')
		    ->{json}{id};
		my $out = T::Run::folder() . "/recovery-$$-$transport.out";
		my $pid = open(my $page, '|-') // die "fork: $!\n";

		if ($pid == 0) {
			open STDOUT, '>', $out;
			open STDERR, '>&', \*STDOUT;
			exec 'timeout', 120, 'node',
			    T::Script::path('recovery.js'), $client,
			    $one->url, $transport, T::Live::token_for($two),
			    $id;
		}
		my $told = sub { -e $out ? T::Command::slurp($out) : '' };
		my $reaches = sub {
			my ($last, $name) = @_;

			ok((wait_until { $told->() =~ /^$last custom/m } 30),
				"$name: $last") or diag $told->();
		};
		my $ups = sub { scalar(() = $told->() =~ /^up/mg) };

		$reaches->(emit($two, $id, 3), 'from the first one on');
		for my $round (1 .. 2) {
			for my $worker ($one->worker_pids) {
				kill KILL => $worker;
				emit($two, $id, 5);
				wait_until { $one->worker_pids == 2 } 20;
			}
			$reaches->(emit($two, $id, 1), "killed workers");
		}
		my $before = $ups->();
		cmp_ok($before, '>', 1, 'it had to come back');
		$page->autoflush(1);
		print {$page} $two->url . "\n";
		kill KILL => $one->{pid}, map { $_->{pid} } $one->processes;
		$one->kill9;
		emit($two, $id, 20);
		$reaches->(emit($two, $id, 1), 'a killed host');
		is($ups->(), $before + 1, 'it came to the other one');
		my $last = emit($two, $id, 1);
		$reaches->($last, 'and goes on');
		is_deeply([$told->() =~ /^(\d+) \S+$/mg], [1 .. $last],
			'each once, in order');
		is(scalar(() = $told->() =~ /^up false/mg), 1,
			'recovered whenever it came back');
		unlike($told->(), qr/^(?:resync|error)/m, 'nothing else');
		kill TERM => $pid;
		close $page;
	};
}

done_testing;
