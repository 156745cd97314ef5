/*
 * Four threads that spawn a program again and again: by posix_spawn, and by vfork
 * with allocations in the child, which runs in our memory. argv[1]: rounds.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int rounds = 50;
static void *volatile sink;

static int spawn_vfork(char *const argv[])
{
    pid_t child = vfork();
    if (child == 0) {
        sink = malloc(9001); /* not allowed by POSIX, done by programs all the same */
        free(sink);
        execv(argv[0], argv);
        _exit(127);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static int spawn_posix(char *const argv[])
{
    pid_t child;
    int status = -1;
    if (posix_spawn(&child, argv[0], NULL, NULL, argv, environ) != 0)
        return -1;
    return waitpid(child, &status, 0) == child ? status : -1;
}

static void *worker(void *arg)
{
    char *argv[] = {"/bin/true", NULL};
    long failed = 0;
    for (int n = 0; n < rounds; n++) {
        void *volatile block = malloc(9007); /* or the compiler leaves the pair out */
        failed += spawn_vfork(argv) != 0;
        failed += spawn_posix(argv) != 0;
        free(block);
    }
    return (void *)failed;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = atoi(argv[1]);
    pthread_t threads[4];
    long failed = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += (long)result;
    }
    printf("%ld failed\n", failed);
    return failed != 0;
}
