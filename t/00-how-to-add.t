#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The walk through docs/how-to-add.md, gone by the letter on a copy of the
# tree: each block is put where the words above it say, each command is run,
# and then the endpoint is there.

use strict;
use warnings;
use Cwd ();
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use File::Path     qw(make_path);
use File::Temp     ();
use JSON::PP       ();
use Test::More;
use T::Command;
use T::Run;
use T::Tree;

# Without dots in them, so that one is seen to lie in the other: then they do
# so in the copy, and what is named from one to the other stays right.
my $source = Cwd::realpath(T::Run::source());
my $build  = Cwd::realpath(T::Run::build());
my $copy   = File::Temp->newdir('partyline-a-XXXXXX', TMPDIR => 1);
my $tree   = "$copy/tree";
my $there  = "$tree/" . ($build =~ m{^\Q$source\E/(.+)} ? $1 : 'build-check');

sub shell {
	my ($folder, $command) = @_;

	open my $out, '-|', 'sh', '-c', "cd '$folder' && exec 2>&1 && $command"
	    or die "sh: $!\n";
	local $/;
	my $said = <$out> // '';
	close $out;
	return ($? == 0, $said);
}

sub runs {
	my ($folder, $command) = @_;
	my ($is_good, $said) = shell($folder, $command);

	ok($is_good, $command) or diag($said);
	return $said;
}

sub write_file {
	my ($path, $text) = @_;

	open my $file, '>:raw', $path or die "$path: $!\n";
	print $file $text;
	close $file or die "$path: $!\n";
	return;
}

# The sources and what is built of them, with their times, so that only what
# is changed is built again. Folders that are named in full are named anew.
sub copy_all {
	my @made = grep { -e "$source/$_" } qw(configure aclocal.m4 Makefile.in
	    config.h.in build-aux);
	my @built = grep { -e "$build/$_" } qw(Makefile config.h config.status
	    stamp-h1 libpartyline.a partyline src);

	make_path($tree, $there);
	write_file("$copy/list", join "\n", T::Tree::files(qr//), @made, '');
	runs($source,
		"xargs -d '\\n' cp -a --parents -t '$tree' <'$copy/list'");
	runs($build, "cp -a -t '$there' @built");
	runs($copy, "chmod -R u+w '$tree'");
	my @named = split /\n/, (shell($there,
		"grep -rlIF -e '$source' -e '$build' ."))[1];
	for my $path (@named) {
		my ($was, $text) = ((stat "$there/$path")[9],
			T::Command::slurp("$there/$path"));

		$text =~ s{\Q$build\E(?![\w-])}{$there}g;
		$text =~ s{\Q$source\E(?![\w-])}{$tree}g;
		write_file("$there/$path", $text);
		utime $was, $was, "$there/$path";
	}
	return;
}

# The walk as steps: [what to do, file, text to find, block].
sub steps {
	my ($walk) = T::Tree::text('docs/how-to-add.md') =~
	    /^## Example: an endpoint\n(.*?)^## /ms;
	my ($place, $block, @steps);

	for my $line (split /\n/, $walk) {
		if (defined $block && $line eq '```') {
			push @steps, [@$place, $block];
			undef $_ for $place, $block;
		} elsif (defined $block) {
			$block .= "$line\n";
		} elsif ($line =~ /^In `(.+)`, (before) `(.+)`:$/) {
			$place = [$2, $1, $3];
		} elsif ($line =~ /^At the end of `(.+)`:$/) {
			$place = ['append', $1, undef];
		} elsif ($line =~ /^A new file `(.+)`:$/) {
			$place = ['new', $1, undef];
		} elsif ($line =~ /^```(\w+)$/) {
			$place //= $1 eq 'sh' ? ['run', 'the commands', undef]
			    : ['nothing', "a block of $1", undef];
			$block = '';
		}
	}
	return @steps;
}

sub take_step {
	my ($what, $path, $mark, $block) = @_;
	my $text = T::Command::slurp("$tree/$path");

	if ($what eq 'new') {
		ok(!-e "$tree/$path", "$path is new");
		write_file("$tree/$path", $block);
	} elsif ($what eq 'append') {
		isnt($text, '', "$path is there");
		write_file("$tree/$path", $text . $block);
	} elsif ($what eq 'before') {
		my @found = $text =~ /^[^\n]*\Q$mark\E/mg;

		is(scalar @found, 1, "$path: one line has $mark");
		$text =~ s/^(?=[^\n]*\Q$mark\E)/$block/m;
		write_file("$tree/$path", $text);
	} elsif ($what eq 'run') {
		for my $command (split /\n/, $block) {
			runs($tree, $command =~ s{\bbuild-check\b}{$there}gr);
		}
	} else {
		fail("the guide says where $path goes");
	}
	return;
}

subtest 'a copy of the tree' => \&copy_all;

# From here on nothing of this run reaches that one.
my $run = delete $ENV{T_RUN};
{
	local @ENV{qw(T_SOURCE T_BUILD MAKEFLAGS)} = ($tree, $there, '-j2');

	delete local @ENV{qw(T_WHOLE MAKELEVEL MFLAGS MAKEOVERRIDES)};
	my @steps = steps();
	cmp_ok(scalar @steps, '>', 6, 'the guide has steps');
	subtest "$_->[0] $_->[1]" => sub { take_step(@{ $_[0] }) }, $_
	    for @steps;

	my $said = runs($tree, "'$there/partyline' -x openapi");
	my $row = JSON::PP->new->decode($said)
	    ->{paths}{'/api/sessions/{id}/note'}{post};
	is($row->{operationId}, 'session_note', 'the endpoint is in OpenAPI');
	like(T::Command::slurp("$tree/docs/reference/operations.md"),
		qr/session_note/, 'and in the reference');
}
$ENV{T_RUN} = $run if defined $run;

done_testing;
