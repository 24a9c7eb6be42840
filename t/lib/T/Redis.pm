# SPDX-License-Identifier: MIT
package T::Redis;

# The run's Redis under a prefix of its own.
#
#	my $redis = T::Redis->new;
#	T::Server->start(set => { redis_url => $redis->url,
#	    redis_prefix => $redis->prefix });
#	is($redis->call('GET', $redis->prefix . ':key'), 'value');

use strict;
use warnings;
use IO::Socket::UNIX;
use T::Run;

my $made = 0;

sub new {
	my ($class) = @_;

	return bless { prefix => "t$$-" . ++$made }, $class;
}

sub prefix { return $_[0]{prefix} }
sub path   { return T::Run::sockets() . '/redis' }
sub url    { return 'unix://' . $_[0]->path }

sub call {
	my ($self, @words) = @_;
	my $bytes = '*' . @words . "\r\n";

	$self->{socket} //= IO::Socket::UNIX->new(Peer => $self->path)
	    // die "Redis: $!\n";
	$bytes .= '$' . length($_) . "\r\n$_\r\n" for @words;
	print { $self->{socket} } $bytes;
	$self->{socket}->flush;
	return $self->read_answer;
}

sub read_answer {
	my ($self) = @_;
	my $line = readline $self->{socket};

	$line =~ s/\r\n\z//;
	my ($kind, $rest) = $line =~ /^(.)(.*)/;
	die "Redis refused: $rest\n" if $kind eq '-';
	return $rest                 if $kind eq '+' || $kind eq ':';
	return undef                 if $rest < 0;
	return [map { $self->read_answer } 1 .. $rest] if $kind eq '*';
	read $self->{socket}, my $value, $rest + 2;
	return substr $value, 0, $rest;
}

1;
