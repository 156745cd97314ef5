/*
 * C++'s operator new and delete, for allocators whose operators don't go through
 * malloc. Not exported: a program's calls come here through rebind.h only. (An
 * exported operator new would also catch a plugin whose libstdc++ is not in the
 * global scope, and then find no real one to call.)
 *
 * X(return type, mangled name, parameters): Itanium C++ ABI 5.1.5 names for
 * size_t = unsigned long.
 */
#ifndef LIBPROF_HOOKS_OPERATORS_H
#define LIBPROF_HOOKS_OPERATORS_H

#include <stddef.h>

#define OPERATORS_NEW(X)                                                                           \
    X(_Znwm, (size_t size), (size))                                                                \
    X(_Znam, (size_t size), (size))                                                                \
    X(_ZnwmRKSt9nothrow_t, (size_t size, const void *tag), (size, tag))                            \
    X(_ZnamRKSt9nothrow_t, (size_t size, const void *tag), (size, tag))                            \
    X(_ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment))                    \
    X(_ZnamSt11align_val_t, (size_t size, size_t alignment), (size, alignment))                    \
    X(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const void *tag),        \
      (size, alignment, tag))                                                                      \
    X(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const void *tag),        \
      (size, alignment, tag))

#define OPERATORS_DELETE(X)                                                                        \
    X(_ZdlPv, (void *block), (block))                                                              \
    X(_ZdaPv, (void *block), (block))                                                              \
    X(_ZdlPvm, (void *block, size_t size), (block, size))                                          \
    X(_ZdaPvm, (void *block, size_t size), (block, size))                                          \
    X(_ZdlPvRKSt9nothrow_t, (void *block, const void *tag), (block, tag))                          \
    X(_ZdaPvRKSt9nothrow_t, (void *block, const void *tag), (block, tag))                          \
    X(_ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))                  \
    X(_ZdaPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))                  \
    X(_ZdlPvmSt11align_val_t, (void *block, size_t size, size_t alignment),                        \
      (block, size, alignment))                                                                    \
    X(_ZdaPvmSt11align_val_t, (void *block, size_t size, size_t alignment),                        \
      (block, size, alignment))                                                                    \
    X(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const void *tag),       \
      (block, alignment, tag))                                                                     \
    X(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const void *tag),       \
      (block, alignment, tag))

/* Points every object's operators at libprof's, if the allocator that `owner` (an address in
 * it) belongs to defines them itself: `first` is the operator new that a program finds. */
void operators_rebind(const void *first, const void *owner);

#endif
