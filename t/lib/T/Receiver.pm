# SPDX-License-Identifier: MIT
package T::Receiver;

# Somebody to send to (t/lib/receiver), who behaves as the path says.
#
#	my $receiver = T::Receiver->start;
#	$receiver->url('/ok');			http://127.0.0.1:PORT/ok
#	$receiver->url('/ok', 'good');		https://localhost:PORT/ok
#	my @came = $receiver->requests(qr{^/ok});
#	$came[0]{headers}{'webhook-id'};	method path headers body at
#						door peer (its port)
#	$receiver->will(bot => '/status/500');	what /as/bot does from now on
#	$receiver->ca;				believe it: outgoing_ca
#
# Doors: plain; good; stranger (of a CA nobody knows), other-name, expired,
# all three over TLS; tls-silent and tls-cut, which never finish a handshake.
#
# Paths (/NAME/WORD...; what follows is free, so that paths can be told
# apart):
#	ok echo early once leave	status/N turns/N,N,...	later/S
#	retry/N/S retry-date/S skew	redirect/N redirect-away
#	close reset reset-head reset-body half-head half-body half-chunk
#	silent slow-head slow-body stall-body
#	endless-body endless-chunks endless-trailers endless-headers
#	endless-header huge-header huge-length large/BYTES bomb
#	flood hints continue switch surplus
#	garbage smtp bad-status bad-chunk bad-length	ws as/NAME
#
# Holds always:
#  1. What came is written down before it is answered; only whole requests
#     are, so not those to /early.

use strict;
use warnings;
use File::Temp ();
use IPC::Open2;
use JSON::PP ();
use T::Run;

sub start {
	my ($class) = @_;
	my $dir  = File::Temp->newdir('partyline-v-XXXXXX', TMPDIR => 1);
	my $self = bless { dir => $dir, owner => $$ }, $class;

	# The server under test may be another user.
	chmod 0755, $dir;
	$self->certify;
	$self->{pid} = open2($self->{from}, $self->{to},
		T::Run::source() . '/t/lib/receiver', "$dir");
	my $line = readline $self->{from}
	    // die "the receiver does not start\n";
	$self->{doors} = JSON::PP::decode_json($line);
	return $self;
}

sub openssl {
	my (@words) = @_;

	system("openssl @words >/dev/null 2>&1") == 0
	    or die "openssl $words[0] fails\n";
	return;
}

# A key for all; certificates by a CA of ours, and one by nobody's.
sub certify {
	my ($self) = @_;
	my $dir  = $self->{dir};
	my %made = (
		good         => [ 'localhost', 2 ],
		'other-name' => [ 'other.example', 2 ],
		expired      => [ 'localhost', -1 ],
	);

	openssl('ecparam -name prime256v1 -genkey -noout -out', "$dir/key");
	openssl("req -x509 -new -key $dir/key -days 2 -subj /CN=ours",
		"-addext basicConstraints=critical,CA:TRUE -out $dir/ca.pem");
	openssl("req -x509 -new -key $dir/key -days 2 -subj /CN=localhost",
		"-addext subjectAltName=DNS:localhost,IP:127.0.0.1",
		"-out $dir/stranger.pem");
	while (my ($name, $how) = each %made) {
		my ($host, $days) = @$how;
		my $names = "subjectAltName=DNS:$host";

		$names .= ',IP:127.0.0.1' if $host eq 'localhost';
		open my $file, '>', "$dir/names" or die "names: $!\n";
		print $file "$names\n";
		close $file;
		openssl("req -new -key $dir/key -subj /CN=$host -out $dir/csr");
		openssl("x509 -req -in $dir/csr -CA $dir/ca.pem",
			"-CAkey $dir/key -CAcreateserial -days $days",
			"-extfile $dir/names -out $dir/$name.pem");
	}
	return;
}

sub port { return $_[0]{doors}{ $_[1] // 'plain' } }
sub ca   { return "$_[0]{dir}/ca.pem" }

sub url {
	my ($self, $path, $door) = @_;
	my $port = $self->port($door);

	return "http://127.0.0.1:$port$path" if ($door // 'plain') eq 'plain';
	return "https://localhost:$port$path";
}

sub will {
	my ($self, $name, $path) = @_;

	open my $file, '>', "$self->{dir}/next" or die "next: $!\n";
	print $file $path;
	close $file;
	rename "$self->{dir}/next", "$self->{dir}/will.$name"
	    or die "will: $!\n";
	return;
}

sub requests {
	my ($self, $path) = @_;

	open my $file, '<', "$self->{dir}/requests" or return;
	my @lines = grep { /\n\z/ } readline $file;
	my @came = map { JSON::PP::decode_json($_) } @lines;

	return @came if !defined $path;
	return grep { ref $path ? $_->{path} =~ $path
		: $_->{path} eq $path } @came;
}

sub stop {
	my ($self) = @_;

	return if !$self->{pid};
	close $self->{to};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

sub DESTROY {
	my ($self) = @_;

	local ($?, $!, $@);
	$self->stop if $self->{owner} == $$;
	return;
}

1;
