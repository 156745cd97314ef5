#include "web/timeline.h"

#include "base/clock.h"
#include "base/mem.h"
#include "profile/profile_io.h"
#include "serve/encode_process.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static const enum dump_profile recorded[] = {DUMP_HEAP, DUMP_CPU, DUMP_BLOCK, DUMP_MUTEX};
#define RECORDED (sizeof recorded / sizeof *recorded)

struct mark {
    int64_t time_ns; /* CLOCK_REALTIME */
    struct {
        unsigned char *bytes; /* gzip'ed profile */
        size_t size;
    } profiles[RECORDED];
};

struct track {
    struct process *process; /* a reference */
    uint64_t samples;        /* when the last mark was made */
    int64_t next_ns;         /* CLOCK_MONOTONIC: no mark before */
    size_t bytes;
    struct mark *marks; /* oldest first */
    size_t n, room;
    struct track *next;
};

void timeline_init(struct timeline *timeline)
{
    memset(timeline, 0, sizeof *timeline);
    pthread_mutex_init(&timeline->lock, NULL);
    timeline->stop_fd = -1;
}

static size_t mark_free(struct mark *mark)
{
    size_t bytes = 0;
    for (size_t i = 0; i < RECORDED; i++) {
        bytes += mark->profiles[i].size;
        free(mark->profiles[i].bytes);
    }
    return bytes;
}

static void track_free(struct timeline *timeline, struct track *track)
{
    for (size_t i = 0; i < track->n; i++)
        mark_free(&track->marks[i]);
    timeline->bytes -= track->bytes;
    process_release(track->process);
    free(track->marks);
    free(track);
}

void timeline_free(struct timeline *timeline)
{
    while (timeline->tracks) {
        struct track *track = timeline->tracks;
        timeline->tracks = track->next;
        track_free(timeline, track);
    }
    pthread_mutex_destroy(&timeline->lock);
}

/* ---- Recording; the recorder's thread alone adds and removes tracks ---- */

static void drop_mark(struct timeline *timeline, struct track *track, size_t at)
{
    size_t bytes = mark_free(&track->marks[at]);
    track->bytes -= bytes;
    timeline->bytes -= bytes;
    memmove(track->marks + at, track->marks + at + 1, (--track->n - at) * sizeof *track->marks);
}

static void thin_out(struct timeline *timeline)
{
    while (timeline->tracks && timeline->bytes > TIMELINE_BYTES_MAX) {
        struct track *largest = timeline->tracks;
        for (struct track *track = timeline->tracks; track; track = track->next)
            if (track->bytes > largest->bytes)
                largest = track;
        if (largest->n == 1) {
            drop_mark(timeline, largest, 0);
            continue;
        }
        for (size_t i = 1; i < largest->n; i++)
            drop_mark(timeline, largest, i);
    }
}

static void add_mark(struct timeline *timeline, struct track *track)
{
    struct mark mark = {.time_ns = clock_realtime()};
    struct error err;
    size_t bytes = 0;
    for (size_t i = 0; i < RECORDED; i++) {
        mark.profiles[i].bytes = encode_process(timeline->collector, track->process, recorded[i],
                                                &mark.profiles[i].size, &err);
        if (!mark.profiles[i].bytes)
            mark.profiles[i].size = 0;
        bytes += mark.profiles[i].size;
    }
    pthread_mutex_lock(&timeline->lock);
    track->marks = mem_grow(track->marks, track->n, &track->room, sizeof *track->marks);
    track->marks[track->n++] = mark;
    track->bytes += bytes;
    timeline->bytes += bytes;
    if (track->n > TIMELINE_MARKS)
        drop_mark(timeline, track, 0);
    thin_out(timeline);
    pthread_mutex_unlock(&timeline->lock);
}

static struct track *find_track(struct timeline *timeline, const struct process *process)
{
    struct track *track = timeline->tracks;
    while (track && track->process != process)
        track = track->next;
    return track;
}

static void visit(struct timeline *timeline, struct process *process)
{
    struct history_entry newest;
    struct track *track = find_track(timeline, process);
    int64_t start = clock_monotonic();
    if (!track) {
        track = mem_zero(1, sizeof *track);
        process_hold(process);
        track->process = process;
        pthread_mutex_lock(&timeline->lock);
        track->next = timeline->tracks;
        timeline->tracks = track;
        pthread_mutex_unlock(&timeline->lock);
    }
    if (start < track->next_ns || !history_read(&process->history, 0, &newest, 1) ||
        (track->n && newest.samples == track->samples))
        return;
    track->samples = newest.samples;
    add_mark(timeline, track);
    track->next_ns = start + (clock_monotonic() - start) * TIMELINE_SHARE;
}

/* Processes the registry has forgotten are forgotten here, too. */
static void forget(struct timeline *timeline, struct process *const *list, size_t n)
{
    pthread_mutex_lock(&timeline->lock);
    for (struct track **at = &timeline->tracks; *at;) {
        struct track *track = *at;
        size_t i = 0;
        while (i < n && list[i] != track->process)
            i++;
        if (i < n) {
            at = &track->next;
            continue;
        }
        *at = track->next;
        track_free(timeline, track);
    }
    pthread_mutex_unlock(&timeline->lock);
}

static void *record(void *argument)
{
    struct timeline *timeline = argument;
    struct registry *registry = &timeline->collector->registry;
    struct pollfd stop = {.fd = timeline->stop_fd, .events = POLLIN};
    while (poll(&stop, 1, (int)(TIMELINE_INTERVAL_NS / 1000000)) == 0) {
        size_t n;
        struct process **list = registry_list(registry, &n);
        forget(timeline, list, n);
        for (size_t i = 0; i < n; i++) {
            struct process_status status;
            registry_get_status(registry, list[i], &status);
            if (status.state == PROCESS_RUNNING && list[i]->ledger.base)
                visit(timeline, list[i]);
        }
        registry_list_free(list, n);
    }
    return NULL;
}

void timeline_start(struct timeline *timeline, struct collector *collector)
{
    timeline->collector = collector;
    timeline->stop_fd = eventfd(0, EFD_CLOEXEC);
    timeline->started = pthread_create(&timeline->thread, NULL, record, timeline) == 0;
}

void timeline_stop(struct timeline *timeline)
{
    uint64_t one = 1;
    if (timeline->started && write(timeline->stop_fd, &one, sizeof one) == sizeof one)
        pthread_join(timeline->thread, NULL);
    timeline->started = false;
    if (timeline->stop_fd >= 0)
        close(timeline->stop_fd);
    timeline->stop_fd = -1;
}

/* ---- Asking ---- */

bool timeline_records(enum dump_profile which)
{
    for (size_t i = 0; i < RECORDED; i++)
        if (recorded[i] == which)
            return true;
    return false;
}

size_t timeline_times(struct timeline *timeline, const struct process *process, int64_t *times,
                      size_t n)
{
    size_t count = 0;
    pthread_mutex_lock(&timeline->lock);
    const struct track *track = find_track(timeline, process);
    for (size_t i = 0; track && i < track->n && count < n; i++)
        times[count++] = track->marks[i].time_ns;
    pthread_mutex_unlock(&timeline->lock);
    return count;
}

struct profile *timeline_take(struct timeline *timeline, const struct process *process,
                              enum dump_profile which, int64_t at_ns, int64_t *found_ns,
                              struct error *err)
{
    const struct mark *mark = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0, kind = 0;
    while (kind < RECORDED && recorded[kind] != which)
        kind++;
    pthread_mutex_lock(&timeline->lock);
    const struct track *track = find_track(timeline, process);
    for (size_t i = 0; kind < RECORDED && track && i < track->n; i++)
        if (!mark || track->marks[i].time_ns <= at_ns)
            mark = &track->marks[i];
    if (mark && mark->profiles[kind].bytes) {
        size = mark->profiles[kind].size;
        bytes = memcpy(mem_alloc(size), mark->profiles[kind].bytes, size);
        *found_ns = mark->time_ns;
    }
    pthread_mutex_unlock(&timeline->lock);
    if (!bytes) {
        fail_with(err, "nothing was recorded of process %s then", process_id(process));
        return NULL;
    }
    struct profile *profile = profile_read_memory(bytes, size, err);
    free(bytes);
    return profile;
}
