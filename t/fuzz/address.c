/* SPDX-License-Identifier: MIT */
/*
 * Addresses and networks: what is taken reads back as the same.
 */
#include <stdint.h>

#include "base/address.h"
#include "base/must.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_address(text t)
{
	struct address address, again;
	struct buf out;
	const char *why = NULL;

	if (!address_read(t, &address, &why)) {
		must(why != NULL);
		return;
	}
	buf_init(&out, BUF_NO_LIMIT);
	address_write(&address, &out);
	must(address_read(buf_text(&out), &again, &why));
	must(address_is(&address, &again));
	buf_fini(&out);
}

static void
try_peer(text t)
{
	struct address address, again;
	struct sockaddr_storage storage;
	struct buf out;
	socklen_t len;

	if (!address_read_peer(t, &address))
		return;
	buf_init(&out, BUF_NO_LIMIT);
	address_write(&address, &out);
	must(address_read_peer(buf_text(&out), &again));
	must(address_is(&address, &again));
	buf_fini(&out);
	len = address_to_socket(&address, &storage);
	must(address_from_socket((struct sockaddr *)&storage, len, &again));
	must(address_is(&address, &again));
}

static void
try_network(text t)
{
	struct network network;
	struct networks networks;
	struct address inside;
	const char *why = NULL;

	if (!network_read(t, &network, &why)) {
		must(why != NULL);
		return;
	}
	must(network.bits <= 128);
	networks_init(&networks, t);
	if (!network.is_unix && network.bits >= 96) {
		/* A network's own address is in it. */
		inside = (struct address){ .kind = ADDRESS_IPV6 };
		memcpy(inside.ip, network.ip, sizeof inside.ip);
		must(networks_hold(&networks, &inside));
	}
	networks_fini(&networks);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text t = text_from((const char *)data, size);

	try_address(t);
	try_peer(t);
	try_network(t);
	return (0);
}
