/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/responder.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/jail/jail.h"
#include "lib/jail/priority.h"
#include "lib/scep/legacy.h"
#include "server/responder/handle.h"
#include "server/responder/identity.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define HEADER_BYTES ((size_t)32768) /* a PKIOperation by GET takes some 4 kB */
#define OTHER_FILES 64               /* descriptors beside the connections */
#define TICK_MS 250

/* The event loop around the responder. */
struct loop {
    struct event_base *base;
    struct responder *responder;
    struct identities identities;
    struct http_server *http;
    struct ipc_channel supervisor;
    struct event from_supervisor;
    struct event from_registrar;
    struct event to_registrar;
    struct event *tick;
    bool is_connected;  /* the registrar's events are assigned */
    enum status status; /* why the loop ended */
};

static void end_loop(struct loop *loop, enum status status)
{
    loop->status = status;
    event_base_loopbreak(loop->base);
}

/* --- The registrar ------------------------------------------------------ */

static void drop_registrar_events(struct loop *loop)
{
    if (loop->is_connected) {
        event_del(&loop->from_registrar);
        event_del(&loop->to_registrar);
    }
    loop->is_connected = false;
}

/* What a full socket did not take is written as soon as it does. */
static void watch_output(struct loop *loop)
{
    if (loop->is_connected && ipc_channel_has_output(&loop->responder->registrar))
        event_add(&loop->to_registrar, NULL);
}

static void on_registrar_writable(int fd, short what, void *argument)
{
    struct loop *loop = argument;

    (void)fd;
    (void)what;
    (void)!ipc_channel_flush(&loop->responder->registrar);
    watch_output(loop);
}

static void on_registrar_readable(int fd, short what, void *argument)
{
    struct loop *loop = argument;
    const enum status status = responder_listen(loop->responder);

    (void)fd;
    (void)what;
    if (status == OK)
        return;
    drop_registrar_events(loop);
    if (status == FAULT)
        log_write(LOG_WARNING, "%s; waiting for the next one", fail_text());
    else
        end_loop(loop, status);
}

static enum status connect_registrar(struct loop *loop, const struct ipc_message *peer)
{
    struct ipc_channel *channel = &loop->responder->registrar;

    if (peer->fd < 0 || peer->peer.role != IPC_REGISTRAR)
        return fail(BAD_INPUT, "ipc: a peer that is no registrar, or without its channel");
    drop_registrar_events(loop);
    TRY(responder_connect(loop->responder, peer->fd, peer->peer.number));
    event_assign(&loop->from_registrar, loop->base, channel->fd, EV_READ | EV_PERSIST, on_registrar_readable,
                 loop);
    event_assign(&loop->to_registrar, loop->base, channel->fd, EV_WRITE, on_registrar_writable, loop);
    loop->is_connected = true;
    event_add(&loop->from_registrar, NULL);
    watch_output(loop);
    return OK;
}

/* --- The supervisor ----------------------------------------------------- */

static enum status take_messages(struct loop *loop)
{
    struct ipc_message message;
    enum status status;

    TRY(ipc_channel_fill(&loop->supervisor));
    while ((status = ipc_channel_next(&loop->supervisor, &message)) == OK)
        if (message.kind == IPC_KIND_peer)
            TRY(connect_registrar(loop, &message));
        else
            TRY(identities_take(&loop->identities, &message)); /* nothing else may come from a supervisor */
    return status;
}

static void on_supervisor(int fd, short what, void *argument)
{
    struct loop *loop = argument;
    const enum status status = take_messages(loop);

    (void)fd;
    (void)what;
    if (status != PENDING)
        end_loop(loop, status);
}

/* --- The loop ----------------------------------------------------------- */

static void on_request(void *context, struct http_exchange *exchange)
{
    struct loop *loop = context;

    responder_handle(loop->responder, exchange);
    watch_output(loop);
}

static void on_refused(void *context, int status, const char *why, const char *address, const char *user_agent)
{
    struct loop *loop = context;

    responder_note_refused(loop->responder, status, why, address, user_agent);
    watch_output(loop);
}

static void on_tick(int fd, short what, void *argument)
{
    struct loop *loop = argument;

    (void)fd;
    (void)what;
    responder_expire(loop->responder, clock_monotonic_ms());
}

static void loop_clear(struct loop *loop)
{
    http_server_free(loop->http);
    identities_clear(&loop->identities);
    drop_registrar_events(loop);
    if (loop->tick)
        event_free(loop->tick);
    if (loop->supervisor.fd >= 0)
        event_del(&loop->from_supervisor);
    ipc_channel_clear(&loop->supervisor);
    responder_free(loop->responder);
    if (loop->base)
        event_base_free(loop->base);
}

static enum status start_http(struct loop *loop, const struct role *role)
{
    const struct config *config = loop->responder->config;
    const struct http_limits limits = {
        .body_bytes = SCEP_MESSAGE_MAX_BYTES,
        .header_bytes = HEADER_BYTES,
        .header_timeout_s = config->header_timeout_s,
        .body_timeout_s = config->body_timeout_s,
        .connections = config->connections_max,
    };

    if (role->listeners_count != config->listen_count + config->listen_tls_count)
        return fail(BAD_INPUT, "%u listening sockets, and the configuration has %zu addresses: it has changed; start "
                    "the server again", role->listeners_count, config->listen_count + config->listen_tls_count);
    TRY(http_server_new(loop->base, role->listeners, config->listen_count, &limits, on_request, loop, &loop->http));
    http_server_on_refused(loop->http, on_refused);
    if (!config->listen_tls_count)
        return OK;
    return http_server_listen_tls(loop->http, role->listeners + config->listen_count, config->listen_tls_count,
                                  loop->identities.tls);
}

static enum status start_loop(struct loop *loop, const struct role *role)
{
    static const struct timeval interval = { .tv_usec = TICK_MS * 1000 };

    loop->base = event_base_new();
    loop->tick = loop->base ? event_new(loop->base, -1, EV_PERSIST, on_tick, loop) : NULL;
    if (!loop->tick || event_add(loop->tick, &interval) != 0)
        return fail(FAULT, "no event loop");
    TRY(ipc_channel_init(&loop->supervisor, ROLE_SUPERVISOR_FD, IPC_RESPONDER, IPC_SUPERVISOR, 0));
    event_assign(&loop->from_supervisor, loop->base, loop->supervisor.fd, EV_READ | EV_PERSIST, on_supervisor,
                 loop);
    event_add(&loop->from_supervisor, NULL);
    return start_http(loop, role);
}

/* --- Start -------------------------------------------------------------- */

static void raise_file_limit(unsigned connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < connections + OTHER_FILES)
        log_write(LOG_WARNING, "fewer files may be open than the %u connections of connections_max need",
                  connections);
}

static enum status enter_jail(const struct config *config)
{
    const struct jail jail = {
        .kind = JAIL_RESPONDER,
        .uid = config->uid_base ? config->uid_base + IPC_RESPONDER : 0,
    };

    priority_set(PRIORITY_BATCH);
    TRY(jail_enter(&jail));
    log_write(LOG_INFO, "jailed: %s", jail_describe());
    return OK;
}

/* Its module is a file, so before the jail. */
static enum status load_legacy(const struct config *config)
{
    for (size_t i = 0; i < config->paths_count; i++)
        if (config->paths[i].policy.allow_des)
            return scep_legacy_load();
    return OK;
}

static enum status run(const struct role *role)
{
    AUTO(config_freep) struct config *config = NULL;
    AUTO(loop_clear) struct loop loop = { .supervisor = { .fd = -1, .passed_fd = -1 } };

    TRY(config_load(role->directory, &config));
    TRY(responder_new(config, &loop.responder));
    TRY(rates_open(ROLE_RATES_FD, &loop.responder->rates));
    close(ROLE_RATES_FD);
    TRY(load_legacy(config));
    TRY(identities_load(config, &loop.identities));
    raise_file_limit(config->connections_max);
    TRY(start_loop(&loop, role));
    TRY(enter_jail(config));
    TRY(ipc_send_ready(&loop.supervisor));
    event_base_dispatch(loop.base);
    return loop.status;
}

int responder_main(const struct role *role)
{
    signal(SIGPIPE, SIG_IGN);
    if (run(role) == OK)
        return 0;
    log_write(LOG_ERROR, "%s", fail_text());
    return 1;
}
