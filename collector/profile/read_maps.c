/*
 * Memory maps in text profiles: lines of /proc/PID/maps, or the brief form
 * `START-END FILE (@OFFSET) BUILDID`; and which names such profiles drop.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "profile/read_internal.h"

static bool parse_hex(const char **s, uint64_t *value)
{
    char *end;
    if (strncmp(*s, "0x", 2) == 0)
        *s += 2;
    if (!isxdigit((unsigned char)**s))
        return false;
    *value = strtoull(*s, &end, 16);
    *s = end;
    return true;
}

/* The next word of a line that ends at '\n' or NUL; its length, 0 if there is none. */
static size_t next_word(const char **s)
{
    *s += strspn(*s, " \t");
    return strcspn(*s, " \t\r\n");
}

struct map_line {
    uint64_t start, limit, offset;
    const char *file, *build_id;
    size_t file_length, build_id_length;
};

/* After the permissions: `OFFSET MAJOR:MINOR INODE [FILE]`. */
static bool parse_proc_rest(const char *s, struct map_line *m)
{
    if (!parse_hex(&s, &m->offset) || !next_word(&s) || !memchr(s, ':', next_word(&s)))
        return false;
    s += next_word(&s);
    size_t inode = next_word(&s);
    if (!inode || strspn(s, "0123456789") < inode)
        return false;
    s += inode;
    s += strspn(s, " \t");
    m->file = s;
    m->file_length = strcspn(s, "\r\n");
    static const char deleted[] = " (deleted)";
    size_t n = sizeof(deleted) - 1;
    if (m->file_length > n && memcmp(s + m->file_length - n, deleted, n) == 0)
        m->file_length -= n;
    return true;
}

/* `[FILE] [(@OFFSET)] [BUILDID]`. */
static void parse_brief_rest(const char *s, struct map_line *m)
{
    size_t n = next_word(&s);
    if (n && *s != '(') {
        m->file = s;
        m->file_length = n;
        s += n;
        n = next_word(&s);
    }
    if (n > 2 && s[0] == '(' && s[1] == '@') {
        m->offset = strtoull(s + 2, NULL, 16);
        s += n;
        n = next_word(&s);
    }
    m->build_id = s;
    m->build_id_length = n;
}

/* False: not a map line, or not of executable memory. */
static bool parse_map_line(const char *s, struct map_line *m)
{
    *m = (struct map_line){.file = "", .build_id = ""};
    s += strspn(s, " \t");
    if (!parse_hex(&s, &m->start) || (*s != '-' && *s != ' '))
        return false;
    s += strspn(s, "- \t");
    if (!parse_hex(&s, &m->limit))
        return false;
    if (*s == ':')
        s++;
    size_t n = next_word(&s);
    if (n >= 3 && strspn(s, "-rwxps") == n) {
        if (!memchr(s, 'x', n))
            return false;
        s += n;
        next_word(&s);
        if (parse_proc_rest(s, m))
            return true;
    }
    parse_brief_rest(s, m);
    return m->limit > m->start;
}

/* One file's text split into ranges that follow each other is one mapping. */
static bool continues(const struct profile_mapping *a, const struct map_line *b)
{
    return a->limit == b->start && strlen(a->file) == b->file_length &&
           memcmp(a->file, b->file, b->file_length) == 0 &&
           a->offset + (a->limit - a->start) == b->offset;
}

static bool looks_like_library(const char *file)
{
    const char *so = strstr(file, ".so");
    for (; so; so = strstr(so + 1, ".so"))
        if (!so[3] || ((so[3] == '.' || so[3] == '_') && isdigit((unsigned char)so[4])))
            return true;
    return false;
}

/* The main program comes first: the first file that is no library. */
static void move_main_first(struct profile *p)
{
    for (size_t i = 0; i < p->n_mappings; i++) {
        struct profile_mapping *m = p->mappings[i];
        if (!*m->file || *m->file == '[' || looks_like_library(m->file))
            continue;
        p->mappings[i] = p->mappings[0];
        p->mappings[0] = m;
        break;
    }
    for (size_t i = 0; i < p->n_mappings; i++)
        p->mappings[i]->id = i + 1;
}

void read_maps(struct profile *p, const char *at, const char *end)
{
    struct profile_mapping *fake = NULL;
    while (at < end) {
        struct map_line line;
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        if (parse_map_line(at, &line)) {
            struct profile_mapping *m = p->n_mappings ? p->mappings[p->n_mappings - 1] : NULL;
            if (m && continues(m, &line)) {
                m->limit = line.limit;
            } else {
                m = profile_add_mapping(p);
                m->start = line.start;
                m->limit = line.limit;
                m->offset = line.offset;
                m->file = profile_intern_n(p, line.file, line.file_length);
                m->build_id = profile_intern_n(p, line.build_id, line.build_id_length);
            }
        }
        at = nl ? nl + 1 : end;
    }
    move_main_first(p);
    size_t real = p->n_mappings;
    for (size_t i = 0; i < p->n_locations; i++) {
        struct profile_location *l = p->locations[i];
        for (size_t j = 0; j < real && !l->mapping; j++)
            if (p->mappings[j]->start <= l->address && l->address < p->mappings[j]->limit)
                l->mapping = p->mappings[j];
        if (!l->mapping && l->address) {
            if (!fake) {
                fake = profile_add_mapping(p);
                fake->limit = UINT64_MAX;
            }
            l->mapping = fake;
        }
    }
}

/* ---- Names of allocators and the like, as Go's reader drops them ---- */

static const char drop_heap[] =
    "calloc|cfree|malloc|free|memalign|do_memalign|(__)?posix_memalign|pvalloc|valloc|realloc|"
    "tcmalloc::.*|tc_(calloc|cfree|malloc|free|memalign|posix_memalign|pvalloc|valloc|realloc|new|"
    "delete|newarray|deletearray|new_nothrow|newarray_nothrow)|"
    "malloc_zone_(malloc|calloc|valloc|realloc|memalign|free)|"
    "runtime\\..*|BaseArena::.*|(::)?do_malloc(_no_errno|_pages)?|DoSampledAllocation|"
    "MallocedMemBlock::MallocedMemBlock|_M_allocate|__builtin_(vec_)?(delete|new)|"
    "__gnu_cxx::new_allocator::allocate|__libc_malloc|__malloc_alloc_template::allocate|allocate|"
    "cpp_alloc|operator new(\\[\\])?|simple_alloc::allocate";
static const char keep_heap[] = "runtime\\.panic|runtime\\.reflectcall|runtime\\.call[0-9]*";
static const char drop_lock[] =
    "(base::)?(RecordLockProfileData|SubmitMutexProfileData|SubmitSpinLockProfileData).*|"
    "(base::)?(Mutex::)?(AwaitCommon|Unlock|UnlockSlow|ReaderUnlock).*|"
    "(base::)?(MutexLock::)?~MutexLock.*|(SpinLock::)?(Slow)?Unlock.*|"
    "(SpinLockHolder::)?~SpinLockHolder.*";
static const char drop_cpu[] = "ProfileData::Add|ProfileData::prof_handler|"
                               "CpuProfiler::prof_handler|__pthread_sighandler|__restore";

void read_text_set_drop_frames(struct profile *p)
{
    const char *type = p->n_sample_types ? p->sample_types[0].type : "", *drop = drop_cpu;
    const char *keep = "";
    if (strcmp(type, "alloc_objects") == 0 || strcmp(type, "objects") == 0) {
        drop = drop_heap;
        keep = keep_heap;
    } else if (strcmp(type, "contentions") == 0) {
        drop = drop_lock;
    }
    p->drop_frames = profile_intern(p, drop);
    p->keep_frames = profile_intern(p, keep);
}
