# SPDX-License-Identifier: MIT
package T::Staged;

# Sessions that are put straight into a state, whatever they were.
#
#	T::Staged::flags($db, '1, 2', 'false', 'true');	over, and archived
#	T::Staged::only($db, 1, poll => 1);	the one that is active, voting

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

1;
