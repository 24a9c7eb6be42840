#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# log_legacy: the lines that operators knew before, to the letter.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Live;
use T::Server;
use T::Wait;

# How often the log has it.
sub logged {
	my ($server, $line) = @_;

	return scalar(() = $server->log_text =~ /"\Q$line\E"/g);
}

sub play {
	my ($server) = @_;
	my $admin = T::Client->new($server);
	my @live = map { T::Live->enter($server) } 1, 2;
	my $id = $admin->post('/api/sessions')->{json}{id};

	$live[0]->follow($id);
	$admin->post("/api/sessions/$id/close");
	ok($live[0]->hears('session.ended'), 'it is over');
	ok($live[1]->hears('session.started'), 'all heard of it');
	$_->leave for @live;
	return $id;
}

my $server = T::Server->start(wait => 'readyz', workers => 1,
	log_legacy => 'on');
my $id = play($server);

for my $line (
	"[Sessions] Broadcasted session.started event for",
	"[WebSocket] Broadcasted session.started to 2 client(s) for",
	"[Sessions] Broadcasted session.ended event for",
	"[WebSocket] Broadcasted session.ended to 1 client(s) for") {
	ok((wait_until { logged($server, "$line session $id") } 5), $line);
	is(logged($server, "$line session $id"), 1, 'once');
}

my $other = T::Server->start(wait => 'readyz', workers => 1);
play($other);
unlike($other->log_text, qr/Broadcasted/, 'nothing unless it is wished');

done_testing;
