/* Two threads that fight for a lock, for microseconds each time. */
#include "../../lib/processor.h"
#include "waits.h"

#include <sched.h>

static int spins;

/* Keeps the processor for so many ns. */
static void be_busy(long ns)
{
    for (long start = now(); now() - start < ns;)
        ;
}

/* One turn of a fight: 10 us with the mutex, 5 to 15 us without. What a wait took can't be told
 * from what its call did, some 100 ns of it; `least` knows only the waits beyond that. */
static APART void storm_lock(unsigned turn)
{
    long start = now();
    if (spins)
        pthread_spin_lock(&spin);
    else
        pthread_mutex_lock(&mutex);
    long took = now() - start;
    be_busy(10000);
    if (spins)
        pthread_spin_unlock(&spin);
    else
        pthread_mutex_unlock(&mutex);
    most += took;
    least += took > 500 ? took - 500 : 0;
    squares += took / 100 * (took / 100) / 100;
    be_busy(5000 + turn * 2654435761u % 10000);
}

/* On a processor of its own, and where it may before all others: two that take turns on
 * one don't fight. */
static void take_processor(unsigned wanted)
{
    processor_take(wanted);
    struct sched_param first = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO, &first);
}

static void *storm(void *unused)
{
    take_processor((unsigned)atomic_fetch_add(&places, 1));
    pthread_barrier_wait(&barrier);
    for (long n = 0; n < rounds; n++)
        storm_lock((unsigned)n);
    return unused;
}

void fight(int for_spin_lock)
{
    pthread_t ids[2];
    spins = for_spin_lock;
    pthread_spin_init(&spin, 0);
    pthread_barrier_init(&barrier, NULL, 2);
    for (int n = 0; n < 2; n++)
        pthread_create(&ids[n], NULL, storm, NULL);
    for (int n = 0; n < 2; n++)
        pthread_join(ids[n], NULL);
}
