/* CPython's strings and tables of lines, out of another process. */
#ifndef COLLECTOR_INTERP_PYTHON_TEXT_H
#define COLLECTOR_INTERP_PYTHON_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "interp/python_layout.h"

/* A str object as UTF-8: malloc'ed; NULL: it is none, or too long to be a name. */
char *python_text_read(pid_t pid, const struct python_layout *layout, uint64_t object);

/* A bytes object: malloc'ed, *size bytes; NULL: it is none, or too long. */
unsigned char *python_bytes_read(pid_t pid, uint64_t object, size_t *size);

/* The line of an instruction, from a code object's co_linetable (Objects/locations.md of
 * CPython 3.11 and later). offset: bytes from the code's first instruction. 0: it has none. */
unsigned python_line(const unsigned char *table, size_t size, unsigned first_line, uint64_t offset);

#endif
