/*
 * posix_spawn and posix_spawnp: libc execs inside, so which environment the new program
 * gets is decided before (environment.h). The child's way to the program begins where
 * its file actions lead it, and that is read here as the child will do it.
 *
 * Context: hooks; POSIX doesn't call them async-signal-safe, forked children of threaded programs
 * call them all the same: nothing here locks or allocates. Errors are returned; errno stays.
 */
#include "hooks/environment.h"
#include "hooks/export.h"
#include "kit/sys.h"
#include "runtime/foreign.h"
#include "runtime/real.h"
#include "sample/core/gate.h"

#include <fcntl.h>
#include <spawn.h>

/* glibc's own form of a file action, since 2.29, when chdir came (posix/spawn_int.h). */
enum { CLOSE, DUP2, OPEN, CHDIR, FCHDIR, CLOSEFROM, TCSETPGRP };

struct action {
    int tag;
    union {
        struct {
            int from, to;
        } dup2;
        struct {
            int fd;
            const char *path;
            int flags;
            mode_t mode;
        } open;
        const char *directory;
        int fd;
    };
};
_Static_assert(sizeof(struct action) == 32, "as in libc");

/* Where a relative path begins. */
struct place {
    int directory; /* AT_FDCWD; -1: it isn't known */
    int opened;    /* to be closed; -1: nothing */
};

static void leave(struct place *place)
{
    if (place->opened >= 0)
        sys_call1(SYS_close, place->opened);
    place->opened = -1;
}

static void enter(struct place *place, const char *directory)
{
    /* a pointer that isn't one: EFAULT */
    long fd =
        sys_call4(SYS_openat, place->directory, directory, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    leave(place);
    place->directory = place->opened = fd < 0 ? -1 : (int)fd;
}

/* Is this descriptor another one by then? */
static bool changes(const struct action *action, int fd)
{
    return (action->tag == DUP2 && action->dup2.to == fd) ||
           (action->tag == OPEN && action->open.fd == fd);
}

static struct place child_place(const posix_spawn_file_actions_t *actions)
{
    struct place place = {AT_FDCWD, -1};
    const struct action *list = actions ? (const struct action *)actions->__actions : NULL;

    for (int n = 0; list && n < actions->__used; n++) {
        if (list[n].tag == CHDIR) {
            enter(&place, list[n].directory);
        } else if (list[n].tag == FCHDIR) {
            leave(&place);
            place.directory = list[n].fd;
            for (int before = 0; before < n; before++)
                if (changes(&list[before], list[n].fd))
                    place.directory = -1;
        } else if (list[n].tag < CLOSE || list[n].tag > TCSETPGRP) {
            leave(&place); /* a later libc's: nothing is known */
            place.directory = -1;
            return place;
        }
    }
    return place;
}

static bool is_foreign(bool (*judge)(int directory, const char *path), const char *path,
                       const posix_spawn_file_actions_t *actions)
{
    struct place place = child_place(actions);
    bool foreign = judge(place.directory, path);

    leave(&place);
    return foreign;
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    if (!real.posix_spawn)
        gate_active(); /* resolves it, should this be the process's first hook */
    struct environment chosen = environment_plan(envp);
    if (chosen.undecided && is_foreign(foreign_is_program, path, actions))
        environment_drop(&chosen);
    char *const *new_environment = environment_make(&chosen, alloca(chosen.room));
    return real.posix_spawn(pid, path, actions, attributes, argv, new_environment);
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    if (!real.posix_spawnp)
        gate_active();
    struct environment chosen = environment_plan(envp);
    if (chosen.undecided && is_foreign(foreign_is_found, file, actions))
        environment_drop(&chosen);
    char *const *new_environment = environment_make(&chosen, alloca(chosen.room));
    return real.posix_spawnp(pid, file, actions, attributes, argv, new_environment);
}
