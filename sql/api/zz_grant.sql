-- SPDX-License-Identifier: MIT
--
-- Functions run with the rights of who calls them: what a role may do is
-- said by its rights on tables and by their policies.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA api FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api
    TO partyline_server, partyline_fleet;
