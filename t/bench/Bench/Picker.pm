# SPDX-License-Identifier: MIT
#
# The servers of t/bench/picker: partyline, partyline without its read cache,
# and peers/picker.js. Each is given the same games and sessions through its
# own API and has to give them back before anything is measured. Beside what
# Bench::Live's clients want, a server has `name`, `short`, `game`, the one
# that is voted for, and `votes`, how many were answered.
#
#	my $picker = Bench::Picker->new(rest => $rest, sessions => 1000);
#	my @servers = map { $picker->$_ } qw(partyline express);
#	Bench::Picker::recount($_) for @servers;
package Bench::Picker;

use strict;
use warnings;

use Bench::Live;
use HTTP::Tiny;
use JSON::PP ();

my $json = JSON::PP->new->utf8->canonical;

sub new {
	my ($class, %place) = @_;
	return bless {%place}, $class;
}

# One worker, as Node has one; all sockets come from few addresses.
sub partyline {
	my ($self) = @_;
	my $server = $self->{rest}->partyline('partyline', 'picker', {},
		'connections_per_address = 20000',
		'connections_per_caller = 20000');
	$server->{short}        = 'partyline';
	$server->{has_database} = 1;
	return $self->prepare($server);
}

# Every read of it is a first one.
sub all_in {
	my ($self) = @_;
	my $server = $self->{rest}->partyline('partyline, first read',
		'picker_all_in', {}, 'read_cache = 0');
	$server->{short}        = 'all_in';
	$server->{has_database} = 1;
	return $self->prepare($server);
}

sub express {
	my ($self) = @_;
	my $server = $self->{rest}->node('Express 4 + better-sqlite3 + ws',
		'picker', "$self->{rest}{folder}/picker.db");
	$server->{short} = 'express';
	return $self->prepare($server);
}

sub get {
	my ($server, $path) = @_;
	my $answer = HTTP::Tiny->new->get("$server->{origin}$path");
	die "$server->{name}: GET $path: $answer->{status}\n"
	  if $answer->{status} != 200;
	return $json->decode($answer->{content});
}

# The catalog that partyline comes with is the others', too.
sub games {
	my ($self, $server) = @_;
	$self->{games} //= get($server, '/api/games');
	die "the catalog is partyline's: start it first\n"
	  if !@{ $self->{games} };
	return if $server->{has_database};
	for my $game (@{ $self->{games} }) {
		Bench::Live::post($server, '/api/games', 201, { map {
			$_ => $game->{$_} } qw(pack_name title min_players
			max_players length_minutes game_type) });
	}
	return;
}

# Its games; its sessions, all closed but the newest, which plays one game.
sub prepare {
	my ($self, $server) = @_;
	$server->{kind}  = 'vote';
	$server->{votes} = 0;
	Bench::Live::sign_in($server);
	$self->games($server);
	my @ids;
	for my $n (1 .. $self->{sessions}) {
		my $made = Bench::Live::post($server, '/api/sessions', 201,
			{ notes => sprintf 'Game night number %04d', $n });
		push @ids, $made->{id};
		Bench::Live::post($server,
			"/api/sessions/$made->{id}/close", 200, {})
		  if $n < $self->{sessions};
	}
	$server->{rooms} = [$ids[-1]];
	my ($game) = map { $_->{id} } @{ get($server, '/api/games') };
	$server->{game} = $game;
	Bench::Live::post($server, "/api/sessions/$ids[-1]/games", 201,
		{ game_id => $game });
	$self->look($server, @ids);
	return $server;
}

# Whether it has what it was given, and picks among as many as the others.
sub look {
	my ($self, $server, @ids) = @_;
	my $listed = join ' ', map { "$_->{id} $_->{is_active} $_->{notes}" }
	  @{ get($server, '/api/sessions') };
	my $wanted = join ' ', map {
		sprintf '%d %d Game night number %04d', $ids[$_],
		  $_ == $#ids, $_ + 1
	} reverse 0 .. $#ids;
	die "$server->{name}: other sessions\n" if $listed ne $wanted;
	my $picked = Bench::Live::post($server, '/api/pick', 200,
		{ playerCount => 6 });
	my $pool = grep { $_->{enabled} && $_->{min_players} <= 6
		  && $_->{max_players} >= 6 } @{ $self->{games} };
	die "$server->{name}: $picked->{poolSize} games instead of $pool\n"
	  if $picked->{poolSize} != $pool || !$picked->{game}{title};
	return;
}

# Whether its totals are what was answered, and its rows as many.
sub recount {
	my ($server) = @_;
	my $game = get($server, "/api/games/$server->{game}");
	my $sum  = $game->{upvotes} + $game->{downvotes};
	return if $sum == $server->{votes};
	return "$server->{name}: $sum votes counted, $server->{votes} given";
}

1;
