/* Frames of a library, for cpu_sample.c: what is linked into that program counts
 * as libprof's own and isn't recorded. */
double deep_call(unsigned depth, double (*function)(void));

__attribute__((noipa)) double deep_call(unsigned depth, double (*function)(void))
{
    double result = depth ? deep_call(depth - 1, function) : function();
    __asm__ volatile("" : : "m"(result));
    return result;
}
