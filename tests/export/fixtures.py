"""The profiles the export tests share."""

from pprof import Profile

CPU_TYPES = [("samples", "count"), ("cpu", "nanoseconds")]
HEAP_TYPES = [("alloc_objects", "count"), ("alloc_space", "bytes"),
              ("inuse_objects", "count"), ("inuse_space", "bytes")]

# Every byte that means something to one of the formats, and some that mean nothing to any.
ODD_NAMES = ["semi;colon", 'quo"te\'s', "<script>alert(1)</script>", "tab\there", "new\nline",
             b"bad\xffutf8\xc0", "back\\slash", "(3) looks::compressed", "(anonymous namespace)::f",
             "  spaces  inside ", "\u2028line separator", "%s%n", "]]>", "</script><!--", "nul-ish\x01\x7f",
             "123", "fn=(1) x", "é漢字😀", "&amp;", "a" * 100000]


def recursion():
    """Direct and mutual recursion, calls between libraries, inlined and nameless code."""
    p = Profile(CPU_TYPES)
    app = p.mapping("/src/app", 0x555555554000, offset=0x1000)
    lib = p.mapping("/usr/lib/libw.so.1", 0x7FFF00000000)
    libc = p.mapping("/usr/lib/libc.so.6", 0x7FFFF0000000, flags=False)
    main, x = p.function("main", "/src/app.c", 10), p.function("x", "/src/app.c", 20)
    y, work = p.function("y", "/src/lib.c", 30), p.function("ns::work", "/src/w.cc", 50)
    inl = p.function("inl", "/src/inl.h", 5)
    lm = p.location(app, 0x555555554100, [(main, 12)])
    lx = p.location(app, 0x555555554200, [(x, 22)])
    lx2 = p.location(app, 0x555555554210, [(x, 24)])
    ly = p.location(lib, 0x7FFF00000300, [(y, 33)])
    li = p.location(app, 0x555555554400, [(inl, 6), (x, 25)])
    lw = p.location(lib, 0x7FFF00000500, [(work, 51)])
    c1, c2 = p.location(libc, 0x7FFFF0000700, []), p.location(libc, 0x7FFFF0000800, [])
    nowhere = p.location(0, 0x1234, [])
    for stack, values in [([lx, ly, lx, lm], [2, 20]), ([ly, lx, lm], [1, 10]),
                          ([lx2, lx, lx, lm], [3, 30]), ([li, ly, lm], [1, 11]), ([lw, lm], [1, 9]),
                          ([c1, lw, lm], [1, 5]), ([c2, c1, lw, lm], [1, 7]),
                          ([nowhere, lm], [1, 3]), ([lw], [1, 2]), ([], [1, 1])]:
        p.sample(stack, values, [("thread", "worker")] if len(stack) % 2 else [])
    return p


def odd_names():
    p = Profile(HEAP_TYPES)
    app = p.mapping('/odd "dir"/<app>&;', 0x400000)
    stack = []
    for i, name in enumerate(ODD_NAMES):
        at = p.location(app, 0x401000 + 16 * i, [(p.function(name, "/s;r\"c/<%d>.c" % i, i), i + 1)])
        stack.insert(0, at)
        p.sample(list(stack), [1 + i, 100 + i, i % 3, (i % 3) * 10])
    return p


def empty():
    return Profile(CPU_TYPES)


def extremes():
    """Deep stacks, values that do not add up in 64 bits, lines beyond any file's."""
    p = Profile(CPU_TYPES)
    app = p.mapping("/src/app", 0x555555554000)
    at = [p.location(app, 0x555555554000 + i, [(p.function("f%d" % (i % 700)), i)])
          for i in range(3000)]
    odd = p.location(0, 0, [(p.function("", "", -5), -7), (p.function("far"), 2**40)])
    p.sample(at, [1, 2**63 - 1])
    p.sample(at[:10], [0, 2**63 - 1])
    p.sample([odd, at[5], odd], [1, 3])
    return p


def namesakes():
    """Functions that KCachegrind would take for one."""
    p = Profile(CPU_TYPES)
    app = p.mapping("/src/app", 0x555555554000)
    a = p.location(app, 0x555555554100, [(p.function("init", "/one/x.c", 1), 3)])
    b = p.location(app, 0x555555554200, [(p.function("init", "/two/x.c", 7), 9)])
    p.sample([b, a], [1, 5])
    p.sample([b], [1, 7])
    return p


def change(scale, extra):
    """Two of these differ in one stack's value and in one stack."""
    p = Profile(CPU_TYPES)
    app = p.mapping("/src/app", 0x555555554000)
    main = p.location(app, 0x555555554100, [(p.function("main", "/src/a.c", 1), 3)])
    leaf = p.location(app, 0x555555554200, [(p.function(extra, "/src/a.c", 7), 9)])
    hot = p.location(app, 0x555555554300, [(p.function("hot", "/src/a.c", 20), 21)])
    p.sample([hot, main], [scale, scale * 10])
    p.sample([leaf, main], [1, 10])
    return p


def large(stacks):
    """As many different stacks of some 30 frames, from 5,000 functions."""
    p = Profile(HEAP_TYPES)
    app = p.mapping("/src/app", 0x555555554000)
    at = [p.location(app, 0x555555554000 + 32 * i,
                     [(p.function("space::Class%d::method%d" % (i % 97, i), "/src/f%d.cc" % (i % 300), i), i + 2)])
          for i in range(5000)]
    state = 1
    for i in range(stacks):
        frames = []
        for depth in range(30):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            width = min(2 ** (depth // 2), 150)
            frames.insert(0, at[depth * 160 + (state >> 40) % width])
        p.sample(frames, [1 + i % 7, 64 + i % 1000, i % 2, i % 2 * 64])
    return p
