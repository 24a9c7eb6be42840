#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Two clients as they were written for the server of before, the bot of a chat
# and the page of a vote, several of each, on two hosts with two workers each:
# an evening from one host is the same evening on the other, also when workers
# are killed.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Db;
use T::OwnRedis;
use T::Run;
use T::Server;
use T::Wait;

my $key   = 'the key of before';
my $db    = T::Db->new;
my $redis = T::OwnRedis->start(password => 'secret');
my @hosts = map { T::Server->start(workers => 2, admin_key => $key,
	database_url => $db->url, redis_url => $redis->url,
	redis_prefix => $redis->prefix, wait => 'readyz') } 1, 2;
my @admins = map { T::Client->new($_) } @hosts;
my %runs = (
	'relay_bot.py' => ['/usr/bin/python3'],
	'vote_app.js'  => ['node'],
);

ok((wait_until { $admins[0]->post('/api/auth/login', { key => $key })
	->{status} == 200 } 20), 'the admin may sign in');

sub client {
	my ($program, $host, $name) = @_;
	my $path = $hosts[0]->dir . "/$name";
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		$ENV{NODE_PATH} = '/usr/share/nodejs';
		open STDOUT, '>', "$path.out" or die "$path.out: $!\n";
		open STDERR, '>', "$path.err" or die "$path.err: $!\n";
		exec 'setpriv', '--pdeathsig', 'KILL', @{ $runs{$program} },
		    T::Run::source() . "/t/lib/clients/$program", $host->url,
		    $key, $name or die "setpriv: $!\n";
	}
	return { pid => $pid, name => $name, path => $path, host => $host };
}

sub printed {
	my ($client, $which) = @_;

	open my $file, '<', "$client->{path}." . ($which // 'out')
	    or return '';
	local $/;
	return scalar(<$file>) // '';
}

# Every one of them says so, so many times.
sub all_say {
	my ($name, $pattern, $count, @clients) = @_;
	my $says = sub { return scalar(() = printed($_[0]) =~ /$pattern/mg) };

	wait_until { !grep { $says->($_) < $count } @clients } 30;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $client (@clients) {
		is($says->($client), $count, "$client->{name}: $name")
		    or diag printed($client), printed($client, 'err');
	}
	return;
}

sub done {
	my ($who, @what) = @_;
	my $answer = $admins[$who]->post(@what);

	cmp_ok($answer->{status}, '<', 300, $what[0])
	    or diag $answer->{body};
	return $answer->{json};
}

my @bots = map { client('relay_bot.py', $hosts[$_ % 2], "bot$_") } 1 .. 4;
my @apps = map { client('vote_app.js', $hosts[$_ % 2], "app$_") } 1, 2;

all_say('nothing goes on', qr/^nothing .*No active session$/m, 1, @bots,
	@apps);

my $id = done(0, '/api/sessions', { notes => 'Friday' })->{id};
all_say('the beginning', qr/^started $id Friday$/m, 1, @bots);
all_say('follows', qr/^subscribed Subscribed to session $id$/m, 1, @bots,
	@apps);
all_say('has a sign of life', qr/^pong$/m, 1, @bots);

my @games = grep { $_->{title} eq 'Quiplash 3' }
    @{ $admins[1]->get('/api/games?enabled=true')->{json} };
done(1, "/api/sessions/$id/games", { game_id => $games[0]{id},
	room_code => 'LSBN' });
all_say('the game, from the other host', qr/^added Quiplash 3 LSBN$/m, 1,
	@bots);
all_say('votes', qr/^voted Quiplash 3$/m, 1, @bots);
all_say('not twice in a second', qr/^not voted 409 Duplicate vote/m, 1,
	@bots);
all_say('hears each vote', qr/^heard bot\d up \d$/m, 4, @bots);
is(join(' ', printed($_) =~ /^heard bot\d up (\d)$/mg), '1 2 3 4',
	"$_->{name}: in the order of the totals") for @bots;
all_say('knows the tally', qr/^tally Quiplash 3 [1-4] [1-4]$/m, 1, @bots);
is($admins[0]->get("/api/games/$games[0]{id}")->{json}{upvotes}, 4,
	'each vote counts once');

done(0, "/api/sessions/$id/voting/start");
all_say('the poll', qr/^poll $id true$/m, 1, @apps);
all_say('sees what there is', qr/^games [1-9]\d* 1$/m, 1, @apps);
all_say('the leader', qr/^leading .+ 3$/m, 2, @apps);
done(1, "/api/sessions/$id/voting/end");
all_say('the winner', qr/^winner .+ 3$/m, 1, @bots, @apps);

for my $host (@hosts) {
	$host->lose_worker($_) for $host->worker_pids;
}
$_->hang_up for @admins;
T::Client::wait_for_workers($_) for @hosts;
# Behind the last time that it was away, each follows again.
ok((wait_until {
	!grep { printed($_) !~ /^away$(?!.*^away$).*^subscribed/ms }
	    @bots, @apps
} 30), 'all come back, as they ever did')
    or diag map { printed($_), printed($_, 'err') } @bots, @apps;
done(0, "/api/sessions/$id/close");
all_say('the end', qr/^ended $id 0 1$/m, 1, @bots);
unlike(printed($_), qr/^wrong/m, "$_->{name}: stumbled over nothing")
    for @bots;

kill TERM => map { $_->{pid} } @bots, @apps;
waitpid $_->{pid}, 0 for @bots, @apps;
done_testing;
