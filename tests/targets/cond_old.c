/*
 * A binary built against the first glibc for x86-64: the condition variables of
 * GLIBC_2.2.5, whose structure holds a pointer to the present one's.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define OLD(name, type, parameters)                                                                \
    type old_##name parameters;                                                                    \
    __asm__(".symver old_" #name ", " #name "@GLIBC_2.2.5")

OLD(pthread_cond_init, int, (pthread_cond_t *, const pthread_condattr_t *));
OLD(pthread_cond_wait, int, (pthread_cond_t *, pthread_mutex_t *));
OLD(pthread_cond_timedwait, int, (pthread_cond_t *, pthread_mutex_t *, const struct timespec *));
OLD(pthread_cond_signal, int, (pthread_cond_t *));
OLD(pthread_cond_destroy, int, (pthread_cond_t *));

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* What lies behind the old, one pointer wide condition must stay as it is. */
static struct {
    void *old;
    char behind[sizeof(pthread_cond_t)];
} cond = {.behind = "untouched"};
static int turn;

static void *answer(void *unused)
{
    pthread_mutex_lock(&mutex);
    for (int n = 1; n < 200; n += 2) {
        while (turn != n)
            old_pthread_cond_wait((pthread_cond_t *)&cond, &mutex);
        turn++;
        old_pthread_cond_signal((pthread_cond_t *)&cond);
    }
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void)
{
    pthread_t thread;
    struct timespec past = {1, 0};
    old_pthread_cond_init((pthread_cond_t *)&cond, NULL);
    pthread_create(&thread, NULL, answer, NULL);
    pthread_mutex_lock(&mutex);
    for (int n = 0; n < 200; n += 2) {
        turn++;
        old_pthread_cond_signal((pthread_cond_t *)&cond);
        while (turn != n + 2)
            old_pthread_cond_wait((pthread_cond_t *)&cond, &mutex);
    }
    int timed = old_pthread_cond_timedwait((pthread_cond_t *)&cond, &mutex, &past);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    printf("%d turns, %s, %s\n", turn, timed == ETIMEDOUT ? "timed out" : "wrong", cond.behind);
    return old_pthread_cond_destroy((pthread_cond_t *)&cond);
}
