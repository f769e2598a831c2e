/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/web.h"
#include "lib/base/file.h"
#include "lib/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define ANSWER_WAIT_MS 10000

/* Split "[::1]:8080" or "host:8080" or "host". */
static enum status split_host(const char *host, char name[NI_MAXHOST], const char **port)
{
    const bool bracket = host[0] == '[';
    const char *end = bracket ? strchr(host, ']') : strchrnul(host, ':');

    if (!end)
        return fail(BAD_INPUT, "\"%s\": '[' without ']'", host);
    TRY(span_to_text(span_of(host + bracket, (size_t)(end - host) - bracket), name, NI_MAXHOST));
    end += bracket;
    *port = *end == ':' ? end + 1 : "80";
    return OK;
}

static enum status resolve(struct web_target *target)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    const char *port = NULL;
    char name[NI_MAXHOST];

    TRY(split_host(target->host, name, &port));
    const int problem = getaddrinfo(name, port, &hints, &found);
    if (problem)
        return fail(FAULT, "%s: %s", target->host, gai_strerror(problem));
    memcpy(&target->address, found->ai_addr, found->ai_addrlen);
    target->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return OK;
}

enum status web_target_parse(const char *url, struct web_target *out)
{
    struct web_target target = { 0 };

    if (strncmp(url, "http://", 7) != 0)
        return fail(BAD_INPUT, "\"%s\" is not an http:// URL", url);

    const char *host = url + 7;
    const char *path = strchrnul(host, '/');
    TRY(span_to_text(span_of(host, (size_t)(path - host)), target.host, sizeof(target.host)));
    TRY(span_to_text(span_of_text(*path ? path : "/"), target.path, sizeof(target.path)));
    TRY(resolve(&target));
    *out = target;
    return OK;
}

enum status web_append_post(const struct web_target *target, struct span body, struct buf *out)
{
    TRY(buf_append_format(out,
                          "POST %s?operation=PKIOperation HTTP/1.1\r\n"
                          "Host: %s\r\nContent-Type: application/x-pki-message\r\nContent-Length: %zu\r\n\r\n",
                          target->path, target->host, body.len));
    return buf_append(out, body);
}

static enum status append_get(const struct web_target *target, const char *query, struct buf *out)
{
    return buf_append_format(out, "GET %s?%s HTTP/1.1\r\nHost: %s\r\n\r\n", target->path, query, target->host);
}

/* The value of a header within the head, NULL if it is not there; ends at the next CR. */
static const char *find_header(struct span head, const char *name)
{
    const char *at = (const char *)head.ptr;
    const char *end = at + head.len;
    const size_t name_len = strlen(name);

    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        if ((size_t)(end - at) > name_len + 1 && strncasecmp(at, name, name_len) == 0 && at[name_len] == ':')
            return at + name_len + 1 + strspn(at + name_len + 1, " \t");
    }
    return NULL;
}

enum status web_answer_parse(struct span bytes, struct web_answer *out)
{
    const uint8_t *head_end = memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4);

    if (!head_end)
        return PENDING;
    const struct span head = span_of(bytes.ptr, (size_t)(head_end - bytes.ptr) + 2);
    if (head.len < 14 || memcmp(head.ptr, "HTTP/1.", 7) != 0)
        return fail(BAD_INPUT, "this is not an HTTP/1 answer");

    const char *length = find_header(head, "Content-Length");
    const char *connection = find_header(head, "Connection");
    const size_t body_len = length ? strtoul(length, NULL, 10) : 0;
    if (bytes.len - head.len - 2 < body_len)
        return PENDING;
    *out = (struct web_answer){
        .status = (unsigned)strtoul((const char *)head.ptr + 9, NULL, 10),
        .close = connection && strncasecmp(connection, "close", 5) == 0,
        .body = span_of(head.ptr + head.len + 2, body_len),
        .used = head.len + 2 + body_len,
    };
    return OK;
}

enum status web_connect(const struct web_target *target, int *out)
{
    const int one = 1;
    AUTO(fd_closep) int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return fail(FAULT, "socket: %s", strerror(errno));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* only speed is lost without it */
    if (connect(fd, (const struct sockaddr *)&target->address, target->address_len) < 0 && errno != EINPROGRESS)
        return fail(FAULT, "%s: %s", target->host, strerror(errno));
    *out = fd;
    fd = -1;
    return OK;
}

/* Read until the answer is whole; the socket is non-blocking, so poll first. */
static enum status read_answer(int fd, struct buf *in, struct web_answer *answer)
{
    for (;;) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        uint8_t *room = buf_reserve(in, 16384);

        if (!room)
            return fail(FAULT, "the answer is too long");
        if (poll(&wait, 1, ANSWER_WAIT_MS) != 1)
            return fail(FAULT, "no answer within %d s", ANSWER_WAIT_MS / 1000);
        const ssize_t n = recv(fd, room, 16384, 0);
        if (n <= 0)
            return fail(FAULT, "the connection broke");
        in->len += (size_t)n;
        const enum status whole = web_answer_parse(buf_span(in), answer);
        if (whole != PENDING)
            return whole;
    }
}

enum status web_get(const struct web_target *target, const char *query, struct buf *body)
{
    AUTO(fd_closep) int fd = -1;
    AUTO(buf_clear) struct buf out = { 0 };
    AUTO(buf_clear) struct buf in = { 0 };
    struct web_answer answer;

    TRY(web_connect(target, &fd));
    TRY(append_get(target, query, &out));
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    if (poll(&wait, 1, ANSWER_WAIT_MS) != 1 || send(fd, out.ptr, out.len, MSG_NOSIGNAL) != (ssize_t)out.len)
        return fail(FAULT, "cannot reach %s", target->host);
    TRY(read_answer(fd, &in, &answer));
    if (answer.status != 200)
        return fail(FAULT, "%s answered %u to %s", target->host, answer.status, query);
    return buf_append(body, answer.body);
}
