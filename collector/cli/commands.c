/* The table of commands, and their help. */
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"

const struct command *const cli_commands[] = {
    &cmd_report, &cmd_top,       &cmd_tree,   &cmd_peek, &cmd_list,    &cmd_traces, &cmd_tags,
    &cmd_raw,    &cmd_stats,     &cmd_leaks,  &cmd_text, &cmd_threads, &cmd_diff,   &cmd_merge,
    &cmd_filter, &cmd_symbolize, &cmd_export, &cmd_run,  &cmd_attach,  &cmd_detach, &cmd_runs,
    &cmd_serve,  &cmd_web,       &cmd_ps,     &cmd_dump, &cmd_cpu,     &cmd_wall,   &cmd_memory,
    &cmd_trace,  &cmd_live,      &cmd_env,    NULL,
};

const struct command *cli_find_command(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

void cli_print_overview(FILE *out)
{
    fputs("prof - read the profiles of native programs\n"
          "\n"
          "Usage: prof COMMAND [OPTIONS] ARGUMENTS\n"
          "\n",
          out);
    for (size_t i = 0; cli_commands[i]; i++)
        fprintf(out, "  %-10s  %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fputs("\n"
          "Profiles are pprof files (libprof's, Go's, anybody's; gzip'ed or not), Go's text\n"
          "profiles, gperftools' CPU profiles, or directories of libprof's dumps; or of live\n"
          "processes: the PID of one that a collector knows (prof ps), or http://HOST:PORT/PATH.\n"
          "Several are added up; \"-\" is standard input. Options are those of `go tool pprof`, "
          "written\n"
          "-focus=x, -focus x, or --focus x, before or after the files.\n"
          "\n"
          "prof help COMMAND tells more. Exit status: 0 done, 1 bad input, 2 bad command line.\n",
          out);
}

void cli_print_help(const struct command *c, FILE *out)
{
    fprintf(out, "prof %s - %s\n\nUsage: prof %s %s\n\n%s", c->name, c->summary, c->name, c->usage,
            c->help);
    cli_print_options(c, out);
}
