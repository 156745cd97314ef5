#include "outside/outside.h"

#include <dirent.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "interp/merge.h"
#include "outside/modules.h"
#include "outside/task.h"

#define MAX_FRAMES 1024 /* as deep as libprof itself goes */

struct walk {
    struct profile *profile;
    pid_t pid; /* 0: a core file */
    uint64_t frames[MAX_FRAMES];
    size_t depth;
    struct merge *merge; /* of an interpreter's frames; of a core file: of none */
    /* What was found of each thread before any of them was stopped. */
    struct {
        pid_t tid;
        struct task task;
    } * tasks;
    size_t n_tasks;
    size_t tasks_cap;
};

static int add_frame(Dwfl_Frame *frame, void *arg)
{
    struct walk *walk = arg;
    Dwarf_Addr pc;
    bool activation;
    if (walk->depth == MAX_FRAMES || !dwfl_frame_pc(frame, &pc, &activation))
        return DWARF_CB_ABORT;
    if (pc == 0)
        return DWARF_CB_ABORT;
    walk->frames[walk->depth++] = activation ? pc : pc - 1;
    return DWARF_CB_OK;
}

static struct profile_label *set_label(struct profile *p, struct profile_label *label,
                                       const char *key, const char *text)
{
    *label = (struct profile_label){.key = profile_intern(p, key),
                                    .str = text ? profile_intern(p, text) : NULL,
                                    .unit = profile_intern(p, "")};
    return label + 1;
}

static const struct task *find_task(const struct walk *walk, pid_t tid)
{
    static const struct task unknown = {.state = ""};
    for (size_t n = 0; n < walk->n_tasks; n++)
        if (walk->tasks[n].tid == tid)
            return &walk->tasks[n].task;
    return &unknown;
}

static void label_sample(struct walk *walk, struct profile_sample *sample, pid_t tid)
{
    struct profile *p = walk->profile;
    const struct task *task = find_task(walk, tid);
    struct profile_label *label = sample->labels;
    if (*task->name)
        label = set_label(p, label, "thread", task->name);
    struct profile_label *number = label;
    label = set_label(p, label, "tid", NULL);
    number->num = tid;
    number->unit = profile_intern(p, "id");
    if (*task->state)
        label = set_label(p, label, "state", task->state);
    if (task->wait_ns) {
        number = label;
        label = set_label(p, label, "wait", NULL);
        number->num = task->wait_ns;
        number->unit = profile_intern(p, "nanoseconds");
    }
    sample->n_labels = (size_t)(label - sample->labels);
}

/* The library's own functions (a nanosleep() made again after a signal) are not what
 * the program does. */
static bool is_own(const struct profile_location *l)
{
    const char *slash = l->mapping ? strrchr(l->mapping->file, '/') : NULL;
    return slash && strncmp(slash + 1, "libprof.so", 10) == 0;
}

/* Frames that were found before the walk failed are kept: better than none. */
static int add_thread(Dwfl_Thread *thread, void *arg)
{
    struct walk *walk = arg;
    walk->depth = 0;
    dwfl_thread_getframes(thread, add_frame, walk);
    walk->depth =
        merge_python(walk->merge, dwfl_thread_tid(thread), walk->frames, walk->depth, MAX_FRAMES);
    struct profile_sample *sample = profile_add_sample(walk->profile, walk->depth, 4);
    sample->n_locations = 0;
    for (size_t n = 0; n < walk->depth; n++) {
        struct profile_location *l = merge_location(walk->merge, walk->profile, walk->frames[n]);
        if (!l)
            l = modules_location(walk->profile, walk->frames[n]);
        if (!is_own(l))
            sample->locations[sample->n_locations++] = l;
    }
    sample->values[0] = 1;
    label_sample(walk, sample, dwfl_thread_tid(thread));
    return DWARF_CB_OK;
}

/* Before anything is attached: that wakes threads up. */
static void note_tasks(struct walk *walk)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)walk->pid);
    DIR *tasks = opendir(path);
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0)
            continue;
        walk->tasks = mem_grow(walk->tasks, walk->n_tasks, &walk->tasks_cap, sizeof *walk->tasks);
        walk->tasks[walk->n_tasks].tid = tid;
        task_read(walk->pid, tid, &walk->tasks[walk->n_tasks].task);
        walk->n_tasks++;
    }
    if (tasks)
        closedir(tasks);
}

static struct profile *new_profile(void)
{
    struct profile *p = profile_new();
    profile_add_sample_type(p, "goroutine", "count");
    p->period_type.type = profile_intern(p, "goroutine");
    p->period_type.unit = profile_intern(p, "count");
    p->period = 1;
    p->time_nanos = clock_realtime();
    return p;
}

/* With everything attached: the modules, then the threads. */
static struct profile *read_threads(Dwfl *dwfl, struct walk *walk, struct error *err)
{
    walk->profile = new_profile();
    modules_add(walk->profile, dwfl);
    walk->merge = merge_new(walk->pid ? python_open(walk->pid, dwfl) : NULL);
    int result = dwfl_getthreads(dwfl, add_thread, walk);
    merge_free(walk->merge);
    if (walk->profile->n_samples > 0)
        return walk->profile;
    fail_with(err, "no thread could be read: %s", result < 0 ? dwfl_errmsg(-1) : "there is none");
    profile_free(walk->profile);
    return NULL;
}

struct profile *outside_process(pid_t pid, struct error *err)
{
    static char *debug_path;
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &debug_path,
    };
    struct profile *p = NULL;
    struct walk walk = {.pid = pid};
    note_tasks(&walk);
    Dwfl *dwfl = dwfl_begin(&callbacks);
    int error = dwfl ? dwfl_linux_proc_report(dwfl, pid) : -1;
    if (error == 0) {
        dwfl_report_end(dwfl, NULL, NULL);
        error = dwfl_linux_proc_attach(dwfl, pid, false);
    }
    if (error == 0)
        p = read_threads(dwfl, &walk, err);
    else
        fail_with(err, "%s", error > 0 ? strerror(error) : dwfl_errmsg(-1));
    dwfl_end(dwfl);
    free(walk.tasks);
    return p;
}

struct profile *outside_core(const char *path, struct error *err)
{
    static char *debug_path;
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &debug_path,
    };
    struct profile *p = NULL;
    struct walk walk = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail_with(err, "%s", strerror(errno));
        return NULL;
    }
    elf_version(EV_CURRENT);
    Elf *core = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    GElf_Ehdr header;
    Dwfl *dwfl = dwfl_begin(&callbacks);
    if (!core || !gelf_getehdr(core, &header) || header.e_type != ET_CORE)
        fail_with(err, "not a core file");
    else if (dwfl_core_file_report(dwfl, core, NULL) < 0 ||
             dwfl_report_end(dwfl, NULL, NULL) != 0 || dwfl_core_file_attach(dwfl, core) < 0)
        fail_with(err, "%s", dwfl_errmsg(-1));
    else
        p = read_threads(dwfl, &walk, err);
    dwfl_end(dwfl);
    elf_end(core);
    close(fd);
    return p;
}
