#!/bin/sh
# Builds one fuzz target with clang's libFuzzer and runs it for a while:
# fuzz.sh SOURCE_ROOT BUILD_ROOT TARGET [SECONDS]. Skipped (77) without libFuzzer.
# A crash leaves its input in the working directory, named crash-*.
set -e
root=$1 build=$2 target=$3 seconds=${4:-10}
command -v clang >/dev/null || { echo 'no clang'; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 'int LLVMFuzzerTestOneInput(const char*d,unsigned long n){return 0;}' >"$work/probe.c"
clang -fsanitize=fuzzer,address "$work/probe.c" -o "$work/probe" 2>/dev/null || {
    echo "clang has no libFuzzer (Debian: libclang-rt-14-dev)"
    exit 77
}

collector=$root/collector preload=$root/preload
case $target in
frames) sources="$collector/serve/frame.c $collector/base/mem.c" ;;
query) sources="$collector/serve/query.c $collector/base/mem.c" ;;
pprof) sources="$(ls "$collector"/profile/*.c "$collector"/base/*.c) $build/preload/wire/profile.pb-c.c" ;;
ledger)
    sources="$preload/wire/reader.c $preload/wire/weight.c $preload/kit/arena.c
        $preload/kit/text.c $preload/wire/comments.c $preload/wire/encode.c
        $preload/wire/locations.c $preload/wire/proc_memory.c $preload/wire/stream.c $preload/wire/string_table.c
        $preload/wire/thread_state.c $preload/wire/waits.c $preload/kit/mappings.c $preload/kit/sys.c
        $build/preload/wire/profile.pb-c.c"
    ;;
esac
# glibc's obstack macros align by counting from (char *)0 (__PTR_ALIGN in obstack.h), which
# is what this check reports: it is off in the files that use them, and only there.
cat >"$work/ignore" <<'EOF'
[pointer-overflow]
src:*/collector/profile/profile.c
src:*/collector/profile/profile_write.c
EOF
# shellcheck disable=SC2086
clang -g -O1 -w -std=gnu17 -D_GNU_SOURCE -DLIBPROF_VERSION='"fuzz"' \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    -fsanitize-ignorelist="$work/ignore" \
    -I"$collector" -I"$preload" -I"$build/preload/wire" \
    "$root/tests/fuzz/fuzz_$target.c" $sources \
    -lprotobuf-c -lz -lpcre2-8 -lm -o "$work/fuzz"
mkdir "$work/corpus"
"$work/fuzz" -seed=${LIBPROF_FUZZ_SEED:-1} -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -print_final_stats=1 \
    -max_len=65536 "$work/corpus" "$root/tests/fuzz/$target" >"$work/log" 2>&1 || { tail -40 "$work/log"; exit 1; }
tail -7 "$work/log"
