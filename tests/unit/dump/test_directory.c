/* The directory sink and the dump's thread, in this process, with the ledger as
 * its own. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dump/bare.h"
#include "dump/dump.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t two[] = {FRAME(1, LIB_START + 0x10), FRAME(2, MAIN_START + 0x20)};
static char base[] = "test_directory_XXXXXX";

static void begin(const char *directory)
{
    memset(&config, 0, sizeof config);
    char cwd[2048];
    assert_non_null(getcwd(cwd, sizeof cwd));
    snprintf(config.dir, sizeof config.dir, "%s/%s/%s", cwd, base, directory);
    config.profiles = (1 << CONFIG_PROFILES) - 1;
    fixture_ledger(1, 64 << 20);
    fixture_site(LEDGER_KIND_HEAP, 100, two, 2, UNWIND_COMPLETE, 7, 3);
}

/* Counts the files, all of which must be named as `pattern` (printf's %) says. */
static int count_files(const char *path, const char *suffix)
{
    char full[8192];
    struct dirent *entry;
    int count = 0;

    snprintf(full, sizeof full, "%s/%s", base, path);
    DIR *directory = opendir(full);
    if (!directory)
        return -1;
    while ((entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name), tail = strlen(suffix);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (length >= tail && strcmp(entry->d_name + length - tail, suffix) == 0)
            count++;
    }
    closedir(directory);
    return count;
}

static bool file_exists(const char *directory, int sequence, const char *profile)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s/app_1.%d.%04d.%s.pb.gz", base, directory, getpid(), sequence,
             profile);
    return access(path, R_OK) == 0;
}

static int open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void exit_writes_what_there_is(void **state)
{
    begin("a/b/%e-%p");
    char expected[64];
    int before = open_files();
    snprintf(expected, sizeof expected, "a/b/app_1-%d", getpid());
    assert_true(dump_run(DUMP_REASON_EXIT));
    assert_true(file_exists(expected, 1, "heap"));
    assert_int_equal(count_files(expected, ""), 2); /* heap and heappeak, no temporary file */
    assert_int_equal(open_files(), before);
    assert_int_equal(ledger->stats[LEDGER_STAT_DUMPS], 1);
    fixture_drop();
}

static void nothing_recorded_leaves_nothing(void **state)
{
    begin("none");
    fixture_drop();
    fixture_ledger(1, 64 << 20);
    assert_true(dump_run(DUMP_REASON_EXIT));
    assert_int_equal(count_files("none", ""), -1);
    assert_true(dump_run(DUMP_REASON_SIGNAL)); /* asked for, it says why it is empty */
    assert_int_equal(count_files("none", ".pb.gz"), DUMP_PROFILES);
    fixture_drop();
    assert_false(dump_run(DUMP_REASON_EXIT)); /* no ledger: nothing at all */
}

static void names_are_never_taken_twice(void **state)
{
    begin("names");
    assert_true(dump_run(DUMP_REASON_EXIT));
    ledger->sequence = 0; /* another process of the same pid, in a container */
    assert_true(dump_run(DUMP_REASON_EXIT));
    assert_true(file_exists("names", 1, "heap"));
    assert_true(file_exists("names", 2, "heap"));
    fixture_drop();
}

static void oldest_dumps_make_room(void **state)
{
    begin("rotate");
    config.max_files = 5;
    for (int i = 0; i < 6; i++)
        assert_true(dump_run(DUMP_REASON_EXIT));
    assert_int_equal(count_files("rotate", ".pb.gz"), 4); /* two dumps of two files */
    assert_false(file_exists("rotate", 4, "heap"));
    assert_true(file_exists("rotate", 5, "heap"));
    assert_true(file_exists("rotate", 6, "heappeak"));
    fixture_drop();
}

/* What dump_run says on stderr, with its result in *good. */
static void run_and_listen(char *said, size_t size, bool *good)
{
    int pipes[2], saved = dup(2);

    assert_int_equal(pipe(pipes), 0);
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    dup2(pipes[1], 2);
    log_init(LOG_WARN);
    *good = dump_run(DUMP_REASON_EXIT);
    dup2(saved, 2);
    ssize_t got = read(pipes[0], said, size - 1);
    said[got > 0 ? got : 0] = '\0';
    close(saved);
    close(pipes[0]);
    close(pipes[1]);
}

static void failures_are_told_in_one_line(void **state)
{
    char said[4096], path[1024];
    bool good;

    begin("file/in/the/way");
    snprintf(path, sizeof path, "%s/file", base);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    run_and_listen(said, sizeof said, &good);
    assert_false(good);
    assert_non_null(strstr(said, "libprof: can't write"));
    assert_non_null(strstr(said, "not a directory"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    assert_int_equal(ledger->stats[LEDGER_STAT_DUMPS_FAILED], 1);
    fixture_drop();
}

static int limited_child(void)
{
    struct rlimit limit = {64, 64}; /* bytes: less than any profile */
    char said[4096];
    bool good;

    begin("full"); /* the ledger is made before the limit, as in a program that sets one */
    setrlimit(RLIMIT_FSIZE, &limit);
    run_and_listen(said, sizeof said, &good);
    if (good || !strstr(said, "larger than ulimit -f allows") ||
        strchr(said, '\n') != said + strlen(said) - 1)
        return 1;
    if (count_files("full", "") != 0)
        return 2; /* temporary files left behind */
    return 0;
}

/* The write that fails raises SIGXFSZ, which must not reach the program. */
static void no_room_is_no_harm(void **state)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(limited_child());
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void request_storm_coalesces(void **state)
{
    begin("storm");
    for (int i = 0; i < 2000; i++)
        dump_request(DUMP_REASON_SIGNAL);
    dump_run(DUMP_REASON_EXIT);
    uint64_t dumps = ledger->stats[LEDGER_STAT_DUMPS];
    assert_in_range(dumps, 2, 2000);
    assert_int_equal(count_files("storm", ".tmp"), 0);
    fixture_drop();
}

/* Threads that start a dump from "handlers" and end at once. */
static void *ask_and_end(void *argument)
{
    dump_request(DUMP_REASON_SIGNAL);
    return NULL;
}

static void starter_may_end(void **state)
{
    begin("ending");
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, ask_and_end, NULL), 0);
        pthread_join(thread, NULL);
    }
    dump_run(DUMP_REASON_SIGNAL);
    assert_int_equal(ledger->stats[LEDGER_STAT_DUMPS_FAILED], 0);
    assert_int_equal(count_files("ending", ".tmp"), 0);
    fixture_drop();
}

static void forked_child_has_no_dump_of_its_parents(void **state)
{
    int status;

    begin("forked");
    dump_request(DUMP_REASON_SIGNAL); /* running, perhaps, while we fork */
    pid_t child = fork();
    if (child == 0)
        _exit(dump_run(DUMP_REASON_EXIT)); /* the ledger isn't the child's */
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    dump_run(DUMP_REASON_EXIT);
    fixture_drop();
}

static _Thread_local volatile int local = 7; /* clang makes a bit of what has two values */
static struct bare bare;

static void change_local(void *seen)
{
    *(int *)seen = local;
    local = 99;
}

/* A zeroed thread-local area of its own, each time. */
static void bare_thread_has_its_own_locals(void **state)
{
    for (int i = 0; i < 100; i++) {
        int seen = -1;
        assert_int_equal(bare_start(&bare, change_local, &seen), 0);
        assert_true(bare_wait(&bare, UINT64_C(10000000000)));
        assert_int_equal(seen, 0);
        assert_int_equal(local, 7);
    }
}

static int make_base(void **state)
{
    return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
    char command[256];

    snprintf(command, sizeof command, "rm -rf '%s'", base);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_writes_what_there_is),
        cmocka_unit_test(nothing_recorded_leaves_nothing),
        cmocka_unit_test(names_are_never_taken_twice),
        cmocka_unit_test(oldest_dumps_make_room),
        cmocka_unit_test(failures_are_told_in_one_line),
        cmocka_unit_test(no_room_is_no_harm),
        cmocka_unit_test(request_storm_coalesces),
        cmocka_unit_test(starter_may_end),
        cmocka_unit_test(bare_thread_has_its_own_locals),
        cmocka_unit_test(forked_child_has_no_dump_of_its_parents),
    };

    alarm(120); /* a deadlock is a failure */
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
