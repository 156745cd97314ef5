#include "export/strings.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct string_number {
    UT_hash_handle hh;
    const char *text;
    uint32_t number;
};

uint32_t string_table_index(struct string_table *t, const char *text)
{
    struct string_number *s;
    HASH_FIND_STR(t->known, text, s);
    if (s)
        return s->number;
    s = mem_zero(1, sizeof(*s));
    s->text = text;
    s->number = (uint32_t)t->n;
    HASH_ADD_KEYPTR(hh, t->known, s->text, strlen(s->text), s);
    t->list = mem_grow(t->list, t->n, &t->room, sizeof(*t->list));
    t->list[t->n++] = text;
    return s->number;
}

void string_table_write_json(const struct string_table *t, struct writer *w)
{
    writer_put_char(w, '[');
    for (size_t i = 0; i < t->n; i++) {
        writer_put(w, i ? "," : "");
        writer_put_json(w, t->list[i]);
    }
    writer_put_char(w, ']');
}

void string_table_free(struct string_table *t)
{
    struct string_number *s, *next;
    HASH_ITER(hh, t->known, s, next)
    {
        HASH_DEL(t->known, s);
        free(s);
    }
    free(t->list);
    *t = (struct string_table){0};
}
