/* SPDX-License-Identifier: MIT */
/*
 * What can happen in the product, as clients are told of it, one row each,
 * sorted by name.
 *
 *	EVENT(name, type, stream, kind, text)
 *
 * type: as the envelope says it. stream: the stream that carries it. kind:
 * NUMBERED (stored, gapless) or LIVE (delivered at most once).
 */
EVENT(custom, "custom.<name>", "session:<id>", NUMBERED,
    "Something that a bot or an overlay tells the others; data is theirs.")
EVENT(game_added, "game.added", "session:<id>", NUMBERED,
    "The session plays another game.")
EVENT(player_count_updated, "player-count.updated", "session:<id>", NUMBERED,
    "How many play a game of the session. gameId is the id of the session's "
    "list, catalogGameId that of the game.")
EVENT(session_ended, "session.ended", "session:<id>", NUMBERED,
    "The session was closed.")
EVENT(session_started, "session.started", "lobby", NUMBERED,
    "A session began.")
