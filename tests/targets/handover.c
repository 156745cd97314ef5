/*
 * Two threads hand blocks over: one allocates, the other frees, as fast as they
 * can, so that an address is used again at once. In the end nothing is in use but
 * what is printed: "live N" blocks of 48 bytes.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 300000
#define SLOTS 64

static _Atomic(void *) slots[SLOTS];

static void *producer(void *arg)
{
    for (unsigned n = 0; n < ROUNDS; n++) {
        void *block = malloc(48);
        void *old = atomic_exchange(&slots[n % SLOTS], block);
        free(old); /* nobody took it */
    }
    return NULL;
}

static void *consumer(void *arg)
{
    for (unsigned n = 0; n < ROUNDS; n++)
        free(atomic_exchange(&slots[(n * 7) % SLOTS], NULL));
    return NULL;
}

int main(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, i % 2 ? consumer : producer, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    unsigned live = 0;
    for (int i = 0; i < SLOTS; i++)
        live += atomic_load(&slots[i]) != NULL;
    printf("live %u allocated %u\n", live, 2 * ROUNDS);
    return 0;
}
