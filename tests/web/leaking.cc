// Leaks from one place in one thread, burns CPU in two.
#include <chrono>
#include <map>
#include <pthread.h>
#include <string>
#include <thread>

static volatile double sink;

struct Cache {
    std::map<int, std::string> entries;
    void remember(int key)
    {
        entries[key] = std::string(20000, 'x');
    }
};

__attribute__((noinline)) double burn(int n)
{
    double x = 1;
    for (int i = 0; i < n; i++)
        x = x * 1.0000001 + i % 7;
    return x;
}

__attribute__((noinline)) void work(Cache *cache, int key)
{
    cache->remember(key);
    sink = burn(1000000);
}

int main()
{
    static Cache cache;
    std::thread worker([] {
        pthread_setname_np(pthread_self(), "worker");
        for (int i = 0;; i++) {
            work(&cache, i);
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    });
    for (;;) {
        sink = burn(500000);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}
