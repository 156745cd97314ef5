/*
 * The stack of a thread that waits, without stopping it: where it stands and its stack pointer are
 * in /proc/PID/task/TID/syscall (proc_pid_syscall(5)), its stack is read by process_vm_readv(2).
 * The registers that it saved are on its stack; of one that no frame has saved yet nothing is
 * known, and the walk ends at a frame that needs it. Asks for the rights of a debugger.
 */
#ifndef COLLECTOR_OUTSIDE_BLOCKED_H
#define COLLECTOR_OUTSIDE_BLOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "profile/profile.h"

#define BLOCKED_FRAMES 256

struct blocked;

/* Reads the modules of a process. NULL with *err. */
struct blocked *blocked_open(pid_t pid, struct error *err);
void blocked_close(struct blocked *blocked);

/* Where a thread waits. */
struct blocked_place {
    long number;           /* of the system call; -1: none, such as a page fault */
    uint64_t arguments[6]; /* of the call */
    uint64_t pc, sp;
};

/* False: it runs, has ended, or may not be looked at (errno is EPERM or EACCES then, else 0). */
bool blocked_place(pid_t pid, pid_t tid, struct blocked_place *place);

/* Walks the stack. Returns the number of frames, innermost first: addresses of calls, that is
 * return addresses less one; frames of Python's are in the place of the native ones
 * that ran them, as numbers for blocked_location. *complete: the outermost function was reached.
 * The modules are read again when a frame lies in none, at most once a second. */
size_t blocked_stack(struct blocked *blocked, pid_t tid, const struct blocked_place *place,
                     uint64_t frames[BLOCKED_FRAMES], bool *complete);

/* The Python frames of a thread that runs: of about now. 0: it runs none that can be read. */
size_t blocked_running(struct blocked *blocked, pid_t tid, uint64_t frames[BLOCKED_FRAMES]);

/* A profile's location for a frame of the above. */
struct profile_location *blocked_location(struct blocked *blocked, struct profile *p,
                                          uint64_t frame);

/* The nearest exported or local function at an address, or NULL; valid until the modules are read
 * again. */
const char *blocked_function(struct blocked *blocked, uint64_t address);

/* Adds the process's modules to a profile, as mappings. */
void blocked_add_modules(struct blocked *blocked, struct profile *p);

#endif
