/*
 * Starts a program in one of the ways there are, waits for it and prints what became of
 * it. argv: WAY FILE [DIRECTORY for the ways that go there first].
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef int spawner(pid_t *, const char *, const posix_spawn_file_actions_t *,
                    const posix_spawnattr_t *, char *const[], char *const[]);
enum first { NOTHING, CHDIR, CHDIR_TWICE, FCHDIR, FCHDIR_REOPENED };

/* 0, or an error number. */
static int spawn(pid_t *child, spawner *way, const char *file, const char *directory,
                 enum first first)
{
    char *argv[] = {(char *)file, "argument", NULL};
    posix_spawn_file_actions_t actions;
    int fd = directory ? open(first == FCHDIR_REOPENED ? "." : directory, O_RDONLY) : -1;

    posix_spawn_file_actions_init(&actions);
    if (first == CHDIR || first == CHDIR_TWICE)
        posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (first == CHDIR_TWICE)
        posix_spawn_file_actions_addchdir_np(&actions, "..");
    if (first == FCHDIR_REOPENED) /* where it leads can't be seen from outside: ours isn't there */
        posix_spawn_file_actions_addopen(&actions, fd, directory, O_RDONLY, 0);
    if (first == FCHDIR || first == FCHDIR_REOPENED)
        posix_spawn_file_actions_addfchdir_np(&actions, fd);
    int error = way(child, file, first ? &actions : NULL, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static void execute(const char *way, const char *file)
{
    char *argv[] = {(char *)file, "argument", NULL};
    char **volatile wrong = (char **)8;

    if (!strcmp(way, "execv"))
        execv(file, argv);
    else if (!strcmp(way, "execle"))
        execle(file, file, "argument", (char *)NULL, environ);
    else if (!strcmp(way, "execvp"))
        execvp(file, argv);
    else if (!strcmp(way, "execlp"))
        execlp(file, file, "argument", (char *)NULL);
    else if (!strcmp(way, "execvpe"))
        execvpe(file, argv, environ);
    else if (!strcmp(way, "wrong_environment"))
        execve(file, argv, wrong);
    else if (!strcmp(way, "fexecve"))
        fexecve(open(file, O_PATH), argv, environ);
    else if (!strcmp(way, "execveat"))
        execveat(open(".", O_PATH), file, argv, environ, 0);
    printf("errno %d\n", errno);
    fflush(stdout);
    _exit(100);
}

static void vforked(const char *file, bool search)
{
    char *argv[] = {(char *)file, "argument", NULL};
    volatile int error = 0;
    pid_t child = vfork();

    if (child == 0) {
        if (search)
            execvp(file, argv);
        else
            execv(file, argv);
        error = errno;
        _exit(100);
    }
    int status = -1;
    waitpid(child, &status, 0);
    printf("status %x errno %d\n", status, error);
}

int main(int argc, char **argv)
{
    const char *way = argv[1], *file = argv[2], *directory = argc > 3 ? argv[3] : NULL;
    static const struct {
        const char *way;
        spawner *function;
        enum first first;
    } spawns[] = {
        {"spawn", posix_spawn, NOTHING},
        {"spawnp", posix_spawnp, NOTHING},
        {"chdir", posix_spawn, CHDIR},
        {"chdirp", posix_spawnp, CHDIR},
        {"chdir_twice", posix_spawn, CHDIR_TWICE},
        {"fchdir", posix_spawn, FCHDIR},
        {"reopened", posix_spawn, FCHDIR_REOPENED},
    };
    int status = -1;

    setvbuf(stdout, NULL, _IONBF, 0);
    alarm(60);
    for (size_t n = 0; n < sizeof spawns / sizeof *spawns; n++)
        if (!strcmp(way, spawns[n].way)) {
            pid_t child = -1;
            errno = 4321;
            int error = spawn(&child, spawns[n].function, file, directory, spawns[n].first);
            if (error == 0)
                waitpid(child, &status, 0);
            printf("error %d status %x errno %d\n", error, status, errno);
            return 0;
        }
    if (!strncmp(way, "vfork", 5)) {
        vforked(file, !strcmp(way, "vforkp"));
    } else if (!strcmp(way, "system")) {
        printf("status %x\n", system(file));
    } else if (!strcmp(way, "popen")) {
        char line[4096];
        FILE *pipe = popen(file, "r");
        while (fgets(line, sizeof line, pipe))
            fputs(line, stdout);
        printf("status %x\n", pclose(pipe));
    } else {
        pid_t child = fork();
        if (child == 0)
            execute(way, file);
        waitpid(child, &status, 0);
        printf("status %x\n", status);
    }
    return 0;
}
