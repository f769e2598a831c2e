/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/core.h"

#include "lib/base/log.h"
#include "lib/base/text.h"

/* Ask for what the journal holds beyond the newest certificate of the ledger.  The signer's answers come
 * in the order of its journal, so everything before that one is known. */
enum status reconcile_begin(struct registrar *registrar)
{
    int64_t after = 0;

    registrar->reconciled = false;
    intents_set_unsent(&registrar->intents);
    registrar->at_signer_count = 0;
    TRY(store_journal_sequence(registrar->store, &after));
    const struct ipc_message message = { .kind = IPC_KIND_journal_read, .fd = -1, .journal_read.after = after };
    return registrar->outlet.send(registrar->outlet.context, IPC_SIGNER, 0, &message);
}

/* --- A certificate that the ledger knows nothing of --------------------------------- */

static enum status describe_orphan(struct registrar *registrar, const struct ipc_journal_record *record,
                                   const struct cert *cert, const struct store_device *device, int64_t *id)
{
    char authority[STORE_WORD_BYTES];
    uint8_t key_hash[SHA256_BYTES];
    struct store_enrolment row = {
        .device = device->id,
        .serial = cert_get_serial(cert),
        .key_hash = span_of(key_hash, sizeof key_hash),
        .subject = cert_get_subject(cert),
        .san = cert_get_subject_alt_name(cert),
        .spki = cert_get_spki(cert),
        .asked_s = cert_not_before_s(cert),
        .not_before_s = cert_not_before_s(cert),
        .not_after_s = cert_not_after_s(cert),
        .template = record->template,
    };

    sha256(row.spki, key_hash);
    TRY(span_to_text(record->authority, authority, sizeof authority));
    TRY(store_authority_put(registrar->store, authority, span_of(NULL, 0), &row.authority));
    return store_enrolment_add(registrar->store, &row, id);
}

/* It was signed, so it must be in the ledger, if only to be revoked: a ledger that was put back from
 * an older copy has lost the row.  */
static enum status keep_orphan(struct registrar *registrar, const struct ipc_journal_record *record,
                               const struct cert *cert, int64_t now_s)
{
    char name[STORE_NAME_BYTES] = "", serial[2 * CERT_SERIAL_MAX_BYTES + 1];
    struct store_device device = { 0 };
    const struct note note = { .kind = "orphan", .device = name, .serial = cert_get_serial(cert) };
    int64_t id = 0;

    if (span_to_text(record->device, name, sizeof name) == OK)
        TRY(store_device_find_name(registrar->store, record->device, &device));
    TRY(describe_orphan(registrar, record, cert, &device, &id));
    TRY(store_enrolment_complete(registrar->store, id, record->sequence, cert_not_after_s(cert),
                                 record->certificate));
    hex_encode(cert_get_serial(cert), serial);
    log_write(LOG_ERROR, "certificate %s stands in the signer's journal (record %lld) and the ledger did not know it: kept",
              serial, (long long)record->sequence);
    return note_event(registrar->store, now_s, &note,
                      "signed (journal record %lld) without a row in this ledger; kept, check whether it should be revoked",
                      (long long)record->sequence);
}

/* --- Records, one after another --------------------------------------------------------- */

enum status reconcile_take_record(struct registrar *registrar, const struct ipc_journal_record *record,
                                  int64_t now_s)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    enum enrolment_state state = ENROLMENT_NONE;
    int64_t id = 0;

    TRY(cert_parse(record->certificate, &cert));
    TRY(store_enrolment_find_serial(registrar->store, cert_get_serial(cert), &id, &state));
    if (state == ENROLMENT_ISSUED)
        return OK;
    if (state == ENROLMENT_NONE)
        return keep_orphan(registrar, record, cert, now_s);
    struct intent *intent = intents_take(&registrar->intents, id);
    if (intent) {
        log_write(LOG_NOTICE, "enrolment %lld of device %s completed from the signer's journal", (long long)id,
                  intent->device);
        return signing_complete(registrar, intent, record->sequence, record->certificate, now_s);
    }
    /* The signer had said that it failed, or the ledger was put back to a day before the approval. */
    const struct note note = { .kind = "orphan", .serial = cert_get_serial(cert) };
    TRY(store_enrolment_complete(registrar->store, id, record->sequence, cert_not_after_s(cert),
                                 record->certificate));
    return note_event(registrar->store, now_s, &note, "signed (journal record %lld) though %s", (long long)record->sequence,
                      state == ENROLMENT_FAILED ? "the signer had reported a failure" : "nobody had approved it");
}

/* The ledger knows records that the journal no longer has: it was lost, or put back from an old copy.  What
 * was signed and not recorded since then cannot be found out from here, so a person has to know. */
static enum status check_journal_length(struct registrar *registrar, int64_t sequence, int64_t now_s)
{
    const struct note note = { .kind = "journal-lost" };
    int64_t known = 0;

    TRY(store_journal_sequence(registrar->store, &known));
    if (sequence >= known)
        return OK;
    log_write(LOG_ERROR, "the signer's journal ends at record %lld and the ledger knows record %lld: put the signer's "
              "directory back as it was", (long long)sequence, (long long)known);
    return note_event(registrar->store, now_s, &note, "the signer's journal ends at record %lld, the ledger knows %lld",
                      (long long)sequence, (long long)known);
}

/* What is still open was never signed: ask for it, with the same serial number and all the rest. */
enum status reconcile_end(struct registrar *registrar, int64_t sequence, int64_t now_s)
{
    TRY(check_journal_length(registrar, sequence, now_s));
    registrar->reconciled = true;
    for (size_t i = 0; i < INTENT_SLOTS; i++)
        for (struct intent *intent = registrar->intents.slots[i]; intent; intent = intent->next)
            TRY(signing_send(registrar, intent));
    return OK;
}
