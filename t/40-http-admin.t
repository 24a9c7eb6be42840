#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# What operators see: /metrics and /status on admin_listen.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mojo::JSON qw(decode_json);
use Test::More;
use T::Http;
use T::Server;
use T::Table;
use T::Wait;

my $server = T::Server->start(workers => 2);

sub metrics {
	my $answer = T::Http->get($server->admin, '/metrics');
	my %values;

	is($answer->{status}, 200) if $_[0];
	is($answer->{headers}{'content-type'},
		'text/plain; version=0.0.4; charset=utf-8') if $_[0];
	for my $line (split /\n/, $answer->{body}) {
		next if $line =~ /^#/;
		my ($name, $labels, $value) = $line =~
		    /^(\w+)(?:\{(.*)\})? (\S+)\z/
		    or fail("a line of the format: $line"), next;
		$values{$name}{ $labels // '' } = $value;
	}
	return (\%values, $answer->{body});
}

my ($values, $text) = metrics(1);
T::Evidence::record(operation => qw(metrics status));

subtest 'every row of the table is there' => sub {
	for my $row (T::Table->rows('counters')) {
		my ($name, $kind) = @$row{qw(name kind)};
		my $full = "partyline_$name"
		    . { counter => '_total', gauge => '',
			histogram => '_seconds' }->{ lc $kind };
		my $type = "$full " . lc $kind;
		like($text, qr/^# HELP \Q$full\E \S.*\n# TYPE \Q$type\E$/m,
			$full);
		ok($values->{$full} || $values->{"${full}_count"},
			"$full has a value");
	}
};

subtest 'counters are the sum of all workers' => sub {
	my ($before) = metrics();
	$server->get('/livez') for 1 .. 40;
	my ($after) = metrics();
	my $name = 'partyline_requests_total';

	# The question for the metrics is counted after it was answered.
	is($after->{$name}{''} - $before->{$name}{''}, 41);
	my %per = map { $_ => 1 }
	    keys %{ $after->{partyline_connections_open} };
	is(scalar(grep { /role="worker"/ } keys %per), 2,
		'gauges are told by process');
	ok($per{'role="master",ordinal="0",slot="0"'}, 'the master among them');
};

subtest 'they outlive a worker' => sub {
	my ($before) = metrics();
	my @old = $server->worker_pids;

	kill KILL => $_ for @old;
	ok((wait_until {
		my %new = map { $_ => 1 } $server->worker_pids;
		keys %new == 2 && !grep { $new{$_} } @old;
	}), 'both are replaced');
	ok((wait_until { eval { $server->get('/livez')->{status} == 200 } }),
		'and serve');
	my $after;
	wait_until { $after = eval { (metrics())[0] } };
	cmp_ok($after->{partyline_requests_total}{''}, '>=',
		$before->{partyline_requests_total}{''}, 'no counter fell');
	is($after->{partyline_process_deaths_total}{''},
		$before->{partyline_process_deaths_total}{''} + 2);
};

subtest 'histograms only rise, and end with all' => sub {
	my ($now) = metrics();
	for my $name (qw(request loop_turn)) {
		my $of = "partyline_${name}_seconds";
		my %buckets = map {
			/le="(.*)"/;
			($1 eq '+Inf' ? 9e9 : $1) => $now->{"${of}_bucket"}{$_}
		} keys %{ $now->{"${of}_bucket"} };
		my @le = sort { $a <=> $b } keys %buckets;
		is(scalar(grep { $buckets{ $le[$_] } < $buckets{ $le[$_ - 1] } }
			1 .. $#le), 0, "$name rises");
		is($buckets{9e9}, $now->{"${of}_count"}{''}, "$name is whole");
		cmp_ok($now->{"${of}_count"}{''}, '>', 0);
		cmp_ok($now->{"${of}_sum"}{''}, '>', 0);
		is(sprintf('%.6f', $le[0]), '0.000001', 'in seconds');
	}
};

subtest 'status' => sub {
	my $answer = T::Http->get($server->admin, '/status');
	my $status = decode_json($answer->{body});

	is($answer->{status}, 200);
	cmp_ok($status->{uptimeMs}, '>', 0);
	ok(exists $status->{parts}{$_}, "part $_")
	    for qw(postgres redis relay jobs);
	cmp_ok($status->{counters}{requests}, '>', 40);
	my @workers = grep { $_->{role} eq 'worker' } @{ $status->{processes} };
	is_deeply([ sort map { $_->{ordinal} } @workers ], [ 1, 2 ]);
	is_deeply([ sort map { $_->{pid} } @workers ],
		[ sort $server->worker_pids ]);
	my $sum = 0;
	$sum += $_->{counters}{process_starts} for @{ $status->{processes} };
	is($sum, $status->{counters}{process_starts}, 'processes sum up');
};

subtest 'the doors are apart' => sub {
	is($server->get($_)->{status}, 404, "front has no $_")
	    for qw(/metrics /status);
	is(T::Http->get($server->admin, $_)->{status}, 404, "admin has no $_")
	    for qw(/livez /health);
	my $answer = T::Http->get($server->admin, '/metrics');
	is($answer->{headers}{'access-control-allow-origin'}, undef,
		'nothing of it is shared with other origins');
	is($answer->{headers}{'x-content-type-options'}, 'nosniff');
	my $refused = T::Http->request($server->admin, 'POST', '/metrics',
		'{}');
	is($refused->{status}, 405);
	is($refused->{headers}{allow}, 'GET, HEAD, OPTIONS');
};

done_testing;
