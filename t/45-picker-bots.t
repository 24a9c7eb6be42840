#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The bots of docs/writing-a-bot.md, by the letter: a whole evening, while
# workers are killed, the server is restarted, and they are killed themselves.
# Each event comes once and in order, each vote counts once.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Server;
use T::Tree;
use T::Wait;

my $key    = 'the key of the guide';
my $server = T::Server->start(workers => 2, conf => { admin_key => $key },
	wait => 'readyz');
my $text = T::Tree::text('docs/writing-a-bot.md');
my %program = $text =~ /^```(js|python)\n(.*?)^```$/gms;
my $admin = T::Client->new($server);

ok((wait_until { $admin->post('/api/auth/login', { key => $key })->{status}
	== 200 } 20), 'the admin may sign in');
is(join(' ', sort keys %program), 'js python', 'there are two');
cmp_ok(scalar(grep { /\S/ } split /\n/, $program{$_}), '<=', 60,
	"$_: of 60 lines at most") for sort keys %program;

# Until it is taken: who would have taken it may just have been killed.
sub done {
	my ($method, $path, $body) = @_;
	my $answer;

	wait_until {
		$answer = $admin->$method($path, $body // ());
		$admin->hang_up if !$answer->{status};
		$answer->{status} && $answer->{status} < 500;
	} 30;
	cmp_ok($answer->{status}, '<', 300, "$method $path")
	    or diag $answer->{body};
	return $answer->{json};
}

sub printed {
	my ($bot, $where) = @_;

	open my $file, '<', "$bot->{path}." . ($where // 'out') or return '';
	local $/;
	return scalar(<$file>) // '';
}

# Behind what it has said before.
sub bot {
	my ($bot) = @_;

	pipe my $chat, my $mouth or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		close $mouth;
		$ENV{NODE_PATH} = '/usr/share/nodejs';
		open STDIN,  '<&', $chat;
		open STDOUT, '>>', "$bot->{path}.out";
		open STDERR, '>>', "$bot->{path}.err";
		exec 'setpriv', '--pdeathsig', 'KILL', @{ $bot->{runs} },
		    $bot->{path}, $server->url, $key, "$bot->{path}.kept"
		    or die "setpriv: $!\n";
	}
	close $chat;
	$mouth->autoflush;
	return @{$bot}{qw(pid mouth)} = ($pid, $mouth);
}

sub kill_bot {
	my ($bot) = @_;

	close $bot->{mouth};
	kill KILL => $bot->{pid};
	waitpid $bot->{pid}, 0;
	return;
}

sub says {
	my ($bot, $wanted, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok((wait_until { printed($bot) =~ $wanted } 30), $name)
	    || diag printed($bot), printed($bot, 'err');
}

sub kill_workers {
	$server->lose_worker($_) for $server->worker_pids;
	return;
}

sub restart {
	ok($server->stop, 'the server stops');
	$server->spawn;
	ok($server->wait_ready('readyz'), 'and is back');
	$admin->hang_up;
	return;
}

for (['js', 'node'], ['python', '/usr/bin/python3']) {
	my ($language, @runs) = @$_;

	subtest $language => sub {
		local $SIG{PIPE} = 'IGNORE';
		my $bot = { path => $server->dir . "/bot.$language",
			runs => \@runs };

		open my $file, '>:raw', $bot->{path} or die "$!\n";
		print $file $program{$language};
		close $file;
		bot($bot);
		ok((wait_until { -s "$bot->{path}.kept" } 30), 'it signed in');

		my $id = done('post', '/api/sessions')->{id};
		says($bot, qr/^lobby \d+ session\.started$/m, 'a beginning');
		my ($game) = grep { $_->{title} eq 'Quiplash 3' }
		    @{ done('get', '/api/games?enabled=true') };
		done('post', "/api/sessions/$id/games",
			{ game_id => $game->{id} });
		says($bot, qr/^session:$id 1 game\.added$/m, 'a game');
		my $up = $game->{upvotes};

		for my $round (1 .. 3) {
			my $who = "ann$round";

			print { $bot->{mouth} } "$who well, thisgame++\n",
			    "bob hello\n";
			kill_workers() if $round == 1;
			restart()      if $round == 2;
			says($bot, qr/^vote $who Quiplash 3$/m,
				"round $round: a vote is taken");
			says($bot, qr/^session:$id @{[$round + 1]} vote/m,
				'and comes back');
			is(done('get', "/api/games/$game->{id}")->{upvotes},
				$up + $round, 'it counts once');
		}
		kill_bot($bot);
		done('post', "/api/sessions/$id/events",
			{ type => 'custom.n', data => {} }) for 1 .. 3;
		done('post', "/api/sessions/$id/close");
		bot($bot);
		says($bot, qr/^session:$id 8 session\.ended$/m,
			'what was said while it was dead');
		is(join(' ', printed($bot) =~ /^session:$id (\d+) /mg),
			join(' ', 1 .. 8), 'each number once and in order');
		my $next = done('post', '/api/sessions')->{id};
		done('post', "/api/sessions/$next/close");
		says($bot, qr/^session:$next 1 session\.ended$/m, 'is heard');
		kill_bot($bot);
	};
}

done_testing;
