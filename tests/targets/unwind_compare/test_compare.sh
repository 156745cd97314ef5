#!/bin/sh
# Samples of real programs, walked by the cfi engine and by libunwind: at least
# 99.9 % of all stacks are the same (or ours, being complete, goes on where
# libunwind's ended), 99 % are complete.
#   test_compare.sh LIBUNWIND_COMPARE.SO
set -eu
preload=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
report=$scratch/report
export UNWIND_COMPARE_OUT="$report" UNWIND_COMPARE_SHOW=5

sample() {
    command -v "$1" >/dev/null || [ -x "$1" ] || return 0
    LD_PRELOAD=$preload timeout 100 "$@" >/dev/null 2>&1 || echo "compare: $1 exited with $?" >&2
}

# A C file long enough for a second of cc1 -O2, already preprocessed.
i=0
while [ $i -lt 500 ]; do
    echo "struct s$i { int a[4]; double d; char *p; };
        int f$i(struct s$i *x, int n) { int r = 0; for (int i = 0; i < n; i++) {
        switch (x[i].a[0] % 5) { case 0: r += x[i].a[1] * $i; break;
        case 1: r ^= (int)x[i].d; break; case 2: if (x[i].p) r += x[i].p[$i]; break;
        default: r -= i * x[i].a[i & 1]; } x[i].d = r / (n + 1.0); } return r; }"
    i=$((i + 1))
done >"$scratch/long.i"

cat >"$scratch/throw.cc" <<'END'
#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>
struct guard { int *n; ~guard() { ++*n; } };
static int unwound;
__attribute__((noinline)) static int thrower(int depth) {
    guard g{&unwound};
    if (depth == 0) throw std::runtime_error("at the bottom");
    return thrower(depth - 1) + 1;
}
int main() {
    size_t sum = 0;
    for (int i = 0; i < 60000; i++) {
        try { thrower(i % 12); } catch (const std::exception &e) { sum += e.what()[0]; }
        if (i % 100) continue;
        std::vector<std::string> v;
        for (int k = 0; k < 300; k++) v.push_back(std::to_string(k * 7919 % 1000));
        std::sort(v.begin(), v.end(), [](auto &a, auto &b) { return a > b; });
    }
    return sum == 0 || unwound == 0;
}
END
if command -v g++ >/dev/null && g++ -O2 -o "$scratch/throw" "$scratch/throw.cc"; then
    sample "$scratch/throw"
fi
sample sqlite3 :memory: "with recursive t(x) as (select 1 union all select x+1 from t where
    x<1000000) select count(*), sum(length(hex(x))) from t;"
sample /usr/bin/python3 -c "
import json, re
data = [{'a': i, 'b': [str(j) for j in range(20)]} for i in range(2000)]
for _ in range(20):
    text = json.dumps(data); json.loads(text); sorted(re.findall(r'\d+', text)[:20000], key=int)"
sample "$(gcc -print-prog-name=cc1)" -O2 -quiet "$scratch/long.i" -o /dev/null
sample rg -j2 -c '(foo|bar|[a-z]+x)[^ ]+_(find|open|get)' /usr/include /usr/lib/python3 /usr/share

cat "$report"
awk '/samples, identical/ {
        n = $2; total += n; gsub("%,?", "")
        same += n * ($5 + $NF) / 100; complete += n * $7 / 100
    }
    END {
        if (total < 200) { print "skipped: only " total + 0 " samples"; exit 77 }
        printf "together: %d samples, the same or more %.3f%%, complete %.3f%%\n", total,
            100 * same / total, 100 * complete / total
        exit !(same >= 0.999 * total && complete >= 0.99 * total)
    }' "$report"
