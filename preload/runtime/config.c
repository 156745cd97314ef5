#include "runtime/config.h"

#include "kit/sections.h"
#include "kit/sys.h"
#include "kit/text.h"
#include <signal.h>
#include <string.h>

COLD_TAIL struct config config;

enum type { NUMBER, BYTES, NS, SECONDS, SIGNAL, AUTO_SIGNAL, WORD, WORDS, PATH, STRING, BORROWED };

struct entry {
    const char *variable;
    enum type type;
    uint16_t offset, size; /* of the field in struct config */
    uint64_t least, most;
    const char *standard, *accepted, *help;
};

#define ENTRY(variable, field, type, least, most, standard, accepted, help)                        \
    {#variable, type, offsetof(struct config, field), sizeof(config.field), least, most, standard, \
     accepted,  help},
static const struct entry entries[] = {CONFIG_TABLE(ENTRY)};

#define ENTRIES (sizeof entries / sizeof entries[0])

#define PREFIX "LIBPROF_"
#define PREFIX_LENGTH (sizeof PREFIX - 1)

/* Texts inside: pointers would have to be relocated in each process. */
struct unit {
    char suffix[3];
    uint64_t factor; /* 0: the end */
};

static const struct unit number_units[] = {{"", 1}, {"", 0}};
static const struct unit byte_units[] = {{"", 1},        {"b", 1},       {"k", 1 << 10},
                                         {"m", 1 << 20}, {"g", 1 << 30}, {"", 0}};
static const struct unit ns_units[] = {{"", 1},         {"ns", 1},         {"us", 1000},
                                       {"ms", 1000000}, {"s", 1000000000}, {"", 0}};
static const struct unit second_units[] = {{"", 1000000000},
                                           {"ms", 1000000},
                                           {"s", 1000000000},
                                           {"m", UINT64_C(60000000000)},
                                           {"h", UINT64_C(3600000000000)},
                                           {"", 0}};

/* strcasecmp without a locale. */
static bool same_word(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;
        if (x != y)
            return false;
    }
    return *a == *b;
}

static bool parse_digits(const char **at, uint64_t *number)
{
    const char *p = *at;

    for (*number = 0; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (unsigned)(*p - '0'), number))
            return false;
    if (p == *at)
        return false;
    *at = p;
    return true;
}

static bool parse_number(const struct entry *entry, const struct unit *units, const char *value,
                         uint64_t *out)
{
    uint64_t number;

    if (!parse_digits(&value, &number))
        return false;
    for (; units->factor; units++)
        if (same_word(value, units->suffix))
            break;
    if (!units->factor || __builtin_mul_overflow(number, units->factor, &number))
        return false;
    if (number < entry->least || number > entry->most)
        return false;
    *out = number;
    return true;
}

static bool has_sig_prefix(const char *name)
{
    return (name[0] | 32) == 's' && (name[1] | 32) == 'i' && (name[2] | 32) == 'g';
}

int config_signal_number(const char *name)
{
    static const struct {
        char name[7];
        uint8_t number;
    } names[] = {
        {"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT},     {"ILL", SIGILL},
        {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},   {"BUS", SIGBUS},       {"FPE", SIGFPE},
        {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},   {"USR2", SIGUSR2},     {"PIPE", SIGPIPE},
        {"ALRM", SIGALRM}, {"TERM", SIGTERM},   {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},
        {"CONT", SIGCONT}, {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU},
        {"URG", SIGURG},   {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ},     {"VTALRM", SIGVTALRM},
        {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},         {"PWR", SIGPWR},
        {"SYS", SIGSYS}};
    char base[16];
    size_t length;
    uint64_t number = 0;
    int sign = 0;

    if (parse_digits(&name, &number) && !*name)
        return number >= 1 && number <= 64 && number != SIGKILL && number != SIGSTOP &&
                       (number < 32 || number >= (uint64_t)SIGRTMIN)
                   ? (int)number
                   : -1;
    length = text_until(name, "+-");
    if (length >= sizeof base)
        return -1;
    memcpy(base, name, length);
    base[length] = '\0';
    if (name[length]) {
        sign = name[length] == '+' ? 1 : -1;
        name += length + 1;
        if (!parse_digits(&name, &number) || *name || number > 64)
            return -1;
    }
    name = has_sig_prefix(base) ? base + 3 : base;
    if (same_word(name, "RTMIN") || same_word(name, "RTMAX")) {
        int found = (same_word(name, "RTMIN") ? SIGRTMIN : SIGRTMAX) + sign * (int)number;
        return found >= SIGRTMIN && found <= SIGRTMAX ? found : -1;
    }
    if (sign)
        return -1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (same_word(name, names[i].name))
            return names[i].number;
    return -1;
}

/* The place of a word (length bytes) in a list with commas, or -1. */
static int word_index(const char *list, const char *word, size_t length)
{
    for (int index = 0;; index++) {
        size_t end = text_until(list, ",");
        if (end == length && memcmp(list, word, length) == 0)
            return index;
        if (!list[end])
            return -1;
        list += end + 1;
    }
}

static bool parse_words(const struct entry *entry, const char *value, uint64_t *mask)
{
    *mask = 0;
    if (same_word(value, "none"))
        return true;
    if (same_word(value, "all"))
        value = entry->accepted;
    for (;;) {
        size_t length = text_until(value, ",");
        int index = word_index(entry->accepted, value, length);
        if (index < 0)
            return false;
        *mask |= UINT64_C(1) << index;
        if (!value[length])
            return true;
        value += length + 1;
    }
}

/* An absolute path: the working directory of now is put before a relative one. */
static bool parse_path(const struct entry *entry, const char *value, char *field)
{
    struct text text;

    text_init(&text, field, entry->size);
    if (value[0] != '/') {
        long length = sys_call2(SYS_getcwd, field, entry->size);
        /* without a reachable working directory the path stays relative */
        text.length = length > 1 && field[0] == '/' ? (size_t)length - 1 : 0;
        if (text.length > 1)
            text_string(&text, "/");
    }
    text_string(&text, value);
    return !text.cut;
}

static bool parse(const struct entry *entry, const char *value)
{
    void *field = (char *)&config + entry->offset;
    uint64_t *number = field;
    int index;

    switch (entry->type) {
    case NUMBER:
        return parse_number(entry, number_units, value, number);
    case BYTES:
        return parse_number(entry, byte_units, value, number);
    case NS:
        return parse_number(entry, ns_units, value, number);
    case SECONDS:
        return parse_number(entry, second_units, value, number);
    case SIGNAL:
    case AUTO_SIGNAL:
        index = same_word(value, entry->type == SIGNAL ? "none" : "auto")
                    ? 0
                    : config_signal_number(value);
        if (index >= 0)
            *number = (uint64_t)index;
        return index >= 0;
    case WORD:
        index = word_index(entry->accepted, value, strlen(value));
        if (index >= 0)
            *number = (uint64_t)index;
        return index >= 0;
    case WORDS:
        return parse_words(entry, value, number);
    case PATH:
        return parse_path(entry, value, field);
    case STRING:
        if (strlen(value) >= entry->size)
            return false;
        strcpy(field, value);
        return true;
    case BORROWED:
        *(const char **)field = value;
        return true;
    }
    return false;
}

static void complain_value(config_complain complain, const struct entry *entry, const char *value)
{
    char line[400];
    struct text text;

    if (!complain)
        return;
    text_init(&text, line, sizeof line);
    /* the value is cut so that what is accepted always fits behind it */
    text_format(&text, "%s=", entry->variable);
    text_bytes(&text, value, strnlen(value, 80));
    text_format(&text, "%s makes no sense here: accepted: %s; using %s",
                strlen(value) > 80 ? "..." : "", entry->accepted,
                entry->standard[0] ? entry->standard : "none");
    complain(line);
}

static void complain_unknown(config_complain complain, const char *assignment)
{
    char line[200];
    struct text text;

    if (!complain)
        return;
    text_init(&text, line, sizeof line);
    text_bytes(&text, assignment,
               strnlen(assignment, 80) < text_until(assignment, "=") ? 80
                                                                     : text_until(assignment, "="));
    text_string(&text, " is not a variable of libprof (prof env lists them)");
    complain(line);
}

static void apply(const struct entry *entry, const char *value, config_complain complain)
{
    if (value && parse(entry, value))
        return;
    parse(entry, entry->standard);
    if (value)
        complain_value(complain, entry, value);
}

bool config_glob(const char *pattern, size_t length, const char *name)
{
    const char *end = pattern + length, *star = NULL, *retry = NULL;

    for (;;) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            retry = name;
        } else if (*name && pattern < end && (*pattern == '?' || *pattern == *name)) {
            pattern++;
            name++;
        } else if (!*name && pattern == end) {
            return true;
        } else if (star && *retry) {
            pattern = star;
            name = ++retry;
        } else {
            return false;
        }
    }
}

static bool name_selected(const char *list, const char *path)
{
    const char *slash, *name;

    if (!path)
        return false;
    slash = strrchr(path, '/');
    name = slash ? slash + 1 : path;
    for (;;) {
        size_t length = text_until(list, ",");
        if (config_glob(list, length, name))
            return true;
        if (!list[length])
            return false;
        list += length + 1;
    }
}

static const struct entry *find_entry(const char *assignment)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        size_t length = strlen(entries[i].variable);
        if (strncmp(assignment, entries[i].variable, length) == 0 && assignment[length] == '=')
            return &entries[i];
    }
    return NULL;
}

/* What follows from several variables together. */
static void settle(bool max_memory_set)
{
    if (!(config.profiles & 1u << CONFIG_HEAP))
        config.heap_rate = 0;
    if (!(config.profiles & 1u << CONFIG_CPU))
        config.cpu_hz = 0;
    if (!(config.profiles & 1u << CONFIG_BLOCK))
        config.block_rate_ns = 0;
    if (!(config.profiles & 1u << CONFIG_MUTEX))
        config.mutex_fraction = 0;
    /* in exact mode the live table grows with the heap */
    if (config.heap_rate == 1 && !max_memory_set)
        config.max_memory = UINT64_C(4) << 30;
}

/* The variable that prof reads: where libprof.so is. */
#define PROFS_OWN "LIBPROF_SO="

void config_init(char *const *envp, const char *(*exe)(void), const char *invoked,
                 config_complain complain)
{
    const char *values[ENTRIES] = {NULL};
    const char *unknown = NULL;
    /* what decides whether this process is profiled, and whether it may speak, comes first */
    enum { FIRST_LOG, FIRST_ONLY, FIRST_FOLLOW, FIRSTS };
    const struct entry *first[FIRSTS] = {NULL};
    size_t max_memory = 0;

    for (; envp && *envp; envp++) {
        const struct entry *entry;
        if (strncmp(*envp, PREFIX, PREFIX_LENGTH) != 0)
            continue;
        entry = find_entry(*envp);
        if (!entry && strncmp(*envp, PROFS_OWN, sizeof PROFS_OWN - 1) != 0)
            unknown = *envp;
        else if (entry && (*envp)[strlen(entry->variable) + 1]) /* empty counts as not set */
            values[entry - entries] = *envp + strlen(entry->variable) + 1;
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        if (entries[i].offset == offsetof(struct config, log))
            first[FIRST_LOG] = &entries[i];
        else if (entries[i].offset == offsetof(struct config, only))
            first[FIRST_ONLY] = &entries[i];
        else if (entries[i].offset == offsetof(struct config, follow))
            first[FIRST_FOLLOW] = &entries[i];
        else if (entries[i].offset == offsetof(struct config, max_memory))
            max_memory = i;
    }
    for (int i = 0; i < FIRSTS; i++)
        apply(first[i], values[first[i] - entries], NULL);
    config.selected = (!config.only[0] || name_selected(config.only, exe ? exe() : NULL) ||
                       name_selected(config.only, invoked)) &&
                      !follow_excludes_me((enum config_follow)config.follow);
    if (!config.selected)
        return;
    for (size_t i = 0; i < ENTRIES; i++)
        apply(&entries[i], values[i], complain);
    if (unknown)
        complain_unknown(complain, unknown);
    settle(values[max_memory] != NULL);
}

void config_print_table(void (*put)(void *context, const char *text), void *context)
{
    put(context, "| Variable | Default | Accepted | What it does |\n|---|---|---|---|\n");
    for (size_t i = 0; i < ENTRIES; i++) {
        const char *cells[] = {entries[i].variable,
                               entries[i].standard[0] ? entries[i].standard : "none",
                               entries[i].accepted, entries[i].help};
        for (size_t cell = 0; cell < sizeof cells / sizeof cells[0]; cell++) {
            put(context, cell ? " | " : "| ");
            put(context, cell < 2 ? "`" : "");
            put(context, cells[cell]);
            put(context, cell < 2 ? "`" : "");
        }
        put(context, " |\n");
    }
}
