/* Memory of known owners: 64 MiB of blocks of which one in four stays, 64 MiB touched of a mapping
 * of 128 MiB, 32 MiB of shared memory, 40 stacks of 100 KiB. Prints "ready" and waits. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define MIB (1 << 20)
#define BLOCKS 65536
#define THREADS 40

static pthread_barrier_t touched;

static void *waits(void *unused)
{
    volatile char stack[100 << 10];
    for (size_t n = 0; n < sizeof stack; n += 1024)
        stack[n] = 1;
    pthread_barrier_wait(&touched);
    pause();
    return NULL;
}

int main(void)
{
    static char *blocks[BLOCKS];
    for (size_t n = 0; n < BLOCKS; n++)
        memset(blocks[n] = malloc(1000), 1, 1000);
    for (size_t n = 0; n < BLOCKS; n++)
        if (n % 4)
            free(blocks[n]);
    char *half = mmap(NULL, 128 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(half, 1, 64 * MIB);
    int id = shmget(IPC_PRIVATE, 32 * MIB, 0600 | IPC_CREAT);
    memset(shmat(id, NULL, 0), 1, 32 * MIB);
    shmctl(id, IPC_RMID, NULL);
    pthread_barrier_init(&touched, NULL, THREADS + 1);
    for (size_t n = 0; n < THREADS; n++) {
        pthread_t thread;
        pthread_create(&thread, NULL, waits, NULL);
    }
    pthread_barrier_wait(&touched);
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
