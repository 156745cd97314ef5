/* The code of one function, with what each line or instruction costs. */
#include "base/mem.h"
#include "profile/profile_ops.h"
#include "symbolize/elf_file.h"
#include "web/api.h"
#include "web/assembly.h"
#include "web/reply.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Code shown around a sample where no symbol tells the function's extent. */
#define MARGIN_BYTES 64

/* An expression that matches this name alone. malloc'ed. */
static char *exact_expression(const char *name)
{
    struct writer w = {0};
    writer_put(&w, "^");
    for (const char *c = name; *c; c++) {
        bool plain = (*c >= '0' && *c <= '9') || ((*c | 32) >= 'a' && (*c | 32) <= 'z') ||
                     *c == '_' || (unsigned char)*c >= 128;
        if (!plain)
            writer_put_char(&w, '\\');
        writer_put_char(&w, *c);
    }
    writer_put(&w, "$");
    writer_put_char(&w, '\0');
    return w.data;
}

/* Sources that another user's program names are only shown if that user could read
 * them himself. */
static long reader_uid(const struct view *view)
{
    return view->uid == (uid_t)-1 || view->uid == geteuid() ? -1 : (long)view->uid;
}

/* What both answers start with. NULL: told. */
static struct profile *open_code(struct request *request, struct response *response,
                                 const struct view *view, char **function, int *type)
{
    *function = request_query(request, "function");
    if (!*function || !**function) {
        reply_error(response, 400, "which function?");
        return NULL;
    }
    struct profile *p = api_derive(request, view, response);
    *type = p ? api_find_type(request, p, response) : -1;
    if (*type >= 0)
        return p;
    profile_free(p);
    return NULL;
}

/* ---- Source ---- */

struct source_answer {
    struct writer w;
    bool any;
};

static void put_part(void *arg, const struct report *r, const struct report_source *part)
{
    struct source_answer *answer = arg;
    struct writer *w = &answer->w;
    (void)r;
    writer_put(w, answer->any ? ",{\"file\":" : "{\"file\":");
    answer->any = true;
    writer_put_json(w, part->file);
    json_text(w, "why", part->why ? part->why : "");
    json_number(w, "self", part->flat);
    json_number(w, "total", part->cum);
    writer_put(w, ",\"lines\":[");
    for (size_t i = 0; i < part->n_lines; i++) {
        const struct report_source_line *line = &part->lines[i];
        writer_printf(w, "%s[%ld,%ld,%ld,", i ? "," : "", (long)line->number, (long)line->flat,
                      (long)line->cum);
        if (line->text)
            writer_put_json(w, line->text);
        else
            writer_put(w, "null");
        writer_put_char(w, ']');
    }
    writer_put(w, "]}");
}

static void answer_source(struct response *response, struct profile *p, const char *function,
                          int type, long uid)
{
    struct source_answer answer = {0};
    struct report_options options;
    struct report report;
    struct error err;
    char index[16], *symbol = exact_expression(function);
    report_options_init(&options);
    snprintf(index, sizeof index, "%d", type);
    options.sample_index = index;
    options.granularity = PROFILE_LINES;
    options.source_uid = uid;
    writer_put(&answer.w, "{\"parts\":[");
    if (report_open(&report, p, &options, &err) &&
        report_visit_sources(&report, symbol, put_part, &answer, &err)) {
        writer_put_char(&answer.w, ']');
        json_number(&answer.w, "total", report.total);
        writer_put_char(&answer.w, '}');
        reply_json(response, &answer.w);
    } else {
        reply_error(response, 404, err.text);
    }
    writer_free(&answer.w);
    free(symbol);
}

void api_get_source(struct request *request, struct response *response)
{
    char *function = NULL;
    int type;
    struct view *view = api_find_view(request, response);
    struct profile *p = view ? open_code(request, response, view, &function, &type) : NULL;
    if (p)
        answer_source(response, p, function, type, reader_uid(view));
    free(function);
    profile_free(p);
    view_release(view);
}

/* ---- Assembly ---- */

/* Costs by location id - 1, and the code's extent in one mapping. */
struct code {
    const struct profile *p;
    int64_t *flat, *cum;
    bool *member; /* has the function in its lines */
    const struct profile_mapping *mapping;
    uint64_t from, to, bias;
};

static bool has_function(const struct profile_location *l, const char *function)
{
    for (size_t i = 0; i < l->n_lines; i++)
        if (strcmp(l->lines[i].function->name, function) == 0)
            return true;
    return false;
}

/* Once for each sample, however often the location recurs in its stack. */
static void add_costs(struct code *code, int type)
{
    size_t *seen = mem_zero(code->p->n_locations, sizeof *seen);
    for (size_t i = 0; i < code->p->n_samples; i++) {
        const struct profile_sample *s = code->p->samples[i];
        for (size_t j = 0; j < s->n_locations; j++) {
            size_t at = s->locations[j]->id - 1;
            if (j == 0)
                code->flat[at] += s->values[type];
            if (seen[at] != i + 1)
                code->cum[at] += s->values[type];
            seen[at] = i + 1;
        }
    }
    free(seen);
}

/* The symbol around the function's costliest location; without one, its locations.
 * Clones and namesakes elsewhere are left out. False: told in *err. */
static bool find_extent(struct code *code, struct error *err)
{
    const struct profile_location *top = NULL;
    const char *why = "";
    for (size_t i = 0; i < code->p->n_locations; i++)
        if (code->member[i] && code->p->locations[i]->mapping &&
            (!top || llabs(code->cum[i]) > llabs(code->cum[top->id - 1])))
            top = code->p->locations[i];
    if (!top || *top->mapping->file != '/')
        return fail_with(err, "no binary is known for this function");
    const struct profile_mapping *m = code->mapping = top->mapping;
    struct elf_file *file = elf_file_open(m->file, &why);
    if (!file)
        return fail_with(err, "%s: %s", m->file, why);
    bool same = !*m->build_id || strcmp(m->build_id, file->build_id) == 0;
    if (!same || !elf_file_find_bias(file, m->start, m->limit, m->offset, &code->bias)) {
        elf_file_close(file);
        return fail_with(err, "%s is another build now", m->file);
    }
    struct elf_file *debug = elf_file_open_debug(file);
    elf_file_add_symbols(file, file);
    if (debug)
        elf_file_add_symbols(file, debug);
    elf_file_sort_symbols(file);
    const struct elf_symbol *symbol = elf_file_find_symbol(file, top->address + code->bias);
    if (symbol) {
        code->from = symbol->start;
        code->to = symbol->start + (symbol->size ? symbol->size : MARGIN_BYTES * 16);
    } else {
        code->from = top->address + code->bias - MARGIN_BYTES;
        code->to = top->address + code->bias + MARGIN_BYTES;
    }
    elf_file_close(debug);
    elf_file_close(file);
    return true;
}

struct assembly_answer {
    struct writer w;
    const struct code *code;
    const struct profile_location **sorted; /* by address, those of the mapping */
    size_t n_sorted, at, n;
    uint64_t pending; /* the instruction that is not written yet */
    char *text;
};

/* Writes the pending instruction, with what lies on it: an address of a caller is
 * inside the call instruction. */
static void flush_instruction(struct assembly_answer *a, uint64_t next)
{
    const struct profile_line *line = NULL;
    int64_t flat = 0, cum = 0;
    if (!a->text)
        return;
    for (; a->at < a->n_sorted && a->sorted[a->at]->address + a->code->bias < next; a->at++) {
        const struct profile_location *l = a->sorted[a->at];
        if (l->address + a->code->bias < a->pending)
            continue;
        flat += a->code->flat[l->id - 1];
        cum += a->code->cum[l->id - 1];
        line = l->n_lines ? &l->lines[0] : NULL;
    }
    writer_printf(&a->w, "%s[\"%lx\",%ld,%ld,", a->n++ ? "," : "", (unsigned long)a->pending,
                  (long)flat, (long)cum);
    writer_put_json(&a->w, a->text);
    writer_put_char(&a->w, ',');
    writer_put_json(&a->w, line ? line->function->filename : "");
    writer_printf(&a->w, ",%ld]", line ? (long)line->line : 0L);
    free(a->text);
    a->text = NULL;
}

static void take_instruction(void *arg, uint64_t address, const char *text)
{
    struct assembly_answer *a = arg;
    flush_instruction(a, address);
    a->pending = address;
    a->text = mem_strdup(text);
}

static int by_address(const void *a, const void *b)
{
    const struct profile_location *x = *(const struct profile_location *const *)a;
    const struct profile_location *y = *(const struct profile_location *const *)b;
    return (x->address > y->address) - (x->address < y->address);
}

static void sort_locations(struct assembly_answer *a)
{
    const struct profile *p = a->code->p;
    a->sorted = mem_zero(p->n_locations, sizeof *a->sorted);
    for (size_t i = 0; i < p->n_locations; i++)
        if (p->locations[i]->mapping == a->code->mapping)
            a->sorted[a->n_sorted++] = p->locations[i];
    qsort(a->sorted, a->n_sorted, sizeof *a->sorted, by_address);
}

static void answer_assembly(struct response *response, struct code *code)
{
    struct assembly_answer a = {.code = code};
    struct error err;
    if (!find_extent(code, &err)) {
        reply_error(response, 404, err.text);
        return;
    }
    sort_locations(&a);
    writer_put(&a.w, "{\"file\":");
    writer_put_json(&a.w, code->mapping->file);
    writer_put(&a.w, ",\"lines\":[");
    if (assembly_visit(code->mapping->file, code->from, code->to, take_instruction, &a, &err)) {
        flush_instruction(&a, code->to);
        writer_put(&a.w, "]}");
        if (a.n)
            reply_json(response, &a.w);
        else
            reply_error(response, 404,
                        "objdump finds no code there: is the binary still the same?");
    } else {
        reply_error(response, 500, err.text);
    }
    writer_free(&a.w);
    free(a.sorted);
    free(a.text);
}

void api_get_assembly(struct request *request, struct response *response)
{
    char *function = NULL;
    int type;
    struct view *view = api_find_view(request, response);
    struct profile *p = view ? open_code(request, response, view, &function, &type) : NULL;
    if (p) {
        struct code code = {.p = p};
        code.flat = mem_zero(p->n_locations + 1, sizeof *code.flat);
        code.cum = mem_zero(p->n_locations + 1, sizeof *code.cum);
        code.member = mem_zero(p->n_locations + 1, sizeof *code.member);
        for (size_t i = 0; i < p->n_locations; i++)
            code.member[i] = has_function(p->locations[i], function);
        add_costs(&code, type);
        answer_assembly(response, &code);
        free(code.flat);
        free(code.cum);
        free(code.member);
    }
    free(function);
    profile_free(p);
    view_release(view);
}
