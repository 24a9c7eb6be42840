# SPDX-License-Identifier: MIT
package T::Script;

# Tests in other languages, with clients that others wrote. They say TAP; a
# line that begins with the name of an act asks for it, with the words behind
# the name, and is answered "done".
#
#	my $client = T::Script::client();	# or this test is skipped
#	T::Script::node('threads.js', [$client, $server->url],
#		kill => sub { my ($pid) = @_; $server->lose_worker($pid) });
#	T::Script::run(['/usr/bin/python3', $file, $server->url]);
#
# The client is Socket.IO's official one: a folder whose node_modules have it,
# which `./bootstrap check` fills, or T_NODE names.

use strict;
use warnings;
use IPC::Open2 qw(open2);
use Test::More;
use T::Run;

my $seconds = 200 * ($ENV{T_SLOW} || 1);

sub client {
	my ($folder) = grep { defined && -d "$_/node_modules/socket.io-client" }
	    $ENV{T_NODE}, T::Run::build() . '/npm';

	plan skip_all => 'the official client is not there'
	    if !$folder || system('node --version >/dev/null 2>&1') != 0;
	return $folder;
}

sub node {
	my ($file, $arguments, %acts) = @_;

	run(['node', path($file), @{$arguments}], %acts);
	return;
}

sub path { return T::Run::source() . "/t/node/$_[0]" }

sub run {
	my ($command, %acts) = @_;
	my $pid = open2(my $said, my $told, 'timeout', $seconds, @{$command});

	while (my $line = <$said>) {
		chomp $line;
		my ($act, @words) = split ' ', $line;

		if ($line =~ /^(not )?ok \d+ - (.*)/) {
			ok(!$1, $2);
		} elsif (defined $act && $acts{$act}) {
			$acts{$act}->(@words);
			syswrite $told, "done\n";
		} elsif ($line !~ /^1\.\./) {
			diag $line;
		}
	}
	waitpid $pid, 0;
	is($?, 0, 'it came to its end');
	return;
}

1;
