/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of one HTTP/1.1 request: request line and header fields, read line by line as the
 * bytes come in.  Knows RFC 9112's grammar and is strict about everything two readers could
 * take differently (bare LF, folded lines, odd Transfer-Encoding): request smuggling lives
 * there.  Private to lib/http; no sockets.
 */
#pragma once

#include "lib/http/http.h"

/* A part of the bytes by place, because the buffer may move while it grows. */
struct http_slice {
    size_t at;
    size_t len;
};

struct http_head {
    size_t used;    /* bytes taken: whole lines only; once complete, where the body begins */
    size_t scanned; /* bytes searched for the end of the current line */
    bool has_request_line;
    enum http_method method;
    unsigned minor; /* HTTP/1.minor: 0 or 1 */
    struct http_slice path;
    struct http_slice query;
    struct http_slice user_agent;
    bool has_host;
    bool has_content_length;
    bool has_transfer_encoding;
    bool wants_close;
    bool wants_keep_alive;
    bool expects_continue;
    size_t content_length;
    int refusal; /* HTTP status to refuse it with, once reading failed */
};

/* Read on.  Start with a zeroed head and pass all bytes of the request so far each time.
 *
 * OK         the head is complete: head->used says where the body begins
 * PENDING    more bytes are needed
 * BAD_INPUT  refuse it: head->refusal says with which HTTP status, fail_text() why */
MUST_USE enum status http_head_read(struct http_head *head, struct span bytes,
                                    const struct http_limits *limits);

/* May the connection carry another request after this one? */
bool http_head_keeps_alive(const struct http_head *head);

static inline struct span http_slice_span(struct http_slice slice, struct span bytes)
{
    return span_of(bytes.ptr + slice.at, slice.len);
}
