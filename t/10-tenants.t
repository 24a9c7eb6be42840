#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# partyline tenant: what it does to a real database, what it refuses, and
# that a refusal leaves everything as it was.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use T::Command;
use T::Sql;

my $json = JSON::PP->new->utf8->canonical;
my $db   = T::Sql->database;

sub tenant {
	my (@words) = @_;

	return partyline('tenant', @words, '--set', 'database_url=' . $db->url);
}

# What it says in JSON, after nothing was complained of.
sub told {
	my (@words) = @_;
	my $said = tenant(@words, '--json');

	is($said->{exit}, 0, "tenant @words") or diag($said->{err});
	is($said->{err}, '', 'nothing to complain of');
	return $json->decode($said->{out} || '{}');
}

# Everything that a tenant command may change.
sub everything {
	return $db->query(q{SELECT json_agg(t ORDER BY id) FROM
		partyline.tenant t}) . $db->query(q{SELECT json_agg(h ORDER BY
		host) FROM partyline.tenant_host h})
	    . $db->query('SELECT count(*) FROM partyline.event');
}

sub refused {
	my ($exit, $pattern, @words) = @_;
	my $before = everything();
	my $said   = tenant(@words);
	my $name   = join ' ', 'tenant', @words;

	is($said->{exit}, $exit, "$name: exit code");
	like($said->{err}, $pattern, "$name: told");
	is($said->{out}, '', "$name: nothing else");
	is(everything(), $before, "$name: nothing done");
	return;
}

subtest 'added, shown, listed' => sub {
	my $said = tenant('add', 'alpha', '--host', 'A.Example:80', '--host',
		'[2001:DB8:0::1]');
	is($said->{exit}, 0, 'exit code') or diag($said->{err});
	like($said->{out}, qr/\Atenant alpha, id 2, of \d{4}-.*Z\n/, 'id');
	like($said->{out}, qr/^hosts +2001:db8::1 a\.example$/m,
		'hosts as they are looked for');
	like($said->{out}, qr/^max_requests$/m, 'no limit');
	like($said->{out}, qr/^origins +\*$/m, 'any origin');
	like($said->{out}, qr/^public_read +on$/m, 'reads are public');
	is(tenant('show', 'alpha')->{out}, $said->{out}, 'shown the same');
	is(tenant('list')->{out}, "alpha 2001:db8::1 a.example\ndefault\n",
		'listed');

	my $beta = told('add', 'beta');
	is($beta->{slug}, 'beta', 'for programs');
	is_deeply($beta->{hosts}, [], 'without hosts');
	is_deeply(told('show', 'beta'), $beta, 'shown the same');
	is_deeply([map { $_->{slug} } @{ told('list') }],
		[qw(alpha beta default)], 'listed');
	is($db->query(q{SELECT string_agg(type, ' ' ORDER BY seq) FROM
		partyline.event WHERE stream = 'control'}),
		'tenant.added tenant.added', 'workers are told');
	is($db->query('SELECT count(*) FROM partyline.stream'
		. q{ WHERE name = 'lobby'}), 3, 'each has a lobby');
};

subtest 'settings' => sub {
	my $said = tenant('set', 'alpha', 'max_requests=600',
		'max_storage=2GiB', 'max_connections=0', 'max_events=70',
		'retention_days=30', 'retention_events=5000',
		'public_read=off', 'threads=off',
		'hosts=b.example  c.example.',
		'origins=https://a.example http://127.0.0.1:5173');
	is($said->{exit}, 0, 'exit code') or diag($said->{err});
	is($said->{out} =~ s/^tenant.*\n//r, <<'END', 'all of them');
hosts            b.example c.example
max_connections  0
max_events       70
max_requests     600
max_storage      2GiB
origins          https://a.example http://127.0.0.1:5173
public_read      off
responder_url
retention_days   30
retention_events 5000
threads          off
END
	my $alpha = told('show', 'alpha');
	is($alpha->{max_storage}, 2147483648, 'in bytes for programs');
	ok(!$alpha->{public_read}, 'a boolean too');

	$alpha = told('set', 'alpha', 'max_requests=', 'max_storage=',
		'hosts=', 'origins=', 'retention_days=', 'max_connections=',
		'retention_events=', 'max_events=', 'public_read=on',
		'threads=on');
	is_deeply($alpha, { id => 2, slug => 'alpha', hosts => [],
		origins => ['*'], public_read => JSON::PP::true,
		threads => JSON::PP::true,
		created_at => $alpha->{created_at}, map { $_ => undef }
		qw(max_connections max_events max_requests max_storage
		responder_url retention_days retention_events) },
		'empty values take all of it away');
	is($db->query(q{SELECT string_agg(type || (payload::json->>'data'), ' '
		ORDER BY seq) FROM partyline.event WHERE stream = 'control'
		AND type <> 'tenant.added'}),
		join(' ', ('tenant.changed{"tenant":2}') x 2),
		'workers are told');

	is(told('set', 'default', 'max_requests=10')->{max_requests}, 10,
		'of the default tenant');
	is(told('set', 'default', 'hosts=a.example')->{hosts}[0], 'a.example',
		'a host that became free');
};

subtest 'refused' => sub {
	refused(65, qr/no setting "max_request"; did you mean max_requests\?/,
		'set', 'alpha', 'max_request=7');
	refused(65, qr/no setting "id"; there are hosts max_conn.* retention/,
		'set', 'alpha', 'id=7');
	refused(65, qr/^partyline: max_events: "many" is not a whole number$/m,
		'set', 'alpha', 'max_requests=7', 'max_events=many');
	refused(65, qr/^partyline: max_requests: "-1" is not a whole number$/m,
		'set', 'alpha', 'max_requests=-1');
	refused(65, qr/max_requests: "2147483648" is too large/, 'set', 'alpha',
		'max_requests=2147483648');
	refused(65, qr/max_storage: "1TiB" has an unknown unit/, 'set', 'alpha',
		'max_storage=1TiB');
	refused(65, qr/public_read: "maybe" is neither on nor off/, 'set',
		'alpha', 'public_read=maybe');
	refused(65, qr/retention_days: "0" is too small/, 'set', 'alpha',
		'retention_days=0');
	refused(65, qr/hosts: "https:.*" is no host/, 'set', 'alpha',
		'hosts=https://a.example');
	refused(65, qr/hosts: "a,b" is no host/, 'set', 'alpha', 'hosts=a,b');
	refused(65, qr/hosts: "a\\b" is no host/, 'set', 'alpha', 'hosts=a\\b');
	refused(65, qr/origins: "a\.example" is no origin/, 'set', 'alpha',
		'origins=* a.example');
	refused(65, qr/origins: "https:.*" is no origin/, 'set', 'alpha',
		'origins=https://a.example/');
	refused(65, qr/origins: there can be 64$/m, 'set', 'alpha',
		'origins=' . join ' ', map { "https://h$_.example" } 1 .. 65);
	# All that is wrong is told at once.
	refused(65, qr/max_events: .*\n.*public_read: /, 'set', 'alpha',
		'max_events=x', 'max_requests=1', 'public_read=x');
	refused(65, qr/^partyline: Another tenant has this host$/m, 'set',
		'alpha', 'max_requests=1', 'hosts=b.example a.EXAMPLE');
	refused(65, qr/^partyline: Another tenant has this host$/m, 'add',
		'gamma', '--host', 'a.example.');
	refused(65, qr/--host: "a b" is no host/, 'add', 'gamma', '--host',
		'a b');
	refused(65, qr/^partyline: A tenant has this name$/m, 'add', 'alpha');
	refused(65, qr/^partyline: A tenant's name has 1 to 63 of a-z/m, 'add',
		$_) for 'Alpha', 'a_b', '', 'a' x 64;
	refused(65, qr/^partyline: Tenant not found$/m, @$_)
	    for ['show', 'nobody'], ['set', 'nobody', 'max_events=1'],
	    ['remove', 'nobody'], ['remove', 'nobody', '--yes'], ['show', ''];
	refused(65, qr/^partyline: The default tenant cannot be removed$/m,
		'remove', 'default', '--yes');
};

subtest 'how it is not used' => sub {
	refused(64, qr/^usage: partyline tenant add SLUG /m, @$_)
	    for [], ['ad'], ['add'], ['add', 'a', 'b'], ['list', 'x'],
	    ['show'], ['set', 'alpha'], ['set', 'alpha', 'max_events'],
	    ['remove'], ['add', 'gamma', '--yes'],
	    ['show', 'alpha', '--host', 'x.example'];
	refused(64, qr/only tenant remove takes --yes/, 'list', '--yes');
	refused(64, qr/"7" is not NAME=VALUE/, 'set', 'alpha', 'max_events=1',
		'7');
};

subtest 'removed' => sub {
	$db->query(q{INSERT INTO partyline.stream (tenant_id, name) VALUES
		(3, 'session:1'), (3, 'session:2')});
	$db->query(q{INSERT INTO partyline.event (tenant_id, stream, seq, type,
		payload, at) VALUES (3, 'session:1', 1, 'x', '{}', now())});
	told('set', 'beta', 'hosts=beta.example');

	my $before = everything();
	my $said   = tenant('remove', 'beta');
	is($said->{exit}, 64, 'not without --yes');
	is($said->{out}, 'tenant beta would be removed, with all that is its:'
		. " hosts 1, admins 0, sessions 2, events 1\n",
		'what would go');
	like($said->{err}, qr/nothing was done; --yes does it/, 'told');
	is(everything(), $before, 'nothing is done');
	$said = tenant('remove', 'beta', '--json');
	is($said->{exit}, 64, 'nor for programs');
	is_deeply($json->decode($said->{out}), { id => 3, slug => 'beta',
		hosts => 1, admins => 0, sessions => 2, events => 1 },
		'in numbers');

	is(tenant('remove', 'beta', '--yes')->{out},
		"tenant beta was removed\n", 'with it');
	is($db->query("SELECT count(*) FROM partyline.$_ WHERE tenant_id = 3"),
		0, "no $_ is left") for qw(stream event tenant_host);
	refused(65, qr/^partyline: Tenant not found$/m, 'show', 'beta');
	is_deeply(told('remove', 'alpha', '--yes'), { id => 2 },
		'for programs');
	is(tenant('list')->{out}, "default a.example\n", 'the others stay');
	cmp_ok(told('add', 'beta', '--host', 'beta.example')->{id}, '>', 3,
		'its name and host are free, its id is not');
};

subtest 'where there is no database' => sub {
	my $said = partyline('tenant', 'list', '--set',
		'database_url=postgresql://nobody@127.0.0.1:1/none');
	is($said->{exit}, 69, 'exit code');
	like($said->{err}, qr/^partyline: the database cannot be used: \S/m,
		'told');
	$said = partyline('tenant', 'list', '--set', 'workers=x');
	is($said->{exit}, 78, 'a bad configuration');
};

done_testing;
