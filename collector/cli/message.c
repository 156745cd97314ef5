/* What prof says on stderr. */
#include <stdio.h>

#include "cli/cli.h"

int cli_fail(const char *subject, const char *text)
{
    fprintf(stderr, "prof: %s: %s\n", subject, text);
    return 1;
}

void cli_notice(void *arg, const char *text)
{
    const struct cli_options *o = arg;
    if (!o->quiet)
        fprintf(stderr, "prof: %s\n", text);
}
