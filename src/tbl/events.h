/* SPDX-License-Identifier: MIT */
/*
 * What can happen in the product, as clients are told of it, one row each,
 * sorted by name.
 *
 *	EVENT(name, type, stream, kind, text)
 *
 * type: as the envelope says it. stream: the stream that carries it; one that
 * comes in two has a comma between. kind: NUMBERED (stored, gapless) or LIVE
 * (delivered at most once). NUMBERED_FLAT has its sessionId beside `data`,
 * too, where clients of today look for it.
 */
EVENT(analysis_update, "analysis_update", "thread:<id>", NUMBERED,
    "What a responder thinks, for the thread's sockets.")
EVENT(chat_message, "chat-message", "table:<id>, user:<id>", NUMBERED,
    "What was said to a session of the tabletop, or to a user.")
EVENT(custom, "custom.<name>", "session:<id>", NUMBERED,
    "Something that a bot or an overlay tells the others; data is theirs.")
EVENT(encounter_created, "encounter-created", "table:<id>", NUMBERED,
    "A session of the tabletop has one more encounter.")
EVENT(game_added, "game.added", "session:<id>", NUMBERED,
    "The session plays another game.")
EVENT(game_dismissed, "game.dismissed", "session:<id>", NUMBERED,
    "The game that was selected is not, any more.")
EVENT(game_ended, "game.ended", "session:<id>", NUMBERED,
    "The game in a room that is watched is over.")
EVENT(game_picked, "game.picked", "session:<id>", NUMBERED,
    "A game was selected, to be added soon.")
EVENT(game_started, "game.started", "session:<id>", NUMBERED,
    "The game in a room that is watched began.")
EVENT(game_status, "game.status", "session:<id>", LIVE,
    "How a room that is watched is, again and again.")
EVENT(knowledge, "knowledge", "thread:<id>", NUMBERED,
    "What a responder found, for the thread's sockets.")
EVENT(learning_intent, "learning_intent", "thread:<id>", NUMBERED,
    "What a responder takes a lesson for, for the thread's sockets.")
EVENT(learning_knowledge, "learning_knowledge", "thread:<id>", NUMBERED,
    "What a responder has learned, for the thread's sockets.")
EVENT(lobby_player_joined, "lobby.player-joined", "session:<id>", NUMBERED,
    "Somebody joined a room that is watched.")
EVENT(lobby_updated, "lobby.updated", "session:<id>", NUMBERED,
    "A room that is watched waits for its game in another way than before.")
EVENT(login_ended, "login-ended", "user:<id>", NUMBERED,
    "A user has logged out; sockets of that login are closed.")
EVENT(member_added, "member-added", "table:<id>", NUMBERED,
    "Somebody may play in a session of the tabletop.")
EVENT(member_removed, "member-removed", "table:<id>", NUMBERED,
    "Somebody may not play in it any more.")
EVENT(next_action, "next_action", "thread:<id>", NUMBERED,
    "What a responder would do next, for the thread's sockets.")
EVENT(player_count_updated, "player-count.updated", "session:<id>", NUMBERED,
    "How many play a game of the session. gameId is the id of the session's "
    "list, catalogGameId that of the game.")
EVENT(poll_ending, "poll.ending", "session:<id>", NUMBERED,
    "A poll will end, and when.")
EVENT(poll_ending_cancelled, "poll.ending.cancelled", "session:<id>", NUMBERED,
    "A poll goes on after all.")
EVENT(poll_leading, "poll.leading", "session:<id>", LIVE,
    "Who is in front in a poll.")
EVENT(poll_start, "poll.start", "session:<id>", NUMBERED_FLAT,
    "A poll began.")
EVENT(room_connected, "room.connected", "session:<id>", NUMBERED,
    "A room that is to be watched was found, and who is in it.")
EVENT(room_disconnected, "room.disconnected", "session:<id>", NUMBERED,
    "A room is watched no more, and why.")
EVENT(session_ended, "session.ended", "session:<id>", NUMBERED,
    "The session was closed.")
EVENT(session_started, "session.started", "lobby", NUMBERED,
    "A session began.")
EVENT(session_updated, "session-updated", "table:<id>", NUMBERED,
    "A session of the tabletop was changed.")
EVENT(token_created, "token:created", "table:<id>", NUMBERED,
    "A token was put into an encounter.")
EVENT(token_deleted, "token:deleted", "table:<id>", NUMBERED,
    "A token was taken away.")
EVENT(token_moved, "token:moved", "table:<id>", NUMBERED,
    "A token was moved.")
EVENT(token_updated, "token:updated", "table:<id>", NUMBERED,
    "A token was changed.")
EVENT(turn_ended, "turn.ended", "thread:<id>", NUMBERED,
    "A turn of a thread has its answer, or will not get one.")
EVENT(turn_said, "turn.said", "thread:<id>", NUMBERED,
    "A piece of a turn's answer, for who asked.")
EVENT(turn_started, "turn.started", "thread:<id>", NUMBERED,
    "The responder is asked; another time, where a host died.")
EVENT(user_joined, "user-joined", "table:<id>", NUMBERED,
    "Somebody came to the table, with that socket.")
EVENT(user_left, "user-left", "table:<id>", NUMBERED,
    "Somebody has left the table, or his connection is gone.")
EVENT(vote_received, "vote.received", "session:<id>", NUMBERED,
    "Somebody voted for a game, live.")
EVENT(voting_ended, "voting.ended", "session:<id>", NUMBERED,
    "A poll ended, and who won.")
EVENT(webhook_disabled, "webhook.disabled", "lobby", NUMBERED,
    "The server sends nothing to a webhook any more, until somebody enables "
    "it.")
