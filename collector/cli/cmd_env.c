/* Prints the library's own table of configuration variables. */
#include "cli/commands.h"
#include "runtime/config.h"

static void put(void *context, const char *text)
{
    fputs(text, context);
}

static int run_env(struct cli_options *o)
{
    (void)o;
    config_print_table(put, stdout);
    return 0;
}

const struct command cmd_env = {
    .name = "env",
    .usage = "",
    .summary = "the environment variables that configure libprof.so",
    .help = "Prints each variable with its default and what it does.\n",
    .run = run_env,
    .options = "",
};
