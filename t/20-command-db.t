#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What commands that write stand on: one function of the api after the other,
# refusals in the words of errors.h, exit codes. t/30-quickstart.t has the
# same against a server's private database.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Command;
use T::Db;
use T::Run;

my $db = T::Db->new;

sub calls {
	my ($flags, @words) = @_;

	return partyline({ program => T::Run::build() . '/t/drive/command_db' },
		@$flags, @words);
}

my @set = ('--set', 'database_url=' . $db->url);

subtest 'functions with a context and without' => sub {
	my $said = calls(\@set, 'tenant_add', 'guild', ',', '-tenant_list',
		',', '-tenant_find', '\N', 'guild');
	my ($added, $event, $list, $found) = split /\n/, $said->{out};

	is($said->{exit}, 0, 'exit code') or diag($said->{err});
	is($said->{err}, '', 'nothing to complain of');
	like($added, qr/^201 \{"id" : (\d+), "slug" : "guild"/, 'added');
	like($event, qr/^control 1 \{"type":"tenant\.added"/, 'with its event');
	like($list, qr/^200 \[.*"default".*"guild"/, 'listed');
	like($found, qr/^200 \{.*"guild"/, 'found');
	is($db->query('SELECT count(*) FROM partyline.event'
		. q{ WHERE request_id ~ '^[0-9A-Za-z]{26}$'}), 1,
		'under a request id of its own');
	$db->query('CREATE TABLE said (caller text, role text)');
	$db->query('GRANT INSERT ON said TO partyline_fleet');
	$db->query(q{CREATE FUNCTION api.who(ctx api.ctx)
		RETURNS SETOF api.answer LANGUAGE plpgsql AS $$ BEGIN
		RETURN NEXT api.reply(200, ctx.tenant || ' ' || ctx.caller
		    || ' ' || ctx.role || ' ' || current_user); END $$});
	is(calls(\@set, 'who')->{out}, '200 1 command:' . getpwuid($>)
		. " admin partyline_fleet\n", 'as whoever is at the keyboard');
	$db->query(q{CREATE FUNCTION api.none() RETURNS SETOF api.answer
		LANGUAGE plpgsql AS $$ BEGIN END $$});
	is(calls(\@set, '-none')->{out}, "0 \n", 'no row is no answer');
};

subtest 'refusals' => sub {
	my $said = calls(\@set, 'tenant_add', 'guild');
	is($said->{exit}, 65, 'a constraint');
	is($said->{err}, "partyline: A tenant has this name\n", 'in words');
	is($said->{out}, '', 'and nothing else');
	$said = calls(\@set, 'tenant_set', 'guild', '{size}', '{1}', ',',
		'tenant_add', 'never');
	is($said->{exit}, 65, 'a rule');
	is($said->{err}, 'partyline: There is no such setting'
		. qq( {"setting" : "size"}\n), 'in words, with its extras');
	is($db->query("SELECT count(*) FROM partyline.tenant
		WHERE slug = 'never'"), 0, 'what follows is not done');
	$said = calls(\@set, 'tenant_set', 'guild', 'size', '{1}');
	is($said->{exit}, 65, 'a value that is none');
	like($said->{err}, qr/^partyline: malformed array literal/, 'in words');
	$said = calls(\@set, 'nothing');
	is($said->{exit}, 70, 'a function that is not there');
	like($said->{err}, qr/api\.nothing.* does not exist$/, 'in words');
	$db->query(q{CREATE FUNCTION api.full() RETURNS SETOF api.answer
		LANGUAGE plpgsql AS $$ BEGIN
		RAISE 'no room' USING ERRCODE = 'disk_full'; END $$});
	is(calls(\@set, '-full')->{exit}, 75, 'what may be tried again');
	$db->query(q{CREATE FUNCTION api.ends() RETURNS SETOF api.answer
		LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
		PERFORM pg_terminate_backend(pg_backend_pid()); END $$});
	$said = calls(\@set, '-ends');
	is($said->{exit}, 75, 'a lost connection');
	like($said->{err}, qr/not known whether that was done/, 'in words');
};

subtest 'a database that cannot be used' => sub {
	my $said = calls(['--set', 'database_url=postgresql://'
		    . 'a:hidden@/b?host=/nowhere'], '-tenant_list');
	is($said->{exit}, 69, 'nobody there');
	like($said->{err}, qr/^partyline: the database cannot be used: /,
		'in words');
	unlike($said->{err}, qr/hidden|\{/, 'without password or log lines');
	my $empty = T::Db->new(empty => 1);
	$said = calls(['--set', 'database_url=' . $empty->url],
		'-tenant_list');
	is($said->{exit}, 69, 'nobody migrated');
	like($said->{err}, qr/\(see partyline migrate\)$/, 'in words');
	$db->query('DELETE FROM partyline.schema_version WHERE version > 1');
	$said = calls(\@set, '-tenant_list');
	is($said->{exit}, 69, 'an older schema');
	like($said->{err}, qr/is 1, this program needs \d+: run/, 'in words');
	$said = calls(['--state-dir', '/nowhere'], '-tenant_list');
	is($said->{exit}, 69, 'no server of our own');
	like($said->{err}, qr/^partyline:\ no\ database_url\ is\ set,
		\ and\ no\ server\ .*\ runs\ on\ state_dir\ \/nowhere/x,
		'in words');
};

done_testing;
