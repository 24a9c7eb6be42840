# SPDX-License-Identifier: MIT
package T::Endpoint;

# Endpoints of webhooks: a process that takes POSTs on a loopback address,
# writes down what came, and answers as it was told.
#
#	my $endpoint = T::Endpoint->start;
#	$endpoint->answers(bot => 500, '503 2', 'hold', 200);
#	$endpoint->hook($db, 1, 'bot')	the row of a webhook that goes there
#	$endpoint->queue($db, 10, 1)	so many events for that webhook
#	$endpoint->came('bot')		each { id, at, headers, body }
#	$endpoint->verifies($came, $secret)
#
# Each path has answers of its own, used one after the other; the last one
# stays. It is 200 unless told. "503 2" has Retry-After: 2; "hold" answers
# nothing, ever. `allow` is what a server needs to reach it. Rows are put into
# the tables straight: who makes them, and who emits, is tested elsewhere.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use IO::Select;
use IO::Socket::INET;
use JSON::PP     ();
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX        ();
use Time::HiRes  qw(time);
use T::Command;
use T::Run;

my $json = JSON::PP->new->utf8->canonical;
my $made = 0;

sub start {
	my ($class) = @_;
	my ($name) = $0 =~ m{([^/]+?)(?:\.t)?\z};
	my $self = bless {
		owner => $$,
		dir   => T::Run::folder() . "/endpoint-$name-$$-" . ++$made,
		listen => IO::Socket::INET->new(LocalAddr => '127.0.0.1',
			Listen => 1024, Blocking => 0) // die "listen: $!\n",
	}, $class;

	mkdir $self->{dir} or die "$self->{dir}: $!\n";
	$self->{port} = $self->{listen}->sockport;
	$self->{pid} = fork // die "fork: $!\n";
	if ($self->{pid} == 0) {
		my $parent = getppid;

		eval { $self->serve($parent) };
		print STDERR $@ if $@;
		POSIX::_exit(0);
	}
	close delete $self->{listen};
	return $self;
}

sub url { return "http://127.0.0.1:$_[0]{port}/$_[1]" }

# Options of a server that sends there.
sub allow { return (outgoing_allow => '127.0.0.0/8') }

sub secret { return 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }

# Further columns as SQL has them.
sub hook {
	my ($self, $db, $id, $path, %more) = @_;
	my %row = (
		tenant_id => 1,
		id        => $id,
		name      => "'Hook $id'",
		url       => "'" . $self->url($path) . "'",
		secret    => "'" . secret() . "'",
		events    => q('{session.started,game.added}'),
		created_at   => 'now()',
		created_text => q('2026-01-01T00:00:00.000Z'),
		%more
	);

	$db->query('INSERT INTO partyline.webhook ('
		. join(', ', sort keys %row) . ') VALUES ('
		. join(', ', map { $row{$_} } sort keys %row) . ');
		INSERT INTO partyline.webhook_queue (tenant_id, webhook_id)
		VALUES (1, ' . $id . ')');
	return;
}

# Their bodies are {"n":1}, {"n":2} and so on.
sub queue {
	my ($self, $db, $count, @hooks) = @_;
	my $hooks = join ',', @hooks;

	$db->query("INSERT INTO partyline.webhook_outbox (tenant_id, stream,
		seq, webhooks, event, payload, at)
		SELECT 1, 'test:' || gen_random_uuid(), n, '{$hooks}',
		'game.added', '{\"n\":' || n || '}', now()
		FROM generate_series(1, $count) n ORDER BY n");
	return;
}

sub answers {
	my ($self, $path, @answers) = @_;

	open my $file, '>', "$self->{dir}/new" or die "$!\n";
	print $file map { "$_\n" } @answers;
	close $file;
	rename "$self->{dir}/new", "$self->{dir}/answers-$path";
	return;
}

# Of a line that is just being written only its beginning may be seen.
sub came {
	my ($self, $path) = @_;
	my $came = T::Command::slurp("$self->{dir}/came") // '';

	return grep { !defined $path || $_->{path} eq $path }
	    map { $json->decode($_) } $came =~ /^(.*)\n/mg;
}

# Whether both signatures are those of this secret.
sub verifies {
	my ($self, $came, $secret) = @_;
	my $headers = $came->{headers};
	my $key = $secret =~ /^whsec_(.*)/ ? decode_base64($1) : $secret;
	my $wanted = 'v1,' . encode_base64(hmac_sha256(join('.',
		$headers->{'webhook-id'}, $headers->{'webhook-timestamp'},
		$came->{body}), $key), '');

	return (grep { $_ eq $wanted }
		split / /, $headers->{'webhook-signature'})
	    && $headers->{'x-webhook-signature'} eq
	    'sha256=' . hmac_sha256_hex($came->{body}, $secret);
}

# --- in its own process ----------------------------------------------

sub next_answer {
	my ($self, $path) = @_;
	my $file = "$self->{dir}/answers-$path";
	my @answers = split /\n/, T::Command::slurp($file) // '';
	my $answer = shift @answers // 200;

	$self->answers($path, @answers) if @answers;
	return $answer;
}

sub answer {
	my ($self, $socket, $head, $body) = @_;
	my ($path) = $head =~ m{^POST /(\S*)};
	my %headers = map { /^([^:]+):\s*(.*?)\r?$/ ? (lc $1 => $2) : () }
	    split /\n/, $head;
	my $answer = $self->next_answer($path);

	open my $file, '>>', "$self->{dir}/came" or die "$!\n";
	syswrite $file, $json->encode({ path => $path, at => time,
		id => $headers{'webhook-id'}, headers => \%headers,
		body => $body, answer => "$answer" }) . "\n";
	close $file;
	return if $answer eq 'hold';
	my ($status, $after) = split / /, $answer;
	my $text = "it is $status";

	syswrite $socket, "HTTP/1.1 $status Said\r\nContent-Length: "
	    . length($text) . "\r\n"
	    . (defined $after ? "Retry-After: $after\r\n" : '')
	    . "\r\n$text";
	return;
}

sub take {
	my ($self, $socket) = @_;
	my $held = \$self->{held}{$socket};

	return '' if !sysread $socket, $$held, 65536, length($$held // '');
	while ($$held =~ /\A(.*?\r\n\r\n)/s) {
		my $head = $1;
		my ($length) = $head =~ /^content-length:\s*(\d+)/mi;

		last if length $$held < length($head) + $length;
		$self->answer($socket, $head,
			substr $$held, length $head, $length);
		substr($$held, 0, length($head) + $length) = '';
	}
	return 1;
}

sub serve {
	my ($self, $parent) = @_;
	my $select = IO::Select->new($self->{listen});

	$SIG{PIPE} = 'IGNORE';
	while (getppid == $parent) {
		for my $socket ($select->can_read(0.5)) {
			if ($socket == $self->{listen}) {
				while (my $new = $socket->accept) {
					$new->blocking(1);
					$select->add($new);
				}
			} elsif (!$self->take($socket)) {
				$select->remove($socket);
				delete $self->{held}{$socket};
				close $socket;
			}
		}
	}
	return;
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$;
	local ($?, $!);
	kill KILL => $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

1;
