#include "serve/kinship.h"

#include "serve/proc_stat.h"
#include <unistd.h>

/* A build's shells and makes lie between; beyond this it is a loop made of reused numbers. */
#define GENERATIONS_MAX 64

bool kinship_descends(struct registry *registry, pid_t pid)
{
    pid_t self = getpid();
    for (int n = 0; n < GENERATIONS_MAX && pid > 1 && pid != self; n++) {
        struct process *process = registry_find_running(registry, pid);
        if (process) {
            process_release(process);
            return true;
        }
        struct proc_stat stat;
        pid = proc_stat_read(pid, &stat) ? stat.parent : 0;
    }
    return pid == self;
}
