/* SPDX-License-Identifier: MIT */
/*
 * The steps of the boot, each one thing the server stands on. What fails
 * here ends the start, with a line that says what, why and what to do.
 */
#include "role/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "plat/addresses.h"
#include "plat/failures.h"
#include "plat/rates.h"
#include "plat/slide.h"
#include "plat/tenant_places.h"
#include "plat/wake.h"
#include "role/notify.h"

/* Makes the folder and those above it, as mkdir -p does. */
static int
make_folders(const char *path)
{
	char *copy = mem_copy_string(path);
	int made = 0;

	for (char *at = copy + 1; made == 0; at++) {
		char was = *at;

		if (was != '/' && was != '\0')
			continue;
		*at = '\0';
		made = mkdir(copy, 0700);
		if (made != 0 && errno == EEXIST)
			made = 0;
		*at = was;
		if (was == '\0')
			break;
	}
	mem_free(copy);
	return (made);
}

static void
lock_state_dir(struct server *server)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char pid[24];

	server->lock = openat(server->state_dir, "lock",
	    O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (server->lock < 0)
		die(EX_CANTCREAT, "state_dir %s: its lock cannot be made: %s; "
		    "is the folder yours and writable?",
		    server->conf->state_dir, strerror(errno));
	if (fcntl(server->lock, F_SETLK, &lock) != 0) {
		lock.l_type = F_WRLCK;
		lock.l_pid = 0;
		fcntl(server->lock, F_GETLK, &lock);
		die(EX_TEMPFAIL, "state_dir %s is in use by the server with "
		    "pid %d; stop that one, or give this one another "
		    "state_dir", server->conf->state_dir, (int)lock.l_pid);
	}
	snprintf(pid, sizeof pid, "%d\n", (int)getpid());
	if (ftruncate(server->lock, 0) != 0 ||
	    pwrite(server->lock, pid, strlen(pid), 0) < 0)
		die(EX_IOERR, "state_dir %s: its lock cannot be written: %s; "
		    "is the disk full?", server->conf->state_dir,
		    strerror(errno));
}

void
boot_state_dir(struct server *server)
{
	const char *path = server->conf->state_dir;

	if (make_folders(path) != 0)
		die(EX_CANTCREAT, "state_dir %s cannot be made: %s; make it, "
		    "or set state_dir to a folder of yours", path,
		    strerror(errno));
	server->state_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (server->state_dir < 0)
		die(EX_CANTCREAT, "state_dir %s cannot be opened: %s", path,
		    strerror(errno));
	lock_state_dir(server);
}

static int
open_log(const struct conf *conf)
{
	if (conf->log_file[0] == '\0')
		return (fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
	return (open(conf->log_file,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
}

void
boot_log(struct server *server)
{
	enum log_level level = LOG_INFO;

	server->log_fd = open_log(server->conf);
	if (server->log_fd < 0)
		die(EX_CANTCREAT, "log_file %s cannot be opened: %s",
		    server->conf->log_file, strerror(errno));
	log_level_named(text_of(server->conf->log_level), &level);
	atomic_store(&server->segment->log_level, level);
	log_use(server->log_fd, "master", &server->segment->log_level);
}

bool
server_reopen_log(struct server *server)
{
	int fd = open_log(server->conf);

	if (fd < 0) {
		log_error("log_file cannot be opened",
		    F("file", server->conf->log_file),
		    F("why", strerror(errno)));
		return (false);
	}
	log_use_fd(fd);
	close(server->log_fd);
	server->log_fd = fd;
	children_use_log(server);
	log_info("log opened anew");
	return (true);
}

/*
 * Another id with each start: what an earlier one told is not ours. The
 * number is the option's, or as random.
 */
static void
name_host(struct segment *segment, const struct conf *conf)
{
	uint64_t id;

	secret_fill(&id, sizeof id);
	snprintf(segment->host, sizeof segment->host, "%016" PRIx64, id);
	segment->host_number = (uint16_t)(conf->host_number != 0 ?
	    conf->host_number : (int64_t)(id & UINT16_MAX));
}

void
boot_segment(struct server *server)
{
	const struct conf *conf = server->conf;

	server->segment = segment_create((unsigned)conf->max_processes,
	    (size_t)conf->ring_size, (size_t)conf->ring_record_max,
	    &server->segment_fd);
	if (server->segment == NULL)
		die(EX_OSERR, "the shared segment cannot be made: %s; lower "
		    "ring_size or max_processes, or give the system more "
		    "memory", strerror(errno));
	if (!wake_open(server->segment))
		die(EX_OSERR, "no descriptors left for %lld processes: %s; "
		    "raise the limit of open files (ulimit -n)",
		    (long long)conf->max_processes, strerror(errno));
	if (!addresses_open((unsigned)conf->max_processes,
	    conf->connections))
		die(EX_OSERR, "no memory to count clients by address: %s; "
		    "lower connections or max_processes", strerror(errno));
	if (!failures_open() || !rates_open() || !slides_open() ||
	    !tenant_places_open((unsigned)conf->max_processes,
	    conf->tenant_places))
		die(EX_OSERR, "no memory to count what tenants use: %s; lower "
		    "tenant_places or max_processes", strerror(errno));
	name_host(server->segment, conf);
	fault_use(&server->segment->faults);
	if (segment_give_slot(server->segment, ROLE_MASTER, 0) != 0)
		must_never("the first slot is the master's");
	atomic_store(&server->segment->slots[0].pid, getpid());
	counts = &server->segment->slots[0].counts;
	must_record_in(server->segment->slots[0].panic);
	ring_writer_init(&server->ring, segment_ring(server->segment, 0));
}

unsigned
workers_wanted(const struct conf *conf)
{
	unsigned most = (unsigned)(conf->max_processes - 4) / 2;
	cpu_set_t cores;
	int count = 1;

	if (conf->workers != 0)
		return ((unsigned)conf->workers);
	if (sched_getaffinity(0, sizeof cores, &cores) == 0)
		count = CPU_COUNT(&cores);
	return ((unsigned)count < most ? (unsigned)count : most);
}

void
boot_listeners(struct server *server)
{
	const struct conf *conf = server->conf;
	const char *hosts[] = { [LISTEN_FRONT] = conf->listen,
	    [LISTEN_TLS] = conf->tls_listen,
	    [LISTEN_ADMIN] = conf->admin_listen };
	unsigned handed_over[LISTEN_ADMIN + 1];
	struct buf problems;
	bool is_good = true;

	buf_init(&problems, BUF_NO_LIMIT);
	listeners_init(&server->listeners);
	notify_take_listeners(&server->listeners, handed_over);
	for (unsigned kind = LISTEN_FRONT; kind <= LISTEN_ADMIN; kind++)
		if (handed_over[kind] == 0)
			is_good = listeners_add(&server->listeners, kind,
			    hosts[kind], server->state_dir, &problems) &&
			    is_good;
	if (is_good)
		is_good = listeners_resize(&server->listeners,
		    workers_wanted(conf), &problems);
	if (!is_good) {
		fputs(buf_text(&problems).at, stderr);
		exit(EX_UNAVAILABLE);
	}
	buf_fini(&problems);
}
