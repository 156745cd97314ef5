#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "report/text.h"

/* The profile's name, from the file's: EXE.PID.SEQ.NAME.pb.gz or NAME.pb.gz; malloc'ed or
 * NULL. It tells mutex from block, whose contents look the same. */
static char *name_from_file(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *end = strstr(base, ".pb"), *start = end;
    if (!end)
        return NULL;
    while (start > base && start[-1] != '.')
        start--;
    return strndup(start, (size_t)(end - start));
}

static bool is_counts(const struct profile *p)
{
    return p->n_sample_types == 1;
}

static int run_text(struct cli_options *o)
{
    uint64_t *entries = NULL;
    /* Offsets into functions come from symbolizing, so it is done again. */
    o->force = !o->no_symbols;
    struct profile *p = cli_load(o, 0, &entries);
    FILE *out = p ? cli_open_output(o) : NULL;
    int status = 1;
    if (out) {
        struct text_options t = {.entries = entries, .memory_map = o->maps};
        char *name = name_from_file(o->arguments[0]);
        bool tells = name && (strcmp(name, "mutex") == 0 || strcmp(name, "block") == 0);
        if (o->debug >= 2 && is_counts(p))
            text_print_debug2(p, &t, out);
        else
            text_print_debug1(p, tells ? name : NULL, &t, out);
        status = cli_close_output(o, out, true);
        free(name);
    }
    free(entries);
    profile_free(p);
    return status;
}

const struct command cmd_text = {
    .name = "text",
    .usage = "[OPTIONS] FILE...",
    .summary = "the profile as text, as Go's net/http/pprof prints it with debug=1",
    .help = "Prints every record: its numbers, its addresses, and for each frame\n"
            "  #  0xADDRESS  function+0xOFFSET  file:line\n"
            "The form follows the profile: heap, contention (block, mutex), or counts (threads).\n"
            "Numbers of a heap profile are the sampled ones, as in Go's text; `go tool pprof`\n"
            "and prof read the text back and scale them up again.\n"
            "\n"
            "Examples:\n"
            "  prof text app.4242.0001.heap.pb.gz\n"
            "  prof text --debug 2 app.4242.0001.threads.pb.gz\n"
            "  prof text --maps FILE > FILE.txt; go tool pprof -top FILE.txt\n",
    .run = run_text,
    .options = "debug maps output " LOAD_OPTIONS,
};
