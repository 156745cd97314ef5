/*
 * What scripts/run shows when no program is given: a small service with the
 * faults that the profiles are for. A cache that never forgets (heap), a hot
 * checksum (cpu), a lock held too long (block, mutex), workers (threads).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKERS 3
#define REQUESTS 4000

struct entry {
    struct entry *next;
    size_t size;
    unsigned char body[];
};

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *cache;

static __attribute__((noinline)) uint32_t checksum(const unsigned char *data, size_t size)
{
    uint32_t sum = 1;
    for (int round = 0; round < 40; round++)
        for (size_t i = 0; i < size; i++)
            sum = sum * 31 + data[i];
    return sum;
}

static __attribute__((noinline)) struct entry *make_entry(unsigned request)
{
    size_t size = 512 + request % 7 * 1024;
    struct entry *entry = malloc(sizeof *entry + size);
    if (!entry)
        abort();
    entry->size = size;
    memset(entry->body, (int)request, size);
    return entry;
}

/* One request in eight stays for ever: the leak. */
static __attribute__((noinline)) void keep(struct entry *entry)
{
    pthread_mutex_lock(&cache_lock);
    entry->next = cache;
    cache = entry;
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); /* "writes it to disk" */
    pthread_mutex_unlock(&cache_lock);
}

static void *worker(void *arg)
{
    uint32_t *total = arg;
    for (unsigned request = 0; request < REQUESTS; request++) {
        struct entry *entry = make_entry(request);
        *total += checksum(entry->body, entry->size);
        if (request % 8 == 0)
            keep(entry);
        else
            free(entry);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[WORKERS];
    uint32_t totals[WORKERS] = {0};
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&threads[i], NULL, worker, &totals[i]) != 0)
            return 1;
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    printf("demo: %d workers answered %d requests each; checksum %u\n", WORKERS, REQUESTS,
           (unsigned)(totals[0] ^ totals[1] ^ totals[2]));
    return 0;
}
