/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/replay.h"
#include "lib/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_BYTES 65536
#define PAUSE_MS 20         /* before a request is sent again */
#define ANSWER_WAIT_MS 10000 /* then the connection counts as broken */
#define TICK_MS 10

enum connection_state { CONNECTION_EMPTY, CONNECTION_PAUSED, CONNECTION_SENDING, CONNECTION_AWAITING };

struct connection {
    int fd; /* -1 when there is none */
    enum connection_state state;
    size_t index;        /* of the request it carries */
    size_t sent;
    struct buf in;
    int64_t started_us;  /* of this request's first try */
    int64_t again_at_ms; /* PAUSED: then; otherwise when it counts as broken */
};

struct run {
    struct replay *replay;
    struct connection *connections;
    struct pollfd *waits;
    size_t next;
    size_t open; /* requests under way */
    int64_t start_us;
};

static void disconnect(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_consume(&c->in, c->in.len);
}

static bool is_stopped(const struct run *run)
{
    const struct replay *replay = run->replay;

    if (replay->stop && *replay->stop)
        return true;
    return replay->seconds > 0 && clock_monotonic_us() - run->start_us > (int64_t)replay->seconds * 1000000;
}

static void start_request(struct run *run, struct connection *c)
{
    const bool left = run->next < run->replay->requests->count && !is_stopped(run);

    c->state = left ? CONNECTION_SENDING : CONNECTION_EMPTY;
    if (!left)
        return;
    c->index = run->next++;
    c->sent = 0;
    c->started_us = clock_monotonic_us();
    c->again_at_ms = c->started_us / 1000 + ANSWER_WAIT_MS;
    run->open++;
    if (run->replay->rate_per_s == 0)
        return;
    const int64_t due_us = run->start_us + (int64_t)c->index * 1000000 / run->replay->rate_per_s;
    if (due_us <= c->started_us)
        return;
    c->state = CONNECTION_PAUSED;
    c->again_at_ms = due_us / 1000;
}

/* What the caller says about an answer decides: next request, or this one again. */
static void finish(struct run *run, struct connection *c, unsigned http_status, struct span body)
{
    struct replay *replay = run->replay;

    if (replay->answer(replay->context, c->index, http_status, body)) {
        replay->latency_us[c->index] = (uint32_t)(clock_monotonic_us() - c->started_us);
        replay->done++;
        run->open--;
        start_request(run, c);
        return;
    }
    c->state = CONNECTION_PAUSED;
    c->sent = 0;
    c->again_at_ms = clock_monotonic_ms() + PAUSE_MS;
}

static void break_off(struct run *run, struct connection *c)
{
    disconnect(c);
    finish(run, c, 0, (struct span){ 0 });
}

static void send_more(struct run *run, struct connection *c)
{
    const struct span request = requests_get_http(run->replay->requests, c->index);

    if (c->fd < 0 && web_connect(&run->replay->requests->server->target, &c->fd) != OK) {
        c->fd = -1;
        break_off(run, c);
        return;
    }
    const ssize_t n = send(c->fd, request.ptr + c->sent, request.len - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN) {
        break_off(run, c);
        return;
    }
    c->sent += n > 0 ? (size_t)n : 0;
    if (c->sent == request.len)
        c->state = CONNECTION_AWAITING;
}

static void receive_more(struct run *run, struct connection *c)
{
    struct web_answer answer;
    uint8_t *room = buf_reserve(&c->in, ANSWER_BYTES);
    const ssize_t n = room ? recv(c->fd, room, ANSWER_BYTES, 0) : 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        break_off(run, c);
        return;
    }
    c->in.len += (size_t)n;
    const enum status whole = web_answer_parse(buf_span(&c->in), &answer);
    if (whole == PENDING)
        return;
    if (whole != OK) {
        break_off(run, c);
        return;
    }
    finish(run, c, answer.status, answer.body);
    buf_consume(&c->in, answer.used);
    if (answer.close)
        disconnect(c);
}

/* The pause is over, or the whole run is. */
static void resume(struct run *run, struct connection *c, int64_t now_ms)
{
    if (run->replay->stop && *run->replay->stop) {
        run->open--;
        c->state = CONNECTION_EMPTY;
    } else if (now_ms >= c->again_at_ms) {
        c->state = CONNECTION_SENDING;
        c->again_at_ms = now_ms + ANSWER_WAIT_MS;
    }
}

static void serve(struct run *run, struct connection *c, const struct pollfd *wait, int64_t now_ms)
{
    switch (c->state) {
    case CONNECTION_EMPTY:
        return;
    case CONNECTION_PAUSED:
        resume(run, c, now_ms);
        return;
    case CONNECTION_SENDING:
        if (c->fd < 0 || wait->revents)
            send_more(run, c);
        break;
    case CONNECTION_AWAITING:
        if (wait->revents)
            receive_more(run, c);
        if (c->state == CONNECTION_SENDING && c->fd >= 0)
            send_more(run, c); /* the next one at once: this socket's buffer is empty */
        break;
    }
    if ((c->state == CONNECTION_SENDING || c->state == CONNECTION_AWAITING) && now_ms > c->again_at_ms)
        break_off(run, c);
}

static void loop(struct run *run)
{
    const unsigned count = run->replay->connections;

    for (unsigned i = 0; i < count; i++)
        start_request(run, &run->connections[i]);
    while (run->open > 0) {
        for (unsigned i = 0; i < count; i++) {
            const struct connection *c = &run->connections[i];
            const bool waits = c->state == CONNECTION_SENDING || c->state == CONNECTION_AWAITING;

            run->waits[i] = (struct pollfd){
                .fd = waits ? c->fd : -1,
                .events = c->state == CONNECTION_AWAITING ? POLLIN : POLLOUT,
            };
        }
        (void)poll(run->waits, count, TICK_MS); /* a timeout and EINTR are rounds like any other */
        const int64_t now_ms = clock_monotonic_ms();
        for (unsigned i = 0; i < count; i++)
            serve(run, &run->connections[i], &run->waits[i], now_ms);
    }
}

enum status replay_run(struct replay *replay)
{
    struct run run = { .replay = replay, .start_us = clock_monotonic_us() };

    if (replay->connections < 1 || replay->connections > REPLAY_CONNECTIONS_MAX)
        return fail(BAD_INPUT, "%u connections: 1 to %u are possible", replay->connections, REPLAY_CONNECTIONS_MAX);
    run.connections = calloc(replay->connections, sizeof(*run.connections));
    run.waits = calloc(replay->connections, sizeof(*run.waits));
    for (unsigned i = 0; run.connections && i < replay->connections; i++)
        run.connections[i].fd = -1;
    if (run.connections && run.waits)
        loop(&run);
    replay->elapsed_us = clock_monotonic_us() - run.start_us;
    for (unsigned i = 0; run.connections && i < replay->connections; i++) {
        disconnect(&run.connections[i]);
        buf_clear(&run.connections[i].in);
    }
    const bool ran = run.connections && run.waits;
    free(run.connections);
    free(run.waits);
    return ran ? OK : fail(FAULT, "no memory for %u connections", replay->connections);
}
