#include "serve/client.h"

#include "base/mem.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *address, struct error *err)
{
    char host[256] = "127.0.0.1";
    const char *colon = strrchr(address, ':'), *port = colon ? colon + 1 : address;
    if (colon && colon != address) {
        bool v6 = *address == '[' && colon[-1] == ']';
        snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * v6, address + v6);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int wrong = getaddrinfo(host, port, &hints, &found);
    if (wrong) {
        fail_with(err, "%s: %s", address, gai_strerror(wrong));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
        fail_with(err, "no collector at %s (%s): start prof serve, or name it with --http", address,
                  strerror(errno));
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static char *receive(int fd, size_t *size, client_waiting *waiting, void *context,
                     struct error *err)
{
    char *text = NULL;
    size_t room = 0, length = 0;
    unsigned seconds = 0;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (waiting && poll(&ready, 1, 1000) == 0) {
            waiting(context, ++seconds);
            continue;
        }
        if (room - length < 65536)
            text = mem_resize(text, room = room * 2 + 131072, 1);
        ssize_t got = read(fd, text + length, room - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || length > CLIENT_ANSWER_MAX)
            break;
        length += (size_t)got;
    }
    text[length] = '\0';
    *size = length;
    return text;
}

char *client_request(const char *address, const char *method, const char *path, size_t *size,
                     client_waiting *waiting, void *context, struct error *err)
{
    if (!address)
        address = CLIENT_DEFAULT_ADDRESS;
    int fd = connect_to(address, err);
    if (fd < 0)
        return NULL;
    char *request = mem_printf("%s %s HTTP/1.0\r\nHost: localhost\r\n%s\r\n", method, path,
                               strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
    size_t length = strlen(request);
    bool sent = send(fd, request, length, MSG_NOSIGNAL) == (ssize_t)length;
    free(request);
    char *answer = sent ? receive(fd, size, waiting, context, err) : NULL;
    close(fd);
    char *body = answer ? strstr(answer, "\r\n\r\n") : NULL;
    int status = 0;
    if (!body || sscanf(answer, "HTTP/1.%*d %d", &status) != 1) {
        fail_with(err, "%s: no answer in HTTP", address);
        free(answer);
        return NULL;
    }
    body += 4;
    *size -= (size_t)(body - answer);
    if (status != 200) {
        body[strcspn(body, "\n")] = '\0';
        fail_with(err, "%s", body);
        free(answer);
        return NULL;
    }
    memmove(answer, body, *size + 1);
    return answer;
}
