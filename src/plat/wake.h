/* SPDX-License-Identifier: MIT */
/*
 * Waking a sleeping process: an eventfd for each slot, written to only if
 * the sleeper's flag is set.
 *
 * Sleeper: wake_before_sleep, look once more at what it waits for, wait,
 * wake_after_sleep; read wake_fd empty when it can be read. Waker: publish
 * first, then wake_slot.
 *
 * Holds always:
 *  1. The eventfds are made by the master before the first fork and stay for
 *     the life of the server: a slot's next owner inherits its own.
 *  2. Nothing is lost: flag and news are ordered by full fences on both
 *     sides, so either the waker sees the flag or the sleeper the news.
 *  3. Whoever reads no rings is never woken for them.
 */
#ifndef PLAT_WAKE_H
#define PLAT_WAKE_H

#include "plat/segment.h"

/* Master: one eventfd for each slot. false, with errno. */
bool	wake_open(const struct segment *segment);
void	wake_close(void);
int	wake_fd(unsigned slot);		/* does not block */
void	wake_slot(struct segment *segment, unsigned slot);

/*
 * Who reads rings says so once; then who wrote to one tells him. Who only
 * wants to hear what his role is told, too.
 */
enum listens { LISTENS_NOT, LISTENS_ROLE, LISTENS_RINGS };
void	wake_listen(struct segment *segment, unsigned slot,
	    enum listens listens);
void	wake_readers_but(struct segment *segment, unsigned slot);
/* The same for who has such a role: what he looks at has changed. */
void	wake_role(struct segment *segment, enum role role);
/* Whether there may be news; asked between wake_before_sleep and waiting. */
bool	wake_take_news(struct segment *segment, unsigned slot);
/* He did not read them out: they are to be taken once more. */
void	wake_has_more(struct segment *segment, unsigned slot);

void	wake_before_sleep(struct segment *segment, unsigned slot);
void	wake_after_sleep(struct segment *segment, unsigned slot);

#endif
