/* fork while threads hold locks, wait for them, or lock in fork's own handlers. */
#include "locks.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 20

static pthread_mutex_t guarded = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static atomic_int stop, waiters;
static int prepared; /* under `guarded` */

static void prepare(void)
{
    pthread_mutex_lock(&guarded);
    prepared++;
}

static void release(void)
{
    pthread_mutex_unlock(&guarded);
}

static void *fight(void *unused)
{
    while (!stop) {
        pthread_mutex_lock(&guarded);
        prepared += 0;
        pthread_mutex_unlock(&guarded);
    }
    return unused;
}

static int ends_with(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* As malloc's and stdio's own: the child has the lock, whoever else wanted it. */
static void locked_by_handlers(void)
{
    pthread_t ids[2];
    context = "fork with handlers that lock";
    SHOW(pthread_atfork(prepare, release, release));
    for (int n = 0; n < 2; n++)
        pthread_create(&ids[n], NULL, fight, NULL);
    int failed = 0;
    for (int n = 0; n < CHILDREN; n++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            int error = pthread_mutex_trylock(&guarded);
            if (!error)
                error = pthread_mutex_trylock(&guarded) == EBUSY ? 0 : 255;
            _exit(error ? error : pthread_mutex_unlock(&guarded));
        }
        failed += ends_with(child) != 0;
    }
    stop = 1;
    for (int n = 0; n < 2; n++)
        pthread_join(ids[n], NULL);
    SHOW(failed);
    SHOW(prepared - CHILDREN);
}

static void *hold_while_forked(void *unused)
{
    pthread_mutex_lock(&held);
    holding = 1;
    while (!stop)
        usleep(1000);
    released = 1;
    pthread_mutex_unlock(&held);
    return unused;
}

static void *wait_while_forked(void *unused)
{
    waiters++;
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
    return unused;
}

static void *hold_shortly(void *unused)
{
    pthread_mutex_lock(&held);
    holding = 1;
    usleep(40000);
    released = 1;
    pthread_mutex_unlock(&held);
    return unused;
}

/* The child inherits a lock that nobody will ever unlock, and makes it a new one. */
static void child_of_holders(void)
{
    pthread_t thread;
    struct timespec soon = from_now(CLOCK_REALTIME, 20 * MS);
    SHOW(pthread_mutex_trylock(&held));
    SHOW_UNTIL(pthread_mutex_timedlock(&held, &soon), CLOCK_REALTIME, soon);
    SHOW(pthread_mutex_init(&held, NULL));
    SHOW(pthread_mutex_lock(&held));
    SHOW(pthread_mutex_unlock(&held));
    holding = released = 0;
    pthread_create(&thread, NULL, hold_shortly, NULL);
    while (!holding)
        usleep(1000);
    SHOW_AFTER(pthread_mutex_lock(&held), released);
    SHOW(pthread_mutex_unlock(&held));
    SHOW(pthread_join(thread, NULL));
}

static void held_by_others(void)
{
    pthread_t holder, ids[3];
    context = "fork while others hold and wait";
    stop = holding = released = 0;
    pthread_create(&holder, NULL, hold_while_forked, NULL);
    while (!holding)
        usleep(1000);
    for (int n = 0; n < 3; n++)
        pthread_create(&ids[n], NULL, wait_while_forked, NULL);
    while (waiters < 3)
        usleep(1000);
    usleep(20000);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        context = "child of a process whose threads hold and wait";
        child_of_holders();
        fflush(stdout);
        _exit(7);
    }
    SHOW(ends_with(child));
    stop = 1;
    SHOW_AFTER(pthread_mutex_lock(&held), released);
    SHOW(pthread_mutex_unlock(&held));
    SHOW(pthread_join(holder, NULL));
    for (int n = 0; n < 3; n++)
        SHOW(pthread_join(ids[n], NULL));
}

void forks(void)
{
    locked_by_handlers();
    held_by_others();
}
