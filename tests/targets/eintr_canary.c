/*
 * No call of the program's may see EINTR, or end early or late, because of
 * libprof's signals (hazard 7): one thread sits in each kind of wait while this
 * process asks itself for dumps and another thread burns CPU. Argument: seconds.
 */
#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 700 /* several dumps long */

static atomic_bool stop;
static atomic_uint rounds;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const struct timespec wait_time = {0, WAIT_MS * 1000000};
static int quiet_pipe[2], quiet_socket[2], queue, epoll;

static int in_poll(void)
{
    struct pollfd fd = {.fd = quiet_pipe[0], .events = POLLIN};
    return poll(&fd, 1, WAIT_MS);
}

static int in_ppoll(void)
{
    struct pollfd fd = {.fd = quiet_pipe[0], .events = POLLIN};
    sigset_t all;
    sigfillset(&all);
    return ppoll(&fd, 1, &wait_time, &all);
}

static int in_select(void)
{
    struct timeval timeout = {0, WAIT_MS * 1000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(quiet_pipe[0], &set);
    return select(quiet_pipe[0] + 1, &set, NULL, NULL, &timeout);
}

static int in_pselect(void)
{
    return pselect(0, NULL, NULL, NULL, &wait_time, NULL);
}

static int in_epoll_wait(void)
{
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, WAIT_MS);
}

static int in_nanosleep(void)
{
    return nanosleep(&wait_time, NULL);
}

static int in_clock_nanosleep(void)
{
    errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &wait_time, NULL);
    return errno ? -1 : 0;
}

static int in_clock_nanosleep_absolute(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += wait_time.tv_nsec;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    return errno ? -1 : 0;
}

static int in_usleep(void)
{
    return usleep(WAIT_MS * 1000);
}

static int expect(int result, int error)
{
    return result == -1 && errno == error ? 0 : result == -1 ? -1 : (errno = ENOTSUP, -1);
}

static int in_recv(void)
{
    char byte;
    return expect((int)recv(quiet_socket[0], &byte, 1, 0), EAGAIN);
}

static int in_read(void)
{
    char byte;
    return expect((int)read(quiet_socket[0], &byte, 1), EAGAIN);
}

static int in_sem_timedwait(void)
{
    static sem_t semaphore;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += wait_time.tv_nsec;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return expect(sem_timedwait(&semaphore, &until), ETIMEDOUT);
}

static int in_sigtimedwait(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return expect(sigtimedwait(&set, NULL, &wait_time), EAGAIN);
}

static const struct {
    const char *name;
    int (*wait)(void);
} waits[] = {
    {"poll", in_poll},
    {"ppoll", in_ppoll},
    {"select", in_select},
    {"pselect", in_pselect},
    {"epoll_wait", in_epoll_wait},
    {"nanosleep", in_nanosleep},
    {"clock_nanosleep", in_clock_nanosleep},
    {"clock_nanosleep absolute", in_clock_nanosleep_absolute},
    {"usleep", in_usleep},
    {"recv", in_recv},
    {"read", in_read},
    {"sem_timedwait", in_sem_timedwait},
    {"sigtimedwait", in_sigtimedwait},
};
#define WAITS (sizeof waits / sizeof *waits)

static void *wait_in(void *number)
{
    const char *name = waits[(uintptr_t)number].name;
    while (!stop) {
        double start = now();
        int result = waits[(uintptr_t)number].wait();
        double took = (now() - start) * 1000;
        probe_check(result == 0, "%s: %d, %s", name, result, strerror(errno));
        /* 5 %, and what a busy machine may add */
        probe_check(took > WAIT_MS * 0.98, "%s ended after %.0f ms", name, took);
        probe_check(took < WAIT_MS * 1.05 + 150, "%s ended after %.0f ms", name, took);
        rounds++;
    }
    return NULL;
}

/* Without end, until the message comes. */
static void *wait_for_message(void *unused)
{
    struct {
        long type;
        char text[8];
    } message;
    probe_check(msgrcv(queue, &message, sizeof message.text, 0, 0) >= 0, "%s", strerror(errno));
    return unused;
}

static void *burn(void *unused)
{
    while (!stop)
        probe_burn(10000000);
    return unused;
}

int main(int argc, char **argv)
{
    double end = now() + (argc > 1 ? atof(argv[1]) : 4) * probe_long(15);
    struct timeval limit = {0, WAIT_MS * 1000};
    pthread_t threads[WAITS], reader, burner;
    probe_watchdog(180);
    probe_check(pipe(quiet_pipe) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, quiet_socket) == 0,
                "%s", strerror(errno));
    setsockopt(quiet_socket[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    epoll = epoll_create1(0);
    queue = msgget(IPC_PRIVATE, 0600);
    for (uintptr_t n = 0; n < WAITS; n++)
        pthread_create(&threads[n], NULL, wait_in, (void *)n);
    pthread_create(&reader, NULL, wait_for_message, NULL);
    pthread_create(&burner, NULL, burn, NULL);
    while (now() < end) {
        kill(getpid(), SIGUSR2);
        usleep(100000);
    }
    stop = true;
    struct {
        long type;
        char text[8];
    } message = {1, "end"};
    msgsnd(queue, &message, sizeof message.text, 0);
    for (unsigned n = 0; n < WAITS; n++)
        pthread_join(threads[n], NULL);
    pthread_join(reader, NULL);
    pthread_join(burner, NULL);
    msgctl(queue, IPC_RMID, NULL);
    uint32_t walks = atomic_load(&probe_open()->header->walk);
    printf("%u waits, %u dumps asked every thread\n", rounds, walks);
    probe_check(walks >= 5, "%u", walks);
    return 0;
}
