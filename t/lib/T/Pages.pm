# SPDX-License-Identifier: MIT
package T::Pages;

# A web server that has one page, so that a browser has pages of an origin
# that is not the server's; or that is, as it is behind a proxy: all else is
# handed on to the server, byte by byte.
#
#	my $pages = T::Pages->start($html, '127.128.0.1');
#	my $front = T::Pages->start($html, '127.129.0.1', $server->address);
#	$pages->origin;		http://127.128.0.1:40001
#	$pages->url;		where the page is
#
# Holds always: it is gone before the test is; where nobody told it to, a
# pipe of the test's does.

use strict;
use warnings;
use IO::Select;
use IO::Socket::IP;
use POSIX ();

sub start {
	my ($class, $html, $host, $server) = @_;
	my $socket = IO::Socket::IP->new(LocalHost => $host, Listen => 64)
	    // die "$host: $!\n";

	pipe my $alive, my $held or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	if ($pid == 0) {
		close $held;
		my $self = bless { html => $html, server => $server,
			select => IO::Select->new($socket, $alive),
			other => {} }, $class;

		$self->serve($socket, $alive);
		POSIX::_exit(0);
	}
	return bless { pid => $pid, owner => $$, held => $held,
		origin => "http://$host:" . $socket->sockport }, $class;
}

sub origin { return $_[0]{origin} }
sub url    { return "$_[0]{origin}/page" }

# To everybody, until the other end of the pipe is closed.
sub serve {
	my ($self, $socket, $alive) = @_;

	local $SIG{PIPE} = 'IGNORE';
	for (;;) {
		for my $ready ($self->{select}->can_read) {
			return if $ready == $alive;
			if ($ready == $socket) {
				my $client = $socket->accept // next;

				$self->{select}->add($client);
			} elsif ($self->{select}->exists($ready)) {
				$self->take($ready);
			}
		}
	}
}

# What one said, to whom it is for; the first to say nothing more ends both.
sub take {
	my ($self, $from) = @_;
	my $got = sysread $from, my $bytes, 65536;

	if (!$got) {
		$self->leave($from);
	} elsif ($self->{other}{$from}) {
		my $to = $self->{other}{$from};

		$to->print($bytes) && $to->flush or $self->leave($from);
	} elsif ($bytes =~ m{\AGET /page } || !defined $self->{server}) {
		answer($from, $bytes =~ m{\AGET /page }
			? ('200 OK', $self->{html}) : ('404 Not Found', ''));
		$self->leave($from);
	} else {
		my $to = IO::Socket::IP->new(PeerAddr => $self->{server})
		    // return $self->leave($from);

		@{ $self->{other} }{ $from, $to } = ($to, $from);
		$self->{select}->add($to);
		$to->print($bytes) && $to->flush or $self->leave($from);
	}
	return;
}

sub leave {
	my ($self, $socket) = @_;

	for my $one (grep { defined } $socket,
		delete $self->{other}{$socket}) {
		delete $self->{other}{$one};
		$self->{select}->remove($one);
		close $one;
	}
	return;
}

sub answer {
	my ($client, $status, $body) = @_;

	print $client "HTTP/1.1 $status\r\nConnection: close\r\n",
	    "Content-Type: text/html; charset=utf-8\r\n",
	    'Content-Length: ', length $body, "\r\n\r\n", $body;
	return;
}

sub DESTROY {
	my ($self) = @_;

	return if ($self->{owner} // 0) != $$;
	local ($?, $!);
	kill TERM => $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

1;
