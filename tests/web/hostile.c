/* A function, a thread and arguments named to attack a page that shows them. The test
 * renames the function's symbol. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static volatile unsigned sink;
void *volatile kept;

__attribute__((noinline)) void innocent(void)
{
    for (unsigned i = 0; i < 20000000; i++)
        sink += i;
    kept = malloc(1 << 20);
}

static void *run(void *unused)
{
    pthread_setname_np(pthread_self(), "<b onclick=x()>");
    for (;;) {
        innocent();
        usleep(10000);
    }
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
}
