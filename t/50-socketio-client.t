#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official client, on two workers, so that its requests come to either.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Script;
use T::Server;

my $client = T::Script::client();

my $server = T::Server->start(wait => 'readyz',
	workers => $ENV{T_WORKERS} // 2,
	set => { socketio_conformance => 'on', engineio_close_wait => 200 });

T::Script::node('socketio.js', [$client, $server->url]);
done_testing;
