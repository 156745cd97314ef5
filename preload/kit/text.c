#include "kit/text.h"

#include <string.h>

void text_init(struct text *text, char *buffer, size_t size)
{
    text->start = buffer;
    text->length = 0;
    text->size = size;
    text->cut = false;
    buffer[0] = '\0';
}

void text_bytes(struct text *text, const char *bytes, size_t length)
{
    size_t room = text->size - 1 - text->length;

    if (length > room) {
        length = room;
        text->cut = true;
    }
    memcpy(text->start + text->length, bytes, length);
    text->length += length;
    text->start[text->length] = '\0';
}

void text_string(struct text *text, const char *string)
{
    text_bytes(text, string, strlen(string));
}

void text_number(struct text *text, uint64_t number, unsigned base, unsigned min_digits)
{
    char digits[64];
    size_t at = sizeof digits;

    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0 && at > 0);
    while (sizeof digits - at < min_digits && at > 0)
        digits[--at] = '0';
    text_bytes(text, digits + at, sizeof digits - at);
}

void text_hex(struct text *text, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        text_number(text, bytes[i], 16, 2);
}

/* The next integer argument, of the length the format names, widened. */
static uint64_t next_number(va_list *args, unsigned longs, bool is_signed)
{
    if (is_signed)
        return (uint64_t)(longs == 0   ? (int64_t)va_arg(*args, int)
                          : longs == 1 ? (int64_t)va_arg(*args, long)
                                       : (int64_t)va_arg(*args, long long));
    return longs == 0   ? va_arg(*args, unsigned)
           : longs == 1 ? va_arg(*args, unsigned long)
                        : va_arg(*args, unsigned long long);
}

/* One conversion; `at` points behind the '%'. Returns where the format goes on. */
static const char *convert(struct text *text, const char *at, va_list *args)
{
    const char *start = at;
    unsigned longs = 0, width = 0;
    uint64_t number;

    for (; *at >= '0' && *at <= '9'; at++)
        width = width * 10 + (unsigned)(*at - '0');
    for (; *at == 'l' || *at == 'z'; at++)
        longs++;

    switch (*at) {
    case 's': {
        const char *string = va_arg(*args, const char *);
        text_string(text, string ? string : "(null)");
        break;
    }
    case 'c': {
        char c = (char)va_arg(*args, int);
        text_bytes(text, &c, 1);
        break;
    }
    case 'd':
        number = next_number(args, longs, true);
        if ((int64_t)number < 0) {
            text_string(text, "-");
            number = -number;
        }
        text_number(text, number, 10, width);
        break;
    case 'u':
    case 'x':
        text_number(text, next_number(args, longs, false), *at == 'u' ? 10 : 16, width);
        break;
    case '%':
        text_string(text, "%");
        break;
    default:
        text_string(text, "%");
        return start;
    }
    return at + 1;
}

void text_format_list(struct text *text, const char *format, va_list args)
{
    va_list copy;

    va_copy(copy, args);
    while (*format) {
        const char *percent = strchr(format, '%');
        if (!percent) {
            text_string(text, format);
            break;
        }
        text_bytes(text, format, (size_t)(percent - format));
        format = convert(text, percent + 1, &copy);
    }
    va_end(copy);
}

void text_format(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_format_list(text, format, args);
    va_end(args);
}

size_t text_until(const char *string, const char *stops)
{
    size_t length = 0;
    for (; string[length]; length++)
        for (const char *stop = stops; *stop; stop++)
            if (string[length] == *stop)
                return length;
    return length;
}
