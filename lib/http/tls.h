/* SPDX-License-Identifier: Apache-2.0
 *
 * One TLS session of the server, on OpenSSL, over a non-blocking socket: the calls behave like recv(2) and
 * send(2), so that a connection need not know which of them it uses.  Private to lib/http.
 */
#pragma once

#include "lib/http/http.h"

#include <sys/types.h>

struct http_tls_session;

/* Begin as the server on a socket (lent).  FAULT: no memory. */
MUST_USE enum status http_tls_session_new(struct http_tls *tls, int fd, struct http_tls_session **out);

/* Says close_notify where that is still possible. */
void http_tls_session_free(struct http_tls_session *session);

/* Go on with the handshake.
 *   wants_write   true: go on when the socket is writable, else when it is readable
 * PENDING    not done yet     BAD_INPUT  it failed, fail_text() says why */
MUST_USE enum status http_tls_handshake(struct http_tls_session *session, bool *wants_write);

/* As recv(): 0 when the client has ended its side, -1 with errno EAGAIN or, for good, another. */
ssize_t http_tls_read(struct http_tls_session *session, void *to, size_t size);

/* As send(): maybe only a part.  After EAGAIN the same bytes must come again. */
ssize_t http_tls_write(struct http_tls_session *session, const void *bytes, size_t len);

/* Are there bytes that were read from the socket and not yet by us?  No event will tell of them. */
bool http_tls_has_pending(const struct http_tls_session *session);

/* Nothing more will be written: close_notify. */
void http_tls_end_output(struct http_tls_session *session);

const char *http_tls_version(const struct http_tls_session *session);
const char *http_tls_server_name(const struct http_tls_session *session);
struct span http_tls_peer_certificate(const struct http_tls_session *session); /* DER, lent */
