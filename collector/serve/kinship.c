#include "serve/kinship.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A build's shells and makes lie between; beyond this it is a loop made of reused numbers. */
#define GENERATIONS_MAX 64

/* proc(5): the parent stands behind the state, that behind the command's name, which may hold
 * anything and is searched from its end. 0: not there. */
static pid_t parent_of(pid_t pid)
{
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *name_end = strrchr(text, ')');
    int parent = 0;
    return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? (pid_t)parent : 0;
}

bool kinship_descends(struct registry *registry, pid_t pid)
{
    pid_t self = getpid();
    for (int n = 0; n < GENERATIONS_MAX && pid > 1 && pid != self; n++) {
        struct process *process = registry_find_running(registry, pid);
        if (process) {
            process_release(process);
            return true;
        }
        pid = parent_of(pid);
    }
    return pid == self;
}
