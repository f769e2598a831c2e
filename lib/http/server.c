/* SPDX-License-Identifier: Apache-2.0
 *
 * The server: listening sockets, the limit of connections, and the deadlines, on libevent's loop.
 *
 * Not evhttp: of the corpus's 1,032 smuggling requests it took 498 that must be refused, its
 * timeouts start anew with every byte, and it has no limit of connections.
 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/http/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_AT_ONCE 16
#define SWEEP_MS 250

static void set_accepting(struct http_server *server, bool accepting)
{
    if (server->accepting == accepting)
        return;
    for (size_t i = 0; i < server->listener_count; i++)
        if (accepting)
            event_add(server->listeners[i].event, NULL);
        else
            event_del(server->listeners[i].event);
    server->accepting = accepting;
}

static void on_sweep(int fd, short what, void *argument)
{
    struct http_server *server = argument;
    const int64_t now_ms = clock_monotonic_ms();
    struct http_connection *next;

    (void)fd;
    (void)what;
    for (struct http_connection *c = TAILQ_FIRST(&server->connections); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->deadline_ms <= now_ms)
            http_connection_expire(c);
    }
    set_accepting(server, true);
}

/* --- Accepting ---------------------------------------------------------- */

static void format_address(const struct sockaddr_storage *from, char text[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    const struct sockaddr_in *four = (const struct sockaddr_in *)from;
    const void *bytes = from->ss_family == AF_INET6 ? (const void *)&six->sin6_addr
                                                    : (const void *)&four->sin_addr;

    if (!inet_ntop(from->ss_family, bytes, text, INET6_ADDRSTRLEN))
        snprintf(text, INET6_ADDRSTRLEN, "unknown");
}

/* When every place is taken, who has waited longest for its own request gives way: slow
 * connections cannot shut the others out. */
static bool make_room(struct http_server *server)
{
    struct http_connection *c;

    if (server->connection_count < server->limits.connections)
        return true;
    TAILQ_FOREACH(c, &server->connections, link)
    {
        if (c->phase == HTTP_PHASE_HANDLER || c->phase == HTTP_PHASE_ANSWER || c->phase == HTTP_PHASE_END)
            continue;
        http_connection_free(c);
        return true;
    }
    return false;
}

/* Without a word where the word would have to be by TLS. */
static void turn_away(const struct http_listener *listener, int fd)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nServer: Muster\r\nRetry-After: 5\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";

    if (!listener->tls)
        (void)!send(fd, text, sizeof text - 1, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void welcome(const struct http_listener *listener, int fd, const struct sockaddr_storage *from)
{
    const int on = 1;
    char address[INET6_ADDRSTRLEN];

    if (!make_room(listener->server)) {
        turn_away(listener, fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    format_address(from, address);
    if (http_connection_new(listener->server, fd, address, listener->tls) != OK)
        log_write(LOG_WARNING, "%s", fail_text());
}

static void on_acceptable(int socket, short what, void *argument)
{
    const struct http_listener *listener = argument;

    (void)what;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage from = { 0 };
        socklen_t length = sizeof from;
        const int fd = accept4(socket, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(listener, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_write(LOG_WARNING, "http: cannot take more connections for the moment: %s", strerror(errno));
            set_accepting(listener->server, false);
        }
        return;
    }
}

static enum status add_listener(struct http_server *server, int fd, struct http_tls *tls)
{
    struct http_listener *listener = &server->listeners[server->listener_count];

    listener->event = event_new(server->base, fd, EV_READ | EV_PERSIST, on_acceptable, listener);
    if (!listener->event || event_add(listener->event, NULL) != 0) {
        if (listener->event)
            event_free(listener->event);
        close(fd);
        return fail(FAULT, "http: no memory for a listener");
    }
    listener->server = server;
    listener->tls = tls;
    server->listener_count++;
    return OK;
}

static enum status add_listeners(struct http_server *server, const int *listeners, size_t count, struct http_tls *tls)
{
    const bool have_room = count <= HTTP_LISTENERS_MAX - server->listener_count;
    enum status status = have_room ? OK : fail(FAULT, "http: more than %d listeners", HTTP_LISTENERS_MAX);

    for (size_t i = 0; i < count; i++)
        if (status == OK)
            status = add_listener(server, listeners[i], tls);
        else
            close(listeners[i]);
    return status;
}

static enum status start_sweep(struct http_server *server)
{
    static const struct timeval interval = { .tv_usec = SWEEP_MS * 1000 };

    server->accepting = true;
    server->sweep = event_new(server->base, -1, EV_PERSIST, on_sweep, server);
    if (!server->sweep || event_add(server->sweep, &interval) != 0)
        return fail(FAULT, "http: no memory for a timer");
    return OK;
}

AUTO_FREE(http_server_free, struct http_server)

void http_server_on_refused(struct http_server *server, http_refused *refused)
{
    server->refused = refused;
}

enum status http_server_new(struct event_base *base, const int *listeners, size_t listener_count,
                            const struct http_limits *limits, http_handler *handler, void *context,
                            struct http_server **out)
{
    AUTO(http_server_freep) struct http_server *server = calloc(1, sizeof *server);

    if (!server) {
        for (size_t i = 0; i < listener_count; i++)
            close(listeners[i]);
        return fail(FAULT, "http: no memory for a server");
    }
    server->base = base;
    server->limits = *limits;
    server->handler = handler;
    server->context = context;
    TAILQ_INIT(&server->connections);
    TRY(add_listeners(server, listeners, listener_count, NULL));
    TRY(start_sweep(server));
    *out = take(server);
    return OK;
}

enum status http_server_listen_tls(struct http_server *server, const int *listeners, size_t listener_count,
                                   struct http_tls *tls)
{
    return add_listeners(server, listeners, listener_count, tls);
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    while (!TAILQ_EMPTY(&server->connections))
        http_connection_free(TAILQ_FIRST(&server->connections));
    for (size_t i = 0; i < server->listener_count; i++) {
        close(event_get_fd(server->listeners[i].event));
        event_free(server->listeners[i].event);
    }
    if (server->sweep)
        event_free(server->sweep);
    free(server);
}
