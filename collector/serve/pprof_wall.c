#include "serve/pprof_wall.h"

#include "profile/profile_ops.h"
#include "serve/pprof_answer.h"
#include "serve/snapshot.h"
#include "wall/running.h"
#include "wall/wall.h"

/* The CPU profile since `before`; NULL: there is none. */
static struct profile *cpu_since(struct request *request, struct process *process,
                                 const struct profile *before)
{
    struct error ignored;
    struct profile *after =
        before ? snapshot_take(request->collector, process, DUMP_CPU, &ignored) : NULL;
    struct profile *cpu = after ? profile_subtract(after, before, false, &ignored) : NULL;
    profile_free(after);
    return cpu;
}

void pprof_wall(struct request *request, struct response *response, struct process *process)
{
    struct error err;
    int64_t seconds = pprof_integer(request, "seconds");
    if (seconds <= 0)
        seconds = 30;
    if (seconds > PPROF_SECONDS_MAX) {
        pprof_error(response, 400, "profile duration exceeds server's WriteTimeout");
        return;
    }
    if (!process->pid) {
        pprof_error(response, 500, "the process cannot be seen from the collector's pid namespace");
        return;
    }
    struct profile *before = snapshot_take(request->collector, process, DUMP_CPU, &err);
    struct profile *wall =
        wall_take(process->pid, (double)seconds, request_cancelled, request, &err);
    if (!wall) {
        pprof_error(response, 500, err.text);
        profile_free(before);
        return;
    }
    struct profile *cpu = cpu_since(request, process, before);
    struct profile *whole = cpu ? wall_with_stacks(wall, cpu, &err) : NULL;
    struct profile *shown = whole ? whole : wall;
    snapshot_symbolize(process, shown);
    pprof_send(response, shown, "wall", "");
    profile_free(before);
    profile_free(cpu);
    profile_free(whole);
    profile_free(wall);
}
