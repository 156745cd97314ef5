#include "web/views.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void views_init(struct views *views)
{
    pthread_mutex_init(&views->lock, NULL);
    views->first = NULL;
}

void view_release(struct view *view)
{
    if (!view || atomic_fetch_sub(&view->references, 1) != 1)
        return;
    profile_free(view->profile);
    free(view->program);
    free(view->process_id);
    free(view->name);
    free(view);
}

void views_free(struct views *views)
{
    while (views->first) {
        struct view *view = views->first;
        views->first = view->next;
        view_release(view);
    }
    pthread_mutex_destroy(&views->lock);
}

/* Good enough to bound the sum: stacks and values dominate. */
static size_t estimate_bytes(const struct profile *p)
{
    size_t bytes = p->n_locations * (sizeof(struct profile_location) + sizeof(struct profile_line));
    for (size_t i = 0; i < p->n_samples; i++)
        bytes += sizeof(struct profile_sample) + p->samples[i]->n_locations * sizeof(void *) +
                 p->samples[i]->n_labels * sizeof(struct profile_label) +
                 p->n_sample_types * sizeof(int64_t);
    return bytes + p->n_functions * 200;
}

/* Unlinks what is too much, from the least recently used end; returns it. */
static struct view *collect_surplus(struct views *views)
{
    size_t n = 0, bytes = 0;
    struct view *surplus = NULL;
    for (struct view **at = &views->first; *at;) {
        struct view *view = *at;
        if (!view->pinned) {
            n++;
            bytes += view->bytes;
        }
        if (view->pinned || n == 1 || (n <= VIEWS_MAX && bytes <= VIEWS_BYTES_MAX)) {
            at = &view->next;
            continue;
        }
        *at = view->next;
        view->next = surplus;
        surplus = view;
    }
    return surplus;
}

struct view *views_add(struct views *views, const struct view *what, bool pinned)
{
    struct view *view = mem_zero(1, sizeof *view);
    unsigned long random = 0;
    *view = *what;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (unsigned long)(uintptr_t)view;
    snprintf(view->id, sizeof view->id, "%016lx", random);
    view->program = mem_strdup(what->program);
    view->process_id = mem_strdup(what->process_id);
    view->name = mem_strdup(what->name);
    view->pinned = pinned;
    view->bytes = estimate_bytes(view->profile);
    view->references = 2; /* the list's and the caller's */
    pthread_mutex_lock(&views->lock);
    view->next = views->first;
    views->first = view;
    struct view *surplus = collect_surplus(views);
    pthread_mutex_unlock(&views->lock);
    while (surplus) {
        struct view *next = surplus->next;
        view_release(surplus);
        surplus = next;
    }
    return view;
}

struct view *views_find(struct views *views, const char *id)
{
    struct view *view = NULL;
    pthread_mutex_lock(&views->lock);
    for (struct view **at = &views->first; *at && !view; at = &(*at)->next) {
        if (strcmp((*at)->id, id) != 0)
            continue;
        view = *at;
        *at = view->next;
        view->next = views->first;
        views->first = view;
        atomic_fetch_add(&view->references, 1);
        break;
    }
    pthread_mutex_unlock(&views->lock);
    return view;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct view *const *)a)->name, (*(struct view *const *)b)->name);
}

struct view **views_list_pinned(struct views *views, size_t *n)
{
    struct view **list = NULL;
    size_t room = 0;
    *n = 0;
    pthread_mutex_lock(&views->lock);
    for (struct view *view = views->first; view; view = view->next) {
        if (!view->pinned)
            continue;
        list = mem_grow(list, *n, &room, sizeof *list);
        list[(*n)++] = view;
        atomic_fetch_add(&view->references, 1);
    }
    pthread_mutex_unlock(&views->lock);
    if (list)
        qsort(list, *n, sizeof *list, by_name);
    return list;
}
