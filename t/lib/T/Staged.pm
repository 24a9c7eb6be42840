# SPDX-License-Identifier: MIT
package T::Staged;

# Rows that are put straight into a state, whatever they were.
#
#	T::Staged::flags($db, '1, 2', 'false', 'true');	over, and archived
#	T::Staged::only($db, 1, poll => 1);	the one that is active, voting
#	T::Staged::webhooks($db, 1, 2);		one a session, with a delivery

use strict;
use warnings;

sub flags {
	my ($db, $ids, $active, $archived) = @_;

	$db->query("UPDATE partyline.session SET is_active = $active,
		closed_at = CASE WHEN NOT $active THEN now() END,
		closed_text = CASE
		WHEN NOT $active THEN created_text END, archived = $archived,
		poll_started_at = NULL, poll_started_text = NULL,
		poll_ending_at = NULL, poll_ending_text = NULL
		WHERE id IN ($ids)");
	return;
}

# Only this one is active; and its poll runs, or will end.
sub only {
	my ($db, $session, %set) = @_;

	flags($db, 'SELECT id FROM partyline.session', 'false', 'false');
	flags($db, $session, 'true', 'false');
	$db->query("UPDATE partyline.session SET poll_started_at = now(),
		poll_started_text = created_text WHERE id = $session")
	    if $set{poll};
	$db->query("UPDATE partyline.session SET poll_ending_at = now()
		+ interval '1 day', poll_ending_text = created_text
		WHERE id = $session") if $set{ends};
	return;
}

# Webhooks of the same ids as the sessions, each with a delivery that nobody
# tries to send.
sub webhooks {
	my ($db, @ids) = @_;
	my $ids = join ', ', @ids;

	$db->query("INSERT INTO partyline.webhook (tenant_id, id, name, url,
		secret, events, enabled, created_at, created_text) SELECT 1,
		id, 'x', 'http://x.invalid/', 'x', '{}', false, created_at,
		created_text
		FROM partyline.session WHERE id IN ($ids)");
	$db->query("INSERT INTO partyline.webhook_queue (tenant_id, webhook_id,
		deliveries) SELECT 1, id, 1 FROM partyline.webhook");
	$db->query("INSERT INTO partyline.webhook_delivery (tenant_id,
		webhook_id, id, message, event, payload, state, created_at,
		queued_at) SELECT 1, id, 1, 'msg_1', 'custom.x', '{}', 'dead',
		now(), now() FROM partyline.webhook");
	$db->query("INSERT INTO partyline.counter
		SELECT 1, 'webhook', max(id) FROM partyline.webhook");
	return;
}

# Of a noun of the tabletop those rows that a test makes: how they are undone,
# looked for, counted and waited for.
sub at_table {
	my ($db, $noun, $which) = @_;
	my $rows = "FROM partyline.tabletop_$noun WHERE $which";
	my $last = "FROM partyline.counter WHERE noun = 'tabletop_$noun'";

	return (
		undo  => sub { $db->query("DELETE $rows") },
		done  => sub { $db->query("SELECT count(*) $rows") },
		count => "SELECT last $last",
		lock  => "SELECT $last FOR UPDATE",
	);
}

# How each POST of the tabletop is made possible, and looked for; $id is the
# session that the others wait for.
sub tabletop {
	my ($db, $id) = @_;
	my %session = (never => undef, lock =>
		"SELECT FROM partyline.tabletop_session WHERE id = $id
		FOR UPDATE");

	return (
	tabletop_encounter_create => {
		at_table($db, 'encounter', 'id > 0'), %session,
		body => ['{"name":"x"}', '{"name":"y"}'],
		done => sub { $db->query("SELECT count(*) FROM
			partyline.tabletop_encounter
			WHERE session_id = $_[0]") },
	},
	tabletop_member_add => {
		at_table($db, 'member', 'user_id > 0'), %session,
		body => ['{"userId":1}', '{"userId":2}'],
		done => sub { $db->query("SELECT count(*) FROM
			partyline.tabletop_member WHERE session_id = $_[0]") },
		count => "SELECT count(*) FROM partyline.event
			WHERE type = 'member-added'",
	},
	tabletop_session_create => {
		at_table($db, 'session', "name = 'x'"),
		body  => ['{"name":"x"}', '{"name":"y"}'],
		never => undef,
	},
	tabletop_user_create => {
		at_table($db, 'user', "name = 'Key'"),
		body => [map { qq({"name":"Key","password":"$_"}) } 1, 2],
		never => sub { $db->query("INSERT INTO partyline.tabletop_user
			SELECT 1, 1000, 'Key', 'x', false, now(), 'x'") },
		refused => 409,
	},
	);
}

1;
