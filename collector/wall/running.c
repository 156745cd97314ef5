#include "wall/running.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "profile/profile_ops.h"

/* A thread's time on a processor, and what the CPU profile has of it. */
struct thread {
    int64_t tid, running_ns, cpu_ns;
};

struct threads {
    struct thread *list;
    size_t n, cap;
};

static struct thread *find(struct threads *threads, const struct profile_sample *sample, bool add)
{
    const struct profile_label *tid = profile_find_label(sample, "tid");
    size_t at = 0;
    while (tid && at < threads->n && threads->list[at].tid != tid->num)
        at++;
    if (!tid || (at == threads->n && !add))
        return NULL;
    if (at == threads->n) {
        threads->list = mem_grow(threads->list, threads->n, &threads->cap, sizeof *threads->list);
        threads->list[threads->n++] = (struct thread){.tid = tid->num};
    }
    return &threads->list[at];
}

/* Time on a processor without a stack: where an interpreter told what ran, that stays. */
static bool is_running(const struct profile_sample *sample)
{
    return sample->n_locations == 1 && sample->locations[0]->n_lines &&
           strcmp(sample->locations[0]->lines[0].function->name, "[running]") == 0;
}

/* In place: CPU time becomes the thread's time on a processor, in a wall profile's types. */
static void convert(struct profile *cpu, struct threads *threads)
{
    size_t kept = 0;
    for (size_t n = 0; n < cpu->n_samples; n++) {
        struct profile_sample *sample = cpu->samples[n];
        struct thread *thread = find(threads, sample, false);
        if (!thread || !thread->running_ns || !thread->cpu_ns)
            continue;
        struct profile_label *labels =
            profile_alloc(cpu, (sample->n_labels + 1) * sizeof *sample->labels);
        if (sample->n_labels)
            memcpy(labels, sample->labels, sample->n_labels * sizeof *labels);
        labels[sample->n_labels++] = (struct profile_label){
            .key = profile_intern(cpu, "state"),
            .str = profile_intern(cpu, "running"),
            .unit = profile_intern(cpu, ""),
        };
        sample->labels = labels;
        sample->values[1] = (int64_t)((double)sample->values[1] * (double)thread->running_ns /
                                      (double)thread->cpu_ns);
        cpu->samples[kept++] = sample;
    }
    cpu->n_samples = kept;
    cpu->sample_types[1].type = profile_intern(cpu, "wall");
    cpu->period_type.type = profile_intern(cpu, "wall");
    cpu->n_comments = 0;
}

struct profile *wall_with_stacks(const struct profile *wall, const struct profile *cpu,
                                 struct error *err)
{
    struct threads threads = {0};
    struct profile *waits = profile_copy(wall), *runs = profile_copy(cpu), *result = NULL;
    for (size_t n = 0; n < waits->n_samples; n++)
        if (is_running(waits->samples[n])) {
            struct thread *thread = find(&threads, waits->samples[n], true);
            if (thread)
                thread->running_ns += waits->samples[n]->values[1];
        }
    for (size_t n = 0; n < runs->n_samples; n++) {
        struct thread *thread = find(&threads, runs->samples[n], false);
        if (thread && runs->samples[n]->values[1] > 0)
            thread->cpu_ns += runs->samples[n]->values[1];
    }
    if (runs->n_sample_types == 2) {
        size_t kept = 0;
        convert(runs, &threads);
        for (size_t n = 0; n < waits->n_samples; n++) {
            struct thread *thread = find(&threads, waits->samples[n], false);
            if (!is_running(waits->samples[n]) || !thread || !thread->cpu_ns)
                waits->samples[kept++] = waits->samples[n];
        }
        waits->n_samples = kept;
        struct profile *const both[] = {waits, runs};
        result = profile_merge(both, runs->n_samples ? 2 : 1, err);
    } else {
        fail_with(err, "the CPU profile has other sample types");
    }
    if (result) {
        result->time_nanos = wall->time_nanos;
        result->duration_nanos = wall->duration_nanos;
    }
    free(threads.list);
    profile_free(waits);
    profile_free(runs);
    return result;
}
