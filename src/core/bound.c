/* SPDX-License-Identifier: MIT */
/*
 * Three numbers for each client, and what is counted for them.
 */
#include "core/bound.h"

#include "base/conf.h"
#include "core/tenant.h"
#include "core/who.h"
#include "plat/addresses.h"
#include "plat/failures.h"

/* What is counted: numbers of one thing are not those of another. */
enum thing { CONNECTION = 0x434f4e4e, SUBSCRIPTION = 0x53554253 };

static uint64_t
number_of(uint64_t number, int32_t tenant)
{
	uint64_t who = failures_who(number, tenant);

	return (who != 0 ? who : 1);
}

static uint64_t
hash(text t)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < t.len; i++)
		h = (h ^ (unsigned char)t.at[i]) * 0x100000001b3;
	return (h);
}

void
bound_client_set(struct bound_client *client, const struct tenant *tenant,
    text address, const struct caller *caller)
{
	struct address peer;

	*client = (struct bound_client){ .who = { 0 } };
	if (address_read_peer(address, &peer) && peer.kind != ADDRESS_UNIX)
		client->who[RATE_ADDRESS] = number_of(addresses_who(&peer),
		    0);
	client->who[RATE_TENANT] = number_of(RATE_TENANT, tenant->id);
	if (caller != NULL)
		bound_client_become(client, caller);
}

void
bound_client_become(struct bound_client *client, const struct caller *caller)
{
	client->who[RATE_CALLER] = number_of(hash(caller->id),
	    caller->tenant);
}

/* A bound of 0 is none. */
static bool
take(const struct bound_client *client, enum thing thing,
    const int64_t most[RATES], unsigned slot, struct bound_held *held)
{
	*held = (struct bound_held){ .who = { 0 } };
	for (unsigned i = 0; i < RATES; i++) {
		uint64_t who = client->who[i] == 0 ? 0 :
		    number_of(client->who[i] ^ thing, 0);

		if (who == 0 || most[i] == 0)
			continue;
		switch (addresses_take(slot, who, most[i])) {
		case ADDRESS_REFUSED:
			bound_end(held, slot);
			return (false);
		case ADDRESS_COUNTED:
			held->who[i] = who;
			break;
		case ADDRESS_UNCOUNTED:
			break;
		}
	}
	return (true);
}

bool
bound_connection(const struct bound_client *client, unsigned slot,
    const struct conf *conf, struct bound_held *held_out)
{
	const int64_t most[RATES] = {
		[RATE_CALLER] = conf->connections_per_caller };

	return (take(client, CONNECTION, most, slot, held_out));
}

bool
bound_subscription(const struct bound_client *client, unsigned slot,
    const struct conf *conf, struct bound_held *held_out)
{
	const int64_t most[RATES] = {
		[RATE_ADDRESS] = conf->subscriptions_per_address,
		[RATE_CALLER] = conf->subscriptions_per_caller,
		[RATE_TENANT] = conf->subscriptions_per_tenant };

	return (take(client, SUBSCRIPTION, most, slot, held_out));
}

void
bound_end(struct bound_held *held, unsigned slot)
{
	for (unsigned i = 0; i < RATES; i++) {
		if (held->who[i] != 0)
			addresses_give(slot, held->who[i]);
		held->who[i] = 0;
	}
}

bool
bound_message(const struct bound_client *client, const struct conf *conf,
    int64_t now_s, int64_t *reset_s_out)
{
	const int64_t most[RATES] = {
		[RATE_ADDRESS] = conf->messages_per_address,
		[RATE_CALLER] = conf->messages_per_caller,
		[RATE_TENANT] = conf->messages_per_tenant };

	for (unsigned i = 0; i < RATES; i++)
		if (client->who[i] != 0 && !rates_count(i, client->who[i],
		    most[i], now_s, reset_s_out))
			return (false);
	return (true);
}
