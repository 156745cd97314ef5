#include "base/regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

/* Enough for any sane expression on a name of 100 kB; PCRE2's own default is ten
 * million, seconds on a bad one. */
#define MATCH_LIMIT 1000000

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
};

struct regex *regex_compile(const char *what, const char *pattern, struct error *err)
{
    int code;
    PCRE2_SIZE offset;
    /* MATCH_INVALID_UTF: names may hold any bytes. */
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &offset, NULL);
    if (!compiled) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(code, text, sizeof(text));
        fail_with(err, "parsing %s regexp: %s at position %zu of `%.200s`", what,
                  (const char *)text, (size_t)offset, pattern);
        return NULL;
    }
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* without it, it is slower only */
    struct regex *rx = mem_zero(1, sizeof(*rx));
    rx->code = compiled;
    rx->match = pcre2_match_data_create_from_pattern(compiled, NULL);
    rx->context = pcre2_match_context_create(NULL);
    if (!rx->match || !rx->context)
        mem_die();
    pcre2_set_match_limit(rx->context, MATCH_LIMIT);
    return rx;
}

bool regex_matches(const struct regex *rx, const char *text)
{
    return pcre2_match(rx->code, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, rx->match,
                       rx->context) >= 0;
}

void regex_free(struct regex *rx)
{
    if (!rx)
        return;
    pcre2_match_context_free(rx->context);
    pcre2_match_data_free(rx->match);
    pcre2_code_free(rx->code);
    free(rx);
}
