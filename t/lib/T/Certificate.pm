# SPDX-License-Identifier: MIT
package T::Certificate;

# A certificate that vouches for itself, with which a server under test speaks
# TLS on a port of the test's own address.
#
#	my $tls = T::Certificate->new;		# or new('game.example')
#	T::Server->start(set => { $tls->options });
#	$tls->address;				# HOST:PORT
#	$tls->{pem}, $tls->{key}		# paths

use strict;
use warnings;
use T::Run;
use T::Server;

my $made = 0;

sub new {
	my ($class, $name) = @_;
	my $path = T::Run::folder() . "/tls-$$-" . ++$made;
	my $self = bless { pem => "$path.pem", key => "$path.key",
		name => $name // 'test' }, $class;

	system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
		. " -nodes -days 2 -subj /CN=$self->{name} -keyout $path.key"
		. " -out $path.pem 2>$path.words") == 0
	    or die "no certificate can be made\n";
	chmod 0644, $self->{key};
	return $self;
}

sub address {
	my ($self) = @_;
	my $host = T::Server::own_host();

	return $self->{address} //= "$host:" . T::Server::free_port($host);
}

# What serves with it, also where another listens.
sub pair {
	my ($self) = @_;

	return (tls_certificate => $self->{pem}, tls_key => $self->{key});
}

sub options {
	my ($self) = @_;

	return (tls_listen => $self->address, $self->pair);
}

1;
