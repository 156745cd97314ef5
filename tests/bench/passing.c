/*
 * A preloaded library whose hooks only pass on: what any interposition of mutexes costs. With
 * TESTS, they test a word of the thread's and the mutex's before a lock, and one that all share
 * before an unlock: the least that hooks do which have something to do.
 */
#include <dlfcn.h>
#include <pthread.h>

static struct {
    int (*lock)(pthread_mutex_t *), (*unlock)(pthread_mutex_t *);
} real;

__attribute__((constructor)) static void look_up(void)
{
    *(void **)&real.lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    *(void **)&real.unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
}

#ifdef TESTS
static __thread volatile int of_thread __attribute__((tls_model("initial-exec")));
static volatile int of_all;

static __attribute__((noinline)) int found(int (*call)(pthread_mutex_t *), pthread_mutex_t *mutex)
{
    return call(mutex);
}

#define CALL(test, call) return __builtin_expect(test, 0) ? found(call, mutex) : call(mutex)
#else
#define CALL(test, call) return call(mutex)
#endif

__attribute__((visibility("default"))) int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    CALL(of_thread || __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED), real.lock);
}

__attribute__((visibility("default"))) int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    CALL(of_all, real.unlock);
}
