# SPDX-License-Identifier: MIT
package T::Chromium;

# A Chromium of the test's own, without a window, in a profile of its own. It
# is told what to do in its own protocol, over two pipes: lines of JSON that
# end with a NUL.
#
#	my $browser = T::Chromium->start;
#	my $page = $browser->page($url);
#	is($page->value('document.title'), 'x');	of any expression
#	$page->value('begin(' . js($url, $token) . ')');	promises too
#	ok($page->until('heard.length == 9'), 'in time');
#	ok((grep { $_->{status} == 403 } $page->told('Network.responseReceived')
#	), 'what the browser told of itself');
#
# Holds always:
#  1. It is gone before the test is: told to end, killed after a deadline, and
#     by a parent-death signal. Its profile is gone as well.
#  2. What a script throws is thrown here.

use strict;
use warnings;
use Exporter     'import';
use Fcntl        qw(F_DUPFD);
use File::Temp   ();
use IO::Select;
use JSON::PP     ();
use POSIX        ();
use Time::HiRes  qw(time);
use T::Wait;

our @EXPORT = qw(js);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# As root there is no sandbox to be had; and nothing here looks outside.
my @words = qw(--headless --no-sandbox --remote-debugging-pipe --no-first-run
    --disable-gpu --disable-dev-shm-usage --disable-background-networking
    --disable-component-update --disable-default-apps --disable-sync
    --disable-extensions --disable-breakpad --disable-crash-reporter
    --no-proxy-server --password-store=basic);

# The values as a script would write them, with commas between.
sub js {
	my (@values) = @_;

	return join ', ', map { JSON::PP->new->utf8(0)->allow_nonref
		    ->encode($_) } @values;
}

sub start {
	my ($class) = @_;
	my $folder = File::Temp->newdir('partyline-chromium-XXXXXX',
		TMPDIR => 1);

	pipe my $theirs, my $to or die "pipe: $!\n";
	pipe my $from, my $answers or die "pipe: $!\n";
	my $pid = fork // die "fork: $!\n";
	become($folder, $theirs, $answers) if $pid == 0;
	$to->autoflush;
	my $self = bless { owner => $$, pid => $pid, folder => $folder,
		to => $to, from => $from, got => '', last => 0, answers => {},
		told => [] }, $class;

	$self->{product} = $self->call('Browser.getVersion')->{product};
	return $self;
}

# Reads its orders from 3 and answers on 4; all else is as for nobody.
sub become {
	my ($folder, $in, $out) = @_;
	my @high = map { fcntl $_, F_DUPFD, 10 } $in, $out;

	POSIX::setpgid(0, 0);
	open STDIN,  '<', '/dev/null';
	open STDOUT, '>', "$folder/said";
	open STDERR, '>&', \*STDOUT;
	POSIX::dup2($high[0] + 0, 3);
	POSIX::dup2($high[1] + 0, 4);
	POSIX::close($_) for grep { $_ > 4 } map { $_ + 0 } @high;
	$ENV{HOME} = $ENV{XDG_CONFIG_HOME} = "$folder";
	exec 'setpriv', '--pdeathsig', 'KILL', 'chromium', @words,
	    "--user-data-dir=$folder/profile", 'about:blank'
	    or POSIX::_exit(127);
}

# --- its protocol ------------------------------------------------------------

sub said {
	my ($self) = @_;

	open my $file, '<', "$self->{folder}/said" or return '';
	local $/;
	return scalar <$file>;
}

# Takes in what comes until then; false: nothing did.
sub listen {
	my ($self, $deadline) = @_;
	my $left = $deadline - time;

	$left = 0 if $left < 0;
	return '' if !IO::Select->new($self->{from})->can_read($left);
	sysread $self->{from}, $self->{got}, 1 << 20, length $self->{got}
	    or die "the browser is gone:\n" . $self->said;
	while ($self->{got} =~ s/\A([^\0]*)\0//) {
		$self->take($json->decode($1));
	}
	return 1;
}

sub take {
	my ($self, $message) = @_;

	if (defined $message->{id}) {
		$self->{answers}{ $message->{id} } = $message;
	} else {
		push @{ $self->{told} }, $message;
	}
	return;
}

sub ask {
	my ($self, $method, $params, $session) = @_;
	my $id = ++$self->{last};

	print { $self->{to} } $json->encode({ id => $id, method => $method,
		params => $params // {},
		defined $session ? (sessionId => $session) : () }), "\0";
	return $id;
}

sub call {
	my ($self, $method, $params, $session) = @_;
	my $id = $self->ask($method, $params, $session);
	my $deadline = deadline_in(30);

	while (!$self->{answers}{$id}) {
		$self->listen($deadline) or time < $deadline
		    or die "$method: no answer\n" . $self->said;
	}
	my $answer = delete $self->{answers}{$id};
	die "$method: $answer->{error}{message}\n" if $answer->{error};
	return $answer->{result};
}

# --- pages -------------------------------------------------------------------

# Opens it, and waits until all of it is there.
sub page {
	my ($self, $url) = @_;
	my $target = $self->call('Target.createTarget',
		{ url => 'about:blank' })->{targetId};
	my $session = $self->call('Target.attachToTarget', {
		targetId => $target, flatten => JSON::PP::true })->{sessionId};
	my $page = bless { browser => $self, session => $session,
		target => $target }, 'T::Chromium::Page';

	$page->call("$_.enable") for qw(Runtime Network Page);
	my $went = $page->call('Page.navigate', { url => $url });
	die "$url: $went->{errorText}\n" if $went->{errorText};
	$page->until('document.readyState === "complete"')
	    or die "$url does not load\n";
	return $page;
}

# Tells it to end; kills all of its group if it does not.
sub stop {
	my ($self) = @_;
	my $pid = delete $self->{pid} // return;
	my $ended;

	local ($?, $@, $!, $SIG{PIPE}) = (0, '', 0, 'IGNORE');
	$self->ask('Browser.close');
	$ended = wait_until { waitpid($pid, POSIX::WNOHANG()) != 0 } 5;
	kill KILL => -$pid;
	waitpid $pid, 0 if !$ended;
	return;
}

sub DESTROY {
	my ($self) = @_;

	$self->stop if $self->{owner} == $$;
	return;
}

package T::Chromium::Page;

use T::Wait;

sub call {
	my ($self, $method, $params) = @_;

	return $self->{browser}->call($method, $params, $self->{session});
}

# Of an expression; of a promise, what it becomes.
sub value {
	my ($self, $expression) = @_;
	my $result = $self->call('Runtime.evaluate', {
		expression => $expression, returnByValue => JSON::PP::true,
		awaitPromise => JSON::PP::true });

	die ref $self, ": $expression: ",
	    $result->{exceptionDetails}{exception}{description}
	    // $result->{exceptionDetails}{text}, "\n"
	    if $result->{exceptionDetails};
	return $result->{result}{value};
}

# Waits until the expression is true.
sub until {
	my ($self, $expression, $seconds) = @_;

	return T::Wait::until_true(sub { $self->value("!!($expression)") },
		$seconds);
}

# What the browser told about the page so far, by the method's name.
sub told {
	my ($self, $method) = @_;

	$self->value('0');
	return map { $_->{params} } grep {
		$_->{method} eq $method
		    && ($_->{sessionId} // '') eq $self->{session}
	} @{ $self->{browser}{told} };
}

sub close {
	my ($self) = @_;

	$self->{browser}->call('Target.closeTarget',
		{ targetId => $self->{target} });
	return;
}

1;
