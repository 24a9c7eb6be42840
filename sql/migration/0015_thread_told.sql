-- SPDX-License-Identifier: MIT
--
-- What waits for a thread's sockets is what its stream has behind the last
-- number that any of them was told.

ALTER TABLE partyline.tenant ADD threads boolean NOT NULL DEFAULT true;

-- told: that number. dropped: how many messages were never delivered, being
-- more than a thread may keep. claimed_to: up to where a socket of claimed_by
-- ("host slot.generation"), called claimed_sid, is being told what waited.
ALTER TABLE partyline.thread
    ADD told bigint NOT NULL DEFAULT 0,
    ADD dropped bigint NOT NULL DEFAULT 0,
    ADD claimed_to bigint NOT NULL DEFAULT 0,
    ADD claimed_until timestamptz,
    ADD claimed_by text,
    ADD claimed_sid text;
-- What was said to sockets that came before this was theirs.
UPDATE partyline.thread t SET told = s.head FROM partyline.stream s
WHERE s.tenant_id = t.tenant_id AND s.name = 'thread:' || t.id;
