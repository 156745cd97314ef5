/* The module table: identity, unloading, another library in the same place, fork, races. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unwind/arch.h"
#include "unwind/cache.h"
#include "unwind/module.h"
#include "unwind/module_table.h"
#include "unwind/stack_memory.h"
#include "unwind/unwind.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

struct stack {
    uint64_t frames[64];
    unsigned count;
    enum unwind_end end;
};

__attribute__((noinline)) static void walk(void *data)
{
    struct stack *stack = data;
    stack->count = unwind_here(NULL, stack->frames, 64, &stack->end);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

static void *open_plugin(const char *path, struct stack *stack)
{
    void *plugin = dlopen(path, RTLD_NOW);
    assert_non_null(plugin);
    long (*call)(void (*)(void *), void *) = NULL;
    *(void **)&call = dlsym(plugin, "plugin_call");
    assert_non_null(call);
    assert_int_equal(call(walk, stack), 3);
    assert_int_equal(stack->end, UNWIND_COMPLETE);
    return plugin;
}

static void close_plugin(void *plugin)
{
    module_before_unload();
    dlclose(plugin);
    module_after_unload();
}

/* Frame 0 is walk(), frame 1 the plugin. */
static unsigned plugin_module(const struct stack *stack)
{
    assert_true(stack->count > 3);
    return UNWIND_MODULE(stack->frames[1]);
}

static char program[4096];

static void test_what_is_known(void **state)
{
    unsigned own = module_find((uintptr_t)&test_what_is_known);
    unsigned libc = module_find((uintptr_t)dlsym(RTLD_DEFAULT, "gnu_get_libc_version"));
    uintptr_t vdso_base = getauxval(AT_SYSINFO_EHDR);
    assert_true(own != 0 && libc != 0 && own != libc);
    const struct module *module = module_get(own);
    assert_string_equal(module->path, program);
    assert_true(module->is_main && !module->is_self && !module->is_vdso && !module->unloaded);
    assert_int_equal(module->build_id_size, 20);
    assert_non_null(module->eh_frame_hdr);
    module = module_get(libc);
    assert_true(module->path[0] == '/' && strstr(module->path, "libc.so.6"));
    assert_int_equal(module->build_id_size, 20);
    assert_false(module->is_main);
    if (vdso_base) {
        const ElfW(Ehdr) *vdso = (const ElfW(Ehdr) *)vdso_base;
        module = module_get(module_find(vdso_base + vdso->e_entry));
        assert_non_null(module);
        assert_string_equal(module->path, "[vdso]");
        assert_true(module->is_vdso && module->build_id_size > 0);
    }
    assert_int_equal(module_find(0), 0);
    assert_int_equal(module_find((uintptr_t)&own), 0);
    assert_int_equal(module_find(UINTPTR_MAX), 0);
    assert_null(module_get(0));
    assert_null(module_get(module_count()));
}

/* Segment bounds as the kernel has them. */
static void test_as_in_proc_maps(void **state)
{
    char line[512], permissions[5];
    unsigned long start, limit, offset;
    unsigned checked = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %4s %lx", &start, &limit, permissions, &offset) != 4 ||
            permissions[2] != 'x' || (!strchr(line, '/') && !strstr(line, "[vdso]")))
            continue;
        const struct module *module = module_get(module_find(start + 16));
        assert_non_null(module);
        assert_int_equal(module->start, start);
        assert_int_equal(module->limit, limit);
        assert_int_equal(module->file_offset, offset);
        checked++;
    }
    fclose(maps);
    assert_true(checked >= 4);
}

static void test_another_library_in_the_same_place(void **state)
{
    struct stack a, b, c;
    void *plugin = open_plugin(PLUGIN_A, &a);
    unsigned module_a = plugin_module(&a);
    unsigned generation = module_generation();
    assert_string_equal(module_get(module_a)->path, PLUGIN_A);
    assert_false(module_get(module_a)->unloaded);
    close_plugin(plugin);
    assert_true(module_get(module_a)->unloaded);
    assert_true(module_generation() != generation);
    assert_int_equal(module_find(UNWIND_ADDRESS(a.frames[1])), 0);

    plugin = open_plugin(PLUGIN_B, &b);
    unsigned module_b = plugin_module(&b);
    assert_int_not_equal(module_a, module_b);
    assert_string_equal(module_get(module_b)->path, PLUGIN_B);
    /* The point of the test: the kernel gives the same place again. */
    assert_int_equal(UNWIND_ADDRESS(a.frames[1]), UNWIND_ADDRESS(b.frames[1]));
    assert_memory_not_equal(module_get(module_a)->build_id, module_get(module_b)->build_id, 20);
    assert_string_equal(module_get(module_a)->path, PLUGIN_A);
    dlclose(plugin); /* as the C library's own unloading does, unseen by any hook */
    module_refresh();
    assert_int_equal(module_find(UNWIND_ADDRESS(b.frames[1])), 0);

    plugin = open_plugin(PLUGIN_A, &c);
    unsigned module_c = module_find(UNWIND_ADDRESS(c.frames[1]));
    /* The same segment of the same file in the same place: its entry is used again. */
    assert_int_equal(module_c, module_a);
    assert_false(module_get(module_a)->unloaded);
    assert_string_equal(module_get(module_c)->path, PLUGIN_A);
    assert_true(module_get(module_b)->unloaded);
    close_plugin(plugin);
}

/* A plugin that is loaded again and again, more often than there are indexes. */
static void test_five_thousand_loads(void **state)
{
    struct stack stack;
    unsigned before = module_count();
    for (unsigned i = 0; i < 5000; i++) {
        void *plugin = open_plugin(i % 2 ? PLUGIN_A : PLUGIN_B, &stack);
        assert_int_not_equal(plugin_module(&stack), 0);
        assert_string_equal(module_get(plugin_module(&stack))->path, i % 2 ? PLUGIN_A : PLUGIN_B);
        close_plugin(plugin);
    }
    assert_true(module_count() <= before + 8);
}

/* Words that point into data cost system calls once, whatever their address. */
static void test_data_is_remembered(void **state)
{
    struct effort effort = {EFFORT_CALLS, EFFORT_SCANS, false};
    uintptr_t data = (uintptr_t)dlsym(RTLD_DEFAULT, "environ") & ~(uintptr_t)7;
    assert_int_equal(module_find_within(data, &effort), 0);
    unsigned left = effort.calls;
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(module_find_within(data + i, &effort), 0);
    assert_int_equal(effort.calls, left);
    assert_false(effort.spent);
}

/* An answer that the effort didn't suffice for isn't remembered. */
static void test_spent_effort_teaches_nothing(void **state)
{
    struct effort none = {0, 0, false};
    void *plugin = dlopen(PLUGIN_A, RTLD_NOW);
    uintptr_t code = (uintptr_t)dlsym(plugin, "plugin_call");
    /* Past this page nothing of the plugin has been asked for in its present load. */
    module_find_within(code, &none);
    module_refresh();
    assert_int_not_equal(module_find(code), 0);
    close_plugin(plugin);
}

/* A dlclose that unloads nothing leaves the modules as they are. */
static void test_reference_counted(void **state)
{
    struct stack stack;
    void *plugin = open_plugin(PLUGIN_A, &stack);
    void *again = dlopen(PLUGIN_A, RTLD_NOW);
    unsigned module = plugin_module(&stack), generation = module_generation();
    close_plugin(again);
    assert_int_equal(module_generation(), generation);
    assert_false(module_get(module)->unloaded);
    assert_int_equal(module_find(UNWIND_ADDRESS(stack.frames[1])), module);
    /* Between the two halves of a dlclose its stacks can be walked, too. */
    module_before_unload();
    long (*call)(void (*)(void *), void *) = NULL;
    *(void **)&call = dlsym(plugin, "plugin_call");
    call(walk, &stack);
    assert_int_equal(stack.end, UNWIND_COMPLETE);
    assert_int_equal(plugin_module(&stack), module);
    module_after_unload();
    close_plugin(plugin);
}

static unsigned heard[MODULE_MAX];

static void hear(unsigned index, const struct module *module)
{
    heard[index] += module->path != NULL;
}

static void test_sink(void **state)
{
    struct stack stack;
    memset(heard, 0, sizeof heard);
    module_set_sink(hear);
    for (unsigned i = 1; i < module_count(); i++)
        assert_int_equal(heard[i], 1);
    void *plugin = open_plugin(PLUGIN_A, &stack);
    assert_int_equal(heard[plugin_module(&stack)], 1);
    open_plugin(PLUGIN_A, &stack);
    assert_int_equal(heard[plugin_module(&stack)], 1);
    module_set_sink(NULL);
    close_plugin(plugin);
    close_plugin(plugin);
}

static void test_fork(void **state)
{
    struct stack before, after;
    int status;
    walk(&before);
    module_before_unload(); /* as if another thread were in dlclose */
    pid_t child = fork();
    if (child == 0) {
        unwind_after_fork_child();
        walk(&after);
        void *plugin = dlopen(PLUGIN_A, RTLD_NOW);
        _exit(after.end == UNWIND_COMPLETE && plugin && module_is_current(1) &&
                      atomic_load(&module_unloading) == 0 &&
                      UNWIND_MODULE(after.frames[1]) == UNWIND_MODULE(before.frames[1])
                  ? 0
                  : 1);
    }
    module_after_unload();
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static _Atomic(bool) stop;

static void *load_and_unload(void *data)
{
    for (int i = 0; !stop; i++) {
        void *plugin = dlopen(i % 2 ? PLUGIN_A : PLUGIN_B, RTLD_NOW);
        close_plugin(plugin);
    }
    return NULL;
}

static void *walk_into(void *data)
{
    uintptr_t around = *(uintptr_t *)data;
    uintptr_t room[512] = {0};
    uint64_t frames[32];
    enum unwind_end end;
    ucontext_t context;
    memset(&context, 0, sizeof context);
    struct arch_regs regs;
    memset(&regs, 0, sizeof regs);
    for (unsigned i = 0; !stop; i++) {
        /* Every PC near the plugin's: mostly misses, so its tables are read. */
        regs.r[ARCH_PC] = around + i % 4096;
        regs.r[ARCH_SP] = (uintptr_t)room;
        arch_to_context(&regs, &context);
        unwind_context(&context, NULL, frames, 32, &end);
        module_find(around + i % 4096);
    }
    return NULL;
}

/* Walks into a library while another thread unloads it: no fault, no hang. A
 * real stack can't do that, but a wrong one can. */
static void test_race_with_unloading(void **state)
{
    struct stack stack;
    int status;
    void *plugin = open_plugin(PLUGIN_A, &stack);
    uintptr_t around = UNWIND_ADDRESS(stack.frames[1]) & ~(uintptr_t)4095;
    close_plugin(plugin);
    pid_t child = fork();
    if (child == 0) {
        pthread_t threads[3];
        pthread_create(&threads[0], NULL, load_and_unload, NULL);
        pthread_create(&threads[1], NULL, walk_into, &around);
        pthread_create(&threads[2], NULL, walk_into, &around);
        alarm(30);
        sleep(2);
        stop = true;
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static sem_t lock_taken, lock_release;

static int hold_loader_lock(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)info, (void)size, (void)data;
    sem_post(&lock_taken);
    sem_wait(&lock_release);
    return 1;
}

static void *hold_in_thread(void *data)
{
    dl_iterate_phdr(hold_loader_lock, data);
    return NULL;
}

/* Another thread holds the loader's lock: a walk, cold and into a library never
 * seen, doesn't notice. */
static void test_loader_lock_is_taken(void **state)
{
    int status;
    pid_t child = fork(); /* fresh: few modules are known */
    if (child == 0) {
        pthread_t thread;
        struct stack stack;
        unwind_after_fork_child();
        void *plugin = dlopen(PLUGIN_B, RTLD_NOW);
        module_refresh();
        long (*call)(void (*)(void *), void *) = NULL;
        *(void **)&call = dlsym(plugin, "plugin_call");
        sem_init(&lock_taken, 0, 0), sem_init(&lock_release, 0, 0);
        pthread_create(&thread, NULL, hold_in_thread, NULL);
        sem_wait(&lock_taken);
        memset(cache_sets, 0, sizeof cache_sets);
        alarm(10);
        call(walk, &stack);
        sem_post(&lock_release);
        pthread_join(thread, NULL);
        _exit(stack.end == UNWIND_COMPLETE && plugin_module(&stack) != 0 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_known),
        cmocka_unit_test(test_as_in_proc_maps),
        cmocka_unit_test(test_another_library_in_the_same_place),
        cmocka_unit_test(test_five_thousand_loads),
        cmocka_unit_test(test_data_is_remembered),
        cmocka_unit_test(test_spent_effort_teaches_nothing),
        cmocka_unit_test(test_reference_counted),
        cmocka_unit_test(test_sink),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_race_with_unloading),
        cmocka_unit_test(test_loader_lock_is_taken),
    };
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        return 1;
    unwind_init(UNWIND_CFI);
    unwind_set_program(program);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
