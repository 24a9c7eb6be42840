#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# docs/rest.md, typed by the letter: what its commands print is what stands
# below them. … stands for anything.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Server;
use T::Tree;
use T::Wait;

my $key    = 'the key of the guide';
my $server = T::Server->start(workers => 2, admin_key => $key);
my $json   = JSON::PP->new->utf8->allow_nonref;
my $text   = T::Tree::text('docs/rest.md');
my @blocks;

# [commands, language, what they print]: a block that prints nothing goes
# with the next.
while ($text =~ /^```(\w+)\n(.*?)^```$/gms) {
	my ($language, $block) = ($1, $2);

	if ($language ne 'sh') {
		@{ $blocks[-1] }[1, 2] = ($language, $block);
	} elsif (@blocks && !defined $blocks[-1][1]) {
		$blocks[-1][0] .= $block;
	} else {
		push @blocks, [$block];
	}
}
cmp_ok(scalar @blocks, '>', 10, 'the guide has commands');

# Who is configured may sign in as soon as the server has taken him over.
ok((wait_until {
	$server->mojo->ua->post($server->url('/api/auth/login'),
		json => { key => $key })->res->code == 200 } 20),
	'its admin may sign in');

# All of them in one shell, as somebody types them.
sub printed {
	local @ENV{qw(URL KEY)} = ($server->url, $key);
	my $script = join "echo '=== end'\n", map { $_->[0] } @blocks;
	my $path = $server->dir . '/guide.sh';

	open my $file, '>:raw', $path or die "$path: $!\n";
	print $file $script;
	close $file;
	open my $out, '-|', 'timeout', 60, 'sh', $path or die "sh: $!\n";
	local $/;
	my $all = <$out>;
	close $out;
	return split /=== end\n/, $all;
}

# The values one after the other.
sub values_of {
	my ($said) = @_;
	my @values;

	while ($said =~ /\S/) {
		my ($value, $length) = $json->decode_prefix($said);

		push @values, $value;
		substr $said, 0, $length, '';
		$said =~ s/\A\s+//;
	}
	return \@values;
}

# In the place of what the guide leaves open, what there is.
sub filled {
	my ($wanted, $is) = @_;

	return { map { $_ => filled($wanted->{$_}, ref $is eq 'HASH'
		? $is->{$_} : undef) } keys %$wanted } if ref $wanted eq 'HASH';
	return [map { filled($wanted->[$_], ref $is eq 'ARRAY' ? $is->[$_]
		: undef) } 0 .. $#$wanted] if ref $wanted eq 'ARRAY';
	return defined $wanted && $wanted eq "\x{2026}" && defined $is ? $is
	    : $wanted;
}

my @printed = printed();
for my $n (0 .. $#blocks) {
	my ($commands, $language, $wanted) = @{ $blocks[$n] };
	my $said = $printed[$n] // '';
	my ($name) = $commands =~ /([^\n]*)\n\z/;

	if ($language eq 'json') {
		my $is = eval { values_of($said) } // $said;

		is_deeply($is, filled(values_of($wanted), $is), $name);
	} else {
		my $pattern = quotemeta($wanted) =~ s/\\\xe2\\\x80\\\xa6/.+/gr;

		like($said =~ tr/\r//dr, qr/\A$pattern\s*\z/i, $name);
	}
}

done_testing;
