# SPDX-License-Identifier: MIT
package T::Token;

# Tokens signed in Perl, right ones and crafted ones.
#
#	my $token = T::Token::make($secret, name => 'Ann', role => 'bot');
#	for my $row (T::Token::crafted($secret, kid => 'conf')) {
#		my ($name, $token, $is_good, $says) = @$row;
#		...
#	}

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use JSON::PP ();
use MIME::Base64 ();
use T::Run;

my %hmac = (
	HS256 => \&hmac_sha256,
	HS384 => \&hmac_sha384,
	HS512 => \&hmac_sha512,
);
my %default = (
	says    => 'GOOD',
	here    => 'yes',
	sign    => 'HS256 one',
	shape   => '{h}.{p}.{s}',
	header  => '{"alg":"HS256","typ":"JWT","kid":"KID"}',
	payload => '{"role":"admin","name":"Ann","tenant":1,'
	    . '"timestamp":NOW000,"iat":NOW,"exp":NOW+3600,'
	    . '"jti":"crafted"}',
);

sub base64url {
	my ($bytes) = @_;

	return MIME::Base64::encode($bytes, '') =~ tr{+/=}{-_}dr;
}

# Header and claims of a token as they are written, believed or not.
sub decoded {
	my ($token) = @_;

	return map { MIME::Base64::decode_base64(tr{_-}{/+}r) }
	    (split /\./, $token)[0, 1];
}

# A token of any header and payload, as bytes.
sub signed {
	my ($secret, $header, $payload) = @_;
	my $text = base64url($header) . '.' . base64url($payload);

	return $text . '.' . base64url(hmac_sha256($text, $secret));
}

# A good token of an admin, unless the claims say otherwise; what is undef is
# left out. The claim kid goes into the header.
sub make {
	my ($secret, %claims) = @_;
	my $now  = time;
	my $json = JSON::PP->new->canonical->utf8;
	my %all  = (
		role      => 'admin',
		name      => 'Ann',
		tenant    => 1,
		timestamp => $now * 1000,
		iat       => $now,
		exp       => $now + 3600,
		%claims
	);
	my $kid    = delete $all{kid};
	my %header = (alg => 'HS256', typ => 'JWT',
		defined $kid ? (kid => $kid) : ());

	delete @all{ grep { !defined $all{$_} } keys %all };
	return signed($secret, $json->encode(\%header), $json->encode(\%all));
}

# The records of t/lib/crafted-tokens, which says what is in them.
sub records {
	my $path = T::Run::source() . '/t/lib/crafted-tokens';

	open my $file, '<:raw', $path or die "$path: $!\n";
	local $/ = '';
	my @records = map {
		my %said = map { /^(\w+): (.*)$/ ? ($1 => $2) : () }
		    split /\n/;
		+{ %default, %said };
	} <$file>;
	return grep { defined $_->{name} } @records;
}

sub filled {
	my ($text, %known) = @_;

	$text =~ s/<([^<>*]+)\*(\d+)>/$1 x $2/ge;
	$text =~ s/KID2/$known{kid2}/g;
	$text =~ s/KID/$known{kid}/g;
	$text =~ s/LATER/$known{now} + 600/ge;
	$text =~ s/NOW([+-]\d+)?/$known{now} + ($1 \/\/ 0)/ge;
	$text =~ s/\\x([0-9a-f]{2})/chr hex $1/ge;
	return $text;
}

sub signature {
	my ($how, $text, %known) = @_;

	if ($how =~ /^(HS\d+) (.*)$/) {
		my ($name, $key) = ($1, $2);
		my $secret = $key =~ /^=(.*)$/s ? filled($1, %known)
		    : $key eq 'one' ? $known{secret} : $known{secret2};

		return base64url($hmac{$name}->($text, $secret));
	}
	my $right = base64url(hmac_sha256($text, $known{secret}));

	return 'A' x length $right  if $how eq 'zeros';
	return substr $right, 0, -3 if $how eq 'cut';
	return $right =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/er
	    if $how eq 'bent';
	return $right =~ s/(.)$/chr(1 + ord $1)/er if $how eq 'bits';
	return unpack 'H*', hmac_sha256($text, $known{secret})
	    if $how eq 'hex';
	die "sign: $how: there is no such\n";
}

sub crafted_one {
	my ($record, %known) = @_;
	my %part = (
		h => base64url(filled($record->{header}, %known)),
		p => base64url(filled($record->{payload}, %known)),
	);
	my $shape = filled($record->{shape}, %known);
	my $fill  = sub {
		my ($text, %by) = @_;

		$text =~ s/\{(\w)\}/$by{$1}/g;
		return $text;
	};

	$part{P} = $part{p} =~ tr{_-}{/+}r;
	my $before = $shape =~ /^(.*?)\.?\{s\}/s ? $1 : '{h}.{p}';
	my %signed = %part;
	$signed{p} = base64url(filled($record->{signed}, %known))
	    if defined $record->{signed};
	$part{s} = signature($record->{sign}, $fill->($before, %signed),
		%known);
	return $fill->($shape, %part);
}

# [name, token, whether the default tenant takes it, the verdict]. Options:
# kid, the id of the key that secret is; secret2 and kid2, without which the
# tokens of the second key are left out; now.
sub crafted {
	my ($secret, %options) = @_;
	my %known = (
		kid     => 'one',
		kid2    => 'two',
		secret2 => 'nobody knows this second secret.',
		now     => time,
		%options,
		secret => $secret
	);

	return map {
		[$_->{name}, crafted_one($_, %known),
			$_->{says} eq 'GOOD' && $_->{here} eq 'yes',
			$_->{says}]
	} grep {
		$_->{sign} ne 'HS256 two' || defined $options{secret2}
		    || $_->{says} ne 'GOOD'
	} records();
}

1;
