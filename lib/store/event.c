/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/sqlite.h"

#include <endian.h>

/* --- The chain --------------------------------------------------------------- */

static enum status append_field(struct buf *to, struct span field)
{
    const uint64_t len = htobe64(field.len);

    TRY(buf_append(to, span_of(&len, sizeof len)));
    return buf_append(to, field);
}

/* SHA-256 over the hash before, the two numbers, and each field with its length before it, so that no
 * byte can move from one field to the next. */
static enum status event_hash(const struct store_event *event, const uint8_t before[STORE_EVENT_HASH_BYTES],
                              uint8_t out[STORE_EVENT_HASH_BYTES])
{
    const struct span fields[] = { event->kind,        event->device,  event->serial, event->path,
                                   event->transaction, event->address, event->text };
    const uint64_t numbers[2] = { htobe64((uint64_t)event->id), htobe64((uint64_t)event->when_s) };
    AUTO(buf_clear) struct buf all = { 0 };

    TRY(buf_append(&all, span_of(before, STORE_EVENT_HASH_BYTES)));
    TRY(buf_append(&all, span_of(numbers, sizeof numbers)));
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        TRY(append_field(&all, fields[i]));
    sha256(buf_span(&all), out);
    return OK;
}

enum status event_load_newest(struct store *store)
{
    AUTO(query_reset) struct query q = ask(store, Q_event_newest);
    bool row = false;

    TRY(next(&q, &row));
    const struct span hash = row ? column_bytes(&q, 1) : span_of(NULL, 0);
    if (row && hash.len != STORE_EVENT_HASH_BYTES)
        return fail(FAULT, "the newest event has no hash");
    store->event_id = row ? column_number(&q, 0) : 0;
    memset(store->event_hash, 0, sizeof store->event_hash);
    if (row)
        memcpy(store->event_hash, hash.ptr, hash.len);
    return OK;
}

int64_t store_event_newest(const struct store *store)
{
    return store->event_id;
}

enum status store_event_append(struct store *store, const struct store_event *event)
{
    uint8_t hash[STORE_EVENT_HASH_BYTES];
    struct store_event next_one = *event;
    struct query q = ask(store, Q_event_add);

    next_one.id = store->event_id + 1;
    TRY(event_hash(&next_one, store->event_hash, hash));
    bind_number(&q, next_one.id);
    bind_number(&q, next_one.when_s);
    bind_text(&q, next_one.kind);
    bind_text(&q, next_one.device);
    bind_bytes(&q, next_one.serial);
    bind_text(&q, next_one.path);
    bind_text(&q, next_one.transaction);
    bind_text(&q, next_one.address);
    bind_text(&q, next_one.text);
    bind_bytes(&q, span_of(hash, sizeof hash));
    TRY(run(&q));
    store->event_id = next_one.id;
    memcpy(store->event_hash, hash, sizeof hash);
    return OK;
}

/* --- Reading ------------------------------------------------------------------- */

static void event_read(const struct query *q, struct store_event *out)
{
    *out = (struct store_event){
        .id = column_number(q, 0),
        .when_s = column_number(q, 1),
        .kind = column_bytes(q, 2),
        .device = column_bytes(q, 3),
        .serial = column_bytes(q, 4),
        .path = column_bytes(q, 5),
        .transaction = column_bytes(q, 6),
        .address = column_bytes(q, 7),
        .text = column_bytes(q, 8),
    };
}

enum status store_event_page(struct store *store, int64_t after, unsigned limit, store_each_event *each,
                             void *context)
{
    AUTO(query_reset) struct query q = ask(store, Q_event_page);
    struct store_event event;
    bool row = false;

    bind_number(&q, after);
    bind_number(&q, limit);
    TRY(next(&q, &row));
    while (row) {
        event_read(&q, &event);
        TRY(each(context, &event));
        TRY(next(&q, &row));
    }
    return OK;
}

enum status store_event_verify(struct store *store)
{
    AUTO(query_reset) struct query q = ask(store, Q_event_page);
    uint8_t before[STORE_EVENT_HASH_BYTES] = { 0 };
    int64_t expected = 1;
    struct store_event event;
    bool row = false;

    bind_number(&q, 0);
    bind_number(&q, INT64_MAX);
    TRY(next(&q, &row));
    for (; row; expected++) {
        event_read(&q, &event);
        if (event.id != expected)
            return fail(BAD_PROOF, "event %lld is missing", (long long)expected);
        uint8_t hash[STORE_EVENT_HASH_BYTES];
        TRY(event_hash(&event, before, hash));
        if (!span_equal(column_bytes(&q, 9), span_of(hash, sizeof hash)))
            return fail(BAD_PROOF, "event %lld is not what was written", (long long)event.id);
        memcpy(before, hash, sizeof hash);
        TRY(next(&q, &row));
    }
    if (expected - 1 != store->event_id)
        return fail(BAD_PROOF, "event %lld is missing", (long long)expected);
    return OK;
}
