// Programs for prof attach to come upon. Each says "ready", works until SIGTERM, and says
// "all is well" if nothing went wrong.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

static std::atomic<bool> stopping;
static std::atomic<long> wrong;

static void expect(bool good, const char *what)
{
    if (!good && wrong++ == 0)
        printf("%s: %s\n", what, strerror(errno));
}

static void allocate()
{
    unsigned random = 1;
    while (!stopping) {
        void *blocks[64];
        for (void *&block : blocks) {
            random = random * 1664525 + 1013904223;
            block = malloc(random % 5000 + 1);
            memset(block, 1, random % 5000 + 1);
        }
        for (void *block : blocks)
            free(realloc(block, random % 9000 + 1));
    }
}

static void throw_and_catch()
{
    while (!stopping)
        try {
            throw std::runtime_error("thrown");
        } catch (std::exception &e) {
            expect(strcmp(e.what(), "thrown") == 0, "exception");
        }
}

static void load()
{
    while (!stopping) {
        void *library = dlopen("libm.so.6", RTLD_NOW);
        expect(library && dlsym(library, "cos"), "dlopen");
        if (library)
            dlclose(library);
        usleep(1000);
    }
}

static void fork_children()
{
    while (!stopping) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            free(malloc(100));
            _exit(7);
        }
        expect(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
                   WEXITSTATUS(status) == 7,
               "fork");
        usleep(2000);
    }
}

static void *give_back(void *argument)
{
    free(malloc(50));
    return argument;
}

static void create_threads()
{
    while (!stopping) {
        pthread_t thread;
        void *result = nullptr;
        expect(pthread_create(&thread, nullptr, give_back, &wrong) == 0, "pthread_create");
        expect(pthread_join(thread, &result) == 0 && result == &wrong, "pthread_join");
        usleep(500);
    }
}

static std::mutex fought_for;

static void lock()
{
    while (!stopping)
        std::lock_guard<std::mutex> guard(fought_for);
}

static double milliseconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return double(now.tv_sec) * 1e3 + double(now.tv_nsec) * 1e-6;
}

// No wait may end early, nor with EINTR; a busy machine makes one late.
static void nap(bool with_poll)
{
    while (!stopping) {
        const timespec time = {0, 300000000};
        double begin = milliseconds();
        int result = with_poll ? poll(nullptr, 0, 300) : nanosleep(&time, nullptr);
        double took = milliseconds() - begin;
        expect(result == 0, with_poll ? "poll" : "nanosleep");
        expect(took > 299 && took < 5000, "a wait of 300 ms");
    }
}

// Calls that the kernel never restarts after a stop.
static void wait_for_events()
{
    int queue = epoll_create1(0);
    while (!stopping) {
        epoll_event event;
        expect(epoll_wait(queue, &event, 1, 300) == 0, "epoll_wait");
    }
}

static void wait_for_signals()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    while (!stopping) {
        const timespec time = {0, 300000000};
        expect(sigtimedwait(&set, nullptr, &time) == -1 && errno == EAGAIN, "sigtimedwait");
    }
}

static void work()
{
    while (!stopping) {
        void *block = malloc(1000);
        asm volatile("" : "+r"(block)); // or compilers leave both calls out
        free(block);
        usleep(100);
    }
}

static void wait_for_term(const sigset_t &signals)
{
    int got;
    sigwait(&signals, &got);
    stopping = true;
}

// Blocks of sizes that nobody else asks for.
static int blocks(const sigset_t &signals)
{
    std::vector<void *> before, since;
    for (int n = 0; n < 1000; n++)
        before.push_back(malloc(1999));
    since.reserve(1000);
    before.reserve(2000);
    puts("ready");
    for (int got = 0; sigwait(&signals, &got) == 0 && got == SIGUSR1;) {
        for (int n = 0; n < 500; n++)
            since.push_back(malloc(2999));
        for (int n = 0; n < 200; n++) {
            free(before.back()), before.pop_back();
            free(since.back()), since.pop_back();
        }
        puts("done");
    }
    return 0;
}

static int compute()
{
    unsigned long sum = 0;
    double number = 1;
    for (int n = 0; n < 300; n++) {
        for (int k = 0; k < 20000; k++) {
            sum = sum * 6364136223846793005u + unsigned(k);
            number = number * 1.0000001 + double(sum >> 60);
        }
        if (poll(nullptr, 0, 3) != 0)
            puts("poll did not wait");
    }
    printf("%lx %.6f\n", sum, number);
    return 0;
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    std::vector<std::thread> threads;
    sigset_t signals;
    setvbuf(stdout, nullptr, _IOLBF, 0);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    if (strcmp(what, "compute") == 0)
        return compute();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    if (strcmp(what, "blocks") == 0)
        return blocks(signals);
    if (strcmp(what, "work") == 0)
        threads.emplace_back(work);
    if (strcmp(what, "everything") == 0)
        for (auto run : {allocate, allocate, throw_and_catch, load, fork_children, create_threads,
                         lock, lock})
            threads.emplace_back(run);
    if (strcmp(what, "naps") == 0)
        for (bool with_poll : {false, true})
            threads.emplace_back(nap, with_poll);
    if (strcmp(what, "naps") == 0)
        for (auto run : {wait_for_events, wait_for_signals})
            threads.emplace_back(run);
    usleep(50000); // everything that is bound lazily has been called
    puts("ready");
    wait_for_term(signals);
    for (std::thread &thread : threads)
        thread.join();
    if (wrong == 0)
        puts("all is well");
    return wrong != 0;
}
