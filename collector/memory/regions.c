#include "memory/regions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* "start-limit perms offset device inode   name"; false: it is a line about the mapping before. */
static bool parse_mapping(const char *line, struct region *region)
{
    unsigned long long start, limit, inode;
    int at = 0;
    if (sscanf(line, "%llx-%llx %4s %*s %*s %llu %n", &start, &limit, region->permissions, &inode,
               &at) < 4)
        return false;
    *region = (struct region){.start = start, .limit = limit, .has_inode = inode != 0};
    sscanf(line, "%*s %4s", region->permissions);
    size_t length = strcspn(line + at, "\n");
    region->name = mem_zero(1, length + 1);
    memcpy(region->name, line + at, length);
    return true;
}

/* "Rss:   8 kB" into bytes; false: the line is about something else. */
static bool parse_size(const char *line, const char *key, uint64_t *bytes)
{
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0)
        return false;
    *bytes = strtoull(line + length, NULL, 10) * 1024;
    return true;
}

static FILE *open_file(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return fopen(path, "re");
}

static void read_status(pid_t pid, struct regions *regions)
{
    char line[256];
    FILE *in = open_file(pid, "status");
    while (in && fgets(line, sizeof line, in))
        if (!parse_size(line, "VmPTE:", &regions->page_tables))
            parse_size(line, "VmHWM:", &regions->peak);
    if (in)
        fclose(in);
}

bool regions_read(pid_t pid, struct regions *regions, struct error *err)
{
    char *line = NULL;
    size_t room = 0;
    *regions = (struct regions){0};
    FILE *in = open_file(pid, "smaps");
    if (!in)
        return fail_with(err, "%s",
                         errno == ENOENT ? "no such process"
                                         : "its mappings may not be read: be its user, or root");
    errno = 0;
    while (getline(&line, &room, in) > 0) {
        struct region region;
        if (parse_mapping(line, &region)) {
            regions->list =
                mem_grow(regions->list, regions->n, &regions->cap, sizeof *regions->list);
            regions->list[regions->n++] = region;
        } else if (regions->n) {
            struct region *last = &regions->list[regions->n - 1];
            if (!parse_size(line, "Rss:", &last->resident) &&
                !parse_size(line, "Swap:", &last->swapped))
                parse_size(line, "Private_Dirty:", &last->dirty);
        }
    }
    bool refused = errno == EACCES || errno == EPERM;
    fclose(in);
    free(line);
    read_status(pid, regions);
    if (regions->n)
        return true;
    return fail_with(err, refused ? "its mappings may not be read: be its user, or root"
                                  : "it has no memory: a kernel thread, or it has just ended");
}

void regions_free(struct regions *regions)
{
    for (size_t n = 0; n < regions->n; n++)
        free(regions->list[n].name);
    free(regions->list);
    *regions = (struct regions){0};
}
