/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/intent.h"

#include <stdlib.h>

static struct intent **slot_of(const struct intents *intents, int64_t id)
{
    return (struct intent **)&intents->slots[(uint64_t)id % INTENT_SLOTS];
}

/* --- One intent ---------------------------------------------------------------- */

static enum status copy_row(const struct store_enrolment *row, struct intent *intent)
{
    if (row->serial.len != sizeof intent->serial)
        return fail(FAULT, "ledger: enrolment %lld has a serial number of %zu octets", (long long)row->id,
                    row->serial.len);
    memcpy(intent->serial, row->serial.ptr, sizeof intent->serial);
    intent->id = row->id;
    intent->renewal = row->proof != 0;
    intent->not_before_s = row->not_before_s;
    intent->not_after_s = row->not_after_s;
    TRY(span_to_text(row->device_name, intent->device, sizeof intent->device));
    TRY(span_to_text(row->username, intent->username, sizeof intent->username));
    TRY(span_to_text(row->authority_name, intent->authority, sizeof intent->authority));
    TRY(span_to_text(row->template, intent->template, sizeof intent->template));
    TRY(span_to_text(row->path, intent->path, sizeof intent->path));
    TRY(span_to_text(row->transaction, intent->transaction, sizeof intent->transaction));
    TRY(span_to_text(row->address, intent->address, sizeof intent->address));
    TRY(buf_append(&intent->subject, row->subject));
    TRY(buf_append(&intent->san, row->san));
    return buf_append(&intent->spki, row->spki);
}

enum status intent_new(const struct store_enrolment *row, struct intent **out)
{
    AUTO(intent_freep) struct intent *intent = calloc(1, sizeof *intent);

    if (!intent)
        return fail(FAULT, "no memory for an intent");
    TRY(copy_row(row, intent));
    *out = take(intent);
    return OK;
}

void intent_free(struct intent *intent)
{
    if (!intent)
        return;
    buf_clear(&intent->subject);
    buf_clear(&intent->san);
    buf_clear(&intent->spki);
    free(intent->waiters);
    free(intent);
}

enum status intent_add_waiter(struct intent *intent, struct waiter waiter)
{
    struct waiter *more = realloc(intent->waiters, (intent->waiters_count + 1) * sizeof *more);

    if (!more)
        return fail(FAULT, "no memory for one more who waits");
    more[intent->waiters_count++] = waiter;
    intent->waiters = more;
    return OK;
}

struct ipc_message intent_issue_message(const struct intent *intent)
{
    return (struct ipc_message){
        .kind = IPC_KIND_issue,
        .fd = -1,
        .issue = { .enrolment = intent->id,
                   .serial = span_of(intent->serial, sizeof intent->serial),
                   .authority = span_of_text(intent->authority),
                   .template = span_of_text(intent->template),
                   .device = span_of_text(intent->device),
                   .username = span_of_text(intent->username),
                   .subject = buf_span(&intent->subject),
                   .san = buf_span(&intent->san),
                   .spki = buf_span(&intent->spki),
                   .not_before_s = intent->not_before_s,
                   .not_after_s = intent->not_after_s },
    };
}

/* --- The table ------------------------------------------------------------------ */

void intents_clear(struct intents *intents)
{
    for (size_t i = 0; i < INTENT_SLOTS; i++) {
        while (intents->slots[i]) {
            struct intent *gone = intents->slots[i];
            intents->slots[i] = gone->next;
            intent_free(gone);
        }
    }
    intents->count = 0;
}

void intents_put(struct intents *intents, struct intent *intent)
{
    struct intent **slot = slot_of(intents, intent->id);

    intent->next = *slot;
    *slot = intent;
    intents->count++;
}

struct intent *intents_find(const struct intents *intents, int64_t id)
{
    struct intent *intent = *slot_of(intents, id);

    while (intent && intent->id != id)
        intent = intent->next;
    return intent;
}

struct intent *intents_take(struct intents *intents, int64_t id)
{
    struct intent **at = slot_of(intents, id);

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    struct intent *found = *at;
    if (found) {
        *at = found->next;
        intents->count--;
    }
    return found;
}

static void forget_waiters(struct intent *intent, uint32_t responder)
{
    size_t kept = 0;

    for (size_t i = 0; i < intent->waiters_count; i++)
        if (intent->waiters[i].responder != responder)
            intent->waiters[kept++] = intent->waiters[i];
    intent->waiters_count = kept;
}

void intents_forget_responder(struct intents *intents, uint32_t responder)
{
    for (size_t i = 0; i < INTENT_SLOTS; i++)
        for (struct intent *intent = intents->slots[i]; intent; intent = intent->next)
            forget_waiters(intent, responder);
}

void intents_set_unsent(struct intents *intents)
{
    for (size_t i = 0; i < INTENT_SLOTS; i++)
        for (struct intent *intent = intents->slots[i]; intent; intent = intent->next)
            intent->sent = false;
}
