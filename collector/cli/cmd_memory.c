#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include "memory/resident.h"
#include "report/overview.h"

#define STACKS 5

/* The heap profile of a process that a collector knows; NULL: it does not. */
static struct profile *read_heap(const struct cli_options *o, const char *id)
{
    struct error ignored;
    size_t n = 0;
    struct remote_process *list = remote_list(o->http, &n, &ignored);
    const struct remote_process *found = list ? remote_find(list, n, id) : NULL;
    bool running = found && strcmp(found->state, "running") == 0;
    if (list)
        remote_free(list, n);
    return running ? remote_profile(o->http, id, "heap", 0, &ignored) : NULL;
}

static int run_memory(struct cli_options *o)
{
    struct error err;
    char *end = NULL;
    const char *id = o->n_arguments == 1 ? o->arguments[0] : "";
    long pid = strtol(id, &end, 10);
    if (!isdigit((unsigned char)*id) || *end || pid <= 0) {
        fprintf(stderr, "prof memory: of which process? give one process number\n");
        return 2;
    }
    struct profile *heap = read_heap(o, id);
    bool good = resident_print((pid_t)pid, heap, stdout, &err);
    if (good && heap)
        overview_print_stacks(heap, "inuse_space", "In use, by stack", STACKS, stdout);
    else if (good && !o->quiet)
        cli_notice(o, "no collector has its heap profile: prof attach, prof run or prof serve tell "
                      "what of malloc's memory is in use, and by which stack");
    profile_free(heap);
    return good ? 0 : cli_fail(id, err.text);
}

const struct command cmd_memory = {
    .name = "memory",
    .usage = "[OPTIONS] PID",
    .summary = "where the resident memory of any process is, each byte with an owner",
    .help =
        "A table of owners whose sum is the resident set: malloc, a runtime's heap, stacks,\n"
        "data and code of files, shared memory, libprof; what is swapped out stands beside it.\n"
        "Anonymous memory that nothing tells is one line, and its largest mappings are listed.\n"
        "Where a collector knows the process, malloc's part is divided into what is in use, by\n"
        "the heap profile, and the rest; the heaviest stacks follow.\n"
        "\n"
        "Examples:\n"
        "  prof memory 4242\n",
    .run = run_memory,
    .options = "http quiet",
};
