# SPDX-License-Identifier: MIT
package T::Tree;

# The source tree as its own tests look at it.
#
#	for my $path (T::Tree::files(qr{^src/.*\.[ch]$})) {
#		my $code = T::Tree::code($path);  # without comments, strings
#	}
#	found_none('no function is banned', @complaints);

use strict;
use warnings;
use Exporter 'import';
use File::Find ();
use Test::More ();
use T::Run;

our @EXPORT = qw(found_none);

my (@all, %text);

sub files {
	my ($pattern) = @_;

	@all = walk() if !@all;
	return grep { $_ =~ $pattern } @all;
}

# Everything that belongs to the project, by path below the source folder.
sub walk {
	my $source = T::Run::source();
	my @found;

	File::Find::find({
		no_chdir => 1,
		wanted   => sub {
			my $path = $File::Find::name =~ s{^\Q$source\E/?}{}r;

			return if $path eq '';
			if (-d) {
				$File::Find::prune = 1
				    if $path =~ m{^(?:\.git|build.*|var
					|autom4te\.cache|node_modules
					|_build|_inst|_dest)$}x;
				return;
			}
			push @found, $path
			    if -f && $path !~ m{^(?:configure|aclocal\.m4
				|Makefile\.in|config\.h\.in)~?$ | ~$}x;
		},
	}, $source);
	@found = sort @found;
	return @found;
}

sub text {
	my ($path) = @_;

	return $text{$path} //= do {
		my $whole = T::Run::source() . "/$path";

		open my $file, '<:raw', $whole or die "$whole: $!\n";
		local $/;
		<$file> // '';
	};
}

sub is_text { return text($_[0]) !~ /\0/ }

my $comment = qr{/\*.*?\*/}s;
my $string  = qr{"(?:[^"\\\n]|\\.)*"}s;
my $letter  = qr{'(?:[^'\\\n]|\\.)+'};

# C without its comments and the insides of its strings; lines stay lines.
sub code {
	my ($path) = @_;
	my $code = text($path);

	$code =~ s{($comment)|($string)|($letter)|(//[^\n]*)}{
		defined $1 ? "\n" x ($1 =~ tr/\n//)
		: defined $2 ? '""' . "\n" x ($2 =~ tr/\n//)
		: defined $3 ? "' '" : ''
	}ge;
	return $code;
}

# [line, text] of each comment of a file, by the language of its name.
sub comments {
	my ($path) = @_;
	my $all = text($path);
	my @found;

	if ($path =~ /\.[ch]$/) {
		while ($all =~ /($comment)|$string|$letter/g) {
			push @found, [line_at($all, $-[1]), $1] if defined $1;
		}
	} else {
		while ($all =~ /(?:^|\s)(#(?!!).*)$/mg) {
			push @found, [line_at($all, $-[1]), $1];
		}
	}
	return @found;
}

sub line_at {
	my ($all, $at) = @_;

	return 1 + (substr($all, 0, $at) =~ tr/\n//);
}

# "path:line: text" of each match in code.
sub matches {
	my ($path, $all, $pattern) = @_;
	my @found;

	while ($all =~ /$pattern/g) {
		push @found, "$path:" . line_at($all, $-[0]) . ": $&";
	}
	return @found;
}

# The rows of a table and its parts as they stand: [macro, name, place].
sub table_rows {
	my ($path) = @_;
	my @parts = text($path) =~ /^#include "(.+)"/mg;
	my $code = code($path);
	my @rows;

	while ($code =~ /^(?:([A-Z_]+)\((\w+)|\#include)/mg) {
		push @rows, defined $1
		    ? [$1, $2, "$path:" . line_at($code, $-[0])]
		    : table_rows('src/' . shift @parts);
	}
	return @rows;
}

sub found_none {
	my ($name, @complaints) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::ok(!@complaints, $name)
	    or Test::More::diag(join "\n", splice @complaints, 0, 40);
	return;
}

1;
