-- SPDX-License-Identifier: MIT
--
-- Live votes come by the thousand, and to have a row looked up for each of
-- two foreign keys is a fifth of what one costs. They do without: whoever
-- stores one holds its session and its game locked until his commit; whoever
-- removes a session removes its votes; and a game that somebody voted for is
-- not removed.

ALTER TABLE partyline.live_vote
    DROP CONSTRAINT live_vote_session,
    DROP CONSTRAINT game_in_use;

CREATE FUNCTION partyline.keep_voted_game()
RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM partyline.live_vote v
	    WHERE v.tenant_id = old.tenant_id AND v.game_id = old.id) THEN
		RAISE 'somebody voted for game %', old.id
		    USING ERRCODE = '23503', CONSTRAINT = 'game_in_use';
	END IF;
	RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER game_in_use AFTER DELETE ON partyline.game
    FOR EACH ROW EXECUTE FUNCTION partyline.keep_voted_game();

-- Who removes a tenant removes them as well.
CREATE POLICY fleet ON partyline.live_vote TO partyline_fleet USING (true);
GRANT SELECT, DELETE ON partyline.live_vote TO partyline_fleet;
