/* traces, tags and raw: the samples themselves. */
#include "cli/commands.h"
#include "cli/run_report.h"

static bool print_traces(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    (void)symbol;
    (void)err;
    report_traces(r, out);
    return true;
}

static bool print_tags(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    (void)symbol;
    (void)err;
    report_tags(r, out);
    return true;
}

static bool print_raw(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    (void)symbol;
    (void)err;
    report_raw(r->p, out);
    return true;
}

static int run_traces(struct cli_options *o)
{
    return cli_run_report(o, 0, NULL, print_traces);
}

static int run_tags(struct cli_options *o)
{
    return cli_run_report(o, 0, NULL, print_tags);
}

static int run_raw(struct cli_options *o)
{
    o->report.granularity = PROFILE_ADDRESSES;
    o->report.no_inlines = false;
    return cli_run_report(o, 0, NULL, print_raw);
}

const struct command cmd_traces = {
    .name = "traces",
    .usage = "[OPTIONS] FILE...",
    .summary = "every sample with its labels and its whole stack",
    .help = "The leaf comes first; frames marked (inline) were inlined into the next one.\n"
            "\n"
            "Example:\n"
            "  prof traces -tagfocus thread=worker app.4242.0001.cpu.pb.gz\n",
    .run = run_traces,
    .options = REPORT_OPTIONS,
};

const struct command cmd_tags = {
    .name = "tags",
    .usage = "[OPTIONS] FILE...",
    .summary = "what each label's values account for",
    .help = "For each label key (thread, bytes ...) its values, the largest first.\n"
            "\n"
            "Example:\n"
            "  prof tags -tagshow thread app.4242.0001.cpu.pb.gz\n",
    .run = run_tags,
    .options = REPORT_OPTIONS,
};

const struct command cmd_raw = {
    .name = "raw",
    .usage = "[OPTIONS] FILE...",
    .summary = "everything in the profile, as it is",
    .help = "Samples with location ids, then locations, then mappings. [FN][FL][LN][IN]: the\n"
            "mapping's functions, files, lines, inlined frames are known.\n"
            "\n"
            "Example:\n"
            "  prof raw -no-symbols app.4242.0001.heap.pb.gz\n",
    .run = run_raw,
    .options = REPORT_OPTIONS,
};
