/* Mutexes of all types and protocols. */
#include "locks.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Somebody else who holds a mutex for a while, or dies with it. */
struct holder {
    pthread_mutex_t *mutex;
    pthread_barrier_t held;
    long ns;
    int unlocks;
};

static void *hold(void *arg)
{
    struct holder *holder = arg;
    pthread_mutex_lock(holder->mutex);
    pthread_barrier_wait(&holder->held);
    struct timespec time = {0, holder->ns};
    nanosleep(&time, NULL);
    released = 1;
    if (holder->unlocks)
        pthread_mutex_unlock(holder->mutex);
    return NULL;
}

static pthread_t holder_start(struct holder *holder, pthread_mutex_t *mutex, long ns, int unlocks)
{
    pthread_t thread;
    released = 0;
    *holder = (struct holder){.mutex = mutex, .ns = ns, .unlocks = unlocks};
    pthread_barrier_init(&holder->held, NULL, 2);
    pthread_create(&thread, NULL, hold, holder);
    pthread_barrier_wait(&holder->held);
    return thread;
}

static void held_by_other(pthread_mutex_t *mutex)
{
    struct holder holder;
    pthread_t thread = holder_start(&holder, mutex, 300 * MS, 1);
    struct timespec soon = from_now(CLOCK_REALTIME, 20 * MS);
    struct timespec soon_mono = from_now(CLOCK_MONOTONIC, 45 * MS);
    SHOW(pthread_mutex_trylock(mutex));
    SHOW_UNTIL(pthread_mutex_timedlock(mutex, &soon), CLOCK_REALTIME, soon);
    SHOW_UNTIL(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &soon_mono), CLOCK_MONOTONIC,
               soon_mono);
    SHOW(pthread_mutex_timedlock(mutex, &invalid));
    SHOW(pthread_mutex_timedlock(mutex, &negative));
    SHOW(pthread_mutex_timedlock(mutex, &past));
    SHOW(pthread_mutex_timedlock(mutex, &before_1970));
    SHOW(pthread_mutex_clocklock(mutex, BAD_CLOCK, &soon));
    SHOW(pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &past));
    SHOW_AFTER(pthread_mutex_lock(mutex), released);
    SHOW(pthread_mutex_unlock(mutex));
    pthread_join(thread, NULL);
}

static void free_to_take(pthread_mutex_t *mutex)
{
    SHOW(pthread_mutex_lock(mutex));
    SHOW(pthread_mutex_unlock(mutex));
    SHOW(pthread_mutex_timedlock(mutex, &invalid));
    SHOW(pthread_mutex_unlock(mutex));
    SHOW(pthread_mutex_timedlock(mutex, &past));
    SHOW(pthread_mutex_unlock(mutex));
    SHOW(pthread_mutex_clocklock(mutex, BAD_CLOCK, &past));
    SHOW(pthread_mutex_clocklock(mutex, CLOCK_PROCESS_CPUTIME_ID, &past));
    SHOW(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &past));
    SHOW(pthread_mutex_unlock(mutex));
}

/* The owner takes it again. */
static void relock(pthread_mutex_t *mutex, int type)
{
    SHOW(pthread_mutex_lock(mutex));
    struct timespec soon = from_now(CLOCK_REALTIME, 20 * MS);
    SHOW(pthread_mutex_trylock(mutex));
    SHOW(pthread_mutex_timedlock(mutex, &soon));
    SHOW(pthread_mutex_timedlock(mutex, &invalid));
    if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK) {
        SHOW(pthread_mutex_lock(mutex));
        for (int n = 0; n < 6; n++)
            SHOW(pthread_mutex_unlock(mutex));
    } else {
        SHOW(pthread_mutex_unlock(mutex));
    }
}

static void owner_dies(pthread_mutex_t *mutex, int consistent)
{
    struct holder holder;
    pthread_join(holder_start(&holder, mutex, 0, 0), NULL);
    struct timespec soon = from_now(CLOCK_REALTIME, 20 * MS);
    if (consistent)
        SHOW(pthread_mutex_lock(mutex));
    else
        SHOW(pthread_mutex_timedlock(mutex, &soon));
    if (consistent)
        SHOW(pthread_mutex_consistent(mutex));
    SHOW(pthread_mutex_unlock(mutex));
    SHOW(pthread_mutex_timedlock(mutex, &soon));
    SHOW(pthread_mutex_timedlock(mutex, &soon));
    /* glibc's trylock leaves an unrecoverable mutex locked: it comes last. */
    if (!consistent) {
        SHOW(pthread_mutex_lock(mutex));
        SHOW(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &past));
        SHOW(pthread_mutex_trylock(mutex));
    } else {
        SHOW(pthread_mutex_unlock(mutex));
        SHOW(pthread_mutex_unlock(mutex));
    }
}

/* It dies while another already waits. */
static void owner_dies_waited_for(pthread_mutex_t *mutex)
{
    struct holder holder;
    pthread_t thread = holder_start(&holder, mutex, 40 * MS, 0);
    SHOW_AFTER(pthread_mutex_lock(mutex), released);
    SHOW(pthread_mutex_consistent(mutex));
    SHOW(pthread_mutex_unlock(mutex));
    pthread_join(thread, NULL);
}

static void other_process(pthread_mutex_t *mutex, int dies)
{
    int held[2];
    char byte = 0;
    if (pipe(held) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(mutex);
        if (write(held[1], &byte, 1) != 1)
            abort();
        usleep(60000);
        if (!dies)
            pthread_mutex_unlock(mutex);
        _exit(0);
    }
    if (read(held[0], &byte, 1) != 1)
        abort();
    close(held[0]);
    close(held[1]);
    SHOW(pthread_mutex_trylock(mutex));
    SHOW(pthread_mutex_lock(mutex));
    SHOW(pthread_mutex_unlock(mutex));
    waitpid(child, NULL, 0);
}

void mutexes(void)
{
    static const struct {
        const char *name;
        int type, robust, protocol, shared;
    } kinds[] = {
        {"normal", PTHREAD_MUTEX_NORMAL, 0, 0, 0},
        {"default", PTHREAD_MUTEX_DEFAULT, 0, 0, 0},
        {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, 0, 0, 0},
        {"recursive", PTHREAD_MUTEX_RECURSIVE, 0, 0, 0},
        {"errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0, 0, 0},
        {"robust", PTHREAD_MUTEX_NORMAL, 1, 0, 0},
        {"robust recursive", PTHREAD_MUTEX_RECURSIVE, 1, 0, 0},
        {"robust errorcheck", PTHREAD_MUTEX_ERRORCHECK, 1, 0, 0},
        {"inherit", PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_INHERIT, 0},
        {"inherit recursive", PTHREAD_MUTEX_RECURSIVE, 0, PTHREAD_PRIO_INHERIT, 0},
        {"inherit errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0, PTHREAD_PRIO_INHERIT, 0},
        {"inherit robust", PTHREAD_MUTEX_ERRORCHECK, 1, PTHREAD_PRIO_INHERIT, 0},
        {"protect", PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_PROTECT, 0},
        {"shared", PTHREAD_MUTEX_NORMAL, 0, 0, 1},
        {"shared robust", PTHREAD_MUTEX_NORMAL, 1, 0, 1},
    };
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        pthread_mutexattr_t attr;
        pthread_mutex_t *mutex =
            mmap(NULL, sizeof *mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        context = kinds[n].name;
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, kinds[n].type);
        pthread_mutexattr_setprotocol(&attr, kinds[n].protocol);
        if (kinds[n].robust)
            pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
        if (kinds[n].shared)
            pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
        SHOW(pthread_mutex_init(mutex, &attr));
        free_to_take(mutex);
        held_by_other(mutex);
        if (kinds[n].protocol == 0 || kinds[n].type != PTHREAD_MUTEX_NORMAL)
            relock(mutex, kinds[n].type);
        if (kinds[n].shared)
            other_process(mutex, 0);
        if (kinds[n].robust) {
            owner_dies(mutex, 1);
            owner_dies_waited_for(mutex);
            if (kinds[n].shared)
                other_process(mutex, 1);
            SHOW(pthread_mutex_init(mutex, &attr));
            owner_dies(mutex, 0);
        }
        SHOW(pthread_mutex_destroy(mutex));
    }
}
