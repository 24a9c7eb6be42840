# SPDX-License-Identifier: MIT
package T::Server;

# A server of the test's own, on a loopback address of its own, in a state
# folder of its own, over a database of its own.
#
#	my $server = T::Server->start(
#	    set   => { workers => 2 },		# --set name=value
#	    conf  => { log_level => 'debug' },	# in a file that -c names
#	    env   => { ADMIN_KEY => 'x' },
#	    wait  => 'readyz');			# livez unless told; '' : none
#	$server->mojo->get_ok('/livez')->status_is(200);
#	kill 'KILL', ($server->worker_pids)[0];
#	$server->counts(process_deaths => 1);
#
# Other names are taken as set: start(workers => 2). quickstart => 1 leaves
# database_url and redis_url away, so that the server runs its own. The file
# is rewritten with $server->rewrite(name => value) before $server->hup.
#
# Holds always:
#  1. The server is gone before the test is: told to stop when it leaves
#     scope, killed after a deadline, and by a parent-death signal.
#  2. The test fails if it ends with another exit code than 0 (expect_exit),
#     leaves a report of a sanitizer, or logs a panic that was not expected
#     (expect_panic).
#  3. What failed stays: log and state folder, whose place is printed.

use strict;
use warnings;
use File::Path   ();
use JSON::PP     ();
use IO::Socket::IP;
use POSIX        ();
use Scalar::Util qw(weaken);
use Test::More   ();
use T::Command ();
use T::Db;
use T::Evidence;
use T::Http;
use T::OpenApi;
use T::Redis;
use T::Run;
use T::Wait;

my $made = 0;
my $bad_end;
my %alive;
my $json = JSON::PP->new->utf8->allow_nonref;

# Each test has a loopback address of its own, so that no two of a run can
# meet on a port: 127.64.0.0 and above, numbered by process.
sub own_host {
	return sprintf '127.%d.%d.%d', 64 + ($$ >> 16 & 63), $$ >> 8 & 255,
	    $$ & 255;
}

sub free_port {
	my ($host) = @_;
	my $socket = IO::Socket::IP->new(LocalHost => $host, Listen => 1)
	    // die "$host: $!\n";

	return $socket->sockport;
}

sub start {
	my ($class, %options) = @_;
	my $self = $class->prepare(%options);
	my $wait = $options{wait} // 'livez';

	$self->spawn;
	return $self if $wait eq '';
	return $self if $self->wait_ready($wait, $options{seconds} // 30);
	my $log = $self->log_text;
	$self->{failed} = 1;
	$self->kill9;
	die "the server did not get ready ($wait):\n$log\n";
}

# A start that the server has to refuse: { exit, log }.
sub refused {
	my ($class, %options) = @_;
	my $self = $class->prepare(%options);

	$self->{expect_exit} = undef;
	$self->spawn;
	wait_until { !$self->is_running } $options{seconds} // 20
	    or Test::More::fail('the server refuses to start'), $self->kill9;
	my %result = (exit => $self->{exit}, log => $self->log_text);
	$self->clean;
	return \%result;
}

sub prepare {
	my ($class, %options) = @_;
	my %own = map { $_ => delete $options{$_} } grep { exists $options{$_} }
	    qw(conf env wait seconds quickstart args expect_exit command);
	my %chosen = (%{ delete $options{set} // {} }, %options);
	my ($name) = $0 =~ m{([^/]+?)(?:\.t)?\z};
	my $dir  = T::Run::folder() . "/$name-$$-" . ++$made;
	my $self = bless {
		owner       => $$,
		dir         => $dir,
		env         => $own{env}         // {},
		args        => $own{args}        // [],
		command     => $own{command},
		expect_exit => exists $own{expect_exit} ?
		    $own{expect_exit} : 0,
		quickstart  => $own{quickstart},
		conf        => $own{conf},
	}, $class;

	mkdir $dir or die "$dir: $!\n";
	mkdir "$dir/reports";
	chmod 0755,  $dir;
	chmod 01777, "$dir/reports";
	$self->{set} = { $self->defaults, %chosen };
	for my $name (keys %{ $own{conf} // {} }) {
		delete $self->{set}{$name} if !exists $chosen{$name};
	}
	T::Evidence::record(option => keys %chosen, keys %{ $own{conf} // {} });
	T::Evidence::record(option => map { /^PARTYLINE_(\w+?)(?:_FILE)?$/
		    ? lc $1 : () } keys %{ $self->{env} });
	$self->rewrite if $own{conf};
	return $self;
}

sub defaults {
	my ($self) = @_;
	my $host = own_host();
	my %set = (
		listen    => $host . ':' . free_port($host),
		state_dir => "$self->{dir}/state",
		sql_dir   => T::Run::source() . '/sql',
		workers   => 2,
		monitor_url => '',	# nobody looks for rooms outside
	);

	return %set if $self->{quickstart};
	$self->{db}    = T::Db->new;
	$self->{redis} = T::Redis->new;
	return (
		%set,
		database_url => $self->{db}->url,
		redis_url    => $self->{redis}->url,
		redis_prefix => $self->{redis}->prefix
	);
}

sub conf_path { return "$_[0]{dir}/partyline.conf" }

# The first address it listens on.
sub address {
	my ($self) = @_;
	my $listen = $self->{set}{listen} // $self->{conf}{listen};

	return (split ' ', $listen)[0];
}

# The configuration file anew; an undefined value takes the option out.
sub rewrite {
	my ($self, %changes) = @_;
	my $path = $self->conf_path;
	my %conf = (%{ $self->{conf} // {} }, %changes);

	$self->{conf} = \%conf;
	T::Evidence::record(option => keys %changes);
	open my $file, '>', "$path.new" or die "$path: $!\n";
	for my $name (sort keys %conf) {
		print $file "$name = $conf{$name}\n" if defined $conf{$name};
	}
	close $file;
	rename "$path.new", $path;
	return;
}

sub words {
	my ($self) = @_;
	my $set = $self->{set};

	return (
		T::Run::program(), 'serve',
		($self->{conf} ? ('-c', $self->conf_path) : ()),
		(map { ('--set', "$_=$set->{$_}") }
		    grep { defined $set->{$_} } sort keys %$set),
		@{ $self->{args} }
	);
}

# Starts it, again too after it has ended.
sub spawn {
	my ($self) = @_;
	my $reports = "$self->{dir}/reports/r";
	my %env     = T::Command::environment($reports, $self->{env});
	my $pid     = fork // die "fork: $!\n";

	if ($pid == 0) {
		open STDIN,  '<',  '/dev/null';
		open STDOUT, '>>', "$self->{dir}/log";
		open STDERR, '>&', \*STDOUT;
		T::Command::become(\%env, 'setpriv', '--pdeathsig', 'TERM',
			@{ $self->{command} // [] }, $self->words);
	}
	T::Evidence::record(command => 'serve');
	$self->{pid} = $pid;
	delete $self->{exit};
	$alive{$pid} = $self;
	weaken $alive{$pid};
	return;
}

# Whether it answers $path with 200 in time.
sub wait_ready {
	my ($self, $path, $seconds) = @_;
	my $ready = wait_until {
		return 1 if !$self->is_running;
		my $answer = eval { T::Http->get($self, "/$path") };
		$answer && $answer->{status} == 200;
	} $seconds // 30;

	return $ready && $self->is_running;
}

# Collects the exit code when it has ended.
sub is_running {
	my ($self) = @_;

	return '' if !defined $self->{pid};
	return 1  if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
	$self->{exit} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
	delete $alive{ delete $self->{pid} };
	return '';
}

sub pid          { return $_[0]{pid} }
sub host         { return ($_[0]->address =~ /^\[?(.*?)\]?:\d+\z/)[0] }
sub port         { return ($_[0]->address =~ /:(\d+)\z/)[0] }
sub url          { return 'http://' . $_[0]->address . ($_[1] // '') }
sub dir          { return $_[0]{dir} }
sub db           { return $_[0]{db} }
sub redis        { return $_[0]{redis} }
sub state_dir    { return $_[0]{set}{state_dir} // $_[0]{conf}{state_dir} }
sub admin_socket { return $_[0]->state_dir . '/admin.sock' }
sub admin        { return 'unix:' . $_[0]->admin_socket }
sub exit_code    { $_[0]->is_running; return $_[0]{exit} }

# --- what it says -----------------------------------------------------

sub log_path { return $_[0]{log_path} // "$_[0]{dir}/log" }
sub log_text { return T::Command::slurp($_[0]->log_path) }

# Decoded; a line that is not JSON is { raw => line }.
sub log_lines {
	my ($self) = @_;

	return map { eval { $json->decode($_) } // { raw => $_ } }
	    split /\n/, $self->log_text;
}

sub wait_for_log {
	my ($self, $pattern, $seconds) = @_;

	return wait_until { $self->log_text =~ $pattern } $seconds;
}

# Marks the end of the log, for log_since.
sub log_mark { return length $_[0]->log_text }

sub log_since {
	my ($self, $mark) = @_;

	return substr $self->log_text, $mark;
}

# --- looking into it ---------------------------------------------------

sub partyline {
	my ($self, @words) = @_;

	return T::Command::partyline(@words, '--state-dir', $self->state_dir);
}

sub status {
	my ($self, @words) = @_;
	my $result = $self->partyline('status', @words, '--json');

	return $json->decode($result->{out}) if $result->{exit} == 0;
	Test::More::diag("partyline status: $result->{err}");
	return {};
}

# All counters and gauges in sum, by name.
sub numbers {
	my ($self) = @_;
	my $status = $self->status;

	T::Evidence::counts($status);
	return { map { %{ $status->{$_} // {} } } qw(counters gauges) };
}

sub count {
	my ($self, $name) = @_;

	return $self->numbers->{$name};
}

# Expects the counters to reach these values.
sub counts {
	my ($self, %expected) = @_;
	my $now;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until {
		$now = $self->numbers;
		!grep { ($now->{$_} // -1) != $expected{$_} } keys %expected;
	};
	my %found = map { $_ => $now->{$_} } keys %expected;
	return Test::More::is_deeply(\%found, \%expected,
		'counted: ' . join ', ',
		map { "$_ $expected{$_}" } sort keys %expected);
}

# The processes below the master as the system shows them:
# { pid, title, role, ordinal, rest }.
sub processes {
	my ($self) = @_;
	my @found;

	for my $path (glob '/proc/[0-9]*/stat') {
		my ($pid, $parent) =
		    T::Command::slurp($path) =~ /^(\d+) \(.*\) \S (\d+)/s
		    or next;
		next if !defined $self->{pid} || $parent != $self->{pid};
		my $title = T::Command::slurp("/proc/$pid/cmdline");
		$title =~ tr/\0/ /;
		my ($role, $ordinal, $rest) =
		    $title =~ /^partyline: (\w+)(?: (\d+))?(.*?)\s*\z/;

		push @found, {
			pid     => $pid,
			title   => $title,
			role    => $role // '',
			ordinal => $ordinal,
			rest    => $rest // ''
		};
	}
	@found = sort { $a->{pid} <=> $b->{pid} } @found;
	return @found;
}

sub pids {
	my ($self, $role) = @_;

	return map { $_->{pid} } grep { $_->{role} eq $role } $self->processes;
}

sub worker_pids { return $_[0]->pids('worker') }

# The worker of an ordinal, not the one that is draining.
sub worker_pid {
	my ($self, $ordinal) = @_;
	my ($found) = grep {
		       $_->{role} eq 'worker'
		    && $_->{ordinal} == $ordinal
		    && $_->{rest} !~ /drain/
	} $self->processes;

	return $found && $found->{pid};
}

# Kills a worker, and waits until another one is in its place.
sub lose_worker {
	my ($self, $pid) = @_;
	my $count = $self->worker_pids;

	kill KILL => $pid;
	return 1 if wait_until {
		my @now = $self->worker_pids;

		@now == $count && !grep { $_ == $pid } @now;
	} 20;
	$self->complain("worker $pid is not replaced");
	return '';
}

# --- talking to it -----------------------------------------------------

# An answer as T::Http gives it.
sub of_mojo {
	my ($res) = @_;
	my $headers = $res->headers->to_hash;

	return {
		status  => $res->code,
		headers => { map { lc $_ => $headers->{$_} } keys %$headers },
		body    => $res->body
	};
}

# A Test::Mojo for this server: relative addresses are its own.
sub mojo {
	my ($self) = @_;

	require Test::Mojo;
	require Mojo::URL;
	my $mojo = Test::Mojo->new;
	my $base = Mojo::URL->new($self->url);

	$mojo->ua->max_redirects(0);
	$mojo->ua->on(prepare => sub {
		my ($ua, $tx) = @_;
		my $url = $tx->req->url;

		if (!defined $url->host) {
			$url->scheme($base->scheme)->host($base->host)
			    ->port($base->port);
		}
		$tx->on(finish => sub {
			my ($ended) = @_;

			T::OpenApi::answered($ended->req->method,
				$ended->req->url->path->to_string,
				of_mojo($ended->res))
			    if !$ended->is_websocket && $ended->res->code;
		});
	});
	return $mojo;
}

sub get {
	my ($self, $path, @headers) = @_;

	return T::Http->get($self, $path, @headers);
}

sub log_level {
	my ($self, @level) = @_;

	return $self->partyline('log', 'level', @level);
}

# $server->fault(arm => 'child_hangs', 2), fault('clear'), fault('list')
sub fault {
	my ($self, @words) = @_;
	my $result = $self->partyline('fault', @words);

	Test::More::diag("partyline fault @words: $result->{err}")
	    if $result->{exit} != 0;
	T::Evidence::record(fault => $words[1])
	    if $words[0] eq 'arm' && $result->{exit} == 0;
	return $result;
}

sub signal {
	my ($self, $name) = @_;

	kill $name, $self->{pid} if defined $self->{pid};
	return;
}

sub hup { return $_[0]->signal('HUP') }

# --- its end -----------------------------------------------------------

# From here on such a panic may stand in the log.
sub expect_panic {
	my ($self, $pattern) = @_;

	push @{ $self->{panics} }, $pattern // qr/panic: /;
	return;
}

sub expect_exit {
	my ($self, $code) = @_;

	$self->{expect_exit} = $code;
	return;
}

sub complain {
	my ($self, $text) = @_;

	$self->{failed} = 1;
	if (${^GLOBAL_PHASE} ne 'RUN') {
		$bad_end = 1;
		Test::More::diag($text);
		return;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 2;
	Test::More::fail($text);
	return;
}

# Remembers what was counted, for t/99-every-row.t.
sub note_counts {
	my ($self) = @_;

	my $dir = $self->state_dir;

	return if !defined $dir || !-S "$dir/control";
	my $result = $self->partyline('status', '--json');

	T::Evidence::counts($json->decode($result->{out}))
	    if $result->{exit} == 0;
	return;
}

# Tells it to stop, waits, looks whether all was well. True if it was.
sub stop {
	my ($self, %options) = @_;

	return if $self->{owner} != $$;
	if ($self->is_running) {
		$self->note_counts;
		$self->signal($options{signal} // 'TERM');
		wait_until { !$self->is_running } $options{seconds} // 45
		    or $self->complain('the server did not stop in time'),
		    $self->kill9;
	}
	$self->check_end;
	return !$self->{failed};
}

sub check_end {
	my ($self) = @_;
	my $exit = delete $self->{exit};
	my $log  = T::Command::slurp("$self->{dir}/log");
	my $reports = T::Command::reports("$self->{dir}/reports/r");

	$self->complain("the server exits with $self->{expect_exit}, not $exit")
	    if defined $exit && defined $self->{expect_exit}
	    && $exit != $self->{expect_exit};
	if ($reports ne '' && !$self->{reported}++) {
		$self->complain('the server leaves no sanitizer report');
		Test::More::diag(substr $reports, 0, 8000);
	}
	for my $line (grep { /panic: / } split /\n/, $log) {
		next if grep { $line =~ $_ } @{ $self->{panics} // [] };
		$self->complain("the server does not panic: $line")
		    if !$self->{panicked}++;
	}
	return;
}

# Kills the master; its children notice by themselves.
sub kill9 {
	my ($self) = @_;

	kill 'KILL', $self->{pid} if $self->is_running;
	wait_until { !$self->is_running } 10;
	delete $self->{exit};
	return;
}

sub clean {
	my ($self) = @_;

	if ($self->{failed} || !Test::More->builder->is_passing) {
		T::Run::keep();
		Test::More::diag("log and state are kept: $self->{dir}")
		    if !$self->{told}++;
		return;
	}
	File::Path::remove_tree($self->{dir});
	return;
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$ || $self->{destroyed}++;
	local ($?, $@, $!);
	$self->stop;
	$self->clean;
	return;
}

# A test that is ended by a signal still stops its servers.
$SIG{$_} //= sub { exit 70 } for qw(TERM INT);

END {
	my $code = $?;

	$_ && $_->DESTROY for values %alive;
	$? = $code || ($bad_end ? 70 : 0);
}

1;
