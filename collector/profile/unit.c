#include "profile/unit.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define N_ALIASES 3

struct unit {
    const char *name;
    const char *aliases[N_ALIASES]; /* lower case, singular */
    double factor;                  /* in units of the kind's base */
};

struct unit_kind {
    const struct unit *units; /* rising factors; the end has no name */
    const char *fallback;     /* shown when nothing else fits */
    double fallback_factor;
};

static const struct unit memory_units[] = {
    {"B", {"b", "byte"}, 1},
    {"kB", {"kb", "kbyte", "kilobyte"}, 1024.0},
    {"MB", {"mb", "mbyte", "megabyte"}, 1024.0 * 1024},
    {"GB", {"gb", "gbyte", "gigabyte"}, 1024.0 * 1024 * 1024},
    {"TB", {"tb", "tbyte", "terabyte"}, 1024.0 * 1024 * 1024 * 1024},
    {"PB", {"pb", "pbyte", "petabyte"}, 1024.0 * 1024 * 1024 * 1024 * 1024},
    {0},
};

static const struct unit time_units[] = {
    {"ns", {"ns", "nanosecond"}, 1},    {"us", {"\u03bcs", "us", "microsecond"}, 1e3},
    {"ms", {"ms", "millisecond"}, 1e6}, {"s", {"s", "sec", "second"}, 1e9},
    {"hrs", {"hour", "hr"}, 3600e9},    {0},
};

static const struct unit_kind kinds[] = {
    {memory_units, "B", 1},
    {time_units, "s", 1e9},
};

static const struct unit *find_unit(const struct unit_kind *kind, const char *name)
{
    char lower[32];
    size_t n = strlen(name);
    if (!n || n >= sizeof(lower))
        return NULL;
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    if (n > 2 && lower[n - 1] == 's')
        lower[n - 1] = '\0';
    for (const struct unit *u = kind->units; u->name; u++)
        for (int i = 0; i < N_ALIASES && u->aliases[i]; i++)
            if (strcmp(u->aliases[i], lower) == 0)
                return u;
    return NULL;
}

static bool is_automatic(const char *unit)
{
    return strcmp(unit, "auto") == 0 || strcmp(unit, "minimum") == 0;
}

static double scale_positive(double value, const char *from, const char *to, const char **out)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const struct unit *u = find_unit(&kinds[i], from), *best = NULL;
        if (!u)
            continue;
        double base = value * u->factor;
        if (is_automatic(to)) {
            for (u = kinds[i].units; u->name; u++)
                if (base / u->factor >= 1.0)
                    best = u;
        } else {
            best = find_unit(&kinds[i], to);
        }
        *out = best ? best->name : kinds[i].fallback;
        return base / (best ? best->factor : kinds[i].fallback_factor);
    }
    bool dull = is_automatic(to) || strcmp(to, "count") == 0 || strcmp(to, "sample") == 0 ||
                strcmp(to, "unit") == 0;
    *out = dull ? "" : to;
    return value;
}

double unit_scale(int64_t value, const char *from, const char *to, const char **out_unit)
{
    if (value < 0 && value != INT64_MIN)
        return -scale_positive(-(double)value, from, to, out_unit);
    return scale_positive((double)value, from, to, out_unit);
}

char *unit_format(char buf[UNIT_TEXT], int64_t value, const char *from, const char *to)
{
    const char *unit;
    double v = unit_scale(value, from, to, &unit);
    int n = snprintf(buf, UNIT_TEXT, "%.2f", v);
    if (n > 3 && strcmp(buf + n - 3, ".00") == 0)
        buf[n -= 3] = '\0';
    if (strcmp(buf, "0") == 0 || strcmp(buf, "-0") == 0)
        strcpy(buf, "0");
    else
        snprintf(buf + n, (size_t)(UNIT_TEXT - n), "%s", unit);
    return buf;
}

char *unit_percent(char buf[UNIT_TEXT], int64_t value, int64_t total)
{
    double ratio = total ? fabs((double)value / (double)total) * 100 : 0;
    if (ratio >= 99.95 && ratio <= 100.05)
        strcpy(buf, "  100%");
    else
        snprintf(buf, UNIT_TEXT, ratio >= 1 ? "%5.2f%%" : "%5.2g%%", ratio);
    return buf;
}

bool unit_compatible(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (find_unit(&kinds[i], a) && find_unit(&kinds[i], b))
            return true;
    return false;
}
