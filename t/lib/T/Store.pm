# SPDX-License-Identifier: MIT
package T::Store;

# A process with a pool of src/store/db, driven by lines (t/drive/store.c).
#
#	my $store = T::Store->start($db->url, set => { db_depth => 1 },
#		statements => { add => 'SELECT thing_add($1)' });
#	$store->call(a => 'add', ['x'], kind => 'write', stream => 'lobby');
#	is_deeply([$store->answer('a')], ['rows', 1, '7']);
#	$store->end;
#
# Holds always:
#  1. An answer that comes twice, or to what was abandoned, fails the test.
#  2. The process ends by itself, with exit code 0 and no sanitizer's report.

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
	my ($class, $url, %options) = @_;
	my $dir  = File::Temp->newdir('partyline-d-XXXXXX', TMPDIR => 1);
	my %set  = (database_url => $url, %{ $options{set} // {} });
	my @words = (
		(map { ('--set',       "$_=$set{$_}") } sort keys %set),
		(map { ('--begin',     $_) } @{ $options{begin} // [] }),
		(map { ("--$_",        $options{$_}) }
			grep { defined $options{$_} }
			qw(identity expect fleet product)),
		pairs('role', $options{roles}),
		pairs('statement', $options{statements}),
		pairs('operation', $options{operations}),
	);

	T::Evidence::record(option => keys %set);
	pipe my $in,  my $to   or die "pipe: $!\n";
	pipe my $from, my $out or die "pipe: $!\n";
	my %env = T::Command::environment("$dir/sanitizer", $options{env});
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		open STDIN,  '<&', $in;
		open STDOUT, '>&', $out;
		open STDERR, '>',  "$dir/log";
		close $_ for $in, $to, $from, $out;
		T::Command::become(\%env, T::Run::build() . '/t/drive/store',
			@words);
	}
	close $in;
	close $out;
	$to->autoflush(1);
	return bless {
		pid  => $pid, owner => $$, dir => $dir, to => $to,
		from => $from, rest => '', answers => {}, states => [],
		gone => {},
	}, $class;
}

sub pairs {
	my ($flag, $pairs) = @_;

	return map { ("--$flag", "$_=$pairs->{$_}") }
	    sort keys %{ $pairs // {} };
}

sub say_line {
	my ($self, @words) = @_;

	local $SIG{PIPE} = 'IGNORE';
	print { $self->{to} } join("\t", map { $_ // '\N' } @words) . "\n";
	return;
}

sub call {
	my ($self, $id, $statement, $parameters, %how) = @_;

	$self->say_line($how{operation} ? 'op' : 'call', $id,
		$how{kind} // 'write', $how{stream} // '', $statement,
		$how{deadline} // 0, @{ $parameters // [] });
	return;
}

sub chain {
	my ($self, $id, $count, $statement, @parameters) = @_;

	$self->say_line('chain', $id, 'write', $count, $statement,
		@parameters);
	return;
}

sub abandon {
	my ($self, $id) = @_;

	$self->{gone}{$id} = 1;
	$self->say_line('abandon', $id);
	return;
}

sub arm {
	my ($self, $fault, $times) = @_;

	T::Evidence::record(fault => $fault);
	$self->say_line('arm', $fault, $times // 1);
	return;
}

# Takes in what the process said by now.
sub listen_to {
	my ($self) = @_;

	while (IO::Select->new($self->{from})->can_read(0)) {
		my $got = sysread $self->{from}, my $piece, 65536;

		last if !$got;
		$self->{rest} .= $piece;
		while ($self->{rest} =~ s/\A([^\n]*)\n//) {
			$self->take(split /\t/, $1, -1);
		}
	}
	return;
}

sub take {
	my ($self, $word, @words) = @_;

	if ($word eq 'state') {
		push @{ $self->{states} }, \@words;
	} elsif ($word eq 'counts') {
		$self->{counts} = { map { split /=/ } @words };
	} elsif ($word eq 'ended') {
		$self->{has_ended} = 1;
	} elsif ($word eq 'answer') {
		my $id = shift @words;

		Test::More::fail("one answer to $id: @words")
		    if $self->{answers}{$id} || $self->{gone}{$id};
		$self->{answers}{$id} = \@words;
	}
	return;
}

# The answer's words, or none after the deadline.
sub answer {
	my ($self, $id, $seconds) = @_;

	wait_until { $self->listen_to; $self->{answers}{$id} }
	    $seconds // 15;
	return @{ $self->{answers}{$id} // ['no answer'] };
}

sub is_answered {
	my ($self, $id) = @_;

	$self->listen_to;
	return defined $self->{answers}{$id};
}

# The word of the last state, once it is the wanted one.
sub reaches {
	my ($self, $state, $seconds) = @_;

	return wait_until {
		$self->listen_to;
		@{ $self->{states} } && $self->{states}[-1][0] eq $state;
	} $seconds // 15;
}

sub states { my ($self) = @_; $self->listen_to; return @{ $self->{states} } }
sub log_text { return T::Command::slurp("$_[0]{dir}/log") }

sub counts {
	my ($self) = @_;

	delete $self->{counts};
	$self->say_line('counts');
	wait_until { $self->listen_to; $self->{counts} } 15;
	my $counts = $self->{counts} // {};

	T::Evidence::record(counter => grep { $counts->{$_} } keys %$counts);
	return $counts;
}

sub count { return $_[0]->counts->{ $_[1] } }

sub end {
	my ($self) = @_;
	my $pid = delete $self->{pid} // return;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$self->say_line('quit');
	wait_until { $self->listen_to; $self->{has_ended} } 15;
	kill KILL => $pid if !$self->{has_ended};
	local $?;
	waitpid $pid, 0;
	my $reports = T::Command::reports("$self->{dir}/sanitizer");
	Test::More::ok($? == 0 && $reports eq '', 'the process ended well')
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
