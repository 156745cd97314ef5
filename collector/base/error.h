/*
 * What went wrong, in words for a person. Functions that can fail take a struct error as
 * their last argument and fill it in only when they do.
 */
#ifndef COLLECTOR_BASE_ERROR_H
#define COLLECTOR_BASE_ERROR_H

#include <stdbool.h>

/* One line without newline and without the name of the file that was read: the caller
 * knows that better. */
struct error {
    char text[512];
};

/* Fills in err->text, printf style. Returns false, so that it can end a function. */
bool fail_with(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
