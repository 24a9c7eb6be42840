-- SPDX-License-Identifier: MIT
--
-- Jobs end the polls of all tenants when they are due.

CREATE POLICY fleet ON partyline.session TO partyline_fleet
USING (true);
GRANT SELECT (tenant_id, id, poll_started_at, poll_ending_at,
    poll_leading_game_id, poll_leading_label, poll_leading_votes)
    ON partyline.session TO partyline_fleet;
GRANT UPDATE (poll_started_at, poll_started_text, poll_ending_at,
    poll_ending_text, poll_leading_game_id, poll_leading_label,
    poll_leading_votes)
    ON partyline.session TO partyline_fleet;
