#include "symbolize/disassemble.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "symbolize/elf_file.h"
#include "symbolize/unwind_index.h"

extern char **environ;

/* The link-time extent of the function at a run-time address. */
static bool find_extent(const struct profile_mapping *m, uint64_t address, uint64_t *start,
                        uint64_t *end, uint64_t *bias, struct error *err)
{
    const char *why;
    struct elf_file *f = elf_file_open(m->file, &why);
    if (!f)
        return fail_with(err, "%.300s: %s", m->file, why);
    bool ok = true;
    if (*m->build_id && strcmp(f->build_id, m->build_id) != 0)
        ok = fail_with(err, "%.300s: is another build than the profiled one", m->file);
    else if (!elf_file_find_bias(f, m->start, m->limit, m->offset, bias))
        ok = fail_with(err, "%.300s: no segment fits the profile's mapping", m->file);
    if (ok) {
        struct elf_file *debug = elf_file_open_debug(f);
        elf_file_add_symbols(f, f);
        if (debug)
            elf_file_add_symbols(f, debug);
        elf_file_sort_symbols(f);
        const struct elf_symbol *s = elf_file_find_symbol(f, address + *bias);
        if (s) {
            *start = s->start;
            *end = s->start + s->size;
            if (!s->size) /* assembler: up to the next symbol */
                *end = s + 1 < f->symbols + f->n_symbols ? s[1].start : address + *bias + 16;
        } else if ((*start = unwind_index_find_entry(f, address + *bias, end))) {
            *end += *start; /* it was the size */
        } else {
            ok = fail_with(err, "%.300s: has no symbol at 0x%" PRIx64, m->file, address + *bias);
        }
        elf_file_close(f);
        elf_file_close(debug);
        return ok;
    }
    elf_file_close(f);
    return false;
}

/* Starts objdump with its output in *out. */
static bool start_objdump(const char *file, uint64_t start, uint64_t end, FILE **out, pid_t *pid,
                          struct error *err)
{
    char from[48], to[48];
    int fds[2];
    snprintf(from, sizeof(from), "--start-address=0x%" PRIx64, start);
    snprintf(to, sizeof(to), "--stop-address=0x%" PRIx64, end);
    char *argv[] = {"objdump",
                    "--disassemble",
                    "--demangle",
                    "--no-show-raw-insn",
                    "--line-numbers",
                    from,
                    to,
                    "--",
                    (char *)(uintptr_t)file,
                    NULL};
    if (pipe2(fds, O_CLOEXEC) < 0)
        return fail_with(err, "no pipe for objdump");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    int rc = posix_spawnp(pid, "objdump", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    *out = rc == 0 ? fdopen(fds[0], "r") : NULL;
    if (!*out) {
        close(fds[0]);
        return fail_with(err, "objdump (Debian: binutils) cannot be run: %s", strerror(rc));
    }
    return true;
}

/* `/src/app.c:12 (discriminator 3)` -> `app.c:12`; NULL: not such a line. malloc'ed. */
static char *parse_place(char *line)
{
    char *end = strstr(line, " (discriminator"), *colon, *slash;
    if (end)
        *end = '\0';
    colon = strrchr(line, ':');
    if (!colon || !isdigit((unsigned char)colon[1]) || colon[1 + strspn(colon + 1, "0123456789")])
        return NULL;
    slash = strrchr(line, '/');
    return mem_strdup(slash ? slash + 1 : line);
}

/* `  401136:<TAB>push   %rbp`: an instruction; others may tell the place. */
static void parse_line(char *line, uint64_t bias, char **place, struct instructions *out)
{
    char *end;
    line[strcspn(line, "\n")] = '\0';
    uint64_t address = strtoull(line, &end, 16);
    if (*line == ' ' && end[0] == ':' && end[1] == '\t') {
        out->list = mem_grow(out->list, out->n, &out->cap, sizeof(*out->list));
        out->list[out->n++] = (struct instruction){
            .address = address - bias,
            .file_address = address,
            .text = mem_strdup(end + 2),
            .place = *place,
        };
        *place = NULL;
        return;
    }
    char *found = parse_place(line);
    if (found) {
        free(*place);
        *place = found;
    }
}

bool disassemble_function(const struct profile_mapping *m, uint64_t address,
                          struct instructions *out, struct error *err)
{
    uint64_t start = 0, end = 0, bias = 0;
    FILE *in = NULL;
    pid_t pid = 0;
    char *line = NULL, *place = NULL;
    size_t cap = 0;
    int status = 0;
    *out = (struct instructions){0};
    if (!find_extent(m, address, &start, &end, &bias, err) ||
        !start_objdump(m->file, start, end, &in, &pid, err))
        return false;
    out->end = end - bias;
    while (getline(&line, &cap, in) > 0)
        parse_line(line, bias, &place, out);
    free(line);
    free(place);
    fclose(in);
    waitpid(pid, &status, 0);
    return out->n || fail_with(err, "objdump shows nothing of %.300s", m->file);
}

void instructions_free(struct instructions *i)
{
    for (size_t k = 0; k < i->n; k++) {
        free(i->list[k].text);
        free(i->list[k].place);
    }
    free(i->list);
}
