/*
 * Stacks for the time on a processor, where a CPU profile of the same window is at hand.
 */
#ifndef COLLECTOR_WALL_RUNNING_H
#define COLLECTOR_WALL_RUNNING_H

#include "profile/profile.h"

/*
 * A wall profile in which [running] is replaced by the CPU profile's stacks, thread by thread: the
 * time is the kernel's sum, the CPU samples divide it. A thread without CPU samples keeps
 * [running]. Both are left alone; the result is a new profile. NULL with *err.
 */
struct profile *wall_with_stacks(const struct profile *wall, const struct profile *cpu,
                                 struct error *err);

#endif
