/*
 * What every kind of lock answers to every kind of use, one line each. The lines
 * must be the same with libprof as without: nothing here is libprof's
 * expectation, glibc alone says what is right.
 */
#include "locks.h"

#include <string.h>

const char *context = "";
atomic_int holding, released;
const struct timespec invalid = {2000000000, 1000000000}, negative = {2000000000, -1};
const struct timespec past = {1, 0}, before_1970 = {-1, 0};

struct timespec from_now(clockid_t clock, long ns)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    ts.tv_nsec += ns;
    while (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    while (ts.tv_nsec < 0) {
        ts.tv_sec--;
        ts.tv_nsec += 1000000000;
    }
    return ts;
}

const char *name_of(int error)
{
    static char number[2][16];
    static int turn;
    const char *name = error > 0 ? strerrorname_np(error) : NULL;
    if (name)
        return name;
    turn = !turn;
    snprintf(number[turn], sizeof number[turn], "%d", error);
    return number[turn];
}

int is_over(clockid_t clock, const struct timespec *time)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec > time->tv_sec ||
           (now.tv_sec == time->tv_sec && now.tv_nsec >= time->tv_nsec);
}

void show(const char *call, int result, int error, int early)
{
    printf("%s: %s = %s%s%s%s\n", context, call, name_of(result), error == EXDEV ? "" : " errno ",
           error == EXDEV ? "" : name_of(error), early ? " too early" : "");
    fflush(stdout);
}

int main(void)
{
    mutexes();
    rwlocks();
    semaphores();
    conditions();
    cancellation();
    threads();
    barriers();
    c11();
    forks();
    processes();
    return 0;
}
