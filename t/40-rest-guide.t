#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# docs/rest.md and docs/catalog.md, typed by the letter.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Guide;
use T::Server;
use T::Wait;

my $key = 'the key of the guide';

for my $guide (qw(docs/rest.md docs/catalog.md)) {
	my $server = T::Server->start(workers => 2, admin_key => $key);

	# Who is configured may sign in as soon as the server has taken him
	# over.
	ok((wait_until {
		$server->mojo->ua->post($server->url('/api/auth/login'),
			json => { key => $key })->res->code == 200 } 20),
		'its admin may sign in');
	subtest $guide => sub {
		T::Guide::follow($guide, $server, URL => $server->url,
			KEY => $key);
	};
}

done_testing;
