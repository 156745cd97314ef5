#include "symbolize/symbol_table.h"

#include <errno.h>
#include <inttypes.h>
#include <obstack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

#define obstack_chunk_alloc mem_alloc
#define obstack_chunk_free free

/* First line of the file; another number when the form changes. */
#define MAGIC "libprof symbols 3"

struct entry {
    UT_hash_handle by_address;
    struct symbol symbol;
};

struct text {
    UT_hash_handle hh;
    char text[];
};

struct symbol_table {
    struct obstack memory;
    struct entry *entries;
    struct text *texts; /* file names repeat: each is kept once */
    bool changed;
};

struct symbol_table *symbol_table_new(void)
{
    struct symbol_table *t = mem_zero(1, sizeof(*t));
    obstack_begin(&t->memory, 65536);
    return t;
}

void symbol_table_free(struct symbol_table *t)
{
    if (!t)
        return;
    HASH_CLEAR(by_address, t->entries);
    HASH_CLEAR(hh, t->texts);
    obstack_free(&t->memory, NULL);
    free(t);
}

static const char *keep_text(struct symbol_table *t, const char *s)
{
    struct text *e;
    size_t n = strlen(s);
    HASH_FIND(hh, t->texts, s, n, e);
    if (!e) {
        e = obstack_alloc(&t->memory, sizeof(*e) + n + 1);
        memcpy(e->text, s, n + 1);
        HASH_ADD_KEYPTR(hh, t->texts, e->text, n, e);
    }
    return e->text;
}

const struct symbol *symbol_table_find(const struct symbol_table *t, uint64_t address)
{
    struct entry *e;
    HASH_FIND(by_address, t->entries, &address, sizeof(address), e);
    return e ? &e->symbol : NULL;
}

void symbol_table_add(struct symbol_table *t, uint64_t address, uint64_t entry,
                      const struct symbol_frame *frames, size_t n_frames)
{
    struct entry *e = obstack_alloc(&t->memory, sizeof(*e));
    memset(e, 0, sizeof(*e));
    e->symbol = (struct symbol){.address = address, .entry = entry, .n_frames = n_frames};
    if (n_frames) {
        e->symbol.frames = obstack_alloc(&t->memory, n_frames * sizeof(*frames));
        for (size_t i = 0; i < n_frames; i++) {
            e->symbol.frames[i] = frames[i];
            e->symbol.frames[i].name = keep_text(t, frames[i].name);
            e->symbol.frames[i].file = keep_text(t, frames[i].file);
        }
    }
    HASH_ADD(by_address, t->entries, symbol.address, sizeof(e->symbol.address), e);
    t->changed = true;
}

/* ---- On disk: text, a line for each address and below it one for each frame ---- */

/* malloc'ed path of a table, or NULL if there is no place for it. Makes the folders
 * if `make`. A build id is hexadecimal: it can be no path of its own. */
static char *cache_path(const char *build_id, bool make)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (!*build_id || strspn(build_id, "0123456789abcdef") != strlen(build_id))
        return NULL;
    char *dir;
    if (base && *base == '/')
        dir = mem_strdup(base);
    else if (home && *home == '/')
        dir = mem_printf("%s/.cache", home);
    else
        return NULL;
    char *dirs[] = {dir, mem_printf("%s/libprof", dir), mem_printf("%s/libprof/symbols", dir)};
    char *path = mem_printf("%s/%s", dirs[2], build_id);
    for (int i = 0; i < 3; i++) {
        if (make && mkdir(dirs[i], 0700) < 0 && errno != EEXIST)
            make = false;
        free(dirs[i]);
    }
    return path;
}

/* The next line, NUL-terminated in place; NULL at the end. */
static char *next_line(char **at)
{
    char *line = *at, *nl = line ? strchr(line, '\n') : NULL;
    if (!nl)
        return NULL;
    *nl = '\0';
    *at = nl + 1;
    return line;
}

/* A damaged file (a full disk, say) is read up to the damage. */
static void parse_table(struct symbol_table *t, char *text)
{
    struct symbol_frame frames[64];
    char *line;
    while ((line = next_line(&text))) {
        uint64_t address, entry;
        size_t n;
        if (sscanf(line, "%" SCNx64 " %" SCNx64 " %zu", &address, &entry, &n) != 3 || n > 64 ||
            symbol_table_find(t, address))
            return;
        for (size_t i = 0; i < n; i++) {
            int used = 0;
            struct symbol_frame *f = &frames[i];
            line = next_line(&text);
            if (!line ||
                sscanf(line, "%u %u %u%n", &f->line, &f->column, &f->start_line, &used) != 3 ||
                line[used] != '\t')
                return;
            char *tab = strchr(line + used + 1, '\t');
            if (!tab)
                return;
            *tab = '\0';
            f->name = line + used + 1;
            f->file = tab + 1;
        }
        symbol_table_add(t, address, entry, frames, n);
    }
}

void symbol_table_load(struct symbol_table *t, const char *build_id, const char *signature)
{
    char *path = cache_path(build_id, false), *text, *at;
    struct stat st;
    FILE *in = path ? fopen(path, "re") : NULL;
    free(path);
    if (!in)
        return;
    if (fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode) && st.st_size < (1 << 30)) {
        text = at = mem_alloc((size_t)st.st_size + 1);
        size_t n = fread(text, 1, (size_t)st.st_size, in);
        text[n] = '\0';
        char *magic = next_line(&at), *from = magic ? next_line(&at) : NULL;
        if (from && strcmp(magic, MAGIC) == 0 && strcmp(from, signature) == 0)
            parse_table(t, at);
        free(text);
    }
    fclose(in);
    t->changed = false;
}

/* Names may hold any byte; those that would break lines are not stored. */
static bool is_storable(const struct symbol *s)
{
    for (size_t i = 0; i < s->n_frames; i++)
        if (strpbrk(s->frames[i].name, "\t\n") || strpbrk(s->frames[i].file, "\t\n"))
            return false;
    return s->n_frames <= 64;
}

static void print_table(const struct symbol_table *t, const char *signature, FILE *out)
{
    fprintf(out, MAGIC "\n%s\n", signature);
    for (const struct entry *e = t->entries; e; e = e->by_address.next) {
        const struct symbol *s = &e->symbol;
        if (!is_storable(s))
            continue;
        fprintf(out, "%" PRIx64 " %" PRIx64 " %zu\n", s->address, s->entry, s->n_frames);
        for (size_t i = 0; i < s->n_frames; i++)
            fprintf(out, "%u %u %u\t%s\t%s\n", s->frames[i].line, s->frames[i].column,
                    s->frames[i].start_line, s->frames[i].name, s->frames[i].file);
    }
}

void symbol_table_store(const struct symbol_table *t, const char *build_id, const char *signature)
{
    char *path = t->changed ? cache_path(build_id, true) : NULL;
    if (!path)
        return;
    char *temp = mem_printf("%s.XXXXXX", path);
    int fd = mkstemp(temp);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out) {
        print_table(t, signature, out);
        bool ok = !ferror(out);
        ok = fclose(out) == 0 && ok;
        if (!ok || rename(temp, path) < 0)
            unlink(temp);
    } else if (fd >= 0) {
        close(fd);
        unlink(temp);
    }
    free(temp);
    free(path);
}
