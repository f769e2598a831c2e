/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/serve.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define REGISTRARS_MAX 8

/* A batch that has grown so far is put on disk and answered before more is taken: a longer one would
 * keep every request at the signer while the responders stand idle (doc/adr/0006). */
#define BATCH_MAX_RECORDS 16

/* No more is taken from a registrar, or sent of the journal, while so much waits to be written to it. */
#define OUTPUT_ENOUGH_BYTES ((size_t)1 << 20)

struct registrar {
    struct ipc_channel channel;
    struct journal_reader *reading; /* NULL when it has not asked for the journal */
    bool waits;                     /* messages of it were left for the next batch */
};

struct loop {
    struct issuer *issuer;
    struct journal *journal;
    struct ipc_channel supervisor;
    struct registrar registrars[REGISTRARS_MAX];
    size_t registrars_count;
    struct buf certificate; /* reused from order to order */
};

static void registrar_clear(struct registrar *registrar)
{
    ipc_channel_clear(&registrar->channel);
    journal_reader_free(registrar->reading);
    registrar->reading = NULL;
}

static void loop_clear(struct loop *loop)
{
    for (size_t i = 0; i < loop->registrars_count; i++)
        registrar_clear(&loop->registrars[i]);
    ipc_channel_clear(&loop->supervisor);
    buf_clear(&loop->certificate);
}

/* --- What a registrar may say ------------------------------------------ */

static struct span reason_of(enum status status)
{
    struct span reason = status == OK ? span_of(NULL, 0) : span_of_text(fail_text());

    reason.len = reason.len < 512 ? reason.len : 512;
    return reason;
}

static enum status take_issue(struct loop *loop, struct registrar *registrar, const struct ipc_message *message)
{
    const struct ipc_issue *order = &message->issue;
    uint64_t sequence = 0;

    loop->certificate.len = 0;
    const enum status status =
        issuer_issue(loop->issuer, order, clock_now_s(), &loop->certificate, &sequence);
    if (status != OK)
        log_write(LOG_WARNING, "order %lld: %s: %s", (long long)order->enrolment, status_name(status),
                  fail_text());
    const struct ipc_message answer = {
        .kind = IPC_KIND_issued,
        .fd = -1,
        .issued = { .enrolment = order->enrolment,
                    .status = (uint8_t)status,
                    .reason = reason_of(status),
                    .certificate = status == OK ? buf_span(&loop->certificate) : span_of(NULL, 0),
                    .sequence = (int64_t)sequence },
    };
    return ipc_channel_send(&registrar->channel, &answer);
}

static enum status take_journal_read(struct loop *loop, struct registrar *registrar,
                                     const struct ipc_message *message)
{
    const int64_t after = message->journal_read.after;

    if (after < 0)
        return fail(BAD_INPUT, "ipc: journal_read after record %lld", (long long)after);
    journal_reader_free(registrar->reading);
    registrar->reading = NULL;
    return journal_reader_open(loop->journal, (uint64_t)after, &registrar->reading);
}

/* What is not here does not get past ipc_channel_next(). */
static enum status (*const takers[IPC_KIND_COUNT])(struct loop *, struct registrar *, const struct ipc_message *) = {
    [IPC_KIND_issue] = take_issue,
    [IPC_KIND_journal_read] = take_journal_read,
};

static enum status take_message(struct loop *loop, struct registrar *registrar, const struct ipc_message *message)
{
    if (!takers[message->kind])
        return fail(BAD_INPUT, "ipc: %s is not for the signer", ipc_kind_name(message->kind));
    return takers[message->kind](loop, registrar, message);
}

static bool has_room(const struct registrar *registrar)
{
    return registrar->channel.out.len < OUTPUT_ENOUGH_BYTES;
}

/* May one more message be taken into this batch? */
static bool may_take(const struct loop *loop, const struct registrar *registrar)
{
    return journal_pending_count(loop->journal) < BATCH_MAX_RECORDS && has_room(registrar);
}

/* Everything that was read and is complete; PENDING when none is left, OK when the batch is full. */
static enum status take_messages(struct loop *loop, struct registrar *registrar)
{
    struct ipc_message message;

    while (may_take(loop, registrar)) {
        TRY(ipc_channel_next(&registrar->channel, &message));
        TRY(take_message(loop, registrar, &message));
    }
    registrar->waits = true;
    return OK;
}

/* Read and decide what waits.  PENDING: the registrar has gone. */
static enum status serve_registrar(struct loop *loop, struct registrar *registrar)
{
    registrar->waits = false;
    for (;;) {
        const enum status taken = take_messages(loop, registrar);
        if (taken != PENDING)
            return taken;
        const enum status filled = ipc_channel_fill(&registrar->channel);
        if (filled != OK)
            return filled == PENDING ? OK : PENDING;
    }
}

/* --- What a registrar is told ------------------------------------------ */

static enum status send_record(struct registrar *registrar, const struct journal_record *record)
{
    const struct ipc_message message = {
        .kind = IPC_KIND_journal_record,
        .fd = -1,
        .journal_record = { .sequence = (int64_t)record->sequence,
                            .authority = record->authority,
                            .template = record->template,
                            .device = record->device,
                            .certificate = record->certificate },
    };

    return ipc_channel_send(&registrar->channel, &message);
}

static enum status end_reading(const struct loop *loop, struct registrar *registrar)
{
    const struct ipc_message message = {
        .kind = IPC_KIND_journal_end,
        .fd = -1,
        .journal_end.sequence = (int64_t)journal_newest(loop->journal),
    };

    journal_reader_free(registrar->reading);
    registrar->reading = NULL;
    return ipc_channel_send(&registrar->channel, &message);
}

/* Go on with the journal as far as the channel has room. */
static enum status send_journal(const struct loop *loop, struct registrar *registrar)
{
    struct journal_record record;

    while (registrar->reading && has_room(registrar)) {
        const enum status status = journal_reader_next(registrar->reading, &record);
        if (status == PENDING)
            return end_reading(loop, registrar);
        TRY(status);
        TRY(send_record(registrar, &record));
    }
    return OK;
}

/* --- What the supervisor says ------------------------------------------ */

static enum status take_peer(struct loop *loop, const struct ipc_message *message)
{
    if (message->peer.role != IPC_REGISTRAR || message->fd < 0)
        return fail(BAD_INPUT, "ipc: peer %s %s a channel: the signer talks to registrars",
                    ipc_role_name((enum ipc_role)message->peer.role), message->fd < 0 ? "without" : "with");
    if (loop->registrars_count == REGISTRARS_MAX) {
        close(message->fd);
        return fail(FAULT, "signer: more than %d registrars", REGISTRARS_MAX);
    }
    struct registrar *fresh = &loop->registrars[loop->registrars_count];
    *fresh = (struct registrar){ 0 };
    TRY(ipc_channel_init(&fresh->channel, message->fd, IPC_SIGNER, IPC_REGISTRAR, message->peer.number));
    loop->registrars_count++;
    log_write(LOG_INFO, "registrar %u is connected", message->peer.number);
    return OK;
}

/* PENDING: the supervisor has gone. */
static enum status serve_supervisor(struct loop *loop)
{
    struct ipc_message message;

    for (;;) {
        const enum status filled = ipc_channel_fill(&loop->supervisor);
        if (filled != OK)
            return filled == PENDING ? OK : PENDING;
        enum status status = ipc_channel_next(&loop->supervisor, &message);
        for (; status == OK; status = ipc_channel_next(&loop->supervisor, &message))
            TRY(take_peer(loop, &message));
        if (status != PENDING)
            return status;
    }
}

/* --- The loop ---------------------------------------------------------- */

static void drop_registrar(struct loop *loop, size_t i)
{
    log_write(LOG_NOTICE, "registrar %u has gone", loop->registrars[i].channel.number);
    registrar_clear(&loop->registrars[i]);
    loop->registrars[i] = loop->registrars[--loop->registrars_count];
}

static short events_wanted(const struct registrar *registrar)
{
    short events = 0;

    if (has_room(registrar))
        events |= POLLIN;
    if (ipc_channel_has_output(&registrar->channel) || registrar->reading)
        events |= POLLOUT;
    return events;
}

/* Can something be done without waiting? */
static bool has_work(const struct registrar *registrar)
{
    return registrar->waits && has_room(registrar);
}

/* Wait until something can be done; the supervisor stands in front of the registrars. */
static enum status wait_for_work(const struct loop *loop, struct pollfd *polled)
{
    int timeout_ms = -1;

    polled[0] = (struct pollfd){ .fd = loop->supervisor.fd, .events = POLLIN };
    for (size_t i = 0; i < loop->registrars_count; i++) {
        const struct registrar *registrar = &loop->registrars[i];
        polled[i + 1] = (struct pollfd){ .fd = registrar->channel.fd, .events = events_wanted(registrar) };
        if (has_work(registrar))
            timeout_ms = 0;
    }
    if (poll(polled, 1 + loop->registrars_count, timeout_ms) >= 0)
        return OK;
    for (size_t i = 0; i <= loop->registrars_count; i++)
        polled[i].revents = 0;
    return errno == EINTR ? OK : fail(FAULT, "signer: poll: %s", strerror(errno));
}

/* Decide what waits in all channels.  From the back, since a dropped place is filled from there. */
static enum status decide_all(struct loop *loop, const struct pollfd *polled)
{
    for (size_t i = loop->registrars_count; i-- > 0;) {
        struct registrar *registrar = &loop->registrars[i];
        if (!(polled[i + 1].revents & ~POLLOUT) && !has_work(registrar))
            continue;
        const enum status status = serve_registrar(loop, registrar);
        if (status == PENDING)
            drop_registrar(loop, i);
        else if (status != OK)
            return status;
    }
    return OK;
}

/* The batch is on disk: let the answers go. */
static enum status answer_all(struct loop *loop)
{
    for (size_t i = loop->registrars_count; i-- > 0;) {
        TRY(send_journal(loop, &loop->registrars[i]));
        if (ipc_channel_flush(&loop->registrars[i].channel) == FAULT)
            drop_registrar(loop, i);
    }
    return OK;
}

static enum status run(struct loop *loop)
{
    struct pollfd polled[1 + REGISTRARS_MAX];

    for (;;) {
        TRY(wait_for_work(loop, polled));
        TRY(decide_all(loop, polled));
        TRY(journal_commit(loop->journal));
        TRY(answer_all(loop));
        if (polled[0].revents)
            TRY(serve_supervisor(loop));
    }
}

enum status signer_serve(struct issuer *issuer, struct journal *journal, int supervisor_fd)
{
    AUTO(loop_clear) struct loop loop = { .issuer = issuer, .journal = journal, .supervisor.fd = -1 };

    loop.supervisor.passed_fd = -1;
    TRY(ipc_channel_init(&loop.supervisor, supervisor_fd, IPC_SIGNER, IPC_SUPERVISOR, 0));
    TRY(ipc_send_ready(&loop.supervisor));
    const enum status status = run(&loop);
    return status == PENDING ? OK : status;
}
