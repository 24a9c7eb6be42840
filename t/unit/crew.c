/* SPDX-License-Identifier: MIT */
/*
 * plat/crew: work in threads, ends on the loop, bounds, signals, the end.
 */
#include "plat/crew.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/count.h"
#include "base/mem.h"
#include "base/stamp.h"
#include "tap.h"

#define JOBS 64

/* A job that ends when its gate is opened. */
struct job {
	struct crew_job	 job;
	struct crew	*crew;		/* who is to do it once more */
	unsigned	 again;
	int		 gate;		/* -1: none */
	int		 begun;
	pthread_t	 worker;
	pthread_t	 teller;
	sigset_t	 blocked;
	bool		 was_taken;
	_Atomic unsigned works;
	unsigned	 dones;
};

static struct loop *loop;
static unsigned dones;
static struct job *order[JOBS];

static void
job_work(struct job *job)
{
	uint64_t count = 1;

	job->worker = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &job->blocked);
	if (job->gate >= 0) {
		if (write(job->begun, &count, sizeof count) < 0 ||
		    read(job->gate, &count, sizeof count) < 0)
			_exit(3);
	}
	job->works++;
}

static void
job_done(struct job *job)
{
	job->teller = pthread_self();
	job->dones++;
	order[dones++ % JOBS] = job;
	if (job->again > 0) {
		job->again--;
		job->was_taken = crew_do(job->crew, &job->job);
	}
}

static void
job_init(struct job *job, int begun, int gate)
{
	*job = (struct job){ .begun = begun, .gate = gate };
	crew_job_init(&job->job, job_work, job_done, job);
}

static bool
turn_until_done(unsigned wanted)
{
	int64_t deadline = clock_ms() + 20000;

	while (dones < wanted && clock_ms() < deadline)
		loop_turn(loop, 100);
	return (dones == wanted);
}

static unsigned
count_of_full(void)
{
	return ((unsigned)counts->counters[COUNTER_crew_full]);
}

static unsigned
count_threads(void)
{
	char line[256];
	unsigned count = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "Threads: %u", &count) == 1)
			break;
	fclose(file);
	return (count);
}

/* A thread that was joined is counted for a moment longer. */
static bool
threads_become(unsigned wanted)
{
	int64_t deadline = clock_ms() + 20000;

	while (count_threads() != wanted && clock_ms() < deadline)
		poll(NULL, 0, 1);
	return (count_threads() == wanted);
}

static int
make_gate(void)
{
	return (eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC));
}

static void
open_gate(int gate, uint64_t times)
{
	ok(write(gate, &times, sizeof times) == sizeof times);
}

/* Waits until so many jobs are at work. */
static void
wait_begun(int begun, unsigned times)
{
	uint64_t one;

	while (times-- > 0)
		ok(read(begun, &one, sizeof one) == sizeof one);
}

static void
work_and_ends(void)
{
	struct crew *crew = crew_create(loop, 2, JOBS);
	struct job jobs[JOBS];

	dones = 0;
	test("no thread before the first job");
	ok(threads_become(1));

	test("work in a thread, its end on the loop, each once");
	for (unsigned i = 0; i < JOBS; i++) {
		job_init(&jobs[i], -1, -1);
		ok(crew_do(crew, &jobs[i].job));
	}
	ok(turn_until_done(JOBS));
	for (unsigned i = 0; i < JOBS; i++) {
		is(jobs[i].works, 1);
		is(jobs[i].dones, 1);
		ok(!pthread_equal(jobs[i].worker, pthread_self()));
		ok(pthread_equal(jobs[i].teller, pthread_self()));
	}
	ok(count_threads() <= 3);

	test("its threads take no signals but those of broken memory");
	ok(sigismember(&jobs[0].blocked, SIGTERM) == 1);
	ok(sigismember(&jobs[0].blocked, SIGHUP) == 1);
	ok(sigismember(&jobs[0].blocked, SIGUSR1) == 1);
	ok(sigismember(&jobs[0].blocked, SIGSEGV) == 0);
	ok(sigismember(&jobs[0].blocked, SIGBUS) == 0);
	pthread_sigmask(SIG_SETMASK, NULL, &jobs[0].blocked);
	ok(sigismember(&jobs[0].blocked, SIGTERM) == 0);

	test("a job may be done again in its end");
	dones = 0;
	job_init(&jobs[0], -1, -1);
	jobs[0].crew = crew;
	jobs[0].again = 5;
	ok(crew_do(crew, &jobs[0].job));
	ok(turn_until_done(6));
	ok(jobs[0].was_taken);
	is(jobs[0].works, 6);

	crew_destroy(&crew);
	ok(crew == NULL);
	ok(threads_become(1));
	crew_destroy(&crew);
}

static void
bounds(void)
{
	int gate = make_gate(), begun = make_gate();
	struct crew *crew = crew_create(loop, 1, 2);
	struct job jobs[4];
	unsigned full = count_of_full();

	dones = 0;
	test("one works, two wait, the next is refused and counted");
	for (unsigned i = 0; i < 4; i++) {
		job_init(&jobs[i], begun, gate);
		is(crew_do(crew, &jobs[i].job), i < 3);
	}
	is(count_of_full(), full + 1);
	ok(threads_become(2));

	test("in the order in which they came, by one thread");
	open_gate(gate, 3);
	ok(turn_until_done(3));
	for (unsigned i = 0; i < 3; i++)
		ok(order[i] == &jobs[i]);
	is(jobs[3].dones, 0);

	test("then there is room again");
	ok(crew_do(crew, &jobs[3].job));
	open_gate(gate, 1);
	ok(turn_until_done(4));
	wait_begun(begun, 4);
	crew_destroy(&crew);

	test("a queue of none takes what a thread is free for");
	dones = 0;
	crew = crew_create(loop, 2, 0);
	ok(crew_do(crew, &jobs[0].job));
	ok(crew_do(crew, &jobs[1].job));
	ok(!crew_do(crew, &jobs[2].job));
	wait_begun(begun, 2);		/* both at once */
	open_gate(gate, 2);
	ok(turn_until_done(2));
	crew_destroy(&crew);
	close(gate);
	close(begun);
}

static void *
open_late(void *context)
{
	struct job *job = context;
	uint64_t one = 1;
	int64_t until = clock_ms() + 50;

	/* Long enough for a destroy that does not wait to have ended. */
	while (clock_ms() < until)
		poll(NULL, 0, 1);
	return (write(job->gate, &one, sizeof one) < 0 ? job : NULL);
}

static void
the_end(void)
{
	int gate = make_gate(), begun = make_gate();
	struct crew *crew = crew_create(loop, 1, 8);
	struct job jobs[3];
	pthread_t opener;

	dones = 0;
	test("the end waits for the job at work and tells of none");
	for (unsigned i = 0; i < 3; i++) {
		job_init(&jobs[i], begun, gate);
		ok(crew_do(crew, &jobs[i].job));
	}
	wait_begun(begun, 1);
	ok(pthread_create(&opener, NULL, open_late, &jobs[0]) == 0);
	crew_destroy(&crew);
	is(jobs[0].works, 1);
	is(jobs[1].works + jobs[2].works, 0);
	pthread_join(opener, NULL);
	for (int i = 0; i < 3; i++)
		loop_turn(loop, 0);
	is(dones, 0);
	close(gate);
	close(begun);

	test("what ended and was not told of is not told after the end");
	job_init(&jobs[0], -1, -1);
	crew = crew_create(loop, 1, 8);
	ok(crew_do(crew, &jobs[0].job));
	while (jobs[0].works == 0)
		poll(NULL, 0, 1);
	crew_destroy(&crew);
	loop_turn(loop, 0);
	is(dones, 0);
}

static struct job last;

static void
end_inside_end(struct job *job)
{
	crew_destroy(&job->crew);
}

static void
destroy_in_done(void)
{
	struct loop *own = loop_create();

	last.gate = -1;
	last.crew = crew_create(own, 1, 1);
	crew_job_init(&last.job, job_work, end_inside_end, &last);
	crew_do(last.crew, &last.job);
	for (int i = 0; i < 200; i++)
		loop_turn(own, 100);
}

int
main(void)
{
	test("a crew is not ended from inside an end");
	ok(aborts(destroy_in_done));
	loop = loop_create();
	work_and_ends();
	bounds();
	the_end();
	loop_destroy(&loop);
	return (done());
}
