/* The page's files, embedded by embed.py when the program is built. */
#ifndef COLLECTOR_WEB_FILES_H
#define COLLECTOR_WEB_FILES_H

#include <stddef.h>

struct web_file {
    const char *name; /* NULL ends the list */
    const char *type; /* Content-Type */
    const char *etag;
    const unsigned char *data;
    size_t size;
};

extern const struct web_file web_files[];

#endif
