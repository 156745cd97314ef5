#include "interp/python_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/peek.h"

#define NAME_MOST 4096 /* letters; PATH_MAX */
#define TABLE_MOST 1048576
#define LENGTH_AT 16 /* of PyASCIIObject and PyVarObject: after reference count and type */
#define STATE_AT 32
#define BYTES_AT 32 /* ob_sval */
#define CODE_UNIT 2 /* bytes of an instruction, _Py_CODEUNIT */

/* PyASCIIObject.state: two bits on interning, three of the letters' size, compact, ascii. */
#define KIND(state) ((state) >> 2 & 7)
#define IS_COMPACT(state) ((state) >> 5 & 1)
#define IS_ASCII(state) ((state) >> 6 & 1)

static size_t put_utf8(char *to, uint32_t letter)
{
    if (letter < 0x80) {
        to[0] = (char)letter;
        return 1;
    }
    if (letter < 0x800) {
        to[0] = (char)(0xc0 | letter >> 6);
        to[1] = (char)(0x80 | (letter & 0x3f));
        return 2;
    }
    if (letter < 0x10000) {
        to[0] = (char)(0xe0 | letter >> 12);
        to[1] = (char)(0x80 | (letter >> 6 & 0x3f));
        to[2] = (char)(0x80 | (letter & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | (letter >> 18 & 7));
    to[1] = (char)(0x80 | (letter >> 12 & 0x3f));
    to[2] = (char)(0x80 | (letter >> 6 & 0x3f));
    to[3] = (char)(0x80 | (letter & 0x3f));
    return 4;
}

static uint32_t letter_at(const unsigned char *letters, size_t n, unsigned kind)
{
    uint32_t letter = 0;
    memcpy(&letter, letters + n * kind, kind);
    return letter;
}

char *python_text_read(pid_t pid, const struct python_layout *layout, uint64_t object)
{
    unsigned char head[STATE_AT + 4];
    int64_t length;
    uint32_t state;
    if (!object || !peek(pid, object, head, sizeof head))
        return NULL;
    memcpy(&length, head + LENGTH_AT, sizeof length);
    memcpy(&state, head + STATE_AT, sizeof state);
    unsigned kind = KIND(state);
    if (!IS_COMPACT(state) || length < 0 || length > NAME_MOST ||
        (kind != 1 && kind != 2 && kind != 4))
        return NULL;
    uint64_t at = object + (IS_ASCII(state) ? layout->text_ascii : layout->text_compact);
    unsigned char *letters = mem_alloc((size_t)length * kind + 1);
    char *text = NULL;
    if (length == 0 || peek(pid, at, letters, (size_t)length * kind)) {
        size_t size = 0;
        text = mem_alloc((size_t)length * 4 + 1);
        for (size_t n = 0; n < (size_t)length; n++)
            size += put_utf8(text + size, letter_at(letters, n, kind));
        text[size] = '\0';
    }
    free(letters);
    return text;
}

unsigned char *python_bytes_read(pid_t pid, uint64_t object, size_t *size)
{
    int64_t length;
    if (!object || !peek(pid, object + LENGTH_AT, &length, sizeof length) || length < 0 ||
        length > TABLE_MOST)
        return NULL;
    unsigned char *bytes = mem_alloc((size_t)length + 1);
    *size = (size_t)length;
    if (length == 0 || peek(pid, object + BYTES_AT, bytes, *size))
        return bytes;
    free(bytes);
    return NULL;
}

/* Six bits a byte, the lowest first; bit 6 says that there are more. */
static uint32_t read_varint(const unsigned char *table, size_t size, size_t *at)
{
    uint32_t value = 0;
    for (unsigned shift = 0; *at < size && shift < 32; shift += 6) {
        unsigned char byte = table[(*at)++];
        value |= (uint32_t)(byte & 0x3f) << shift;
        if (!(byte & 0x40))
            break;
    }
    return value;
}

static int32_t read_signed(const unsigned char *table, size_t size, size_t *at)
{
    uint32_t value = read_varint(table, size, at);
    return value & 1 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
}

/* The forms of an entry. */
enum { FORM_ONE_LINE = 10, FORM_NO_COLUMNS = 13, FORM_LONG = 14, FORM_NONE = 15 };

unsigned python_line(const unsigned char *table, size_t size, unsigned first_line, uint64_t offset)
{
    int64_t line = first_line;
    uint64_t covered = 0;
    for (size_t at = 0; at < size;) {
        unsigned char head = table[at++];
        unsigned form = head >> 3 & 15;
        if (!(head & 0x80))
            return 0; /* every entry begins with a set bit: this is no such table */
        if (form == FORM_LONG) {
            line += read_signed(table, size, &at);
            read_varint(table, size, &at);
            read_varint(table, size, &at);
            read_varint(table, size, &at);
        } else if (form == FORM_NO_COLUMNS) {
            line += read_signed(table, size, &at);
        } else if (form >= FORM_ONE_LINE && form < FORM_NO_COLUMNS) {
            line += form - FORM_ONE_LINE;
            at += 2;
        } else if (form != FORM_NONE) {
            at += 1;
        }
        covered += ((head & 7u) + 1) * CODE_UNIT;
        if (offset < covered)
            return form == FORM_NONE || line <= 0 ? 0 : (unsigned)line;
    }
    return 0;
}
