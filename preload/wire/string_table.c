#include "wire/string_table.h"

#include <string.h>

#define SLOTS_FIRST 256u

struct string_entry {
    const char *text; /* NULL = free */
    uint32_t length, index;
};

/* The length of the valid UTF-8 sequence at text (RFC 3629: no surrogates, no
 * overlong forms, at most U+10FFFF), or 0. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xc2 ? 0
                    : text[0] < 0xe0 ? 2
                    : text[0] < 0xf0 ? 3
                    : text[0] < 0xf5 ? 4
                                     : 0;

    if (length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return text[0] ? length : 0;
}

size_t string_table_sanitize(const char *text, size_t length, char *out, size_t size)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    size_t used = 0, at = 0;

    while (at < length) {
        /* copied first: the memory may belong to a running process */
        unsigned char sequence[4] = {0};
        size_t left = length - at < 4 ? length - at : 4, valid, put;
        memcpy(sequence, text + at, left);
        valid = utf8_length(sequence, left);
        put = valid ? valid : 3;
        if (used + put >= size)
            break;
        memcpy(out + used, valid ? (const char *)sequence : replacement, put);
        used += put;
        at += valid ? valid : 1;
    }
    out[used] = '\0';
    return used;
}

static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

/* The slot of a string: its own or a free one. */
static struct string_entry *find(const struct string_table *strings, const char *text,
                                 size_t length)
{
    uint64_t at = hash_of(text, length);

    for (;; at++) {
        struct string_entry *slot = &strings->slots[at & (strings->size - 1)];
        if (!slot->text || (slot->length == length && memcmp(slot->text, text, length) == 0))
            return slot;
    }
}

static bool grow(struct string_table *strings)
{
    struct string_table old = *strings;

    strings->size = old.size ? old.size * 2 : SLOTS_FIRST;
    strings->slots = arena_alloc(strings->arena, strings->size * sizeof *strings->slots);
    if (!strings->slots) {
        *strings = old;
        return false;
    }
    for (uint32_t i = 0; i < old.size; i++)
        if (old.slots[i].text)
            *find(strings, old.slots[i].text, old.slots[i].length) = old.slots[i];
    return true;
}

void string_table_init(struct string_table *strings, struct arena *arena, struct stream *stream)
{
    *strings = (struct string_table){.arena = arena, .stream = stream};
    string_table_enter(strings, "", 0);
}

int64_t string_table_enter(struct string_table *strings, const char *text, size_t length)
{
    char clean[STRINGS_LONGEST];
    Perftools__Profiles__Profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
    struct string_entry *slot;
    char *copy;

    if (strings->failed || (strings->count >= strings->size / 2 && !grow(strings))) {
        strings->failed = true;
        return 0;
    }
    length = string_table_sanitize(text, length, clean, sizeof clean);
    slot = find(strings, clean, length);
    if (slot->text)
        return slot->index;
    copy = arena_alloc(strings->arena, length + 1);
    if (!copy) {
        strings->failed = true;
        return 0;
    }
    memcpy(copy, clean, length + 1);
    *slot = (struct string_entry){copy, (uint32_t)length, strings->count++};
    part.n_string_table = 1;
    part.string_table = &copy;
    if (!stream_part(strings->stream, &part))
        strings->failed = true;
    return slot->index;
}

int64_t string_table_literal(struct string_table *strings, const char *text)
{
    return string_table_enter(strings, text, strlen(text));
}
