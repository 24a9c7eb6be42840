# SPDX-License-Identifier: MIT
package T::Frame;

# Frames of the WebSocket protocol as bytes, of a client and for one.
#
#	frame(0x81, '{"type":"ping"}')		masked, with the shortest length
#	frame(0x89, '', mask => undef)		what no client may send
#	frame(0xc1, deflated($text))		compressed
#	for my $frame (take_frames(\$got)) {	a server's, whole
#		$frame->{first}, $frame->{payload}
#	}
#	inflated($payload)			undef: it is not compressed
#	my ($code, $reason) = close_of($payload);

use strict;
use warnings;
use Compress::Raw::Zlib;
use Exporter 'import';

our @EXPORT = qw(frame take_frames deflated inflated close_of close_payload);

sub masked {
	my ($payload, $mask) = @_;

	return "$payload"
	    ^ substr $mask x (length($payload) / 4 + 1), 0, length $payload;
}

# length: how it is written: 7, 16 or 64 bits.
sub frame {
	my ($first, $payload, %how) = @_;
	my $mask = exists $how{mask} ? $how{mask} : pack 'N', rand 2**32;
	my $size = length $payload;
	my $bits = $how{length} // ($size < 126 ? 7 : $size < 65536 ? 16 : 64);
	my $flag = defined $mask ? 0x80 : 0;

	utf8::encode($payload) if utf8::is_utf8($payload);
	return pack('CC', $first, $flag | ($bits == 7 ? $size
		    : $bits == 16 ? 126 : 127))
	    . ($bits == 7 ? '' : pack $bits == 16 ? 'n' : 'Q>', $size)
	    . (defined $mask ? $mask . masked($payload, $mask) : $payload);
}

# The whole frames of what a server sent, cut off from it.
sub take_frames {
	my ($got) = @_;
	my $have = length $$got;
	my ($at, @frames) = (0);

	while ($have - $at >= 2) {
		my ($first, $size) = unpack "x${at}CC", $$got;
		my $head = $size == 126 ? 4 : $size == 127 ? 10 : 2;

		die "a server's frame is masked\n" if $size & 0x80;
		last if $have - $at < $head;
		$size = unpack 'x' . ($at + 2) . ($head == 4 ? 'n' : 'Q>'),
		    $$got if $head > 2;
		last if $have - $at < $head + $size;
		push @frames, { first => $first,
			payload => substr $$got, $at + $head, $size };
		$at += $head + $size;
	}
	substr $$got, 0, $at, '' if $at > 0;
	return @frames;
}

# Without context: each message by itself.
sub deflated {
	my ($text) = @_;
	my $z = Compress::Raw::Zlib::Deflate->new(-WindowBits => -15,
		-AppendOutput => 1);
	my $out = '';

	$z->deflate($text, $out);
	$z->flush($out, Z_SYNC_FLUSH);
	return substr $out, 0, -4;
}

sub inflated {
	my ($payload) = @_;
	my $z = Compress::Raw::Zlib::Inflate->new(-WindowBits => -15,
		-AppendOutput => 1, -ConsumeInput => 1);
	my $out = '';
	my $in  = "$payload\0\0\xff\xff";
	my $said = $z->inflate($in, $out);

	return $said == Z_OK || $said == Z_BUF_ERROR ? $out : undef;
}

# 1005: there is none.
sub close_of {
	my ($payload) = @_;

	return length $payload < 2 ? (1005, '') : unpack 'na*', $payload;
}

sub close_payload {
	my ($code, $reason) = @_;

	return pack 'na*', $code, $reason // '';
}

1;
