# SPDX-License-Identifier: MIT
package T::TlsDoor;

# TLS before a service that speaks in clear (t/lib/tls-door), with one of the
# certificates of a T::Receiver.
#
#	my $door = T::TlsDoor->open($receiver, 'good', $ecast->address);
#	$door->address;				localhost:PORT
#
# good is by $receiver->ca, for localhost; stranger, other-name and expired
# are what T::Receiver says.

use strict;
use warnings;
use IPC::Open2;
use T::Run;

sub open {
	my ($class, $receiver, $name, $address) = @_;
	my $self = bless { owner => $$ }, $class;
	my $port;

	$self->{pid} = open2($self->{from}, $self->{to},
		T::Run::source() . '/t/lib/tls-door',
		"$receiver->{dir}/$name.pem", "$receiver->{dir}/key",
		split /:/, $address);
	$port = readline $self->{from} // die "the door does not open\n";
	chomp($self->{port} = $port);
	return $self;
}

sub address { return "localhost:$_[0]{port}" }

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$;
	local ($?, $!);
	close $self->{to};
	waitpid $self->{pid}, 0;
	return;
}

1;
