// C++'s operators, each with a size of its own: tests/heap/test_allocators.py.
#include <cstdio>
#include <new>

struct alignas(64) Aligned {
    char body[5056];
};

static void *volatile sink;

template <class T> static void use(T *pointer)
{
    sink = pointer;
}

struct Body {
    char body[5003];
};

int main()
{
    for (int i = 0; i < 10; i++) {
        Body *body = new Body;
        use(body);
        delete body;
    }
    use(new Body); // leaks
    for (int i = 0; i < 11; i++) {
        char *array = new char[5009];
        use(array);
        delete[] array;
    }
    use(new char[5009]);
    use(new char[5009]);
    for (int i = 0; i < 3; i++) {
        char *array = new (std::nothrow) char[5021];
        use(array);
        delete[] array;
    }
    for (int i = 0; i < 5; i++) {
        Aligned *aligned = new Aligned;
        use(aligned);
        delete aligned;
    }
    std::puts("done");
    return 0;
}
