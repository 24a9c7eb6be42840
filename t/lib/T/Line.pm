# SPDX-License-Identifier: MIT
package T::Line;

# A line to the run's PostgreSQL that can be broken: a process that listens
# on a Unix socket and carries bytes both ways.
#
#	my $line = T::Line->new($db);
#	T::Store->start($line->url, ...);
#	$line->will('cut');	the next sync behind rows is kept back, and
#				the line is cut; then it carries again
#	$line->will('stall');	nothing is carried any more
#	$line->will('carry');
#	$line->down;  $line->up;

use strict;
use warnings;
use File::Temp ();
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use T::Db;
use T::Run;
use T::Wait;

sub new {
	my ($class, $db) = @_;
	my $self = bless {
		name  => $db->name,
		owner => $$,
		dir   => File::Temp->newdir('partyline-y-XXXXXX',
			DIR => '/tmp'),
	}, $class;

	# Servers give up their rights.
	chmod 0711, $self->{dir};
	$self->will('carry');
	$self->up;
	return $self;
}

sub url {
	my ($self, $role) = @_;

	return T::Run::url($self->{name}, $role // $T::Db::login, $self->{dir});
}

sub will {
	my ($self, $what) = @_;

	open my $file, '>', "$self->{dir}/next" or die "next: $!\n";
	print $file $what;
	close $file;
	rename "$self->{dir}/next", "$self->{dir}/will"
	    or die "will: $!\n";
	return;
}

sub wish {
	my ($self) = @_;

	open my $file, '<', "$self->{dir}/will" or return 'carry';
	return <$file> // 'carry';
}

sub up {
	my ($self) = @_;
	my $path = "$self->{dir}/.s.PGSQL.5432";

	unlink $path;
	my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 100)
	    or die "$path: $!\n";
	chmod 0777, $path;
	$self->{pid} = fork // die "fork: $!\n";
	if ($self->{pid} == 0) {
		$SIG{PIPE} = 'IGNORE';
		$self->carry($socket);
		POSIX::_exit(0);
	}
	return;
}

# Ends every connection, and nobody listens any more.
sub down {
	my ($self) = @_;
	my $pid = delete $self->{pid} // return;

	kill KILL => $pid;
	local $?;
	waitpid $pid, 0;
	return;
}

sub carry {
	my ($self, $socket) = @_;
	my $select = IO::Select->new($socket);
	my %ends;

	while (1) {
		for my $ready ($select->can_read(1)) {
			if ($ready == $socket) {
				my $client = $socket->accept or next;
				my $server = IO::Socket::UNIX->new(
					T::Run::sockets() . '/.s.PGSQL.5432')
				    or next;
				my %pair = (client => $client,
					server => $server, back => '');

				$ends{$_} = \%pair for $client, $server;
				$select->add($client, $server);
			} elsif (my $pair = $ends{$ready}) {
				next if $self->carry_piece($pair, $ready);
				delete @ends{ @$pair{qw(client server)} };
				$select->remove(@$pair{qw(client server)});
				close $_ for @$pair{qw(client server)};
			}
		}
		return if getppid() != $self->{owner};
	}
	return;
}

# False: the line is at its end.
sub carry_piece {
	my ($self, $pair, $from) = @_;

	sysread $from, my $piece, 65536 or return 0;
	my $wish = $self->wish;

	return 1 if $wish eq 'stall';
	return put($pair->{server}, $piece) if $from == $pair->{client};
	$pair->{back} .= $piece;
	# Whole messages: a letter, a length that counts itself, the rest.
	while ($pair->{back} =~ /\A(.)(....)/s) {
		my ($kind, $length) = ($1, unpack 'N', $2);

		last if length $pair->{back} < 1 + $length;
		my $message = substr $pair->{back}, 0, 1 + $length, '';
		if ($wish eq 'cut' && $kind eq 'Z' && $pair->{has_rows}) {
			$self->will('carry');
			return 0;
		}
		$pair->{has_rows} = $kind eq 'D'
		    || ($kind ne 'Z' && $pair->{has_rows});
		put($pair->{client}, $message) or return 0;
	}
	return 1;
}

sub put {
	my ($to, $bytes) = @_;

	while (length $bytes) {
		my $put = syswrite $to, $bytes;

		return 0 if !$put;
		substr $bytes, 0, $put, '';
	}
	return 1;
}

sub DESTROY {
	my ($self) = @_;

	$self->down if $self->{owner} == $$;
	return;
}

1;
