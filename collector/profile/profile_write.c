/*
 * The model -> protobuf. What is written pleases every reader known: ids are 1..N
 * in order, each string stands once, strings are valid UTF-8.
 */
#include "profile/profile_io.h"

#include <errno.h>
#include <fcntl.h>
#include <obstack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "profile.pb-c.h"

#define obstack_chunk_alloc mem_alloc
#define obstack_chunk_free free

#define GZIP_WINDOW (15 + 16)

struct string_entry {
    UT_hash_handle hh;
    int64_t index;
    char *text;
};

struct encoder {
    struct obstack memory; /* all messages */
    struct string_entry *strings;
    char **table;
    size_t n_table, cap_table;
};

static int64_t string_index(struct encoder *e, const char *s)
{
    struct string_entry *entry;
    char *clean = utf8_is_valid(s) ? NULL : utf8_sanitize(s);
    const char *key = clean ? clean : s;
    size_t n = strlen(key);
    HASH_FIND(hh, e->strings, key, n, entry);
    if (!entry) {
        entry = obstack_alloc(&e->memory, sizeof(*entry));
        entry->text = obstack_copy0(&e->memory, key, n);
        entry->index = (int64_t)e->n_table;
        HASH_ADD_KEYPTR(hh, e->strings, entry->text, n, entry);
        e->table = mem_grow(e->table, e->n_table, &e->cap_table, sizeof(*e->table));
        e->table[e->n_table++] = entry->text;
    }
    free(clean);
    return entry->index;
}

#define NEW_MESSAGE(e, var, init)                                                                  \
    do {                                                                                           \
        (var) = obstack_alloc(&(e)->memory, sizeof(*(var)));                                       \
        init(var);                                                                                 \
    } while (0)

#define NEW_ARRAY(e, n, type) ((type *)obstack_alloc(&(e)->memory, ((n) + 1) * sizeof(type)))

static Perftools__Profiles__ValueType *encode_type(struct encoder *e,
                                                   const struct profile_value_type *t)
{
    Perftools__Profiles__ValueType *m;
    NEW_MESSAGE(e, m, perftools__profiles__value_type__init);
    m->type = string_index(e, t->type);
    m->unit = string_index(e, t->unit);
    return m;
}

static void encode_header(struct encoder *e, const struct profile *p,
                          Perftools__Profiles__Profile *out)
{
    out->n_sample_type = p->n_sample_types;
    out->sample_type = NEW_ARRAY(e, p->n_sample_types, Perftools__Profiles__ValueType *);
    for (size_t i = 0; i < p->n_sample_types; i++)
        out->sample_type[i] = encode_type(e, &p->sample_types[i]);
    out->n_comment = p->n_comments;
    out->comment = NEW_ARRAY(e, p->n_comments, int64_t);
    for (size_t i = 0; i < p->n_comments; i++)
        out->comment[i] = string_index(e, p->comments[i]);
    if (*p->period_type.type || *p->period_type.unit)
        out->period_type = encode_type(e, &p->period_type);
    out->drop_frames = string_index(e, p->drop_frames);
    out->keep_frames = string_index(e, p->keep_frames);
    out->default_sample_type = string_index(e, p->default_sample_type);
    out->doc_url = string_index(e, p->doc_url);
    out->time_nanos = p->time_nanos;
    out->duration_nanos = p->duration_nanos;
    out->period = p->period;
}

static void encode_mappings(struct encoder *e, const struct profile *p,
                            Perftools__Profiles__Profile *out)
{
    out->n_mapping = p->n_mappings;
    out->mapping = NEW_ARRAY(e, p->n_mappings, Perftools__Profiles__Mapping *);
    for (size_t i = 0; i < p->n_mappings; i++) {
        const struct profile_mapping *from = p->mappings[i];
        Perftools__Profiles__Mapping *m;
        NEW_MESSAGE(e, m, perftools__profiles__mapping__init);
        m->id = i + 1;
        m->memory_start = from->start;
        m->memory_limit = from->limit;
        m->file_offset = from->offset;
        m->filename = string_index(e, from->file);
        m->build_id = string_index(e, from->build_id);
        m->has_functions = from->has_functions;
        m->has_filenames = from->has_filenames;
        m->has_line_numbers = from->has_line_numbers;
        m->has_inline_frames = from->has_inline_frames;
        out->mapping[i] = m;
    }
    out->n_function = p->n_functions;
    out->function = NEW_ARRAY(e, p->n_functions, Perftools__Profiles__Function *);
    for (size_t i = 0; i < p->n_functions; i++) {
        const struct profile_function *from = p->functions[i];
        Perftools__Profiles__Function *m;
        NEW_MESSAGE(e, m, perftools__profiles__function__init);
        m->id = i + 1;
        m->name = string_index(e, from->name);
        m->system_name = string_index(e, from->system_name);
        m->filename = string_index(e, from->filename);
        m->start_line = from->start_line;
        out->function[i] = m;
    }
}

static void encode_locations(struct encoder *e, const struct profile *p,
                             Perftools__Profiles__Profile *out)
{
    out->n_location = p->n_locations;
    out->location = NEW_ARRAY(e, p->n_locations, Perftools__Profiles__Location *);
    for (size_t i = 0; i < p->n_locations; i++) {
        const struct profile_location *from = p->locations[i];
        Perftools__Profiles__Location *m;
        NEW_MESSAGE(e, m, perftools__profiles__location__init);
        m->id = i + 1;
        m->mapping_id = from->mapping ? from->mapping->id : 0;
        m->address = from->address;
        m->is_folded = from->is_folded;
        m->n_line = from->n_lines;
        m->line = NEW_ARRAY(e, from->n_lines, Perftools__Profiles__Line *);
        for (size_t j = 0; j < from->n_lines; j++) {
            NEW_MESSAGE(e, m->line[j], perftools__profiles__line__init);
            m->line[j]->function_id = from->lines[j].function->id;
            m->line[j]->line = from->lines[j].line;
            m->line[j]->column = from->lines[j].column;
        }
        out->location[i] = m;
    }
}

static void encode_samples(struct encoder *e, const struct profile *p,
                           Perftools__Profiles__Profile *out)
{
    out->n_sample = p->n_samples;
    out->sample = NEW_ARRAY(e, p->n_samples, Perftools__Profiles__Sample *);
    for (size_t i = 0; i < p->n_samples; i++) {
        const struct profile_sample *from = p->samples[i];
        Perftools__Profiles__Sample *m;
        NEW_MESSAGE(e, m, perftools__profiles__sample__init);
        m->n_value = p->n_sample_types;
        m->value = from->values;
        m->n_location_id = from->n_locations;
        m->location_id = NEW_ARRAY(e, from->n_locations, uint64_t);
        for (size_t j = 0; j < from->n_locations; j++)
            m->location_id[j] = from->locations[j]->id;
        m->n_label = from->n_labels;
        m->label = NEW_ARRAY(e, from->n_labels, Perftools__Profiles__Label *);
        for (size_t j = 0; j < from->n_labels; j++) {
            const struct profile_label *l = &from->labels[j];
            NEW_MESSAGE(e, m->label[j], perftools__profiles__label__init);
            m->label[j]->key = string_index(e, l->key);
            m->label[j]->str = l->str ? string_index(e, l->str) : 0;
            m->label[j]->num = l->num;
            m->label[j]->num_unit = string_index(e, l->unit);
        }
        out->sample[i] = m;
    }
}

static unsigned char *gzip_bytes(const unsigned char *in, size_t size, size_t *out_size)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY))
        mem_die();
    size_t cap = deflateBound(&z, size);
    unsigned char *out = mem_alloc(cap);
    size_t at_in = 0, at_out = 0;
    int rc;
    do {
        size_t left = size - at_in, room = cap - at_out;
        z.next_in = (unsigned char *)(uintptr_t)in + at_in;
        z.avail_in = left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (unsigned)left;
        z.next_out = out + at_out;
        z.avail_out = room > UINT32_MAX / 2 ? UINT32_MAX / 2 : (unsigned)room;
        unsigned had_in = z.avail_in, had_out = z.avail_out;
        rc = deflate(&z, had_in == left ? Z_FINISH : Z_NO_FLUSH);
        at_in += had_in - z.avail_in;
        at_out += had_out - z.avail_out;
    } while (rc == Z_OK);
    deflateEnd(&z);
    *out_size = at_out;
    return out;
}

bool profile_encode(const struct profile *p, bool compress, unsigned char **out, size_t *size,
                    struct error *err)
{
    struct encoder e = {0};
    Perftools__Profiles__Profile message = PERFTOOLS__PROFILES__PROFILE__INIT;
    if (!profile_check(p, err))
        return false;
    obstack_begin(&e.memory, 65536);
    string_index(&e, "");
    encode_header(&e, p, &message);
    encode_samples(&e, p, &message);
    encode_mappings(&e, p, &message);
    encode_locations(&e, p, &message);
    message.n_string_table = e.n_table;
    message.string_table = e.table;
    *size = perftools__profiles__profile__get_packed_size(&message);
    *out = mem_alloc(*size);
    perftools__profiles__profile__pack(&message, *out);
    HASH_CLEAR(hh, e.strings);
    obstack_free(&e.memory, NULL);
    free(e.table);
    if (compress) {
        unsigned char *raw = *out;
        *out = gzip_bytes(raw, *size, size);
        free(raw);
    }
    return true;
}

static bool write_all(int fd, const unsigned char *data, size_t size, struct error *err)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_with(err, "%s", strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return true;
}

bool profile_write_fd(const struct profile *p, int fd, struct error *err)
{
    unsigned char *data;
    size_t size;
    if (!profile_encode(p, true, &data, &size, err))
        return false;
    bool ok = write_all(fd, data, size, err);
    free(data);
    return ok;
}

/* A temporary file in the same folder, renamed when it is complete. */
static bool write_by_rename(const char *path, const unsigned char *data, size_t size,
                            struct error *err)
{
    char *temp = mem_printf("%s.XXXXXX", path);
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) {
        fail_with(err, "%s", strerror(errno));
        free(temp);
        return false;
    }
    mode_t mask = umask(0);
    umask(mask);
    bool ok = write_all(fd, data, size, err);
    if (ok && fchmod(fd, 0666 & ~mask) < 0)
        ok = fail_with(err, "%s", strerror(errno));
    if (close(fd) < 0 && ok)
        ok = fail_with(err, "%s", strerror(errno));
    if (ok && rename(temp, path) < 0)
        ok = fail_with(err, "%s", strerror(errno));
    if (!ok)
        unlink(temp);
    free(temp);
    return ok;
}

bool profile_write_bytes(const char *path, const void *data, size_t size, struct error *err)
{
    struct stat st;
    if (strcmp(path, "-") == 0)
        return write_all(STDOUT_FILENO, data, size, err);
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return fail_with(err, "is a directory");
    if (!exists || S_ISREG(st.st_mode))
        return write_by_rename(path, data, size, err);
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_with(err, "%s", strerror(errno));
    bool ok = write_all(fd, data, size, err);
    close(fd);
    return ok;
}

bool profile_write_file(const struct profile *p, const char *path, struct error *err)
{
    unsigned char *data;
    size_t size;
    if (!profile_encode(p, true, &data, &size, err))
        return false;
    bool ok = profile_write_bytes(path, data, size, err);
    free(data);
    return ok;
}
