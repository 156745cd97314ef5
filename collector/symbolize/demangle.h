/*
 * Linker names -> names for people: C++ (Itanium), Rust (legacy and v0), D, and
 * Ada's entry points, by libiberty.
 */
#ifndef COLLECTOR_SYMBOLIZE_DEMANGLE_H
#define COLLECTOR_SYMBOLIZE_DEMANGLE_H

enum demangle_style {
    /* pprof's default: no parameters, template arguments, return types or clone
     * suffixes: app::Worker::run */
    DEMANGLE_SHORT,
    DEMANGLE_FULL, /* app::Worker<double>::run(double, void**) */
    DEMANGLE_NONE, /* as the linker knows it */
};

/* malloc'ed; a name that is not mangled comes back without its clone suffix
 * (.isra.0, .constprop.0, .part.0, .cold, .lto_priv.0) and symbol version. */
char *demangle_name(const char *name, enum demangle_style style);

#endif
