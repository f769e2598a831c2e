/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/sqlite.h"

#include <stdio.h>

static void copy_text(struct span from, char *to, size_t size)
{
    const size_t len = from.len < size ? from.len : size - 1;

    if (len)
        memcpy(to, from.ptr, len);
    to[len] = 0;
}

static void copy_bytes(struct span from, uint8_t *to, size_t size)
{
    memset(to, 0, size);
    if (from.len)
        memcpy(to, from.ptr, from.len < size ? from.len : size);
}

/* The columns of DEVICE_COLUMNS. */
static void device_read(const struct query *q, struct store_device *out)
{
    struct store_credential *credential = &out->credential;

    out->id = column_number(q, 0);
    copy_text(column_bytes(q, 1), out->name, sizeof out->name);
    copy_text(column_bytes(q, 2), out->username, sizeof out->username);
    copy_text(column_bytes(q, 3), out->template, sizeof out->template);
    copy_text(column_bytes(q, 4), out->path, sizeof out->path);
    out->state = (enum device_state)column_number(q, 5);
    out->added_s = column_number(q, 6);
    credential->kind = (enum credential_kind)column_number(q, 7);
    copy_bytes(column_bytes(q, 8), credential->verifier, sizeof credential->verifier);
    copy_bytes(column_bytes(q, 9), credential->salt, sizeof credential->salt);
    credential->made_s = column_number(q, 10);
    credential->expires_s = column_number(q, 11);
    credential->wrong_tries = column_number(q, 12);
    credential->enrolment = column_number(q, 13);
    credential->enrolment_state = (enum enrolment_state)column_number(q, 14);
    credential->lasting = column_number(q, 15) != 0;
    out->certificates_count = column_number(q, 16);
}

static enum status read_one(struct query *q, struct store_device *out)
{
    bool row = false;

    *out = (struct store_device){ 0 };
    TRY(next(q, &row));
    if (row)
        device_read(q, out);
    return OK;
}

enum status store_device_find(struct store *store, int64_t id, struct store_device *out)
{
    AUTO(query_reset) struct query q = ask(store, Q_device_find);

    bind_number(&q, id);
    return read_one(&q, out);
}

enum status store_device_find_name(struct store *store, struct span name, struct store_device *out)
{
    AUTO(query_reset) struct query q = ask(store, Q_device_find_name);

    bind_text(&q, name);
    return read_one(&q, out);
}

enum status store_device_find_username(struct store *store, struct span username, struct store_device *out)
{
    AUTO(query_reset) struct query q = ask(store, Q_device_find_username);

    bind_text(&q, username);
    return read_one(&q, out);
}

enum status store_device_add(struct store *store, struct store_device *device)
{
    struct store_device there;

    TRY(store_device_find_username(store, span_of_text(device->username), &there));
    if (there.id && strcmp(there.name, device->name) != 0)
        return fail(REFUSED, "the username \"%s\" belongs to device \"%s\"; choose another one", device->username,
                    there.name);
    TRY(store_device_find_name(store, span_of_text(device->name), &there));
    if (there.id && there.state != DEVICE_REMOVED)
        return fail(REFUSED, "there is a device \"%s\" already; show it with `muster device show`", device->name);
    struct query q = ask(store, there.id ? Q_device_revive : Q_device_add);
    bind_text(&q, span_of_text(device->name));
    bind_text(&q, span_of_text(device->username));
    bind_text(&q, span_of_text(device->template));
    bind_text(&q, span_of_text(device->path));
    bind_number(&q, device->added_s);
    TRY(run(&q));
    TRY(store_device_find_name(store, span_of_text(device->name), &there));
    *device = there;
    return OK;
}

enum status store_device_remove(struct store *store, int64_t id)
{
    struct query drop = ask(store, Q_credential_drop);
    struct query remove = ask(store, Q_device_remove);

    bind_number(&drop, id);
    TRY(run(&drop));
    bind_number(&remove, id);
    return run(&remove);
}

enum status store_device_page(struct store *store, const char *after, const char *template, unsigned limit,
                              store_each_device *each, void *context)
{
    AUTO(query_reset) struct query q = ask(store, Q_device_page);
    struct store_device device;
    bool row = false;

    bind_text(&q, span_of_text(after));
    bind_text(&q, span_of_text(template));
    bind_number(&q, limit);
    TRY(next(&q, &row));
    while (row) {
        device_read(&q, &device);
        TRY(each(context, &device));
        TRY(next(&q, &row));
    }
    return OK;
}

/* --- Passwords -------------------------------------------------------------- */

enum status store_credential_put(struct store *store, int64_t device, const struct store_credential *credential)
{
    struct query q = ask(store, Q_credential_put);

    bind_number(&q, device);
    bind_number(&q, credential->kind);
    bind_bytes(&q, span_of(credential->verifier, sizeof credential->verifier));
    bind_bytes(&q, span_of(credential->salt, sizeof credential->salt));
    bind_number(&q, credential->made_s);
    bind_number(&q, credential->expires_s);
    bind_number(&q, credential->lasting);
    return run(&q);
}

enum status store_credential_count_wrong(struct store *store, int64_t device)
{
    struct query q = ask(store, Q_credential_count_wrong);

    bind_number(&q, device);
    return run(&q);
}

enum status store_credential_unlock(struct store *store, int64_t device)
{
    struct query q = ask(store, Q_credential_unlock);

    bind_number(&q, device);
    return run(&q);
}

enum status store_credential_reserve(struct store *store, int64_t device, int64_t enrolment)
{
    struct query q = ask(store, Q_credential_reserve);

    bind_number(&q, device);
    bind_number(&q, enrolment);
    return run(&q);
}

/* --- Authorities -------------------------------------------------------------- */

static enum status authority_find(struct store *store, const char *name, struct span der, int64_t *id, bool *same)
{
    AUTO(query_reset) struct query q = ask(store, Q_authority_find);
    bool row = false;

    bind_text(&q, span_of_text(name));
    TRY(next(&q, &row));
    *id = row ? column_number(&q, 0) : 0;
    *same = row && (der.len == 0 || span_equal(der, column_bytes(&q, 1)));
    return OK;
}

static enum status authority_add(struct store *store, const char *name, struct span der, int64_t *id)
{
    struct query q = ask(store, Q_authority_add);

    bind_text(&q, span_of_text(name));
    bind_bytes(&q, der);
    TRY(run(&q));
    *id = sqlite3_last_insert_rowid(store->db);
    return OK;
}

enum status store_authority_put(struct store *store, const char *name, struct span der, int64_t *id)
{
    bool same = false;

    TRY(authority_find(store, name, der, id, &same));
    if (same)
        return OK;
    if (*id == 0)
        return authority_add(store, name, der, id);
    struct query q = ask(store, Q_authority_update);
    bind_number(&q, *id);
    bind_bytes(&q, der);
    return run(&q);
}
