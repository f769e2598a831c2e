/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/attempt.h"

#include "agent/random.h"
#include "lib/base/log.h"
#include "lib/base/text.h"

#define RECORD "attempt"
#define ORDERS_HEX_BYTES (2 * SHA256_BYTES + 1)

void attempt_clear(struct attempt *attempt)
{
    private_key_free(attempt->key);
    *attempt = (struct attempt){ 0 };
}

enum status attempt_set_orders(struct attempt *attempt, const struct profile *profile)
{
    AUTO(buf_clear) struct buf text = { 0 };

    TRY(buf_append_format(&text, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%u\n", profile->protocol, profile->server_url,
                          profile->ca_identifier, profile->ca_fingerprint, profile->username,
                          profile->username_form, profile->subject, profile->key_type, profile->key_size));
    for (size_t i = 0; i < profile->subject_alt_name.count; i++)
        TRY(buf_append_format(&text, "%s\n", profile->subject_alt_name.items[i]));
    sha256(buf_span(&text), attempt->orders);
    return OK;
}

/* The value of "Name: value" in a line of the record; empty when it is not there. */
static struct span find_value(struct span record, const char *name)
{
    const uint8_t *at = memmem(record.ptr, record.len, name, strlen(name));

    if (!at)
        return span_of(NULL, 0);
    at += strlen(name);
    const size_t rest = record.len - (size_t)(at - record.ptr);
    const uint8_t *end = memchr(at, '\n', rest);
    return span_of(at, end ? (size_t)(end - at) : rest);
}

static enum status read_record(struct attempt *attempt, struct span record)
{
    AUTO(buf_clear) struct buf orders = { 0 };

    TRY(hex_decode(find_value(record, "Orders: "), &orders));
    if (!span_equal(buf_span(&orders), span_of(attempt->orders, SHA256_BYTES)))
        return OK;
    TRY(span_to_text(find_value(record, "Transaction: "), attempt->transaction, ATTEMPT_TRANSACTION_BYTES));
    attempt->pending = span_equal(find_value(record, "State: "), SPAN_LITERAL("pending"));
    return private_key_parse_pem(record, RECORD, &attempt->key);
}

enum status attempt_load(struct attempt *attempt, struct vault *vault)
{
    AUTO(buf_clear) struct buf record = { 0 };
    bool found = false;

    TRY(vault_read_record(vault, RECORD, &found, &record));
    if (!found || read_record(attempt, buf_span(&record)) == OK)
        return OK;
    /* Better a new key than a device that can never enrol again. */
    log_write(LOG_WARNING, "%s/%s is not readable (%s); starting afresh", vault_get_path(vault), RECORD,
              fail_text());
    attempt->transaction[0] = 0;
    attempt->pending = false;
    return OK;
}

enum status attempt_save(const struct attempt *attempt, struct vault *vault)
{
    AUTO(buf_clear) struct buf record = { 0 };
    char orders[ORDERS_HEX_BYTES];

    hex_encode(span_of(attempt->orders, SHA256_BYTES), orders);
    TRY(buf_append_format(&record, "Orders: %s\nTransaction: %s\n%s", orders, attempt->transaction,
                          attempt->pending ? "State: pending\n" : ""));
    TRY(private_key_write_pem(attempt->key, &record));
    return vault_write_record(vault, RECORD, buf_span(&record));
}

enum status attempt_begin(struct attempt *attempt)
{
    uint8_t bytes[(ATTEMPT_TRANSACTION_BYTES - 1) / 2];

    TRY(random_fill(bytes, sizeof bytes));
    hex_encode(span_of(bytes, sizeof bytes), attempt->transaction);
    attempt->pending = false;
    return OK;
}

enum status attempt_finish(struct vault *vault)
{
    return vault_remove_record(vault, RECORD);
}
