/*
 * Folded stacks, for flamegraph.pl and everything that learnt its input: a line for
 * each stack, root first, with its value; with two values, before and after, for a
 * comparison.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "export/format.h"
#include "export/frames.h"

struct folded_line {
    UT_hash_handle hh;
    int64_t before, after;
    size_t size;
    char text[];
};

static void put_stack(struct writer *w, const struct frames *f, const struct frame_stack *stack)
{
    if (!stack->n)
        writer_put(w, "[root]");
    for (size_t i = 0; i < stack->n; i++) {
        if (i)
            writer_put_char(w, ';');
        writer_put_line(w, f->list[f->sites[stack->sites[i]].frame].name, ';', ':');
    }
}

/* Equal stacks (other labels, other lines) come together: readers that compare
 * would take a second line for a correction of the first. */
static void add_line(struct folded_line **lines, const struct writer *text, int64_t value,
                     bool is_base)
{
    struct folded_line *line;
    HASH_FIND(hh, *lines, text->data, text->size, line);
    if (!line) {
        line = mem_alloc(sizeof(*line) + text->size);
        line->before = line->after = 0;
        line->size = text->size;
        memcpy(line->text, text->data, text->size);
        HASH_ADD_KEYPTR(hh, *lines, line->text, line->size, line);
    }
    if (is_base)
        line->before = export_add(line->before, value == INT64_MIN ? INT64_MAX : -value);
    else
        line->after = export_add(line->after, value);
}

static void put_lines(struct writer *out, struct folded_line *lines, bool is_diff)
{
    struct folded_line *line, *next;
    HASH_ITER(hh, lines, line, next)
    {
        if (line->before || line->after) {
            writer_put_bytes(out, line->text, line->size);
            writer_put_char(out, ' ');
            if (is_diff) {
                writer_put_int(out, line->before);
                writer_put_char(out, ' ');
            }
            writer_put_int(out, line->after);
            writer_put_char(out, '\n');
        }
        HASH_DEL(lines, line);
        free(line);
    }
}

bool folded_write(struct writer *out, const struct profile *p, const struct export_options *options,
                  struct error *err)
{
    struct folded_line *lines = NULL;
    struct frame_stack stack = {0};
    struct writer text = {0};
    if (!export_check_positive(p, options->type, "folded", err))
        return false;
    struct frames *f = frames_new(p, FRAMES_BY_NAME);
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *s = p->samples[i];
        if (!s->values[options->type])
            continue;
        frames_expand(f, s, &stack);
        text.size = 0;
        put_stack(&text, f, &stack);
        add_line(&lines, &text, s->values[options->type], export_is_base(s));
    }
    put_lines(out, lines, export_is_diff(p));
    writer_free(&text);
    free(stack.sites);
    frames_free(f);
    return true;
}
