// Allocations where a thread is nearly gone: in a C++ thread_local's destructor,
// in a pthread key's, and in a static object's at the end of the program.
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <thread>

static void *volatile sink;

struct Late {
    char *block = new char[6007];
    ~Late()
    {
        sink = std::malloc(6011);
        std::free(sink);
        delete[] block;
    }
};

static thread_local Late late;
static pthread_key_t key;

static void key_destructor(void *value)
{
    sink = std::malloc(6029);
    std::free(sink);
    std::free(value);
}

struct Last {
    char *block = new char[6037];
    ~Last()
    {
        delete[] block; // freed after main: not a leak
    }
} last;

int main()
{
    pthread_key_create(&key, key_destructor);
    for (int i = 0; i < 100; i++) {
        std::thread thread([] {
            sink = late.block;
            pthread_setspecific(key, std::malloc(6043));
        });
        thread.join();
    }
    std::puts("done");
    return 0;
}
