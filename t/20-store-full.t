#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# PostgreSQL's disk runs full under writes: they are refused as a whole, what
# was told is there, and with room again it goes on.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Test::More;
use T::Command;
use T::Private;
use T::Run;
use T::Store;
use T::Wait;

# A chroot and some containers do not let even root mount.
plan skip_all => 'mounting is refused here'
    if system('unshare -m --propagation private true 2>/dev/null') != 0;

my $server = T::Private->prepare(workers => 1, admin_listen => '');
my $disk   = $server->dir . '/disk';
my $link   = File::Temp->newdir('partyline-f-XXXXXX', DIR => '/tmp');

# A disk that only the server and what it starts see.
mkdir $disk;
chmod 0755, "$link";
$server->{set}{state_dir} = "$disk/state";
$server->{command} = ['unshare', '-m', '--propagation', 'private', 'sh',
	'-ec', "mount -t tmpfs -o mode=0755,size=160m none $disk
	mkdir -m 700 $disk/state
	exec \"\$@\"", 'sh'];
$server->spawn;
ok($server->wait_ready('readyz', 60), 'a server on a small disk')
    or diag($server->log_text);

my $inside = '/proc/' . $server->pid . "/root$disk";
my %password = T::Command::slurp("$inside/state/secrets")
    =~ /^(\w+)=(\w+)$/mg;
# The path to its socket is too long without this.
symlink "$inside/state/run/postgres", "$link/s" or die "$link/s: $!\n";

sub query {
	my ($sql) = @_;

	local $ENV{PGPASSWORD} = $password{postgres};
	open my $out, '-|', T::Run::postgres_bin() . '/psql', qw(-XAtqw -v
	    ON_ERROR_STOP=1 -U postgres -d partyline -h), "$link/s", '-c',
	    $sql or die "psql: $!\n";
	local $/;
	my $answer = <$out> // '';
	close $out or die "psql refused: $sql\n";
	return $answer =~ s/\n\z//r;
}

my $store = T::Store->start(
	"postgresql://partyline:$password{partyline}\@/partyline?"
	    . "host=$link/s", product => 1, set => { db_connections => 1 },
	operations => { session_event_create => 7, session_get => 1 });

my $ctx = "ROW(7,NULL,'admin','r',NULL,NULL,'')::api.ctx";
query("INSERT INTO partyline.tenant (id, slug, created_text)
	VALUES (7, 'seven', '')");
query("SELECT api.stream_create($ctx, 'lobby')");
query("SELECT FROM api.session_create($ctx, NULL)");
# What is written ahead to the log has room, so that only tables lack it:
# without that PostgreSQL itself would end.
query('SELECT pg_switch_wal()');
query('CHECKPOINT');

my $number = 0;
srand 7;

# An event of some kilobytes that do not compress; the words of its answer.
sub store_one {
	my ($key) = @_;
	my $id   = 'e' . ++$number;
	my $data = '{"a":"' . join('', map { sprintf '%08x',
		rand 0xffffffff } 1 .. 900) . '"}';

	$data =~ s/(["\\])/\\$1/g;
	$store->call($id => 'op_session_event_create', ['{admin:3}', "{$id}",
		"{$key}", '{h}', '{1}', '{game.note}', qq({"$data"})],
		stream => '7 session:1', operation => 1);
	return $store->answer($id);
}

sub held {
	return query(q{SELECT count(*) || ' ' || max(seq) FROM partyline.event
		WHERE tenant_id = 7 AND stream = 'session:1'});
}

sub kept {
	my ($key) = @_;

	return query('SELECT count(*) FROM partyline.idempotency '
		. "WHERE key = '$key'");
}

is((store_one('first'))[0], 'rows', 'an event is stored');
open my $filler, '>', "$inside/filler" or die "filler: $!\n";
while (syswrite $filler, 'x' x 65536) { }
while (syswrite $filler, 'x' x 512) { }
close $filler;

my ($told, $last, @said) = (1, '');
until ($told > 200) {
	$last = 'key' . $number;
	@said = store_one($last);
	last if $said[0] ne 'rows';
	$told++;
}
is_deeply([@said[0, 1]], ['refused', '53100'],
	'without room they are refused') or diag("$told @said");
is(held(), "$told $told", 'what was told is there, and no more');
is(query(q{SELECT head FROM partyline.stream WHERE tenant_id = 7
	AND name = 'session:1'}), $told, 'the refused one took no number');
is(kept($last), 0, 'nor is its key taken');
is(query(q{SELECT bytes - (SELECT sum(octet_length(payload))
	FROM partyline.event WHERE tenant_id = 7 AND stream = 'session:1')
	FROM partyline.stream WHERE tenant_id = 7 AND name = 'session:1'}),
	0, 'nor does it weigh');
$store->call(read => 'op_session_get', [1], kind => 'read', operation => 1);
is(($store->answer('read'))[0], 'rows', 'reading goes on');
is($store->count('db_lost'), 0, 'no connection was lost');

unlink "$inside/filler" or die "filler: $!\n";
@said = store_one($last);
is($said[0], 'rows', 'with room it is stored');
is(held(), join(' ', ($told + 1) x 2), 'as the next number');
is(kept($last), 1, 'under the same key');
$store->end;
ok($server->stop, 'the server stops well');

done_testing;
