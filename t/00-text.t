#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# How the files read: width, blanks, sizes, comments that promise, tests that
# sleep or look away.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode ();
use Test::More;
use T::Run;
use T::Tree;

my @files = grep { T::Tree::is_text($_) }
    T::Tree::files(qr{^(?!t/fuzz/corpus/)});
my @code = grep {
	m{\.(?:[ch]|pm|t|mk|ac|am|sh)$ | ^(?:bootstrap|\.ci/run|t/run
	|packaging/psql|t/bench/\w+)$}x
} @files;
my (@wide, @blank, @long, @unlicensed, @intent);

# Tabs reach to the next multiple of eight.
sub width {
	my ($line) = @_;

	1 while $line =~ s/^([^\t]*)\t/$1 . ' ' x (8 - length($1) % 8)/e;
	return length $line;
}

for my $path (@files) {
	my $text = T::Tree::text($path);

	push @blank, T::Tree::matches($path, $text, qr/[ \t]+$/m);
	push @blank, T::Tree::matches($path, $text, qr/\r/);
	push @blank, "$path: no newline at its end" if $text !~ /(?:\A|\n)\z/;
	push @blank, "$path: empty lines at its end" if $text =~ /\n\n\z/;
}
for my $path (@code) {
	my $text  = Encode::decode('UTF-8', T::Tree::text($path));
	my @lines = split /\n/, $text;

	for my $at (0 .. $#lines) {
		push @wide, "$path:" . ($at + 1)
		    if width($lines[$at]) > 80
		    && $path !~ m{^src/tbl/|^configure\.ac$};
	}
	push @long, "$path: " . @lines . ' lines' if @lines > 600;
	push @unlicensed, $path
	    if $text !~ m{\A(?:\#!.*\n)?(?:/\*|\#)
	    \ SPDX-License-Identifier:\ MIT}x;
	next if $path eq 't/00-text.t';
	for my $comment (T::Tree::comments($path)) {
		push @intent, "$path:$comment->[0]: $&"
		    if $comment->[1] =~
		    /\b(?:TODO|FIXME|XXX|HACK)\b|\b(?i:for\snow|not\syet\s
		    (?:done|implemented|supported|used))\b/x;
	}
}
found_none('no blanks at the end of lines or files', @blank);
found_none('no line is wider than 80',               @wide);
found_none('no file is longer than 600 lines',       @long);
found_none('every file says its licence',            @unlicensed);
found_none('no comment states an intention',         @intent);

# Where a test may: it kills at random moments, or sleep is whom it kills.
my %pauses = map { $_ => 1 }
    qw(t/unit/addresses.c t/unit/proc.c t/unit/ring_storm.c);
my @tests  = T::Tree::files(qr{^t/.*\.(?:t|pm|c|h)$});
found_none('tests wait for conditions, not for a time', map {
	T::Tree::matches($_, T::Tree::text($_) =~ s/^\s*#.*$//mgr,
		qr/(?<![\w\$%@>'"-])(?:u?sleep|nanosleep)\s*[\(\d]/)
} grep { $_ ne 't/00-text.t' && !m{^t/bench/} && !$pauses{$_} } @tests);

# Each skip is a line of t/allowed-skips: file, then the words it gives.
my %allowed = map { chomp; /^#|^$/ ? () : ($_ => 1) }
    split /^/, T::Tree::text('t/allowed-skips');
my (%skips, @unlisted);
for my $path (grep { /\.(?:t|c|pm)$/ } @tests) {
	my $text = T::Tree::text($path);

	next if $path eq 't/00-text.t';
	while ($text =~ /skip(?:_all\s*=>|\s*\(|\s+)\s*(['"])(.*?)\1/g) {
		$skips{"$path $2"} = 1;
		push @unlisted, "$path: $2" if !$allowed{"$path $2"};
	}
}
found_none('every skip is listed in t/allowed-skips', @unlisted);
found_none('no listed skip is left over',
	grep { !$skips{$_} } sort keys %allowed);

done_testing;
