/*
 * An injected library's life: armed by its constructor, disarmed by attach_detach, which
 * `prof detach` has one thread of the program call while all others stand still.
 */
#ifndef LIBPROF_START_ATTACH_H
#define LIBPROF_START_ATTACH_H

/* Constructor only, in an injected library (attach_is_injected). Says in the order what came
 * of it; when it refuses, nothing has been changed. */
void attach_arm(void);

#endif
