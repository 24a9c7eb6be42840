# SPDX-License-Identifier: MIT
package T::Responder;

# Somebody who answers turns of threads, well or badly, as the path of the
# request says.
#
#	my $responder = T::Responder->start;
#	$responder->url('/events');
#	my @questions = $responder->questions;	# { path, head, body } so far
#	$responder->release('a');	# what /hold/a waits for
#
#	/events		an event stream: three analyses, two lines
#	/lines		the same as JSON lines
#	/json, /array	a message; a message and an analysis
#	/echo		a message that has the question
#	/lesson		what a lesson may have
#	/words/MS	an analysis for each word of the question, so far apart
#	/hold/NAME	a piece, then nothing until release(NAME), then the end
#	/wait/NAME	not even a head until then
#	/500 /redirect /html /broken /error /endless /cut /silent
#
# Holds always: it ends with the test that started it.

use strict;
use warnings;
use File::Temp ();
use IO::Socket::INET;
use JSON::PP    ();
use Time::HiRes qw(sleep);

my $json = JSON::PP->new->utf8->canonical;
my @analyses = map { { type => 'analysis', content => $_->[0],
		complete => $_->[1] } } ['It', JSON::PP::false],
    [' is', JSON::PP::false], ['It is', JSON::PP::true];

sub start {
	my ($class) = @_;
	my $folder = File::Temp->newdir('partyline-responder-XXXXXX',
		TMPDIR => 1);
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
		Listen => 128, ReuseAddr => 1) or die "listen: $!\n";
	my $self = bless { folder => $folder, port => $socket->sockport,
		parent => $$ }, $class;
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		eval { $self->serve($socket); 1 } or warn $@;
		POSIX::_exit(0);
	}
	$self->{pid} = $pid;
	return $self;
}

sub url { return "http://127.0.0.1:$_[0]{port}$_[1]" }

sub release {
	my ($self, $name) = @_;

	open my $file, '>', "$self->{folder}/$name" or die "$name: $!\n";
	close $file or die "$name: $!\n";
	return;
}

sub questions {
	my ($self) = @_;

	open my $file, '<', "$self->{folder}/questions" or return;
	return map { $json->decode($_) } <$file>;
}

sub DESTROY {
	my ($self) = @_;

	return if !$self->{pid} || $$ != $self->{parent};
	local $?;
	kill TERM => $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

# --- inside ---------------------------------------------------------------

# A process for each request; they end with their parent or their client.
sub serve {
	my ($self, $socket) = @_;

	require POSIX;
	$SIG{TERM} = sub { kill TERM => -$$; POSIX::_exit(0) };
	setpgrp;
	$SIG{CHLD} = 'IGNORE';
	$socket->timeout(1);
	while (getppid == $self->{parent}) {
		my $client = $socket->accept or next;
		my $pid = fork // next;

		if (!$pid) {
			$SIG{TERM} = 'DEFAULT';
			eval { $self->answer($client); 1 } or warn $@;
			POSIX::_exit(0);
		}
		close $client;
	}
	return;
}

sub read_request {
	my ($self, $client) = @_;
	my $head = '';

	while ($head !~ /\r\n\r\n/) {
		sysread $client, $head, 65536, length $head or return;
	}
	my ($length) = $head =~ /^Content-Length: (\d+)/im;
	my $body = $head =~ s/\r\n\r\n(.*)\z//s ? $1 : '';
	while (length $body < ($length // 0)) {
		sysread $client, $body, 65536, length $body or return;
	}
	my ($path) = $head =~ /^POST (\S+)/;
	my $question = { path => $path, head => $head,
		body => $json->decode($body) };
	open my $file, '>>', "$self->{folder}/questions" or die "$!\n";
	syswrite $file, $json->encode($question) . "\n";
	close $file;
	return $question;
}

# Until released, or until the client has gone.
sub wait_for {
	my ($self, $client, $name) = @_;

	while (!-e "$self->{folder}/$name") {
		my $read = '';

		vec($read, fileno $client, 1) = 1;
		POSIX::_exit(0) if select($read, undef, undef, 0.02)
		    && !sysread $client, my $bytes, 100;
	}
	return;
}

sub whole {
	my ($client, $type, $body, $status) = @_;

	syswrite $client, 'HTTP/1.1 ' . ($status // '200 OK')
	    . "\r\nContent-Type: $type\r\nContent-Length: " . length($body)
	    . "\r\n\r\n$body";
	return;
}

sub open_stream {
	my ($client, $type) = @_;

	syswrite $client, "HTTP/1.1 200 OK\r\nContent-Type: $type\r\n"
	    . "Connection: close\r\n\r\n";
	return;
}

sub block { return 'data: ' . $json->encode($_[0]) . "\n\n" }

sub answer {
	my ($self, $client) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my $question = $self->read_request($client) // return;
	my ($what, $name) = $question->{path} =~ m{^/(\w+)(?:/(\w+))?};
	my $events = 'text/event-stream';

	if ($what eq 'events') {
		open_stream($client, $events);
		syswrite $client, block($_) for @analyses;
		syswrite $client, block({ message => "One\n\nTwo" });
	} elsif ($what eq 'lines') {
		open_stream($client, 'application/x-ndjson');
		syswrite $client, $json->encode($_) . "\n"
		    for @analyses, { message => "One\n\nTwo" };
	} elsif ($what eq 'json') {
		whole($client, 'application/json', '{"message": "Hello\nyou"}');
	} elsif ($what eq 'array') {
		whole($client, 'application/json',
			$json->encode([{ message => 'x' }, $analyses[2]]));
	} elsif ($what eq 'echo') {
		whole($client, 'application/json', $json->encode(
			{ message => $json->encode($question->{body}) }));
	} elsif ($what eq 'lesson') {
		open_stream($client, 'application/x-ndjson');
		syswrite $client, $json->encode($_) . "\n" for $analyses[0],
		    { type => 'learning_intent', content => {} },
		    { type => 'learning_knowledge', content => {} },
		    { type => 'knowledge', content => [] },
		    { type => 'next_actions', content => 'go' },
		    { status => 'done', message => 'learned' };
	} elsif ($what eq 'words') {
		open_stream($client, 'application/x-ndjson');
		for my $word (split ' ', $question->{body}{user_input}) {
			sleep $name / 1000;
			syswrite $client, $json->encode({ type => 'analysis',
				content => $word, complete => JSON::PP::false })
			    . "\n";
		}
	} elsif ($what eq 'hold') {
		open_stream($client, $events);
		syswrite $client, block({ message => 'first' });
		$self->wait_for($client, $name);
		syswrite $client, block({ message => 'last' });
	} elsif ($what eq 'wait') {
		$self->wait_for($client, $name);
		whole($client, 'application/json', $json->encode(
			{ message => $question->{body}{user_input} }));
	} elsif ($what eq '500') {
		whole($client, 'application/json', '{}', '500 No');
	} elsif ($what eq 'redirect') {
		syswrite $client, "HTTP/1.1 302 There\r\nLocation: /json\r\n"
		    . "Content-Length: 0\r\n\r\n";
	} elsif ($what eq 'html') {
		whole($client, 'text/html', '<p>Hello');
	} elsif ($what eq 'broken') {
		open_stream($client, $events);
		syswrite $client, block({ message => 'first' })
		    . "data: {\"message\":\n\n";
	} elsif ($what eq 'error') {
		open_stream($client, $events);
		syswrite $client, block({ message => 'first' })
		    . block({ error => 'no model' });
	} elsif ($what eq 'endless') {
		open_stream($client, $events);
		1 while syswrite $client, block({ message => 'x' x 1000 });
	} elsif ($what eq 'cut') {
		syswrite $client, "HTTP/1.1 200 OK\r\nContent-Type: $events"
		    . "\r\nContent-Length: 1000\r\n\r\n"
		    . block({ message => 'first' });
	} elsif ($what eq 'silent') {
		$self->wait_for($client, 'never');
	}
	close $client;
	return;
}

1;
