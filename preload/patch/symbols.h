/* Functions of the program by name, in its file: those that are not exported are in no table that
 * the loader maps. Context: start only; opens the file for the moment. */
#ifndef LIBPROF_PATCH_SYMBOLS_H
#define LIBPROF_PATCH_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbol_place {
    uint8_t *address; /* NULL: the program has no such function */
    uint64_t size;
};

/* names: each with its NUL, an empty one ends them; places: as many. */
void symbols_find(const char *names, struct symbol_place *places);

#endif
