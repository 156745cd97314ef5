#include "wall/wall.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wall/life.h"

/* Between two looks at all threads; more where there are many of them, so that looking takes some
 * percents of a processor at most. */
#define LOOK_NS INT64_C(20000000)
#define LOOK_SHARE 30

/* Which labels a sample can have. */
#define LABELS 5

static void add_label(struct profile *p, struct profile_sample *sample, const char *key,
                      const char *text, int64_t number)
{
    if (text && !*text)
        return;
    sample->labels[sample->n_labels++] = (struct profile_label){
        .key = profile_intern(p, key),
        .str = text ? profile_intern(p, text) : NULL,
        .num = number,
        .unit = profile_intern(p, text ? "" : "id"),
    };
}

static struct profile_sample *add_sample(struct profile *p, const struct life *life,
                                         const struct place *place, size_t depth, int64_t looks,
                                         int64_t ns)
{
    struct profile_sample *sample = profile_add_sample(p, depth, LABELS);
    sample->values[0] = looks;
    sample->values[1] = ns;
    sample->n_labels = 0;
    add_label(p, sample, "state", place->state, 0);
    add_label(p, sample, "call", place->call, 0);
    add_label(p, sample, "file", place->file, 0);
    add_label(p, sample, "thread", life ? life->name : "", 0);
    if (life)
        add_label(p, sample, "tid", NULL, life->tid);
    return sample;
}

/* A location that is no address: what is known of the time is its name. */
static void add_named(struct profile *p, const struct life *life, const char *state, int64_t ns)
{
    struct place place = {state, "", ""};
    char *name = mem_printf("[%s]", state);
    if (ns > 0) {
        struct profile_sample *sample = add_sample(p, life, &place, 1, 0, ns);
        struct profile_location *location = NULL;
        for (size_t n = 0; n < p->n_locations && !location; n++)
            if (p->locations[n]->n_lines &&
                strcmp(p->locations[n]->lines[0].function->name, name) == 0)
                location = p->locations[n];
        if (!location) {
            location = profile_add_location(p, NULL, 0, 1);
            location->lines[0].function = profile_add_function(p, name, name, "", 0);
        }
        sample->locations[0] = location;
    }
    free(name);
}

static struct profile *make_profile(struct lives *lives, int64_t ns)
{
    struct profile *p = profile_new();
    profile_add_sample_type(p, "samples", "count");
    profile_add_sample_type(p, "wall", "nanoseconds");
    p->default_sample_type = profile_intern(p, "wall");
    p->period_type.type = profile_intern(p, "wall");
    p->period_type.unit = profile_intern(p, "nanoseconds");
    p->period = 1;
    p->time_nanos = clock_realtime() - ns;
    p->duration_nanos = ns;
    blocked_add_modules(lives->blocked, p);
    struct wait *wait, *next_wait;
    HASH_ITER(hh, lives->waits, wait, next_wait)
    {
        struct life *life;
        HASH_FIND_INT(lives->list, &wait->tid, life);
        if (wait->ns <= 0)
            continue;
        struct profile_sample *sample =
            add_sample(p, life, &wait->place, wait->depth, wait->looks, wait->ns);
        for (size_t n = 0; n < wait->depth; n++)
            sample->locations[n] = blocked_location(lives->blocked, p, wait->frames[n]);
    }
    struct life *life, *next;
    HASH_ITER(hh, lives->list, life, next)
    {
        add_named(p, life, "running", life->running);
        add_named(p, life, "runnable", life->runnable);
        add_named(p, life, "unexplained", life->unexplained);
    }
    return p;
}

/* May the process's stacks be read? One thread's place answers for all. */
static bool check_permission(pid_t pid, struct error *err)
{
    struct blocked_place place;
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return fail_with(err, "no such process");
    if (!blocked_place(pid, pid, &place) && errno)
        return fail_with(err,
                         "its stacks may not be read: that takes the rights of a debugger (the "
                         "same user, and kernel.yama.ptrace_scope 0; or root)");
    return true;
}

static void nap(int64_t ns)
{
    struct timespec time = {ns / 1000000000, ns % 1000000000};
    if (ns > 0)
        nanosleep(&time, NULL);
}

struct profile *wall_take(pid_t pid, double seconds, wall_stop *stop, void *arg, struct error *err)
{
    struct lives lives = {.pid = pid};
    if (!check_permission(pid, err) || !(lives.blocked = blocked_open(pid, err)))
        return NULL;
    bool alive = lives_look(&lives, true);
    int64_t end = lives.begin_ns + (int64_t)(seconds * 1e9), now = lives.begin_ns;
    while (alive && now < end && !(stop && stop(arg))) {
        int64_t took = clock_monotonic() - now;
        int64_t pause = took * LOOK_SHARE > LOOK_NS ? took * LOOK_SHARE : LOOK_NS;
        nap(now + pause < end ? pause - took : end - clock_monotonic());
        now = clock_monotonic();
        alive = lives_look(&lives, false);
    }
    lives_settle(&lives);
    struct profile *p = make_profile(&lives, now - lives.begin_ns);
    lives_free(&lives);
    blocked_close(lives.blocked);
    if (p->n_samples)
        return p;
    profile_free(p);
    fail_with(err, "no thread of it could be looked at");
    return NULL;
}

/* ---- The summary line ---- */

/* Parts that are named; the others are "elsewhere". */
#define PARTS_SHOWN 6

struct part {
    const char *state, *call, *file; /* of the profile */
    int64_t ns;
};

static const char *text_of(const struct profile_sample *sample, const char *key)
{
    const struct profile_label *label = profile_find_label(sample, key);
    return label && label->str ? label->str : "";
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    bool x_waits = strncmp(x->state, "run", 3) != 0, y_waits = strncmp(y->state, "run", 3) != 0;
    if (x_waits != y_waits) /* running and runnable come first */
        return x_waits ? 1 : -1;
    if (!x_waits)
        return strcmp(y->state, x->state); /* "running" before "runnable" */
    return (x->ns < y->ns) - (x->ns > y->ns);
}

static void print_part(FILE *out, const struct part *part)
{
    fprintf(out, "%.1f s ", (double)part->ns / 1e9);
    if (strcmp(part->state, "runnable") == 0)
        fputs("waiting for a processor", out);
    else if (*part->file)
        fprintf(out, "in %s (%s)", part->call, part->file);
    else if (*part->call)
        fprintf(out, "in %s%s", part->call, strcmp(part->state, "lock") == 0 ? " (lock)" : "");
    else
        fputs(part->state, out);
}

char *wall_summary(const struct profile *p)
{
    struct part *parts = NULL;
    size_t n = 0, cap = 0, threads = 0, size = 0;
    int64_t total = 0, shown = 0;
    int64_t *tids = mem_zero(p->n_samples + 1, sizeof *tids);
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *sample = p->samples[i];
        const struct profile_label *tid = profile_find_label(sample, "tid");
        struct part part = {text_of(sample, "state"), text_of(sample, "call"),
                            text_of(sample, "file"), sample->values[1]};
        size_t at = 0, known = 0;
        while (at < n && (parts[at].state != part.state || parts[at].call != part.call ||
                          parts[at].file != part.file))
            at++;
        if (at == n) {
            parts = mem_grow(parts, n, &cap, sizeof *parts);
            parts[n++] = (struct part){part.state, part.call, part.file, 0};
        }
        parts[at].ns += part.ns;
        total += part.ns;
        while (tid && known < threads && tids[known] != tid->num)
            known++;
        if (tid && known == threads)
            tids[threads++] = tid->num;
    }
    qsort(parts, n, sizeof *parts, compare_parts);
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "%zu thread%s, %.1f s", threads, threads == 1 ? "" : "s", (double)total / 1e9);
    for (size_t i = 0; i < n && i < PARTS_SHOWN; i++) {
        fputs(i ? " + " : " = ", out);
        print_part(out, &parts[i]);
        shown += parts[i].ns;
    }
    if (n > PARTS_SHOWN)
        fprintf(out, " + %.1f s elsewhere", (double)(total - shown) / 1e9);
    fclose(out);
    free(parts);
    free(tids);
    return text;
}
