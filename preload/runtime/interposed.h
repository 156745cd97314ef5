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
    X(int, daemon, (int nochdir, int noclose))                                                     \
    X(int, forkpty,                                                                                \
      (int *master, char *name, const struct termios *terminal, const struct winsize *window))     \
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
    X(int, sigaltstack, (const stack_t *stack, stack_t *old))                                      \
    X(sighandler_t, signal, (int signo, sighandler_t handler))                                     \
    X(sighandler_t, bsd_signal, (int signo, sighandler_t handler))                                 \
    X(sighandler_t, ssignal, (int signo, sighandler_t handler))                                    \
    X(sighandler_t, sysv_signal, (int signo, sighandler_t handler))                                \
    X(sighandler_t, __sysv_signal, (int signo, sighandler_t handler))                              \
    X(sighandler_t, sigset, (int signo, sighandler_t handler))                                     \
    X(int, sigignore, (int signo))                                                                 \
    X(int, siginterrupt, (int signo, int flag))

/* How a seccomp filter is installed (hooks/sandbox.c). */
#define INTERPOSED_SANDBOX(X)                                                                      \
    X(int, prctl, (int option, ...))                                                               \
    X(long, syscall, (long number, long a, long b, long c, long d, long e, long f))

/* How a program locks its address space in memory (hooks/memory_lock.c). */
#define INTERPOSED_MEMORY_LOCK(X) X(int, mlockall, (int flags))

/* How a program limits its address space (hooks/limit.c). */
#define INTERPOSED_LIMIT(X)                                                                        \
    X(int, setrlimit, (int resource, const void *limit))                                           \
    X(int, setrlimit64, (int resource, const void *limit))                                         \
    X(int, prlimit, (pid_t pid, int resource, const void *limit, void *old))                       \
    X(int, prlimit64, (pid_t pid, int resource, const void *limit, void *old))

/* What threads wait in, and what lets them go (block and mutex profiles). */
#define INTERPOSED_LOCK(X)                                                                         \
    X(int, pthread_mutex_lock, (pthread_mutex_t * mutex))                                          \
    X(int, pthread_mutex_timedlock, (pthread_mutex_t * mutex, const struct timespec *until))       \
    X(int, pthread_mutex_clocklock,                                                                \
      (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *until))                    \
    X(int, pthread_mutex_unlock, (pthread_mutex_t * mutex))                                        \
    X(int, pthread_spin_lock, (pthread_spinlock_t * lock))                                         \
    X(int, pthread_spin_unlock, (pthread_spinlock_t * lock))                                       \
    X(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock))                                       \
    X(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock))                                       \
    X(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t * lock, const struct timespec *until))    \
    X(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t * lock, const struct timespec *until))    \
    X(int, pthread_rwlock_clockrdlock,                                                             \
      (pthread_rwlock_t * lock, clockid_t clock, const struct timespec *until))                    \
    X(int, pthread_rwlock_clockwrlock,                                                             \
      (pthread_rwlock_t * lock, clockid_t clock, const struct timespec *until))                    \
    X(int, pthread_rwlock_unlock, (pthread_rwlock_t * lock))                                       \
    X(int, pthread_cond_clockwait,                                                                 \
      (pthread_cond_t * cond, pthread_mutex_t * mutex, clockid_t clock,                            \
       const struct timespec *until))                                                              \
    X(int, sem_wait, (sem_t * semaphore))                                                          \
    X(int, sem_timedwait, (sem_t * semaphore, const struct timespec *until))                       \
    X(int, sem_clockwait, (sem_t * semaphore, clockid_t clock, const struct timespec *until))      \
    X(int, pthread_barrier_wait, (pthread_barrier_t * barrier))                                    \
    X(int, pthread_join, (pthread_t thread, void **result))                                        \
    X(int, pthread_timedjoin_np, (pthread_t thread, void **result, const struct timespec *until))  \
    X(int, pthread_clockjoin_np,                                                                   \
      (pthread_t thread, void **result, clockid_t clock, const struct timespec *until))            \
    X(int, mtx_lock, (mtx_t * mutex))                                                              \
    X(int, mtx_timedlock, (mtx_t * mutex, const struct timespec *until))                           \
    X(int, mtx_unlock, (mtx_t * mutex))                                                            \
    X(int, cnd_wait, (cnd_t * cond, mtx_t * mutex))                                                \
    X(int, cnd_timedwait, (cnd_t * cond, mtx_t * mutex, const struct timespec *until))             \
    X(int, thrd_join, (thrd_t thread, int *result))

/* Waits that the kernel doesn't restart after a signal handler (signal(7)). */
#define INTERPOSED_WAIT(X)                                                                         \
    X(int, poll, (struct pollfd * fds, nfds_t count, int timeout))                                 \
    X(int, __poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t size))              \
    X(int, ppoll,                                                                                  \
      (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask))   \
    X(int, __ppoll_chk,                                                                            \
      (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,    \
       size_t size))                                                                               \
    X(int, select, (int count, fd_set *in, fd_set *out, fd_set *special, struct timeval *timeout)) \
    X(int, pselect,                                                                                \
      (int count, fd_set *in, fd_set *out, fd_set *special, const struct timespec *timeout,        \
       const sigset_t *mask))                                                                      \
    X(int, epoll_wait, (int epoll, struct epoll_event *events, int count, int timeout))            \
    X(int, epoll_pwait,                                                                            \
      (int epoll, struct epoll_event *events, int count, int timeout, const sigset_t *mask))       \
    X(int, epoll_pwait2,                                                                           \
      (int epoll, struct epoll_event *events, int count, const struct timespec *timeout,           \
       const sigset_t *mask))                                                                      \
    X(int, nanosleep, (const struct timespec *time, struct timespec *remaining))                   \
    X(int, clock_nanosleep,                                                                        \
      (clockid_t clock, int flags, const struct timespec *time, struct timespec *remaining))       \
    X(int, usleep, (useconds_t time))                                                              \
    X(unsigned, sleep, (unsigned time))                                                            \
    X(int, pause, (void))                                                                          \
    X(int, sigsuspend, (const sigset_t *mask))                                                     \
    X(int, sigwait, (const sigset_t *set, int *signo))                                             \
    X(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info))                                    \
    X(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout))

/* Nor these, on sockets with a timeout (SO_RCVTIMEO, SO_SNDTIMEO), where a part has moved, or at
 * all (System V IPC). */
#define INTERPOSED_TRANSFER(X)                                                                     \
    X(ssize_t, recv, (int fd, void *buffer, size_t size, int flags))                               \
    X(ssize_t, recvfrom,                                                                           \
      (int fd, void *buffer, size_t size, int flags, __SOCKADDR_ARG from, socklen_t *from_size))   \
    X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags))                               \
    X(ssize_t, send, (int fd, const void *buffer, size_t size, int flags))                         \
    X(ssize_t, sendto,                                                                             \
      (int fd, const void *buffer, size_t size, int flags, __CONST_SOCKADDR_ARG to,                \
       socklen_t to_size))                                                                         \
    X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))                         \
    X(int, accept, (int fd, __SOCKADDR_ARG from, socklen_t *from_size))                            \
    X(int, accept4, (int fd, __SOCKADDR_ARG from, socklen_t *from_size, int flags))                \
    X(int, connect, (int fd, __CONST_SOCKADDR_ARG to, socklen_t to_size))                          \
    X(ssize_t, read, (int fd, void *buffer, size_t size))                                          \
    X(ssize_t, write, (int fd, const void *buffer, size_t size))                                   \
    X(ssize_t, writev, (int fd, const struct iovec *list, int count))                              \
    X(ssize_t, sendfile, (int to, int from, off_t *offset, size_t size))                           \
    X(ssize_t, sendfile64, (int to, int from, off64_t *offset, size_t size))                       \
    X(ssize_t, getrandom, (void *buffer, size_t size, unsigned flags))                             \
    X(ssize_t, __read_chk, (int fd, void *buffer, size_t size, size_t room))                       \
    X(ssize_t, __recv_chk, (int fd, void *buffer, size_t size, size_t room, int flags))            \
    X(ssize_t, __recvfrom_chk,                                                                     \
      (int fd, void *buffer, size_t size, size_t room, int flags, __SOCKADDR_ARG from,             \
       socklen_t *from_size))                                                                      \
    X(int, msgsnd, (int queue, const void *message, size_t size, int flags))                       \
    X(ssize_t, msgrcv, (int queue, void *message, size_t size, long type, int flags))              \
    X(int, semop, (int set, struct sembuf *operations, size_t count))                              \
    X(int, semtimedop,                                                                             \
      (int set, struct sembuf *operations, size_t count, const struct timespec *timeout))

/*
 * Functions of which libc has two versions, each with its own idea of the
 * structures behind them. Only the present one is interposed, under its
 * version: a binary that asks for the old one is bound past us, to libc
 * (hazard 37). libprof.map gives the exports the same version.
 *
 * posix_spawn: the old one gives what the kernel doesn't know to the shell.
 */
#define INTERPOSED_SPAWN(X)                                                                        \
    X(int, posix_spawn,                                                                            \
      (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,                   \
       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]))               \
    X(int, posix_spawnp,                                                                           \
      (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions,                   \
       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]))
#define INTERPOSED_COND(X)                                                                         \
    X(int, pthread_cond_wait, (pthread_cond_t * cond, pthread_mutex_t * mutex))                    \
    X(int, pthread_cond_timedwait,                                                                 \
      (pthread_cond_t * cond, pthread_mutex_t * mutex, const struct timespec *until))

/* Not interposed, but called past whoever interposes them before us: the
 * attempts that hooks make before they wait; and what glibc 2.34 gave a new
 * version that older ones lack. */
#define REAL_ONLY(X)                                                                               \
    X(int, pthread_mutex_trylock, (pthread_mutex_t * mutex))                                       \
    X(int, pthread_spin_trylock, (pthread_spinlock_t * lock))                                      \
    X(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t * lock))                                    \
    X(int, pthread_rwlock_trywrlock, (pthread_rwlock_t * lock))                                    \
    X(int, sem_trywait, (sem_t * semaphore))                                                       \
    X(void, pthread_testcancel, (void))                                                            \
    X(int, pthread_tryjoin_np, (pthread_t thread, void **result))                                  \
    X(int, mtx_trylock, (mtx_t * mutex))                                                           \
    X(int, pthread_key_create, (pthread_key_t * key, void (*destructor)(void *)))                  \
    X(int, pthread_setspecific, (pthread_key_t key, const void *value))                            \
    X(int, pthread_key_delete, (pthread_key_t key))                                                \
    X(int, pthread_attr_init, (pthread_attr_t * attributes))                                       \
    X(int, pthread_attr_destroy, (pthread_attr_t * attributes))                                    \
    X(int, pthread_attr_getstacksize, (const pthread_attr_t *attributes, size_t *size))

/* The birth and the names of threads (hooks/thread.c). */
#define INTERPOSED_THREAD(X)                                                                       \
    X(int, pthread_create,                                                                         \
      (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *),               \
       void *argument))                                                                            \
    X(int, thrd_create, (thrd_t * thread, int (*start)(void *), void *argument))                   \
    X(int, pthread_setname_np, (pthread_t thread, const char *name))

/* What has libc start a thread that calls a function of the program's (hooks/notify.c). */
#define INTERPOSED_NOTIFY(X)                                                                       \
    X(int, mq_notify, (mqd_t queue, const struct sigevent *event))                                 \
    X(int, getaddrinfo_a, (int mode, struct gaicb *list[], int count, struct sigevent *event))
/* The old version's timers are of another type. */
#define INTERPOSED_TIMER(X)                                                                        \
    X(int, timer_create, (clockid_t clock, struct sigevent * event, timer_t * timer))

/* Signal masks, without the signal that reaches libprof's handler. */
#define INTERPOSED_MASK(X)                                                                         \
    X(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old))                             \
    X(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *old))

/* The versioned ones. */
#define INTERPOSED_VERSIONED(X)                                                                    \
    INTERPOSED_TIMER(X)                                                                            \
    INTERPOSED_COND(X)                                                                             \
    INTERPOSED_SPAWN(X)

/* All of the others. */
#define INTERPOSED(X)                                                                              \
    INTERPOSED_ALLOC(X)                                                                            \
    INTERPOSED_PROCESS(X)                                                                          \
    INTERPOSED_END(X)                                                                              \
    INTERPOSED_SIGNAL(X)                                                                           \
    INTERPOSED_SANDBOX(X)                                                                          \
    INTERPOSED_MEMORY_LOCK(X)                                                                      \
    INTERPOSED_LIMIT(X)                                                                            \
    INTERPOSED_LOCK(X)                                                                             \
    INTERPOSED_THREAD(X)                                                                           \
    INTERPOSED_NOTIFY(X)                                                                           \
    INTERPOSED_MASK(X)                                                                             \
    INTERPOSED_WAIT(X)                                                                             \
    INTERPOSED_TRANSFER(X)

#endif
