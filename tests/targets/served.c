/*
 * A program to be watched: `served alloc COUNT SIZE SIGNAL` allocates COUNT blocks
 * of SIZE bytes, frees every second one and kills itself with SIGNAL (0: exits with
 * 3); `served work SECONDS` allocates, computes and fights over a mutex in two
 * threads; `served steps` does the same by rounds: one for each line of its input,
 * answered with a line, and nothing in between; `served grow STEP` allocates blocks of
 * STEP bytes, fills and keeps them, with a dot on its output for each, until it is
 * killed or malloc says no (exits with 4).
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long sum;
static time_t deadline;

__attribute__((noinline)) void *keep_block(size_t size)
{
    char *block = malloc(size);
    if (block)
        block[0] = 1;
    return block;
}

static int alloc(int count, size_t size, int signo)
{
    void *last = NULL;
    for (int n = 0; n < count; n++) {
        void *block = keep_block(size);
        if (n % 2)
            free(last);
        last = block;
    }
    if (signo)
        kill(getpid(), signo);
    return 3;
}

static int grow(size_t step)
{
    char *block;
    while ((block = keep_block(step)) != NULL) {
        memset(block, 1, step);
        if (write(STDOUT_FILENO, ".", 1) < 0)
            return 1;
        usleep(1000); /* so that whoever wants to kill it in time can */
    }
    return 4;
}

__attribute__((noinline)) void burn_cpu(void)
{
    for (int n = 0; n < 200000; n++)
        sum += (unsigned long)n * (unsigned long)n;
}

static void turn(unsigned n)
{
    static _Thread_local void *blocks[64];
    free(blocks[n % 64]);
    blocks[n % 64] = keep_block(10007);
    pthread_mutex_lock(&lock);
    burn_cpu();
    pthread_mutex_unlock(&lock);
    burn_cpu();
}

static void *work(void *argument)
{
    for (unsigned n = 0; time(NULL) < deadline; n++)
        turn(n);
    return argument;
}

static void *half_round(void *argument)
{
    for (unsigned n = 0; n < 200; n++)
        turn(n);
    return argument;
}

static int steps(void)
{
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        pthread_t other;
        pthread_create(&other, NULL, half_round, NULL);
        half_round(NULL);
        pthread_join(other, NULL);
        puts("done");
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "alloc") == 0)
        return alloc(atoi(argv[2]), (size_t)atol(argv[3]), atoi(argv[4]));
    if (argc == 2 && strcmp(argv[1], "steps") == 0)
        return steps();
    if (argc == 3 && strcmp(argv[1], "grow") == 0)
        return grow((size_t)atol(argv[2]));
    if (argc != 3 || strcmp(argv[1], "work") != 0)
        return 2;
    pthread_t other;
    deadline = time(NULL) + atoi(argv[2]);
    pthread_create(&other, NULL, work, NULL);
    work(NULL);
    pthread_join(other, NULL);
    return 0;
}
