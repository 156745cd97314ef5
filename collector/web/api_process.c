/* Processes: the table, one of them, its numbers over time. */
#include "base/clock.h"
#include "base/mem.h"
#include "serve/pprof_index.h"
#include "web/api.h"
#include "web/reply.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Rates are of the last entries: fewer would show the 10 ms steps of CPU samples. */
#define RATE_ENTRIES 4

/* The arguments, with blanks between them. */
static void put_command_line(struct writer *w, const struct process *process)
{
    char *line = mem_alloc(process->cmdline_size + 1);
    memcpy(line, process->cmdline, process->cmdline_size);
    line[process->cmdline_size] = '\0';
    size_t end = process->cmdline_size;
    while (end && !line[end - 1])
        end--;
    for (size_t i = 0; i < end; i++)
        if (!line[i])
            line[i] = ' ';
    json_text(w, "command", line);
    free(line);
}

static double rate(uint64_t from, uint64_t to, int64_t ns)
{
    return ns > 0 && to > from ? (double)(to - from) / ((double)ns / 1e9) : 0;
}

/* The newest numbers; of a process too young for an entry, those of its ledger. */
static void put_numbers(struct writer *w, struct process *process, bool running)
{
    struct history_entry entries[RATE_ENTRIES], newest = {0};
    size_t n = history_read(&process->history, 0, entries, RATE_ENTRIES);
    double cpu = 0, allocation = 0;
    if (n) {
        const struct history_entry *first = &entries[0];
        newest = entries[n - 1];
        int64_t ns = newest.time_ns - first->time_ns;
        cpu = rate(first->cpu_ns, newest.cpu_ns, ns) / 1e7;
        allocation = rate(first->heap_alloc, newest.heap_alloc, ns);
    } else {
        struct totals totals;
        process_read_totals(process, &totals);
        newest.heap_inuse = totals.heap_inuse;
        newest.heap_alloc = totals.heap_alloc;
        newest.cpu_ns = totals.cpu_ns;
        newest.threads = totals.threads;
    }
    json_number(w, "heap_inuse", newest.heap_inuse);
    json_number(w, "heap_alloc", (int64_t)newest.heap_alloc);
    json_number(w, "cpu_ns", (int64_t)newest.cpu_ns);
    json_number(w, "threads", running ? (int64_t)newest.threads : 0);
    json_number(w, "alloc_rate", running ? (int64_t)allocation : 0);
    writer_printf(w, ",\"cpu_percent\":%.1f", running ? cpu : 0);
}

static void put_process(struct writer *w, struct registry *registry, struct process *process)
{
    struct process_status status;
    char state[64];
    registry_get_status(registry, process, &status);
    process_state_text(&status, state, sizeof state);
    bool running = status.state == PROCESS_RUNNING;
    json_key(w, "id", true);
    writer_put_json(w, process_id(process));
    json_number(w, "pid", process_shown_pid(process));
    json_text(w, "name", process_name(process));
    json_text(w, "exe", process->exe);
    put_command_line(w, process);
    json_number(w, "uid", process->uid);
    json_text(w, "state", state);
    writer_printf(w, ",\"running\":%s", running ? "true" : "false");
    json_number(w, "start_ns", process->start_ns);
    json_number(w, "end_ns", status.end_ns);
    put_numbers(w, process, running);
}

/* Who was turned away. */
static void put_refused(struct writer *w, struct refusals *refusals)
{
    size_t n;
    uint64_t total;
    struct refusal *list = refusals_list(refusals, &n, &total);
    json_number(w, "refused", (int64_t)total);
    writer_put(w, ",\"refusals\":[");
    for (size_t i = 0; i < n; i++) {
        writer_put(w, i ? ",{" : "{");
        json_key(w, "count", true);
        writer_put_int(w, (int64_t)list[i].count);
        json_number(w, "pid", list[i].pid);
        json_text(w, "user", list[i].user);
        json_text(w, "program", list[i].program);
        json_text(w, "reason", list[i].reason);
        writer_put_char(w, '}');
    }
    writer_put_char(w, ']');
    free(list);
}

void api_get_processes(struct request *request, struct response *response)
{
    struct registry *registry = &request->collector->registry;
    struct web *web = request->context;
    struct writer w = {0};
    size_t n;
    struct process **list = registry_list(registry, &n);
    writer_put_char(&w, '{');
    json_key(&w, "now_ns", true);
    writer_put_int(&w, clock_realtime());
    writer_put(&w, ",\"processes\":[");
    for (size_t i = 0; i < n; i++) {
        writer_put(&w, i ? ",{" : "{");
        put_process(&w, registry, list[i]);
        writer_put_char(&w, '}');
    }
    registry_list_free(list, n);
    writer_put(&w, "]");
    put_refused(&w, &request->collector->refusals);
    struct view **files = views_list_pinned(&web->views, &n);
    writer_put(&w, ",\"files\":[");
    for (size_t i = 0; i < n; i++) {
        writer_put(&w, i ? "," : "");
        api_put_view(&w, files[i]);
        view_release(files[i]);
    }
    free(files);
    writer_put(&w, "]}");
    reply_json(response, &w);
}

static void put_profiles(struct writer *w, struct process *process)
{
    size_t counts[DUMP_PROFILES] = {0};
    pprof_count_records(process, counts);
    writer_put(w, ",\"profiles\":[");
    for (const struct pprof_entry *entry = pprof_entries; entry->name; entry++) {
        writer_put(w, entry == pprof_entries ? "{" : ",{");
        json_key(w, "name", true);
        writer_put_json(w, entry->name);
        json_number(w, "count", entry->profile < 0 ? 0 : (int64_t)counts[entry->profile]);
        json_text(w, "text", entry->text);
        writer_put_char(w, '}');
    }
    writer_put_char(w, ']');
}

void api_get_process(struct request *request, struct response *response)
{
    struct web *web = request->context;
    struct process *process = registry_find(&request->collector->registry, request->parameters[0]);
    struct writer w = {0};
    int64_t marks[TIMELINE_MARKS];
    if (!process) {
        reply_error(response, 404, "no such process");
        return;
    }
    writer_put_char(&w, '{');
    put_process(&w, &request->collector->registry, process);
    json_number(&w, "now_ns", clock_realtime());
    put_profiles(&w, process);
    size_t n = timeline_times(&web->timeline, process, marks, TIMELINE_MARKS);
    writer_put(&w, ",\"marks\":[");
    for (size_t i = 0; i < n; i++) {
        writer_put(&w, i ? "," : "");
        writer_put_int(&w, marks[i]);
    }
    writer_put(&w, "]}");
    process_release(process);
    reply_json(response, &w);
}

/* One column of the history: "key":[values] of a field. */
#define PUT_COLUMN(w, key, entries, n, field)                                                      \
    do {                                                                                           \
        json_key(w, key, false);                                                                   \
        writer_put_char(w, '[');                                                                   \
        for (size_t at = 0; at < (n); at++) {                                                      \
            writer_put(w, at ? "," : "");                                                          \
            writer_put_int(w, (int64_t)(entries)[at].field);                                       \
        }                                                                                          \
        writer_put_char(w, ']');                                                                   \
    } while (0)

void api_get_history(struct request *request, struct response *response)
{
    struct process *process = registry_find(&request->collector->registry, request->parameters[0]);
    if (!process) {
        reply_error(response, 404, "no such process");
        return;
    }
    char *since = request_query(request, "since");
    struct history_entry *entries = mem_zero(HISTORY_ENTRIES, sizeof *entries);
    size_t n = history_read(&process->history, since ? strtoll(since, NULL, 10) : 0, entries,
                            HISTORY_ENTRIES);
    struct writer w = {0};
    writer_put_char(&w, '{');
    json_key(&w, "now_ns", true);
    writer_put_int(&w, clock_realtime());
    PUT_COLUMN(&w, "time_ns", entries, n, time_ns);
    PUT_COLUMN(&w, "heap_inuse", entries, n, heap_inuse);
    PUT_COLUMN(&w, "heap_alloc", entries, n, heap_alloc);
    PUT_COLUMN(&w, "cpu_ns", entries, n, cpu_ns);
    PUT_COLUMN(&w, "threads", entries, n, threads);
    writer_put_char(&w, '}');
    free(entries);
    free(since);
    process_release(process);
    reply_json(response, &w);
}
