/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/sqlite.h"

enum status store_enrolment_add(struct store *store, const struct store_enrolment *enrolment, int64_t *id)
{
    struct query q = ask(store, Q_enrolment_add);

    bind_number_or_null(&q, enrolment->device);
    bind_number(&q, enrolment->authority);
    bind_number_or_null(&q, enrolment->proof);
    bind_bytes(&q, enrolment->serial);
    bind_bytes(&q, enrolment->key_hash);
    bind_bytes(&q, enrolment->transaction_hash);
    bind_number(&q, enrolment->asked_s);
    bind_number(&q, enrolment->not_before_s);
    bind_number(&q, enrolment->not_after_s);
    bind_text(&q, enrolment->template);
    bind_text(&q, enrolment->path);
    bind_text(&q, enrolment->transaction);
    bind_text(&q, enrolment->address);
    bind_bytes(&q, enrolment->subject);
    bind_bytes(&q, enrolment->san);
    bind_bytes(&q, enrolment->spki);
    TRY(run(&q));
    *id = sqlite3_last_insert_rowid(store->db);
    return OK;
}

enum status store_enrolment_find_repeat(struct store *store, struct span key_hash, struct span transaction_hash,
                                        struct store_repeat *out)
{
    AUTO(query_reset) struct query q = ask(store, Q_enrolment_find_repeat);
    bool row = false;

    bind_bytes(&q, key_hash);
    bind_bytes(&q, transaction_hash);
    *out = (struct store_repeat){ 0 };
    TRY(next(&q, &row));
    if (!row)
        return OK;
    out->id = column_number(&q, 0);
    out->state = (enum enrolment_state)column_number(&q, 1);
    out->device = column_number(&q, 2);
    out->proof = column_number(&q, 3);
    return OK;
}

enum status store_key_find_owner(struct store *store, struct span key_hash, bool *known, int64_t *device)
{
    AUTO(query_reset) struct query q = ask(store, Q_key_find_owner);

    bind_bytes(&q, key_hash);
    TRY(next(&q, known));
    *device = *known ? column_number(&q, 0) : 0;
    return OK;
}

/* The columns of enrolment_each_open. */
static void enrolment_read(const struct query *q, struct store_enrolment *out)
{
    *out = (struct store_enrolment){
        .id = column_number(q, 0),
        .state = (enum enrolment_state)column_number(q, 1),
        .device = column_number(q, 2),
        .authority = column_number(q, 3),
        .proof = column_number(q, 4),
        .serial = column_bytes(q, 5),
        .key_hash = column_bytes(q, 6),
        .transaction_hash = column_bytes(q, 7),
        .subject = column_bytes(q, 8),
        .san = column_bytes(q, 9),
        .spki = column_bytes(q, 10),
        .asked_s = column_number(q, 11),
        .not_before_s = column_number(q, 12),
        .not_after_s = column_number(q, 13),
        .template = column_bytes(q, 14),
        .path = column_bytes(q, 15),
        .transaction = column_bytes(q, 16),
        .address = column_bytes(q, 17),
        .device_name = column_bytes(q, 18),
        .username = column_bytes(q, 19),
        .authority_name = column_bytes(q, 20),
    };
}

enum status store_enrolment_each_open(struct store *store, store_each_enrolment *each, void *context)
{
    AUTO(query_reset) struct query q = ask(store, Q_enrolment_each_open);
    struct store_enrolment enrolment;
    bool row = false;

    TRY(next(&q, &row));
    while (row) {
        enrolment_read(&q, &enrolment);
        TRY(each(context, &enrolment));
        TRY(next(&q, &row));
    }
    return OK;
}

enum status store_enrolment_find_serial(struct store *store, struct span serial, int64_t *id,
                                        enum enrolment_state *state)
{
    AUTO(query_reset) struct query q = ask(store, Q_enrolment_find_serial);
    bool row = false;

    bind_bytes(&q, serial);
    TRY(next(&q, &row));
    *id = row ? column_number(&q, 0) : 0;
    *state = row ? (enum enrolment_state)column_number(&q, 1) : ENROLMENT_NONE;
    return OK;
}

static enum status set_state(struct store *store, int64_t id, enum enrolment_state state)
{
    struct query q = ask(store, Q_enrolment_set_state);

    bind_number(&q, id);
    bind_number(&q, state);
    return run(&q);
}

enum status store_enrolment_fail(struct store *store, int64_t id)
{
    return set_state(store, id, ENROLMENT_FAILED);
}

enum status store_enrolment_complete(struct store *store, int64_t id, int64_t journal_sequence, int64_t not_after_s,
                                     struct span der)
{
    struct query q = ask(store, Q_certificate_add);

    bind_number(&q, id);
    bind_number(&q, journal_sequence);
    bind_number(&q, not_after_s);
    bind_bytes(&q, der);
    TRY(run(&q));
    return set_state(store, id, ENROLMENT_ISSUED);
}
