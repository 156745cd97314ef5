#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "export/export.h"
#include "profile/profile_io.h"

/* One line, with the names of the formats. */
static int no_format(void)
{
    fputs("prof export: --to FORMAT is missing; there are", stderr);
    for (const struct export_format *f = export_formats; f->name; f++)
        fprintf(stderr, "%s %s", f == export_formats ? "" : ",", f->name);
    fputc('\n', stderr);
    return 2;
}

static int write_profile(struct cli_options *o, const struct export_format *format,
                         struct profile *p)
{
    struct error err;
    struct writer out = {0};
    struct export_options options = {
        .type = profile_find_index(p, o->report.sample_index, &err),
        .title = o->title,
    };
    const char *path = o->output ? o->output : "-";
    int status = 0;
    if (options.type < 0 || !format->write(&out, p, &options, &err))
        status = cli_fail(o->arguments[0], err.text);
    else if (!profile_write_bytes(path, out.data, out.size, &err))
        status = cli_fail(o->output ? path : "standard output", err.text);
    writer_free(&out);
    return status;
}

static int list_formats(void)
{
    puts("prof export --to FORMAT [-o OUT] FILE...; there are:");
    for (const struct export_format *f = export_formats; f->name; f++)
        printf("  %-12s%s\n", f->name, f->purpose);
    return 0;
}

static int run_export(struct cli_options *o)
{
    struct error err;
    if (!o->to)
        return o->n_arguments ? no_format() : list_formats();
    const struct export_format *format = export_find_format(o->to, &err);
    if (!format) {
        fprintf(stderr, "prof export: %s\n", err.text);
        return 2;
    }
    struct profile *p = cli_load(o, 0, NULL);
    if (!p)
        return 1;
    int status = profile_apply_filter(p, &o->report.filter, cli_notice, o, &err)
                     ? write_profile(o, format, p)
                     : cli_fail(o->arguments[0], err.text);
    profile_free(p);
    return status;
}

const struct command cmd_export = {
    .name = "export",
    .usage = "--to FORMAT [-o OUT] FILE...",
    .summary = "write the profile for another tool: KCachegrind, flame graphs, browsers",
    .help = "Writes the profiles, added up and with names, in the format of another tool.\n"
            "`prof export` alone lists the formats there are.\n"
            "\n"
            "Examples:\n"
            "  prof export --to callgrind -o callgrind.out.app app.4242.0001.cpu.pb.gz\n"
            "  prof export --to folded app.4242.0001.cpu.pb.gz | flamegraph.pl > app.svg\n"
            "  prof export --to html -o app.html libprof.out\n"
            "  prof export --to svg -diff_base before.pb.gz -o change.svg after.pb.gz\n",
    .run = run_export,
    .options = "to title sample_index output " FILTER_OPTIONS LOAD_OPTIONS,
};
