#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The official library for receivers, `standardwebhooks` of npm, takes what
# we sign, and only that. ./bootstrap check-npm installs it.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Open2 qw(open2);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use T::Client;
use T::Endpoint;
use T::Run;
use T::Server;
use T::Wait;

my $json     = JSON::PP->new->utf8->canonical;
my $endpoint = T::Endpoint->start;
my $server   = T::Server->start(workers => 1, wait => 'readyz',
	T::Endpoint::allow());
my $db     = $server->db;
my $former = 'whsec_' . encode_base64('of thirty-two bytes, not one more', '');
my @text   = ('x', "sm\x{f6}rg\x{e5}s \x{1f3b2} \"\\/", 'y' x 3000);
my @events   = (events => q('{custom.dice}'));

$endpoint->hook($db, 1, 'one', @events);
$endpoint->hook($db, 2, 'two', @events, former_secret => "'$former'",
	former_until => q(now() + interval '1 h'));
my $client  = T::Client->new($server);
my $session = $client->post('/api/sessions', {})->{json}{id};
$client->post("/api/sessions/$session/events",
	{ type => 'custom.dice', data => { text => $_ } }) for @text;
wait_until { $endpoint->came >= 2 * @text };
my @came = $endpoint->came;
is(scalar @came, 2 * @text, 'they came');

$ENV{NODE_PATH} = T::Run::build() . '/npm/node_modules';
my $pid = open2(my $out, my $in, 'node',
	"$FindBin::Bin/standardwebhooks.js");
$in->autoflush;

# What the library says.
sub verdict {
	my ($came, %but) = @_;
	my $body    = $but{body} // $came->{body};
	my %headers = map { $_ => $came->{headers}{$_} }
	    qw(webhook-id webhook-timestamp webhook-signature);

	%headers = (%headers, %{ $but{headers} // {} });
	utf8::decode($body);
	print $in $json->encode({ secret => $but{secret}
			// T::Endpoint::secret(), headers => \%headers,
		body => $body }), "\n";
	chomp(my $said = <$out> // 'nothing');
	return $said;
}

is(verdict($_), 'taken', "taken: $_->{path}") for @came;
for my $came (grep { $_->{path} eq 'two' } @came) {
	is(verdict($came, secret => $former), 'taken',
		'by the former secret as well');
}
my $one = $came[0];
isnt(verdict($one, body => "$one->{body} "), 'taken', 'another body');
isnt(verdict($one, headers => { 'webhook-id' => 'msg_1' }), 'taken',
	'another id');
isnt(verdict($one, headers => { 'webhook-timestamp' => time - 3600 }),
	'taken', 'another time');
isnt(verdict($one, secret => 'whsec_' . encode_base64('another', '')),
	'taken', 'another secret');
close $in;
waitpid $pid, 0;
is($?, 0, 'it ends');

done_testing;
