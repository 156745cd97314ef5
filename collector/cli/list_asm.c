#include "cli/list_asm.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/regex.h"
#include "symbolize/disassemble.h"

/* An address of a function asked for, with its cost. */
struct cost {
    const struct profile_location *location;
    const char *name; /* of the function it stands in */
    int64_t flat, cum;
};

static int by_function_address(const void *p, const void *q)
{
    const struct cost *a = p, *b = q;
    uint64_t ma = a->location->mapping->id, mb = b->location->mapping->id;
    int c = strcmp(a->name, b->name);
    if (c)
        return c;
    if (ma != mb)
        return ma < mb ? -1 : 1;
    return (a->location->address > b->location->address) -
           (a->location->address < b->location->address);
}

/* flat and cum of every location, by id - 1; an address counts once for a sample. */
static struct cost *add_up(const struct report *r)
{
    const struct profile *p = r->p;
    struct cost *costs = mem_zero(p->n_locations, sizeof(*costs));
    size_t *seen = mem_zero(p->n_locations, sizeof(*seen));
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        for (size_t j = 0; j < s->n_locations; j++) {
            size_t id = s->locations[j]->id - 1;
            if (j == 0)
                costs[id].flat += s->values[r->index];
            if (seen[id] != i + 1)
                costs[id].cum += s->values[r->index];
            seen[id] = i + 1;
        }
    }
    free(seen);
    return costs;
}

/* The matching ones to the front, sorted by function; returns how many. */
static size_t select_costs(const struct report *r, const struct regex *rx, struct cost *costs)
{
    size_t n = 0;
    for (size_t i = 0; i < r->p->n_locations; i++) {
        const struct profile_location *l = r->p->locations[i];
        if (!l->n_lines || !l->mapping || (!costs[i].flat && !costs[i].cum))
            continue;
        const char *name = l->lines[l->n_lines - 1].function->name;
        if (regex_matches(rx, name))
            costs[n++] = (struct cost){l, name, costs[i].flat, costs[i].cum};
    }
    qsort(costs, n, sizeof(*costs), by_function_address);
    return n;
}

static char *cell(const struct report *r, char buf[UNIT_TEXT], int64_t value)
{
    return value ? report_value(r, buf, value) : strcpy(buf, ".");
}

/* A cost belongs to the instruction its address lies in. */
static void print_instructions(const struct report *r, const struct instructions *code,
                               const struct cost *costs, size_t n, FILE *out)
{
    char a[UNIT_TEXT], b[UNIT_TEXT];
    for (size_t i = 0, at = 0; i < code->n; i++) {
        uint64_t end = i + 1 < code->n ? code->list[i + 1].address : code->end;
        int64_t flat = 0, cum = 0;
        while (at < n && costs[at].location->address < code->list[i].address)
            at++;
        for (; at < n && costs[at].location->address < end; at++) {
            flat += costs[at].flat;
            cum += costs[at].cum;
        }
        fprintf(out, "%10s %10s %10" PRIx64 ": ", cell(r, a, flat), cell(r, b, cum),
                code->list[i].file_address);
        if (code->list[i].place)
            fprintf(out, "%-40s;%s\n", code->list[i].text, code->list[i].place);
        else
            fprintf(out, "%s\n", code->list[i].text);
    }
}

static void print_routine(const struct report *r, const struct cost *costs, size_t n, FILE *out)
{
    char a[UNIT_TEXT], b[UNIT_TEXT], c[UNIT_TEXT];
    struct error err;
    int64_t flat = 0, cum = 0;
    for (size_t i = 0; i < n; i++) {
        flat += costs[i].flat;
        cum += costs[i].cum;
    }
    fprintf(out, "ROUTINE ======================== %s\n", costs[0].name);
    fprintf(out, "%10s %10s (flat, cum) %s of Total\n", report_value(r, a, flat),
            report_value(r, b, cum), unit_percent(c, cum, r->total));
    /* A compiler may put the unlikely part of a function elsewhere. */
    for (size_t i = 0, part; i < n; i = part) {
        struct instructions code;
        bool good = disassemble_function(costs[i].location->mapping, costs[i].location->address,
                                         &code, &err);
        for (part = i + 1; part < n && good && costs[part].location->address < code.end;)
            part++;
        if (good)
            print_instructions(r, &code, costs + i, part - i, out);
        else
            fprintf(out, " Error: %s\n", err.text);
        instructions_free(&code);
        if (!good)
            break;
    }
}

bool list_asm(struct report *r, const char *symbol, FILE *out, struct error *err)
{
    struct regex *rx = regex_compile("argument", symbol, err);
    char total[UNIT_TEXT];
    if (!rx)
        return false;
    struct cost *costs = add_up(r);
    size_t n = select_costs(r, rx, costs);
    if (n)
        fprintf(out, "Total: %s\n", report_value(r, total, r->total));
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && costs[end].name == costs[i].name &&
                          costs[end].location->mapping == costs[i].location->mapping;)
            end++;
        print_routine(r, costs + i, end - i, out);
    }
    regex_free(rx);
    free(costs);
    return n || fail_with(err, "no matches found for regexp: %.300s", symbol);
}
