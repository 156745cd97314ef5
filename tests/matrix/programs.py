"""Programs that run to their end."""
from case import Batch

WORDS = ''.join(f'{n * 7919 % 10007} line {n % 97} of the text\n' for n in range(30000))
C = '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n' + ''.join(
    f'int f{n}(int a, char *b) {{ for (int i = 0; i < a; i++) b[i] = (char)(b[i] * {n} + i);'
    f' return (int)strlen(b) + {n}; }}\n' for n in range(120)) + (
    'int main(void) { char b[64] = "text"; printf("%d\\n", f7(4, b)); return 3; }\n')
CXX = '''#include <map>
#include <regex>
#include <iostream>
#include <stdexcept>
int main() {
    std::map<std::string, int> m;
    for (int i = 0; i < 2000; i++) m["k" + std::to_string(i % 77)] += i;
    int caught = 0;
    for (int i = 0; i < 2000; i++) try { throw std::runtime_error("x"); } catch (std::exception &) { caught++; }
    std::cout << m.size() << ' ' << std::regex_match("aab", std::regex("a*b")) << ' ' << caught << '\\n';
}
'''
RUST = '''use std::collections::HashMap;
use std::thread;
fn main() {
    let t: Vec<_> = (0..4u64).map(|n| thread::spawn(move || {
        let mut m = HashMap::new();
        for i in 0..20000u64 { *m.entry(i % 997).or_insert(0) += i * n; }
        m.values().sum::<u64>()
    })).collect();
    println!("{}", t.into_iter().map(|t| t.join().unwrap()).sum::<u64>());
    let r = std::panic::catch_unwind(|| { let v: Vec<u32> = vec![]; v[3] });
    println!("{}", r.is_err());
}
'''
CGO = '''package main

/*
#include <stdlib.h>
#include <string.h>
static int work(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) { char *volatile p = malloc(100 + i % 50); memset(p, i, 100); sum += p[7] & 1; free(p); }
    return sum;
}
*/
import "C"
import ("fmt"; "sync")

func main() {
	var group sync.WaitGroup
	total := make([]int, 8)
	for n := range total {
		group.Add(1)
		go func(n int) { defer group.Done(); for i := 0; i < 4; i++ { total[n] += int(C.work(2000)) } }(n)
	}
	group.Wait()
	sum := 0
	for _, t := range total { sum += t }
	fmt.Println(sum)
}
'''
JAVA = '''import java.util.*;
import java.util.concurrent.*;
public class Main {
    public static void main(String[] a) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Integer>> parts = new ArrayList<>();
        for (int t = 0; t < 4; t++) parts.add(pool.submit(() -> {
            Map<String, Integer> m = new HashMap<>();
            for (int i = 0; i < 100000; i++) m.merge("k" + i % 1000, i, Integer::sum);
            return m.values().stream().mapToInt(x -> x).sum();
        }));
        int sum = 0;
        for (Future<Integer> f : parts) sum += f.get();
        pool.shutdown();
        try { Object o = null; o.hashCode(); } catch (NullPointerException e) { sum++; }
        System.out.println(sum);
        System.exit(5);
    }
}
'''
NODE = '''const zlib = require('zlib'), crypto = require('crypto');
const { Worker, isMainThread, parentPort } = require('worker_threads');
if (isMainThread) {
    const w = new Worker(__filename);
    w.on('message', m => { console.log('worker', m); finish(); });
    let n = 0; const finish = () => { if (++n == 9) { console.log('done'); process.exitCode = 4; } };
    for (let i = 0; i < 8; i++) zlib.gzip(Buffer.alloc(1 << 20, 'x' + i), (e, b) => { finish(); });
    console.log(crypto.pbkdf2Sync('a', 'b', 20000, 32, 'sha256').toString('hex'));
} else { let s = 0; for (let i = 0; i < 1e6; i++) s += i % 7; parentPort.postMessage(s); }
'''
PYTHON = '''import json, re, threading, subprocess, zlib, hashlib, sys
text = json.dumps([{"k%d" % i: list(range(i % 50))} for i in range(3000)])
out = {}
def work(n):
    for _ in range(3):
        out[n] = len(json.loads(text)), hashlib.sha256(zlib.compress(text.encode())).hexdigest()
threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(out.items()))
print(subprocess.run(["echo", "child"], capture_output=True).stdout)
print(subprocess.run("exit 9", shell=True).returncode)
sys.exit(6)
'''
FORKS = '''import multiprocessing
def f(n): return sum(i * n for i in range(20000))
if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool: print(sum(pool.map(f, range(100))))
'''
PERL = '''my %h; $h{$_ % 9973} .= "x$_" for 1..150000; print length(join(",", @h{sort keys %h})), "\\n";
my $pid = fork; if (!$pid) { exit 7 } waitpid $pid, 0; print $? >> 8, "\\n";
$SIG{ALRM} = sub { print "alarm\\n" }; alarm 1; select undef, undef, undef, 3; print `echo sub`; exit 2;
'''
RUBY = '''t = 4.times.map { |n| Thread.new { (1..40000).map { |i| (i * n).to_s }.join.size } }
puts t.map(&:value).sum
h = Hash.new(0); 100000.times { |i| h["k#{i % 991}"] += i }; puts h.size
r, w = IO.pipe; pid = fork { w.puts "child"; exit! 3 }; Process.wait pid; puts r.gets, $?.exitstatus
GC.start; exit 8
'''
LUA = '''local t = {} for i = 1, 300000 do t[#t+1] = tostring(i % 977) end table.sort(t) print(#table.concat(t))
local co = coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i) end end) print(co(), co())
os.exit(3)
'''
PHP = '''<?php $a = []; for ($i = 0; $i < 200000; $i++) { $a["k" . ($i % 997)][] = $i; }
ksort($a); echo md5(serialize($a)), "\\n"; echo preg_replace('/a+/', 'b', str_repeat('aax', 5)), "\\n"; exit(4);
'''
GUILE = '''(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(display (fib 24)) (newline)
(display (length (let loop ((i 0) (l '())) (if (= i 200000) l (loop (+ i 1) (cons (number->string i) l)))))) (newline) (exit 3)
'''
TCL = '''for {set i 0} {$i < 100000} {incr i} { dict incr d [expr {$i % 97}] $i }
puts [dict get $d 5]; puts [exec echo child]; after 200 {set done 1}; vwait done; exit 3
'''
SQL = '''create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i+1 from n where i < 100000) insert into t select i, hex(i * 7919) from n;
create index u on t(b); select count(*), max(b) from t where b like '%3%'; select sum(a) from t group by a % 7;
'''
MESON = "project('p', 'c')\nexecutable('p', 'p.c')\n"
CMAKE = 'cmake_minimum_required(VERSION 3.18)\nproject(p C)\nadd_executable(p p.c)\n'
MAKE = 'all: $(foreach n,1 2 3 4 5 6 7 8,o$(n))\no%: p.c\n\tgcc -O1 -DN=$* -c p.c -o $@\n'
AWK = 'for (i = 0; i < 100000; i++) a[i % 991] = a[i % 991] i; for (k in a) n += length(a[k]); print n'
DC = '[la d * sa ln 1 - d sn 0 <x] sx 7 sa 12 sn lx x la p'
GIT = '''git init -q .; git config user.name t; git config user.email t@example.org
for n in $(seq 40); do seq $((n * 50)) > f$n; git add .; GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z git commit -qm c$n; done'''
SHELL = '''f() { local i s=0; for i in 1 2 3 4 5 6 7 8 9; do s=$((s + i)); done; echo $s; }
n=0; while [ $n -lt 40 ]; do n=$((n + 1)); x=$(f | tr 4 5); done; echo "$x"
(exit 3); echo $?; sh -c 'kill -TERM $$'; echo $?
trap 'echo trapped' USR1; kill -USR1 $$; sleep 0.3 & wait $!; echo $?
cat <<A | sort | uniq -c
b
a
b
A
exit 7
'''


def shell(name, package, command=None):
    return Batch(name, package, f'{command or name} script', files={'script': SHELL}, hide=[r'\d+: Terminated'])


def pack(name, package, make, take):
    return Batch(name, package, f'{make} && rm -f text && {take} && cksum text && ls',
                 files={'text': WORDS * 5})


BATCH = [
    shell('bash', 'bash'), shell('dash', 'dash'), shell('zsh', 'zsh'), shell('ksh', 'ksh93u+m', 'ksh93'),
    Batch('fish', 'fish', "fish --no-config -c 'for i in (seq 200); set -a x (math $i \\* 2); end; echo $x; exit 4'"),
    Batch('busybox sh', 'busybox', 'busybox sh script', files={'script': SHELL}),
    Batch('sort, join, uniq', 'coreutils', 'sort --parallel=4 -S 1M text > s && uniq -c s | sort -rn | head -50; '
          'join s s | cksum; tac s | cut -d" " -f1 | paste -sd+ | cksum; exit 9', files={'text': WORDS}),
    Batch('sha256sum, split, dd, ls', 'coreutils', 'split -n 7 text p && cat p?? | sha256sum; dd if=text bs=777 2>/dev/null | '
          'md5sum; ls; stat -c %s text; timeout 0.3 sleep 9; echo $?; nproc >n; factor 1234567890123', files={'text': WORDS}),
    Batch('grep, sed', 'grep sed', "grep -cE '(7|9)+ line' text; sed -e 's/line \\([0-9]*\\)/\\1 l/' text | md5sum; grep nothing text",
          files={'text': WORDS}),
    Batch('find, xargs', 'findutils', 'find d -name "f*" -newer d/f1 -o -size -2k | sort | xargs -n 3 -P 2 md5sum | sort | md5sum',
          setup='mkdir d; for i in $(seq 200); do echo $i >d/f$i; done'),
    Batch('file', 'file', 'file -b text /bin/true p.c; file -z -b z.gz; exit 2', files={'text': WORDS, 'p.c': C}, setup='gzip -nc text >z.gz'),
    Batch('gcc', 'gcc libc6-dev', 'gcc -O2 p.c -o p; ./p', files={'p.c': C}, results=['p']),
    Batch('g++', 'g++', 'g++ -O1 p.cc -o p && ./p', files={'p.cc': CXX}, results=['p']),
    Batch('clang', 'clang', 'clang -O2 p.c -o p; ./p', files={'p.c': C}, results=['p']),
    Batch('tcc', 'tcc', 'tcc -run p.c', files={'p.c': C}),
    Batch('gfortran', 'gfortran', 'gfortran -O1 p.f90 -o p && ./p', results=['p'],
          files={'p.f90': 'program p\n integer :: i, s\n s = 0\n do i = 1, 1000\n s = s + mod(i, 7)\n end do\n print *, s\nend program\n'}),
    Batch('as, ld, nm, objdump', 'binutils', 'as t.s -o t.o; ld -r t.o -o u.o; nm t.o | md5sum; objdump -dr u.o | md5sum; readelf -a u.o | md5sum',
          files={'p.c': C}, setup='gcc -S p.c -o t.s', results=['u.o']),
    Batch('rustc', 'rustc', 'rustc -O p.rs -o p && ./p', files={'p.rs': RUST}, hide=[r"thread 'main' panicked[^$]*"], timeout=120),
    Batch('Rust program', 'rustc', './p', files={'p.rs': RUST}, setup='rustc -O p.rs -o p'),
    Batch('Go with cgo', 'golang-go gcc', './p', files={'p.go': CGO}, setup='GOCACHE=$PWD/c go build -o p p.go'),
    Batch('go build', 'golang-go', 'GOFLAGS=-p=2 GOCACHE=$HOME/cache go vet p.go; echo $?', files={'p.go': CGO}, timeout=150),
    Batch('java', 'default-jdk-headless', 'java -XX:-UsePerfData Main', files={'Main.java': JAVA}, setup='javac Main.java'),
    Batch('javac', 'default-jdk-headless', 'javac Main.java; ls', files={'Main.java': JAVA}, results=['*.class'], timeout=120),
    Batch('node', 'nodejs', 'node p.js', files={'p.js': NODE}),
    Batch('python3', 'python3', '/usr/bin/python3 p.py', files={'p.py': PYTHON}),
    Batch('python3 multiprocessing', 'python3', '/usr/bin/python3 p.py', files={'p.py': FORKS}),
    Batch('perl', 'perl', 'perl p.pl', files={'p.pl': PERL}),
    Batch('ruby', 'ruby', 'ruby p.rb', files={'p.rb': RUBY}),
    Batch('lua', 'lua5.4', 'lua5.4 p.lua', files={'p.lua': LUA}),
    Batch('php', 'php-cli', 'php p.php', files={'p.php': PHP}),
    Batch('guile', 'guile-3.0', 'guile --no-auto-compile -s p.scm', files={'p.scm': GUILE}),
    Batch('tclsh', 'tcl', 'tclsh p.tcl', files={'p.tcl': TCL}),
    Batch('ocaml', 'ocaml-nox', 'ocaml p.ml', files={'p.ml': 'let rec f n = if n < 2 then n else f (n-1) + f (n-2);;\nprint_int (f 23);;\nexit 3;;\n'}),
    Batch('gawk', 'gawk', ['gawk', f'BEGIN {{ {AWK}; "echo sub" | getline x; print x; exit 3 }}']),
    Batch('mawk', 'mawk', ['mawk', f'BEGIN {{ {AWK}; exit 3 }}']),
    Batch('bc, dc', 'bc dc', "echo 'scale=300; 4*a(1); 2^500' | bc -l; echo '20k 2 v p 10 ^ p' | dc"),
    Batch('m4, bison, flex', 'm4 bison flex', "bison -y g.y && cksum y.tab.c; flex l.l; cksum lex.yy.c; echo 'define(a,b$1)a(1)' | m4",
          files={'g.y': '%token A\n%%\ns: A s | ;\n', 'l.l': '%%\n[a-z]+ ;\n'}),
    Batch('make -j', 'make gcc', 'make -sj4; ls; make -q; echo $?', files={'p.c': C, 'Makefile': MAKE}),
    Batch('cmake', 'cmake gcc make', 'cmake . >/dev/null && make VERBOSE= 2>&1 | grep -c Built; ./p', files={'p.c': C, 'CMakeLists.txt': CMAKE}, timeout=120),
    Batch('meson, ninja', 'meson ninja-build gcc', '/usr/bin/meson setup b >/dev/null && ninja -C b | tail -1; b/p', files={'p.c': C, 'meson.build': MESON},
          timeout=120),
    Batch('nasm', 'nasm', 'nasm -felf64 a.s && cksum a.o', files={'a.s': 'section .text\nglobal f\nf: mov eax, 7\nret\n'}),
    Batch('ctags', 'exuberant-ctags', 'ctags-exuberant p.c && cut -f1,2 tags | md5sum', files={'p.c': C}),
    Batch('sqlite3', 'sqlite3', 'sqlite3 f.db', stdin=SQL, results=['f.db']),
    Batch('jq', 'jq', "jq -c 'map(.a * 2) | add, length' t.json; jq . bad; echo $?",
          files={'t.json': '[' + ','.join(f'{{"a":{n},"b":"{n}"}}' for n in range(20000)) + ']', 'bad': '{'}),
    Batch('xmllint, xsltproc', 'libxml2-utils xsltproc', 'xmllint --xpath "count(//b[@n>500])" t.xml; xmllint --format t.xml | md5sum; xsltproc s.xsl t.xml | md5sum; xmllint s; echo $?',
          files={'t.xml': '<a>' + ''.join(f'<b n="{n}">{n}</b>' for n in range(5000)) + '</a>',
                 's.xsl': '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="b"><c><xsl:value-of select="@n"/></c></xsl:template></xsl:stylesheet>'}),
    pack('tar, gzip', 'tar gzip', 'tar --mtime=@0 --owner=0 -czf t.tgz text && tar tzf t.tgz', 'tar xzf t.tgz'),
    pack('xz -T4', 'xz-utils', 'xz -T4 -k1 --block-size=1MiB text && cksum text.xz', 'unxz text.xz'),
    pack('zstd -T4', 'zstd', 'zstd -q -T4 -k text && cksum text.zst', 'unzstd -q text.zst'),
    pack('bzip2', 'bzip2', 'bzip2 -k text && cksum text.bz2', 'bunzip2 text.bz2'),
    pack('lz4', 'lz4', 'lz4 -q text text.lz4 && cksum text.lz4', 'unlz4 -q text.lz4 text'),
    pack('brotli', 'brotli', 'brotli -q 5 -k text && cksum text.br', 'brotli -d text.br'),
    pack('7z', 'p7zip-full', '7z a -bd -bso0 -mx3 -mmt4 t.7z text', '7z x -bd -bso0 t.7z'),
    pack('zip', 'zip unzip', 'TZ=UTC touch -d @1000000000 text && zip -qX t.zip text && cksum t.zip', 'unzip -q t.zip'),
    Batch('cpio, ar', 'cpio binutils', 'echo text | cpio -o 2>e | cpio -it; cat e; ar rcD t.a text && cksum t.a', files={'text': WORDS}),
    Batch('ffmpeg', 'ffmpeg', 'ffmpeg -v error -nostdin -bitexact -f lavfi -i testsrc=d=2:s=320x240 -threads 4 -c:v mpeg4 -flags +bitexact -fflags +bitexact o.avi; '
          'ffmpeg -v error -nostdin -i o.avi -f framemd5 - | md5sum; ffmpeg -v error -i nothing; echo $?', results=['o.avi'], timeout=120),
    Batch('imagemagick', 'imagemagick', 'convert -size 300x300 gradient:red-blue -blur 0x3 -rotate 30 -depth 8 o.ppm && identify o.ppm && convert o.ppm -strip o.png; convert no.png x.png; echo $?',
          results=['o.ppm'], hide=[r'\S+u \d:\S+'], timeout=120),
    Batch('sox', 'sox', 'sox -R -n -r 44100 o.wav synth 3 sine 300-3300 reverb && sox o.wav -n stat', results=['o.wav']),
    Batch('flac, lame, oggenc', 'flac lame vorbis-tools sox', 'flac -s o.wav -o o.flac && flac -sdc o.flac | md5sum; lame --quiet o.wav o.mp3 && cksum o.mp3; oggenc -Q -s 1 o.wav -o o.ogg && cksum o.ogg',
          setup='sox -R -n -r 44100 o.wav synth 3 sine 300-3300'),
    Batch('cjpeg, optipng, cwebp', 'libjpeg-turbo-progs optipng webp imagemagick', 'cjpeg i.ppm | md5sum; optipng -quiet i.png && cksum i.png; cwebp -quiet -mt i.png -o o.webp && dwebp -quiet o.webp -ppm -o - | md5sum',
          setup='convert -size 300x300 gradient:red-blue -depth 8 i.ppm; convert i.ppm -strip i.png'),
    Batch('graphviz', 'graphviz', "dot -Tsvg g.dot | md5sum; dot -Tplain g.dot | tail -3", files={'g.dot': 'digraph {' + ''.join(f'n{n % 40} -> n{n * 7 % 40};' for n in range(120)) + '}'}),
    Batch('gs', 'ghostscript', 'gs -q -dNOPAUSE -dBATCH -dSAFER -sDEVICE=ppmraw -r60 -o o.ppm p.ps; echo $?', results=['o.ppm'],
          files={'p.ps': '%!PS\n/Helvetica findfont 30 scalefont setfont 72 500 moveto (libprof) show 0 1 200 { 3 mul 100 moveto 9 90 rlineto stroke } for showpage\n'}),
    Batch('qpdf, pdftotext', 'qpdf poppler-utils ghostscript', 'qpdf --deterministic-id --qdf p.pdf o.pdf && grep -vaE "Date|/ID|/Producer|uuid|xmp" o.pdf | cksum; pdftotext p.pdf -; pdfinfo p.pdf | grep Pages; qpdf no.pdf x.pdf; echo $?',
          files={'p.ps': '%!PS\n/Helvetica findfont 30 scalefont setfont 72 500 moveto (libprof) show showpage\n'}, setup='gs -q -sDEVICE=pdfwrite -o p.pdf p.ps'),
    Batch('rsvg-convert', 'librsvg2-bin', 'rsvg-convert t.svg | md5sum', files={'t.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200"><circle cx="90" cy="90" r="70" fill="red"/><path d="M0 0 L99 150" stroke="blue"/></svg>'}),
    Batch('gnuplot', 'gnuplot-nox', "gnuplot -e 'set term dumb; plot sin(x)'; gnuplot -e 'exit status 4'"),
    Batch('git', 'git', "git log --stat --format=%H%s | md5sum; git gc -q && git fsck --full 2>&1 | md5sum; git clone -q . ../git-clone; git -C ../git-clone log --oneline | wc -l; rm -rf ../git-clone; git diff --stat HEAD~9 | tail -1; git bogus; echo $?",
          setup=GIT, timeout=120),
    Batch('svn', 'subversion', 'svnadmin create r && svn co -q file://$PWD/r w && cd w && seq 9000 >f && svn -q add f && svn -q ci -m m && svn up && svn cat f | md5sum && svnadmin verify -q ../r'),
    # As README tells users of gdb; the thread that a dump is written in is announced otherwise.
    Batch('gdb', 'gdb gcc', "gdb -batch -nx -ex 'handle SIG52 nostop noprint' -ex 'set print thread-events off' -ex 'break f7' -ex run -ex bt -ex 'info args' -ex finish -ex continue ./p", files={'p.c': C},
          setup='gcc -g -no-pie p.c -o p', hide=[r'0x[0-9a-f]+', r'process \d+', r'\[(New )?Thread[^]]*\]\n', r'(?m)^\[Thread.*\n'], environment={'DEBUGINFOD_URLS': ''}, timeout=90),
    Batch('strace', 'strace', 'strace -f -e trace=none -e signal=none sh -c "echo a; exit 3"; echo $?', hide=[r'strace: Process \d+ attached\n', r'\[pid +\d+\] .*\n']),
    Batch('valgrind', 'valgrind gcc', 'valgrind -q ./p; echo $?', files={'p.c': C}, setup='gcc -g p.c -o p', timeout=90, storm=False),
    Batch('curl', 'curl', 'curl -sS file://$PWD/text | md5sum; curl -sS http://127.0.0.1:1/; echo $?', files={'text': WORDS}, hide=[r'after \d+ ms']),
    Batch('openssl', 'openssl', 'openssl genrsa 2048 2>/dev/null | openssl rsa -check -noout; openssl enc -aes-256-cbc -K 00 -iv 00 -in text 2>/dev/null | sha256sum; openssl dgst -sha512 text; openssl bogus 2>/dev/null; echo $?',
          files={'text': WORDS}),
    Batch('gpg', 'gpg gpg-agent', 'mkdir -m700 g; gpg --homedir g -q --batch --passphrase a -c --cipher-algo AES256 text && gpg --homedir g -q --batch --passphrase a -d text.gpg | md5sum; gpgconf --homedir g --kill all', files={'text': WORDS}),
    Batch('ripgrep', 'ripgrep', 'rg -c --sort path "line 7" d; rg nothing d; echo $?', files={f'd/t{n}': WORDS[n * 1000:] for n in range(12)}),
    Batch('fd', 'fd-find', 'fdfind -j4 -e txt . d | sort | md5sum', setup='mkdir -p d/{1..40}; for i in {1..40}; do touch d/$i/{a..m}.txt; done'),
    Batch('vim', 'vim-tiny', "vim.tiny -es -u NONE text -c '%s/line/LINE/g' -c 'sort n' -c 'wq!'; echo $?", files={'text': WORDS}, results=['text']),
    Batch('emacs', 'emacs-nox', """emacs --batch -Q --eval '(progn (dotimes (i 30000) (push (format "%d" i) x)) (princ (length (mapconcat (quote identity) x ","))) (kill-emacs 5))' --eval nil -f ignore""".replace("(progn", "(progn (defvar x nil)"), timeout=90),
    Batch('less, nano', 'less', 'less text | md5sum', files={'text': WORDS}),
    Batch('tmux', 'tmux', 'tmux -L $$ -f /dev/null new -d -s a "echo in tmux >o; sleep 0.5"; sleep 1.5; cat o; tmux -L $$ ls; echo $?', hide=[r'/tmp/tmux\S*', r'\(No such[^)]*\)']),
    Batch('pandoc', 'pandoc', 'pandoc -f markdown -t html t.md | md5sum; pandoc -f markdown -t docx t.md -o o.docx; echo $?', files={'t.md': '# a\n\n* b\n* *c*\n\n' * 200}, timeout=120),
    Batch('rsync', 'rsync', 'rsync -a d/ e/ && rsync -ain d/ e/; diff -r d e && echo same', files={f'd/t{n}': WORDS[n * 1000:] for n in range(12)}),
    Batch('socat', 'socat', 'echo hello | socat - EXEC:"tr a-z A-Z"; socat -u FILE:text - | md5sum', files={'text': WORDS}),
    Batch('ps, pstree, top', 'procps psmisc', 'ps -o comm= -p $$; top -bn1 | wc -l >n; pstree -V 2>&1 | head -1; free | wc -l; pgrep nothing; echo $?'),
    Batch('unshare, setpriv', 'util-linux', 'unshare -Ur id -u; setpriv --reuid=65534 --clear-groups id -u; unshare -Urnp --fork sh -c "echo in ns; exit 3"; echo $?'),
    Batch('dpkg, apt-cache', 'dpkg apt', 'dpkg -l bash | tail -1 | cut -c1-9; apt-cache policy bash | md5sum; dpkg -S /bin/bash', timeout=120),
    Batch('man, groff', 'groff-base', 'groff -Tascii -man t.1 | md5sum', files={'t.1': '.TH T 1\n.SH NAME\nt \\- text\n.B bold\n' * 50}),
    Batch('numpy', 'python3-numpy', "/usr/bin/python3 -c 'import numpy as n; a=n.arange(250000.).reshape(500,500); print((a@a).sum(), n.sort(a.ravel()[::-1])[:3])'", timeout=90),
    # Their own test suites, as Debian ships them.
    Batch('CPython test suite (part)', 'libpython3.11-testsuite', '/usr/bin/python3 -m test -v test_list test_dict test_json test_thread test_queue test_pipes test_subprocess test_signal test_select test_zlib test_hashlib test_struct test_re >log 2>&1; '
          """echo $?; grep -E '^(ERROR|FAIL):' log; awk '/^Ran/ { n += $2 } END { print n " tests" }' log""", timeout=300, count=r'\d+ tests'),
    Batch('numpy test suite (part)', 'python3-numpy python3-pytest python3-hypothesis', "/usr/bin/python3 -m pytest -q -p no:cacheprovider -x --pyargs numpy.core.tests.test_numeric numpy.core.tests.test_indexing numpy.lib.tests.test_io | tail -1",
          hide=[r' in [\d.]+s.*'], timeout=240, count=r'\d+ passed'),
]
