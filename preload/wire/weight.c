#include "wire/reader.h"

/*
 * 1 - e^-x for x > 0, without libm, which libprof.so may not need. For small x
 * the series, which has no cancellation; else e^-x by halving x into the series'
 * range and squaring back. Relative error below 1e-15 (tests/unit/ledger).
 */
static double one_minus_exp(double x)
{
    unsigned halvings = 0;
    for (; x > 0.5; x *= 0.5)
        halvings++;
    double term = x, sum = x;
    for (int n = 2; n < 20; n++) {
        term *= -x / n;
        sum += term;
    }
    /* 1-e^-2x = s(2-s), with s = 1-e^-x */
    for (; halvings; halvings--)
        sum *= 2 - sum;
    return sum;
}

double ledger_heap_weight(uint64_t size, uint64_t rate)
{
    if (rate <= 1 || size == 0)
        return 1;
    double x = (double)size / (double)rate;
    return x > 50 ? 1 : 1 / one_minus_exp(x); /* e^-50 is below a double's last place */
}
