/* SPDX-License-Identifier: MIT */
/*
 * The service manager's two protocols, through libsystemd where the build
 * has it.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "role/notify.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/stamp.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

void
notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void
notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_us());
}

void
notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void
notify_take_listeners(struct listeners *listeners,
    unsigned counts_out[LISTEN_ADMIN + 1])
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);

	memset(counts_out, 0, (LISTEN_ADMIN + 1) * sizeof counts_out[0]);
	for (int i = 0; i < count; i++) {
		enum listener_kind kind = LISTEN_FRONT;

		if (strcmp(names[i], "tls") == 0)
			kind = LISTEN_TLS;
		else if (strcmp(names[i], "admin") == 0)
			kind = LISTEN_ADMIN;
		listeners_add_inherited(listeners, kind,
		    SD_LISTEN_FDS_START + i);
		counts_out[kind]++;
		log_info("listening socket handed over",
		    F("name", names[i]));
		free(names[i]);
	}
	free(names);
}
#else
void
notify_ready(void)
{
}

void
notify_reloading(void)
{
}

void
notify_stopping(void)
{
}

void
notify_take_listeners(struct listeners *listeners,
    unsigned counts_out[LISTEN_ADMIN + 1])
{
	(void)listeners;
	memset(counts_out, 0, (LISTEN_ADMIN + 1) * sizeof counts_out[0]);
}
#endif
