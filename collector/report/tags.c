/* How much each value of each label accounts for. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "report/report.h"

struct value_sum {
    UT_hash_handle hh;
    int64_t sum;
    char text[];
};

struct key_sum {
    UT_hash_handle hh;
    const char *key;
    struct value_sum *values;
};

static void add_value(struct key_sum **keys, const char *key, const char *text, int64_t value)
{
    struct key_sum *k;
    struct value_sum *v;
    HASH_FIND_STR(*keys, key, k);
    if (!k) {
        k = mem_zero(1, sizeof(*k));
        k->key = key;
        HASH_ADD_KEYPTR(hh, *keys, k->key, strlen(k->key), k);
    }
    HASH_FIND_STR(k->values, text, v);
    if (!v) {
        v = mem_zero(1, sizeof(*v) + strlen(text) + 1);
        strcpy(v->text, text);
        HASH_ADD_STR(k->values, text, v);
    }
    v->sum += value;
}

static int by_key(const struct key_sum *a, const struct key_sum *b)
{
    return strcmp(a->key, b->key);
}

static int by_sum(const struct value_sum *a, const struct value_sum *b)
{
    int64_t x = llabs(a->sum), y = llabs(b->sum);
    return x != y ? (x < y) - (x > y) : strcmp(a->text, b->text);
}

/* `1.5MB`: one decimal, always. */
static char *one_decimal(const struct report *r, char buf[UNIT_TEXT], int64_t value)
{
    const char *unit;
    double v = unit_scale(value, r->unit, r->out_unit, &unit);
    snprintf(buf, UNIT_TEXT, "%.1f%s", v, unit);
    return buf;
}

/* Two columns, each as wide as its widest cell, aligned to the right. */
static void print_key(const struct report *r, struct key_sum *k, FILE *out)
{
    char number[UNIT_TEXT], percent[UNIT_TEXT];
    struct value_sum *v, *next;
    int64_t total = 0;
    HASH_SORT(k->values, by_sum);
    HASH_ITER(hh, k->values, v, next)
    total += v->sum;
    size_t width = strlen(k->key) + 1, second = 0;
    char **cells = mem_zero(HASH_COUNT(k->values), sizeof(*cells));
    size_t n = 0;
    HASH_ITER(hh, k->values, v, next)
    {
        one_decimal(r, number, v->sum);
        cells[n] = total > 0 ? mem_printf("%s (%s):", number, unit_percent(percent, v->sum, total))
                             : mem_printf("%s:", number);
        second = strlen(cells[n]) > second ? strlen(cells[n]) : second;
        n++;
    }
    fprintf(out, " %s: Total %s\n", k->key, one_decimal(r, number, total));
    n = 0;
    HASH_ITER(hh, k->values, v, next)
    {
        fprintf(out, "%*s %*s %s\n", (int)width + 1, "", (int)second, cells[n], v->text);
        free(cells[n++]);
    }
    fputc('\n', out);
    free(cells);
}

void report_tags(struct report *r, FILE *out)
{
    struct key_sum *keys = NULL, *k, *next_key;
    for (size_t i = 0; i < r->p->n_samples; i++) {
        const struct profile_sample *s = r->p->samples[i];
        for (size_t j = 0; j < s->n_labels; j++) {
            const struct profile_label *l = &s->labels[j];
            char buf[UNIT_TEXT];
            add_value(&keys, l->key,
                      l->str
                          ? l->str
                          : unit_format(buf, l->num, profile_label_unit(r->p, l->key), r->out_unit),
                      s->values[r->index]);
        }
    }
    HASH_SORT(keys, by_key);
    HASH_ITER(hh, keys, k, next_key)
    {
        struct value_sum *v, *next;
        print_key(r, k, out);
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): uthash, as collector/.clang-tidy */
        HASH_DEL(keys, k);
        HASH_ITER(hh, k->values, v, next)
        {
            HASH_DEL(k->values, v);
            free(v);
        }
        free(k);
    }
}
