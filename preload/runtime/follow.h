/*
 * LIBPROF_FOLLOW: whether this process came from a profiled one by a way that
 * the user doesn't want followed.
 *
 * exec by the exec family, posix_spawn: hooks/environment.h takes libprof.so out of
 * LD_PRELOAD. For system and popen, whose exec happens inside libc, the child finds
 * out by itself: its parent was started with the preload too.
 */
#ifndef LIBPROF_RUNTIME_FOLLOW_H
#define LIBPROF_RUNTIME_FOLLOW_H

#include <stdbool.h>

/* LIBPROF_FOLLOW: by which ways a new process is followed. The order is that of the words. */
enum config_follow {
    CONFIG_FOLLOW_ALL,
    CONFIG_FOLLOW_FORK,
    CONFIG_FOLLOW_EXEC,
    CONFIG_FOLLOW_NONE
};

/* Was the parent process started under libprof? False where its environment can't be read.
 * AS-safe. */
bool follow_parent_is_profiled(void);

/*
 * True when programs started by exec are not to be followed and the parent
 * process was started under libprof. Reads the parent's environment from /proc
 * in that case only; where that can't be read the answer is false.
 * Context: constructor only.
 */
bool follow_excludes_me(enum config_follow follow);

/*
 * Whether an environment string is LD_PRELOAD with libprof.so in it; then, with
 * out not NULL, writes the string without it ("LD_PRELOAD=rest") into out (at
 * least strlen + 1 bytes). AS-safe.
 */
bool follow_strip_preload(const char *assignment, char *out);

#endif
