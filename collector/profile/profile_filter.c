/*
 * focus, ignore, hide, show and their kind; drop_frames. Expressions are matched
 * once for each location, not for each frame of each sample.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/regex.h"
#include "profile/profile_ops.h"
#include "profile/tag_filter.h"

/* What a location means for the samples it is in. */
struct verdict {
    bool focus, ignore, hidden, cut;
};

static bool line_matches(const struct profile_line *line, const struct regex *rx)
{
    return regex_matches(rx, line->function->name) || regex_matches(rx, line->function->filename);
}

static bool mapping_matches(const struct profile_location *l, const struct regex *rx)
{
    return l->mapping && regex_matches(rx, l->mapping->file);
}

static bool location_matches(const struct profile_location *l, const struct regex *rx)
{
    for (size_t i = 0; i < l->n_lines; i++)
        if (line_matches(&l->lines[i], rx))
            return true;
    return mapping_matches(l, rx);
}

/* Keeps the lines whose matching equals `keep`; the array is shared with nobody. */
static void keep_lines(struct profile_location *l, const struct regex *rx, bool keep)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_lines; i++)
        if (line_matches(&l->lines[i], rx) == keep)
            l->lines[n++] = l->lines[i];
    l->n_lines = n;
}

struct name_filter {
    struct regex *focus, *ignore, *hide, *show, *show_from, *prune_from;
    bool focus_hit, ignore_hit, hide_hit, show_hit, show_from_hit;
};

static void judge_location(struct name_filter *f, struct profile_location *l, struct verdict *v)
{
    if (f->ignore && location_matches(l, f->ignore))
        f->ignore_hit = v->ignore = true;
    else if (!f->focus || location_matches(l, f->focus))
        f->focus_hit = v->focus = true;
    if (f->hide && location_matches(l, f->hide)) {
        f->hide_hit = true;
        if (mapping_matches(l, f->hide))
            l->n_lines = 0;
        else
            keep_lines(l, f->hide, false);
        v->hidden = !l->n_lines;
    }
    if (f->show) {
        if (!mapping_matches(l, f->show))
            keep_lines(l, f->show, true);
        if (l->n_lines)
            f->show_hit = true;
        else
            v->hidden = true;
    }
}

/* Focused and not ignored; hidden frames go, and samples left without a frame. */
static void filter_samples(struct profile *p, const struct verdict *verdicts)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n_samples; i++) {
        struct profile_sample *s = p->samples[i];
        bool focus = false, ignore = false, hidden = false;
        for (size_t j = 0; j < s->n_locations; j++) {
            const struct verdict *v = &verdicts[s->locations[j]->id - 1];
            focus = focus || v->focus;
            ignore = ignore || v->ignore;
            hidden = hidden || v->hidden;
        }
        if (!focus || ignore)
            continue;
        size_t n = 0;
        for (size_t j = 0; hidden && j < s->n_locations; j++)
            if (!verdicts[s->locations[j]->id - 1].hidden)
                s->locations[n++] = s->locations[j];
        if (hidden)
            s->n_locations = n;
        if (s->n_locations)
            p->samples[kept++] = s;
    }
    p->n_samples = kept;
}

/* Drops the callers above the outermost match, and samples without one. */
static void apply_show_from(struct profile *p, struct name_filter *f)
{
    bool *hit = mem_zero(p->n_locations, sizeof(*hit));
    for (size_t i = 0; i < p->n_locations; i++) {
        struct profile_location *l = p->locations[i];
        hit[i] = mapping_matches(l, f->show_from);
        for (size_t j = l->n_lines; !hit[i] && j-- > 0;)
            if (line_matches(&l->lines[j], f->show_from)) {
                hit[i] = true;
                l->n_lines = j + 1;
            }
        f->show_from_hit = f->show_from_hit || hit[i];
    }
    size_t kept = 0;
    for (size_t i = 0; i < p->n_samples; i++) {
        struct profile_sample *s = p->samples[i];
        size_t n = s->n_locations;
        while (n && !hit[s->locations[n - 1]->id - 1])
            n--;
        s->n_locations = n;
        if (n)
            p->samples[kept++] = s;
    }
    p->n_samples = kept;
    free(hit);
}

/*
 * The name that drop_frames sees: without the dot of the PowerPC ABI, and without
 * arguments - everything from the first parenthesis that is not part of a name.
 */
static char *simplify_name(const char *name)
{
    static const char *const part_of_name[] = {"(anonymous namespace)", "operator()"};
    char *out = mem_strdup(*name == '.' ? name + 1 : name);
    for (char *at = out; (at = strchr(at, '('));) {
        bool reserved = false;
        if (strncmp(at, part_of_name[0], strlen(part_of_name[0])) == 0) {
            reserved = true;
            at += strlen(part_of_name[0]);
        } else if (at - out >= 8 && strncmp(at - 8, part_of_name[1], 10) == 0) {
            reserved = true;
            at += 2;
        }
        if (!reserved) {
            *at = '\0';
            break;
        }
    }
    return out;
}

/* Index of the outermost (innermost) line that matches drop and not keep, or -1. */
static ptrdiff_t find_drop_line(const struct profile_location *l, const struct regex *drop,
                                const struct regex *keep, bool innermost)
{
    ptrdiff_t n = (ptrdiff_t)l->n_lines;
    for (ptrdiff_t k = 0; k < n; k++) {
        ptrdiff_t i = innermost ? k : n - 1 - k;
        char *name = simplify_name(l->lines[i].function->name);
        bool hit = *name && regex_matches(drop, name) && !(keep && regex_matches(keep, name));
        free(name);
        if (hit)
            return i;
    }
    return -1;
}

enum drop { KEEP, DROP_WITH_CALLEES, DROP_CALLEES };

/* From the root: frames before the first one that stays are never dropped. */
static void drop_below(struct profile_sample *s, const unsigned char *what)
{
    bool user = false;
    for (size_t i = s->n_locations; i-- > 0;) {
        enum drop d = what[s->locations[i]->id - 1];
        if (d == KEEP) {
            user = true;
        } else if (user) {
            size_t from = d == DROP_WITH_CALLEES ? i + 1 : i;
            s->locations += from;
            s->n_locations -= from;
            return;
        }
    }
}

bool profile_prune(struct profile *p, struct error *err)
{
    if (!*p->drop_frames)
        return true;
    char *drop_text = mem_printf("^(%s)$", p->drop_frames);
    char *keep_text = mem_printf("^(%s)$", p->keep_frames);
    struct regex *drop = regex_compile("drop_frames", drop_text, err);
    struct regex *keep =
        *p->keep_frames && drop ? regex_compile("keep_frames", keep_text, err) : NULL;
    bool ok = drop && (keep || !*p->keep_frames);
    unsigned char *what = mem_zero(p->n_locations, 1);
    for (size_t i = 0; ok && i < p->n_locations; i++) {
        struct profile_location *l = p->locations[i];
        ptrdiff_t at = find_drop_line(l, drop, keep, false);
        if (at < 0)
            continue;
        what[i] = at == (ptrdiff_t)l->n_lines - 1 ? DROP_WITH_CALLEES : DROP_CALLEES;
        if (what[i] == DROP_CALLEES) {
            l->lines += at + 1;
            l->n_lines -= (size_t)at + 1;
        }
    }
    for (size_t i = 0; ok && i < p->n_samples; i++)
        drop_below(p->samples[i], what);
    free(what);
    free(drop_text);
    free(keep_text);
    regex_free(drop);
    regex_free(keep);
    return ok;
}

static void apply_prune_from(struct profile *p, const struct regex *rx)
{
    bool *hit = mem_zero(p->n_locations, sizeof(*hit));
    for (size_t i = 0; i < p->n_locations; i++) {
        struct profile_location *l = p->locations[i];
        ptrdiff_t at = find_drop_line(l, rx, NULL, true);
        hit[i] = at >= 0;
        if (hit[i]) {
            l->lines += at;
            l->n_lines -= (size_t)at;
        }
    }
    for (size_t i = 0; i < p->n_samples; i++) {
        struct profile_sample *s = p->samples[i];
        size_t from = 0;
        while (from < s->n_locations && !hit[s->locations[from]->id - 1])
            from++;
        if (from < s->n_locations) {
            s->locations += from;
            s->n_locations -= from;
        }
    }
    free(hit);
}

static bool filter_names(struct profile *p, const struct profile_filter *f,
                         profile_notice_fn *notice, void *arg, struct error *err)
{
    struct name_filter n = {0};
    const struct {
        const char *name, *text;
        struct regex **rx;
    } list[] = {
        {"focus", f->focus, &n.focus},
        {"ignore", f->ignore, &n.ignore},
        {"hide", f->hide, &n.hide},
        {"show", f->show, &n.show},
        {"show_from", f->show_from, &n.show_from},
        {"prune_from", f->prune_from, &n.prune_from},
    };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof(list) / sizeof(*list); i++)
        if (list[i].text && *list[i].text)
            ok = (*list[i].rx = regex_compile(list[i].name, list[i].text, err)) != NULL;
    if (ok && (n.focus || n.ignore || n.hide || n.show)) {
        struct verdict *verdicts = mem_zero(p->n_locations, sizeof(*verdicts));
        for (size_t i = 0; i < p->n_locations; i++)
            judge_location(&n, p->locations[i], &verdicts[i]);
        filter_samples(p, verdicts);
        free(verdicts);
    }
    if (ok && n.show_from)
        apply_show_from(p, &n);
    if (ok && n.prune_from)
        apply_prune_from(p, n.prune_from);
    if (n.focus && !n.focus_hit)
        notice(arg, "Focus expression matched no samples");
    if (n.ignore && !n.ignore_hit)
        notice(arg, "Ignore expression matched no samples");
    if (n.hide && !n.hide_hit)
        notice(arg, "Hide expression matched no samples");
    if (n.show && !n.show_hit)
        notice(arg, "Show expression matched no samples");
    if (n.show_from && !n.show_from_hit)
        notice(arg, "ShowFrom expression matched no samples");
    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
        regex_free(*list[i].rx);
    return ok;
}

static bool filter_tags(struct profile *p, const struct profile_filter *f,
                        profile_notice_fn *notice, void *arg, struct error *err)
{
    struct tag_filter *focus = NULL, *ignore = NULL;
    bool ok = tag_filter_compile(&focus, "tagfocus", f->tagfocus, p, notice, arg, err) &&
              tag_filter_compile(&ignore, "tagignore", f->tagignore, p, notice, arg, err);
    size_t kept = 0;
    bool focus_hit = false, ignore_hit = false;
    for (size_t i = 0; ok && i < p->n_samples; i++) {
        bool focused = !focus || tag_filter_matches(focus, p->samples[i]);
        bool ignored = ignore && tag_filter_matches(ignore, p->samples[i]);
        focus_hit = focus_hit || focused;
        ignore_hit = ignore_hit || ignored;
        if (focused && !ignored)
            p->samples[kept++] = p->samples[i];
    }
    if (ok)
        p->n_samples = kept;
    if (ok && focus && !focus_hit)
        notice(arg, "TagFocus expression matched no samples");
    if (ok && ignore && !ignore_hit)
        notice(arg, "TagIgnore expression matched no samples");
    tag_filter_free(focus);
    tag_filter_free(ignore);
    return ok && tag_filter_keys(p, f->tagshow, f->taghide, notice, arg, err);
}

bool profile_apply_filter(struct profile *p, const struct profile_filter *f,
                          profile_notice_fn *notice, void *arg, struct error *err)
{
    /* prune_from last, as pprof does: it changes what the others match. */
    struct profile_filter names = *f, prune = {.prune_from = f->prune_from};
    names.prune_from = NULL;
    return filter_names(p, &names, notice, arg, err) && filter_tags(p, f, notice, arg, err) &&
           filter_names(p, &prune, notice, arg, err);
}

void profile_aggregate(struct profile *p, enum profile_granularity granularity, bool no_inlines)
{
    bool addresses = granularity == PROFILE_ADDRESSES;
    bool lines = addresses || granularity == PROFILE_LINES;
    bool functions = granularity != PROFILE_FILES;
    bool files = lines || granularity == PROFILE_FILES || granularity == PROFILE_FILEFUNCTIONS;
    const char *empty = profile_intern(p, "");
    if (addresses && !no_inlines)
        return;
    for (size_t i = 0; i < p->n_mappings; i++) {
        struct profile_mapping *m = p->mappings[i];
        m->has_inline_frames = m->has_inline_frames && !no_inlines;
        m->has_functions = m->has_functions && functions;
        m->has_filenames = m->has_filenames && files;
        m->has_line_numbers = m->has_line_numbers && lines;
    }
    for (size_t i = 0; i < p->n_functions; i++) {
        if (!functions)
            p->functions[i]->name = p->functions[i]->system_name = empty;
        if (!files)
            p->functions[i]->filename = empty;
    }
    for (size_t i = 0; i < p->n_locations; i++) {
        struct profile_location *l = p->locations[i];
        if (no_inlines && l->n_lines > 1) {
            l->lines += l->n_lines - 1;
            l->n_lines = 1;
        }
        for (size_t j = 0; !lines && j < l->n_lines; j++)
            l->lines[j].line = l->lines[j].column = 0;
        if (!addresses)
            l->address = 0;
    }
}
