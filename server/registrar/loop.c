/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/loop.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"

#include <errno.h>
#include <stdlib.h>

#define PEERS_MAX 264 /* as many responders as the configuration allows, and signers */

/* So often is one channel read in a turn, that the others have theirs. */
#define FILLS_MOST 16

/* So long the responders wait for a signer that is at work. */
#define SIGNER_PATIENCE_MS 10

struct loop {
    struct registrar *registrar;
    struct control *control;
    struct ipc_channel supervisor;
    struct ipc_channel peers[PEERS_MAX];
    size_t peers_count;
    bool in_transaction;
    bool impatient; /* the signer takes its time: the responders are heard all the same */
    int64_t now_s; /* of this turn */
};

/* The order in which everything is polled: supervisor, control socket, operators, peers. */
#define POLLED_CONTROL 1
#define POLLED_PEERS (POLLED_CONTROL + 1 + OPERATORS_MAX)

/* --- Messages out -------------------------------------------------------------------- */

static struct ipc_channel *find_peer(struct loop *loop, enum ipc_role role, uint32_t number)
{
    for (size_t i = 0; i < loop->peers_count; i++)
        if (loop->peers[i].peer == role && loop->peers[i].number == number)
            return &loop->peers[i];
    return NULL;
}

/* Whoever has gone meanwhile asks again. */
static enum status send_to_peer(void *context, enum ipc_role to, uint32_t number, const struct ipc_message *message)
{
    struct loop *loop = context;
    struct ipc_channel *peer = to == IPC_SUPERVISOR ? &loop->supervisor : find_peer(loop, to, number);

    return peer ? ipc_channel_send(peer, message) : OK;
}

/* --- Who is there ---------------------------------------------------------------------- */

static void drop_peer(struct loop *loop, struct ipc_channel *peer)
{
    log_write(LOG_INFO, "%s %u has gone", ipc_role_name(peer->peer), peer->number);
    registrar_peer_went(loop->registrar, peer->peer, peer->number);
    ipc_channel_clear(peer);
    *peer = loop->peers[--loop->peers_count];
}

static enum status add_peer(struct loop *loop, const struct ipc_message *message)
{
    const enum ipc_role role = (enum ipc_role)message->peer.role;
    struct ipc_channel *before = find_peer(loop, role, message->peer.number);

    if (message->fd < 0 || (role != IPC_RESPONDER && role != IPC_SIGNER))
        return fail(BAD_INPUT, "ipc: the supervisor sent a channel to the %s", ipc_role_name(role));
    if (before)
        drop_peer(loop, before);
    if (loop->peers_count == PEERS_MAX)
        return fail(FAULT, "more than %d processes to talk to", PEERS_MAX);
    TRY(ipc_channel_init(&loop->peers[loop->peers_count], message->fd, IPC_REGISTRAR, role, message->peer.number));
    loop->peers_count++;
    log_write(LOG_INFO, "%s %u is there", ipc_role_name(role), message->peer.number);
    return registrar_peer_came(loop->registrar, role);
}

/* --- Messages in -------------------------------------------------------------------------- */

static enum status ensure_transaction(struct loop *loop)
{
    if (loop->in_transaction)
        return OK;
    TRY(store_begin(loop->registrar->store));
    loop->in_transaction = true;
    return OK;
}

static enum status take_from_supervisor(struct loop *loop, const struct ipc_message *message)
{
    if (message->kind == IPC_KIND_peer)
        return add_peer(loop, message);
    TRY(ensure_transaction(loop));
    return registrar_take(loop->registrar, IPC_SUPERVISOR, 0, message, loop->now_s);
}

/* `*gone` when the supervisor has closed its end. */
static enum status hear_supervisor(struct loop *loop, bool *gone)
{
    struct ipc_message message;

    /* One read may bring more than one message, but only one descriptor: read them one by one. */
    for (;;) {
        const enum status filled = ipc_channel_fill(&loop->supervisor);
        *gone = filled == FAULT;
        if (filled != OK)
            return OK;
        enum status status = ipc_channel_next(&loop->supervisor, &message);
        for (; status == OK; status = ipc_channel_next(&loop->supervisor, &message))
            TRY(take_from_supervisor(loop, &message));
        if (status != PENDING)
            return status;
    }
}

static enum status take_messages(struct loop *loop, struct ipc_channel *peer)
{
    struct ipc_message message;

    for (;;) {
        const enum status status = ipc_channel_next(peer, &message);
        if (status != OK)
            return status == PENDING ? OK : status;
        TRY(ensure_transaction(loop));
        TRY(registrar_take(loop->registrar, peer->peer, peer->number, &message, loop->now_s));
    }
}

/* Everything that waits in one channel.  `*gone` when the other end has closed it. */
static enum status hear_peer(struct loop *loop, struct ipc_channel *peer, bool *gone)
{
    for (unsigned i = 0; i < FILLS_MOST; i++) {
        const enum status filled = ipc_channel_fill(peer);
        *gone = filled == FAULT;
        if (filled != OK)
            return OK;
        TRY(take_messages(loop, peer));
    }
    return OK;
}

/* From the back, since a dropped place is filled from there. */
static enum status hear_peers(struct loop *loop, const struct pollfd *polled)
{
    for (size_t i = loop->peers_count; i-- > 0;) {
        bool gone = false;
        if (!(polled[POLLED_PEERS + i].revents & ~POLLOUT))
            continue;
        TRY(hear_peer(loop, &loop->peers[i], &gone));
        if (gone)
            drop_peer(loop, &loop->peers[i]);
    }
    return OK;
}

static enum status hear_operators(struct loop *loop, const struct pollfd *polled)
{
    struct control *control = loop->control;

    for (size_t i = 0; i < OPERATORS_MAX; i++) {
        if (!(polled[POLLED_CONTROL + 1 + i].revents & ~POLLOUT))
            continue;
        TRY(ensure_transaction(loop));
        TRY(control_take(control, &control->operators[i], loop->now_s));
    }
    if (polled[POLLED_CONTROL].revents)
        control_accept(control);
    return OK;
}

/* --- A turn ---------------------------------------------------------------------------------- */

/* What the responders bring while the signer works for us could only wait for it.  So they are heard when
 * it answers, and their intents share the commit of its answers: under load the batches make themselves,
 * and whoever is alone is served at once (doc/adr/0006). */
static bool signer_works(const struct loop *loop)
{
    return loop->registrar->at_signer_count > 0 && !loop->impatient;
}

static void poll_peers(const struct loop *loop, bool signer_only, struct pollfd *polled)
{
    for (size_t i = 0; i < loop->peers_count; i++) {
        const struct ipc_channel *peer = &loop->peers[i];
        const short in = signer_only && peer->peer != IPC_SIGNER ? 0 : POLLIN;
        const short out = ipc_channel_has_output(peer) ? POLLOUT : 0;
        polled[i] = (struct pollfd){ .fd = peer->fd, .events = (short)(in | out) };
    }
}

/* Poll, first for what is awaited, then once more for everything that has come meanwhile. */
static int poll_all(struct loop *loop, struct pollfd *polled, nfds_t count)
{
    const bool signer_only = signer_works(loop);
    const int timeout_ms = control_has_work(loop->control) ? 0 : signer_only ? SIGNER_PATIENCE_MS : -1;

    poll_peers(loop, signer_only, &polled[POLLED_PEERS]);
    const int ready = poll(polled, count, timeout_ms);
    loop->impatient = ready == 0 && timeout_ms == SIGNER_PATIENCE_MS;
    if (ready < 0 || !signer_only)
        return ready;
    poll_peers(loop, false, &polled[POLLED_PEERS]);
    return poll(polled, count, 0);
}

static enum status wait_for_work(struct loop *loop, struct pollfd *polled)
{
    const nfds_t count = POLLED_PEERS + loop->peers_count;

    const short out = ipc_channel_has_output(&loop->supervisor) ? POLLOUT : 0;

    polled[0] = (struct pollfd){ .fd = loop->supervisor.fd, .events = (short)(POLLIN | out) };
    control_poll(loop->control, &polled[POLLED_CONTROL]);
    if (poll_all(loop, polled, count) >= 0)
        return OK;
    for (nfds_t i = 0; i < count; i++)
        polled[i].revents = 0;
    return errno == EINTR ? OK : fail(FAULT, "poll: %s", strerror(errno));
}

static enum status commit(struct loop *loop)
{
    if (!loop->in_transaction)
        return OK;
    TRY(store_commit(loop->registrar->store));
    loop->in_transaction = false;
    return OK;
}

/* Everything said so far is durable: let it go. */
static void flush_peers(struct loop *loop)
{
    for (size_t i = loop->peers_count; i-- > 0;)
        if (ipc_channel_has_output(&loop->peers[i]) && ipc_channel_flush(&loop->peers[i]) == FAULT)
            drop_peer(loop, &loop->peers[i]);
}

static enum status turn(struct loop *loop, bool *gone)
{
    struct pollfd polled[POLLED_PEERS + PEERS_MAX];

    TRY(wait_for_work(loop, polled));
    loop->now_s = clock_now_s();
    TRY(hear_peers(loop, polled));
    TRY(hear_operators(loop, polled));
    TRY(commit(loop));
    TRY(control_continue(loop->control, loop->now_s));
    if (polled[0].revents & ~POLLOUT)
        TRY(hear_supervisor(loop, gone));
    TRY(commit(loop));
    flush_peers(loop);
    *gone |= ipc_channel_flush(&loop->supervisor) == FAULT;
    control_flush(loop->control);
    return OK;
}

enum status loop_run(struct loop *loop)
{
    bool gone = false;

    while (!gone)
        TRY(turn(loop, &gone));
    return OK;
}

/* --- Beginning and end ------------------------------------------------------------------------- */

enum status loop_new(struct registrar *registrar, struct control *control, int supervisor_fd, struct loop **out)
{
    AUTO(loop_freep) struct loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return fail(FAULT, "no memory for the loop");
    loop->registrar = registrar;
    loop->control = control;
    loop->supervisor = (struct ipc_channel){ .fd = -1, .passed_fd = -1 };
    TRY(ipc_channel_init(&loop->supervisor, supervisor_fd, IPC_REGISTRAR, IPC_SUPERVISOR, 0));
    registrar->outlet = (struct outlet){ send_to_peer, loop };
    TRY(ipc_send_ready(&loop->supervisor));
    *out = take(loop);
    return OK;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (size_t i = 0; i < loop->peers_count; i++)
        ipc_channel_clear(&loop->peers[i]);
    ipc_channel_clear(&loop->supervisor);
    free(loop);
}
