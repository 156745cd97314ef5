#include "report/text_frames.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define TAB_WIDTH 8

void text_print_addresses(const struct profile_sample *s, FILE *out)
{
    for (size_t i = 0; i < s->n_locations; i++)
        fprintf(out, " 0x%" PRIx64, s->locations[i]->address + 1);
    /* An empty stack would not parse back: pprof wants an address. */
    if (!s->n_locations)
        fprintf(out, " 0x1");
}

struct row {
    char *address, *function, *place; /* function NULL: unknown */
};

struct rows {
    struct row *list;
    size_t n, cap;
};

/* In place: a newline in a name would make the rest of it a line of its own, which no
 * reader of the format understands; a tab would start a column. */
static char *keep_on_line(char *text)
{
    for (char *at = text; at && *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    return text;
}

static void add_row(struct rows *r, char *address, char *function, char *place)
{
    r->list = mem_grow(r->list, r->n, &r->cap, sizeof(*r->list));
    r->list[r->n++] = (struct row){address, keep_on_line(function), keep_on_line(place)};
}

static void add_location(struct rows *r, const struct profile_location *l, uint64_t entry)
{
    if (!l->n_lines)
        add_row(r, mem_printf("0x%" PRIx64, l->address), NULL, NULL);
    for (size_t i = 0; i < l->n_lines; i++) {
        const struct profile_function *f = l->lines[i].function;
        /* Of the function the code stands in, for inlined frames too: Go's way. */
        bool known = entry && entry <= l->address;
        add_row(r, mem_printf("0x%" PRIx64, l->address),
                known ? mem_printf("%s+0x%" PRIx64, f->name, l->address - entry)
                      : mem_strdup(f->name),
                *f->filename || l->lines[i].line
                    ? mem_printf("%s:%" PRId64, f->filename, l->lines[i].line)
                    : mem_strdup(l->mapping ? l->mapping->file : ""));
    }
}

/* In characters. */
static size_t text_width(const char *s)
{
    size_t width = 0;
    while (*s) {
        size_t n = utf8_char_length(s);
        s += n ? n : 1;
        width++;
    }
    return width;
}

/* The cell, then tabs up to the column's end: the widest cell and one more, rounded
 * up to whole tabs. */
static void print_cell(const char *text, size_t column_width, FILE *out)
{
    size_t end = (column_width + 1 + TAB_WIDTH - 1) / TAB_WIDTH * TAB_WIDTH;
    size_t gap = end - text_width(text);
    fputs(text, out);
    for (size_t i = 0; i < (gap + TAB_WIDTH - 1) / TAB_WIDTH; i++)
        fputc('\t', out);
}

/* Rows without a function end the columns: each run of others is aligned by itself. */
static size_t print_run(const struct rows *r, size_t from, FILE *out)
{
    size_t to = from, address_width = 0, function_width = 0;
    for (; to < r->n && r->list[to].function; to++) {
        size_t a = text_width(r->list[to].address), f = text_width(r->list[to].function);
        address_width = a > address_width ? a : address_width;
        function_width = f > function_width ? f : function_width;
    }
    for (size_t i = from; i < to; i++) {
        fputs("#\t", out);
        print_cell(r->list[i].address, address_width, out);
        print_cell(r->list[i].function, function_width, out);
        fprintf(out, "%s\n", r->list[i].place);
    }
    return to;
}

void text_print_frames(const struct profile_sample *s, const uint64_t *entries, FILE *out)
{
    struct rows r = {0};
    for (size_t i = 0; i < s->n_locations; i++) {
        const struct profile_location *l = s->locations[i];
        add_location(&r, l, entries ? entries[l->id - 1] : 0);
    }
    for (size_t i = 0; i < r.n;) {
        if (r.list[i].function) {
            i = print_run(&r, i, out);
        } else {
            fprintf(out, "#\t%s\n", r.list[i].address);
            i++;
        }
    }
    for (size_t i = 0; i < r.n; i++) {
        free(r.list[i].address);
        free(r.list[i].function);
        free(r.list[i].place);
    }
    free(r.list);
    fputc('\n', out);
}

void text_print_quoted(const char *s, FILE *out)
{
    fputc('"', out);
    while (*s) {
        size_t n = utf8_char_length(s);
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (*s == '\n')
            fputs("\\n", out);
        else if (*s == '\t')
            fputs("\\t", out);
        else if (!n || (unsigned char)*s < ' ' || *s == 0x7f)
            fprintf(out, "\\x%02x", (unsigned char)*s);
        else
            fwrite(s, 1, n, out);
        s += n ? n : 1;
    }
    fputc('"', out);
}
