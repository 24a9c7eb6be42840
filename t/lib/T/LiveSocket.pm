# SPDX-License-Identifier: MIT
package T::LiveSocket;

# A client of namespace /live over T::SocketIo: it follows the lobby from the
# beginning, says what it is told to, and keeps all that it hears.
#
#	my $ann = T::LiveSocket->enter($server, worker => 2, by => 'polling');
#	T::LiveSocket->refused($server, token => 'x');	its 44/live, decoded
#	is($ann->follow(17, since => 41)->{recovered}, 1);
#	$ann->ask('unsubscribe', 17)->{success};	what the answer says
#	is($ann->hears('session.started')->{seq}, 42);
#	is_deeply([$ann->numbers('session:17')], [42 .. 50]);
#	are_same([$ann->events('session:17')], \@logged, 'all of it');
#	is($ann->why, 'revoked');	its `closing`, once it is out
#	ok($ann->come_back($two));	recovered: as the same, at any server
#	ok(!$ann->come_back($two, offset => undef, pid => 'x' x 20));
#
# With recovered => 1 it is one that can be: pid, and the last offset.
# enter takes what T::SocketIo->connect takes, and token (else one of an admin
# is made; undef: none), name, role and since, of the lobby.

use strict;
use warnings;
use JSON::PP ();
use T::Live;
use T::SocketIo;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub auth {
	my ($server, $options) = @_;
	my $has_token = exists $options->{token};
	my $token = delete $options->{token};
	my %of = map { $_ => delete $options->{$_} } grep {
		exists $options->{$_} } qw(name role claims);
	my $since = delete $options->{since};

	$token = T::Live::token_for($server, %of) if !$has_token;
	return { (defined $token ? (token => $token) : ()),
		(defined $since ? (since => $since) : ()) };
}

sub connect {
	my ($class, $server, %options) = @_;
	my $auth = auth($server, \%options);
	my $can_come_back = delete $options{recovered};
	my $self = bless { client => T::SocketIo->connect($server, %options),
		heard => [], next => 0, id => 0, auth => $auth,
		can_come_back => $can_come_back }, $class;

	return $self;
}

sub encoded { return $json->encode($_[0]) }

sub is_let_in {
	my ($self, $auth) = @_;
	my $client = $self->{client};

	if ($self->{can_come_back}) {
		@$self{qw(sid pid)} = $client->enter_kept('/live', $auth);
	} else {
		$self->{sid} = $client->enter('/live', $auth);
	}
	return;
}

sub enter {
	my ($class, @more) = @_;
	my $self = $class->connect(@more);

	$self->is_let_in($json->encode($self->{auth}));
	return $self;
}

# Once more, with what it has or what is given: whether it is the same.
sub come_back {
	my ($self, $server, %options) = @_;
	my @was  = @$self{qw(sid pid)};
	my %auth = (%{ $self->{auth} }, pid => $self->{pid},
		offset => $self->{offset});

	$auth{$_} = delete $options{$_}
	    for grep { exists $options{$_} } qw(pid offset token);
	delete $auth{$_} for grep { !defined $auth{$_} } keys %auth;
	$self->{client} = T::SocketIo->connect($server, %options);
	delete @$self{qw(is_out answers)};
	$self->is_let_in($json->encode(\%auth));
	die "half of it is the same: $self->{sid}, $self->{pid}\n"
	    if ($was[0] eq $self->{sid}) != ($was[1] eq $self->{pid});
	return $was[0] eq $self->{sid};
}

# Without a word, as where a network breaks.
sub vanish {
	my ($self) = @_;

	delete $self->{client};
	return;
}

sub refused {
	my ($class, @more) = @_;
	my $self = $class->connect(@more);

	$self->{client}->say('0/live,' . $json->encode($self->{auth}));
	my $said = $self->{client}->hears(qr/^[04]/) // '';

	$self->leave;
	return $said =~ /\A4\/live,(.*)\z/s ? $json->decode($1) : $said;
}

sub say {
	my ($self, @event) = @_;

	$self->{client}->say('2/live,' . $json->encode(\@event));
	return;
}

# What came for as long; false: nothing, or the end.
sub listen {
	my ($self, $seconds) = @_;
	my $message = $self->{client}->hear($seconds) // return '';

	if ($message =~ /\A2\/live,\["([^"]+)",(.*)\]\z/s) {
		my ($type, $data) = ($1, $2);

		$self->{offset} = $1 if $self->{can_come_back}
		    && $data =~ s/,"([0-9a-f]{8}(?: \d+:[\w-]+:\d+)*)"\z//;
		push @{ $self->{heard} }, [$type, $data];
	} elsif ($message =~ /\A3\/live,(\d+)(\[.*\])\z/s) {
		$self->{answers}{$1} = [$json->decode($2)->[0],
			scalar @{ $self->{heard} }];
	} elsif ($message eq '1/live,') {
		$self->{is_out} = 1;
	} else {
		die "told $message\n";
	}
	return 1;
}

sub wait_for {
	my ($self, $what, $seconds) = @_;
	my $deadline = deadline_in($seconds // 10);

	while (!$what->()) {
		my $left = $deadline - Time::HiRes::time();

		return '' if $left <= 0;
		$self->listen($left) or return scalar $what->();
	}
	return 1;
}

# The answer; answered_at: what was heard before it.
sub ask {
	my ($self, @event) = @_;
	my $id = ++$self->{id};

	$self->{client}->say("2/live,$id" . $json->encode(\@event));
	$self->wait_for(sub { $self->{answers}{$id} }) or return;
	$self->{answered_at} = $self->{answers}{$id}[1];
	return $self->{answers}{$id}[0];
}

sub follow {
	my ($self, $session, %options) = @_;

	return $self->ask('subscribe', $session,
		(%options ? \%options : ()));
}

# The next of that type, decoded.
sub hears {
	my ($self, $type, $seconds) = @_;
	my $found;

	$self->wait_for(sub {
		while ($self->{next} < @{ $self->{heard} }) {
			my $heard = $self->{heard}[ $self->{next}++ ];

			next if $heard->[0] ne $type;
			return $found = $json->decode($heard->[1]);
		}
		return '';
	}, $seconds);
	return $found;
}

sub types { return map { $_->[0] } @{ $_[0]{heard} } }

# Envelopes of a stream's numbered events, as they came; each has its name.
sub events {
	my ($self, $stream) = @_;

	return grep { /\A\{"type":"[^"]+","stream":"\Q$stream\E","seq":\d/ }
	    map {
		my ($type, $envelope) = @$_;

		$envelope =~ /\A\{"type":"\Q$type\E"/ ? $envelope
		    : "$type: $envelope";
	    } @{ $self->{heard} };
}

sub numbers {
	my ($self, $stream) = @_;

	return map { /"seq":(\d+)/ } $self->events($stream);
}

sub reaches {
	my ($self, $stream, $number, $seconds) = @_;

	return $self->wait_for(sub {
		my @numbers = $self->numbers($stream);

		@numbers && $numbers[-1] >= $number;
	}, $seconds // 20);
}

# Until it is out of the namespace, or of all: what it was told of that.
sub why {
	my ($self, $seconds) = @_;

	$self->wait_for(sub { $self->{is_out} || $self->{client}{ended} },
		$seconds // 15);
	my ($closing) = map { $json->decode($_->[1]) }
	    grep { $_->[0] eq 'closing' } @{ $self->{heard} };

	return 'nothing' if !$self->{is_out} && !$self->{client}{ended};
	return $closing ? "$closing->{code}, $closing->{again}" : 'the end';
}

sub is_in {
	my ($self) = @_;
	my $said = $self->ask('nothing');

	return $said && $said->{error} eq 'Unknown message type';
}

sub leave {
	my ($self) = @_;

	$self->{client}->post('1') if !$self->{client}{ended};
	$self->{client}->is_over;
	return;
}

1;
