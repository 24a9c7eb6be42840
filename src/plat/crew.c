/* SPDX-License-Identifier: MIT */
/*
 * Threads that take jobs from one list and put them on another. The mutex
 * guards both lists and nothing else; all other members are the loop's.
 */
#include "plat/crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/count.h"
#include "base/mem.h"

/* OpenSSL's first call reads its configuration; sanitizers want more. */
#define STACK_SIZE (512 * 1024)

struct jobs {
	struct crew_job	 *first;
	struct crew_job	**end;
};

struct crew {
	unsigned		 magic;
#define CREW_MAGIC 0x63726577
	unsigned		 threads_most;
	unsigned		 threads_count;
	unsigned		 jobs_most;
	unsigned		 jobs_count;	/* taken and not told of */
	bool			 is_telling;
	int			 fd;		/* 1: something ended */
	struct loop_watch	*watch;
	pthread_mutex_t		 mutex;
	pthread_cond_t		 news;		/* a job came, or the end */
	struct jobs		 waiting;
	struct jobs		 ended;
	bool			 is_ending;
	pthread_t		 threads[CREW_THREADS_MAX];
};

static void
jobs_init(struct jobs *jobs)
{
	jobs->first = NULL;
	jobs->end = &jobs->first;
}

static void
jobs_add(struct jobs *jobs, struct crew_job *job)
{
	job->next = NULL;
	*jobs->end = job;
	jobs->end = &job->next;
}

static struct crew_job *
jobs_take(struct jobs *jobs)
{
	struct crew_job *job = jobs->first;

	if (job != NULL && (jobs->first = job->next) == NULL)
		jobs->end = &jobs->first;
	return (job);
}

static void
crew_lock(struct crew *crew)
{
	int error = pthread_mutex_lock(&crew->mutex);

	must(error == 0);
}

static void
crew_unlock(struct crew *crew)
{
	int error = pthread_mutex_unlock(&crew->mutex);

	must(error == 0);
}

/* The next job, or NULL where there will be no more. */
static struct crew_job *
wait_for_job(struct crew *crew)
{
	while (crew->waiting.first == NULL && !crew->is_ending)
		pthread_cond_wait(&crew->news, &crew->mutex);
	return (crew->is_ending ? NULL : jobs_take(&crew->waiting));
}

static void *
thread_main(void *context)
{
	struct crew *crew = object_cast(struct crew, CREW_MAGIC, context);
	struct crew_job *job;
	uint64_t one = 1;

	crew_lock(crew);
	while ((job = wait_for_job(crew)) != NULL) {
		crew_unlock(crew);
		job->work(job->context);
		crew_lock(crew);
		/* Whoever ends first tells; the loop takes all there is. */
		if (crew->ended.first == NULL) {
			ssize_t written = write(crew->fd, &one, sizeof one);

			must(written == sizeof one);
		}
		jobs_add(&crew->ended, job);
	}
	crew_unlock(crew);
	return (NULL);
}

static void
on_ended(struct crew *crew)
{
	struct jobs ended;
	struct crew_job *job;
	uint64_t count;
	ssize_t got;

	/* Before the list: what ends after this wakes us again. */
	got = read(crew->fd, &count, sizeof count);
	must(got == sizeof count || errno == EAGAIN);
	crew_lock(crew);
	ended = crew->ended;
	jobs_init(&crew->ended);
	crew_unlock(crew);
	crew->is_telling = true;
	while ((job = ended.first) != NULL) {
		/* The job is its owner's again: look ahead first. */
		ended.first = job->next;
		crew->jobs_count--;
		job->done(job->context);
	}
	crew->is_telling = false;
}

/* Signals are for the loop, except those that mean this thread is broken. */
static bool
start_thread(struct crew *crew)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	int error;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&crew->threads[crew->threads_count],
	    &attributes, thread_main, crew);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (error == 0)
		crew->threads_count++;
	return (error == 0);
}

void
crew_job_init_checked(struct crew_job *job, void (*work)(void *),
    void (*done)(void *), void *context)
{
	*job = (struct crew_job){ work, done, context, NULL };
}

struct crew *
crew_create(struct loop *loop, unsigned threads, unsigned queue_most)
{
	struct crew *crew;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	must(threads > 0 && threads <= CREW_THREADS_MAX);
	if (fd < 0)
		return (NULL);
	crew = object_create(struct crew, CREW_MAGIC);
	crew->fd = fd;
	crew->threads_most = threads;
	crew->jobs_most = threads + queue_most;
	jobs_init(&crew->waiting);
	jobs_init(&crew->ended);
	pthread_mutex_init(&crew->mutex, NULL);
	pthread_cond_init(&crew->news, NULL);
	crew->watch = loop_watch_readable(loop, fd, on_ended, crew);
	if (crew->watch == NULL) {
		int error = errno;

		crew_destroy(&crew);
		errno = error;
	}
	return (crew);
}

void
crew_destroy(struct crew **given)
{
	struct crew *crew = *given;

	*given = NULL;
	if (crew == NULL)
		return;
	object_check(crew, CREW_MAGIC);
	must(!crew->is_telling);
	crew_lock(crew);
	crew->is_ending = true;
	pthread_cond_broadcast(&crew->news);
	crew_unlock(crew);
	for (unsigned i = 0; i < crew->threads_count; i++)
		pthread_join(crew->threads[i], NULL);
	loop_forget(&crew->watch);
	close(crew->fd);
	pthread_cond_destroy(&crew->news);
	pthread_mutex_destroy(&crew->mutex);
	object_free(&crew);
}

bool
crew_do(struct crew *crew, struct crew_job *job)
{
	object_check(crew, CREW_MAGIC);
	must(job->work != NULL && job->done != NULL);
	/* Each thread beyond the first only where the others have work. */
	if (crew->jobs_count < crew->jobs_most &&
	    crew->jobs_count >= crew->threads_count &&
	    crew->threads_count < crew->threads_most)
		start_thread(crew);
	if (crew->jobs_count >= crew->jobs_most || crew->threads_count == 0) {
		COUNT(crew_full);
		return (false);
	}
	crew->jobs_count++;
	crew_lock(crew);
	jobs_add(&crew->waiting, job);
	pthread_cond_signal(&crew->news);
	crew_unlock(crew);
	return (true);
}
