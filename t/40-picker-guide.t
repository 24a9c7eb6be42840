#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# docs/game-night.md, typed by the letter: a whole evening by curl, from picks
# to the file that is kept. What its commands print is what stands
# below them. … stands for anything.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Guide;
use T::Server;
use T::Wait;

my $key    = 'the key of the guide';
my $server = T::Server->start(workers => 2, admin_key => $key);

# Who is configured may sign in as soon as the server has taken him over.
ok((wait_until {
	$server->mojo->ua->post($server->url('/api/auth/login'),
		json => { key => $key })->res->code == 200 } 20),
	'its admin may sign in');
T::Guide::follow('docs/game-night.md', $server, URL => $server->url,
	KEY => $key);
done_testing;
