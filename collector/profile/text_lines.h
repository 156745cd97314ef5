/*
 * Reading a text profile line by line: what the forms (read_text_*.c) share. Addresses in
 * them are return addresses: one is taken off each, as the binary form wants it.
 */
#ifndef COLLECTOR_PROFILE_TEXT_LINES_H
#define COLLECTOR_PROFILE_TEXT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"

struct location_entry;

struct text {
    struct profile *p;    /* what is read becomes part of it */
    const char *at, *end; /* the rest of the input; *end is NUL */
    char *line;           /* the current line without its end, NUL-terminated */
    size_t line_cap;
    unsigned long line_number;        /* from 1 */
    struct location_entry *locations; /* by address; in the profile's memory */
    uint64_t *addresses;              /* of the sample being read */
    size_t n_addresses, cap_addresses;
    struct error *err;
};

/* Before the first line. The caller sets p and err. */
void text_open(struct text *t, const char *data, size_t size);
/* Frees what reading needed, but not the profile; before that. */
void text_close(struct text *t);

/* To the next line; false at the end, and the current line stays. */
bool text_next_line(struct text *t);
/* Fails with the current line and its number. Always false. */
bool text_fail(struct text *t, const char *why);

/* Past blanks and tabs. */
const char *text_skip_spaces(const char *s);
/* Nothing, or from # on? */
bool text_is_blank(const char *s);
bool text_starts_with(const char *s, const char *prefix);
/* Does the memory map begin after this line? */
bool text_is_map_start(const char *line);

/* Parse at *s, past blanks, and move it on; false: it is something else. */
bool text_parse_int(const char **s, int64_t *value);
bool text_parse_char(const char **s, char c);
/* All 0x... numbers in s become t->addresses. False: told. */
bool text_parse_addresses(struct text *t, const char *s);

/* A sample with t->addresses as its stack. exact_leaf: the first one is no return address. */
struct profile_sample *text_add_sample(struct text *t, size_t n_labels, bool exact_leaf);
void text_set_period_type(struct profile *p, const char *type, const char *unit, int64_t period);

#endif
