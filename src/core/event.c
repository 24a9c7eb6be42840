/* SPDX-License-Identifier: MIT */
/*
 * Rows of events become records of the ring.
 */
#include "core/event.h"

#include "base/conf.h"
#include "base/count.h"
#include "base/stamp.h"
#include "core/feed.h"
#include "core/legacy.h"
#include "plat/segment.h"
#include "plat/versions.h"
#include "plat/wake.h"

void
event_changed(struct service *service, int32_t tenant)
{
	versions_bump(service->segment, tenant);
}

void
event_put(struct segment *segment, unsigned slot, struct ring_writer *ring,
    struct ring_record *record)
{
	record->to = RING_TO_ALL;
	record->generation = atomic_load(&segment->slots[slot].generation);
	record->told_us = clock_us();
	ring_write(ring, record);
	wake_readers_but(segment, slot);
}

void
event_queued(struct segment *segment, const struct call_row *row)
{
	if (row->is_queued)
		wake_role(segment, ROLE_JOBS);
}

static void
put(struct service *service, struct ring_record *record)
{
	event_put(service->segment, service->slot, &service->ring, record);
}

struct ring_record
event_record(int32_t tenant, const struct call_row *row)
{
	return ((struct ring_record){
		.kind = row->is_live ? RING_LIVE : RING_EVENT,
		.tenant = text_is(row->stream, TEXT("control")) ?
		    TENANT_OF_ALL : tenant,
		.seq = row->seq, .stream = row->stream, .epoch = row->epoch,
		.has_payload = true, .payload = row->body });
}

void
event_tell(struct service *service, int32_t tenant,
    const struct call_row *row)
{
	struct ring_record record = event_record(tenant, row);

	put(service, &record);
	feed_committed(service->feed, record.tenant, row, record.told_us);
	event_queued(service->segment, row);
	COUNT(events);
	if (service->conf->log_legacy)
		legacy_written(row->body);
}

void
event_say(struct service *service, int32_t tenant, text stream, text payload)
{
	struct ring_record record = { .kind = RING_LIVE, .tenant = tenant,
	    .stream = stream, .has_payload = true, .payload = payload };

	put(service, &record);
}

void
event_sweep(struct service *service)
{
	struct ring_record record = { .kind = RING_SWEEP };

	put(service, &record);
	feed_sweep(service->feed);
}
