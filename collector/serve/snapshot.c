#include "serve/snapshot.h"

#include "base/clock.h"
#include "base/mem.h"
#include "profile/profile_io.h"
#include "profile/profile_ops.h"
#include "serve/archive.h"
#include "serve/command.h"
#include "serve/encode_process.h"
#include "symbolize/symbolize.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The newest file with this profile. */
static struct profile *take_from_files(struct collector *collector, struct process *process,
                                       enum dump_profile which, struct error *err)
{
    uint32_t sequence = 0;
    pthread_mutex_lock(&collector->registry.lock);
    for (struct process_dump *dump = process->dumps; dump && !sequence; dump = dump->next)
        if (dump->profiles & 1u << which)
            sequence = dump->sequence;
    pthread_mutex_unlock(&collector->registry.lock);
    if (!sequence) {
        fail_with(err, "process %s has no %s profile", process_id(process),
                  dump_profile_name(which));
        return NULL;
    }
    char *path = archive_path(collector, process, sequence, dump_profile_name(which));
    struct profile *profile = profile_read_file(path, err);
    free(path);
    return profile;
}

struct profile *snapshot_take(struct collector *collector, struct process *process,
                              enum dump_profile which, struct error *err)
{
    struct process_status status;
    registry_get_status(&collector->registry, process, &status);
    if (status.state == PROCESS_RUNNING && which == DUMP_THREADS && !command_threads(process, err))
        return NULL;
    if (!process->ledger.base) {
        if (status.state == PROCESS_RUNNING && !command_dump(collector, process, err))
            return NULL;
        return take_from_files(collector, process, which, err);
    }
    size_t size;
    unsigned char *bytes = encode_process(collector, process, which, &size, err);
    struct profile *profile = bytes ? profile_read_memory(bytes, size, err) : NULL;
    free(bytes);
    return profile;
}

/* Waits until the moment, the process's end or a cancel; false: cancelled. */
static bool wait_until(struct collector *collector, struct process *process, int64_t until_ns,
                       snapshot_cancel *cancel, void *context)
{
    for (;;) {
        int64_t left = until_ns - clock_monotonic();
        if (left <= 0)
            return true;
        if ((cancel && cancel(context)) || atomic_load(&collector->stopping))
            return false;
        /* Whoever cancels waits no longer than this. */
        struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
        int timeout = left < 250000000 ? (int)(left / 1000000) + 1 : 250;
        if (poll(&end, 1, timeout) > 0)
            return true;
    }
}

struct profile *snapshot_window(struct collector *collector, struct process *process,
                                enum dump_profile which, double seconds, snapshot_cancel *cancel,
                                void *context, struct error *err)
{
    err->text[0] = '\0';
    int64_t start = clock_monotonic();
    struct profile *before = snapshot_take(collector, process, which, err);
    if (!before)
        return NULL;
    bool whole = wait_until(collector, process, start + (int64_t)(seconds * 1e9), cancel, context);
    struct profile *after = whole ? snapshot_take(collector, process, which, err) : NULL;
    struct profile *window = after ? profile_subtract(after, before, false, err) : NULL;
    if (window) {
        /* the statistics of the end alone, not those of both moments */
        window->n_comments = 0;
        for (size_t i = 0; i < after->n_comments; i++)
            profile_add_comment(window, after->comments[i]);
        window->time_nanos = after->time_nanos;
        window->duration_nanos = clock_monotonic() - start;
    }
    profile_free(before);
    profile_free(after);
    return window;
}

void snapshot_symbolize(struct process *process, struct profile *profile)
{
    snapshot_symbolize_entries(process, profile, NULL);
}

void snapshot_symbolize_entries(struct process *process, struct profile *profile,
                                uint64_t **entries)
{
    /* libdw's and the cache's state is for one thread */
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    struct symbolize_options options = {
        .style = DEMANGLE_SHORT, .pid = process->pid, .entries = entries};
    pthread_mutex_lock(&one);
    symbolize_profile(profile, &options);
    pthread_mutex_unlock(&one);
}

void snapshot_add_modules(struct process *process, struct profile *profile)
{
    pthread_rwlock_rdlock(&process->ledger.lock);
    uint32_t modules = process->ledger.base ? ledger_view_modules(&process->ledger.view) : 0;
    for (uint32_t n = 1; n < modules; n++) {
        struct ledger_module_view module;
        char build_id[2 * sizeof module.build_id + 1] = "";
        if (!ledger_view_module(&process->ledger.view, n, &module))
            continue;
        for (unsigned i = 0; i < module.build_id_size; i++)
            snprintf(build_id + 2 * i, 3, "%02x", module.build_id[i]);
        struct profile_mapping *mapping = profile_add_mapping(profile);
        mapping->start = module.start;
        mapping->limit = module.limit;
        mapping->offset = module.file_offset;
        mapping->file = profile_intern(profile, module.path);
        mapping->build_id = profile_intern(profile, build_id);
    }
    pthread_rwlock_unlock(&process->ledger.lock);
}

bool snapshot_find(const char *name, enum dump_profile *which)
{
    static const struct {
        const char *name;
        enum dump_profile which;
    } names[] = {{"heap", DUMP_HEAP},
                 {"allocs", DUMP_HEAP},
                 {"profile", DUMP_CPU},
                 {"cpu", DUMP_CPU},
                 {"goroutine", DUMP_THREADS},
                 {"threads", DUMP_THREADS},
                 {"threadcreate", DUMP_THREADCREATE},
                 {"block", DUMP_BLOCK},
                 {"mutex", DUMP_MUTEX},
                 {"heappeak", DUMP_HEAPPEAK}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0) {
            *which = names[i].which;
            return true;
        }
    return false;
}
