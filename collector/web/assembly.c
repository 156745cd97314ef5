#include "web/assembly.h"

#include "base/clock.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define PATIENCE_MS 10000
#define OUTPUT_MAX ((size_t)4 << 20) /* some 60,000 instructions */

/* Everything it writes, with a NUL behind it, up to a limit in size and in time. */
static char *read_all(int fd)
{
    int64_t until = clock_monotonic() / 1000000 + PATIENCE_MS;
    size_t size = 0, room = 65536;
    char *text = mem_alloc(room);
    for (;;) {
        struct pollfd input = {.fd = fd, .events = POLLIN};
        int64_t left = until - clock_monotonic() / 1000000;
        if (left <= 0 || poll(&input, 1, (int)left) <= 0)
            break;
        ssize_t got = read(fd, text + size, room - size - 1);
        if (got <= 0 || (size += (size_t)got) >= OUTPUT_MAX)
            break;
        if (room - size < 4096)
            text = mem_resize(text, room *= 2, 1);
    }
    text[size] = '\0';
    return text;
}

/* "  401136:\t55                   \tpush   %rbp" */
static void visit_lines(char *text, assembly_visit_fn *visit, void *arg)
{
    for (char *line; (line = strsep(&text, "\n")) != NULL && text;) {
        char *end;
        errno = 0;
        unsigned long address = strtoul(line, &end, 16);
        if (end == line || *end != ':' || errno || *line != ' ')
            continue;
        char *code = end + 1 + strspn(end + 1, " \t");
        visit(arg, address, code);
    }
}

bool assembly_visit(const char *file, uint64_t from, uint64_t to, assembly_visit_fn *visit,
                    void *arg, struct error *err)
{
    char *start = mem_printf("--start-address=%#lx", (unsigned long)from);
    char *stop = mem_printf("--stop-address=%#lx", (unsigned long)to);
    char *arguments[] = {"objdump", "-d", "-C", "--no-show-raw-insn",
                         start,     stop, "--", (char *)(uintptr_t)file,
                         NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t child = -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail_with(err, "objdump: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int wrong = posix_spawnp(&child, "objdump", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!wrong) {
        char *text = read_all(ends[0]);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        visit_lines(text, visit, arg);
        free(text);
    }
    close(ends[0]);
    free(start);
    free(stop);
    return !wrong || fail_with(err, "objdump can't be run (package binutils): %s", strerror(wrong));
}
