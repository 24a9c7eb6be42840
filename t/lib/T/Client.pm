# SPDX-License-Identifier: MIT
package T::Client;

# Somebody who uses the API: a role in a tenant, with a token of his own and
# a connection that stays.
#
#	my $admin = T::Client->new($server);
#	my $bot = T::Client->new($server, role => 'bot', name => 'Kosmi');
#	my $nobody = T::Client->new($server, role => undef);
#	my $other = T::Client->new($server, tenant => 'den', worker => 2);
#	my $made = $admin->post('/api/sessions', { notes => 'x' },
#	    'Idempotency-Key' => 'k1');
#	is($made->{status}, 201);
#	is($made->{json}{notes}, 'x');
#	$admin->ask(post => '/api/sessions');	and its answer later
#	is($admin->take->{status}, 400);
#
# A body is a reference, which is sent as JSON, or the bytes themselves. An
# answer is T::Http's, with json: the body decoded, or undef. A connection
# that the server closed is made anew, and an answer that never came has the
# status 0 and says why.
#
# worker: the ordinal that the connection has to be with; from: the client's
# own address. The token is signed
# with the server's own key. The first client of a server waits until all of
# its workers serve, but for early => 1.
#
#	refused($admin->post('/api/sessions'), 400, 'active_session_exists',
#	    activeSessionId => 5);	these members, and no others

use strict;
use warnings;
use Exporter   'import';
use IO::Select;
use JSON::PP   ();
use Test::More ();
use T::Http;
use T::Table;
use T::Token;
use T::Wait;

our @EXPORT = qw(refused);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $asked = 0;

# Each worker says so in the log.
sub wait_for_workers {
	my ($server) = @_;
	my $count = $server->{set}{workers} // $server->{conf}{workers};

	wait_until {
		my %role = map { $_ => 1 } $server->log_text =~
		    /"role":"(worker \d+)","message":"serving"/g;
		keys %role >= $count;
	} 20 or die "its workers do not serve\n";
	return;
}

sub new {
	my ($class, $server, %options) = @_;
	my $slug = $options{tenant} // 'default';
	my $self = bless {
		server => $server,
		worker => $options{worker},
		from   => $options{from},
		prefix => $slug eq 'default' ? '' : "/t/$slug",
		waits  => [],
	}, $class;
	my $role = exists $options{role} ? $options{role} : 'admin';

	$server->{is_serving} //= wait_for_workers($server) // 1
	    if !$options{early};
	$self->{token} = token($server, $slug, role => $role,
		name => $options{name} // ucfirst $role) if defined $role;
	return $self;
}

# A token that this server believes; more claims as T::Token has them.
sub token {
	my ($server, $slug, %claims) = @_;
	my $secret = $server->{set}{jwt_secret} // $server->{conf}{jwt_secret};
	my $kid = 'conf';

	($kid, $secret) = split /\|/, $server->db->query(
		q{SELECT id, value FROM partyline.secret WHERE kind = 'jwt'
		ORDER BY created_at DESC LIMIT 1}) if !defined $secret;
	my $tenant = $slug eq 'default' ? 1 : 0 + $server->db->query(
		"SELECT id FROM partyline.tenant WHERE slug = '$slug'");
	return T::Token::make($secret, kid => $kid, tenant => $tenant, %claims);
}

# Which worker answers there: the one whose log line has the request.
sub worker_of {
	my ($self, $http) = @_;
	my $id = "who-$$-" . ++$asked;
	my $at = -s $self->{server}->log_path;

	$http->send("GET /livez HTTP/1.1\r\nHost: test\r\n"
		. "X-Request-Id: $id\r\n\r\n");
	$http->answer or return 0;
	my $ordinal;
	wait_until {
		open my $log, '<', $self->{server}->log_path or return '';
		seek $log, $at, 0;
		while (my $line = <$log>) {
			($ordinal) = $line =~ /"worker (\d+)".*"$id"/ and last;
		}
		defined $ordinal;
	};
	return $ordinal // 0;
}

sub http {
	my ($self) = @_;
	my $deadline = deadline_in(20);
	my @others;

	while (!$self->{http}) {
		my $http = T::Http->connect($self->{server},
			from => $self->{from});

		if (!defined $self->{worker}
		    || $self->worker_of($http) == $self->{worker}) {
			$self->{http} = $http;
		} else {
			# Kept open, so that the next one has another port;
			# until it is ready, its siblings accept for it.
			push @others, $http;
			die "worker $self->{worker} takes no connection\n"
			    if time() > $deadline;
			@others = () if @others > 100;
		}
	}
	return $self->{http};
}

sub hang_up {
	my ($self) = @_;
	my $http = delete $self->{http};

	$http->close if $http;
	$self->{waits} = [];
	return;
}

# Of a connection that is kept and where nothing is waited for, only its end
# can be read: the server kept it no longer.
sub leave_ended {
	my ($self) = @_;

	$self->hang_up if $self->{http} && !@{ $self->{waits} }
	    && IO::Select->new($self->{http}->socket)->can_read(0);
	return;
}

# Sends, and waits for nothing.
sub ask {
	my ($self, $method, $path, $body, %headers) = @_;
	my $text = ref $body ? $json->encode($body) : $body;
	my $head = uc($method) . " $self->{prefix}$path HTTP/1.1\r\n";

	$headers{Host} //= 'test';
	$headers{Authorization} //= "Bearer $self->{token}"
	    if defined $self->{token};
	$headers{'Content-Length'} = length $text if defined $text;
	$head .= "$_: $headers{$_}\r\n"
	    for grep { defined $headers{$_} } sort keys %headers;
	$self->leave_ended;
	$self->http->send("$head\r\n" . ($text // ''));
	push @{ $self->{waits} }, uc $method;
	return;
}

# The answer to what was asked first.
sub take {
	my ($self, %options) = @_;
	my $method = shift @{ $self->{waits} };
	my $http   = $self->http;
	my $answer = $http->answer(to_head => $method eq 'HEAD', %options);

	if (!$answer) {
		$self->hang_up;
		return { status => 0, headers => {}, body => '',
			why => $http->why };
	}
	$answer->{json} = eval { $json->decode($answer->{body}) };
	$self->hang_up if $answer->{is_stream}
	    || ($answer->{headers}{connection} // '') eq 'close';
	return $answer;
}

sub request {
	my ($self, @what) = @_;

	$self->ask(@what);
	return $self->take;
}

# Its status and code, the words of the table unless `error` says others, and
# besides requestId just the members given here.
sub refused {
	my ($answer, $status, $code, %more) = @_;
	my ($row) = grep { $_->{name} eq $code } T::Table->rows('errors');
	my $json = { %{ $answer->{json} // {} } };
	my $id = delete $json->{requestId};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return Test::More::is($answer->{status}, $status, "refused: $code")
	    && Test::More::is_deeply($json, { error => $row->{text},
		code => $code, %more }, "$code and what belongs to it")
	    && Test::More::is($id, $answer->{headers}{'x-request-id'},
		"$code: the request's id");
}

sub post {
	my ($self, @what) = @_;

	return $self->request('post', @what);
}

# A session that is over already, so that others may be active: its number.
sub closed_session {
	my ($self) = @_;
	my $id = $self->post('/api/sessions')->{json}{id};

	$self->post("/api/sessions/$id/close");
	return $id;
}

# $client->get($path, %headers)
for my $method (qw(delete get head options)) {
	no strict 'refs';
	*$method = sub {
		my ($self, $path, @headers) = @_;

		return $self->request($method, $path, undef, @headers);
	};
}

1;
