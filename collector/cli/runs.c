#include "cli/runs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define HEAD "libprof run "
#define RUNS_MAX 1000000u

static unsigned last_number(const char *dir)
{
    struct runs runs;
    runs_read(dir, &runs);
    unsigned last = runs.n ? runs.list[runs.n - 1].number : 0;
    runs_free(&runs);
    return last;
}

/* Line ends in an argument would end the line. */
static void put_command(FILE *file, char *const *command)
{
    fputs("command", file);
    for (; *command; command++) {
        fputc(' ', file);
        for (const char *s = *command; *s; s++)
            fputc(*s == '\n' || *s == '\r' ? ' ' : *s, file);
    }
    fputc('\n', file);
}

unsigned runs_begin(const char *dir, char *const *command, FILE **file, struct error *err)
{
    int fd = -1;
    unsigned number = last_number(dir);
    do {
        char *path = mem_printf("%s/run.%u", dir, ++number);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        free(path);
    } while (fd < 0 && errno == EEXIST && number < RUNS_MAX);
    *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!*file) {
        fail_with(err, "cannot note the run: %s", strerror(errno));
        return 0;
    }
    fprintf(*file, HEAD "%u\nstarted %" PRId64 "\n", number, clock_realtime());
    put_command(*file, command);
    fflush(*file);
    return number;
}

size_t runs_end(FILE *file, struct collector *collector)
{
    size_t n, dumps = 0;
    struct process **list = registry_list(&collector->registry, &n);
    for (size_t i = 0; i < n; i++)
        for (struct process_dump *dump = list[i]->dumps; dump; dump = dump->next, dumps++)
            fprintf(file, "dump %s.%d.%04u\n", process_name(list[i]),
                    (int)process_shown_pid(list[i]), dump->sequence);
    registry_list_free(list, n);
    fprintf(file, "ended %" PRId64 "\n", clock_realtime());
    fclose(file);
    return dumps;
}

void runs_forget(const char *dir, unsigned number)
{
    char *path = mem_printf("%s/run.%u", dir, number);
    unlink(path);
    free(path);
}

static void take_line(struct run *run, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *value = strchr(line, ' ');
    if (!value)
        return;
    *value++ = '\0';
    if (strcmp(line, "started") == 0) {
        run->started_ns = strtoll(value, NULL, 10);
    } else if (strcmp(line, "ended") == 0) {
        run->ended_ns = strtoll(value, NULL, 10);
    } else if (strcmp(line, "command") == 0 && !run->command) {
        run->command = mem_strdup(value);
    } else if (strcmp(line, "dump") == 0) {
        run->dumps = mem_grow(run->dumps, run->n_dumps, &run->cap_dumps, sizeof *run->dumps);
        run->dumps[run->n_dumps++] = mem_strdup(value);
    }
}

static bool read_run(const char *path, struct run *run)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    bool good = file && getline(&line, &size, file) > 0 && strncmp(line, HEAD, strlen(HEAD)) == 0 &&
                (run->number = (unsigned)strtoul(line + strlen(HEAD), NULL, 10)) > 0;
    while (good && getline(&line, &size, file) > 0)
        take_line(run, line);
    if (file)
        fclose(file);
    free(line);
    if (good && !run->command)
        run->command = mem_strdup("");
    return good;
}

static int compare_runs(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

void runs_read(const char *dir, struct runs *runs)
{
    struct dirent *entry;
    *runs = (struct runs){0};
    DIR *folder = opendir(dir);
    while (folder && (entry = readdir(folder))) {
        struct run run = {0};
        if (strncmp(entry->d_name, "run.", 4) != 0)
            continue;
        char *path = mem_printf("%s/%s", dir, entry->d_name);
        if (read_run(path, &run)) {
            runs->list = mem_grow(runs->list, runs->n, &runs->cap, sizeof *runs->list);
            runs->list[runs->n++] = run;
        }
        free(path);
    }
    if (folder)
        closedir(folder);
    if (runs->n)
        qsort(runs->list, runs->n, sizeof *runs->list, compare_runs);
}

void runs_free(struct runs *runs)
{
    for (size_t i = 0; i < runs->n; i++) {
        for (size_t j = 0; j < runs->list[i].n_dumps; j++)
            free(runs->list[i].dumps[j]);
        free(runs->list[i].dumps);
        free(runs->list[i].command);
    }
    free(runs->list);
    *runs = (struct runs){0};
}

unsigned runs_owner(const struct runs *runs, const char *dump, int64_t mtime_ns)
{
    unsigned by_time = 0;
    for (size_t i = runs->n; i > 0; i--) {
        const struct run *run = &runs->list[i - 1];
        for (size_t j = 0; j < run->n_dumps; j++)
            if (strcmp(run->dumps[j], dump) == 0)
                return run->number;
        if (!by_time && run->started_ns <= mtime_ns)
            by_time = run->number;
    }
    return by_time;
}

unsigned runs_choose(const struct runs *runs, const char *text, struct error *err)
{
    char *end;
    if (text && strcmp(text, "all") == 0)
        return UINT_MAX;
    if (runs->n == 0) {
        fail_with(err, "no run of prof run is noted in this directory");
        return 0;
    }
    if (!text || strcmp(text, "last") == 0)
        return runs->list[runs->n - 1].number;
    long number = strtol(text, &end, 10);
    if (*text && !*end && number < 0 && (size_t)-number < runs->n)
        return runs->list[runs->n - 1 - (size_t)-number].number;
    for (size_t i = 0; *text && !*end && i < runs->n; i++)
        if (runs->list[i].number == (unsigned long)number)
            return runs->list[i].number;
    fail_with(err, "there is no run '%s': prof runs lists them", text);
    return 0;
}
