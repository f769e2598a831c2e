/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/sqlite.h"

/* The columns of CERTIFICATE_COLUMNS. */
static void certificate_read(const struct query *q, struct store_certificate *out)
{
    *out = (struct store_certificate){
        .id = column_number(q, 0),
        .device = column_number(q, 1),
        .serial = column_bytes(q, 2),
        .device_name = column_bytes(q, 3),
        .authority_name = column_bytes(q, 4),
        .template = column_bytes(q, 5),
        .subject = column_bytes(q, 6),
        .san = column_bytes(q, 7),
        .der = column_bytes(q, 8),
        .not_before_s = column_number(q, 9),
        .not_after_s = column_number(q, 10),
        .revoked_s = column_number(q, 11),
        .reason = column_number(q, 12),
        .asked_s = column_number(q, 13),
    };
}

static enum status read_all(struct query *q, store_each_certificate *each, void *context)
{
    struct store_certificate certificate;
    bool row = false;

    TRY(next(q, &row));
    while (row) {
        certificate_read(q, &certificate);
        TRY(each(context, &certificate));
        TRY(next(q, &row));
    }
    return OK;
}

enum status store_certificate_find(struct store *store, int64_t id, store_each_certificate *each, void *context)
{
    AUTO(query_reset) struct query q = ask(store, Q_certificate_find);

    bind_number(&q, id);
    return read_all(&q, each, context);
}

enum status store_certificate_find_serial(struct store *store, struct span serial, store_each_certificate *each,
                                          void *context)
{
    AUTO(query_reset) struct query q = ask(store, Q_certificate_find_serial);

    bind_bytes(&q, serial);
    return read_all(&q, each, context);
}

enum status store_certificate_page(struct store *store, int64_t after, int64_t device, unsigned limit,
                                   store_each_certificate *each, void *context)
{
    AUTO(query_reset) struct query q = ask(store, device ? Q_certificate_page_device : Q_certificate_page);

    bind_number(&q, after);
    bind_number(&q, limit);
    if (device)
        bind_number(&q, device);
    return read_all(&q, each, context);
}

enum status store_certificate_revoke(struct store *store, int64_t id, int64_t when_s, int64_t reason)
{
    struct query q = ask(store, Q_certificate_revoke);

    bind_number(&q, id);
    bind_number(&q, when_s);
    bind_number(&q, reason);
    TRY(run(&q));
    if (sqlite3_changes(store->db) != 1)
        return fail(REFUSED, "the certificate is revoked already");
    return OK;
}
