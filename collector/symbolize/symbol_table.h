/*
 * What is known of the addresses of one file, and the same on disk: a table is
 * stored below $XDG_CACHE_HOME/libprof/symbols under the file's build id, together
 * with a signature of the files it was made from. When a debug package is
 * installed later the signature differs, and the table is made anew.
 */
#ifndef COLLECTOR_SYMBOLIZE_SYMBOL_TABLE_H
#define COLLECTOR_SYMBOLIZE_SYMBOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol_frame {
    const char *name; /* mangled; "" unknown */
    const char *file; /* "" unknown */
    unsigned line, column, start_line;
};

struct symbol {
    uint64_t address;            /* link-time */
    uint64_t entry;              /* of the physical function; 0: unknown */
    struct symbol_frame *frames; /* innermost first; NULL: nothing is known */
    size_t n_frames;
};

struct symbol_table;

/* An empty table, the caller's; free gives back its entries' strings too. */
struct symbol_table *symbol_table_new(void);
void symbol_table_free(struct symbol_table *t);

/* The entry of an address, or NULL. */
const struct symbol *symbol_table_find(const struct symbol_table *t, uint64_t address);
/* Strings are copied. The address is not in the table yet. */
void symbol_table_add(struct symbol_table *t, uint64_t address, uint64_t entry,
                      const struct symbol_frame *frames, size_t n_frames);

/* Fills in what is on disk; nothing if there is none, or it has another signature. */
void symbol_table_load(struct symbol_table *t, const char *build_id, const char *signature);
/* Stores the table if symbol_table_add() was called since it was loaded. Failure is
 * silent: the cache only saves time. */
void symbol_table_store(const struct symbol_table *t, const char *build_id, const char *signature);

#endif
