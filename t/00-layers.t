#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Who may include whom: calls go down, and each foreign library has owners.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Tree;

my %rank = (
	tbl  => 0, base => 1, plat => 2, store => 3, core => 4,
	jobs => 5, transport => 5, app => 6, role => 7,
);

# A folder, or a file without its ending.
my %owners = (
	'h2o'      => [qw(plat/loop plat/sock plat/listen plat/tls transport/)],
	'openssl'  => [qw(plat/tls plat/digest core/key jobs/)],
	'zlib.h'   => ['plat/deflate'],
	'libpq-fe.h' => ['store/'],
	'hiredis'  => ['plat/redis'],
	'json-c'   => ['core/'],
	'jwt.h'    => ['core/token'],
	'curl'     => ['jobs/'],
	'sqlite3.h' => ['store/sqlite_file'],
	'systemd'  => ['role/notify'],
	'uthash.h' => [''],
	'utlist.h' => [''],
);

# The C library's and the kernel's own.
my $system = qr{^(?:
	arpa|asm|linux|netinet|sys)/ | ^(?:ctype|dirent|dlfcn|endian|errno
	|fcntl|fnmatch|getopt|glob|grp|inttypes|libgen|limits|math|netdb|poll
	|pthread|pwd|sched|search|setjmp|signal|spawn|stdarg|stdatomic|stdbool
	|stddef|stdint|stdio|stdlib|string|strings|sysexits|syslog|termios
	|threads|time|unistd)\.h$}x;

my (@upward, @foreign, @unknown, @path);

for my $path (T::Tree::files(qr{^src/.*\.[ch]$})) {
	my ($folder) = $path =~ m{^src/(\w+)/};
	my $text = T::Tree::text($path);

	if (!defined $rank{$folder}) {
		push @unknown, "$path: no layer is called $folder";
		next;
	}
	while ($text =~ /^#\s*include\s+"([^"]+)"/mg) {
		my $included = $1;
		my ($other) = $included =~ m{^(\w+)/};

		next if $included eq 'config.h';
		if (!defined $other
		    || !-e T::Run::source() . "/src/$included") {
			push @path, "$path: \"$included\" is no path below src";
		} elsif ($other ne 'tbl' && $other ne $folder
		    && $rank{$other} >= $rank{$folder}) {
			push @upward, "$path: $included is not below $folder";
		}
	}
	while ($text =~ /^#\s*include\s+<([^>]+)>/mg) {
		my $included = $1;
		my ($library) = grep {
			$included =~ m{^\Q$_\E(?:$|[/.])}
		} keys %owners;

		if (!defined $library) {
			push @foreign, "$path: <$included> belongs to nobody"
			    if $included !~ $system;
			next;
		}
		push @foreign, "$path: <$included> belongs to "
		    . join ', ', @{ $owners{$library} }
		    if !grep { $path =~ m{^src/\Q$_\E} } @{ $owners{$library} };
	}
}
found_none('every folder of src is a layer',              @unknown);
found_none('includes are paths below src',                @path);
found_none('no file includes from its own height or above', @upward);
found_none('foreign headers stay with their owners',      @foreign);

found_none('only role/main.c has a main', map {
	T::Tree::matches($_, T::Tree::code($_), qr/\bmain\s*\(/)
} grep { $_ ne 'src/role/main.c' } T::Tree::files(qr{^src/.*\.c$}));

found_none('every file of src is in src/files.mk or src/local.mk', grep {
	my $path = $_;
	!grep { T::Tree::text($_) =~ /(?:^|\s)\Q$path\E(?:\s|$)/ }
	    qw(src/files.mk src/local.mk)
} T::Tree::files(qr{^src/.*\.[ch]$}));

done_testing;
