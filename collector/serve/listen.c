#include "serve/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Makes the socket's folder, and sees that nobody else can put things into it. */
static bool prepare_folder(const char *path, struct error *err)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    struct stat info;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(length ? length : 1) : 1,
             slash ? path : ".");
    if (mkdir(folder, geteuid() ? 0700 : 0711) == 0)
        return true;
    if (errno != EEXIST)
        return fail_with(err, "the socket's folder %s can't be made: %s", folder, strerror(errno));
    if (stat(folder, &info) < 0)
        return fail_with(err, "%s: %s", folder, strerror(errno));
    if (info.st_uid != geteuid() && info.st_uid != 0)
        return fail_with(err, "%s belongs to another user: its socket can't be trusted", folder);
    if (info.st_mode & 022 && !(info.st_mode & S_ISVTX))
        return fail_with(err, "%s can be written by others: choose a folder with mode 0700",
                         folder);
    return true;
}

/* Somebody listens there already? A socket file without a listener is removed. */
static bool remove_stale(const struct sockaddr_un *address, struct error *err)
{
    struct stat info;
    if (lstat(address->sun_path, &info) < 0)
        return true;
    if (!S_ISSOCK(info.st_mode))
        return fail_with(err, "%s exists and is not a socket", address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = connect(fd, (const struct sockaddr *)address, sizeof *address);
    bool alive = result == 0 || errno == EAGAIN;
    close(fd);
    if (alive)
        return fail_with(err, "a collector listens on %s already", address->sun_path);
    unlink(address->sun_path);
    return true;
}

int listen_open(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fail_with(err, "the socket's path is longer than %zu bytes: %s",
                  sizeof address.sun_path - 1, path);
        return -1;
    }
    strcpy(address.sun_path, path);
    if (!prepare_folder(path, err) || !remove_stale(&address, err))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Root's is for the workers, too, that gave up being root: is_welcome() tells who they are. */
    mode_t old = umask(geteuid() ? 0177 : 0111);
    int result = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(old);
    if (result < 0 || listen(fd, 4096) < 0) {
        fail_with(err, "socket %s: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}
