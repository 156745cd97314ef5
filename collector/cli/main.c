#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/nearest.h"

static int no_such_command(const char *name)
{
    const char *near = NULL;
    unsigned best = UINT_MAX;
    for (size_t n = 0; cli_commands[n]; n++) {
        unsigned distance = nearest_distance(name, strlen(name), cli_commands[n]->name);
        if (distance < best) {
            best = distance;
            near = cli_commands[n]->name;
        }
    }
    if (near && nearest_is_slip(best, strlen(name)))
        fprintf(stderr, "prof: no command '%s': did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "prof: no command '%s': see prof --help\n", name);
    return 2;
}

static int help(const char *name)
{
    const struct command *c = name ? cli_find_command(name) : NULL;
    if (name && !c)
        return no_such_command(name);
    if (c)
        cli_print_help(c, stdout);
    else
        cli_print_overview(stdout);
    return 0;
}

static bool is_one_of(const char *s, const char *a, const char *b, const char *c)
{
    return strcmp(s, a) == 0 || strcmp(s, b) == 0 || strcmp(s, c) == 0;
}

int main(int argc, char **argv)
{
    struct cli_options o;
    if (argc < 2) {
        cli_print_overview(stderr);
        return 2;
    }
    if (is_one_of(argv[1], "help", "--help", "-h") || is_one_of(argv[1], "-help", "-?", "?"))
        return help(argc > 2 ? argv[2] : NULL);
    if (is_one_of(argv[1], "--version", "-version", "version")) {
        puts("prof (libprof) " LIBPROF_VERSION);
        return 0;
    }
    const struct command *c = cli_find_command(argv[1]);
    if (!c)
        return no_such_command(argv[1]);
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (c->takes_command && argv[i][0] != '-')
            break; /* the rest is for the other program */
        if (is_one_of(argv[i], "--help", "-help", "-h"))
            return help(c->name);
    }
    if (!cli_parse_options(c, argc - 2, argv + 2, &o))
        return 2;
    int status = c->run(&o);
    if (fflush(stdout) != 0 && status == 0)
        return cli_fail("standard output", "cannot be written");
    return status;
}
