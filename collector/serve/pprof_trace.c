#include "serve/pprof_trace.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "serve/pprof_answer.h"
#include "serve/snapshot.h"
#include "trace/encode.h"
#include "trace/trace.h"

#define NAP_NS 20000000

/* The window is over, nobody waits for it any more, or the process has ended. */
static void wait_for(struct request *request, struct process *process, int64_t deadline)
{
    struct process_status status = {.state = PROCESS_RUNNING};
    while (clock_monotonic() < deadline && status.state == PROCESS_RUNNING &&
           !request_cancelled(request)) {
        nanosleep(&(struct timespec){0, NAP_NS}, NULL);
        registry_get_status(&request->collector->registry, process, &status);
    }
}

/* Events are written while a trace is wanted by anybody: those who want one are counted. False: the
 * process's memory cannot be written to. */
static bool arm(struct process *process, int change)
{
    struct ledger_header *control = process->ledger.control;
    if (control)
        atomic_fetch_add(&control->trace_armed, (uint32_t)change);
    return control != NULL;
}

static struct trace *read_window(struct process *process, int64_t from_ns, int64_t to_ns)
{
    struct trace *trace = NULL;
    pthread_rwlock_rdlock(&process->ledger.lock);
    if (process->ledger.base)
        trace = trace_read(&process->ledger.view, from_ns, to_ns);
    pthread_rwlock_unlock(&process->ledger.lock);
    return trace;
}

/* NULL: answered. */
static struct trace *take(struct request *request, struct response *response,
                          struct process *process)
{
    int64_t seconds = pprof_integer(request, "seconds"), last = pprof_integer(request, "last");
    int64_t now = clock_monotonic(), end = now, from = now - last * 1000000000;
    if (seconds > PPROF_SECONDS_MAX || last > PPROF_SECONDS_MAX) {
        pprof_error(response, 400, "a trace of more than a day");
        return NULL;
    }
    if (last <= 0) {
        from = now;
        if (!arm(process, 1)) {
            pprof_error(response, 500,
                        "Could not enable tracing: the collector can only read the "
                        "process's memory; start it with LIBPROF_TRACE=flight");
            return NULL;
        }
        wait_for(request, process, now + (seconds > 0 ? seconds : 1) * 1000000000);
        arm(process, -1);
        end = clock_monotonic();
    } else {
        struct process_status status;
        registry_get_status(&request->collector->registry, process, &status);
        if (status.end_mono_ns) { /* the last seconds of its life */
            from += status.end_mono_ns - now;
            end = status.end_mono_ns;
        }
    }
    struct trace *trace = read_window(process, from, end);
    if (!trace)
        pprof_error(response, 500, "Could not enable tracing: the process's memory is not held");
    return trace;
}

void pprof_trace(struct request *request, struct response *response, struct process *process)
{
    enum trace_format format = TRACE_PERFETTO;
    char *wanted = request_query(request, "format");
    bool known = !wanted || !*wanted || trace_find_format(wanted, &format);
    free(wanted);
    if (!known) {
        pprof_error(response, 400, "unknown format: perfetto, chrome or json");
        return;
    }
    struct trace *trace = take(request, response, process);
    if (!trace)
        return;
    size_t size;
    snapshot_symbolize(process, trace->stacks);
    void *bytes = trace_encode(trace, format, &size);
    char *disposition = mem_printf("attachment; filename=\"%s.%u.%s\"", trace->program, trace->pid,
                                   trace_suffix(format));
    response_bytes(response, 200,
                   format == TRACE_PERFETTO ? "application/x-protobuf" : "application/json", bytes,
                   size);
    response_header(response, "Content-Disposition", disposition);
    free(disposition);
    trace_free(trace);
}
