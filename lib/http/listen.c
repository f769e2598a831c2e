/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/http/http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define LISTEN_BACKLOG 1024
#define LISTEN_TEXT_BYTES 128

/* "127.0.0.1:80" or "[::1]:80" cut in two, within `text`. */
static enum status split(char *text, const char **host, const char **port)
{
    char *colon = strrchr(text, ':');
    const bool bracketed = text[0] == '[';

    if (!colon || !colon[1] || colon == text || (bracketed && colon[-1] != ']'))
        return fail(BAD_INPUT, "\"%s\" is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080", text);
    int64_t number;
    TRY(number_parse(colon + 1, 0, UINT16_MAX, &number));
    *port = colon + 1;
    colon[bracketed ? -1 : 0] = 0;
    *host = text + bracketed;
    return OK;
}

static void addrinfo_freep(struct addrinfo **list)
{
    if (*list)
        freeaddrinfo(*list);
}

static bool set_option(int fd, int level, int option)
{
    const int on = 1;

    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

static bool bind_to(int fd, const struct addrinfo *at, bool is_shared)
{
    return (at->ai_family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
           set_option(fd, SOL_SOCKET, SO_REUSEADDR) &&
           (!is_shared || set_option(fd, SOL_SOCKET, SO_REUSEPORT)) &&
           bind(fd, at->ai_addr, at->ai_addrlen) == 0;
}

static enum status bind_socket(const char *address, bool is_shared, int *out)
{
    static const struct addrinfo wanted = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                            .ai_socktype = SOCK_STREAM };
    AUTO(addrinfo_freep) struct addrinfo *at = NULL;
    AUTO(fd_closep) int fd = -1;
    char text[LISTEN_TEXT_BYTES];
    const char *host = NULL;
    const char *port = NULL;

    TRY(span_to_text(span_of_text(address), text, sizeof text));
    TRY(split(text, &host, &port));
    const int error = getaddrinfo(host, port, &wanted, &at);
    if (error)
        return fail(BAD_INPUT, "cannot listen on %s: %s; a numeric address and port are wanted", address,
                    gai_strerror(error));
    fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !bind_to(fd, at, is_shared))
        return fail(FAULT, "cannot listen on %s: %s", address, strerror(errno));
    *out = fd;
    fd = -1;
    return OK;
}

enum status http_listen(const char *address, int *out)
{
    AUTO(fd_closep) int fd = -1;

    TRY(bind_socket(address, true, &fd));
    if (listen(fd, LISTEN_BACKLOG) != 0)
        return fail(FAULT, "cannot listen on %s: %s", address, strerror(errno));
    *out = fd;
    fd = -1;
    return OK;
}

enum status http_listen_check(const char *address)
{
    AUTO(fd_closep) int fd = -1;

    return bind_socket(address, false, &fd);
}
