#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# The front door, the packages, the service unit, the manual pages.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use T::Run;
use T::Tree;

my $source = T::Run::source();

for my $script (T::Tree::files(qr{^(?:bootstrap|\.ci/run|packaging/psql)$})) {
	ok(-x "$source/$script", "$script may be run");
	is(system('sh', '-n', "$source/$script"), 0, "$script is shell");
}
my $usage = qx{sh $source/bootstrap no-such-verb 2>&1 </dev/null};
is($? >> 8, 64, 'an unknown verb is a usage error');
my @verbs = T::Tree::text('bootstrap') =~ /^(?:([a-z-]+)\)|([a-z-]+)\) )/mg;
for my $verb (qw(build run check check-sanitize check-browser bench lint fuzz
	dist clean)) {
	like($usage, qr/^  \Q$verb\E\b/m, "usage has $verb");
}

found_none('packages: a group, then names', grep {
	!/^(?:\#.*|(?:build|run|check|lint|bench|fuzz|node|browser)\t
	[a-z0-9.+\ -]+)?$/x
} split /\n/, T::Tree::text('packaging/packages'));

my $unit = T::Tree::text('packaging/systemd/partyline.service');
for my $line ('Type=notify', 'NotifyAccess=main',
	'ExecReload=/bin/kill -HUP $MAINPID', 'NoNewPrivileges=yes',
	'ProtectSystem=strict', 'PrivateTmp=yes', 'User=partyline') {
	like($unit, qr/^\Q$line\E$/m, "the unit says $line");
}
like(T::Tree::text('packaging/systemd/partyline.socket'),
	qr/^ListenStream=127\.0\.0\.1:5000$/m, 'the socket is the default one');

my $folder = File::Temp->newdir;
for my $name (qw(service socket)) {
	my $text = T::Tree::text("packaging/systemd/partyline.$name");
	my $program = T::Run::program();

	$text =~ s{^ExecStart=\S+}{ExecStart=$program}m;
	$text =~ s{^Documentation=.*\n}{}m;
	open my $file, '>', "$folder/partyline.$name" or die;
	print $file $text;
	close $file;
}
my $said = -x '/usr/bin/systemd-analyze'
    ? qx{systemd-analyze verify --man=no $folder/partyline.socket \\
	$folder/partyline.service 2>&1}
    : '';
is(join('', grep { /partyline\.(?:service|socket)/ } split /^/, $said), '',
	'systemd has nothing to say against the unit');

for my $page (T::Tree::files(qr{^docs/.*\.[1-8]$})) {
	is(qx{groff -man -Tutf8 -ww -z $source/$page 2>&1}, '',
		"$page is a manual page without warnings");
	like(T::Tree::text($page), qr/^\.SH "?NAME/m, "$page has a name");
}

done_testing;
