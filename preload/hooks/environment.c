#include "hooks/environment.h"

#include "kit/sys.h"
#include "runtime/config.h"
#include "runtime/follow.h"

#include <unistd.h>

const char *environment_preload(char *const *envp)
{
    /* What isn't one is the kernel's to refuse (EFAULT, execve(2)). */
    if (envp != environ && !sys_forbidden() && !sys_is_readable((uintptr_t)envp))
        return NULL;
    for (; envp && *envp; envp++)
        if (follow_strip_preload(*envp, NULL))
            return *envp;
    return NULL;
}

bool environment_ends_here(void)
{
    return config.selected &&
           (config.follow == CONFIG_FOLLOW_FORK || config.follow == CONFIG_FOLLOW_NONE);
}

size_t environment_count(char *const *envp)
{
    size_t entries = 0;

    while (envp && envp[entries])
        entries++;
    return entries;
}

char *const *environment_without(char *const *envp, const char *preload, char **array, char *copy)
{
    size_t used = 0;

    for (; *envp; envp++) {
        if (*envp != preload) {
            array[used++] = *envp;
            continue;
        }
        follow_strip_preload(preload, copy);
        if (copy[sizeof "LD_PRELOAD=" - 1]) /* other libraries stay */
            array[used++] = copy;
    }
    array[used] = NULL;
    return array;
}
