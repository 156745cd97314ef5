/*
 * C++ exceptions beside libprof's signals (hazards 1, 36): threads throw and
 * catch while others load libraries, are cancelled and dumped; what escapes a
 * thread ends the program by std::terminate, as without libprof.
 */
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <pthread.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

static std::atomic<bool> stop;
static std::atomic<unsigned long> caught, cleaned;

struct Guard {
    ~Guard()
    {
        cleaned++;
    }
};

__attribute__((noinline)) static int deep(int depth)
{
    Guard guard;
    if (depth == 0)
        throw std::runtime_error("from the depth");
    return deep(depth - 1) + 1;
}

static void throw_and_catch()
{
    while (!stop) {
        try {
            deep(20);
        } catch (const std::exception &) {
            caught++;
        }
    }
}

static void load()
{
    while (!stop)
        if (void *handle = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL))
            dlclose(handle);
}

static void *wait_for_cancel(void *)
{
    Guard guard;
    try {
        for (;;)
            sleep(1000);
    } catch (...) { /* forced unwinding passes by here and must go on */
        throw;
    }
}

static void cancel()
{
    while (!stop) {
        pthread_t thread;
        void *result;
        if (pthread_create(&thread, nullptr, wait_for_cancel, nullptr) != 0)
            continue;
        pthread_cancel(thread);
        pthread_join(thread, &result);
        if (result != PTHREAD_CANCELED)
            std::abort();
    }
}

/* An exception that nobody catches: by signal 6, nothing else. */
static bool escapes()
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        std::thread([] { deep(3); }).join();
        _exit(0);
    }
    int status = 0;
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

int main()
{
    int seconds = std::getenv("LIBPROF_TEST_LONG") ? 60 : 3;
    alarm(static_cast<unsigned>(seconds) + 60);
    if (!escapes())
        return 2;
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; n++)
        threads.emplace_back(throw_and_catch);
    for (int n = 0; n < 2; n++)
        threads.emplace_back(load);
    threads.emplace_back(cancel);
    for (int n = 0; n < seconds * 10; n++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        kill(getpid(), SIGUSR2);
    }
    stop = true;
    for (auto &thread : threads)
        thread.join();
    std::printf("%lu caught, %lu cleaned up\n", caught.load(), cleaned.load());
    return caught.load() > 100 && cleaned.load() >= 21 * caught.load() ? 0 : 1;
}
