/*
 * Profiles from and to files: protobuf (gzip or raw) and the older text forms.
 *
 * Bad input yields an error line and no profile; a write that fails leaves
 * nothing behind: files appear under their name complete or not at all.
 */
#ifndef COLLECTOR_PROFILE_PROFILE_IO_H
#define COLLECTOR_PROFILE_PROFILE_IO_H

#include "profile/profile.h"

/* Largest uncompressed profile that is read, bytes: far above any real one (a
 * large process's heap is some 20 MB), small enough to keep a gzip bomb from
 * filling the machine. */
#define PROFILE_MAX_BYTES ((size_t)512 << 20)
/* Largest memory the decoded messages may take: 2-byte submessages can blow up
 * the input some fifty times. */
#define PROFILE_MAX_DECODED ((size_t)3 << 30)

/* Reads the named file; "-" is standard input. NULL with *err filled in. */
struct profile *profile_read_file(const char *path, struct error *err);
/* Reads fd from where it stands to its end. */
struct profile *profile_read_fd(int fd, struct error *err);
/* data is not kept. */
struct profile *profile_read_memory(const void *data, size_t size, struct error *err);

/* Encodes as gzip (compress) or raw protobuf. *out is malloc'ed, the caller frees it. */
bool profile_encode(const struct profile *p, bool compress, unsigned char **out, size_t *size,
                    struct error *err);
/* Writes gzip'ed protobuf to path by way of a temporary file beside it; "-" is
 * standard output. A device or pipe is written to directly. */
bool profile_write_file(const struct profile *p, const char *path, struct error *err);
/* The same for bytes of any kind. */
bool profile_write_bytes(const char *path, const void *data, size_t size, struct error *err);
bool profile_write_fd(const struct profile *p, int fd, struct error *err);

#endif
