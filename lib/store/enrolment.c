/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/sqlite.h"

enum status store_enrolment_add(struct store *store, const struct store_enrolment *enrolment, int64_t *id)
{
    struct query q = ask(store, Q_enrolment_add);

    bind_number_or_null(&q, enrolment->device);
    bind_number(&q, enrolment->authority);
    bind_number_or_null(&q, enrolment->proof);
    bind_number(&q, enrolment->state == ENROLMENT_PENDING ? ENROLMENT_PENDING : ENROLMENT_OPEN);
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

/* The columns of ENROLMENT_COLUMNS. */
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
        .expires_s = column_number(q, 21),
        .decided_s = column_number(q, 22),
        .decided_by = column_bytes(q, 23),
        .reason = column_bytes(q, 24),
    };
}

static enum status read_all(struct query *q, store_each_enrolment *each, void *context)
{
    struct store_enrolment enrolment;
    bool row = false;

    TRY(next(q, &row));
    while (row) {
        enrolment_read(q, &enrolment);
        TRY(each(context, &enrolment));
        TRY(next(q, &row));
    }
    return OK;
}

enum status store_enrolment_each_open(struct store *store, store_each_enrolment *each, void *context)
{
    AUTO(query_reset) struct query q = ask(store, Q_enrolment_each_open);

    return read_all(&q, each, context);
}

enum status store_enrolment_find(struct store *store, int64_t id, store_each_enrolment *each, void *context)
{
    AUTO(query_reset) struct query q = ask(store, Q_enrolment_find);

    bind_number(&q, id);
    return read_all(&q, each, context);
}

enum status store_enrolment_page(struct store *store, int64_t after, bool pending_only, unsigned limit,
                                 store_each_enrolment *each, void *context)
{
    AUTO(query_reset) struct query q = ask(store, pending_only ? Q_enrolment_page_pending : Q_enrolment_page);

    bind_number(&q, after);
    bind_number(&q, limit);
    return read_all(&q, each, context);
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

/* --- What waits for an operator ------------------------------------------------- */

enum status store_approval_add(struct store *store, const struct store_approval *approval)
{
    struct query q = ask(store, Q_approval_add);

    bind_number(&q, approval->enrolment);
    bind_bytes(&q, approval->transaction_hash);
    bind_bytes(&q, approval->signer_hash);
    bind_number(&q, approval->expires_s);
    bind_bytes_or_null(&q, approval->sealed);
    bind_number(&q, approval->by_password);
    return run(&q);
}

enum status store_approval_get_sealed(struct store *store, int64_t enrolment, struct buf *out)
{
    AUTO(query_reset) struct query q = ask(store, Q_approval_get_sealed);
    bool row = false;

    bind_number(&q, enrolment);
    TRY(next(&q, &row));
    return buf_set(out, row ? column_bytes(&q, 0) : span_of(NULL, 0));
}

enum status store_approval_wipe(struct store *store, int64_t enrolment)
{
    struct query q = ask(store, Q_approval_wipe);

    bind_number(&q, enrolment);
    return run(&q);
}

enum status store_approval_wipe_expired(struct store *store, int64_t now_s)
{
    struct query q = ask(store, Q_approval_wipe_expired);

    bind_number(&q, now_s);
    return run(&q);
}

enum status store_approval_find(struct store *store, struct span transaction_hash, struct span signer_hash, int64_t *id)
{
    AUTO(query_reset) struct query q = ask(store, Q_approval_find);
    bool row = false;

    bind_bytes(&q, transaction_hash);
    bind_bytes(&q, signer_hash);
    TRY(next(&q, &row));
    *id = row ? column_number(&q, 0) : 0;
    return OK;
}

enum status store_approval_replace(struct store *store, int64_t device, int64_t when_s, struct span reason,
                                   int64_t *count)
{
    struct query credentials = ask(store, Q_credential_free);
    struct query approvals = ask(store, Q_approval_replace);
    struct query enrolments = ask(store, Q_enrolment_replace);

    bind_number(&credentials, device);
    TRY(run(&credentials));
    bind_number(&approvals, device);
    bind_number(&approvals, when_s);
    bind_text(&approvals, reason);
    TRY(run(&approvals));
    bind_number(&enrolments, device);
    TRY(run(&enrolments));
    *count = sqlite3_changes(store->db);
    return OK;
}

static enum status decide(struct store *store, const struct store_decision *decision)
{
    struct query q = ask(store, Q_approval_decide);

    bind_number(&q, decision->enrolment);
    bind_number(&q, decision->when_s);
    bind_text(&q, decision->by);
    bind_text(&q, decision->reason);
    bind_number(&q, decision->expires_s);
    return run(&q);
}

enum status store_approval_approve(struct store *store, const struct store_decision *decision)
{
    struct query q = ask(store, Q_enrolment_approve);

    bind_number(&q, decision->enrolment);
    bind_number(&q, decision->not_before_s);
    bind_number(&q, decision->not_after_s);
    TRY(run(&q));
    return decide(store, decision);
}

enum status store_approval_reject(struct store *store, const struct store_decision *decision)
{
    struct query burn = ask(store, Q_credential_burn);

    bind_number(&burn, decision->enrolment);
    TRY(run(&burn));
    TRY(set_state(store, decision->enrolment, ENROLMENT_REJECTED));
    TRY(store_approval_wipe(store, decision->enrolment));
    return decide(store, decision);
}

/* --- What became of it ------------------------------------------------------------- */

enum status store_enrolment_fail(struct store *store, int64_t id)
{
    TRY(store_approval_wipe(store, id));
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
