#!/bin/sh
# aarch64: all that runs inside programs compiled without warnings; the unwinder run
# under qemu-user: walks real stacks and checks what functions are on them.
#   test_aarch64.sh SOURCE_ROOT BUILD_ROOT
# Exit 77 (skipped) where there is no cross compiler, C library or qemu. Debian:
# gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user.
set -eu
root=$1 build=$2
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v "$tool" >/dev/null || { echo "no $tool"; exit 77; }
done
[ -e /usr/aarch64-linux-gnu/include/stdio.h ] || { echo 'no libc6-dev-arm64-cross'; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
aarch64-linux-gnu-gcc -std=gnu17 -O2 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter \
    -fPIC -ftls-model=initial-exec -I "$root/preload" -I "$root/tests/unit/unwind" \
    "$root"/preload/unwind/*.c "$root/preload/runtime/object.c" "$root/preload/runtime/optional.c" \
    "$root/preload/kit/mappings.c" "$root/preload/kit/sys.c" "$root/tests/unit/unwind/check_walk.c" \
    "$root/tests/unit/unwind/fuzz.c" -o "$scratch/check_walk"
# Linking libprof.so would take Debian's libz and libprotobuf-c for arm64; their headers are
# the same everywhere.
find "$root/preload" -name '*.c' | while read -r file; do
    aarch64-linux-gnu-gcc -std=gnu17 -O2 -c -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
        -DLIBPROF_VERSION='"test"' -Wall -Wextra -Werror -Wno-unused-parameter -fPIC \
        -fvisibility=hidden -ftls-model=initial-exec -I "$root/preload" -I "$build/preload/wire" \
        -idirafter /usr/include "$file" -o "$scratch/object"
done
timeout 120 qemu-aarch64 -L /usr/aarch64-linux-gnu "$scratch/check_walk"
