/* SPDX-License-Identifier: MIT */
/*
 * What can happen in the product, one row each, sorted by name.
 *
 *	EVENT(name, stream, kind, text)
 *
 * stream: the stream that carries it. kind: NUMBERED (stored, gapless) or
 * LIVE (delivered at most once).
 */
