#include "serve/query.h"

#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool query_unescape(char *text, size_t length, bool plus)
{
    char *out = text;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || !(high | low))
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        *out++ = c;
    }
    *out = '\0';
    return true;
}

char *query_value(const char *query, const char *name)
{
    char *found = NULL;
    while (query && *query && !found) {
        size_t length = strcspn(query, "&");
        char *pair = mem_alloc(length + 1);
        memcpy(pair, query, length);
        pair[length] = '\0';
        char *equals = memchr(pair, '=', length);
        size_t key = equals ? (size_t)(equals - pair) : length;
        char *value = equals ? equals + 1 : pair + length;
        size_t rest = length - (size_t)(value - pair);
        if (!memchr(pair, ';', length) && query_unescape(value, rest, true) &&
            query_unescape(pair, key, true) && strcmp(pair, name) == 0)
            found = mem_strdup(equals ? value : "");
        free(pair);
        query += length + (query[length] == '&');
    }
    return found;
}

bool query_integer(const char *text, int64_t *value)
{
    const char *digits = text + (*text == '+' || *text == '-');
    if (!*digits || digits[strspn(digits, "0123456789")])
        return false;
    errno = 0;
    *value = strtoll(text, NULL, 10);
    return errno == 0;
}

bool query_address(const char **text, uint64_t *address)
{
    char word[72]; /* 0b and 64 digits */
    if (!**text)
        return false;
    size_t length = strcspn(*text, "+");
    *address = 0;
    if (length < sizeof word && **text >= '0' && **text <= '9') {
        char *end;
        memcpy(word, *text, length);
        word[length] = '\0';
        bool binary = word[0] == '0' && (word[1] | 32) == 'b';
        errno = 0;
        uint64_t value = binary ? strtoull(word + 2, &end, 2) : strtoull(word, &end, 0);
        if (*end == '\0' && errno == 0)
            *address = value;
    }
    *text += length + ((*text)[length] == '+');
    return true;
}
