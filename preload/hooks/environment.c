#include "hooks/environment.h"

#include "kit/sys.h"
#include "runtime/config.h"
#include "runtime/follow.h"

#include <string.h>
#include <unistd.h>

static const char *find_preload(char *const *envp)
{
    /* What isn't one is the kernel's to refuse (EFAULT, execve(2)). */
    if (envp != environ && !sys_forbidden() && !sys_is_readable((uintptr_t)envp))
        return NULL;
    for (; envp && *envp; envp++)
        if (follow_strip_preload(*envp, NULL))
            return *envp;
    return NULL;
}

/* Does LIBPROF_FOLLOW keep libprof.so out of every new program? */
static bool is_last(void)
{
    return config.selected &&
           (config.follow == CONFIG_FOLLOW_FORK || config.follow == CONFIG_FOLLOW_NONE);
}

struct environment environment_plan(char *const *given)
{
    struct environment environment = {.given = given, .preload = find_preload(given)};
    if (environment.preload && is_last())
        environment_drop(&environment);
    else
        environment.undecided = environment.preload && !sys_forbidden();
    return environment;
}

void environment_drop(struct environment *environment)
{
    size_t entries = 0;
    while (environment->given[entries])
        entries++;
    environment->room = (entries + 1) * sizeof(char *) + strlen(environment->preload) + 1;
    environment->undecided = false;
}

char *const *environment_make(const struct environment *environment, void *memory)
{
    if (!environment->room)
        return environment->given;
    char **array = memory, *copy = memory;
    size_t used = 0;
    copy += environment->room - (strlen(environment->preload) + 1);
    for (char *const *envp = environment->given; *envp; envp++) {
        if (*envp != environment->preload) {
            array[used++] = *envp;
            continue;
        }
        follow_strip_preload(environment->preload, copy);
        if (copy[sizeof "LD_PRELOAD=" - 1]) /* other libraries stay */
            array[used++] = copy;
    }
    array[used] = NULL;
    return array;
}
