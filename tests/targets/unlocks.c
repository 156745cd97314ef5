/*
 * Whose unlock is to blame for a wait, where that isn't plain.
 *
 *   unlocks stolen MS      an errorcheck mutex is held for MS; a third thread tries to unlock it
 *   unlocks shared MS      another process holds a mutex for MS that two threads here wait for
 *   unlocks abandoned MS   a waiter is cancelled in the middle of pthread_mutex_lock, and the
 *                          mutex held for MS more; then another waits for MS
 *
 * Prints two times in ns, how long the threads waited at least and at most (waits.c).
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))

static pthread_mutex_t *mutex;
static atomic_int ready, held;
static atomic_long least, most;
static long ms;

static long now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void make_mutex(int type, int shared)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, type);
    pthread_mutexattr_setpshared(&attr, shared);
    mutex = mmap(NULL, sizeof *mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mutex == MAP_FAILED || pthread_mutex_init(mutex, &attr))
        abort();
}

static APART void *waiter(void *unused)
{
    long start = now();
    ready++;
    pthread_mutex_lock(mutex);
    most += now() - start;
    pthread_mutex_unlock(mutex);
    return unused;
}

/* Who waits here is in pthread_mutex_lock soon after; held for ms from then on. */
static void rest_until_waited_for(int waiters)
{
    while (ready < waiters)
        usleep(1000);
    usleep(20000);
    long start = now();
    usleep((useconds_t)(ms * 1000));
    least += waiters * (now() - start);
}

static APART int thief(void)
{
    int failed = pthread_mutex_unlock(mutex);
    __asm__ volatile("");
    return failed;
}

static void *steal(void *unused)
{
    while (ready < 1)
        usleep(1000);
    usleep(20000);
    for (int n = 0; n < 10; n++) {
        if (thief() != EPERM)
            abort();
        usleep(1000);
    }
    return unused;
}

static APART void holder(void)
{
    pthread_mutex_lock(mutex);
    held = 1;
    rest_until_waited_for(1);
    pthread_mutex_unlock(mutex);
    __asm__ volatile("");
}

static void *run_holder(void *unused)
{
    holder();
    return unused;
}

static void stolen(void)
{
    pthread_t ids[3];
    make_mutex(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PROCESS_PRIVATE);
    pthread_create(&ids[0], NULL, run_holder, NULL);
    while (!held)
        usleep(1000);
    pthread_create(&ids[1], NULL, waiter, NULL);
    pthread_create(&ids[2], NULL, steal, NULL);
    for (int n = 0; n < 3; n++)
        pthread_join(ids[n], NULL);
}

static void shared(void)
{
    int pipe_held[2], pipe_waited[2];
    char byte = 0;
    pthread_t ids[2];
    make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_SHARED);
    if (pipe(pipe_held) || pipe(pipe_waited))
        abort();
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(mutex);
        if (write(pipe_held[1], &byte, 1) != 1 || read(pipe_waited[0], &byte, 1) != 1)
            abort();
        pthread_mutex_unlock(mutex);
        _exit(0);
    }
    if (read(pipe_held[0], &byte, 1) != 1)
        abort();
    for (int n = 0; n < 2; n++)
        pthread_create(&ids[n], NULL, waiter, NULL);
    rest_until_waited_for(2);
    if (write(pipe_waited[1], &byte, 1) != 1)
        abort();
    for (int n = 0; n < 2; n++)
        pthread_join(ids[n], NULL);
    waitpid(child, NULL, 0);
}

static void *cancelled_waiter(void *unused)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    ready++;
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    return unused;
}

static void abandoned(void)
{
    pthread_t thread;
    void *value;
    make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_PRIVATE);
    pthread_mutex_lock(mutex);
    pthread_create(&thread, NULL, cancelled_waiter, NULL);
    while (!ready)
        usleep(1000);
    usleep(20000);
    pthread_cancel(thread);
    pthread_join(thread, &value);
    if (value != PTHREAD_CANCELED)
        abort();
    usleep((useconds_t)(ms * 1000));
    pthread_mutex_unlock(mutex);
    ready = 0;
    pthread_create(&thread, NULL, run_holder, NULL);
    while (!held)
        usleep(1000);
    waiter(NULL);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } kinds[] = {{"stolen", stolen}, {"shared", shared}, {"abandoned", abandoned}};
    ms = argc > 2 ? atol(argv[2]) : 0;
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds && ms > 0; n++) {
        if (strcmp(argv[1], kinds[n].name) == 0) {
            kinds[n].run();
            printf("%ld %ld\n", (long)least, (long)most);
            return 0;
        }
    }
    fprintf(stderr, "unlocks: see the comment at the top of unlocks.c\n");
    return 2;
}
