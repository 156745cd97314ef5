/* Marks the functions that libprof.so gives to the program: everything else in
 * it is hidden. */
#ifndef LIBPROF_HOOKS_EXPORT_H
#define LIBPROF_HOOKS_EXPORT_H

#define EXPORT __attribute__((visibility("default")))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

#endif
