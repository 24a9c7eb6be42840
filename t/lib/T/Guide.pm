# SPDX-License-Identifier: MIT
package T::Guide;

# A guide of docs/, typed by the letter in one shell, as somebody types it:
# what its commands print is what stands below them. … stands for anything.
#
#	T::Guide::follow('docs/rest.md', $server, URL => $server->url);
#
# Each block of `sh` with the block behind it is a test: `json` is compared
# as values, one after the other, `text` as it stands, but for the case of
# letters. A block that prints nothing goes with the next. In JSON a member
# that is called … stands for those that are left out.

use strict;
use warnings;
use JSON::PP   ();
use Test::More ();
use T::Tree;

my $json = JSON::PP->new->utf8->allow_nonref;
my $dots = "\x{2026}";

# [commands, language, what they print]
sub blocks {
	my ($path) = @_;
	my $text = T::Tree::text($path);
	my @blocks;

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
	return @blocks;
}

sub printed {
	my ($script, $path, %environment) = @_;

	local @ENV{ keys %environment } = values %environment;
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

	if (ref $wanted eq 'HASH') {
		my %is = ref $is eq 'HASH' ? %$is : ();
		my %filled = exists $wanted->{$dots} ? %is : ();

		$filled{$_} = filled($wanted->{$_}, $is{$_})
		    for grep { $_ ne $dots } keys %$wanted;
		return \%filled;
	}
	return [map { filled($wanted->[$_], ref $is eq 'ARRAY' ? $is->[$_]
		: undef) } 0 .. $#$wanted] if ref $wanted eq 'ARRAY';
	return defined $wanted && $wanted eq $dots && defined $is ? $is
	    : $wanted;
}

sub follow {
	my ($path, $server, %environment) = @_;
	my @blocks  = blocks($path);
	my @printed = printed(join("echo '=== end'\n", map { $_->[0] }
		@blocks), $server->dir . '/guide.sh', %environment);

	Test::More::cmp_ok(scalar @blocks, '>', 5, "$path has commands");
	for my $n (0 .. $#blocks) {
		my ($commands, $language, $wanted) = @{ $blocks[$n] };
		my $said = $printed[$n] // '';
		my ($name) = $commands =~ /([^\n]*)\n\z/;

		if ($language eq 'json') {
			my $is = eval { values_of($said) } // $said;

			Test::More::is_deeply($is,
				filled(values_of($wanted), $is), $name);
		} else {
			my $pattern = quotemeta($wanted)
			    =~ s/\\\xe2\\\x80\\\xa6/.+/gr;

			Test::More::like($said =~ tr/\r//dr,
				qr/\A$pattern\s*\z/i, $name);
		}
	}
	return;
}

1;
