#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What is made from the tables is fresh, well formed, and true.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use File::Copy     qw(copy);
use File::Path     qw(make_path);
use File::Temp     ();
use Test::More;
use T::Command;
use T::Run;
use T::Table;

my $source = T::Run::source();
my $maker  = "$source/docs/make-reference";
my @made   = qw(conf/partyline.conf docs/partyline.8 docs/partyline.conf.5);

push @made, map { "docs/reference/$_.md" }
    qw(closes commands counters errors events faults messages operations
    options);
push @made, map { "docs/reference/$_.json" } qw(asyncapi openapi);

# The maker's exit code and all that it says.
sub make {
	my (@words) = @_;

	open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $^X, $maker,
	    @words or die "sh: $!\n";
	local $/;
	my $text = <$out> // '';
	close $out;
	return ($? >> 8, $text);
}

subtest 'everything is fresh' => sub {
	my ($exit, $text) = make('--check', T::Run::program(), $source);

	is($exit, 0, 'nothing is stale') or diag($text);
};

subtest 'the check finds what is stale, and writes nothing' => sub {
	my $folder = File::Temp->newdir;

	for my $path (@made) {
		make_path("$folder/" . dirname($path));
		copy("$source/$path", "$folder/$path") or die "$path: $!\n";
	}
	open my $file, '>>', "$folder/docs/reference/errors.md"
	    or die "errors.md: $!\n";
	print $file "more\n";
	close $file;
	unlink "$folder/docs/partyline.8";

	my ($exit, $text) = make('--check', T::Run::program(), "$folder");
	is($exit, 1, 'it fails');
	is($text, join('', map { "stale: $_ (make -C build docs)\n" }
		qw(docs/partyline.8 docs/reference/errors.md)),
		'and names the files');
	ok(!-e "$folder/docs/partyline.8", 'but does not mend them');

	($exit, $text) = make(T::Run::program(), "$folder");
	is($exit, 0, 'asked to, it does');
	is_deeply([make('--check', T::Run::program(), "$folder")], [0, ''],
		'and then all is fresh');
};

subtest 'the man pages are clean' => sub {
	for my $path (grep { /\.\d$/ } @made) {
		open my $out, '-|', 'sh', '-c',
		    'LC_ALL=C groff -ww -man -Tascii -z "$1" 2>&1', 'sh',
		    "$source/$path" or die "sh: $!\n";
		local $/;
		is(<$out> // '', '', "$path: no warning");
		ok(close $out, "$path: formatted");
	}
};

subtest 'every row is where a reader looks for it' => sub {
	my ($sample, $page_8, $page_5) =
	    map { T::Command::slurp("$source/$_") } @made[0 .. 2];

	for my $option (T::Table->names('options')) {
		like($sample, qr/^#\Q$option\E = /m, "sample: $option");
		like($page_5, qr/^\.BR "\Q$option\E"/m, "man page: $option");
	}
	like($page_8, qr/^\.SS \Q$_\E$/m, "man page: $_")
	    for T::Table->names('commands');
};

subtest 'the sample is a configuration, and the default one' => sub {
	my $sample = T::Command::slurp("$source/conf/partyline.conf");
	my $folder = File::Temp->newdir;
	my $path   = "$folder/partyline.conf";

	is(partyline('config', 'diff', '-c', "$source/conf/partyline.conf")
		->{out}, '', 'as it stands it changes nothing');
	$sample =~ s/^#(?=\w+ = )//mg;
	open my $file, '>', $path or die "$path: $!\n";
	print $file $sample;
	close $file;
	my $all = partyline('config', 'print', '-c', $path);
	is($all->{err}, '', 'with every option it is read');
	is($all->{out}, partyline('config', 'print')->{out},
		'and says the defaults');
};

done_testing;
