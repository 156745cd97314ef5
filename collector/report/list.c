/* Source code with what each line costs. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profile/mem.h"
#include "profile/regex.h"
#include "report/path.h"
#include "report/report.h"

/* Lines shown before the first and after the last one with a cost: pprof's. */
#define MARGIN 5

/* All nodes of one function in one file. */
struct part {
    struct graph_node **nodes;
    size_t n;
};

static char *cell(const struct report *r, char buf[UNIT_TEXT], int64_t value)
{
    return value ? report_value(r, buf, value) : strcpy(buf, ".");
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
        in = fopen(path, "re");
        if (!in)
            *why = mem_printf("open %s: %s", path, strerror(errno));
    }
    for (const char *dir = search; *path != '/' && *dir && !in;) {
        size_t n = strcspn(dir, ":");
        for (size_t k = n; !in;) {
            char *name = mem_printf("%.*s/%s", (int)k, dir, path);
            in = fopen(name, "re");
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

static void print_lines(const struct report *r, const struct part *p, FILE *in, FILE *out)
{
    char *line = NULL, a[UNIT_TEXT], b[UNIT_TEXT];
    size_t cap = 0;
    int64_t from, to;
    find_extent(p, &from, &to);
    for (int64_t number = 1; number <= to && getline(&line, &cap, in) > 0; number++) {
        int64_t flat = 0, cum = 0;
        if (number < from)
            continue;
        for (size_t i = 0; i < p->n; i++)
            if (p->nodes[i]->info.line == number) {
                flat += p->nodes[i]->flat;
                cum += p->nodes[i]->cum;
            }
        line[strcspn(line, "\n")] = '\0';
        fprintf(out, "%10s %10s %6" PRId64 ":%s\n", cell(r, a, flat), cell(r, b, cum), number,
                line);
    }
    free(line);
}

static void print_part(const struct report *r, const struct part *p, FILE *out)
{
    const struct graph_info *info = &p->nodes[0]->info;
    char a[UNIT_TEXT], b[UNIT_TEXT], c[UNIT_TEXT], *why;
    int64_t flat = 0, cum = 0;
    for (size_t i = 0; i < p->n; i++) {
        flat += p->nodes[i]->flat;
        cum += p->nodes[i]->cum;
    }
    fprintf(out, "ROUTINE ======================== %s in %s\n", info->name, info->file);
    fprintf(out, "%10s %10s (flat, cum) %s of Total\n", report_value(r, a, flat),
            report_value(r, b, cum), unit_percent(c, cum, r->total));
    FILE *in = open_source(r, info->file, &why);
    if (in) {
        print_lines(r, p, in, out);
        fclose(in);
    } else {
        fprintf(out, " Error: %s\n", why);
        free(why);
    }
}

static int by_function_file_line(const void *p, const void *q)
{
    const struct graph_info *a = &(*(struct graph_node *const *)p)->info;
    const struct graph_info *b = &(*(struct graph_node *const *)q)->info;
    int c = strcmp(a->name, b->name);
    c = c ? c : strcmp(a->file, b->file);
    return c ? c : (a->line > b->line) - (a->line < b->line);
}

/* Nodes of one function stand together: print its files one by one. Returns where
 * the next function starts. */
static size_t print_function(const struct report *r, struct graph_node **nodes, size_t n,
                             size_t from, FILE *out)
{
    const char *name = nodes[from]->info.name;
    size_t end = from;
    bool any = false;
    while (end < n && strcmp(nodes[end]->info.name, name) == 0)
        end++;
    for (size_t i = from, next; i < end; i = next) {
        for (next = i + 1; next < end && nodes[next]->info.file == nodes[i]->info.file;)
            next++;
        struct part p = {.nodes = nodes + i, .n = next - i};
        if (!*nodes[i]->info.file)
            continue;
        print_part(r, &p, out);
        any = true;
    }
    if (!any)
        fprintf(out, "No source information for %s\n", name);
    return end;
}

bool report_list(struct report *r, const char *symbol, FILE *out, struct profile_error *err)
{
    const struct graph_options o = {.sample_index = r->index,
                                    .mean = r->o.mean,
                                    .object_names = true,
                                    .drop_negative = r->o.drop_negative};
    struct regex *rx = regex_compile("argument", symbol, err);
    char total[UNIT_TEXT];
    size_t n = 0;
    if (!rx)
        return false;
    struct graph *g = graph_new(r->p, &o, NULL);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (regex_matches(rx, g->nodes[i]->info.name))
            g->nodes[n++] = g->nodes[i];
    regex_free(rx);
    bool found = n > 0;
    if (found) {
        qsort(g->nodes, n, sizeof(*g->nodes), by_function_file_line);
        fprintf(out, "Total: %s\n", report_value(r, total, r->total));
        for (size_t i = 0; i < n;)
            i = print_function(r, g->nodes, n, i, out);
    }
    graph_free(g);
    return found || profile_fail(err, "no matches found for regexp: %.300s", symbol);
}
