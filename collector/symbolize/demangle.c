#include "symbolize/demangle.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What compilers hang on a function's name when they make a variant of it. */
static bool is_clone_suffix(const char *dot)
{
    static const char *const known[] = {".isra",     ".constprop",  ".part", ".cold",
                                        ".lto_priv", ".localalias", ".llvm", ".specialized"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        size_t n = strlen(known[i]);
        if (strncmp(dot, known[i], n) == 0 && (!dot[n] || dot[n] == '.'))
            return true;
    }
    return false;
}

/* Cuts clone suffixes and symbol versions (name@@VERSION) off. */
static void strip_suffixes(char *name)
{
    char *at = strchr(name, '@');
    if (at && at != name)
        *at = '\0';
    for (char *dot = strchr(name + (*name == '.'), '.'); dot; dot = strchr(dot + 1, '.'))
        if (dot != name && is_clone_suffix(dot)) {
            *dot = '\0';
            return;
        }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$';
}

/* Length of the operator's symbols behind "operator" at s: its < and > are no
 * brackets. 0 if it is a conversion or a named one (new, delete). */
static size_t operator_length(const char *s)
{
    static const char *const symbols[] = {"<=>", "<<=", ">>=", "->*", "<<", ">>",
                                          "<=",  ">=",  "->",  "()",  "<",  ">"};
    for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++)
        if (strncmp(s, symbols[i], strlen(symbols[i])) == 0)
            return strlen(symbols[i]);
    return 0;
}

/* Takes template arguments out: a<b<c>>::d -> a::d. In place. */
static void strip_template_arguments(char *name)
{
    char *to = name;
    unsigned depth = 0;
    for (const char *s = name; *s;) {
        if (strncmp(s, "operator", 8) == 0 && (s == name || !is_word(s[-1])) && !is_word(s[8])) {
            size_t n = 8 + operator_length(s + 8);
            if (!depth) {
                memmove(to, s, n);
                to += n;
            }
            s += n;
            continue;
        }
        if (*s == '<') {
            depth++;
        } else if (*s == '>' && depth && s[-1] != '-') {
            depth--;
        } else if (!depth) {
            *to++ = *s;
        }
        s++;
    }
    *to = '\0';
}

static bool is_rust(const char *name)
{
    if (name[0] == '_' && name[1] == 'R')
        return true;
    /* The legacy scheme is Itanium's with a last part of 17h and 16 hex digits. */
    const char *hash = strstr(name, "17h");
    for (; hash; hash = strstr(hash + 1, "17h"))
        if (strspn(hash + 3, "0123456789abcdef") == 16 && hash[19] == 'E')
            return true;
    return false;
}

/* Ada library-level procedures carry this prefix; other Ada names look like C. */
static char *demangle_ada(const char *name)
{
    return strncmp(name, "_ada_", 5) == 0 ? ada_demangle(name, 0) : NULL;
}

/* libiberty gives up on names nested 2048 deep, lest it overflow the stack. A name of
 * this length cannot do that to 8 MB, however it is nested: no limit is needed. */
#define SAFE_LENGTH 24576

static int recursion_option(const char *name)
{
    return strlen(name) < SAFE_LENGTH ? DMGL_NO_RECURSE_LIMIT : 0;
}

static char *demangle_short(const char *name)
{
    bool rust = is_rust(name);
    char *text =
        cplus_demangle(name, (rust ? DMGL_RUST | DMGL_PARAMS : DMGL_AUTO) | recursion_option(name));
    if (!text && strncmp(name, "_D", 2) == 0)
        text = dlang_demangle(name, 0);
    if (!text)
        text = demangle_ada(name);
    if (text && !rust)
        strip_template_arguments(text);
    return text;
}

static char *demangle_full(const char *name)
{
    char *text = cplus_demangle(name, DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI | recursion_option(name));
    if (!text && strncmp(name, "_D", 2) == 0)
        text = dlang_demangle(name, DMGL_PARAMS);
    return text ? text : demangle_ada(name);
}

char *demangle_name(const char *name, enum demangle_style style)
{
    char *plain = mem_strdup(name), *text = NULL;
    if (style == DEMANGLE_NONE)
        return plain;
    strip_suffixes(plain);
    /* Only these can be mangled: spares libiberty the C names. */
    if (plain[0] == '_' || plain[0] == '.')
        text = style == DEMANGLE_FULL ? demangle_full(plain) : demangle_short(plain);
    if (!text || !*text) {
        free(text);
        /* put together from DWARF: as short as the same function's mangled name comes out */
        if (style == DEMANGLE_SHORT && plain[0] != '<')
            strip_template_arguments(plain);
        return plain;
    }
    free(plain);
    return text;
}
