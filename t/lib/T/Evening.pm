# SPDX-License-Identifier: MIT
package T::Evening;

# An evening: two hosts with two workers each, tables and threads whose
# clients are the official library's (t/node/evening.js), and a worker that is
# killed now and then. In the end what each connection heard is compared with
# the log.
#
#	my $evening = T::Evening->new(node => $folder, seconds => 1800,
#		kill_every => 60, pace => 2000);
#	$evening->run;
#	is_deeply([$evening->wrongs], []);
#	diag $evening->report;
#
# node: the folder with node_modules. pace: milliseconds between two acts of
# somebody. What is wrong: an answer that says no or never comes while its
# connection stands; an event of a table that is missing, repeated or in
# another order, from the answer of a join to the end of the connection, or
# that is in the log twice; a word of a thread that is missing, repeated or in
# another order, whatever was killed meanwhile.

use strict;
use warnings;
use File::Temp ();
use IO::Handle;
use IO::Select;
use IPC::Open2 qw(open2);
use JSON::PP   ();
use T::Client;
use T::OwnRedis;
use T::Responder;
use T::Run;
use T::Server;
use T::Tabletop;
use T::Wait;

my $json = JSON::PP->new->utf8->canonical;
my $wrongs_most = 40;

sub new {
	my ($class, %options) = @_;

	return bless { seconds => 20, kill_every => 4, pace => 400,
		delay => 1000, tables_count => 2, threads_count => 4, %options,
		wrongs => [], heard => [], counts => {}, kills => 0,
		compared => 0 }, $class;
}

sub wrong {
	my ($self, $words) = @_;

	push @{ $self->{wrongs} }, $words
	    if @{ $self->{wrongs} } < $wrongs_most;
	return;
}

sub wrongs { return @{ $_[0]{wrongs} } }

# --- the ground -------------------------------------------------------------

sub host {
	my ($self, %set) = @_;
	my $host = T::Server->start(wait => 'readyz', workers => 2, set => {
		redis_url => $self->{redis}->url,
		redis_prefix => $self->{redis}->prefix,
		outgoing_allow => '127.0.0.0/8', access_log => 'off',
		tabletop_moves => 10000, tabletop_edits => 10000,
		tabletop_messages => 10000, %set });

	T::Client::wait_for_workers($host);
	return $host;
}

sub make_ground {
	my ($self) = @_;

	$self->{redis} = T::OwnRedis->start;
	$self->{responder} = T::Responder->start;
	my $first = $self->host;
	$self->{hosts} = [$first,
		$self->host(database_url => $first->db->url)];
	$first->db->query("UPDATE partyline.tenant SET responder_url = '"
		. $self->{responder}->url('/words/50') . "' WHERE id = 1");
	$self->{tables} = [map { $self->table($_) }
		1 .. $self->{tables_count}];
	return;
}

# A session with an encounter, tokens, who leads it and two who play.
sub table {
	my ($self, $n) = @_;
	my ($leader, @others) = map {
		T::Tabletop::make($self->{hosts}[0], "$_ $n")
	} qw(Ann Bert Cleo);
	my $made = sub {
		my ($path, $what) = @_;
		my $answer = $leader->post("/api/tabletop/sessions$path",
			$what);

		die "$path: $answer->{body}\n" if $answer->{status} !~ /^20/;
		return $answer->{json};
	};
	my $id = $made->('', { name => "Table $n" })->{id};

	$made->("/$id/members", { userId => $_->{id} }) for @others;
	my $encounter = $made->("/$id/encounters", { name => 'Cave' })->{id};
	my $socket = $leader->player;
	my @tokens = map {
		my $answer = $socket->ask('token:create', { sessionId => $id,
			encounterId => $encounter, tokenData => { name => $_,
			position => { x => 1, y => 1 } } });

		$answer->{tokenId} // die "no token\n";
	} qw(Orc Elf Bat);

	$socket->{socket}->post('1');
	return { id => $id, encounter => $encounter, tokens => \@tokens,
		leader => $leader->{name}, players => [map { {
			name => $_->{name}, cookie => $_->{cookie},
			join => $_ == $others[1] ? 'joinSession'
			    : 'join-session' } } $leader, @others] };
}

# --- its course -------------------------------------------------------------

sub begin {
	my ($self) = @_;
	my $plan = "$self->{responder}{folder}/plan";

	open my $file, '>', $plan or die "$plan: $!\n";
	print $file $json->encode({ hosts => [map { $_->url }
		@{ $self->{hosts} }], tables => $self->{tables},
		threads => $self->{threads_count}, pace => $self->{pace},
		delay => $self->{delay},
		patience => 10000 * ($ENV{T_SLOW} || 1) });
	close $file or die "$plan: $!\n";
	$self->{pid} = open2($self->{out}, $self->{in}, qw(setpriv
		--pdeathsig KILL node), T::Run::source()
		. '/t/node/evening.js', $self->{node}, $plan);
	$self->{out}->blocking(0);
	return;
}

# What the clients have said, for so long; false: they have ended.
sub listen {
	my ($self, $seconds) = @_;
	my $select = IO::Select->new($self->{out});

	return 1 if !$select->can_read($seconds);
	my $n = sysread $self->{out}, $self->{got}, 65536,
	    length($self->{got} // '');
	return '' if defined $n && $n == 0;
	while ($self->{got} =~ s/\A(.*)\n//) {
		my $line = eval { $json->decode($1) } // { wrong => $1 };

		$self->wrong($line->{wrong}) if $line->{wrong};
		push @{ $self->{heard} }, $line->{heard} if $line->{heard};
		$self->{counts} = $line->{counts} if $line->{counts};
		$self->{has_ended} = 1 if $line->{end};
	}
	return 1;
}

sub listen_until {
	my ($self, $end) = @_;

	while ((my $left = $end - Time::HiRes::time()) > 0) {
		$self->listen($left) or return '';
	}
	return 1;
}

# One after the other, on each host; it has to be there again before the next.
sub kill_one {
	my ($self) = @_;
	my $host = $self->{hosts}[ $self->{kills} % 2 ];
	my $pid = $host->worker_pid(1 + int($self->{kills} / 2) % 2);

	kill KILL => $pid;
	$self->{kills}++;
	wait_until {
		$self->listen(0.02);
		my @workers = $host->worker_pids;

		@workers == 2 && !grep { $_ == $pid } @workers;
	} or $self->wrong('a killed worker is not replaced');
	return;
}

sub run {
	my ($self) = @_;

	$self->make_ground;
	$self->begin;
	my $now = Time::HiRes::time();
	my $end = $now + $self->{seconds};

	for (my $at = $now + $self->{kill_every}; $at < $end;
		$at += $self->{kill_every}) {
		$self->listen_until($at) or last;
		$self->kill_one;
	}
	$self->listen_until($end);
	syswrite $self->{in}, "stop\n";
	my $deadline = deadline_in(180);
	1 while $self->listen(1) && Time::HiRes::time() < $deadline;
	$self->wrong('the clients did not come to their end')
	    if !$self->{has_ended};
	kill KILL => $self->{pid};
	waitpid $self->{pid}, 0;
	$self->compare($_) for @{ $self->{tables} };
	$_->stop for @{ $self->{hosts} };
	return;
}

# --- the log ----------------------------------------------------------------

# What a client calls it.
sub name_of {
	my ($event) = @_;
	my $data = $event->{data};

	return "chat $data->{message}" if $event->{type} eq 'chat-message';
	return "move $data->{tokenId} $data->{version}"
	    if $event->{type} eq 'token:moved';
	return "change $data->{token}{id} $data->{token}{version}"
	    if $event->{type} eq 'token:updated';
	return '';
}

sub logged {
	my ($self, $table) = @_;
	my $rows = $self->{hosts}[0]->db->query('SELECT payload FROM '
		. "partyline.event WHERE tenant_id = 1 AND stream = "
		. "'table:$table->{id}' ORDER BY seq");

	return grep { $_->{name} ne '' } map {
		my $event = $json->decode($_);

		{ name => name_of($event), type => $event->{type},
			socket => $event->{data}{socket} // '' }
	} split /\n/, $rows;
}

sub compare {
	my ($self, $table) = @_;
	my @log = $self->logged($table);
	my %place;

	for my $n (0 .. $#log) {
		my $name = $log[$n]{name};

		$self->wrong("$name is in the log twice")
		    if defined $place{$name};
		$place{$name} = $n;
		# A token's version is known by whatever made it.
		$place{"token $1"} = $n if $name =~ /^(?:move|change) (.*)/;
	}
	$self->compare_one($_, \@log, \%place) for grep {
		$_->{table} == $table->{id} && $_->{is_in}
	} @{ $self->{heard} };
	return;
}

# Whether this connection is told of it. Who did it is not, but for tokens in
# the dialects of old.
sub is_for {
	my ($heard, $event) = @_;

	return $event->{socket} ne $heard->{sid}
	    || ($heard->{join} ne 'join-session'
		&& $event->{type} ne 'chat-message');
}

sub compare_one {
	my ($self, $heard, $log, $place) = @_;
	my @events = @{ $heard->{events} };
	my $who = "$heard->{player}, $heard->{sid}";

	return if !@events;
	my ($from, $to) = map { $place->{$_} } @events[0, -1];
	return $self->wrong("$who: '$events[0]' or '$events[-1]' is not in "
		. 'the log') if !defined $from || !defined $to;
	my @wanted = map { $_->{name} } grep { is_for($heard, $_) }
	    @{$log}[$from .. $to];

	$self->{compared} += @events;
	return $self->differs($who, \@wanted, \@events)
	    if "@wanted" ne "@events";
	# What was read behind the join is before all that is only told.
	my $known = -1;
	for my $name (@{ $heard->{known} }) {
		my $n = $place->{$name} // next;

		$known = $n if $n > $known;
	}
	my @between = map { $_->{name} } grep { is_for($heard, $_) }
	    @{$log}[$known + 1 .. $from - 1];
	$self->wrong("$who: nobody told '@between'")
	    if @between && @{ $heard->{known} };
	return;
}

sub differs {
	my ($self, $who, $wanted, $events) = @_;

	for my $n (0 .. $#$wanted) {
		next if defined $events->[$n]
		    && $events->[$n] eq $wanted->[$n];
		my ($log, $heard) = map {
			my $last = $n + 3 < $#$_ ? $n + 3 : $#$_;

			join ', ', @{$_}[($n > 2 ? $n - 2 : 0) .. $last];
		} $wanted, $events;
		return $self->wrong("$who: heard $heard where the log has "
			. "$log, $n of $#$wanted");
	}
	return $self->wrong("$who: heard more than the log has");
}

sub report {
	my ($self) = @_;
	my %count = %{ $self->{counts} };

	return sprintf '%d workers killed; %d connections, %d answers, %d '
	    . 'cut off before theirs; %d events compared; %d turns, %d words, '
	    . '%d pongs, %d turns cut off before they began', $self->{kills},
	    (map { $_ // 0 } @count{qw(connections answers cut)}),
	    $self->{compared},
	    map { $_ // 0 } @count{qw(turns words pongs turns_lost)};
}

1;
