# SPDX-License-Identifier: MIT
package T::Storm::Writer;

# A process that writes until it is told to stop: events into the sessions,
# or sessions that begin and end, each with a key of its own, again and again
# until the answer is certain. What was acknowledged goes into a file.
#
#	my $writer = T::Storm::Writer->start(name => 'w1', file => $path,
#	    addresses => [...], token => $token, sessions => [1, 2],
#	    kind => 'events');
#	$writer->stop;			the last one is certain
#	for my $done ($writer->done) { $done->{stream}, {seq}, {mark} }
#
# mark stands in what was written: "mark":"w1-17" in an event's data, the
# same in a session's notes.

use strict;
use warnings;
use JSON::PP ();
use POSIX    ();
use T::Http;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;

sub start {
	my ($class, %options) = @_;
	my $self = bless { owner => $$, %options }, $class;

	$self->{pid} = fork // die "fork: $!\n";
	if ($self->{pid} == 0) {
		eval { $self->work; 1 } or warn "$self->{name}: $@";
		POSIX::_exit(0);
	}
	return $self;
}

# Asks until there is an answer that says what became of it.
sub ask {
	my ($self, $path, $body) = @_;
	my $key = "$self->{name}-" . ++$self->{asked};

	for (;;) {
		my $answer = eval { $self->try($path, $body, $key) };

		if ($answer && $answer->{status} != 503
		    && $answer->{status} != 429 && $answer->{status} != 500
		    && !($answer->{status} == 409
			&& $answer->{body} =~ /in_progress/)) {
			$answer->{json} = eval {
				$json->decode($answer->{body}) } // {};
			return $answer;
		}
		# Elsewhere, perhaps.
		$self->{at}++ if !$answer;
		pause(0.03);
	}
}

sub try {
	my ($self, $path, $body, $key) = @_;
	my $addresses = $self->{addresses};
	my $http = $self->{http};

	if (!$http) {
		$self->{uses} = 20 + int rand 200;
		$http = $self->{http} = T::Http->connect($addresses->[
			($self->{at} // 0) % @$addresses]);
	}
	my $text = $json->encode($body);
	$http->send("POST $path HTTP/1.1\r\nHost: storm\r\n"
		. "Authorization: Bearer $self->{token}\r\n"
		. "Idempotency-Key: $key\r\nContent-Length: "
		. length($text) . "\r\n\r\n$text");
	my $answer = $http->answer(seconds => 4);
	if (!$answer || ($answer->{headers}{connection} // '') eq 'close'
	    || --$self->{uses} < 0) {
		$http->close;
		delete $self->{http};
		$self->{at}++;
	}
	return $answer;
}

sub note {
	my ($self, $stream, $seq, $mark) = @_;

	print { $self->{out} } "$stream $seq $mark\n";
	return;
}

sub work {
	my ($self) = @_;
	my ($is_over, $count) = ('', 0);

	srand $self->{seed};
	local $SIG{TERM} = sub { $is_over = 1 };
	open $self->{out}, '>', $self->{file} or die "$self->{file}: $!\n";
	while (!$is_over) {
		my $mark = "$self->{name}-n" . ++$count;

		if ($self->{kind} eq 'events') {
			$self->write_event($mark);
		} else {
			$self->begin_session($mark);
		}
		pause($self->{pause}) if $self->{pause};
	}
	close $self->{out};
	return;
}

sub write_event {
	my ($self, $mark) = @_;
	my $sessions = $self->{sessions};
	my $id = $sessions->[rand @$sessions];
	my $answer = $self->ask("/api/sessions/$id/events", {
		type => 'custom.storm', data => { mark => $mark,
		rand() < 0.02 ? (pad => 'x' x rand 4000) : () } });

	die "an event is answered $answer->{status} $answer->{body}\n"
	    if $answer->{status} != 201;
	$self->note(@{ $answer->{json} }{qw(stream seq)}, $mark);
	return;
}

sub begin_session {
	my ($self, $mark) = @_;
	my $made = $self->ask('/api/sessions', { notes => $mark });

	die "a session is answered $made->{status} $made->{body}\n"
	    if $made->{status} != 201;
	$self->note('lobby', 0, $mark);
	my $ended = $self->ask("/api/sessions/$made->{json}{id}/close", {});
	die "its end is answered $ended->{status} $ended->{body}\n"
	    if $ended->{status} != 200;
	return;
}

sub stop {
	my ($self, $seconds) = @_;
	my $pid = $self->{pid} // return 1;
	my $is_done;

	local $?;
	kill TERM => $pid;
	wait_until { $is_done = waitpid($pid, POSIX::WNOHANG()) != 0 }
	    $seconds // 20 or kill('KILL', $pid), waitpid($pid, 0);
	delete $self->{pid};
	return $is_done;
}

sub done {
	my ($self) = @_;
	my @done;

	open my $file, '<', $self->{file} or return;
	while (my $line = <$file>) {
		chomp $line;
		my ($stream, $seq, $mark) = split / /, $line;

		push @done, { stream => $stream, seq => $seq,
			mark => $mark };
	}
	return @done;
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$ || !$self->{pid};
	local $?;
	kill KILL => $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

1;
