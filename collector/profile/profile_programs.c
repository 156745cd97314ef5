#include <string.h>

#include "profile/profile.h"

/* What libprof.so writes: PROFILE_STARTED_AS of wire/comments.h, which this room does not know. */
#define STARTED_AS "# libprof: started as: "

static bool is_among(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

size_t profile_programs(const struct profile *p, const char **names, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_comments; i++) {
        const char *comment = p->comments[i];
        if (strncmp(comment, STARTED_AS, strlen(STARTED_AS)) != 0)
            continue;
        const char *name = comment + strlen(STARTED_AS);
        if (is_among(names, n < max ? n : max, name))
            continue;
        if (n < max)
            names[n] = name;
        n++;
    }
    return n;
}

const char *profile_program_name(const struct profile *p)
{
    const char *name;
    if (profile_programs(p, &name, 1) > 0)
        return name;
    if (!p->n_mappings)
        return "";
    const char *slash = strrchr(p->mappings[0]->file, '/');
    return slash ? slash + 1 : p->mappings[0]->file;
}
