/* SPDX-License-Identifier: MIT */
/*
 * The line between the master and each of its children: a socket pair that
 * carries small messages, some with a descriptor.
 *
 *	master -> child
 *	  ACCEPT   a listening socket: accept from it (with the descriptor)
 *	  RELEASE  stop accepting from it
 *	  DRAIN	   finish what you have within number milliseconds and leave
 *	  LOG	   write log lines here from now on (with the descriptor)
 *	child -> master
 *	  READY	   the child can do its work
 *	  FULL	   it cannot accept for want of descriptors (number 1), or can
 *		   again (0)
 *
 * Holds always:
 *  1. A message is one packet: whole or not at all.
 *  2. The end of the line is the death of the other side: a child then
 *     finishes and leaves by itself.
 *  3. Sending never blocks. A child that lets the line fill up is broken;
 *     its heartbeat tells.
 */
#ifndef PLAT_CHANNEL_H
#define PLAT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum channel_word { CHANNEL_ACCEPT = 1, CHANNEL_RELEASE, CHANNEL_DRAIN,
    CHANNEL_LOG, CHANNEL_READY, CHANNEL_FULL };

struct channel_message {
	uint32_t	word;		/* enum channel_word */
	uint32_t	kind;		/* of a listener: enum listener_kind */
	uint32_t	listener;	/* which, and of which ordinal */
	uint32_t	ordinal;
	uint32_t	is_shared;	/* others accept from it, too */
	uint32_t	number;
};

enum channel_got { CHANNEL_NOTHING, CHANNEL_GOT, CHANNEL_END };

bool	channel_open(int *master_out, int *child_out);
/* fd: -1 for none; stays the sender's. */
bool	channel_send(int channel, const struct channel_message *message,
	    int fd);
/* Any bytes over any Unix socket, the descriptor with the first of them. */
bool	channel_send_bytes(int socket, const void *at, size_t len, int fd);
/* *fd_out is the receiver's to close, or -1. */
enum channel_got channel_receive(int channel,
	    struct channel_message *message_out, int *fd_out);

#endif
