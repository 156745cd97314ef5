#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/dump_signal.h"
#include "cli/remote.h"
#include "profile/profile_io.h"
#include "serve/client.h"
#include "symbolize/symbolize.h"

#define ALL_PROFILES "heap,heappeak,cpu,threads,threadcreate,block,mutex"

/* The collector writes into its own directory; the names come back. */
static int dump_there(struct cli_options *o, const char *id)
{
    struct error err;
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

static char *program_name(const char *address, const char *id, struct error *err)
{
    size_t n;
    struct remote_process *list = remote_list(address, &n, err);
    const struct remote_process *process = list ? remote_find(list, n, id) : NULL;
    char *name = process ? mem_strdup(process->name) : NULL;
    if (list && !process)
        fail_with(err, "no such process at the collector: see prof ps");
    remote_free(list, list ? n : 0);
    return name;
}

static bool fetch_one(struct cli_options *o, const char *id, const char *name, const char *path)
{
    struct error err;
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
    struct error err;
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

/* Is PROFILE of a file's name EXE.PID.SEQ.PROFILE.pb.gz among the kinds? NULL: all. */
static bool is_wanted(const char *path, const char *kinds)
{
    const char *end = path + strlen(path) - strlen(".pb.gz"), *start = end;
    while (start > path && start[-1] != '.' && start[-1] != '/')
        start--;
    size_t length = (size_t)(end - start);
    for (const char *kind = kinds; kind && *kind;) {
        size_t n = strcspn(kind, ",");
        if (n == length && memcmp(kind, start, n) == 0)
            return true;
        kind += n + (kind[n] == ',');
    }
    return !kinds;
}

/* From the process's directory to the one named, with names for the addresses. */
static bool fetch_file(struct cli_options *o, const char *from, pid_t pid)
{
    struct error err;
    char *path = mem_printf("%s/%s", o->output, strrchr(from, '/') + 1);
    struct profile *profile = profile_read_file(from, &err);
    if (profile)
        symbolize_profile(profile,
                          &(struct symbolize_options){.style = DEMANGLE_SHORT, .pid = pid});
    bool good = profile && profile_write_file(profile, path, &err);
    if (good)
        puts(path);
    else
        cli_fail(profile ? path : from, err.text);
    profile_free(profile);
    free(path);
    return good;
}

static int dump_signalled(struct cli_options *o, const char *id)
{
    struct error err;
    size_t n, wanted = 0;
    int status = 0;
    pid_t pid = (pid_t)strtol(id, NULL, 10);
    char **paths = dump_by_signal(pid, &n, &err);
    if (!paths)
        return cli_fail(id, err.text);
    if (o->output && mkdir(o->output, 0777) < 0 && errno != EEXIST)
        status = cli_fail(o->output, strerror(errno));
    for (size_t i = 0; i < n; i++) {
        if (!status && is_wanted(paths[i], o->profile_kind)) {
            wanted++;
            if (!o->output)
                puts(paths[i]);
            else if (!fetch_file(o, paths[i], pid))
                status = 1;
        }
        free(paths[i]);
    }
    free(paths);
    return status || wanted ? status : cli_fail(id, "it has no such profile");
}

/* Is there a collector that knows the process? */
static bool is_known(const char *address, const char *id)
{
    struct error err;
    size_t n = 0;
    struct remote_process *list = remote_list(address, &n, &err);
    bool known = list && remote_find(list, n, id);
    remote_free(list, n);
    return known;
}

static int run_dump(struct cli_options *o)
{
    if (o->n_arguments != 1) {
        fprintf(stderr, "prof dump: of which process? give one PID: see prof ps\n");
        return 2;
    }
    const char *id = o->arguments[0];
    bool is_number = *id && !id[strspn(id, "0123456789")] && strlen(id) < 10;
    if (is_number && !o->http && !is_known(o->http, id))
        return dump_signalled(o, id);
    return o->output || o->profile_kind ? dump_here(o, id) : dump_there(o, id);
}

const struct command cmd_dump = {
    .name = "dump",
    .usage = "[OPTIONS] PID",
    .summary = "write the profiles of a process",
    .help = "Without -o and --profile the collector that knows the process writes a dump into its\n"
            "own directory. With -o DIR (or --profile heap,cpu,... and the working directory)\n"
            "they are written here, with names for the addresses. Their paths are printed.\n"
            "A process that no collector knows (and no --http was given) is asked by the signal\n"
            "that libprof has for itself there, and what it writes to its LIBPROF_DIR is picked\n"
            "up. The program's own signals, LIBPROF_SIGNAL among them, aren't used for it.\n",
    .run = run_dump,
    .options = "http profile output",
};
