#include "cli/commands.h"
#include "cli/list_asm.h"
#include "cli/run_report.h"

static int run_list(struct cli_options *o)
{
    if (o->n_arguments < 2) {
        fprintf(stderr, "prof list: give a function (a regular expression) and a file\n");
        return 2;
    }
    if (o->assembly) {
        o->report.granularity = PROFILE_ADDRESSES;
        o->report.no_inlines = true; /* an instruction belongs to one function */
        return cli_run_report(o, 1, o->arguments[0], list_asm);
    }
    o->report.granularity = PROFILE_LINES;
    return cli_run_report(o, 1, o->arguments[0], report_list);
}

const struct command cmd_list = {
    .name = "list",
    .usage = "[OPTIONS] FUNCTION FILE...",
    .summary = "a function's source code with what each line costs",
    .help = "FUNCTION is a regular expression. Sources are read where the debug information\n"
            "says they are, or below the folders of -source_path and their parents; what\n"
            "-trim_path names is cut off their names first. With --asm the machine code is shown,\n"
            "by objdump (of binutils), with what each instruction costs.\n"
            "\n"
            "Example:\n"
            "  prof list -sample_index alloc_space 'table_insert' app.4242.0001.heap.pb.gz\n",
    .run = run_list,
    .options = "asm " REPORT_OPTIONS,
};
