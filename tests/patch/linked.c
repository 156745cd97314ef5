/* Blocks of known sizes, in a program that its allocator is linked into: 2,000 of 5,003 bytes, half
 * of them freed; in three threads 100,000 rounds of malloc, realloc to 300 bytes, and free. With an
 * argument it also forks children that do the like. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT 2000

__attribute__((noinline)) static void *keep_block(size_t size)
{
    return memset(malloc(size), 1, size);
}

static void *rounds(void *unused)
{
    for (int n = 0; n < 100000; n++) {
        char *block = malloc(50 + (size_t)n % 100);
        block[0] = 1;
        block = realloc(block, 300);
        block[299] = 1;
        free(block);
    }
    return unused;
}

static int in_children(void)
{
    int bad = 0;
    for (int n = 0; n < 20; n++) {
        pid_t child = fork();
        if (child == 0) {
            for (int i = 0; i < 100; i++)
                free(calloc((size_t)i + 1, 1000));
            if (n % 2)
                execl("/bin/true", "true", (char *)NULL);
            _exit(0);
        }
        int status = -1;
        waitpid(child, &status, 0);
        bad += status != 0;
    }
    return bad;
}

int main(int argc, char **argv)
{
    static void *kept[KEPT];
    pthread_t threads[3];
    for (int n = 0; n < KEPT; n++)
        kept[n] = keep_block(5003);
    for (int n = 0; n < KEPT / 2; n++)
        free(kept[n]);
    for (int n = 0; n < 3; n++)
        pthread_create(&threads[n], NULL, rounds, NULL);
    int bad = argc > 1 ? in_children() : 0;
    for (int n = 0; n < 3; n++)
        pthread_join(threads[n], NULL);
    char *text = strdup("done");
    printf("%s, %d bad\n", text, bad);
    return 0;
}
