#include "serve/last_trace.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "profile/profile_io.h"
#include "serve/snapshot.h"
#include "trace/encode.h"
#include "trace/trace.h"

/* A number is put in where an earlier program's file is in the way. malloc'ed. */
static char *free_path(struct collector *collector, const struct process *process)
{
    char *path = mem_printf("%s/%s.%d.pftrace", collector->options.dir, process_name(process),
                            (int)process_shown_pid(process));
    for (unsigned n = 2; access(path, F_OK) == 0; n++) {
        free(path);
        path = mem_printf("%s/%s.%d.%u.pftrace", collector->options.dir, process_name(process),
                          (int)process_shown_pid(process), n);
    }
    return path;
}

void last_trace_write(struct collector *collector, struct process *process)
{
    struct error err;
    struct trace *trace = NULL;
    size_t size;
    pthread_rwlock_rdlock(&process->ledger.lock);
    if (process->ledger.base && atomic_load(&process->ledger.view.header->trace_armed))
        trace = trace_read(&process->ledger.view, 0, INT64_MAX);
    pthread_rwlock_unlock(&process->ledger.lock);
    if (trace && trace->n_events) {
        char *path = free_path(collector, process);
        snapshot_symbolize(process, trace->stacks);
        void *bytes = trace_encode(trace, TRACE_PERFETTO, &size);
        if (!profile_write_bytes(path, bytes, size, &err))
            collector_log(collector, "%s (%s): %s", process_id(process), process_name(process),
                          err.text);
        free(bytes);
        free(path);
    }
    trace_free(trace);
}
