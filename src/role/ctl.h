/* SPDX-License-Identifier: MIT */
/*
 * The client's side of the control socket (role/control.h has the server's
 * and the words).
 *
 * Holds always:
 *  1. It waits for at most CTL_WAIT_MS for each piece of the answer.
 *  2. state_dir may be longer than a socket's path: its folder is opened,
 *     and the socket reached below the descriptor.
 *  3. What went wrong was told on standard error when an exit code other
 *     than EX_OK comes back: EX_UNAVAILABLE where no server answers,
 *     EX_NOPERM where we may not ask, EX_DATAERR where it refused.
 *
 *	struct ctl_answer answer;
 *	int exit_code = ctl_ask(command, TEXT("log level"), &answer);
 *	if (exit_code == EX_OK) ...
 *	ctl_answer_fini(&answer);
 */
#ifndef ROLE_CTL_H
#define ROLE_CTL_H

#include "base/buf.h"

struct command;
struct json_object;

#define CTL_WAIT_MS 5000

struct ctl_answer {
	struct buf		 line;
	struct json_object	*json;
	int			 fd;	/* handed over; -1: none */
};

/* Takes the words of a line; the answer is to be given back in any case. */
int	ctl_ask(const struct command *command, text words,
	    struct ctl_answer *answer_out);
void	ctl_answer_fini(struct ctl_answer *answer);

#endif
