#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "profile/mem.h"
#include "profile/profile_io.h"
#include "serve/client.h"

#define ALL_PROFILES "heap,heappeak,cpu,threads,threadcreate,block,mutex"

/* The collector writes into its own directory; the names come back. */
static int dump_there(struct cli_options *o, const char *id)
{
    struct profile_error err;
    size_t size;
    char *path = mem_printf("/dump/%s", id);
    char *names = client_request(o->http, "POST", path, &size, NULL, NULL, &err);
    free(path);
    if (!names)
        return cli_fail(id, err.text);
    fputs(names, stdout);
    free(names);
    return 0;
}

/* The number after the last dump of this program and pid in the folder. */
static unsigned next_sequence(const char *folder, const char *program, const char *id)
{
    for (unsigned sequence = 1;; sequence++) {
        bool taken = false;
        const char *name = ALL_PROFILES;
        while (*name && !taken) {
            size_t length = strcspn(name, ",");
            char *path = mem_printf("%s/%s.%s.%04u.%.*s.pb.gz", folder, program, id, sequence,
                                    (int)length, name);
            taken = access(path, F_OK) == 0;
            free(path);
            name += length + (name[length] == ',');
        }
        if (!taken)
            return sequence;
    }
}

static char *program_name(const char *address, const char *id, struct profile_error *err)
{
    size_t n;
    struct remote_process *list = remote_list(address, &n, err);
    const struct remote_process *process = list ? remote_find(list, n, id) : NULL;
    const char *slash = process ? strrchr(process->exe, '/') : NULL;
    char *name = process ? mem_strdup(slash ? slash + 1 : process->exe) : NULL;
    if (list && !process)
        profile_fail(err, "no such process at the collector: see prof ps");
    remote_free(list, list ? n : 0);
    return name;
}

static bool fetch_one(struct cli_options *o, const char *id, const char *name, const char *path)
{
    struct profile_error err;
    struct profile *profile = remote_profile(o->http, id, name, 0, &err);
    bool good = profile && profile_write_file(profile, path, &err);
    profile_free(profile);
    if (good)
        puts(path);
    else
        cli_fail(name, err.text);
    return good;
}

static int dump_here(struct cli_options *o, const char *id)
{
    struct profile_error err;
    const char *folder = o->output ? o->output : ".";
    char *program = program_name(o->http, id, &err);
    if (!program)
        return cli_fail(id, err.text);
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        return cli_fail(folder, strerror(errno));
    unsigned sequence = next_sequence(folder, program, id);
    char *names = mem_strdup(o->profile_kind ? o->profile_kind : ALL_PROFILES), *rest = names;
    int status = 0;
    for (char *name; (name = strsep(&rest, ",")) != NULL;) {
        char *path = mem_printf("%s/%s.%s.%04u.%s.pb.gz", folder, program, id, sequence, name);
        if (!fetch_one(o, id, name, path))
            status = 1;
        free(path);
    }
    free(names);
    free(program);
    return status;
}

static int run_dump(struct cli_options *o)
{
    if (o->n_arguments != 1) {
        fprintf(stderr, "prof dump: of which process? give one PID: see prof ps\n");
        return 2;
    }
    return o->output || o->profile_kind ? dump_here(o, o->arguments[0])
                                        : dump_there(o, o->arguments[0]);
}

const struct command cmd_dump = {
    .name = "dump",
    .usage = "[OPTIONS] PID",
    .summary = "write the profiles of a process that a collector knows",
    .help = "Without -o and --profile the collector writes a dump into its own directory. With\n"
            "-o DIR (or --profile heap,cpu,... and the working directory) they are written here,\n"
            "with names for the addresses. Their paths are printed.\n",
    .run = run_dump,
    .options = "http profile output",
};
