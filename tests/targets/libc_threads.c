/* Functions that libc calls on threads which it starts by itself (SIGEV_THREAD): a timer's, a
 * message queue's and getaddrinfo_a's. Each burns 0.4 s of CPU time and calls nothing that
 * libprof interposes; each says first which signals are blocked. */
#include <fcntl.h>
#include <mqueue.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;
static atomic_int done;

static double cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static void burn(void)
{
    double end = cpu_time() + 0.4;
    while (cpu_time() < end)
        for (int i = 0; i < 10000; i++)
            sink += (unsigned long)i;
}

static void work(const char *who)
{
    sigset_t set;
    int blocked = 0;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    for (int signo = 1; signo <= SIGRTMAX; signo++)
        blocked += sigismember(&set, signo) == 1;
    printf("%s: %d signals are blocked\n", who, blocked);
    burn();
    done++;
}

__attribute__((noinline)) static void on_timer(union sigval value)
{
    work(value.sival_ptr);
}

__attribute__((noinline)) static void on_message(union sigval value)
{
    work(value.sival_ptr);
}

__attribute__((noinline)) static void on_address(union sigval value)
{
    work(value.sival_ptr);
}

static void wait_for(int count)
{
    while (done < count)
        usleep(1000);
}

int main(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_timer};
    const struct itimerspec soon = {.it_value = {0, 1000000}};
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    struct gaicb request = {.ar_name = "127.0.0.1"}, *requests[] = {&request};
    char name[64];
    timer_t timer;

    event.sigev_value.sival_ptr = "timer";
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        return 2;
    timer_settime(timer, 0, &soon, NULL);
    wait_for(1);
    timer_delete(timer);

    snprintf(name, sizeof name, "/libprof-test-%d", getpid());
    mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
    event.sigev_notify_function = on_message;
    event.sigev_value.sival_ptr = "message";
    if (queue == (mqd_t)-1 || mq_notify(queue, &event) != 0)
        return 3;
    mq_send(queue, "a", 1, 0);
    wait_for(2);
    mq_unlink(name);

    event.sigev_notify_function = on_address;
    event.sigev_value.sival_ptr = "address";
    if (getaddrinfo_a(GAI_NOWAIT, requests, 1, &event) != 0)
        return 4;
    wait_for(3);
    return 0;
}
