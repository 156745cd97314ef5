/*
 * templates N: containers of containers of strings, built by recursive templates, N times:
 * deep stacks of long C++ names, and many small allocations.
 */
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

template <int Depth> struct Tree {
    std::map<std::string, std::unique_ptr<Tree<Depth - 1>>> children;
    std::vector<std::function<size_t(size_t)>> steps;

    template <typename Visit> __attribute__((noinline)) void build(unsigned seed, Visit &&visit)
    {
        for (unsigned n = 0; n < 2; n++) {
            std::string name = "a name too long for the object itself, " + std::to_string(seed + n);
            auto &child = children[name];
            child = std::make_unique<Tree<Depth - 1>>();
            size_t weight = name.size();
            steps.emplace_back([name, weight](size_t x) { return x * weight + name.size(); });
            child->build(seed * 3 + n, [&](size_t x) { visit(steps.back()(x)); });
        }
    }
};

template <> struct Tree<0> {
    std::vector<size_t> values;

    template <typename Visit> __attribute__((noinline)) void build(unsigned seed, Visit &&visit)
    {
        for (unsigned n = 0; n < 8; n++)
            values.push_back(seed + n);
        visit(values.size());
    }
};

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? std::atol(argv[1]) : 1;
    size_t sum = 0;
    for (long n = 0; n < rounds; n++) {
        Tree<10> tree;
        tree.build(unsigned(n), [&](size_t x) { sum += x; });
    }
    std::printf("%zu\n", sum);
}
