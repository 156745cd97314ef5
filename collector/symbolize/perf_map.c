#include "symbolize/perf_map.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct jit_code {
    uint64_t start, end;
    size_t order; /* line in the file: the later one wins where code was replaced */
    char *name;
};

struct perf_map {
    struct jit_code *codes;
    size_t n, cap;
};

/* The pid as the process knows itself: the last of NSpid's numbers. */
static long pid_inside(long pid)
{
    char path[64], line[256];
    long inside = pid;
    snprintf(path, sizeof(path), "/proc/%ld/status", pid);
    FILE *in = fopen(path, "re");
    while (in && fgets(line, sizeof(line), in))
        if (strncmp(line, "NSpid:", 6) == 0)
            for (char *word = strtok(line + 6, " \t\n"); word; word = strtok(NULL, " \t\n"))
                inside = strtol(word, NULL, 10);
    if (in)
        fclose(in);
    return inside;
}

/* Anybody can put a file into /tmp: it must be the user's own, or root's. */
static FILE *open_map(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (geteuid() != 0 && st.st_uid != geteuid() && st.st_uid != 0)) {
        close(fd);
        return NULL;
    }
    return fdopen(fd, "r");
}

static int compare_codes(const void *a, const void *b)
{
    const struct jit_code *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void read_codes(struct perf_map *m, FILE *in)
{
    char *line = NULL;
    size_t cap = 0, order = 0;
    while (getline(&line, &cap, in) > 0) {
        char *at;
        uint64_t start = strtoull(line, &at, 16), size = strtoull(at, &at, 16);
        at += strspn(at, " \t");
        at[strcspn(at, "\n")] = '\0';
        if (!size || !*at)
            continue;
        m->codes = mem_grow(m->codes, m->n, &m->cap, sizeof(*m->codes));
        m->codes[m->n++] = (struct jit_code){start, start + size, order++, mem_strdup(at)};
    }
    free(line);
    if (m->n)
        qsort(m->codes, m->n, sizeof(*m->codes), compare_codes);
}

struct perf_map *perf_map_open(long pid)
{
    char path[96];
    if (pid <= 0)
        return NULL;
    snprintf(path, sizeof(path), "/proc/%ld/root/tmp/perf-%ld.map", pid, pid_inside(pid));
    FILE *in = open_map(path);
    if (!in) {
        snprintf(path, sizeof(path), "/tmp/perf-%ld.map", pid);
        in = open_map(path);
    }
    if (!in)
        return NULL;
    struct perf_map *m = mem_zero(1, sizeof(*m));
    read_codes(m, in);
    fclose(in);
    return m;
}

void perf_map_close(struct perf_map *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++)
        free(m->codes[i].name);
    free(m->codes);
    free(m);
}

const char *perf_map_find(const struct perf_map *m, uint64_t address, uint64_t *start)
{
    size_t low = 0, high = m->n;
    const struct jit_code *best = NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->codes[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    /* Replaced code overlaps: the latest of those that contain the address. Old code
     * of a large method may start far before, hence the generous look back. */
    for (size_t back = 0; low > 0 && back < 256; back++) {
        const struct jit_code *c = &m->codes[--low];
        if (address < c->end && (!best || c->order > best->order))
            best = c;
    }
    if (!best)
        return NULL;
    *start = best->start;
    return best->name;
}
