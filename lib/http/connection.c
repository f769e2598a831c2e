/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/connection.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HEAD_OUT_BYTES 512
#define LINGER_MS 2000
#define LINGER_BYTES ((size_t)1 << 20)
#define NO_DEADLINE INT64_MAX

void http_connection_free(struct http_connection *c)
{
    event_del(&c->readable);
    event_del(&c->writable);
    http_tls_session_free(c->tls);
    close(c->fd);
    buf_clear(&c->in);
    buf_clear(&c->out);
    TAILQ_REMOVE(&c->server->connections, c, link);
    c->server->connection_count--;
    free(c);
}

/* Bytes, by TLS or as they are. */
static ssize_t receive(struct http_connection *c, void *to, size_t size)
{
    return c->tls ? http_tls_read(c->tls, to, size) : recv(c->fd, to, size, 0);
}

static ssize_t transmit(struct http_connection *c, const void *bytes, size_t len)
{
    return c->tls ? http_tls_write(c->tls, bytes, len) : send(c->fd, bytes, len, MSG_NOSIGNAL);
}

static void connection_settle(struct http_connection *c)
{
    if (c->phase == HTTP_PHASE_END)
        http_connection_free(c);
}

static void set_deadline(struct http_connection *c, unsigned timeout_s)
{
    c->deadline_ms = clock_monotonic_ms() + (int64_t)timeout_s * 1000;
}

static void await_request(struct http_connection *c)
{
    c->phase = HTTP_PHASE_HEAD;
    c->head = (struct http_head){ 0 };
    c->closes = false;
    set_deadline(c, c->server->limits.header_timeout_s);
    TAILQ_REMOVE(&c->server->connections, c, link);
    TAILQ_INSERT_TAIL(&c->server->connections, c, link);
}

static void pause_reading(struct http_connection *c)
{
    event_del(&c->readable);
    c->paused = true;
}

static void resume_reading(struct http_connection *c)
{
    if (!c->paused || c->input_ended)
        return;
    event_add(&c->readable, NULL);
    c->paused = false;
}

/* --- Answering ---------------------------------------------------------- */

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 400, "Bad Request" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 411, "Length Required" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 503, "Service Unavailable" },
    { 505, "HTTP Version Not Supported" },
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Other";
}

static const char *date_now(struct http_server *server)
{
    const int64_t now_s = clock_now_s();
    const time_t when = (time_t)now_s;
    struct tm parts;

    if (now_s != server->date_s && gmtime_r(&when, &parts)) {
        strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        server->date_s = now_s;
    }
    return server->date;
}

static size_t format_head(struct http_connection *c, const struct http_response *response, char *out,
                          size_t size)
{
    char type[160] = "", retry[40] = "";
    const bool keeps_old_client = !c->closes && c->head.minor == 0;

    if (response->content_type)
        snprintf(type, sizeof type, "Content-Type: %s\r\n", response->content_type);
    if (response->retry_after_s)
        snprintf(retry, sizeof retry, "Retry-After: %u\r\n", response->retry_after_s);
    const int n = snprintf(
        out, size, "HTTP/1.1 %d %s\r\nServer: Muster\r\nDate: %s\r\n%s%sContent-Length: %zu\r\n%s%s\r\n",
        response->status, reason_of(response->status), date_now(c->server), type, retry, response->body.len,
        response->status == 405 ? "Allow: GET, HEAD, POST\r\n" : "",
        c->closes          ? "Connection: close\r\n"
        : keeps_old_client ? "Connection: keep-alive\r\n"
                           : "");
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

/* The answer is out: wait for the next request, or shut our side and let the client read. */
static void answer_sent(struct http_connection *c)
{
    c->out.len = 0;
    if (!c->closes) {
        buf_consume(&c->in, c->head.used + c->head.content_length);
        await_request(c);
        resume_reading(c);
        if (c->tls && http_tls_has_pending(c->tls))
            event_active(&c->readable, EV_READ, 0);
        return;
    }
    buf_clear(&c->in);
    if (c->tls)
        http_tls_end_output(c->tls);
    if (c->input_ended || shutdown(c->fd, SHUT_WR) != 0) {
        c->phase = HTTP_PHASE_END;
        return;
    }
    c->phase = HTTP_PHASE_LINGER;
    c->deadline_ms = clock_monotonic_ms() + LINGER_MS;
    resume_reading(c);
}

static void keep_unsent(struct http_connection *c, const struct iovec *parts, size_t sent)
{
    for (int i = 0; i < 2; i++) {
        const size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        sent -= skip;
        if (buf_append(&c->out,
                       span_of((const uint8_t *)parts[i].iov_base + skip, parts[i].iov_len - skip)) != OK) {
            c->phase = HTTP_PHASE_END;
            return;
        }
    }
    c->phase = HTTP_PHASE_ANSWER;
    set_deadline(c, c->server->limits.body_timeout_s);
}

/* Write what the socket takes; the rest goes when it is writable. */
static void push(struct http_connection *c)
{
    while (c->out.len) {
        const ssize_t n = transmit(c, c->out.ptr, c->out.len);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            event_add(&c->writable, NULL);
            return;
        }
        if (n < 0) {
            c->phase = HTTP_PHASE_END;
            return;
        }
        buf_consume(&c->out, (size_t)n);
    }
    event_del(&c->writable);
    answer_sent(c);
}

static void send_response(struct http_connection *c, const struct http_response *response)
{
    char head[HEAD_OUT_BYTES];

    c->closes |= response->close || c->input_ended || !http_head_keeps_alive(&c->head);
    struct iovec parts[2] = {
        { head, format_head(c, response, head, sizeof head) },
        { (void *)(uintptr_t)response->body.ptr, c->head.method == HTTP_HEAD ? 0 : response->body.len },
    };
    const struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    if (c->tls) { /* head and body in one record */
        keep_unsent(c, parts, 0);
        if (c->phase == HTTP_PHASE_ANSWER)
            push(c);
        return;
    }
    const ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        c->phase = HTTP_PHASE_END;
        return;
    }
    if (n >= 0 && (size_t)n == parts[0].iov_len + parts[1].iov_len) {
        answer_sent(c);
        return;
    }
    keep_unsent(c, parts, n < 0 ? 0 : (size_t)n);
    if (c->phase == HTTP_PHASE_ANSWER)
        event_add(&c->writable, NULL);
}

/* Refuse what is no good request, in words, and end the connection. */
static void refuse(struct http_connection *c, int status, const char *why)
{
    char text[256];
    const int n = snprintf(text, sizeof text, "%s\n", why);

    c->closes = true;
    if (c->server->refused)
        c->server->refused(c->server->context, status, why, c->address, c->user_agent);
    send_response(c, &(struct http_response){
                         .status = status,
                         .content_type = "text/plain",
                         .body = span_of(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1),
                         .close = true,
                     });
}

/* --- Requests ----------------------------------------------------------- */

static void copy_user_agent(struct http_connection *c, struct span sent)
{
    const size_t n = sent.len < sizeof c->user_agent ? sent.len : sizeof c->user_agent - 1;

    for (size_t i = 0; i < n; i++)
        c->user_agent[i] = sent.ptr[i] >= 0x20 && sent.ptr[i] < 0x7f ? (char)sent.ptr[i] : '?';
    c->user_agent[n] = 0;
}

static void hand_over(struct http_connection *c)
{
    const struct span bytes = buf_span(&c->in);

    copy_user_agent(c, http_slice_span(c->head.user_agent, bytes));
    c->exchange.request = (struct http_request){
        .method = c->head.method,
        .path = http_slice_span(c->head.path, bytes),
        .query = http_slice_span(c->head.query, bytes),
        .body = span_of(bytes.ptr + c->head.used, c->head.content_length),
        .address = c->address,
        .user_agent = c->user_agent,
        .tls_version = c->tls ? http_tls_version(c->tls) : "",
        .server_name = c->tls ? http_tls_server_name(c->tls) : "",
        .peer_certificate = c->tls ? http_tls_peer_certificate(c->tls) : span_of(NULL, 0),
    };
    c->phase = HTTP_PHASE_HANDLER;
    c->deadline_ms = NO_DEADLINE;
    c->server->handler(c->server->context, &c->exchange);
}

static void promise_to_read_on(struct http_connection *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const size_t length = sizeof text - 1;

    if (c->head.expects_continue && c->head.minor && c->in.len == c->head.used && c->head.content_length &&
        transmit(c, text, length) != (ssize_t)length)
        c->phase = HTTP_PHASE_END;
}

static bool step_head(struct http_connection *c)
{
    switch (http_head_read(&c->head, buf_span(&c->in), &c->server->limits)) {
    case OK:
        c->phase = HTTP_PHASE_BODY;
        set_deadline(c, c->server->limits.body_timeout_s);
        promise_to_read_on(c);
        return true;
    case PENDING:
        if (c->input_ended && c->in.len)
            refuse(c, 400, "the request ended in the middle of its head");
        else if (c->input_ended)
            c->phase = HTTP_PHASE_END;
        return false;
    case BAD_INPUT:
    case BAD_PROOF:
    case REFUSED:
    case FAULT:
        refuse(c, c->head.refusal, fail_text());
        return false;
    }
    return false;
}

static bool step_body(struct http_connection *c)
{
    if (c->in.len - c->head.used >= c->head.content_length) {
        hand_over(c);
        return true;
    }
    if (c->input_ended)
        refuse(c, 400, "the request ended in the middle of its body");
    return false;
}

/* Go as far as the bytes at hand allow; pipelined requests are answered one after the other. */
static void advance(struct http_connection *c)
{
    bool more = true;

    c->advancing = true;
    while (more)
        more = c->phase == HTTP_PHASE_HEAD   ? step_head(c)
               : c->phase == HTTP_PHASE_BODY ? step_body(c)
                                             : false;
    c->advancing = false;
}

const struct http_request *http_exchange_get_request(const struct http_exchange *exchange)
{
    return &exchange->request;
}

void http_exchange_reply(struct http_exchange *exchange, const struct http_response *response)
{
    struct http_connection *c = (struct http_connection *)exchange;

    if (c->phase != HTTP_PHASE_HANDLER)
        return;
    send_response(c, response);
    if (c->advancing)
        return;
    advance(c);
    connection_settle(c);
}

/* --- Events ------------------------------------------------------------- */

static void drain(struct http_connection *c)
{
    char waste[8192];
    const ssize_t n = recv(c->fd, waste, sizeof waste, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        c->lingered_bytes += (size_t)n;
    if (n <= 0 || c->lingered_bytes > LINGER_BYTES)
        c->phase = HTTP_PHASE_END;
}

static void read_once(struct http_connection *c)
{
    uint8_t *to = buf_reserve(&c->in, HTTP_READ_BYTES);

    if (!to) {
        c->phase = HTTP_PHASE_END;
        return;
    }
    const ssize_t n = receive(c, to, HTTP_READ_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        c->phase = HTTP_PHASE_END;
        return;
    }
    c->in.len += (size_t)n;
    if (n == 0) {
        pause_reading(c);
        c->input_ended = true;
    }
    advance(c);
}

/* A TLS record may hold more than is read at once, and no event will tell of the rest. */
static void fill(struct http_connection *c)
{
    do
        read_once(c);
    while (c->tls && (c->phase == HTTP_PHASE_HEAD || c->phase == HTTP_PHASE_BODY) && http_tls_has_pending(c->tls));
}

/* What the client sent behind its part of the handshake may be here already. */
static void shake_hands(struct http_connection *c)
{
    bool wants_write = false;

    switch (http_tls_handshake(c->tls, &wants_write)) {
    case OK:
        event_del(&c->writable);
        c->phase = HTTP_PHASE_HEAD; /* within the time for the first head */
        fill(c);
        break;
    case PENDING:
        if (wants_write)
            event_add(&c->writable, NULL);
        else
            event_del(&c->writable);
        break;
    case BAD_INPUT:
    case BAD_PROOF:
    case REFUSED:
    case FAULT:
        log_write(LOG_INFO, "no connection with %s: %s", c->address, fail_text());
        c->phase = HTTP_PHASE_END;
        break;
    }
}

static void on_readable(int fd, short what, void *argument)
{
    struct http_connection *c = argument;

    (void)fd;
    (void)what;
    switch (c->phase) {
    case HTTP_PHASE_HANDSHAKE:
        shake_hands(c);
        break;
    case HTTP_PHASE_HEAD:
    case HTTP_PHASE_BODY:
        fill(c);
        break;
    case HTTP_PHASE_HANDLER: /* the request's bytes must stay where they are */
    case HTTP_PHASE_ANSWER:
        pause_reading(c);
        break;
    case HTTP_PHASE_LINGER:
        drain(c);
        break;
    case HTTP_PHASE_END:
        break;
    }
    connection_settle(c);
}

static void on_writable(int fd, short what, void *argument)
{
    struct http_connection *c = argument;

    (void)fd;
    (void)what;
    if (c->phase == HTTP_PHASE_HANDSHAKE) {
        shake_hands(c);
    } else {
        push(c);
        advance(c);
    }
    connection_settle(c);
}

void http_connection_expire(struct http_connection *c)
{
    const bool silent = c->phase != HTTP_PHASE_BODY && !(c->phase == HTTP_PHASE_HEAD && c->in.len);

    if (silent) {
        c->phase = HTTP_PHASE_END;
    } else {
        refuse(c, 408, "the request took too long to arrive");
    }
    connection_settle(c);
}

enum status http_connection_new(struct http_server *server, int fd, const char *address, struct http_tls *tls)
{
    struct http_connection *c = calloc(1, sizeof *c);

    if (!c || (tls && http_tls_session_new(tls, fd, &c->tls) != OK)) {
        free(c);
        close(fd);
        return fail(FAULT, "http: no memory for a connection");
    }
    c->server = server;
    c->fd = fd;
    c->in.limit = server->limits.header_bytes + server->limits.body_bytes + 2 * HTTP_READ_BYTES;
    snprintf(c->address, sizeof c->address, "%s", address);
    TAILQ_INSERT_TAIL(&server->connections, c, link);
    server->connection_count++;
    event_assign(&c->readable, server->base, fd, EV_READ | EV_PERSIST, on_readable, c);
    event_assign(&c->writable, server->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    event_add(&c->readable, NULL);
    await_request(c);
    if (tls)
        c->phase = HTTP_PHASE_HANDSHAKE;
    return OK;
}
