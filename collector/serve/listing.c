/*
 * GET /ps: the processes as lines of tab-separated fields, for `prof ps` and for
 * scripts: id, state, start (seconds since the epoch), samples, CPU ns, heap in use,
 * heap peak, bytes allocated, threads, program's path, its name. GET /refused: who was turned
 * away: how many, the last one's pid, user, program's path, reason. POST /dump/ID writes a dump.
 */
#include "serve/archive.h"
#include "serve/command.h"
#include "serve/pprof.h"

#include "base/mem.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A program's path may hold anything: no tab or newline may come out. */
static void put_text(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
}

static void get_processes(struct request *request, struct response *response)
{
    size_t n, size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    struct process **list = registry_list(&request->collector->registry, &n);
    for (size_t i = 0; i < n; i++) {
        struct process_status status;
        struct totals totals;
        char state[32];
        registry_get_status(&request->collector->registry, list[i], &status);
        process_read_totals(list[i], &totals);
        process_state_text(&status, state, sizeof state);
        fprintf(out,
                "%s\t%s\t%" PRId64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRId64 "\t%" PRId64 "\t%" PRIu64
                "\t%" PRIu32 "\t",
                process_id(list[i]), state, list[i]->start_ns / 1000000000, totals.samples,
                totals.cpu_ns, totals.heap_inuse, totals.heap_peak, totals.heap_alloc,
                status.state == PROCESS_RUNNING ? totals.threads : 0);
        put_text(out, list[i]->exe);
        fputc('\t', out);
        put_text(out, process_name(list[i]));
        fputc('\n', out);
    }
    registry_list_free(list, n);
    fclose(out);
    response_bytes(response, 200, "text/plain; charset=utf-8", text, size);
}

static void get_refused(struct request *request, struct response *response)
{
    size_t n, size = 0;
    uint64_t total;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    struct refusal *list = refusals_list(&request->collector->refusals, &n, &total);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%" PRIu64 "\t%d\t%s\t%s\t%s\n", list[i].count, (int)list[i].pid, list[i].user,
                list[i].program, list[i].reason);
    free(list);
    fclose(out);
    response_bytes(response, 200, "text/plain; charset=utf-8", text, size);
}

/* The names of the files written, one on a line. */
static void post_dump(struct request *request, struct response *response)
{
    struct error err;
    struct process *process = request_process(request, response);
    if (!process)
        return;
    struct process_status status;
    registry_get_status(&request->collector->registry, process, &status);
    uint32_t wanted = ~0u;
    if (status.state != PROCESS_RUNNING || !command_threads(process, &err))
        wanted = ARCHIVE_TOTALS;
    if (archive_write(request->collector, process, wanted, 0, false, &err)) {
        size_t size = 0;
        char *text = NULL;
        FILE *out = open_memstream(&text, &size);
        pthread_mutex_lock(&request->collector->registry.lock);
        const struct process_dump *dump = process->dumps;
        for (unsigned which = 0; dump && which < DUMP_PROFILES; which++) {
            if (!(dump->profiles & 1u << which))
                continue;
            char *path =
                archive_path(request->collector, process, dump->sequence, dump_profile_name(which));
            fprintf(out, "%s\n", path);
            free(path);
        }
        pthread_mutex_unlock(&request->collector->registry.lock);
        fclose(out);
        response_bytes(response, 200, "text/plain; charset=utf-8", text, size);
    } else {
        response_error(response, 500, err.text);
    }
    process_release(process);
}

const struct route listing_routes[] = {
    {HTTP_GET, "/ps", get_processes},
    {HTTP_GET, "/refused", get_refused},
    {HTTP_POST, "/dump/:id", post_dump},
    {0, NULL, NULL},
};
