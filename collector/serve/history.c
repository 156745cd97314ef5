#include "serve/history.h"

#include "base/mem.h"
#include <stdlib.h>

void history_init(struct history *history)
{
    pthread_mutex_init(&history->lock, NULL);
    history->ring = NULL;
    history->count = 0;
}

void history_free(struct history *history)
{
    free(history->ring);
    pthread_mutex_destroy(&history->lock);
}

void history_add(struct history *history, const struct history_entry *entry)
{
    pthread_mutex_lock(&history->lock);
    if (!history->ring)
        history->ring = mem_zero(HISTORY_ENTRIES, sizeof *history->ring);
    history->ring[history->count++ % HISTORY_ENTRIES] = *entry;
    pthread_mutex_unlock(&history->lock);
}

size_t history_read(struct history *history, int64_t since_ns, struct history_entry *out, size_t n)
{
    size_t copied = 0;
    pthread_mutex_lock(&history->lock);
    size_t kept = history->count < HISTORY_ENTRIES ? history->count : HISTORY_ENTRIES;
    size_t at = history->count - (n < kept ? n : kept);
    for (; at < history->count; at++) {
        const struct history_entry *entry = &history->ring[at % HISTORY_ENTRIES];
        if (entry->time_ns > since_ns)
            out[copied++] = *entry;
    }
    pthread_mutex_unlock(&history->lock);
    return copied;
}
