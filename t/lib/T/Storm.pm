# SPDX-License-Identifier: MIT
package T::Storm;

# A storm: two hosts over one PostgreSQL and one Redis of its own, clients
# that follow streams, writers at full speed; and meanwhile whatever can be
# killed is killed, whatever can be paused is paused. In the end every record
# is compared with the log.
#
#	my $storm = T::Storm->new(seed => 7, seconds => 8);
#	$storm->run;
#	is_deeply([$storm->wrongs], []);
#	diag $storm->report;
#
# What is wrong: a gap, a repeat, another order; an event that is not in the
# log, or other than there; an event of the log that somebody has not got in
# the end; a resync that nothing calls for; a head that goes back; a write
# that was acknowledged and is not there, or is there twice; a close code that
# nothing calls for.
#
# doors: classes as T::Storm::WebSocket is one; a client takes another
# whenever it comes back.

use strict;
use warnings;
use IO::Select;
use JSON::PP    ();
use List::Util  qw(shuffle);
use POSIX       ();
use Time::HiRes ();
use T::Http;
use T::Live;
use T::OwnPostgres;
use T::OwnRedis;
use T::Run;
use T::Server;
use T::Storm::Client;
use T::Storm::Poll;
use T::Storm::SocketIo;
use T::Storm::SocketIoPoll;
use T::Storm::Sse;
use T::Storm::Trouble;
use T::Storm::WebSocket;
use T::Storm::Writer;
use T::Token;
use T::Wait;

my $wrongs_most = 40;

sub new {
	my ($class, %options) = @_;
	my $self = bless {
		seconds  => 8,
		clients_count => 24,
		sessions_count => 4,
		writers_count => 3,
		doors    => [qw(T::Storm::WebSocket T::Storm::Sse
			T::Storm::Poll T::Storm::SocketIo
			T::Storm::SocketIoPoll)],
		%options,
		wrongs   => [],
		events   => {},		# stream => [number => envelope]
		renewed  => {},		# stream => { epoch => when }
		lowest   => {},		# stream => number
		count    => { heard => 0, resyncs => 0, doors => 0 },
		plan     => [],		# [when, what]
		done     => [],		# what was done, for the report
	}, $class;

	srand $self->{seed};
	return $self;
}

sub now { return Time::HiRes::time() }

sub wrong {
	my ($self, $words) = @_;

	push @{ $self->{wrongs} }, sprintf '%6.2f %s',
	    $self->now - $self->{begun}, $words
	    if @{ $self->{wrongs} } < $wrongs_most;
	return;
}

sub wrongs { return @{ $_[0]{wrongs} } }
sub one_of { return $_[rand @_] }
sub door    { return one_of(@{ $_[0]{doors} }) }
sub host    { return one_of(@{ $_[0]{hosts} }) }
sub address { return $_[0]->host->address }

# --- the ground -------------------------------------------------------------

sub make_host {
	my ($self) = @_;

	return T::Server->start(quickstart => 1, wait => 'readyz',
		workers => one_of(1, 2, 2, 3), set => {
		database_url    => $self->{postgres}->url,
		redis_url       => $self->{redis}->url,
		redis_prefix    => $self->{redis}->prefix,
		db_timeout      => '2s',
		restart_max     => '300ms',
		drain_spread    => '1s',
		drain_timeout   => '5s',
		gap_max         => 100000,
		hold_max        => one_of(1, 16, 256),
		ring_size       => one_of(qw(64KiB 256KiB 1MiB)),
		ring_record_max => one_of(qw(1KiB 2KiB 8KiB)),
		socket_queue    => one_of(qw(16KiB 64KiB)),
		socket_send_buffer => '4KiB',
		live_messages   => 1000000,
		socketio_messages => 1000000,
		access_log      => 'off',
	});
}

sub make_ground {
	my ($self) = @_;

	$self->{redis}    = T::OwnRedis->start;
	$self->{postgres} = T::OwnPostgres->start;
	$self->{hosts}    = [map { $self->make_host } 1, 2];
	$self->sql('CREATE TABLE public.kept (stream text, seq bigint, '
		. 'payload text, PRIMARY KEY (stream, seq))');
	my ($kid, $secret) = split /\|/, $self->sql('SELECT id, value FROM '
		. q{partyline.secret WHERE kind = 'jwt' LIMIT 1});
	$self->{token} = T::Token::make($secret, kid => $kid, name => 'Ann',
		role => 'bot');
	$self->{admin} = T::Token::make($secret, kid => $kid, name => 'Bob',
		exp => time + 86400);
	# Ended, so that another one can begin.
	$self->{sessions} = [map { $self->make_session }
	    1 .. $self->{sessions_count}];
	return;
}

# It may still be recovering.
sub sql {
	my ($self, $sql) = @_;
	my $answer;

	wait_until { defined($answer = $self->{postgres}->query($sql)) } 20
	    or die "PostgreSQL refused $sql\n";
	return $answer;
}

sub make_session {
	my ($self) = @_;
	my $post = sub {
		my ($path) = @_;
		my $answer;

		wait_until {
			$answer = T::Http->request($self->{hosts}[0], 'POST',
				$path, '{}', Authorization =>
				"Bearer $self->{admin}");
			$answer->{status} =~ /^20/;
		} or die "no session: $answer->{status} $answer->{body}\n";
		return JSON::PP::decode_json($answer->{body});
	};
	my $id = $post->('/api/sessions')->{id};

	$post->("/api/sessions/$id/close");
	return $id;
}

sub make_crowd {
	my ($self) = @_;
	my @streams = map { "session:$_" } @{ $self->{sessions} };
	my $folder  = T::Run::folder();

	$self->{clients} = [map {
		T::Storm::Client->new($self, "client $_",
			(shuffle @streams)[0 .. 1])
	} 1 .. $self->{clients_count}];
	my $addresses = [map { $_->address } @{ $self->{hosts} }];
	$self->{writers} = [map {
		T::Storm::Writer->start(
			name      => "w$_",
			kind      => $_ ? 'events' : 'sessions',
			file      => "$folder/storm-$$-$_",
			seed      => $self->{seed} * 100 + $_,
			addresses => $_ % 2 ? $addresses
			    : [reverse @$addresses],
			token     => $self->{admin},
			sessions  => $self->{sessions},
			pause     => $_ ? 0.001 : 0.02
		)
	} 0 .. $self->{writers_count}];
	return;
}

# --- its course -------------------------------------------------------------

sub later {
	my ($self, $seconds, $what) = @_;

	push @{ $self->{plan} }, [$self->now + $seconds, $what];
	return;
}

sub note {
	my ($self, $words) = @_;

	push @{ $self->{done} }, sprintf '%6.2f %s',
	    $self->now - $self->{begun}, $words;
	return;
}

sub turn {
	my ($self) = @_;
	my $now = $self->now;
	my (%owner, @due);

	@due = grep { $_->[0] <= $now } @{ $self->{plan} };
	$self->{plan} = [grep { $_->[0] > $now } @{ $self->{plan} }];
	$_->[1]->() for @due;
	my $select = IO::Select->new;
	for my $client (@{ $self->{clients} }) {
		$client->turn($now);
		for my $socket ($client->sockets) {
			$select->add($socket);
			$owner{$socket} = $client;
		}
	}
	if (!$select->count) {
		pause(0.01);
		return;
	}
	$owner{$_}->read($_) for $select->can_read(0.02);
	return;
}

# Everything works again, and the last write is certain. News of the last
# ones do not get from host to host: nothing comes later that would tell.
sub calm {
	my ($self) = @_;

	$self->note('it ends');
	$self->{is_calm} = 1;
	# What had begun is ended, so that nothing stays hurt.
	wait_until {
		$self->turn;
		!@{ $self->{plan} };
	} 20 or $self->wrong('something stays hurt');
	$self->{redis}->stop;
	my $end = $self->now + 0.3;
	$self->turn while $self->now < $end;
	kill TERM => $_->{pid} for @{ $self->{writers} };
	for my $writer (@{ $self->{writers} }) {
		my $is_done;

		wait_until {
			$self->turn;
			$is_done = waitpid($writer->{pid},
				POSIX::WNOHANG()) != 0;
		} 20;
		delete $writer->{pid} if $is_done;
		$self->wrong("$writer->{name}: never certain of its last "
			. 'write') if !$is_done;
	}
	$self->{redis}->spawn;
	return;
}

sub heads {
	my ($self) = @_;

	return { map {
		my ($name, $epoch, $seq) = split /\|/;

		($name => { epoch => $epoch, seq => $seq });
	} split /\n/, $self->sql('SELECT name, epoch, head FROM '
		. 'partyline.stream WHERE tenant_id = 1') };
}

# Whether everybody gets all that there is.
sub settle {
	my ($self) = @_;
	my $heads = $self->heads;
	my @left;
	my $begun = $self->now;

	wait_until {
		$self->turn;
		@left = grep { !$_->has_all($heads) } @{ $self->{clients} };
		!@left;
	} 20;
	$self->{settled} = $self->now - $begun;
	$self->wrong("it has not got all: " . $_->where) for @left;
	$self->wrong('the log ends at ' . join ' ', map {
		"$_ $heads->{$_}{epoch}:$heads->{$_}{seq}"
	} grep { $self->{events}{$_} } sort keys %$heads) if @left;
	return;
}

sub logged {
	my ($self) = @_;

	return split /\n/, $self->sql('SELECT stream, seq, payload FROM '
		. 'partyline.event WHERE tenant_id = 1 UNION SELECT stream, '
		. 'seq, payload FROM public.kept');
}

# Each event that anybody heard is in the log, the same; nothing is twice.
sub compare {
	my ($self) = @_;
	my (%log, %marks);

	for my $line ($self->logged) {
		my ($stream, $seq, $payload) = split /\|/, $line, 3;

		$self->wrong("$stream $seq is there twice")
		    if defined $log{$stream}[$seq];
		$log{$stream}[$seq] = $payload;
		$marks{$1}{"$stream $seq"} = 1
		    if $payload =~ /"(?:mark|notes)":"(w\d+-n\d+)"/;
	}
	for my $stream (sort keys %log) {
		my $stored = $log{$stream};

		$self->wrong("$stream has no $_")
		    for grep { !defined $stored->[$_] } 1 .. $#$stored;
	}
	for my $stream (sort keys %{ $self->{events} }) {
		my $events = $self->{events}{$stream};

		for my $seq (grep { defined $events->[$_] } 0 .. $#$events) {
			my $stored = $log{$stream}[$seq];

			$self->{count}{events}++;
			$self->wrong("$stream $seq was heard and is "
				. (defined $stored ? 'another one'
				: 'not in the log'))
			    if !defined $stored || $stored ne $events->[$seq];
		}
	}
	$self->wrong("$_ was written twice: " . join ', ',
		sort keys %{ $marks{$_} })
	    for grep { keys %{ $marks{$_} } > 1 } sort keys %marks;
	for my $done (map { $_->done } @{ $self->{writers} }) {
		my $is_there = $done->{seq}
		    ? $marks{ $done->{mark} }{"$done->{stream} $done->{seq}"}
		    : $marks{ $done->{mark} };

		$self->{count}{written}++;
		$self->wrong("$done->{mark} was acknowledged as "
			. "$done->{stream} $done->{seq} and is not there")
		    if !$is_there;
	}
	return;
}

sub run {
	my ($self) = @_;

	$self->{begun} = $self->now;
	$self->make_ground;
	$self->{begun} = $self->now;
	$self->{trouble} = T::Storm::Trouble->new($self);
	$self->{trouble}->plan($self->{seconds});
	$self->make_crowd;
	my $end = $self->now + $self->{seconds};
	$self->turn while $self->now < $end;
	$self->calm;
	$self->settle;
	$self->compare;
	$self->wrong('nobody heard anything') if !$self->{count}{heard};
	$_->hang_up for @{ $self->{clients} };
	# A host's end is judged as everywhere.
	$_->stop for @{ $self->{hosts} };
	return;
}

sub report {
	my ($self) = @_;
	my %count = %{ $self->{count} };

	return join "\n", sprintf('%d written, %d events, heard %d times, '
		. '%d connections, %d kills, %d resyncs; all had all %.1f s '
		. 'after', (map { $_ // 0 } @count{qw(written events heard
		doors kills resyncs)}), $self->{settled} // -1),
	    map { "  $count{$_} $_" } grep { /[: ]/ } sort keys %count;
}

sub done { return @{ $_[0]{done} } }

1;
