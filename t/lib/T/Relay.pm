# SPDX-License-Identifier: MIT
package T::Relay;

# A host with nothing in it but a relay, driven by lines (t/drive/relay.c).
#
#	my $relay = T::Relay->start($redis);
#	$relay->put(2, 'event', 7, 'lobby', 1, '{}');
#	ok($other->hears('event', 7, 'lobby', 'e', 1, '{}'));
#	$relay->end;
#
# Holds always:
#  1. The process ends by itself, with exit code 0 and no sanitizer's report.

use strict;
use warnings;
use File::Temp ();
use IO::Select;
use Test::More ();
use T::Command;
use T::Evidence;
use T::Run;
use T::Wait;

sub start {
	my ($class, $redis, %set) = @_;
	my $dir = File::Temp->newdir('partyline-d-XXXXXX', TMPDIR => 1);

	%set = (redis_url => $redis->url, redis_prefix => $redis->prefix,
		%set);
	pipe my $in,   my $to  or die "pipe: $!\n";
	pipe my $from, my $out or die "pipe: $!\n";
	my %env = T::Command::environment("$dir/sanitizer");
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN,  '<&', $in;
		open STDOUT, '>&', $out;
		open STDERR, '>',  "$dir/log";
		close $_ for $in, $to, $from, $out;
		T::Command::become(\%env, T::Run::build() . '/t/drive/relay',
			map { ('--set', "$_=$set{$_}") } sort keys %set);
	}
	close $in;
	close $out;
	$to->autoflush(1);
	my $self = bless {
		pid  => $pid, owner => $$, dir => $dir, to => $to,
		from => $from, rest => '', heard => [],
	}, $class;
	wait_until { $self->listen_to; $self->{host} } 15
	    or die 'the relay does not start: ' . $self->log_text;
	return $self;
}

sub say_line {
	my ($self, @words) = @_;

	local $SIG{PIPE} = 'IGNORE';
	print { $self->{to} } join("\t", map { $_ // '\N' } @words) . "\n";
	return;
}

sub listen_to {
	my ($self) = @_;

	while (IO::Select->new($self->{from})->can_read(0)) {
		my $got = sysread $self->{from}, my $piece, 65536;

		last if !$got;
		$self->{rest} .= $piece;
		while ($self->{rest} =~ s/\A([^\n]*)\n//) {
			my ($word, @words) = split /\t/, $1, -1;

			push @{ $self->{heard} }, join ' ', @words
			    if $word eq 'heard';
			push @{ $self->{heard} }, 'lapped'
			    if $word eq 'lapped';
			$self->{$word} = [ 1, @words ] if $word ne 'heard';
		}
	}
	return;
}

# Says a line whose answer has the same name; its words.
sub ask {
	my ($self, $word, @words) = @_;

	delete $self->{$word};
	$self->say_line($word, @words);
	wait_until { $self->listen_to; $self->{$word} } 15;
	my (undef, @answer) = @{ $self->{$word} // [] };
	return @answer;
}

sub put     { my ($self, @words) = @_; $self->say_line('put',   @words) }
sub crowd   { my ($self, @words) = @_; $self->say_line('crowd', @words) }
sub want    { my ($self, @words) = @_; $self->say_line('want',  @words) }
sub dies    { my ($self, $slot)  = @_; $self->say_line('die',   $slot) }
sub cursors { my ($self, $slot)  = @_; return $self->ask('cursors', $slot) }
sub host    { return $_[0]{host}[1] }
sub log_text { return T::Command::slurp("$_[0]{dir}/log") }

sub is_good {
	my ($self) = @_;
	my ($part, $state, $owes) = $self->ask('state');

	return $state eq 'good' && $part eq 'ok';
}

sub becomes_good {
	my ($self, $seconds) = @_;

	return wait_until { $self->is_good } $seconds // 15;
}

sub counts {
	my ($self) = @_;
	my %counts = map { split /=/ } $self->ask('counts');

	T::Evidence::record(counter => grep { $counts{$_} } keys %counts);
	return \%counts;
}

sub count { return $_[0]->counts->{ $_[1] } }

# What it heard, the sweeps apart where they do not matter.
sub heard { my ($self) = @_; $self->listen_to; return @{ $self->{heard} } }

sub events {
	my ($self) = @_;

	return grep { !/^sweep/ } $self->heard;
}

sub forget { my ($self) = @_; $self->listen_to; $self->{heard} = []; return }

# Whether it hears that, once it did.
sub hears {
	my ($self, @words) = @_;
	my $wanted = join ' ', @words;

	return wait_until { grep { $_ eq $wanted } $self->heard } 15;
}

sub is_drained {
	my ($self, $seconds) = @_;

	delete $self->{idle};
	$self->say_line('drain');
	return wait_until { $self->listen_to; $self->{idle} } $seconds // 15;
}

sub end {
	my ($self) = @_;
	my $pid = delete $self->{pid} // return;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$self->counts;
	$self->say_line('quit');
	wait_until { $self->listen_to; $self->{ended} } 15;
	kill KILL => $pid if !$self->{ended};
	local $?;
	waitpid $pid, 0;
	my $reports = T::Command::reports("$self->{dir}/sanitizer");
	Test::More::ok($? == 0 && $reports eq '', 'the relay ended well')
	    or Test::More::diag("status $?\n", $self->log_text, $reports);
	return;
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$ || !$self->{pid};
	$self->end;
	return;
}

1;
