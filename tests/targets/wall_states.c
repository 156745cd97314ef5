/* Threads that each spend their time in one known way, for the wall profile: their names say in
 * which. Prints "ready", and goes on until it is ended. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int ends[2], sockets[2];
static const char *lock_path;
static volatile bool stays = true; /* so that each function has an end */

static void nap(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void *sleeps(void *unused)
{
    while (stays)
        nap(3);
    return NULL;
}

static void *spins(void *unused)
{
    for (volatile long n = 0; stays; n++)
        ;
    return NULL;
}

static void *reads_a_pipe(void *unused)
{
    char byte;
    read(ends[0], &byte, 1);
    return NULL;
}

static void *reads_a_socket(void *unused)
{
    char byte;
    recv(sockets[0], &byte, 1, 0);
    return NULL;
}

static void *waits_for_a_condition(void *unused)
{
    static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&own);
    while (stays)
        pthread_cond_wait(&never, &own);
    return NULL;
}

static void *waits_for_a_lock(void *unused)
{
    pthread_mutex_lock(&mutex);
    return NULL;
}

static void *polls(void *unused)
{
    while (stays)
        poll(NULL, 0, 70);
    return NULL;
}

static void *waits_for_a_file_lock(void *unused)
{
    flock(open(lock_path, O_RDWR), LOCK_EX);
    return NULL;
}

static void *waits_for_a_signal(void *unused)
{
    sigset_t set;
    int signo;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigwait(&set, &signo);
    return NULL;
}

/* Half of its time it runs, half it sleeps. */
static void *does_both(void *unused)
{
    while (stays) {
        struct timespec start, now;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
        do
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < 10000000);
        nap(10);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void *(*run)(void *);
    } threads[] = {
        {"sleep", sleeps},
        {"running", spins},
        {"pipe", reads_a_pipe},
        {"socket", reads_a_socket},
        {"futex", waits_for_a_condition},
        {"lock", waits_for_a_lock},
        {"poll", polls},
        {"flock", waits_for_a_file_lock},
        {"signal", waits_for_a_signal},
        {"both", does_both},
    };
    char path[] = "/tmp/wall_states.XXXXXX";
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    flock(mkstemp(path), LOCK_EX);
    lock_path = path;
    pipe(ends);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    pthread_mutex_lock(&mutex);
    for (size_t n = 0; n < sizeof threads / sizeof *threads; n++) {
        pthread_t thread;
        pthread_create(&thread, NULL, threads[n].run, NULL);
        pthread_setname_np(thread, threads[n].name);
    }
    nap(300); /* until each is where it stays */
    unlink(path);
    pthread_setname_np(pthread_self(), "child");
    puts("ready");
    fflush(stdout);
    waitpid(child, NULL, 0);
    return 0;
}
