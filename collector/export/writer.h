/*
 * Text under construction, in memory: what every export writes with, and the one
 * place where names are made safe. Names come from symbol tables, labels and file
 * systems: any byte may be in them, and the reader is a browser or a parser.
 *
 * The writer_put_json, _xml and _line functions also replace ill-formed UTF-8 by
 * U+FFFD, so that what they are given needs no care.
 */
#ifndef COLLECTOR_EXPORT_WRITER_H
#define COLLECTOR_EXPORT_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct writer {
    char *data; /* malloc'ed; no NUL at the end */
    size_t size;
    size_t room;
};

/* Gives the text back; the writer is empty again, as one of zeros is. */
void writer_free(struct writer *w);

/* Appends what is given, as it stands; numbers are decimal. */
void writer_put_bytes(struct writer *w, const void *data, size_t size);
void writer_put(struct writer *w, const char *text);
void writer_put_char(struct writer *w, char c);
void writer_put_int(struct writer *w, int64_t value);
void writer_put_uint(struct writer *w, uint64_t value);
/* "0x" and lower-case digits. */
void writer_put_hex(struct writer *w, uint64_t value);
void writer_printf(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string with its quotes. < > & and U+2028/9 are escaped too: the result may
 * stand in a <script> element. */
void writer_put_json(struct writer *w, const char *text);
/* Text or attribute value (in either quotes) of XML and HTML; control characters,
 * which XML cannot hold at all, become U+FFFD. */
void writer_put_xml(struct writer *w, const char *text);
/* One line of text: control characters become spaces, and the ASCII character `not`
 * (0: none) becomes `instead`. */
void writer_put_line(struct writer *w, const char *text, char not, char instead);

#endif
