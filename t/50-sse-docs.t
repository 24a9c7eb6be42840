#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The examples of docs/sse-and-polling.md, one after the other: each does what
# stands below it, numbers of epochs, moments and chance apart.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Run;
use T::Server;

my $server = T::Server->start(workers => 2);
my $admin  = T::Client->new($server);

$ENV{SERVER}  = $server->url;
$ENV{SESSION} = $admin->post('/api/sessions')->{json}{id};
$ENV{TOKEN}   = $admin->{token};

# What is another each time.
sub plain {
	my ($text) = @_;

	$text =~ s/\d{4}-\d\d-\d\dT[\d:.]{12}Z/TIME/g;
	$text =~ s/retry: 1\d{3}\b/retry: SOME/g;
	$text =~ s/"requestId":"\w+"/"requestId":"ID"/g;
	my ($epoch) = $text =~ /("epoch":"\w+"|\b[0-9a-f]{12}:\d)/;
	($epoch) = ($epoch // '') =~ /([0-9a-f]{12})/;
	$text =~ s/\b$epoch\b/EPOCH/g if defined $epoch;
	return $text =~ s/\s+\z//r;
}

open my $file, '<', T::Run::source() . '/docs/sse-and-polling.md'
    or die "the page: $!\n";
my $page = do { local $/; <$file> };
my $count = 0;

while ($page =~ /^```sh\n(.*?)^```\n```\w+\n(.*?)^```\n/msg) {
	my ($script, $wanted) = ($1, $2);
	open my $out, '-|', 'sh', '-euc', $script or die "sh: $!\n";
	my $got = do { local $/; <$out> } // '';

	close $out;
	is($? >> 8, 0, 'example ' . ++$count . ' works') or diag($script);
	is(plain($got), plain($wanted), 'and says what the page says');
}
is($count, () = $page =~ /^```sh$/mg, 'all examples were run');
cmp_ok($count, '>', 7, 'and there are some');

done_testing;
