/*
 * What every kind of lock answers to every kind of use, one line each. The lines
 * must be the same with libprof as without: nothing here is libprof's
 * expectation, glibc alone says what is right.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000L
#define BAD_CLOCK ((clockid_t)77)

static const char *context = "";

static struct timespec from_now(clockid_t clock, long ns)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    ts.tv_nsec += ns;
    while (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    while (ts.tv_nsec < 0) {
        ts.tv_sec--;
        ts.tv_nsec += 1000000000;
    }
    return ts;
}

static const char *name_of(int error)
{
    static char number[2][16];
    static int turn;
    const char *name = error > 0 ? strerrorname_np(error) : NULL;
    if (name)
        return name;
    turn = !turn;
    snprintf(number[turn], sizeof number[turn], "%d", error);
    return number[turn];
}

/* Prints a call, its result and errno. */
#define SHOW(call) SHOW_EARLY(call, 0)

/* The same, and whether it came back before it could: early, evaluated after it. How late
 * it came says nothing on a busy machine. */
#define SHOW_EARLY(call, early)                                                                    \
    do {                                                                                           \
        errno = EXDEV;                                                                             \
        int result_ = (call), error_ = errno;                                                      \
        show(#call, result_, error_, early);                                                       \
    } while (0)

/* A call that fails only when the time is over. */
#define SHOW_UNTIL(call, clock, time) SHOW_EARLY(call, result_ != 0 && !is_over(clock, &(time)))

/* A call that nothing ends but what another thread does, which says so just before. */
#define SHOW_AFTER(call, happened) SHOW_EARLY(call, !atomic_load(&(happened)))

static int is_over(clockid_t clock, const struct timespec *time)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec > time->tv_sec ||
           (now.tv_sec == time->tv_sec && now.tv_nsec >= time->tv_nsec);
}

static void show(const char *call, int result, int error, int early)
{
    printf("%s: %s = %s%s%s%s\n", context, call, name_of(result), error == EXDEV ? "" : " errno ",
           error == EXDEV ? "" : name_of(error), early ? " too early" : "");
    fflush(stdout);
}

static atomic_int holding;  /* somebody has locked what it is to hold */
static atomic_int released; /* by who holds what is waited for */

static const struct timespec invalid = {2000000000, 1000000000}, negative = {2000000000, -1};
static const struct timespec past = {1, 0}, before_1970 = {-1, 0};

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

static void mutexes(void)
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

static void *hold_write(void *lock)
{
    pthread_rwlock_wrlock(lock);
    holding = 1;
    usleep(100000);
    released = 1;
    pthread_rwlock_unlock(lock);
    return NULL;
}

static void *hold_read(void *lock)
{
    pthread_rwlock_rdlock(lock);
    holding = 1;
    usleep(100000);
    released = 1;
    pthread_rwlock_unlock(lock);
    return NULL;
}

static void rwlock_held(pthread_rwlock_t *lock, void *(*holder)(void *))
{
    pthread_t thread;
    released = holding = 0;
    pthread_create(&thread, NULL, holder, lock);
    while (!holding)
        usleep(1000);
    struct timespec soon = from_now(CLOCK_REALTIME, 15 * MS);
    struct timespec soon_mono = from_now(CLOCK_MONOTONIC, 30 * MS);
    SHOW(pthread_rwlock_trywrlock(lock));
    SHOW_UNTIL(pthread_rwlock_timedwrlock(lock, &soon), CLOCK_REALTIME, soon);
    SHOW_UNTIL(pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &soon_mono), CLOCK_MONOTONIC,
               soon_mono);
    SHOW(pthread_rwlock_timedwrlock(lock, &past));
    SHOW(pthread_rwlock_timedwrlock(lock, &invalid));
    SHOW(pthread_rwlock_clockwrlock(lock, BAD_CLOCK, &past));
    if (holder == hold_write) {
        SHOW(pthread_rwlock_timedrdlock(lock, &past));
        SHOW(pthread_rwlock_timedrdlock(lock, &negative));
        SHOW(pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &past));
        SHOW_AFTER(pthread_rwlock_rdlock(lock), released);
    } else {
        SHOW_AFTER(pthread_rwlock_wrlock(lock), released);
    }
    SHOW(pthread_rwlock_unlock(lock));
    pthread_join(thread, NULL);
}

static void rwlocks(void)
{
    static const int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                                PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
    for (int n = 0; n < 3; n++) {
        pthread_rwlockattr_t attr;
        pthread_rwlock_t lock;
        char name[32];
        snprintf(name, sizeof name, "rwlock kind %d", kinds[n]);
        context = name;
        pthread_rwlockattr_init(&attr);
        pthread_rwlockattr_setkind_np(&attr, kinds[n]);
        pthread_rwlock_init(&lock, &attr);
        SHOW(pthread_rwlock_wrlock(&lock));
        SHOW(pthread_rwlock_wrlock(&lock));
        SHOW(pthread_rwlock_rdlock(&lock));
        SHOW(pthread_rwlock_tryrdlock(&lock));
        SHOW(pthread_rwlock_timedrdlock(&lock, &past));
        SHOW(pthread_rwlock_timedwrlock(&lock, &past));
        SHOW(pthread_rwlock_unlock(&lock));
        SHOW(pthread_rwlock_rdlock(&lock));
        SHOW(pthread_rwlock_rdlock(&lock));
        SHOW(pthread_rwlock_timedwrlock(&lock, &past));
        SHOW(pthread_rwlock_unlock(&lock));
        SHOW(pthread_rwlock_unlock(&lock));
        SHOW(pthread_rwlock_timedrdlock(&lock, &invalid));
        SHOW(pthread_rwlock_timedwrlock(&lock, &negative));
        SHOW(pthread_rwlock_clockrdlock(&lock, BAD_CLOCK, &past));
        SHOW(pthread_rwlock_clockwrlock(&lock, BAD_CLOCK, &past));
        SHOW(pthread_rwlock_timedwrlock(&lock, &past));
        SHOW(pthread_rwlock_unlock(&lock));
        rwlock_held(&lock, hold_write);
        rwlock_held(&lock, hold_read);
        pthread_rwlock_destroy(&lock);
    }
}

static void caught(int signo)
{
}

static atomic_int interrupted;

/* Again and again: on a busy machine the first may come before the wait. */
static void *kill_later(void *thread)
{
    do {
        usleep(30000);
        released = 1;
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
    } while (!interrupted);
    return NULL;
}

static void *post_later(void *semaphore)
{
    usleep(30000);
    released = 1;
    sem_post(semaphore);
    return NULL;
}

static void semaphores(void)
{
    sem_t semaphore;
    pthread_t thread, self = pthread_self();
    context = "semaphore";
    sem_init(&semaphore, 0, 3);
    struct timespec soon = from_now(CLOCK_REALTIME, 20 * MS);
    SHOW(sem_timedwait(&semaphore, &invalid));
    SHOW(sem_timedwait(&semaphore, &negative));
    SHOW(sem_clockwait(&semaphore, BAD_CLOCK, &past));
    SHOW(sem_wait(&semaphore));
    SHOW(sem_timedwait(&semaphore, &past));
    SHOW(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &past));
    SHOW(sem_trywait(&semaphore));
    SHOW_UNTIL(sem_timedwait(&semaphore, &soon), CLOCK_REALTIME, soon);
    SHOW(sem_timedwait(&semaphore, &past));
    SHOW(sem_timedwait(&semaphore, &invalid));
    SHOW(sem_clockwait(&semaphore, BAD_CLOCK, &soon));
    for (int restart = 0; restart < 2; restart++) {
        struct sigaction action = {.sa_handler = caught, .sa_flags = restart ? SA_RESTART : 0};
        context = restart ? "semaphore, SA_RESTART" : "semaphore, signal";
        sigaction(SIGUSR1, &action, NULL);
        struct timespec late = from_now(CLOCK_REALTIME, 900 * MS);
        released = interrupted = 0;
        pthread_create(&thread, NULL, kill_later, &self);
        SHOW_AFTER(sem_timedwait(&semaphore, &late), released);
        interrupted = 1;
        pthread_join(thread, NULL);
        if (!restart) {
            released = interrupted = 0;
            pthread_create(&thread, NULL, kill_later, &self);
            SHOW_AFTER(sem_wait(&semaphore), released);
            interrupted = 1;
            pthread_join(thread, NULL);
        }
    }
    context = "semaphore, posted";
    released = 0;
    pthread_create(&thread, NULL, post_later, &semaphore);
    SHOW_AFTER(sem_wait(&semaphore), released);
    pthread_join(thread, NULL);
}

static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int signalled;

static void *signal_later(void *unused)
{
    usleep(30000);
    pthread_mutex_lock(&cond_mutex);
    signalled = 1;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&cond_mutex);
    return unused;
}

/* A condition that measures its times on the other clock. */
static void monotonic_condition(void)
{
    pthread_condattr_t attr;
    pthread_cond_t monotonic;
    context = "monotonic condition";
    pthread_condattr_init(&attr);
    SHOW(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    pthread_cond_init(&monotonic, &attr);
    pthread_mutex_lock(&cond_mutex);
    struct timespec soon = from_now(CLOCK_MONOTONIC, 30 * MS);
    SHOW_UNTIL(pthread_cond_timedwait(&monotonic, &cond_mutex, &soon), CLOCK_MONOTONIC, soon);
    struct timespec soon_real = from_now(CLOCK_REALTIME, 30 * MS);
    SHOW_UNTIL(pthread_cond_clockwait(&monotonic, &cond_mutex, CLOCK_REALTIME, &soon_real),
               CLOCK_REALTIME, soon_real);
    pthread_mutex_unlock(&cond_mutex);
    pthread_cond_destroy(&monotonic);
}

static void conditions(void)
{
    pthread_t thread;
    pthread_mutexattr_t attr;
    pthread_mutex_t errorcheck;
    context = "condition";
    struct timespec soon = from_now(CLOCK_REALTIME, 20 * MS);
    struct timespec soon_mono = from_now(CLOCK_MONOTONIC, 40 * MS);
    pthread_mutex_lock(&cond_mutex);
    SHOW_UNTIL(pthread_cond_timedwait(&cond, &cond_mutex, &soon), CLOCK_REALTIME, soon);
    SHOW_UNTIL(pthread_cond_clockwait(&cond, &cond_mutex, CLOCK_MONOTONIC, &soon_mono),
               CLOCK_MONOTONIC, soon_mono);
    SHOW(pthread_cond_clockwait(&cond, &cond_mutex, BAD_CLOCK, &soon_mono));
    SHOW(pthread_cond_timedwait(&cond, &cond_mutex, &invalid));
    SHOW(pthread_cond_timedwait(&cond, &cond_mutex, &past));
    signalled = 0;
    pthread_create(&thread, NULL, signal_later, NULL);
    while (!signalled)
        SHOW(pthread_cond_wait(&cond, &cond_mutex));
    SHOW(pthread_mutex_unlock(&cond_mutex));
    pthread_join(thread, NULL);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&errorcheck, &attr);
    context = "condition, mutex not held";
    SHOW(pthread_cond_wait(&cond, &errorcheck));
    SHOW(pthread_cond_timedwait(&cond, &errorcheck, &past));
}

static sem_t cancel_semaphore;
static pthread_mutex_t cancel_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_t sleeper;

static void *sleep_long(void *unused)
{
    sleep(60);
    return unused;
}

static void unlock_it(void *mutex)
{
    printf("%s: cleanup, unlock = %s\n", context, name_of(pthread_mutex_unlock(mutex)));
}

static void *wait_condition(void *unused)
{
    pthread_mutex_lock(&cancel_mutex);
    pthread_cleanup_push(unlock_it, &cancel_mutex);
    for (;;)
        pthread_cond_wait(&cond, &cancel_mutex);
    pthread_cleanup_pop(1);
    return unused;
}

static void *wait_condition_timed(void *unused)
{
    pthread_mutex_lock(&cancel_mutex);
    pthread_cleanup_push(unlock_it, &cancel_mutex);
    struct timespec late = from_now(CLOCK_REALTIME, 900 * MS);
    for (;;)
        pthread_cond_timedwait(&cond, &cancel_mutex, &late);
    pthread_cleanup_pop(1);
    return unused;
}

static void *wait_semaphore(void *unused)
{
    sem_wait(&cancel_semaphore);
    return unused;
}

static void *wait_thread(void *unused)
{
    pthread_join(sleeper, NULL);
    return unused;
}

/* The semaphore is free, but the request is there already. */
static void *take_semaphore(void *unused)
{
    sem_t one;
    sem_init(&one, 0, 1);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    usleep(50000);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    sem_wait(&one);
    puts("a free semaphore is no cancellation point");
    return unused;
}

/* A mutex is no cancellation point, free or not. */
static void *lock_mutex(void *unused)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    usleep(50000);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_mutex_lock(&cond_mutex);
    pthread_mutex_unlock(&cond_mutex);
    puts("a mutex is no cancellation point");
    fflush(stdout);
    pthread_testcancel();
    return unused;
}

static void cancellation(void)
{
    static const struct {
        const char *name;
        void *(*run)(void *);
    } kinds[] = {
        {"cancel condition", wait_condition}, {"cancel timed condition", wait_condition_timed},
        {"cancel semaphore", wait_semaphore}, {"cancel free semaphore", take_semaphore},
        {"cancel join", wait_thread},         {"cancel mutex", lock_mutex},
    };
    sem_init(&cancel_semaphore, 0, 0);
    pthread_create(&sleeper, NULL, sleep_long, NULL);
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        pthread_t thread;
        void *value = NULL;
        context = kinds[n].name;
        pthread_create(&thread, NULL, kinds[n].run, NULL);
        usleep(20000);
        pthread_cancel(thread);
        SHOW(pthread_join(thread, &value));
        printf("%s: %s\n", context, value == PTHREAD_CANCELED ? "cancelled" : "not cancelled");
        SHOW(pthread_mutex_lock(&cancel_mutex));
        SHOW(pthread_mutex_unlock(&cancel_mutex));
    }
    pthread_cancel(sleeper);
    SHOW(pthread_join(sleeper, NULL));
}

static void *end_later(void *value)
{
    usleep(40000);
    released = 1;
    return value;
}

static void *end_now(void *value)
{
    return value;
}

static void threads(void)
{
    pthread_t thread;
    pthread_attr_t attr;
    void *value = NULL;
    context = "thread";
    SHOW(pthread_join(pthread_self(), NULL));
    released = 0;
    pthread_create(&thread, NULL, end_later, (void *)4711);
    struct timespec soon = from_now(CLOCK_REALTIME, 15 * MS);
    SHOW(pthread_tryjoin_np(thread, &value));
    SHOW_UNTIL(pthread_timedjoin_np(thread, &value, &soon), CLOCK_REALTIME, soon);
    SHOW(pthread_timedjoin_np(thread, &value, &invalid));
    SHOW(pthread_clockjoin_np(thread, &value, CLOCK_MONOTONIC, &past));
    SHOW(pthread_clockjoin_np(thread, &value, BAD_CLOCK, &past));
    SHOW_AFTER(pthread_join(thread, &value), released);
    printf("value %ld\n", (long)(intptr_t)value);
    for (int timed = 0; timed < 3; timed++) {
        pthread_create(&thread, NULL, end_now, (void *)(intptr_t)(4712 + timed));
        usleep(20000);
        if (timed == 1)
            SHOW(pthread_timedjoin_np(thread, &value, &invalid));
        else if (timed == 2)
            SHOW(pthread_clockjoin_np(thread, &value, BAD_CLOCK, &past));
        if (timed != 1)
            SHOW(pthread_join(thread, &value));
        printf("value %ld\n", (long)(intptr_t)value);
    }
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_create(&thread, &attr, sleep_long, NULL);
    SHOW(pthread_join(thread, NULL));
    SHOW(pthread_timedjoin_np(thread, NULL, &past));
}

static pthread_barrier_t barrier;

static void *meet(void *unused)
{
    return (void *)(intptr_t)pthread_barrier_wait(&barrier);
}

static void barriers(void)
{
    pthread_t ids[3];
    int serial = 0, zero = 0;
    pthread_barrier_init(&barrier, NULL, 3);
    for (int n = 0; n < 3; n++)
        pthread_create(&ids[n], NULL, meet, NULL);
    for (int n = 0; n < 3; n++) {
        void *value;
        pthread_join(ids[n], &value);
        serial += (intptr_t)value == PTHREAD_BARRIER_SERIAL_THREAD;
        zero += value == NULL;
    }
    printf("barrier: %d serial, %d others\n", serial, zero);
}

static int hold_mtx(void *mutex)
{
    mtx_lock(mutex);
    holding = 1;
    usleep(100000);
    released = 1;
    mtx_unlock(mutex);
    return 42;
}

static void c11(void)
{
    static const int types[] = {mtx_plain | mtx_timed, mtx_recursive | mtx_timed};
    pthread_spinlock_t spin;
    for (int n = 0; n < 2; n++) {
        mtx_t mutex;
        thrd_t thread;
        cnd_t c11_cond;
        int value = 0;
        context = n ? "C11 recursive" : "C11 plain";
        mtx_init(&mutex, types[n]);
        cnd_init(&c11_cond);
        struct timespec soon = from_now(CLOCK_REALTIME, 15 * MS);
        SHOW(mtx_lock(&mutex));
        SHOW(mtx_trylock(&mutex));
        SHOW(mtx_timedlock(&mutex, &soon));
        for (int times = 0; times < (n ? 3 : 1); times++)
            SHOW(mtx_unlock(&mutex));
        released = holding = 0;
        thrd_create(&thread, hold_mtx, &mutex);
        while (!holding)
            usleep(1000);
        SHOW(mtx_timedlock(&mutex, &past));
        SHOW(mtx_timedlock(&mutex, &invalid));
        SHOW_AFTER(mtx_lock(&mutex), released);
        soon = from_now(CLOCK_REALTIME, 15 * MS);
        SHOW_UNTIL(cnd_timedwait(&c11_cond, &mutex, &soon), CLOCK_REALTIME, soon);
        SHOW(mtx_unlock(&mutex));
        SHOW(thrd_join(thread, &value));
        printf("value %d\n", value);
    }
    context = "spin";
    pthread_spin_init(&spin, 0);
    SHOW(pthread_spin_lock(&spin));
    SHOW(pthread_spin_trylock(&spin));
    SHOW(pthread_spin_unlock(&spin));
}

int main(void)
{
    mutexes();
    rwlocks();
    semaphores();
    conditions();
    monotonic_condition();
    cancellation();
    threads();
    barriers();
    c11();
    return 0;
}
