#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# Idempotency-Keys themselves: how long they are kept, which are none, what
# they are not kept for, and whose they are. t/40-rest-idempotency.t has what
# they do.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use T::Client;
use T::Server;
use T::Wait;

my $server = T::Server->start(workers => 1);
my $db     = $server->db;
my $ann    = T::Client->new($server, name => 'Ann');
my $id     = $ann->post('/api/sessions', '{}')->{json}{id};

$ann->post("/api/sessions/$id/close");

sub sql { return $db->query($_[0]) }

sub archived {
	return sql("SELECT archived FROM partyline.session WHERE id = $id");
}

sub unarchive {
	sql("UPDATE partyline.session SET archived = false WHERE id = $id");
	return;
}

subtest 'a key of a day ago' => sub {
	my @ask = ("/api/sessions/$id/archive", '{}',
		'Idempotency-Key' => 'old');

	is($ann->post(@ask)->{status}, 200, 'done');
	unarchive();
	is($ann->post(@ask)->{status}, 200, 'told again');
	is(archived(), 'f', 'but not done');
	sql("UPDATE partyline.idempotency SET at = at - interval '24 hours'
		WHERE key = 'old'");
	is($ann->post(@ask)->{status}, 200, 'done again');
	is(archived(), 't', 'it was forgotten');
};

subtest 'keys that are none' => sub {
	unarchive();
	for my $bad ('', ' ', 'two words', "tab\tbed", "\xc3\xab",
		'x' x 256) {
		refused($ann->post("/api/sessions/$id/archive", '{}',
			'Idempotency-Key' => $bad), 400,
			'idempotency_key_invalid', error => 'Idempotency-Key '
			. 'must be 1 to 255 visible ASCII characters');
	}
	is(archived(), 'f', 'nothing was done');
	for my $good ('x', 'x' x 255, '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~') {
		is($ann->post("/api/sessions/$id/archive", '{}',
			'Idempotency-Key' => $good)->{status}, 200, 'a key');
	}
	is($ann->get('/api/sessions', 'Idempotency-Key' => '')->{status}, 200,
		'to a GET it means nothing');
	my $gone = $ann->post('/api/sessions', '{}')->{json}{id};
	$ann->post("/api/sessions/$gone/close");
	is($ann->delete("/api/sessions/$gone", 'Idempotency-Key' => 'x')
		->{status}, 200, 'to a DELETE neither');
	refused($ann->delete("/api/sessions/$gone", 'Idempotency-Key' => 'x'),
		404, 'session_not_found');
};

subtest 'what is not kept' => sub {
	my $nobody = T::Client->new($server, role => undef);
	my @keyed = ('Idempotency-Key' => 'secret');

	refused($nobody->post('/api/sessions', '{}', @keyed), 401,
		'token_required');
	refused($nobody->post('/api/auth/login', '{"key":"none"}', @keyed),
		401, 'invalid_admin_key') for 1, 2;
	my @tickets = map { $ann->post('/api/auth/ticket',
		'{"stream":"lobby"}', @keyed) } 1, 2;
	is_deeply([map { $_->{status} } @tickets], [201, 201], 'tickets');
	isnt($tickets[0]{json}{ticket}, $tickets[1]{json}{ticket},
		'each is another');
	is($ann->post('/api/auth/verify', '{}', @keyed)->{status}, 200,
		'verify');
	is(sql("SELECT count(*) FROM partyline.idempotency
		WHERE key = 'secret'"), 0, 'nothing is kept of these');
};

subtest 'a tenant knows nothing of the keys of another' => sub {
	my $said = $server->partyline('tenant', 'add', 'den', '--set',
		'database_url=' . $db->url);
	is($said->{exit}, 0, 'a tenant') or diag($said->{err});
	my $den = T::Client->new($server, tenant => 'den', name => 'Ann');
	ok((wait_until {
		$den->get('/api/sessions')->{status} == 200 }), 'is served');
	my ($here, $there) = map { $_->post('/api/sessions',
		'{"notes":"mine"}', 'Idempotency-Key' => 'same') } $ann, $den;
	is("$here->{status} $there->{status}", '201 201', 'both begin one');
	is($there->{json}{id}, 1, 'each has his own');
	refused($den->post('/api/sessions', '{"notes":"other"}',
		'Idempotency-Key' => 'same'), 422, 'idempotency_key_reused');
};

done_testing;
