#include "sample/core/random.h"
#include "sample/core/thread.h"

/* splitmix64's step: every state leads to a well mixed number. */
double random_uniform(void)
{
    uint64_t x = thread_self.random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return (double)((x >> 11) + 1) * 0x1p-53;
}

/*
 * ln(u) for u in (0, 1], without libm: the exponent times ln 2, and for the
 * mantissa m in [sqrt(1/2), sqrt(2)) the series of 2 atanh((m-1)/(m+1)), whose
 * argument is at most 0.172: eight terms leave an error below 1e-14.
 */
static double natural_log(double u)
{
    union {
        double number;
        uint64_t bits;
    } x = {u};
    int exponent = (int)(x.bits >> 52) - 1023;
    x.bits = (x.bits & (UINT64_MAX >> 12)) | UINT64_C(1023) << 52;
    if (x.number > 1.4142135623730951) {
        x.number *= 0.5;
        exponent++;
    }
    double s = (x.number - 1) / (x.number + 1), square = s * s, power = s, sum = 0;
    for (int n = 1; n < 16; n += 2, power *= square)
        sum += power / n;
    return 2 * sum + exponent * 0.6931471805599453;
}

int64_t random_exponential(uint64_t mean)
{
    double gap = -natural_log(random_uniform()) * (double)mean;
    return gap < 1 ? 1 : (int64_t)gap;
}
