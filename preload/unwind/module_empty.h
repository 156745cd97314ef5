/*
 * Where objects have no code: most words of a stack that point into an object point at its data,
 * and what the headers say of them is not worth reading twice. Private to preload/unwind/.
 *
 * What is remembered dies with its load, or with the table's generation. AS-safe, lock-free.
 */
#ifndef LIBPROF_UNWIND_MODULE_EMPTY_H
#define LIBPROF_UNWIND_MODULE_EMPTY_H

#include "unwind/module_object.h"

/* Is it known that there is no code at pc, which lies in this object? */
bool module_empty_has(const struct object *object, uintptr_t pc);

/* There is none in this range of it (as module_describe found). */
void module_empty_remember(const struct object *object, const struct address_range *empty);

#endif
