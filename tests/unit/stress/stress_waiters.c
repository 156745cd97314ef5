/* Locks that threads fight for, on a clock that only they move. */
#include "sample/locks/waiters.h"
#include "stress.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#define LOCKS 40
#define TURNS 30000

static pthread_mutex_t locks[LOCKS];
static _Atomic(uint64_t) ticks = 1;
static _Atomic(uint64_t) waited, charged, entered, arrived;

static uint64_t tick(void)
{
    return atomic_fetch_add(&ticks, 1);
}

static void fight(unsigned thread, void *unused)
{
    uint64_t seed = thread;
    (void)unused;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        /* mostly for one of few, so that there are waiters */
        unsigned n = stress_random(&seed) % (turn % 8 ? 3 : LOCKS);
        unsigned weight = turn % 5 ? 1 : 256;
        if (pthread_mutex_trylock(&locks[n]) != 0) {
            uint64_t came = tick();
            struct waiters_slot *slot = waiters_enter(&locks[n], weight, came);
            pthread_mutex_lock(&locks[n]);
            uint64_t left = tick();
            if (slot) {
                waiters_leave(slot, weight, left);
                atomic_fetch_add(&waited, weight * (left - came));
                atomic_fetch_add(&entered, weight);
            }
        }
        if (turn % 64 == 0)
            sched_yield(); /* with the lock */
        if (waiters_any(&locks[n])) {
            struct waiters_charge charge = waiters_take(&locks[n], tick());
            atomic_fetch_add(&charged, charge.delay_ns);
            atomic_fetch_add(&arrived, charge.arrived);
        }
        pthread_mutex_unlock(&locks[n]);
    }
}

int main(void)
{
    for (unsigned n = 0; n < LOCKS; n++)
        pthread_mutex_init(&locks[n], NULL);
    stress_run(fight, NULL);
    fprintf(stderr, "waited %lu, charged %lu; %lu waiters, %lu charged\n", (unsigned long)waited,
            (unsigned long)charged, (unsigned long)entered, (unsigned long)arrived);
    /* What is left of a wait after the last unlock isn't anybody's. */
    stress_check(entered > 100 && charged <= waited && charged > waited / 20);
    stress_check(arrived <= entered);
    stress_check(waiters_count.locks == 0);
    for (unsigned n = 0; n < WAITERS_FILTER; n++)
        stress_check(waiters_filter[n] == 0);
    for (unsigned n = 0; n < LOCKS; n++)
        stress_check(waiters_take(&locks[n], tick()).delay_ns == 0);
    return stress_result();
}
