/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/core.h"

#include "lib/base/log.h"
#include "lib/scep/scep.h"

/* The same decision for all who wait. */
static enum status decide_all(struct registrar *registrar, const struct intent *intent, struct ipc_decision decision)
{
    for (size_t i = 0; i < intent->waiters_count; i++) {
        const struct waiter *waiter = &intent->waiters[i];
        if (waiter->responder == WAITER_SUPERVISOR) {
            if (decision.status != OK)
                (void)fail((enum status)decision.status, "%.*s", (int)decision.text.len, (const char *)decision.text.ptr);
            TRY(certify_answer(registrar, intent, (enum status)decision.status, decision.certificate));
            continue;
        }
        decision.exchange = waiter->exchange;
        const struct ipc_message message = { .kind = IPC_KIND_decision, .fd = -1, .decision = decision };
        TRY(registrar->outlet.send(registrar->outlet.context, IPC_RESPONDER, waiter->responder, &message));
    }
    return OK;
}

/* To the signer, once it is there and its journal was read; until then the intent waits. */
enum status signing_send(struct registrar *registrar, struct intent *intent)
{
    const struct ipc_message message = intent_issue_message(intent);

    if (!registrar->reconciled || intent->sent)
        return OK;
    intent->sent = true;
    registrar->at_signer_count++;
    return registrar->outlet.send(registrar->outlet.context, IPC_SIGNER, 0, &message);
}

enum status signing_complete(struct registrar *registrar, struct intent *given, int64_t sequence, struct span der,
                             int64_t now_s)
{
    AUTO(intent_freep) struct intent *intent = given;
    const struct note note = note_of_intent(intent, intent->renewal ? "renewed" : "enrolled");

    TRY(store_enrolment_complete(registrar->store, intent->id, sequence, intent->not_after_s, der));
    TRY(note_event(registrar->store, now_s, &note, "template %s, authority %s", intent->template, intent->authority));
    return decide_all(registrar, intent, (struct ipc_decision){ .status = OK, .certificate = der });
}

/* The password becomes free again, since the enrolment that it names has failed. */
static enum status give_up(struct registrar *registrar, struct intent *given, const struct ipc_issued *issued,
                           int64_t now_s)
{
    AUTO(intent_freep) struct intent *intent = given;
    const enum status status = issued->status == FAULT ? FAULT : REFUSED;
    const struct note note = note_of_intent(intent, "issue-failed");
    const char *text = status == FAULT ? "the certification authority cannot issue just now; try again"
                                       : "the certification authority refused to issue this certificate";

    log_write(LOG_ERROR, "enrolment %lld of device %s: the signer: %.*s", (long long)intent->id, intent->device,
              (int)issued->reason.len, (const char *)issued->reason.ptr);
    TRY(store_enrolment_fail(registrar->store, intent->id));
    TRY(note_event(registrar->store, now_s, &note, "the signer: %s: %.*s", status_name((enum status)issued->status),
                   (int)issued->reason.len, (const char *)issued->reason.ptr));
    return decide_all(registrar, intent,
                      (struct ipc_decision){
                          .status = (uint8_t)status, .fail_info = SCEP_BAD_REQUEST, .text = span_of_text(text) });
}

/* What the signer made is what was intended, or this house is not in order. */
static enum status check_certificate(const struct intent *intent, struct span der)
{
    AUTO(cert_freep) struct cert *cert = NULL;

    TRY(cert_parse(der, &cert));
    if (!span_equal(cert_get_serial(cert), span_of(intent->serial, sizeof intent->serial)) ||
        !span_equal(cert_get_spki(cert), buf_span(&intent->spki)))
        return fail(BAD_INPUT, "the signer sent another certificate than enrolment %lld asked for",
                    (long long)intent->id);
    return OK;
}

enum status signing_take_issued(struct registrar *registrar, const struct ipc_issued *issued, int64_t now_s)
{
    struct intent *intent = intents_find(&registrar->intents, issued->enrolment);

    if (!intent) {
        log_write(LOG_WARNING, "the signer answered enrolment %lld, which is not open", (long long)issued->enrolment);
        return OK;
    }
    if (issued->status == OK)
        TRY(check_certificate(intent, issued->certificate));
    intents_take(&registrar->intents, intent->id);
    registrar->at_signer_count -= intent->sent;
    if (issued->status == OK)
        return signing_complete(registrar, intent, issued->sequence, issued->certificate, now_s);
    return give_up(registrar, intent, issued, now_s);
}
