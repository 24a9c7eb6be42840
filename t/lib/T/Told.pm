# SPDX-License-Identifier: MIT
package T::Told;

# Writers and readers of sessions over many connections, all in one process,
# so that it is certain what was told before a GET began. Each answer to a GET
# is held against that.
#
#	my $told = T::Told->new($server, tenants => ['', '/t/den'],
#	    readers => 18, token => sub { ... });
#	$told->run(sub { $told->{reads} > 1000 });	until it is true
#	$told->finish;				all writes have their answer
#	is_deeply($told->{complaints}, []);
#
# Each session has one owner, who asks for one change after another, and for
# each until it is told: with the same Idempotency-Key where the outcome is
# not known. So its states are a row, of which
#
#	none  active  closed  archived  closed  archived  gone
#	  told -^				   ^- sent
#
# a GET may show any from what was told before it began to what was sent
# before its answer came.

use strict;
use warnings;
use IO::Select;
use JSON::PP    ();
use List::Util  qw(any);
use Time::HiRes qw(time);
use T::Http;
use T::Wait;

my $json = JSON::PP->new->utf8;
my $keys = 0;

# Refusals in distress: whoever wrote asks again, whoever read goes on.
my %distress = map { $_ => 1 } qw(database_away database_busy outcome_unknown
    idempotency_in_progress);

# What a GET shows of a session in that state.
my %shows = (
	one      => { active => 'active', closed => 'closed',
		archived => 'archived' },
	default  => { active => 1, closed => 0 },
	archived => { archived => 0 },
	all      => { active => 1, closed => 0, archived => 0 },
);

sub new {
	my ($class, $server, %options) = @_;
	my $self = bless {
		server     => $server,
		reads      => 0,
		writes     => 0,
		unanswered => 0,
		distress   => 0,
		told       => 0,
		complaints => [],
		actors     => [],
	}, $class;

	for my $prefix (@{ $options{tenants} }) {
		my $tenant = { prefix => $prefix, sessions => {}, alive => {},
			token  => $options{token}->($prefix),
			active => [0], active_told => 0, keepers => [] };

		push @{ $self->{tenants} }, $tenant;
		$self->add(\&write_cycle, \&written, tenant => $tenant);
		for (1 .. 2) {
			my $keeper = $self->add(\&write_turn, \&written,
				tenant => $tenant);

			push @{ $tenant->{keepers} }, $keeper;
		}
	}
	$self->add(\&read_some, \&judge) for 1 .. $options{readers};
	return $self;
}

sub add {
	my ($self, $next, $take, %more) = @_;
	my $actor = { %more, next => $next, take => $take };

	push @{ $self->{actors} }, $actor;
	return $actor;
}

sub complain {
	my ($self, @words) = @_;

	push @{ $self->{complaints} }, join ' ', @words
	    if @{ $self->{complaints} } < 20;
	return;
}

# --- the lines ------------------------------------------------------------

sub ask {
	my ($self, $actor) = @_;
	my $wish = $actor->{wish};
	my $body = $wish->{body} // '';
	my $head = "$wish->{method} $wish->{path} HTTP/1.1\r\nHost: told\r\n";

	$head .= "Authorization: Bearer $actor->{tenant}{token}\r\n"
	    if $actor->{tenant};
	$head .= "Idempotency-Key: $wish->{key}\r\n" if $wish->{key};
	$head .= 'Content-Length: ' . length($body) . "\r\n"
	    if $wish->{method} eq 'POST';
	$actor->{http} //= T::Http->connect($self->{server});
	$actor->{http}->send("$head\r\n$body");
	$actor->{since} = time;
	return;
}

# The status, 0 where the line was cut, or undef while it is on its way.
sub answer_of {
	my ($actor) = @_;
	my $http = $actor->{http};

	if (!sysread $http->socket, $http->{got}, 65536,
	    length $http->{got}) {
		$http->close;
		delete $actor->{http};
		return { status => 0 };
	}
	my $end = index $http->{got}, "\r\n\r\n";
	return undef if $end < 0;
	my $head = substr $http->{got}, 0, $end;
	my ($length) = $head =~ /^content-length: (\d+)/im;
	return undef if length $http->{got} < $end + 4 + ($length // 0);
	my $answer = { head => $head,
		status => $head =~ m{^HTTP/1.1 (\d+)} ? $1 : 0,
		body   => substr($http->{got}, $end + 4, $length // 0) };

	$http->{got} = '';
	if ($head =~ /^connection: close/im) {
		$http->close;
		delete $actor->{http};
	}
	$answer->{json} = eval { $json->decode($answer->{body}) };
	return $answer;
}

# Whatever has come; nobody who has no wish begins anything.
sub turn {
	my ($self) = @_;
	my %actor_of = map { fileno($_->{http}->socket) => $_ }
	    grep { $_->{wish} } @{ $self->{actors} };
	my $select = IO::Select->new(map { $_->{http}->socket }
		values %actor_of);

	for my $socket ($select->can_read(0.05)) {
		my $actor  = $actor_of{ fileno $socket };
		my $answer = answer_of($actor) // next;
		my $wish   = $actor->{wish};
		my $code   = ref $answer->{json} eq 'HASH'
		    && $answer->{json}{code} // '';

		$self->{unanswered}++ if $answer->{status} == 0;
		$self->{distress}++   if $distress{$code};
		undef $actor->{wish};
		next if $actor->{take}->($self, $actor, $wish, $answer,
			$answer->{status} == 0 || $distress{$code});
		$actor->{wish} = $wish;
		$self->ask($actor);
	}
	for my $actor (grep { $_->{wish} } @{ $self->{actors} }) {
		next if time < $actor->{since} + 30 * ($ENV{T_SLOW} || 1);
		$self->complain('no answer:', $actor->{wish}{method},
			$actor->{wish}{path});
		$actor->{since} = time;
	}
	return;
}

sub run {
	my ($self, $is_done) = @_;
	my $deadline = deadline_in(60);

	until ($is_done->()) {
		if (time > $deadline) {
			$self->complain('it does not go on');
			return;
		}
		for my $actor (grep { !$_->{wish} } @{ $self->{actors} }) {
			$actor->{wish} = $actor->{next}->($self, $actor)
			    // next;
			$self->ask($actor);
		}
		$self->turn;
		return if @{ $self->{complaints} } > 10;
	}
	return;
}

sub finish {
	my ($self) = @_;
	my $deadline = deadline_in(60);

	$self->turn while time < $deadline
	    && any { $_->{wish} } @{ $self->{actors} };
	$self->complain('not all is answered') if time >= $deadline;
	return;
}

# --- who writes -----------------------------------------------------------

sub wish {
	my ($self, $actor, $method, $path, $state, $body) = @_;
	my $session = $actor->{session};

	push @{ $session->{states} }, $state if $session && defined $state;
	return { method => $method, state => $state, body => $body,
		path => "$actor->{tenant}{prefix}/api/sessions$path",
		key  => $method eq 'POST' && 'told-' . ++$keys };
}

# Begins a session, tells it something, ends it, and gives it to a keeper
# that has none, or removes it.
sub write_cycle {
	my ($self, $actor) = @_;
	my $tenant  = $actor->{tenant};
	my $session = $actor->{session};

	if (!$session) {
		push @{ $tenant->{active} }, '?';
		return $self->wish($actor, 'POST', '', undef, '{"notes":"x"}');
	}
	my $path = "/$session->{id}";
	if ($session->{states}[-1] eq 'active') {
		return $self->wish($actor, 'POST', "$path/events", undef,
			'{"type":"custom.x","data":{}}')
		    if !$session->{has_event}++;
		push @{ $tenant->{active} }, 0;
		return $self->wish($actor, 'POST', "$path/close", 'closed',
			'{}');
	}
	my ($free) = grep { !$_->{session} } @{ $tenant->{keepers} };
	if ($free) {
		$free->{session} = delete $actor->{session};
		return $self->write_cycle($actor);
	}
	return $self->wish($actor, 'DELETE', $path, 'gone');
}

# Archives and takes back, and after a while removes.
sub write_turn {
	my ($self, $actor) = @_;
	my $session = $actor->{session} // return undef;
	my $path    = "/$session->{id}";

	return $self->wish($actor, 'DELETE', $path, 'gone')
	    if @{ $session->{states} } > 40;
	return $self->wish($actor, 'POST', "$path/archive", 'archived', '{}')
	    if $session->{states}[-1] eq 'closed';
	return $self->wish($actor, 'POST', "$path/unarchive", 'closed', '{}');
}

# false: it is not known whether it was done, and asked again.
sub written {
	my ($self, $actor, $wish, $answer, $is_unknown) = @_;
	my $tenant  = $actor->{tenant};
	my $session = $actor->{session};
	my $is_gone = ($wish->{state} // '') eq 'gone';
	my $status  = $answer->{status};

	return 0 if $is_unknown;
	$self->{writes}++;
	$self->{told}++;
	if ($status >= 300 && !($is_gone && $status == 404)) {
		$self->complain($wish->{method}, $wish->{path}, $status,
			$answer->{body});
	} elsif (!$session) {
		my $id = $answer->{json}{id};

		$actor->{session} = $tenant->{sessions}{$id} =
		    $tenant->{alive}{$id} = { id => $id, told => 1,
			states => ['none', 'active'] };
		$tenant->{active}[-1] = $id;
		$tenant->{active_told} = $#{ $tenant->{active} };
	} elsif (defined $wish->{state}) {
		$session->{told} = $#{ $session->{states} };
		$tenant->{active_told} = $#{ $tenant->{active} }
		    if $wish->{path} =~ /close$/;
	}
	if ($is_gone) {
		$session->{gone} = $self->{told};
		delete $tenant->{alive}{ $session->{id} };
		delete $actor->{session};
	}
	return 1;
}

# --- who reads --------------------------------------------------------------

sub read_some {
	my ($self) = @_;
	my $tenant = $self->{tenants}[rand @{ $self->{tenants} }];
	my @ids    = keys %{ $tenant->{alive} };
	my $kind = (qw(active active one one one default archived all))[rand 8];
	my $id   = $ids[rand @ids];
	my $path = $kind eq 'active' ? '/active'
	    : $kind eq 'one' ? '/' . ($id // 1) : "?filter=$kind";

	return { method => 'GET', kind => $kind, id => $id // 1,
		path   => "$tenant->{prefix}/api/sessions$path",
		of     => $tenant,
		began  => $self->{told},
		active => $tenant->{active_told},
		told   => { map { $_ => $tenant->{alive}{$_}{told} } @ids } };
}

# Whether it may show a session like that.
sub fits {
	my ($self, $wish, $id, $shown) = @_;
	my $session = $wish->{of}{sessions}{$id}
	    // return $shown eq 'absent'
	    || any { $_ eq '?' } @{ $wish->{of}{active} };
	my $states = $session->{states};
	my $from   = $wish->{told}{$id}
	    // (defined $session->{gone} && $session->{gone} <= $wish->{began}
		? $#$states : 0);

	return any { ($shows{ $wish->{kind} }{$_} // 'absent') eq $shown }
	    @$states[$from .. $#$states];
}

sub judge_list {
	my ($self, $wish, $answer) = @_;
	my %shown = map { $_->{id} => $_->{is_active} } @{ $answer->{json} };
	my ($total) = $answer->{head} =~ /^x-absolute-total: (\d+)/im;

	$self->complain('total', $total, 'in', $answer->{body})
	    if $wish->{kind} eq 'all' && $total != keys %shown;
	return grep { !$self->fits($wish, $_, $shown{$_} // 'absent') }
	    sort keys %{ { %shown, %{ $wish->{told} } } };
}

sub judge_active {
	my ($self, $wish, $answer) = @_;
	my $shown  = $answer->{json}{id} // 0;
	my $states = $wish->{of}{active};

	return any { $_ eq $shown || ($_ eq '?' && $shown) }
	    @$states[$wish->{active} .. $#$states];
}

sub judge {
	my ($self, undef, $wish, $answer, $is_distress) = @_;
	my $status = $answer->{status};
	my $kind   = $wish->{kind};
	my $one    = $answer->{json};
	my @wrong;

	return 1 if $is_distress;
	$self->{reads}++;
	if ($status != 200 && !($status == 404 && $kind eq 'one')) {
		@wrong = ('status', $status);
	} elsif ($kind eq 'active') {
		@wrong = ('told', $wish->{of}{active}[$wish->{active}])
		    if !$self->judge_active($wish, $answer);
	} elsif ($kind eq 'one') {
		my $shown = $status == 404 ? 'absent'
		    : $one->{archived}  ? 'archived'
		    : $one->{is_active} ? 'active' : 'closed';

		@wrong = ('not', $shown)
		    if !$self->fits($wish, $wish->{id}, $shown);
	} else {
		@wrong = $self->judge_list($wish, $answer);
		unshift @wrong, 'not so' if @wrong;
	}
	$self->complain($wish->{path}, @wrong, $answer->{body}) if @wrong;
	return 1;
}

1;
