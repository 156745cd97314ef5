#include "symbolize/process_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

#define DELETED " (deleted)"

/* One line of /proc/PID/maps that shows a file. */
struct mapped {
    uint64_t start, limit, offset;
    ino_t inode;
    char *path; /* as the kernel writes it, without DELETED */
};

struct process_files {
    long pid;
    struct mapped *list; /* by address */
    size_t n, cap;
};

static size_t length_without_mark(const char *path)
{
    size_t length = strlen(path), mark = strlen(DELETED);
    return length > mark && strcmp(path + length - mark, DELETED) == 0 ? length - mark : length;
}

static void add_line(struct process_files *f, char *line)
{
    struct mapped m = {0};
    unsigned long long inode = 0;
    int at = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %llu %n", &m.start, &m.limit,
               &m.offset, &inode, &at) < 4 ||
        !inode || !at || line[at] != '/')
        return;
    m.inode = (ino_t)inode;
    m.path = mem_printf("%.*s", (int)length_without_mark(line + at), line + at);
    f->list = mem_grow(f->list, f->n, &f->cap, sizeof *f->list);
    f->list[f->n++] = m;
}

struct process_files *process_files_open(long pid)
{
    char path[64], *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    FILE *in = pid > 0 ? fopen(path, "re") : NULL;
    if (!in)
        return NULL;
    struct process_files *f = mem_zero(1, sizeof *f);
    f->pid = pid;
    while (getline(&line, &size, in) > 0)
        add_line(f, line);
    free(line);
    fclose(in);
    return f;
}

/* The process's mapping of the same part of a file, or NULL. */
static const struct mapped *find_mapped(const struct process_files *f,
                                        const struct profile_mapping *m)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct mapped *at = &f->list[i];
        bool overlaps = at->start < m->limit && m->start < at->limit;
        if (overlaps && at->start - m->start == at->offset - m->offset)
            return at;
    }
    return NULL;
}

static bool has_same_name(const struct mapped *mapped, const struct profile_mapping *m)
{
    size_t length = length_without_mark(m->file);
    return strlen(mapped->path) == length && strncmp(mapped->path, m->file, length) == 0;
}

bool process_files_differ(const struct process_files *f, const struct profile_mapping *m)
{
    struct stat ours;
    const struct mapped *mapped = f ? find_mapped(f, m) : NULL;
    return mapped && (stat(m->file, &ours) < 0 || ours.st_ino != mapped->inode);
}

/* The process's main program. It may be opened by its owner; /proc/PID/map_files takes
 * CAP_CHECKPOINT_RESTORE. */
static struct elf_file *open_program(const struct process_files *f, const struct mapped *mapped,
                                     const char *name)
{
    char path[64];
    const char *why;
    struct stat program;
    snprintf(path, sizeof path, "/proc/%ld/exe", f->pid);
    if (stat(path, &program) < 0 || program.st_ino != mapped->inode)
        return NULL;
    return elf_file_open_at(path, name, &why);
}

static struct elf_file *open_by_range(const struct process_files *f, const struct mapped *mapped,
                                      const char *name)
{
    char path[96];
    const char *why;
    snprintf(path, sizeof path, "/proc/%ld/map_files/%" PRIx64 "-%" PRIx64, f->pid, mapped->start,
             mapped->limit);
    return elf_file_open_at(path, name, &why);
}

struct elf_file *process_files_find(const struct process_files *f,
                                    const struct profile_mapping *m)
{
    const struct mapped *mapped = f ? find_mapped(f, m) : NULL;
    if (!mapped || (!*m->build_id && !has_same_name(mapped, m)))
        return NULL;
    const char *why;
    char *root = mem_printf("/proc/%ld/root", f->pid);
    char *name = mem_printf("%s%s", strncmp(m->file, "/memfd:", 7) == 0 ? "" : root, m->file);
    struct elf_file *file = open_by_range(f, mapped, name);
    if (!file)
        file = open_program(f, mapped, name);
    if (!file)
        file = elf_file_open_below(root, m->file, &why);
    if (file && *m->build_id && strcmp(file->build_id, m->build_id) != 0) {
        elf_file_close(file);
        file = NULL;
    }
    if (file && !file->root) {
        file->root = root;
        root = NULL;
    }
    free(name);
    free(root);
    return file;
}

void process_files_close(struct process_files *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++)
        free(f->list[i].path);
    free(f->list);
    free(f);
}
