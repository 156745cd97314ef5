/* Source code with what each line costs. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/regex.h"
#include "report/path.h"
#include "report/report.h"

/* Lines shown before the first and after the last one with a cost: pprof's. */
#define MARGIN 5

/* All nodes of one function in one file. */
struct part {
    struct graph_node **nodes;
    size_t n;
};

/* A file that is a file (a pipe would wait for its writer), and that source_uid could
 * read itself: names of sources come from the profiled program. Sets errno. */
static FILE *open_file(const struct report *r, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    errno = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    if (!errno && r->o.source_uid >= 0 && (long)st.st_uid != r->o.source_uid &&
        !(st.st_mode & S_IROTH))
        errno = EACCES;
    FILE *in = errno ? NULL : fdopen(fd, "re");
    if (!in) {
        int wrong = errno;
        close(fd);
        errno = wrong;
    }
    return in;
}

/* Looks below each folder of the list and its parents, as sources move about. */
static FILE *open_source(const struct report *r, const char *file, char **why)
{
    char *cwd = *r->o.source_path ? NULL : getcwd(NULL, 0);
    const char *search = cwd ? cwd : r->o.source_path;
    const char *path = path_trim(file, r->o.trim_path, search);
    FILE *in = NULL;
    *why = NULL;
    if (*path == '/') {
        in = open_file(r, path);
        if (!in)
            *why = mem_printf("open %s: %s", path, strerror(errno));
    }
    for (const char *dir = search; *path != '/' && *dir && !in;) {
        size_t n = strcspn(dir, ":");
        for (size_t k = n; !in;) {
            char *name = mem_printf("%.*s/%s", (int)k, dir, path);
            in = open_file(r, name);
            free(name);
            if (!k)
                break;
            while (k && dir[k - 1] != '/')
                k--;
            k -= k > 0;
        }
        dir += n + (dir[n] == ':');
    }
    if (!in && !*why)
        *why = mem_printf("could not find file %s on path %s", path, search);
    free(cwd);
    return in;
}

/* The lines to show: from the function's start, if that is known. */
static void find_extent(const struct part *p, int64_t *from, int64_t *to)
{
    const struct graph_info *first = &p->nodes[0]->info;
    *from = first->start_line ? first->start_line : first->line - MARGIN;
    *to = first->line + MARGIN;
    for (size_t i = 0; i < p->n; i++) {
        const struct graph_info *info = &p->nodes[i]->info;
        int64_t start = info->start_line ? info->start_line : info->line - MARGIN;
        if (start < *from)
            *from = start;
        else if (info->line + MARGIN > *to)
            *to = info->line + MARGIN;
    }
    if (*from < 1)
        *from = 1;
}

/* Lines under construction. */
struct listing {
    struct report_source_line *lines;
    size_t n, room;
};

static void add_line(struct listing *l, const struct part *p, int64_t number, char *text)
{
    struct report_source_line line = {.number = number, .text = text};
    for (size_t i = 0; i < p->n; i++)
        if (p->nodes[i]->info.line == number) {
            line.flat += p->nodes[i]->flat;
            line.cum += p->nodes[i]->cum;
        }
    l->lines = mem_grow(l->lines, l->n, &l->room, sizeof(*l->lines));
    l->lines[l->n++] = line;
}

static void read_lines(struct listing *l, const struct part *p, FILE *in)
{
    char *line = NULL;
    size_t cap = 0;
    int64_t from, to;
    find_extent(p, &from, &to);
    for (int64_t number = 1; number <= to && getline(&line, &cap, in) > 0; number++) {
        if (number < from)
            continue;
        line[strcspn(line, "\n")] = '\0';
        add_line(l, p, number, mem_strdup(line));
    }
    free(line);
}

/* Without a text: the lines that cost. The nodes are sorted by line. */
static void list_costs(struct listing *l, const struct part *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->nodes[i]->info.line &&
            (!l->n || l->lines[l->n - 1].number != p->nodes[i]->info.line))
            add_line(l, p, p->nodes[i]->info.line, NULL);
}

static void visit_part(const struct report *r, const struct part *p, report_source_fn *visit,
                       void *arg)
{
    const struct graph_info *info = &p->nodes[0]->info;
    struct report_source source = {.function = info->name, .file = info->file};
    struct listing listing = {0};
    char *why = NULL;
    for (size_t i = 0; i < p->n; i++) {
        source.flat += p->nodes[i]->flat;
        source.cum += p->nodes[i]->cum;
    }
    FILE *in = *info->file ? open_source(r, info->file, &why) : NULL;
    if (in) {
        read_lines(&listing, p, in);
        fclose(in);
    } else if (*info->file) {
        list_costs(&listing, p);
    }
    source.why = why;
    source.lines = listing.lines;
    source.n_lines = listing.n;
    visit(arg, r, &source);
    for (size_t i = 0; i < listing.n; i++)
        free((char *)(uintptr_t)listing.lines[i].text);
    free(listing.lines);
    free(why);
}

static int by_function_file_line(const void *p, const void *q)
{
    const struct graph_info *a = &(*(struct graph_node *const *)p)->info;
    const struct graph_info *b = &(*(struct graph_node *const *)q)->info;
    int c = strcmp(a->name, b->name);
    c = c ? c : strcmp(a->file, b->file);
    return c ? c : (a->line > b->line) - (a->line < b->line);
}

/* Nodes of one function stand together: visit its files one by one. Returns where
 * the next function starts. */
static size_t visit_function(const struct report *r, struct graph_node **nodes, size_t n,
                             size_t from, report_source_fn *visit, void *arg)
{
    const char *name = nodes[from]->info.name;
    size_t end = from;
    while (end < n && strcmp(nodes[end]->info.name, name) == 0)
        end++;
    for (size_t i = from, next; i < end; i = next) {
        for (next = i + 1; next < end && nodes[next]->info.file == nodes[i]->info.file;)
            next++;
        struct part p = {.nodes = nodes + i, .n = next - i};
        /* without a file: sorted first, of interest only if there is nothing else */
        if (!*nodes[i]->info.file && next < end)
            continue;
        visit_part(r, &p, visit, arg);
    }
    return end;
}

bool report_visit_sources(struct report *r, const char *symbol, report_source_fn *visit, void *arg,
                          struct error *err)
{
    const struct graph_options o = {.sample_index = r->index,
                                    .mean = r->o.mean,
                                    .object_names = true,
                                    .drop_negative = r->o.drop_negative};
    struct regex *rx = regex_compile("argument", symbol, err);
    size_t n = 0;
    if (!rx)
        return false;
    struct graph *g = graph_new(r->p, &o, NULL);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (regex_matches(rx, g->nodes[i]->info.name))
            g->nodes[n++] = g->nodes[i];
    regex_free(rx);
    qsort(g->nodes, n, sizeof(*g->nodes), by_function_file_line);
    for (size_t i = 0; i < n;)
        i = visit_function(r, g->nodes, n, i, visit, arg);
    graph_free(g);
    return n > 0 || fail_with(err, "no matches found for regexp: %.300s", symbol);
}

/* ---- As text ---- */

static char *cell(const struct report *r, char buf[UNIT_TEXT], int64_t value)
{
    return value ? report_value(r, buf, value) : strcpy(buf, ".");
}

/* What report_list prints to. */
struct printer {
    FILE *out;
    bool started;
};

static void print_source(void *arg, const struct report *r, const struct report_source *part)
{
    struct printer *printer = arg;
    char a[UNIT_TEXT], b[UNIT_TEXT], c[UNIT_TEXT];
    if (!printer->started)
        fprintf(printer->out, "Total: %s\n", report_value(r, a, r->total));
    printer->started = true;
    if (!*part->file) {
        fprintf(printer->out, "No source information for %s\n", part->function);
        return;
    }
    fprintf(printer->out, "ROUTINE ======================== %s in %s\n", part->function,
            part->file);
    fprintf(printer->out, "%10s %10s (flat, cum) %s of Total\n", report_value(r, a, part->flat),
            report_value(r, b, part->cum), unit_percent(c, part->cum, r->total));
    if (part->why)
        fprintf(printer->out, " Error: %s\n", part->why);
    for (size_t i = 0; i < part->n_lines && !part->why; i++) {
        const struct report_source_line *line = &part->lines[i];
        fprintf(printer->out, "%10s %10s %6" PRId64 ":%s\n", cell(r, a, line->flat),
                cell(r, b, line->cum), line->number, line->text);
    }
}

bool report_list(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    struct printer printer = {.out = out};
    return report_visit_sources(r, symbol, print_source, &printer, err);
}
