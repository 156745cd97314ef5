#include "serve/pprof_index.h"

#include <stdio.h>
#include <stdlib.h>

const struct pprof_entry pprof_entries[] = {
    {"allocs", DUMP_HEAP, "A sampling of all past memory allocations"},
    {"block", DUMP_BLOCK, "Stack traces that led to blocking on synchronization primitives"},
    {"cmdline", -1, "The command line invocation of the current program"},
    {"goroutine", DUMP_THREADS, "Stack traces of all current threads"},
    {"heap", DUMP_HEAP, "A sampling of memory allocations of live objects"},
    {"heappeak", DUMP_HEAPPEAK, "The live objects when the heap was largest"},
    {"mutex", DUMP_MUTEX, "Stack traces of holders of contended mutexes"},
    {"profile", -1,
     "CPU profile. You can specify the duration in the seconds GET parameter; the default is 30. "
     "After you get the profile file, use go tool pprof or prof to investigate it."},
    {"threadcreate", DUMP_THREADCREATE, "Stack traces that led to the creation of new OS threads"},
    {"threads", DUMP_THREADS, "The same as goroutine"},
    {"trace", -1,
     "A trace of what happens in the next seconds GET parameter seconds (1), for ui.perfetto.dev; "
     "format=chrome or json; last=N for the past of a process with LIBPROF_TRACE=flight."},
    {"wall", -1,
     "Where the time of every thread goes: running, waiting for a processor, waiting and for what. "
     "You can specify the duration in the seconds GET parameter; the default is 30."},
    {NULL, -1, NULL},
};

void pprof_count_records(struct process *process, size_t counts[DUMP_PROFILES])
{
    pthread_rwlock_rdlock(&process->ledger.lock);
    uint32_t sites = process->ledger.base ? ledger_view_sites(&process->ledger.view) : 0;
    uint32_t threads = process->ledger.base ? ledger_view_threads(&process->ledger.view) : 0;
    for (uint32_t n = 1; n < sites; n++) {
        struct ledger_site_view site;
        if (!ledger_view_site(&process->ledger.view, n, &site) || !(site.count || site.value))
            continue;
        counts[DUMP_HEAP] += site.kind == LEDGER_KIND_HEAP;
        counts[DUMP_HEAPPEAK] += site.kind == LEDGER_KIND_HEAP && site.peak;
        counts[DUMP_BLOCK] += site.kind == LEDGER_KIND_BLOCK;
        counts[DUMP_MUTEX] += site.kind == LEDGER_KIND_MUTEX;
        counts[DUMP_THREADCREATE] += site.kind == LEDGER_KIND_THREADCREATE;
    }
    for (uint32_t n = 1; n < threads; n++) {
        struct ledger_thread_view thread;
        counts[DUMP_THREADS] +=
            ledger_view_thread(&process->ledger.view, n, &thread) && !thread.end_ns;
    }
    pthread_rwlock_unlock(&process->ledger.lock);
}

void pprof_index(struct request *request, struct response *response, struct process *process)
{
    size_t counts[DUMP_PROFILES] = {0}, size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    pprof_count_records(process, counts);
    fputs("<html>\n<head>\n<title>/debug/pprof/</title>\n<style>\n.profile-name{\n"
          "\tdisplay:inline-block;\n\twidth:6rem;\n}\n</style>\n</head>\n<body>\n"
          "/debug/pprof/<br>\n<p>Set debug=1 as a query parameter to export in legacy text "
          "format</p>\n<br>\nTypes of profiles available:\n<table>\n"
          "<thead><td>Count</td><td>Profile</td></thead>\n",
          out);
    for (const struct pprof_entry *entry = pprof_entries; entry->name; entry++)
        fprintf(out, "<tr><td>%zu</td><td><a href='%s?debug=1'>%s</a></td></tr>\n",
                entry->profile < 0 ? 0 : counts[entry->profile], entry->name, entry->name);
    fputs("</table>\n<a href=\"goroutine?debug=2\">full goroutine stack dump</a>\n<br>\n<p>\n"
          "Profile Descriptions:\n<ul>\n",
          out);
    for (const struct pprof_entry *entry = pprof_entries; entry->name; entry++)
        fprintf(out, "<li><div class=profile-name>%s: </div> %s</li>\n", entry->name, entry->text);
    fputs("</ul>\n</p>\n</body>\n</html>", out);
    fclose(out);
    response_bytes(response, 200, "text/html; charset=utf-8", text, size);
}
