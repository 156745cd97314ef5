#include "export/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Room for `size` more bytes; returns where they go. */
static char *reserve(struct writer *w, size_t size)
{
    if (size > w->room - w->size) {
        size_t room = w->room ? w->room : 4096;
        while (size > room - w->size) {
            if (room > SIZE_MAX / 2)
                mem_die();
            room *= 2;
        }
        w->data = mem_resize(w->data, room, 1);
        w->room = room;
    }
    return w->data + w->size;
}

void writer_free(struct writer *w)
{
    free(w->data);
    *w = (struct writer){0};
}

void writer_put_bytes(struct writer *w, const void *data, size_t size)
{
    if (!size)
        return;
    memcpy(reserve(w, size), data, size);
    w->size += size;
}

void writer_put(struct writer *w, const char *text)
{
    writer_put_bytes(w, text, strlen(text));
}

void writer_put_char(struct writer *w, char c)
{
    *reserve(w, 1) = c;
    w->size++;
}

void writer_put_uint(struct writer *w, uint64_t value)
{
    char digits[20];
    size_t n = sizeof(digits);
    do
        digits[--n] = (char)('0' + value % 10);
    while (value /= 10);
    writer_put_bytes(w, digits + n, sizeof(digits) - n);
}

void writer_put_int(struct writer *w, int64_t value)
{
    if (value < 0)
        writer_put_char(w, '-');
    writer_put_uint(w, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void writer_put_hex(struct writer *w, uint64_t value)
{
    char digits[16];
    size_t n = sizeof(digits);
    do
        digits[--n] = "0123456789abcdef"[value % 16];
    while (value /= 16);
    writer_put(w, "0x");
    writer_put_bytes(w, digits + n, sizeof(digits) - n);
}

void writer_printf(struct writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n <= 0)
        return;
    char *at = reserve(w, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(at, (size_t)n + 1, fmt, ap);
    va_end(ap);
    w->size += (size_t)n;
}

void writer_put_json(struct writer *w, const char *text)
{
    writer_put_char(w, '"');
    while (*text) {
        size_t n = utf8_char_length(text);
        unsigned char c = (unsigned char)*text;
        if (!n)
            writer_put(w, REPLACEMENT);
        else if (c == '"' || c == '\\')
            writer_printf(w, "\\%c", c);
        else if (c < 0x20 || c == 0x7f || c == '<' || c == '>' || c == '&')
            writer_printf(w, "\\u%04x", c);
        else if (n == 3 && memcmp(text, "\xe2\x80", 2) == 0 &&
                 ((unsigned char)text[2] & 0xfe) == 0xa8)
            writer_put(w, text[2] & 1 ? "\\u2029" : "\\u2028");
        else
            writer_put_bytes(w, text, n);
        text += n ? n : 1;
    }
    writer_put_char(w, '"');
}

/* U+FFFE and U+FFFF are UTF-8, but not XML. */
static int is_xml_character(const char *at, size_t n)
{
    return n != 3 || memcmp(at, "\xef\xbf", 2) != 0 || (unsigned char)at[2] < 0xbe;
}

void writer_put_xml(struct writer *w, const char *text)
{
    while (*text) {
        size_t n = utf8_char_length(text);
        unsigned char c = (unsigned char)*text;
        if (!n || c < 0x20 || c == 0x7f || !is_xml_character(text, n))
            writer_put(w, REPLACEMENT);
        else if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'')
            writer_printf(w, "&#%d;", c);
        else
            writer_put_bytes(w, text, n);
        text += n ? n : 1;
    }
}

void writer_put_line(struct writer *w, const char *text, char not, char instead)
{
    while (*text) {
        size_t n = utf8_char_length(text);
        unsigned char c = (unsigned char)*text;
        if (!n)
            writer_put(w, REPLACEMENT);
        else if (n == 1)
            writer_put_char(w, c < 0x20 || c == 0x7f ? ' ' : *text == not ? instead : *text);
        else
            writer_put_bytes(w, text, n);
        text += n ? n : 1;
    }
}
