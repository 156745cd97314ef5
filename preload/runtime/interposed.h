/*
 * Every function that libprof.so interposes, in one table: X(return type, name,
 * parameters). From it come the pointers to the real functions (real.h), the loop
 * that resolves them (real.c), and the list that the export test compares with
 * `nm -D` (the linker's version script is checked against the same list).
 *
 * A function that is absent from the C library or allocator behind us is no
 * error: its pointer stays NULL and the hook does without.
 */
#ifndef LIBPROF_RUNTIME_INTERPOSED_H
#define LIBPROF_RUNTIME_INTERPOSED_H

/* Allocation. free_sized and free_aligned_sized are C23's; cfree is gone from
 * glibc >= 2.26 but old binaries and other allocators still have it. */
#define INTERPOSED_ALLOC(X)                                                                        \
    X(void *, malloc, (size_t size))                                                               \
    X(void, free, (void *block))                                                                   \
    X(void *, calloc, (size_t count, size_t size))                                                 \
    X(void *, realloc, (void *block, size_t size))                                                 \
    X(void *, reallocarray, (void *block, size_t count, size_t size))                              \
    X(int, posix_memalign, (void **block, size_t alignment, size_t size))                          \
    X(void *, aligned_alloc, (size_t alignment, size_t size))                                      \
    X(void *, memalign, (size_t alignment, size_t size))                                           \
    X(void *, valloc, (size_t size))                                                               \
    X(void *, pvalloc, (size_t size))                                                              \
    X(size_t, malloc_usable_size, (void *block))                                                   \
    X(void, cfree, (void *block))                                                                  \
    X(void, free_sized, (void *block, size_t size))                                                \
    X(void, free_aligned_sized, (void *block, size_t alignment, size_t size))

/* Processes and threads. vfork and clone are assembly tail jumps (hooks/fork.c). */
#define INTERPOSED_PROCESS(X)                                                                      \
    X(pid_t, fork, (void))                                                                         \
    X(pid_t, vfork, (void))                                                                        \
    X(int, dlclose, (void *handle))

/* The ways out of a process (hooks/exit.c, exec.c). */
#define INTERPOSED_END(X)                                                                          \
    X(void, _exit, (int status))                                                                   \
    X(void, _Exit, (int status))                                                                   \
    X(int, execve, (const char *path, char *const argv[], char *const envp[]))                     \
    X(int, execv, (const char *path, char *const argv[]))                                          \
    X(int, execvpe, (const char *file, char *const argv[], char *const envp[]))                    \
    X(int, execvp, (const char *file, char *const argv[]))                                         \
    X(int, fexecve, (int fd, char *const argv[], char *const envp[]))                              \
    X(int, execveat,                                                                               \
      (int fd, const char *path, char *const argv[], char *const envp[], int flags))               \
    X(int, execl, (const char *path, const char *argument, ...))                                   \
    X(int, execlp, (const char *file, const char *argument, ...))                                  \
    X(int, execle, (const char *path, const char *argument, ...))

/* Signal dispositions (hooks/signal.c). */
#define INTERPOSED_SIGNAL(X)                                                                       \
    X(int, sigaction, (int signo, const struct sigaction *action, struct sigaction *old))          \
    X(sighandler_t, signal, (int signo, sighandler_t handler))                                     \
    X(sighandler_t, bsd_signal, (int signo, sighandler_t handler))                                 \
    X(sighandler_t, ssignal, (int signo, sighandler_t handler))                                    \
    X(sighandler_t, sysv_signal, (int signo, sighandler_t handler))                                \
    X(sighandler_t, __sysv_signal, (int signo, sighandler_t handler))                              \
    X(sighandler_t, sigset, (int signo, sighandler_t handler))                                     \
    X(int, sigignore, (int signo))                                                                 \
    X(int, siginterrupt, (int signo, int flag))

#define INTERPOSED(X)                                                                              \
    INTERPOSED_ALLOC(X)                                                                            \
    INTERPOSED_PROCESS(X)                                                                          \
    INTERPOSED_END(X)                                                                              \
    INTERPOSED_SIGNAL(X)

#endif
