/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP, as far as Muster needs it: a server behind a request/response interface, on libevent's
 * loop, and a client on libcurl.
 *
 * Link muster_http_server (libevent) or muster_http_client (libcurl); a program rarely needs both.
 */
#pragma once

#include "lib/base/span.h"

/* --- Server ------------------------------------------------------------- */

enum http_method { HTTP_GET, HTTP_POST, HTTP_HEAD, HTTP_OTHER };

/* One request, whole; lent until the exchange is answered. */
struct http_request {
    enum http_method method;
    struct span path;  /* as sent, not decoded, without the query: "/scep/device" */
    struct span query; /* as sent, not decoded, without '?'; empty if none */
    struct span body;
    const char *address;    /* the client's, numeric */
    const char *user_agent; /* "" if none */
    const char *tls_version; /* "TLSv1.2", "TLSv1.3"; "" on plain HTTP */
    const char *server_name; /* that the client asked for by SNI, in lower case; "" if none */
    struct span peer_certificate; /* DER, proved when its session began, maybe an hour ago; empty if none */
};

struct http_response {
    int status;               /* 200, 404, ... */
    const char *content_type; /* exactly so; NULL for none */
    struct span body;         /* copied */
    unsigned retry_after_s;   /* 0: no header */
    bool close;               /* end the connection after it */
};

struct http_limits {
    size_t body_bytes;
    size_t header_bytes;
    unsigned header_timeout_s;
    unsigned body_timeout_s;
    unsigned connections;
};

struct http_server;
struct http_exchange; /* one request and its answer to come */

/* Called for each whole request; must sooner or later http_exchange_reply() exactly once. */
typedef void http_handler(void *context, struct http_exchange *exchange);

struct event_base;

/* Serve on listening sockets (taken: closed with the server, or when this fails).
 *   base     lent  libevent's loop
 * Refused by itself, with 4xx or 5xx and a close: over-long heads and bodies, methods other than
 * GET, HEAD and POST, Transfer-Encoding (501; 400 beside Content-Length), and whatever RFC 9112's
 * grammar does not know.  header_timeout_s is the whole time for a head, and for an idle connection;
 * body_timeout_s that for a body, and for the client to take the answer.  When all connections are
 * taken, the one that has waited longest for its request gives way; if all are at work, 503. */
MUST_USE enum status http_server_new(struct event_base *base, const int *listeners, size_t listener_count,
                                     const struct http_limits *limits, http_handler *handler, void *context,
                                     struct http_server **out);
/* Serve TLS on further listening sockets (taken).  The program must ignore SIGPIPE: OpenSSL writes without
 * MSG_NOSIGNAL.
 *   tls   lent for the server's life; what is put into it later holds for new connections
 * header_timeout_s is the time for the handshake and the first head together. */
struct http_tls;
MUST_USE enum status http_server_listen_tls(struct http_server *server, const int *listeners, size_t listener_count,
                                            struct http_tls *tls);

void http_server_free(struct http_server *server); /* exchanges that are not answered yet die with it */

/* What the server refused by itself: with which status, why, and who it was; lent for the call. */
typedef void http_refused(void *context, int status, const char *why, const char *address, const char *user_agent);

/* Hear of those refusals, with the handler's context. */
void http_server_on_refused(struct http_server *server, http_refused *refused);

const struct http_request *http_exchange_get_request(const struct http_exchange *exchange);

/* Answer and end the exchange, which must not be touched any more; fine too when the client has
 * gone meanwhile. */
void http_exchange_reply(struct http_exchange *exchange, const struct http_response *response);

/* --- TLS of the server --------------------------------------------------- */

#define HTTP_TLS_IDENTITIES_MAX 16
#define HTTP_TLS_TICKET_KEY_BYTES 80

enum http_client_certificates {
    HTTP_CLIENT_CERTIFICATES_NONE,     /* not asked for */
    HTTP_CLIENT_CERTIFICATES_OPTIONAL, /* asked for; one that does not hold ends the handshake */
    HTTP_CLIENT_CERTIFICATES_REQUIRED,
};

/* Who the server is, for clients that ask for one of these names. */
struct http_tls_identity {
    const char *label;               /* for error texts: "tls default" */
    const char *const *names;        /* "a.example", "*.b.example"; lower case */
    size_t names_count;
    struct span certificate;         /* PEM; certificates after the first one are its chain */
    struct span chain;               /* PEM, further ones; may be empty */
    struct span key;                 /* PEM */
    enum http_client_certificates client_certificates;
    struct span client_anchors;      /* PEM; what is there is trusted, root or not */
};

/* TLS 1.2 and 1.3, AEAD suites with forward secrecy, ALPN http/1.1; no renegotiation, no compression,
 * no early data.  There are no identities yet: every handshake fails.
 *   out   given  http_tls_free() it, after the servers that use it */
MUST_USE enum status http_tls_new(struct http_tls **out);
void http_tls_free(struct http_tls *tls);
AUTO_FREE(http_tls_free, struct http_tls)

/* Set or replace identity number `place`; 0 is the one for clients that name no other.
 *   identity   lent, copied
 * Connections that are open keep what they have.
 * BAD_INPUT  no certificate, a key of another one, no anchors where there must be; nothing has changed then */
MUST_USE enum status http_tls_put(struct http_tls *tls, size_t place, const struct http_tls_identity *identity);

/* Seal session tickets under this key (HTTP_TLS_TICKET_KEY_BYTES, secret), so that processes that share a
 * port can resume each other's sessions.  Without it each server has a key of its own. */
MUST_USE enum status http_tls_set_ticket_key(struct http_tls *tls, struct span key);

/* The value of a query parameter, percent-decoded (a raw '+' stays '+'); appended.
 *   found   false when it is not there
 * BAD_INPUT  broken percent-encoding, or the parameter stands there twice */
MUST_USE enum status http_query_get(struct span query, const char *name, bool *found, struct buf *value);

/* Bind and listen on "127.0.0.1:8080" or "[::1]:8080"; SO_REUSEPORT is set, so that each process
 * can have a socket of its own on the same port.  FAULT with the reason. */
MUST_USE enum status http_listen(const char *address, int *out);

/* Is nobody listening there yet?  Ask before the first http_listen(): SO_REUSEPORT would share the
 * port with another server of the same user without a word.  FAULT when it is taken. */
MUST_USE enum status http_listen_check(const char *address);

/* --- Client ------------------------------------------------------------- */

struct http_client; /* keeps its connections between requests */

/* A client without a connection yet; http and https only, no redirection followed.
 *   timeout_s         for one request from beginning to end
 *   body_limit_bytes  a longer answer is refused
 *   out               given  http_client_free() it; untouched unless OK
 * FAULT  libcurl does not start, or no memory */
MUST_USE enum status http_client_new(unsigned timeout_s, size_t body_limit_bytes, struct http_client **out);
void http_client_free(struct http_client *client);
AUTO_FREE(http_client_free, struct http_client)

/* Whom to believe under https, instead of the system's authorities:
 *   pin    SHA-256 of a CA's whole certificate, which the server must send along with its chain
 *   path   PEM file with the authorities
 * The server's name is always checked.  FAULT: libcurl cannot. */
MUST_USE enum status http_client_trust_pin(struct http_client *client, struct span pin);
MUST_USE enum status http_client_trust_file(struct http_client *client, const char *path);

struct http_answer {
    int status;
    char content_type[128]; /* lower case, without parameters; "" if none */
    unsigned retry_after_s; /* 0 if the server does not say */
    struct buf body;
};
void http_answer_clear(struct http_answer *answer);

/* One request; no redirects are followed, only http and https, no netrc, no proxies but the environment's.
 *   type, body   for POST; pass NULL and an empty span for GET
 *   out          zeroed, or an earlier answer, which is cleared
 * FAULT      could not connect, timed out, broke off (text says which)
 * BAD_PROOF  https: the server is not one that is trusted, or not the one of that name
 * BAD_INPUT  answer over the limit, or a URL we do not take */
MUST_USE enum status http_client_request(struct http_client *client, const char *url, const char *type,
                                         struct span body, struct http_answer *out);

/* Percent-encode for a query; appended (RFC 3986 s2.3: all but unreserved). */
MUST_USE enum status http_query_encode(struct span value, struct buf *out);
