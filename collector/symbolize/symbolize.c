#include "symbolize/symbolize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "symbolize/module.h"
#include "symbolize/perf_map.h"
#include "symbolize/stripped.h"

/* A name is demangled once, a function made once. */
struct known_function {
    UT_hash_handle hh;
    struct profile_function *function;
    char key[]; /* system name, file and start line */
};

struct symbolizer {
    struct profile *p;
    const struct symbolize_options *options;
    struct known_function *functions;
    struct process_files *files; /* of the process, if it still runs */
    uint64_t *entries; /* by location id - 1, or NULL */
    size_t named;
    struct stripped stripped;
    size_t jit, jit_named; /* addresses outside of files */
    struct timespec started, shown;
    bool on_terminal;
};

/* ---- Progress ---- */

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

struct progress {
    struct symbolizer *s;
    const char *file;
    bool shown;
};

static void show_progress(void *arg, size_t n, size_t total)
{
    struct progress *g = arg;
    struct symbolizer *s = g->s;
    if (!s->on_terminal || (n & 63) || seconds_since(&s->started) < 1 ||
        seconds_since(&s->shown) < 0.2)
        return;
    clock_gettime(CLOCK_MONOTONIC, &s->shown);
    fprintf(stderr, "\r\033[Kprof: symbolizing %s: %zu of %zu addresses", g->file, n, total);
    fflush(stderr);
    g->shown = true;
}

/* ---- Locations ---- */

static struct profile_function *function_for(struct symbolizer *s, const struct symbol_frame *f)
{
    struct known_function *e;
    char *key = mem_printf("%s\n%s\n%u", f->name, f->file, f->start_line);
    HASH_FIND_STR(s->functions, key, e);
    if (!e) {
        char *name = demangle_name(f->name, s->options->style);
        e = mem_alloc(sizeof(*e) + strlen(key) + 1);
        strcpy(e->key, key);
        e->function = profile_add_function(s->p, name, f->name, f->file, f->start_line);
        HASH_ADD_STR(s->functions, key, e);
        free(name);
    }
    free(key);
    return e->function;
}

static void name_location(struct symbolizer *s, struct profile_location *l,
                          const struct symbol *symbol, uint64_t bias)
{
    profile_set_lines(s->p, l, symbol->n_frames);
    for (size_t i = 0; i < symbol->n_frames; i++)
        l->lines[i] = (struct profile_line){
            .function = function_for(s, &symbol->frames[i]),
            .line = symbol->frames[i].line,
            .column = symbol->frames[i].column,
        };
    if (s->entries && symbol->entry)
        s->entries[l->id - 1] = symbol->entry + bias;
    s->named++;
}

/* Says of the mapping what readers want to know: "do not symbolize this again". */
static void set_flags(struct profile_mapping *m, const struct symbol *symbol)
{
    m->has_functions = true;
    m->has_filenames = m->has_filenames || *symbol->frames[0].file;
    m->has_line_numbers = m->has_line_numbers || symbol->frames[0].line;
    m->has_inline_frames = m->has_inline_frames || m->has_line_numbers;
}

/* Of a stripped file the start of each function is known: `vim.basic+0x8a0e0` keeps
 * them apart, in every report, and is what disassemblers can be asked for. */
static void name_by_start(struct symbolizer *s, struct profile_location *l,
                          const struct symbol *symbol, uint64_t bias)
{
    const char *slash = strrchr(l->mapping->file, '/');
    char *name = mem_printf("%s+0x%llx", slash ? slash + 1 : l->mapping->file,
                            (unsigned long long)symbol->entry);
    struct symbol_frame frame = {.name = name, .file = ""};
    struct symbol named = {.entry = symbol->entry, .frames = &frame, .n_frames = 1};
    name_location(s, l, &named, bias);
    l->mapping->has_functions = true;
    s->named--;
    free(name);
}

static int compare_locations(const void *a, const void *b)
{
    const struct profile_location *x = *(struct profile_location *const *)a;
    const struct profile_location *y = *(struct profile_location *const *)b;
    uint64_t mx = x->mapping ? x->mapping->id : 0, my = y->mapping ? y->mapping->id : 0;
    if (mx != my)
        return mx < my ? -1 : 1;
    return (x->address > y->address) - (x->address < y->address);
}

/* Takes the text, which may be NULL: nothing to tell. */
static void tell(struct symbolizer *s, char *text)
{
    if (text && s->options->missing)
        s->options->missing(s->options->arg, text);
    free(text);
}

static void tell_missing(struct symbolizer *s, const struct profile_mapping *m, size_t n,
                         size_t total, const char *reason)
{
    tell(s, mem_printf("%s (build id %s): %zu of %zu addresses have no name%s%s",
                       *m->file ? m->file : "unnamed code", *m->build_id ? m->build_id : "unknown",
                       n, total, reason ? ": " : "", reason ? reason : ""));
}

/* Only a run-time compiler puts many addresses outside of files: a few are stacks that went
 * astray. */
static void tell_jit(struct symbolizer *s, long pid)
{
    if (s->jit < 3 || s->jit_named)
        return;
    char *where = pid ? mem_printf("/tmp/perf-%ld.map", pid) : mem_strdup("/tmp/perf-PID.map");
    tell(s, mem_printf("%zu addresses outside of any file have no name: code made at run time gets "
                       "names from %s, if the program writes it and it is still there",
                       s->jit, where));
    free(where);
}

/* All locations of one mapping, sorted by address. */
static void symbolize_mapping(struct symbolizer *s, struct profile_mapping *m,
                              struct profile_location **locations, size_t n)
{
    struct progress progress = {.s = s, .file = m->file};
    struct module *module = module_open(m, s->files, !s->options->no_cache);
    uint64_t *addresses = mem_zero(n, sizeof(*addresses));
    size_t unnamed = 0;
    for (size_t i = 0; i < n; i++)
        addresses[i] = locations[i]->address;
    module_resolve(module, addresses, n, show_progress, &progress);
    if (progress.shown)
        fputs("\r\033[K", stderr);
    for (size_t i = 0; i < n; i++) {
        const struct symbol *symbol = module_find(module, addresses[i]);
        unnamed += !symbol || !symbol->n_frames;
        if (symbol && symbol->n_frames) {
            name_location(s, locations[i], symbol, module_bias(module));
            set_flags(m, symbol);
        } else if (symbol) {
            name_by_start(s, locations[i], symbol, module_bias(module));
        }
    }
    if (unnamed && module_stripped(module) && s->options->missing)
        stripped_add(&s->stripped, module_stripped(module), unnamed, n);
    else if (unnamed)
        tell_missing(s, m, unnamed, n, module_reason(module));
    if (module_note(module))
        tell(s, mem_printf("%s: lines and inlined functions are missing: %s", m->file,
                           module_note(module)));
    free(addresses);
    module_close(module);
}

/* Code without a file: what a just-in-time compiler made. */
static void symbolize_jit(struct symbolizer *s, struct profile_location **locations, size_t n,
                          long pid)
{
    struct perf_map *map = perf_map_open(pid);
    s->jit += n;
    for (size_t i = 0; map && i < n; i++) {
        uint64_t start;
        struct profile_mapping *m = locations[i]->mapping;
        const char *name = perf_map_find(map, locations[i]->address, &start);
        if (!name)
            continue;
        struct symbol_frame frame = {.name = name, .file = ""};
        struct symbol symbol = {.entry = start, .frames = &frame, .n_frames = 1};
        name_location(s, locations[i], &symbol, 0);
        s->jit_named++;
        if (m)
            m->has_functions = true;
    }
    perf_map_close(map);
}

/* No file stands behind these names: nothing to open. */
static bool is_anonymous(const struct profile_mapping *m)
{
    return !m || !*m->file || strncmp(m->file, "//anon", 6) == 0 ||
           strncmp(m->file, "/dev/zero", 9) == 0 ||
           (*m->file == '[' && strcmp(m->file, "[vdso]") != 0);
}

static bool is_memfd(const struct profile_mapping *m)
{
    return strncmp(m->file, "/memfd:", 7) == 0;
}

/* A memfd holds a run-time compiler's code, or a program that was started from it. */
static bool holds_program(const struct symbolizer *s, const struct profile_mapping *m)
{
    struct elf_file *file = process_files_find(s->files, m);
    elf_file_close(file);
    return file;
}

static bool wants_symbols(const struct profile_location *l, bool force)
{
    const struct profile_mapping *m = l->mapping;
    if (!l->address)
        return false;
    if (force)
        return true;
    return !l->n_lines && !(m && (m->has_functions || m->has_filenames || m->has_line_numbers));
}

/* Comments say `pid NUMBER` or `pid = NUMBER` where libprof wrote them. */
static long find_pid(const struct profile *p)
{
    for (size_t i = 0; i < p->n_comments; i++) {
        const char *at = strstr(p->comments[i], "pid");
        if (!at || (at != p->comments[i] && at[-1] != ' ' && at[-1] != '#'))
            continue;
        at += 3;
        at += strspn(at, " =:");
        long pid = strtol(at, NULL, 10);
        if (pid > 0)
            return pid;
    }
    return 0;
}

size_t symbolize_profile(struct profile *p, const struct symbolize_options *options)
{
    struct symbolizer s = {.p = p, .options = options};
    struct profile_location **list = mem_zero(p->n_locations, sizeof(*list));
    size_t n = 0;
    long pid = options->pid ? options->pid : find_pid(p);
    s.on_terminal = options->progress && isatty(STDERR_FILENO);
    clock_gettime(CLOCK_MONOTONIC, &s.started);
    if (options->entries)
        *options->entries = s.entries = mem_zero(p->n_locations, sizeof(*s.entries));
    for (size_t i = 0; i < p->n_locations; i++)
        if (wants_symbols(p->locations[i], options->force))
            list[n++] = p->locations[i];
    s.files = n ? process_files_open(pid) : NULL;
    qsort(list, n, sizeof(*list), compare_locations);
    for (size_t i = 0, end; i < n; i = end) {
        struct profile_mapping *m = list[i]->mapping;
        for (end = i + 1; end < n && list[end]->mapping == m;)
            end++;
        if (is_anonymous(m) || (is_memfd(m) && !holds_program(&s, m)))
            symbolize_jit(&s, list + i, end - i, pid);
        else
            symbolize_mapping(&s, m, list + i, end - i);
    }
    tell(&s, stripped_finish(&s.stripped));
    tell_jit(&s, pid);
    struct known_function *e, *next;
    process_files_close(s.files);
    HASH_ITER(hh, s.functions, e, next)
    {
        HASH_DEL(s.functions, e);
        free(e);
    }
    free(list);
    return s.named;
}
