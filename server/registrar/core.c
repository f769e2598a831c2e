/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/core.h"

#include "lib/base/log.h"
#include "lib/scep/scep.h"
#include "server/registrar/seal.h"

#include <stdio.h>

struct sender {
    uint32_t number;
    int64_t now_s;
};

static enum status put_open(void *context, const struct store_enrolment *row)
{
    struct registrar *registrar = context;
    struct intent *intent = NULL;

    TRY(intent_new(row, &intent));
    intents_put(&registrar->intents, intent);
    return OK;
}

enum status registrar_init(struct registrar *registrar, int64_t now_s)
{
    registrar->started_s = now_s;
    TRY(store_enrolment_each_open(registrar->store, put_open, registrar));
    if (registrar->intents.count)
        log_write(LOG_NOTICE, "%zu enrolments were open when the ledger was last used", registrar->intents.count);
    return OK;
}

void registrar_clear(struct registrar *registrar)
{
    intents_clear(&registrar->intents);
    rules_clear(&registrar->rules);
}

/* --- From responders ----------------------------------------------------------------- */

static enum status send_decision(struct registrar *registrar, uint32_t responder, const struct ipc_decision *decision)
{
    const struct ipc_message message = { .kind = IPC_KIND_decision, .fd = -1, .decision = *decision };

    return registrar->outlet.send(registrar->outlet.context, IPC_RESPONDER, responder, &message);
}

static struct note note_of(const struct ipc_enrol *enrol, const struct verdict *verdict, const char *kind,
                           char place[3][TRANSACTION_TEXT_BYTES])
{
    transaction_text(enrol->transaction, place[0]);
    transaction_text(enrol->path, place[1]);
    transaction_text(enrol->address, place[2]);
    return (struct note){ .kind = kind, .device = verdict->device, .transaction = place[0], .path = place[1],
                          .address = place[2] };
}

static enum status carry_out_refuse(struct registrar *registrar, const struct sender *sender,
                                    const struct ipc_enrol *enrol, struct verdict *verdict)
{
    char place[3][TRANSACTION_TEXT_BYTES];
    const struct note note = note_of(enrol, verdict, "refused", place);
    const struct ipc_decision decision = { .exchange = enrol->exchange,
                                           .status = (uint8_t)verdict->status,
                                           .fail_info = verdict->fail_info,
                                           .retry_after_s = verdict->retry_after_s,
                                           .text = span_of_text(verdict->text) };

    if (!verdict->unrecorded)
        TRY(note_event(registrar->store, sender->now_s, &note, "%s", verdict->reason));
    return send_decision(registrar, sender->number, &decision);
}

static enum status carry_out_issue(struct registrar *registrar, const struct sender *sender,
                                   const struct ipc_enrol *enrol, struct verdict *verdict)
{
    struct intent *intent = take(verdict->intent);

    intents_put(&registrar->intents, intent);
    TRY(intent_add_waiter(intent, (struct waiter){ sender->number, enrol->exchange }));
    return signing_send(registrar, intent);
}

static enum status carry_out_wait(struct registrar *registrar, const struct sender *sender,
                                  const struct ipc_enrol *enrol, struct verdict *verdict)
{
    char place[3][TRANSACTION_TEXT_BYTES];
    const struct note note = note_of(enrol, verdict, "repeated", place);
    struct intent *intent = intents_find(&registrar->intents, verdict->enrolment);

    if (!intent)
        return fail(FAULT, "enrolment %lld is open in the ledger and unknown here", (long long)verdict->enrolment);
    TRY(note_event(registrar->store, sender->now_s, &note, "joins enrolment %lld, which is under way",
                   (long long)verdict->enrolment));
    return intent_add_waiter(intent, (struct waiter){ sender->number, enrol->exchange });
}

/* Asking again while it waits is no event: devices do it for weeks. */
static enum status carry_out_pending(struct registrar *registrar, const struct sender *sender,
                                     const struct ipc_enrol *enrol, struct verdict *verdict)
{
    char place[3][TRANSACTION_TEXT_BYTES];
    const struct note note = note_of(enrol, verdict, "pending", place);
    const struct ipc_decision decision = { .exchange = enrol->exchange, .status = PENDING };

    if (verdict->recorded)
        TRY(note_event(registrar->store, sender->now_s, &note, "enrolment %lld waits for approval%s",
                       (long long)verdict->enrolment, verdict->replaced ? ", in place of an earlier one" : ""));
    return send_decision(registrar, sender->number, &decision);
}

static enum status deliver(struct registrar *registrar, const struct sender *sender, const struct ipc_enrol *enrol,
                           struct verdict *verdict, const char *kind, const char *text)
{
    char place[3][TRANSACTION_TEXT_BYTES];
    struct note note = note_of(enrol, verdict, kind, place);
    const struct ipc_decision decision = { .exchange = enrol->exchange,
                                           .status = OK,
                                           .certificate = buf_span(&verdict->certificate),
                                           .password = buf_span(&verdict->password) };

    note.serial = span_of(verdict->serial, sizeof verdict->serial);
    TRY(note_event(registrar->store, sender->now_s, &note, "%s", text));
    return send_decision(registrar, sender->number, &decision);
}

static enum status carry_out_answer(struct registrar *registrar, const struct sender *sender,
                                    const struct ipc_enrol *enrol, struct verdict *verdict)
{
    /* Whatever was kept to encrypt this answer has done its work; a repeat of the request brings its own. */
    TRY(store_approval_wipe(registrar->store, verdict->enrolment));
    return deliver(registrar, sender, enrol, verdict, "repeated", "the same certificate again");
}

static enum status (*const carry_out[])(struct registrar *, const struct sender *, const struct ipc_enrol *,
                                        struct verdict *) = {
    [VERDICT_REFUSE] = carry_out_refuse,
    [VERDICT_ISSUE] = carry_out_issue,
    [VERDICT_WAIT] = carry_out_wait,
    [VERDICT_PENDING] = carry_out_pending,
    [VERDICT_ANSWER] = carry_out_answer,
};

/* Every use of an old algorithm that comes to us, whatever becomes of the request. */
static enum status note_legacy(struct registrar *registrar, const struct sender *sender, const struct ipc_enrol *enrol,
                               const struct verdict *verdict, unsigned used)
{
    char place[3][TRANSACTION_TEXT_BYTES], text[SCEP_LEGACY_TEXT_BYTES];
    const struct note note = note_of(enrol, verdict, "legacy", place);

    if (!used)
        return OK;
    for (size_t i = 0; i < SCEP_LEGACY_COUNT; i++)
        registrar->legacy_count[i] += used >> i & 1;
    scep_legacy_text(used, text);
    return note_event(registrar->store, sender->now_s, &note, "a message with %s, which this path allows", text);
}

static enum status take_enrol(struct registrar *registrar, const struct sender *sender,
                              const struct ipc_message *message)
{
    AUTO(verdict_clear) struct verdict verdict = { 0 };

    TRY(decide(registrar->store, &registrar->rules, &message->enrol, sender->now_s, &verdict));
    TRY(note_legacy(registrar, sender, &message->enrol, &verdict, message->enrol.legacy));
    return carry_out[verdict.kind](registrar, sender, &message->enrol, &verdict);
}

/* GetCert: the certificate, or why not. */
static enum status take_lookup(struct registrar *registrar, const struct sender *sender,
                               const struct ipc_message *message)
{
    const struct ipc_lookup *lookup = &message->lookup;
    const struct ipc_enrol shown = { .exchange = lookup->exchange, .path = lookup->path,
                                     .transaction = lookup->transaction, .address = lookup->address };
    AUTO(verdict_clear) struct verdict verdict = { 0 };

    TRY(lookup_decide(registrar->store, &registrar->rules, lookup, sender->now_s, &verdict));
    TRY(note_legacy(registrar, sender, &shown, &verdict, lookup->legacy));
    if (verdict.kind == VERDICT_REFUSE)
        return carry_out_refuse(registrar, sender, &shown, &verdict);
    return deliver(registrar, sender, &shown, &verdict, "fetched", "a certificate that exists");
}

/* The key that asks cannot decrypt: the password goes along, once. */
static enum status find_password(struct registrar *registrar, struct verdict *verdict)
{
    AUTO(buf_clear) struct buf sealed = { 0 };

    TRY(store_approval_get_sealed(registrar->store, verdict->enrolment, &sealed));
    const enum status status =
        sealed.len ? seal_open(&registrar->rules.key, verdict->enrolment, buf_span(&sealed), &verdict->password)
                   : BAD_PROOF;
    if (status == OK || status == FAULT)
        return status;
    (void)!refuse(verdict, REFUSED, "the password to encrypt the certificate with is not kept any more: send the request "
                  "itself again, with the same transactionID and password",
                  "a CertPoll by an EC key for enrolment %lld, whose password is %s", (long long)verdict->enrolment,
                  sealed.len ? "sealed by another key" : "not kept, or was fetched before");
    return OK;
}

/* Somebody else's signature cannot be waited for where the answer takes a password: that is kept in the ledger only. */
static enum status weigh_password(struct registrar *registrar, const struct ipc_poll *asked, int64_t now_s,
                                  struct verdict *verdict)
{
    if (!asked->needs_password)
        return OK;
    TRY(store_approval_wipe_expired(registrar->store, now_s));
    if (verdict->kind == VERDICT_WAIT)
        verdict->kind = VERDICT_PENDING;
    return verdict->kind == VERDICT_ANSWER ? find_password(registrar, verdict) : OK;
}

/* CertPoll: as a repeat of its request would be answered, but without waiting for a signer that is away. */
static enum status take_poll(struct registrar *registrar, const struct sender *sender, const struct ipc_message *message)
{
    const struct ipc_poll *asked = &message->poll;
    const struct ipc_enrol shown = { .exchange = asked->exchange, .path = asked->path,
                                     .transaction = asked->transaction, .address = asked->address };
    AUTO(verdict_clear) struct verdict verdict = { 0 };

    TRY(pending_decide(registrar->store, &registrar->rules, asked, sender->now_s, &verdict));
    TRY(note_legacy(registrar, sender, &shown, &verdict, asked->legacy));
    if (verdict.kind == VERDICT_WAIT && !registrar->reconciled)
        verdict.kind = VERDICT_PENDING;
    TRY(weigh_password(registrar, asked, sender->now_s, &verdict));
    return carry_out[verdict.kind](registrar, sender, &shown, &verdict);
}

static enum status take_refusal(struct registrar *registrar, const struct sender *sender,
                                const struct ipc_message *message)
{
    const struct ipc_refusal *refusal = &message->refusal;
    const struct ipc_enrol shown = { .path = refusal->path, .transaction = refusal->transaction,
                                     .address = refusal->address };
    const struct verdict nobody = { 0 };
    char place[3][TRANSACTION_TEXT_BYTES], answer[48];
    const struct note note = note_of(&shown, &nobody, "refused", place);

    if (refusal->fail_info == UINT8_MAX)
        snprintf(answer, sizeof answer, "HTTP %u", refusal->http_status);
    else
        snprintf(answer, sizeof answer, "%s", scep_fail_info_name((enum scep_fail_info)refusal->fail_info));
    return note_event(registrar->store, sender->now_s, &note, "%.*s (messageType %u, answered %s)",
                      (int)refusal->reason.len, refusal->reason.len ? (const char *)refusal->reason.ptr : "",
                      refusal->message_type, answer);
}

/* --- From the supervisor --------------------------------------------------------------------- */

static enum status take_certify(struct registrar *registrar, const struct sender *sender,
                                const struct ipc_message *message)
{
    return certify_take(registrar, &message->certify, sender->now_s);
}

/* --- From the signer --------------------------------------------------------------------- */

static enum status take_issued(struct registrar *registrar, const struct sender *sender,
                               const struct ipc_message *message)
{
    return signing_take_issued(registrar, &message->issued, sender->now_s);
}

static enum status take_journal_record(struct registrar *registrar, const struct sender *sender,
                                       const struct ipc_message *message)
{
    return reconcile_take_record(registrar, &message->journal_record, sender->now_s);
}

static enum status take_journal_end(struct registrar *registrar, const struct sender *sender,
                                    const struct ipc_message *message)
{
    return reconcile_end(registrar, message->journal_end.sequence, sender->now_s);
}

static enum status (*const takers[IPC_KIND_COUNT])(struct registrar *, const struct sender *,
                                                   const struct ipc_message *) = {
    [IPC_KIND_certify] = take_certify,
    [IPC_KIND_enrol] = take_enrol,
    [IPC_KIND_lookup] = take_lookup,
    [IPC_KIND_poll] = take_poll,
    [IPC_KIND_refusal] = take_refusal,
    [IPC_KIND_issued] = take_issued,
    [IPC_KIND_journal_record] = take_journal_record,
    [IPC_KIND_journal_end] = take_journal_end,
};

enum status registrar_take(struct registrar *registrar, enum ipc_role from, uint32_t number,
                           const struct ipc_message *message, int64_t now_s)
{
    const struct sender sender = { .number = number, .now_s = now_s };

    if (!takers[message->kind])
        return fail(BAD_INPUT, "ipc: %s from the %s: nobody takes it", ipc_kind_name(message->kind),
                    ipc_role_name(from));
    return takers[message->kind](registrar, &sender, message);
}

/* --- Who is there ------------------------------------------------------------------------ */

enum status registrar_peer_came(struct registrar *registrar, enum ipc_role role)
{
    if (role != IPC_SIGNER) {
        registrar->responders_count++;
        return OK;
    }
    registrar->signer_connected = true;
    return reconcile_begin(registrar);
}

void registrar_peer_went(struct registrar *registrar, enum ipc_role role, uint32_t number)
{
    if (role != IPC_SIGNER) {
        registrar->responders_count--;
        intents_forget_responder(&registrar->intents, number);
        return;
    }
    registrar->signer_connected = false;
    registrar->reconciled = false;
    intents_set_unsent(&registrar->intents);
    registrar->at_signer_count = 0;
}
