/* SPDX-License-Identifier: MIT */
/*
 * URLs of strangers, and addresses: what is taken has a scheme, a port and
 * an address that are allowed, as curl reads it; an address is judged alike
 * through each door.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/mem.h"
#include "jobs/dial_handshake.h"
#include "jobs/guard.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guard *guard;

static void
judge_url(const char *url)
{
	struct dial_target target;
	char why[GUARD_WHY_SIZE] = "";
	const char *words;

	if (guard_takes(guard, url, why))
		must(strncasecmp(url, "http", 4) == 0);
	else
		must(why[0] != '\0');
	if (dial_target_read(url, &target, &words)) {
		/* What is sent is one line, and what connects is judged. */
		must(!text_has(buf_text(&target.ask), '\n') &&
		    !text_has(buf_text(&target.ask), ' ') &&
		    !text_has(buf_text(&target.name), '\n'));
		guard_takes(guard, target.connect.at, why);
	}
	dial_target_fini(&target);
}

static void
judge_address(const uint8_t *data)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
	    .sin6_port = htons(443) };
	struct sockaddr_in in = { .sin_family = AF_INET,
	    .sin_port = htons(443) };
	char ip[INET6_ADDRSTRLEN], why[GUARD_WHY_SIZE];

	memcpy(&in6.sin6_addr, data, 16);
	memcpy(&in.sin_addr, data + 12, 4);
	inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof ip);
	must(guard_allows(guard, (struct sockaddr *)&in6, sizeof in6, why) ==
	    guard_allows_end(guard, ip, 443, why));
	inet_ntop(AF_INET, &in.sin_addr, ip, sizeof ip);
	must(guard_allows(guard, (struct sockaddr *)&in, sizeof in, why) ==
	    guard_allows_end(guard, ip, 443, why));
	must(!guard_allows(guard, (struct sockaddr *)&in6, sizeof in6, why) ||
	    data[0] >> 5 == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *url = mem_alloc(size + 1);

	if (guard == NULL)
		guard = guard_create(conf_create());
	memcpy(url, data, size);
	judge_url(url);
	if (size >= 16)
		judge_address(data);
	mem_free(url);
	return (0);
}
