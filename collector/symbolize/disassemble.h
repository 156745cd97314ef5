/*
 * The machine code of one function, by objdump.
 */
#ifndef COLLECTOR_SYMBOLIZE_DISASSEMBLE_H
#define COLLECTOR_SYMBOLIZE_DISASSEMBLE_H

#include "profile/profile.h"

struct instruction {
    uint64_t address;      /* run-time */
    uint64_t file_address; /* link-time: what jumps in the text refer to */
    char *text;
    char *place; /* "file.c:12" when it differs from the instruction's before, else NULL */
};

struct instructions {
    struct instruction *list;
    size_t n, cap;
    uint64_t end; /* run-time, of the function (or of this part of it), exclusive */
};

/* Of the function around a run-time address. False with *err: no such file, no
 * symbol there, no objdump. */
bool disassemble_function(const struct profile_mapping *m, uint64_t address,
                          struct instructions *out, struct error *err);
void instructions_free(struct instructions *i);

#endif
