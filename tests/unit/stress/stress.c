#include "stress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic(unsigned) failures;
static pthread_barrier_t gate;

struct job {
    void (*work)(unsigned thread, void *argument);
    void *argument;
    unsigned thread;
};

static void *run(void *data)
{
    struct job *job = data;
    pthread_barrier_wait(&gate);
    job->work(job->thread, job->argument);
    return NULL;
}

void stress_run(void (*work)(unsigned thread, void *argument), void *argument)
{
    pthread_t threads[STRESS_THREADS];
    struct job jobs[STRESS_THREADS];
    pthread_barrier_init(&gate, NULL, STRESS_THREADS);
    for (unsigned n = 0; n < STRESS_THREADS; n++) {
        jobs[n] = (struct job){work, argument, n};
        if (pthread_create(&threads[n], NULL, run, &jobs[n]) != 0) {
            perror("pthread_create");
            exit(1);
        }
    }
    for (unsigned n = 0; n < STRESS_THREADS; n++)
        pthread_join(threads[n], NULL);
    pthread_barrier_destroy(&gate);
}

void stress_judge(bool good, const char *condition, const char *file, int line)
{
    if (!good && atomic_fetch_add(&failures, 1) < 20)
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
}

int stress_result(void)
{
    unsigned failed = atomic_load(&failures);
    fprintf(stderr, "%u checks failed\n", failed);
    return failed != 0;
}
