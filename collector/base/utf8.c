#include "base/utf8.h"

#include <string.h>

#include "base/mem.h"

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t utf8_char_length(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    unsigned char c = u[0];
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return is_tail(u[1]) ? 2 : 0;
    if (c >= 0xe0 && c <= 0xef) {
        unsigned char low = c == 0xe0 ? 0xa0 : 0x80, high = c == 0xed ? 0x9f : 0xbf;
        return u[1] >= low && u[1] <= high && is_tail(u[2]) ? 3 : 0;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        unsigned char low = c == 0xf0 ? 0x90 : 0x80, high = c == 0xf4 ? 0x8f : 0xbf;
        return u[1] >= low && u[1] <= high && is_tail(u[2]) && is_tail(u[3]) ? 4 : 0;
    }
    return 0;
}

bool utf8_is_valid(const char *s)
{
    while (*s) {
        size_t n = utf8_char_length(s);
        if (!n)
            return false;
        s += n;
    }
    return true;
}

char *utf8_sanitize(const char *s)
{
    char *out = mem_alloc(strlen(s) * 3 + 1), *at = out;
    while (*s) {
        size_t n = utf8_char_length(s);
        if (n) {
            memcpy(at, s, n);
            at += n;
            s += n;
        } else {
            memcpy(at, "\xef\xbf\xbd", 3);
            at += 3;
            s++;
        }
    }
    *at = '\0';
    return out;
}
