/*
 * Threads that allocate without pause while the main thread forks children that
 * allocate, free what they inherited, and end. argv[1]: how many children.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

static atomic_bool stop;

static void *worker(void *arg)
{
    void *blocks[32] = {0};
    for (unsigned n = 0; !atomic_load(&stop); n++) {
        free(blocks[n % 32]);
        blocks[n % 32] = malloc(16 + n % 2000);
    }
    for (int i = 0; i < 32; i++)
        free(blocks[i]);
    return NULL;
}

static __attribute__((noinline)) void in_child(void **inherited)
{
    for (int i = 0; i < 10; i++)
        free(inherited[i]);
    for (int i = 0; i < 10; i++)
        inherited[i] = malloc(7919);
}

static __attribute__((noinline)) void in_parent(void **blocks)
{
    for (int i = 0; i < 10; i++)
        blocks[i] = malloc(7907);
}

int main(int argc, char **argv)
{
    int children = argc > 1 ? atoi(argv[1]) : 100;
    pthread_t threads[THREADS];
    void *blocks[10];
    in_parent(blocks);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int n = 0; n < children; n++) {
        pid_t child = fork();
        if (child == 0) {
            in_child(blocks);
            _exit(0);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            return 1;
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d children\n", children);
    return 0;
}
