/*
 * Programs of another C library (musl, bionic, uClibc): their loader would take libprof.so
 * for one of its own, miss the symbols of glibc's, and end the program. So whoever is
 * about to start one asks here first and leaves libprof.so out.
 *
 * Told by the loader that the file asks for (ELF: generic ABI, PT_INTERP); a script is as
 * foreign as its interpreter (execve(2)). False when it can't be told.
 *
 * Context: hooks, a vfork child too: system calls, a descriptor for a moment, 3 KiB of stack;
 * errno stays. Not after a seccomp filter of the program's.
 */
#ifndef LIBPROF_RUNTIME_FOREIGN_H
#define LIBPROF_RUNTIME_FOREIGN_H

#include <stdbool.h>

/* directory: where a relative path begins, as openat(2)'s (AT_FDCWD; -1: isn't known).
 * path: "" for the file that directory itself stands for. */
bool foreign_is_program(int directory, const char *path);

/* Of the file that a search in PATH would find (execvp(3)): the first that is a file and may be
 * executed, in this process's PATH. With a slash it isn't searched for. */
bool foreign_is_found(int directory, const char *file);

#endif
