#include "serve/welcome.h"

#include "base/mem.h"
#include "serve/kinship.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static bool find_user(const char *name, uid_t *uid)
{
    char *end;
    struct passwd *entry = getpwnam(name);
    unsigned long number = strtoul(name, &end, 10);
    bool is_number = *name >= '0' && *name <= '9' && !*end && number < UINT32_MAX;
    *uid = entry ? entry->pw_uid : (uid_t)number;
    return entry || is_number;
}

static bool read_users(struct welcome *welcome, const char *users, struct error *err)
{
    char *copy = mem_strdup(users), *rest = copy, *name;
    size_t room = 0;
    bool good = true;
    while (good && (name = strsep(&rest, ",")) != NULL) {
        uid_t uid;
        if (strcmp(name, "any") == 0) {
            welcome->any_user = true;
        } else if (find_user(name, &uid)) {
            welcome->users =
                mem_grow(welcome->users, welcome->n_users, &room, sizeof *welcome->users);
            welcome->users[welcome->n_users++] = uid;
        } else {
            good = fail_with(err, "--users: there is no user '%s'", name);
        }
    }
    free(copy);
    return good;
}

/* Only a file that nobody else can have written or read counts. */
static bool read_token(int fd, struct handover_kin *token)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
           !(info.st_mode & 077) && read(fd, token, sizeof *token) == sizeof *token &&
           token->token[0];
}

static void open_token(struct welcome *welcome, const char *socket)
{
    char *path = mem_printf("%s.token", socket);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool good = fd >= 0 && read_token(fd, &welcome->token);
    if (fd >= 0)
        close(fd);
    if (!good) {
        unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        ssize_t put = fd < 0 ? 0 : write(fd, &welcome->token, sizeof welcome->token);
        if (fd >= 0)
            close(fd);
        if (put != sizeof welcome->token)
            unlink(path); /* it works without, until the collector restarts */
    }
    free(path);
}

bool welcome_open(struct welcome *welcome, const char *users, const char *socket, bool keep_token,
                  struct error *err)
{
    *welcome = (struct welcome){0};
    if (users && geteuid() != 0)
        return fail_with(err, "--users: only root's collector can take other users' processes");
    if (users && !read_users(welcome, users, err)) {
        welcome_close(welcome);
        return false;
    }
    if (getrandom(&welcome->token, sizeof welcome->token, 0) != sizeof welcome->token)
        welcome->token = (struct handover_kin){0};
    welcome->token.token[0] |= 1; /* zero is none */
    if (keep_token)
        open_token(welcome, socket);
    return true;
}

void welcome_close(struct welcome *welcome)
{
    free(welcome->users);
    welcome->users = NULL;
    welcome->n_users = 0;
}

bool welcome_owner(uid_t uid)
{
    return uid == geteuid() || uid == 0;
}

static bool was_vouched_for(struct welcome *welcome, pid_t pid)
{
    for (size_t i = 0; pid > 0 && i < WELCOME_VOUCHED_MAX; i++)
        if (welcome->vouched[i] == pid)
            return true;
    return false;
}

bool welcome_peer(struct welcome *welcome, struct registry *registry, const struct ucred *peer)
{
    if (welcome_owner(peer->uid) || welcome->any_user)
        return true;
    for (size_t i = 0; i < welcome->n_users; i++)
        if (welcome->users[i] == peer->uid)
            return true;
    return geteuid() == 0 &&
           (was_vouched_for(welcome, peer->pid) || kinship_descends(registry, peer->pid));
}

bool welcome_kin(const struct welcome *welcome, const struct handover_kin *kin)
{
    return welcome->token.token[0] && memcmp(&welcome->token, kin, sizeof *kin) == 0;
}

void welcome_answer(const struct welcome *welcome, struct mapped_ledger *ledger,
                    enum handover_state state)
{
    if (!ledger->control)
        return;
    struct handover_answer *answer = handover_answer(ledger->control);
    if (state == HANDOVER_TAKEN) {
        atomic_store(&answer->token[1], welcome->token.token[1]);
        atomic_store(&answer->token[0], welcome->token.token[0]);
        atomic_store(&answer->collector, getpid());
    }
    atomic_store(&answer->state, state);
}

void welcome_vouch(struct welcome *welcome, pid_t pid)
{
    welcome->vouched[welcome->n_vouched++ % WELCOME_VOUCHED_MAX] = pid;
}
