/*
 * spawn N PROGRAM: N times fork, exec, wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    long count = argc > 2 ? atol(argv[1]) : 0;
    if (count < 1) {
        fprintf(stderr, "usage: spawn N PROGRAM\n");
        return 2;
    }
    for (long n = 0; n < count; n++) {
        pid_t child = fork();
        if (child == 0) {
            execl(argv[2], argv[2], (char *)NULL);
            _exit(127);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
            fprintf(stderr, "spawn: %s failed\n", argv[2]);
            return 1;
        }
    }
    return 0;
}
