/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/pending.h"

#include "lib/base/clock.h"
#include "lib/scep/scep.h"
#include "server/registrar/decide.h"

#include <stdio.h>

#define REASON_SHOWN_BYTES 200

/* What of an enrolment's row decides. */
struct recorded {
    enum enrolment_state state;
    int64_t device, asked_s, expires_s;
    char reason[REASON_SHOWN_BYTES + 1];
};

static enum status note_recorded(void *context, const struct store_enrolment *row)
{
    struct recorded *recorded = context;
    const size_t len = row->reason.len < REASON_SHOWN_BYTES ? row->reason.len : REASON_SHOWN_BYTES;

    recorded->state = row->state;
    recorded->device = row->device;
    recorded->asked_s = row->asked_s;
    recorded->expires_s = row->expires_s;
    return span_to_text(span_of(row->reason.ptr, len), recorded->reason, sizeof recorded->reason);
}

struct copy {
    struct verdict *verdict;
    int64_t now_s;
    bool good;
};

static enum status copy_certificate(void *context, const struct store_certificate *row)
{
    struct copy *copy = context;

    copy->good = !row->revoked_s && copy->now_s <= row->not_after_s && row->serial.len == CERT_SERIAL_MAX_BYTES;
    if (!copy->good)
        return OK;
    memcpy(copy->verdict->serial, row->serial.ptr, CERT_SERIAL_MAX_BYTES);
    return buf_set(&copy->verdict->certificate, row->der);
}

static enum status weigh_issued(struct store *store, int64_t enrolment, int64_t now_s, struct verdict *verdict,
                                bool *done)
{
    struct copy copy = { .verdict = verdict, .now_s = now_s };

    TRY(store_certificate_find(store, enrolment, copy_certificate, &copy));
    verdict->kind = copy.good ? VERDICT_ANSWER : verdict->kind;
    *done = copy.good;
    return OK;
}

static enum status weigh_pending(const struct recorded *recorded, int64_t now_s, struct verdict *verdict, bool *done)
{
    char when[CLOCK_TEXT_BYTES];

    if (now_s >= recorded->expires_s) {
        clock_format_utc(recorded->expires_s, when);
        return refuse_openly(verdict, REFUSED, "the request expired on %s: nobody had decided about it", when);
    }
    verdict->kind = VERDICT_PENDING;
    *done = true;
    return OK;
}

static enum status weigh_recorded(struct store *store, const struct recorded *recorded, int64_t now_s,
                                  struct verdict *verdict, bool *done)
{
    switch (recorded->state) {
    case ENROLMENT_OPEN:
        verdict->kind = VERDICT_WAIT;
        *done = true;
        return OK;
    case ENROLMENT_ISSUED:
        return weigh_issued(store, verdict->enrolment, now_s, verdict, done);
    case ENROLMENT_PENDING:
        return weigh_pending(recorded, now_s, verdict, done);
    case ENROLMENT_REJECTED:
        return refuse_openly(verdict, REFUSED, "the request was rejected: %s", recorded->reason);
    case ENROLMENT_FAILED:
    case ENROLMENT_NONE:
        break;
    }
    *done = false;
    return OK;
}

enum status pending_weigh(struct store *store, int64_t enrolment, int64_t now_s, struct verdict *verdict, bool *done)
{
    struct recorded recorded = { 0 };

    verdict->enrolment = enrolment;
    TRY(store_enrolment_find(store, enrolment, note_recorded, &recorded));
    return weigh_recorded(store, &recorded, now_s, verdict, done);
}

/* --- CertPoll ---------------------------------------------------------------------------- */

static enum status refuse_unknown(struct verdict *verdict)
{
    (void)!refuse(verdict, REFUSED, "there is no request of this transactionID and key",
                  "a CertPoll for a transaction that does not exist under this key");
    verdict->fail_info = SCEP_BAD_CERT_ID;
    return REFUSED;
}

/* One that waited for an operator, or else one that did not have to and whose answer was lost. */
static enum status find(struct store *store, const struct ipc_poll *poll, int64_t *id)
{
    uint8_t hash[SHA256_BYTES];
    struct store_repeat repeat;

    TRY(decide_hash_transaction(poll->path, poll->transaction, hash));
    TRY(store_approval_find(store, span_of(hash, sizeof hash), poll->signer, id));
    if (*id)
        return OK;
    TRY(store_enrolment_find_repeat(store, poll->signer, span_of(hash, sizeof hash), &repeat));
    *id = repeat.id && !repeat.proof ? repeat.id : 0;
    return OK;
}

/* A device that was removed is told nothing more, even where its name was given to another one since. */
static enum status check_device(struct store *store, const struct recorded *recorded, struct verdict *verdict)
{
    struct store_device device;

    TRY(store_device_find(store, recorded->device, &device));
    snprintf(verdict->device, sizeof verdict->device, "%s", device.name);
    if (!device.id || device.state != DEVICE_ACTIVE || recorded->asked_s < device.added_s)
        return refuse(verdict, REFUSED, "the device may not enrol", "a CertPoll of a device that was removed");
    return OK;
}

static enum status weigh(struct store *store, const struct rules *rules, const struct ipc_poll *poll, int64_t now_s,
                         struct verdict *verdict)
{
    struct recorded recorded = { 0 };
    bool done = false;

    if (!config_find_path(rules->config, poll->path))
        return refuse_openly(verdict, REFUSED, "there is no such enrolment path");
    TRY(find(store, poll, &verdict->enrolment));
    if (!verdict->enrolment)
        return refuse_unknown(verdict);
    TRY(store_enrolment_find(store, verdict->enrolment, note_recorded, &recorded));
    TRY(check_device(store, &recorded, verdict));
    TRY(weigh_recorded(store, &recorded, now_s, verdict, &done));
    if (done)
        return OK;
    return recorded.state == ENROLMENT_FAILED
               ? refuse_openly(verdict, REFUSED, "the certification authority refused to issue this certificate")
               : refuse_openly(verdict, REFUSED, "the certificate of this transaction has expired or was revoked");
}

enum status pending_decide(struct store *store, const struct rules *rules, const struct ipc_poll *poll, int64_t now_s,
                           struct verdict *out)
{
    const enum status status = weigh(store, rules, poll, now_s, out);

    if (status == OK || (status != FAULT && out->status == status))
        return OK;
    return fail_in(FAULT, "deciding a CertPoll of device \"%s\"", out->device);
}
