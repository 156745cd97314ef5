/* The copy of libprof.so that is injected, with the order for it filled in. */
#ifndef COLLECTOR_ATTACH_IMAGE_H
#define COLLECTOR_ATTACH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/attach_order.h"

struct image {
    unsigned char *bytes;
    size_t size;
    struct attach_order order; /* as it stands in the copy */
};

/*
 * Reads libprof.so from `library` and fills in its order. environment: LIBPROF_ variables
 * as "NAME=value", ended by NULL. False with *err filled in: the file cannot be read, is
 * no libprof.so or of another version, or the variables are too long. image_free releases it.
 */
bool image_read(struct image *image, const char *library, const char *const *environment,
                struct error *err);
void image_free(struct image *image);

#endif
