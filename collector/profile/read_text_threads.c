/* gperftools' threadz: `--- Thread 7f.. (name: main/12) stack: ---`. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "profile/read_text_forms.h"

bool text_is_thread_start(const char *line)
{
    return text_starts_with(line, "--- Thread ") && strstr(line, "(name: ") &&
           strstr(line, "stack: ---");
}

/* Reads addresses up to the next line that starts with ---; *more: there is one. */
static bool read_thread_stack(struct text *t, uint64_t **stack, size_t *n, bool *same, bool *more)
{
    size_t cap = 0;
    *n = 0;
    *stack = NULL;
    *same = *more = false;
    while (text_next_line(t)) {
        if (text_starts_with(text_skip_spaces(t->line), "---")) {
            *more = true;
            return true;
        }
        if (strstr(t->line, "same as previous thread")) {
            *same = true;
            continue;
        }
        if (!text_parse_addresses(t, t->line))
            return false;
        for (size_t i = 0; i < t->n_addresses; i++) {
            *stack = mem_grow(*stack, *n, &cap, sizeof(**stack));
            (*stack)[(*n)++] = t->addresses[i];
        }
    }
    return true;
}

bool text_read_threadz(struct text *t)
{
    bool more = true, ok = true;
    profile_add_sample_type(t->p, "thread", "count");
    text_set_period_type(t->p, "thread", "count", 1);
    if (text_starts_with(t->line, "--- threadz "))
        while ((more = text_next_line(t)) && *t->line != '-' && !text_is_map_start(t->line))
            ;
    while (ok && more && !text_is_map_start(t->line) &&
           !text_starts_with(t->line, "---- no stack trace for")) {
        uint64_t *stack;
        size_t n;
        bool same;
        if (!text_is_thread_start(t->line))
            return text_fail(t, "unrecognized thread profile");
        ok = read_thread_stack(t, &stack, &n, &same, &more);
        if (ok && (same || !n)) {
            if (t->p->n_samples)
                t->p->samples[t->p->n_samples - 1]->values[0]++;
        } else if (ok) {
            /* A handler may give the leaf twice: from the context and the walk. */
            if (n > 1 && stack[0] == stack[1])
                memmove(stack + 1, stack + 2, (--n - 1) * sizeof(*stack));
            t->n_addresses = 0;
            for (size_t i = 0; i < n; i++) {
                t->addresses = mem_grow(t->addresses, t->n_addresses, &t->cap_addresses,
                                        sizeof(*t->addresses));
                t->addresses[t->n_addresses++] = stack[i];
            }
            text_add_sample(t, 0, true)->values[0] = 1;
        }
        free(stack);
    }
    return ok;
}
