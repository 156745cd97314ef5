/*
 * Files of a profile that lack symbols: every program of a distribution does, and its
 * libraries too, so that they are told together and shortly.
 */
#ifndef COLLECTOR_SYMBOLIZE_STRIPPED_H
#define COLLECTOR_SYMBOLIZE_STRIPPED_H

#include <stddef.h>

struct stripped_file;

struct stripped {
    struct stripped_file *files;
    size_t n;
};

/* n of total addresses in the file have no name. path: where the file is; its Debian package of
 * debug information is looked for there. */
void stripped_add(struct stripped *s, const char *path, size_t n, size_t total);

/* One line, to be freed: which files they are, those with most addresses first, and what to
 * install. NULL: none was added. Frees the list. */
char *stripped_finish(struct stripped *s);

#endif
