/* errno is the program's: neither a sample nor a hook changes it (hazard 8). */
#include "probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *nothing(void *argument)
{
    return argument;
}

int main(void)
{
    probe_watchdog(120);
    unsigned long seconds = probe_long(20);
    uint64_t until = probe_rusage_ns() + seconds * 1000000000;
    unsigned long turns = 0;
    while (probe_rusage_ns() < until) {
        for (unsigned n = 0; n < 200; n++, turns++) {
            errno = 0;
            close(-1);
            for (volatile unsigned spin = 0; spin < 2000; spin++)
                ;
            probe_check(errno == EBADF, "%d after spinning", errno);
            errno = ESPIPE;
            char *block = malloc(64);
            free(block);
            probe_check(errno == ESPIPE, "%d after malloc and free", errno);
        }
        pthread_t thread;
        errno = ESPIPE;
        pthread_create(&thread, NULL, nothing, NULL);
        probe_check(errno == ESPIPE, "%d after pthread_create", errno);
        pthread_join(thread, NULL);
    }
    uint64_t samples = probe_count(LEDGER_KIND_CPU, NULL, false);
    printf("%lu turns, %lu samples\n", turns, samples);
    probe_check(samples > 200 * seconds, "%lu samples", samples);
    return 0;
}
