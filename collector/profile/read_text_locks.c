/* The text form of contention and mutex: `319736823 59 @ 0x1 0x2`. */
#include <stdlib.h>
#include <string.h>

#include "profile/read_text_forms.h"

/* One `key = value` line of the header; false on an unknown key. */
static bool contention_setting(struct text *t, char *line, int64_t *hz)
{
    char *value = strchr(line, '=');
    size_t n = strcspn(line, "=");
    while (n && line[n - 1] == ' ')
        n--;
    int64_t number = strtoll(value + 1, NULL, 10);
    if (n == 13 && text_starts_with(line, "cycles/second"))
        *hz = number;
    else if (n == 15 && text_starts_with(line, "sampling period"))
        t->p->period = number;
    else if (n == 14 && text_starts_with(line, "ms since reset")) {
        if (__builtin_mul_overflow(number, 1000000, &t->p->duration_nanos))
            return text_fail(t, "value is too large");
    } else if (!(n == 17 && text_starts_with(line, "discarded samples")))
        return text_fail(t, "unrecognized contention profile setting");
    return true;
}

bool text_read_contention(struct text *t)
{
    int64_t hz = 0, delay, count;
    bool in_header = true;
    profile_add_sample_type(t->p, "contentions", "count");
    profile_add_sample_type(t->p, "delay", "nanoseconds");
    text_set_period_type(t->p, "contentions", "count", 1);
    while (text_next_line(t) && !text_starts_with(t->line, "---") && !text_is_map_start(t->line)) {
        const char *s = t->line;
        if (text_is_blank(s))
            continue;
        if (in_header && strchr(s, '=')) {
            if (!contention_setting(t, t->line + (text_skip_spaces(s) - s), &hz))
                return false;
            continue;
        }
        in_header = false;
        if (!text_parse_int(&s, &delay) || !text_parse_int(&s, &count) ||
            !text_parse_char(&s, '@') || !text_parse_addresses(t, s))
            return text_fail(t, "malformed sample");
        if (t->p->period > 0) {
            double nanoseconds =
                hz > 0 ? (double)delay * (double)t->p->period / ((double)hz / 1e9) : 0;
            /* cppcheck-suppress incorrectLogicOperator ; it can't read 0x1p63 */
            if (nanoseconds >= 0x1p63 || nanoseconds < -0x1p63 ||
                __builtin_mul_overflow(count, t->p->period, &count))
                return text_fail(t, "value is too large");
            if (hz > 0)
                delay = (int64_t)nanoseconds;
        }
        struct profile_sample *sample = text_add_sample(t, 0, false);
        sample->values[0] = count;
        sample->values[1] = delay;
    }
    return true;
}
