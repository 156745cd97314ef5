/* Strings numbered in the order they are first seen. */
#ifndef COLLECTOR_EXPORT_STRINGS_H
#define COLLECTOR_EXPORT_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#include "export/writer.h"

struct string_number;

struct string_table {
    const char **list;
    size_t n;
    /* Private. */
    struct string_number *known;
    size_t room;
};

/* text is not copied. A new string gets the number n. */
uint32_t string_table_index(struct string_table *t, const char *text);
/* A JSON array of all of them. */
void string_table_write_json(const struct string_table *t, struct writer *w);
void string_table_free(struct string_table *t);

#endif
