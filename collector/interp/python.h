/* The Python frames of a process's threads. */
#ifndef COLLECTOR_INTERP_PYTHON_H
#define COLLECTOR_INTERP_PYTHON_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct python;

/* Strings are the struct python's, and stay until it is closed. */
struct python_frame {
    const char *name; /* qualified: "Parser.parse" */
    const char *file;
    unsigned line, first_line; /* 0: unknown; first_line: of the function */
    bool is_entry;             /* the evaluator was called for it */
};

/* dwfl: the process's modules, reported; only looked at here. NULL: it runs no CPython, or one of a
 * version whose structures are not known. */
struct python *python_open(pid_t pid, Dwfl *dwfl);
void python_close(struct python *python);

/* Does the evaluator lie at this address, the function that runs Python frames? */
bool python_is_evaluator(const struct python *python, uint64_t address);

/* A thread's frames, innermost first. 0: it runs no Python code, or its frames could not be read.
 * The thread may run on meanwhile; what was read is then of no single moment. */
size_t python_frames(struct python *python, pid_t tid, struct python_frame *frames, size_t max);

#endif
