/* SPDX-License-Identifier: Apache-2.0
 *
 * As much of an HTTP/1.1 client as a load generator needs: where a URL points, how a request is
 * written, when an answer is whole.  Answers are told by Content-Length; nothing else is understood.
 */
#pragma once

#include "lib/base/span.h"

#include <netdb.h>
#include <sys/socket.h>

struct web_target {
    struct sockaddr_storage address;
    socklen_t address_len;
    char host[NI_MAXHOST + 8]; /* for the Host header: "127.0.0.1:8080" */
    char path[512];            /* "/scep/device" */
};

/* BAD_INPUT  not "http://HOST[:PORT]/PATH"     FAULT  the name cannot be resolved */
MUST_USE enum status web_target_parse(const char *url, struct web_target *out);

/* A request that keeps the connection, appended. */
MUST_USE enum status web_append_post(const struct web_target *target, struct span body, struct buf *out);

struct web_answer {
    unsigned status;
    bool close;       /* the server ends the connection after it */
    struct span body; /* lent from the bytes that were read */
    size_t used;      /* bytes of the whole answer */
};

/* PENDING  not all there yet     BAD_INPUT  not an answer we understand */
MUST_USE enum status web_answer_parse(struct span bytes, struct web_answer *out);

/* Connect, not waiting: *out is a non-blocking socket that becomes writable.  FAULT otherwise. */
MUST_USE enum status web_connect(const struct web_target *target, int *out);

/* One GET, waiting for the answer; the body of a 200 is appended. */
MUST_USE enum status web_get(const struct web_target *target, const char *query, struct buf *body);
