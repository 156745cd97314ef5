#include "symbolize/stripped.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "symbolize/package.h"

#define FILES_NAMED 3
#define PACKAGES_NAMED 6

struct stripped_file {
    char *name, *package; /* package: NULL if none is known */
    size_t n, total;
};

void stripped_add(struct stripped *s, const char *path, size_t n, size_t total)
{
    const char *slash = strrchr(path, '/');
    s->files = mem_resize(s->files, s->n + 1, sizeof(*s->files));
    s->files[s->n++] = (struct stripped_file){
        .name = mem_strdup(slash ? slash + 1 : path),
        .package = *path == '/' ? package_find_debug(path) : NULL,
        .n = n,
        .total = total,
    };
}

static int compare_files(const void *a, const void *b)
{
    const struct stripped_file *x = a, *y = b;
    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void print_files(const struct stripped *s, FILE *out)
{
    size_t n = 0, total = 0;
    for (size_t i = 0; i < s->n; i++) {
        n += s->files[i].n;
        total += s->files[i].total;
    }
    if (s->n > 1)
        fprintf(out, "%zu stripped files, %zu of %zu addresses have no name: ", s->n, n, total);
    for (size_t i = 0; i < s->n && i < FILES_NAMED; i++) {
        const struct stripped_file *f = &s->files[i];
        if (s->n == 1)
            fprintf(out, "%s: %zu of %zu addresses have no name: it is stripped", f->name, n,
                    total);
        else
            fprintf(out, "%s%s %zu of %zu", i ? ", " : "", f->name, f->n, f->total);
    }
    if (s->n > FILES_NAMED)
        fputs("...", out);
}

static size_t print_packages(const struct stripped *s, FILE *out)
{
    size_t printed = 0;
    for (size_t i = 0; i < s->n; i++) {
        const char *package = s->files[i].package;
        bool before = !package;
        for (size_t j = 0; j < i && !before; j++)
            before = s->files[j].package && strcmp(s->files[j].package, package) == 0;
        if (before)
            continue;
        if (printed == PACKAGES_NAMED) {
            fputs(" ...", out);
            break;
        }
        fprintf(out, "%s%s", printed++ ? " " : ": install ", package);
    }
    return printed;
}

char *stripped_finish(struct stripped *s)
{
    char *text = NULL;
    size_t size;
    if (!s->n)
        return NULL;
    qsort(s->files, s->n, sizeof(*s->files), compare_files);
    FILE *out = open_memstream(&text, &size);
    if (!out)
        mem_die();
    print_files(s, out);
    if (!print_packages(s, out))
        fprintf(out, ": keep %s at /usr/lib/debug/.build-id/",
                s->n > 1 ? "their debug files" : "its debug file");
    fputs(", or set DEBUGINFOD_URLS", out);
    fclose(out);
    for (size_t i = 0; i < s->n; i++) {
        free(s->files[i].name);
        free(s->files[i].package);
    }
    free(s->files);
    *s = (struct stripped){0};
    return text;
}
