#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# A storm (T::Storm): workers, relays, Redis, PostgreSQL and whole hosts are
# killed, paused and reloaded while clients listen and writers write; in the
# end each client has got the log, no more and no less.
#
#	T_SEED=7 T_SECONDS=60 t/run t/55-storm.t
#	./bootstrap bench storm 100

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Storm;
use T::Storm::Record;

# A storm without servers, whose log is 1 to 5, and one who was at 2 and asked
# to go on from there.
sub calm {
	my ($hears) = @_;
	my $storm  = T::Storm->new(seed => 1, begun => 0);
	my $record = T::Storm::Record->new($storm, 'Ann');

	$record->told('s', 'e', 2);
	$record->asks('s', { epoch => 'e', seq => 2 });
	$hears->($storm, $record);
	return $storm;
}

sub finds {
	my ($wanted, $hears) = @_;
	my @wrongs = calm($hears)->wrongs;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(@wrongs . " $wrongs[0]" =~ s/ +\d+\.\d+ / /r, "1 $wanted",
		$wanted);
}

sub heard {
	my ($record, @numbers) = @_;

	$record->told('s', 'e', 5, recovered => 1);
	$record->heard('s', $_, "event $_") for @numbers;
	return;
}

# What compare finds where these lines are the log.
sub compared {
	my ($log, @done) = @_;

	return sub {
		my ($storm, $record) = @_;
		no warnings 'redefine';
		local *T::Storm::logged = sub { return @$log };

		heard($record, 3 .. 5);
		$storm->{writers} = [bless \@done, 'Done'];
		$storm->compare;
	};
}

sub Done::done { return @{ $_[0] } }

my @log  = map { "s|$_|event $_" } 1 .. 5;
my @good = (@log, 's|6|{"mark":"w1-n1"}');
my %ack  = (stream => 's', seq => 6, mark => 'w1-n1');

subtest 'what is wrong is seen' => sub {
	is_deeply([calm(compared(\@good, { %ack }))->wrongs], [], 'nothing');
	finds('Ann, s: 5 after 3', sub { heard($_[1], 3, 5) });
	finds('Ann, s: 4 after 4', sub { heard($_[1], 3, 4, 4, 5) });
	is(scalar(calm(sub { heard($_[1], 3, 5, 4) })->wrongs), 2,
		'another order');
	finds('Ann, s: 3 before the answer',
		sub { $_[1]->heard('s', 3, 'event 3') });
	finds('Ann, s: neither recovered nor resync',
		sub { $_[1]->told('s', 'e', 5) });
	finds('Ann, s: a resync to e:5 without need at e:2', sub {
		$_[1]->told('s', 'e', 5, resync => { from => 1 }) });
	finds('Ann, s: the head 1 is below 2',
		sub { $_[1]->told('s', 'e', 1, recovered => 1) });
	finds('Ann, s: the epoch is f, not e',
		sub { $_[1]->told('s', 'f', 5, recovered => 1) });
	finds('Ann, s: 3 is another event than others heard', sub {
		$_[0]{events}{s}[3] = 'event X';
		heard($_[1], 3) });
	finds('s 5 was heard and is not in the log',
		compared([@log[0 .. 3]]));
	finds('s 5 was heard and is another one',
		compared([@log[0 .. 3], 's|5|event X']));
	finds('s has no 2', compared([@log[0, 2 .. 4]]));
	finds('s 4 is there twice', compared([@log, $log[3]]));
	finds('w1-n1 was acknowledged as s 6 and is not there',
		compared(\@log, { %ack }));
	finds('w1-n1 was written twice: s 6, s 7',
		compared([@good, 's|7|{"mark":"w1-n1"}'], { %ack }));
};

my $seed  = $ENV{T_SEED} // int rand 1e6;
my $storm = T::Storm->new(seed => $seed, seconds => $ENV{T_SECONDS} // 8);

note "seed $seed";
eval { $storm->run; 1 } or $storm->wrong("it could not go on: $@");
is(join("\n", $storm->wrongs), '', "everybody got all, seed $seed")
    or diag join "\n", 'what happened:', $storm->done;
note $_ for $storm->done, $storm->report;
done_testing;
