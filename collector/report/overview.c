#include "report/overview.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "profile/unit.h"

/* Programs in the table; the others are counted. */
#define PROGRAMS_SHOWN 20
/* Functions named of a stack. */
#define FRAMES_SHOWN 5

struct program {
    char *name;
    size_t processes;
    bool sampled; /* its heap figures are estimates */
    int64_t cpu_ns, allocated, inuse, waited_ns, resident, wall_ns;
};

struct loss {
    char *what;
    int64_t count;
};

/* A process that was counted: its profiles of other kinds are its again. */
struct counted {
    UT_hash_handle hh;
    char id[];
};

struct overview {
    struct counted *processes;
    struct program *programs;
    size_t n_programs, programs_cap;
    struct loss *losses;
    size_t n_losses, losses_cap;
};

struct overview *overview_new(void)
{
    return mem_zero(1, sizeof(struct overview));
}

void overview_free(struct overview *overview)
{
    struct counted *process, *next;
    HASH_ITER(hh, overview->processes, process, next)
    {
        HASH_DEL(overview->processes, process);
        free(process);
    }
    for (size_t n = 0; n < overview->n_programs; n++)
        free(overview->programs[n].name);
    for (size_t n = 0; n < overview->n_losses; n++)
        free(overview->losses[n].what);
    free(overview->programs);
    free(overview->losses);
    free(overview);
}

static struct program *find_program(struct overview *overview, const char *name)
{
    for (size_t n = 0; n < overview->n_programs; n++)
        if (strcmp(overview->programs[n].name, name) == 0)
            return &overview->programs[n];
    overview->programs = mem_grow(overview->programs, overview->n_programs, &overview->programs_cap,
                                  sizeof *overview->programs);
    struct program *program = &overview->programs[overview->n_programs++];
    *program = (struct program){.name = mem_strdup(name)};
    return program;
}

static int find_type(const struct profile *p, const char *name)
{
    for (size_t n = 0; n < p->n_sample_types; n++)
        if (strcmp(p->sample_types[n].type, name) == 0)
            return (int)n;
    return -1;
}

static int64_t sum(const struct profile *p, const char *type)
{
    int index = find_type(p, type);
    int64_t total = 0;
    for (size_t n = 0; index >= 0 && n < p->n_samples; n++)
        total += p->samples[n]->values[index];
    return total;
}

/* What follows `start` in a comment of libprof's; NULL: there is no such comment. */
static const char *comment(const struct profile *p, const char *start)
{
    static const char own[] = "# libprof: ";
    for (size_t n = 0; n < p->n_comments; n++) {
        const char *text = p->comments[n];
        if (strncmp(text, own, sizeof own - 1) == 0)
            text += sizeof own - 1;
        if (strncmp(text, start, strlen(start)) == 0)
            return text + strlen(start);
    }
    return NULL;
}

/* The kinds of losses that libprof counts (LEDGER_STATS of wire/layout.h), as its comments say
 * them: "CPU samples lost: 3". */
static const char *const loss_words[] = {"events lost because", "sampled blocks whose free",
                                         "CPU samples lost",    "threads without a CPU timer",
                                         "threads beyond",      "dumps that could not"};

static void add_losses(struct overview *overview, const struct profile *p)
{
    for (size_t n = 0; n < sizeof loss_words / sizeof *loss_words; n++) {
        const char *rest = comment(p, loss_words[n]), *colon = rest ? strrchr(rest, ':') : NULL;
        if (!colon)
            continue;
        char *what = mem_printf("%s%.*s", loss_words[n], (int)(colon - rest), rest);
        size_t at = 0;
        while (at < overview->n_losses && strcmp(overview->losses[at].what, what) != 0)
            at++;
        if (at == overview->n_losses) {
            overview->losses =
                mem_grow(overview->losses, at, &overview->losses_cap, sizeof *overview->losses);
            overview->losses[overview->n_losses++] = (struct loss){mem_strdup(what), 0};
        }
        overview->losses[at].count += strtoll(colon + 1, NULL, 10);
        free(what);
    }
}

/* Bytes of a sampled heap are estimates. */
static bool is_estimate(const struct profile *p, const char *unit)
{
    return strcmp(unit, "bytes") == 0 && strcmp(p->period_type.type, "space") == 0 && p->period > 1;
}

/* Is this its first profile? */
static bool is_new(struct overview *overview, const char *id)
{
    struct counted *process;
    size_t length = strlen(id);
    HASH_FIND(hh, overview->processes, id, length, process);
    if (process)
        return false;
    process = mem_zero(1, sizeof *process + length + 1);
    memcpy(process->id, id, length);
    HASH_ADD_KEYPTR(hh, overview->processes, process->id, length, process);
    return true;
}

void overview_add(struct overview *overview, const char *process, const char *kind,
                  const struct profile *p)
{
    struct program *program = find_program(overview, profile_program_name(p));
    const char *resident = comment(p, "VmHWM:");
    if (is_new(overview, process)) {
        program->processes++;
        add_losses(overview, p); /* each of its profiles tells them */
    }
    program->sampled |= is_estimate(p, "bytes");
    program->cpu_ns += sum(p, "cpu");
    program->allocated += sum(p, "alloc_space");
    if (strcmp(kind, "heap") == 0)
        program->inuse += sum(p, "inuse_space");
    if (strcmp(kind, "block") == 0)
        program->waited_ns += sum(p, "delay");
    int64_t most = resident ? strtoll(resident, NULL, 10) * 1024 : 0;
    if (most > program->resident)
        program->resident = most;
    if (p->duration_nanos > program->wall_ns)
        program->wall_ns = p->duration_nanos;
}

static int compare_programs(const void *a, const void *b)
{
    const struct program *x = a, *y = b;
    if (x->cpu_ns != y->cpu_ns)
        return x->cpu_ns < y->cpu_ns ? 1 : -1;
    return (x->allocated < y->allocated) - (x->allocated > y->allocated);
}

#define VALUE_TEXT (UNIT_TEXT + 1)

/* "12.5MB", and "~12.5MB" for an estimate. Returns text. */
static char *value_text(char text[VALUE_TEXT], int64_t value, const char *unit, bool is_estimated)
{
    text[0] = '~';
    unit_format(text + 1, value, unit, "auto");
    return is_estimated && value ? text : text + 1;
}

void overview_print_programs(const struct overview *overview, FILE *out)
{
    size_t n = overview->n_programs;
    struct program *sorted = mem_alloc((n + 1) * sizeof *sorted);
    if (n)
        memcpy(sorted, overview->programs, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_programs);
    fprintf(out, "%-20s %9s %10s %10s %10s %10s %10s %10s\n", "program", "processes", "wall", "cpu",
            "allocated", "in use", "waited", "resident");
    for (size_t i = 0; i < n && i < PROGRAMS_SHOWN; i++) {
        const struct program *p = &sorted[i];
        char wall[VALUE_TEXT], cpu[VALUE_TEXT], allocated[VALUE_TEXT], inuse[VALUE_TEXT],
            waited[VALUE_TEXT], resident[VALUE_TEXT];
        fprintf(out, "%-20.20s %9zu %10s %10s %10s %10s %10s %10s\n", p->name, p->processes,
                value_text(wall, p->wall_ns, "nanoseconds", false),
                value_text(cpu, p->cpu_ns, "nanoseconds", false),
                value_text(allocated, p->allocated, "bytes", p->sampled),
                value_text(inuse, p->inuse, "bytes", p->sampled),
                value_text(waited, p->waited_ns, "nanoseconds", false),
                value_text(resident, p->resident, "bytes", false));
    }
    if (n > PROGRAMS_SHOWN)
        fprintf(out, "and %zu more programs\n", n - PROGRAMS_SHOWN);
    free(sorted);
}

void overview_print_losses(const struct overview *overview, FILE *out)
{
    for (size_t n = 0; n < overview->n_losses; n++)
        fprintf(out, "%s%s: %lld\n", n ? "" : "\nMissing\n", overview->losses[n].what,
                (long long)overview->losses[n].count);
}

struct weighted {
    const struct profile_sample *sample;
    int64_t value;
};

static int compare_weighted(const void *a, const void *b)
{
    const struct weighted *x = a, *y = b;
    return (x->value < y->value) - (x->value > y->value);
}

/* The innermost functions, with "<" between a function and its caller. */
static void print_frames(const struct profile_sample *sample, FILE *out)
{
    size_t shown = 0, total = 0;
    for (size_t n = 0; n < sample->n_locations; n++)
        for (size_t line = 0; line < sample->locations[n]->n_lines; line++, total++)
            if (shown < FRAMES_SHOWN)
                fprintf(out, "%s%s", shown++ ? " < " : "  ",
                        sample->locations[n]->lines[line].function->name);
    if (!total)
        fputs("  (no names)", out);
    fputs(total > shown ? " < ...\n" : "\n", out);
}

bool overview_print_stacks(const struct profile *p, const char *type, const char *heading,
                           size_t most, FILE *out)
{
    int index = find_type(p, type);
    int64_t total = index >= 0 ? sum(p, type) : 0;
    char value[VALUE_TEXT], share[UNIT_TEXT];
    if (total <= 0)
        return false;
    struct weighted *list = mem_alloc((p->n_samples + 1) * sizeof *list);
    for (size_t n = 0; n < p->n_samples; n++)
        list[n] = (struct weighted){p->samples[n], p->samples[n]->values[index]};
    qsort(list, p->n_samples, sizeof *list, compare_weighted);
    const char *unit = p->sample_types[index].unit;
    bool about = is_estimate(p, unit);
    fprintf(out, "\n%s: %s\n", heading, value_text(value, total, unit, about));
    for (size_t n = 0; n < p->n_samples && n < most && list[n].value > 0; n++) {
        fprintf(out, "%10s %6s", value_text(value, list[n].value, unit, about),
                unit_percent(share, list[n].value, total));
        print_frames(list[n].sample, out);
    }
    free(list);
    return true;
}
