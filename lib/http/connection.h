/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection to the server: its phases from reading a head to the last byte of the answer.
 * Private to lib/http.
 */
#pragma once

#include "lib/http/head.h"
#include "lib/http/tls.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>

#define HTTP_READ_BYTES ((size_t)8191) /* with buf's own byte, a block of 8 KiB */

enum http_phase {
    HTTP_PHASE_HANDSHAKE, /* TLS is being agreed upon */
    HTTP_PHASE_HEAD,    /* reading a head, or waiting for the next one */
    HTTP_PHASE_BODY,    /* reading a body */
    HTTP_PHASE_HANDLER, /* the request is with the handler */
    HTTP_PHASE_ANSWER,  /* the answer is being written */
    HTTP_PHASE_LINGER,  /* our side is shut: what still comes is thrown away, so that no reset
                           destroys the answer before the client has read it */
    HTTP_PHASE_END,     /* to be freed */
};

struct http_exchange {
    struct http_request request;
};

struct http_connection {
    struct http_exchange exchange; /* first, so that the one is found from the other */
    struct http_server *server;
    TAILQ_ENTRY(http_connection) link;
    int fd;
    struct http_tls_session *tls; /* NULL on plain HTTP */
    enum http_phase phase;
    int64_t deadline_ms;
    struct event readable;
    struct event writable;
    bool paused;      /* readable is not armed */
    bool input_ended; /* the client has shut its side; it may still wait for the answer */
    bool advancing;   /* advance() is on the stack */
    bool closes;      /* no request after this one */
    struct http_head head;
    struct buf in;
    struct buf out;
    size_t lingered_bytes;
    char address[INET6_ADDRSTRLEN];
    char user_agent[256];
};

TAILQ_HEAD(http_connections, http_connection);

#define HTTP_LISTENERS_MAX 32

struct http_listener {
    struct http_server *server;
    struct event *event;
    struct http_tls *tls; /* NULL for plain HTTP */
};

struct http_server {
    struct event_base *base;
    struct http_listener listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    struct event *sweep;
    struct http_limits limits;
    http_handler *handler;
    http_refused *refused; /* NULL: nobody asked */
    void *context;
    struct http_connections connections; /* who has waited longest for a request comes first */
    unsigned connection_count;
    bool accepting;
    int64_t date_s;
    char date[40];
};

/* Start on an accepted socket (taken).  FAULT: no memory, the socket is closed.
 *   tls   NULL for plain HTTP */
MUST_USE enum status http_connection_new(struct http_server *server, int fd, const char *address,
                                         struct http_tls *tls);

void http_connection_free(struct http_connection *connection);

/* Its deadline has passed: say so where a request has begun, and end. */
void http_connection_expire(struct http_connection *connection);
