#include "cli/nearest.h"

#include <string.h>

#define LETTERS 31
#define FAR 99

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static char plain(char c)
{
    return c == '_' ? '-' : c;
}

unsigned nearest_distance(const char *a, size_t a_length, const char *b)
{
    size_t b_length = strlen(b);
    unsigned table[LETTERS + 1][LETTERS + 1];
    if (a_length > LETTERS || b_length > LETTERS)
        return FAR;
    for (size_t i = 0; i <= a_length; i++)
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned changed = plain(a[i - 1]) != plain(b[j - 1]);
            table[i][j] =
                least(table[i - 1][j - 1] + changed, least(table[i - 1][j], table[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                table[i][j] = least(table[i][j], table[i - 2][j - 2] + 1);
        }
    return table[a_length][b_length];
}

int nearest_is_slip(unsigned distance, size_t length)
{
    return distance <= 2 && distance * 3 <= length;
}
