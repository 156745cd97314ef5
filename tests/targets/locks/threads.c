/* Threads that are joined, and barriers. */
#include "locks.h"

#include <stdint.h>
#include <unistd.h>

static void *sleep_long(void *unused)
{
    sleep(60);
    return unused;
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

void threads(void)
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

void barriers(void)
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
