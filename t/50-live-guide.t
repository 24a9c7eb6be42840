#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# docs/live.md, by the letter: its commands are typed, what it says is said
# and heard; and its programs follow a session while workers are killed.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Open2 qw(open2);
use JSON::PP   ();
use Test::More;
use T::Client;
use T::Live;
use T::Server;
use T::Tree;
use T::Wait;

my $key    = 'the key of the guide';
my $server = T::Server->start(workers => 2, admin_key => $key,
	wait => 'readyz');
my $json = JSON::PP->new->utf8->allow_nonref;
my $text = T::Tree::text('docs/live.md');
my %program;

ok((wait_until {
	$server->mojo->ua->post($server->url('/api/auth/login'),
		json => { key => $key })->res->code == 200 } 20),
	'its admin may sign in');

# One shell for all commands, as somebody has it open.
my ($said, $typed);
{
	local @ENV{qw(URL KEY)} = ($server->url, $key);
	open2($said, $typed, 'timeout', 120, 'setpriv', '--pdeathsig', 'KILL',
		'sh');
}
$typed->autoflush;

# What it prints.
sub type {
	my ($commands) = @_;
	my $all = '';

	print $typed "$commands\necho '=== end'\n";
	while (defined(my $line = <$said>)) {
		return $all if $line eq "=== end\n";
		$all .= $line;
	}
	die "the shell is gone\n";
}

# In the place of what the guide leaves open, what there is.
sub filled {
	my ($wanted, $is) = @_;

	return { map { $_ => filled($wanted->{$_}, ref $is eq 'HASH'
		? $is->{$_} : undef) } keys %$wanted } if ref $wanted eq 'HASH';
	return defined $wanted && $wanted eq "\x{2026}" && defined $is ? $is
	    : $wanted;
}

my $live = T::Live->connect($server);

# Lines with > are said, those with < heard; what begins with a blank goes on.
sub talk {
	my ($block) = @_;
	my $token = type('echo "$TOKEN"') =~ s/\s//gr;

	for my $part (split /^(?=[<>] )/m, $block) {
		my ($way, $value) = $part =~ /\A([<>]) (.*)\z/s;

		$value =~ s/\$TOKEN/$token/;
		if ($way eq '>') {
			$live->say($value);
			next;
		}
		my $is = $live->hears(qr/./);
		my $wanted = filled($json->decode($value), $is);

		is_deeply($is, $wanted, $wanted->{type});
	}
	return;
}

subtest 'the talk' => sub {
	my $count = 0;

	while ($text =~ /^```(\w+)\n(.*?)^```$/gms) {
		my ($language, $block) = ($1, $2);

		$count++;
		if ($language eq 'sh') {
			is(type($block), '', 'a command without a word');
		} elsif ($language eq 'live') {
			talk($block);
		} elsif ($language =~ /^(?:js|python|shell)$/) {
			$program{$language} = $block;
		}
	}
	cmp_ok($count, '>', 12, 'there are some');
	$live->settle;
	is($live->hears(qr/^(?!pong)/, 0.1), undef, 'nothing else was heard');
	$live->leave;
};

my $admin = T::Client->new($server);

# So many events more; the last number.
sub emit {
	my ($id, $count) = @_;
	my $last;

	# Whoever would have taken it may just have been killed.
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

# Every worker once, by the signal that nothing can prepare for.
sub kill_workers {
	$server->lose_worker($_) for $server->worker_pids;
	return;
}

sub printed {
	my ($path) = @_;

	open my $file, '<', $path or return '';
	local $/;
	return scalar(<$file>) // '';
}

sub reaches {
	my ($path, $last) = @_;
	my $wanted = qr/^$last /m;

	ok((wait_until { printed("$path.out") =~ $wanted } 20),
		"it has number $last")
	    or diag printed("$path.out"), printed("$path.err");
	return;
}

sub run_program {
	my ($path, $id, @runs) = @_;
	my $pid = fork // die "fork: $!\n";

	return $pid if $pid;
	# Where Debian has it, for a node that is not Debian's.
	$ENV{NODE_PATH} = '/usr/share/nodejs';
	open STDOUT, '>', "$path.out" or die "$path.out: $!\n";
	open STDERR, '>', "$path.err" or die "$path.err: $!\n";
	exec 'setpriv', '--pdeathsig', 'KILL', @runs, $path, $server->url,
	    $key, $id or die "setpriv: $!\n";
}

for (['js', 'node'], ['python', '/usr/bin/python3'], ['shell', 'sh']) {
	my ($language, @runs) = @$_;

	subtest $language => sub {
		my $path = $server->dir . "/follow.$language";
		my $id   = $admin->post('/api/sessions')->{json}{id};

		cmp_ok($program{$language} =~ tr/\n//, '<=', 40,
			'it has forty lines at most');

		$admin->post("/api/sessions/$id/close");
		open my $file, '>:raw', $path or die "$path: $!\n";
		print $file $program{$language};
		close $file;
		emit($id, 3);
		my $pid = run_program($path, $id, @runs);
		reaches($path, 4);
		my $last;
		for my $round (1 .. 2) {
			emit($id, 5);
			kill_workers();
			$last = emit($id, 5);
			reaches($path, $last);
		}
		is(join(' ', printed("$path.out") =~ /^(\d+) /mg),
			join(' ', 1 .. $last),
			'each number once and in order');
		kill TERM => $pid;
		waitpid $pid, 0;
	};
}

close $typed;
done_testing;
