/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/command.h"

#include <stdio.h>

#define BY_BYTES 24
#define REASON_MAX_BYTES 200

/* --- enrolment.list ---------------------------------------------------------------------- */

struct enrolment_page {
    struct listing *listing;
    int64_t now_s;
    unsigned rows;
};

static enum status send_enrolment(void *context, const struct store_enrolment *row)
{
    struct enrolment_page *page = context;
    struct listing *listing = page->listing;

    page->rows++;
    listing->after = row->id;
    if (listing->left == 0 || (listing->pending && page->now_s >= row->expires_s))
        return OK;
    listing->left--;
    return listing->send_row(listing->context, view_enrolment(row, page->now_s));
}

static enum status page_enrolments(const struct registrar *registrar, struct listing *listing, int64_t now_s)
{
    struct enrolment_page page = { .listing = listing, .now_s = now_s };

    TRY(store_enrolment_page(registrar->store, listing->after, listing->pending, LISTING_PAGE_ROWS, send_enrolment,
                             &page));
    listing->ended = page.rows < LISTING_PAGE_ROWS || listing->left == 0;
    return OK;
}

enum status command_enrolment_list(struct call *call)
{
    struct listing *listing = &call->listing;

    TRY(argument_truth(call, "pending", &listing->pending));
    TRY(argument_number(call, "after", 0, 0, &listing->after));
    TRY(argument_number(call, "limit", 1, INT64_MAX, &listing->left));
    listing->page = page_enrolments;
    return OK;
}

/* --- One of them ------------------------------------------------------------------------- */

struct found {
    int64_t now_s;
    json_t *object;
    enum enrolment_state state;
    int64_t device, proof, asked_s, expires_s;
    struct intent *intent; /* what would be sent to the signer */
};

static void found_clear(struct found *found)
{
    json_decref(found->object);
    intent_free(found->intent);
}

static enum status note_found(void *context, const struct store_enrolment *row)
{
    struct found *found = context;

    json_decref(found->object);
    found->object = view_enrolment(row, found->now_s);
    if (!found->object)
        return fail(FAULT, "no memory for an answer");
    found->state = row->state;
    found->device = row->device;
    found->proof = row->proof;
    found->asked_s = row->asked_s;
    found->expires_s = row->expires_s;
    return row->state != ENROLMENT_PENDING || found->intent ? OK : intent_new(row, &found->intent);
}

static enum status find(const struct call *call, struct found *found)
{
    int64_t id = 0;

    TRY(argument_number(call, "id", 1, 0, &id));
    if (!id)
        return fail(BAD_INPUT, "\"id\" is missing");
    TRY(store_enrolment_find(call->registrar->store, id, note_found, found));
    if (!found->object)
        return fail(BAD_INPUT, "there is no enrolment %lld; list them with `muster enrolment list`", (long long)id);
    return OK;
}

static enum status find_pending(const struct call *call, struct found *found)
{
    TRY(find(call, found));
    const char *state = json_string_value(json_object_get(found->object, "state"));
    if (found->state != ENROLMENT_PENDING || call->now_s >= found->expires_s)
        return fail(REFUSED, "the enrolment is %s and does not wait for a decision", state);
    return OK;
}

static enum status answer_with(struct call *call, struct found *found)
{
    call->answer = json_pack("{s:o}", "enrolment", take(found->object));
    return call->answer ? OK : fail(FAULT, "no memory for an answer");
}

enum status command_enrolment_show(struct call *call)
{
    AUTO(found_clear) struct found found = { .now_s = call->now_s };

    TRY(find(call, &found));
    return answer_with(call, &found);
}

/* As it is after the decision. */
static enum status answer_anew(struct call *call, int64_t id, struct found *found)
{
    TRY(store_enrolment_find(call->registrar->store, id, note_found, found));
    return answer_with(call, found);
}

/* --- enrolment.approve ---------------------------------------------------------------------- */

static enum status note_revoked(void *context, const struct store_certificate *row)
{
    bool *revoked = context;

    *revoked = row->revoked_s != 0;
    return OK;
}

/* What was true when it was asked may have changed since. */
static enum status check_still_true(const struct call *call, const struct found *found)
{
    struct store *store = call->registrar->store;
    struct store_device device;
    bool revoked = false;

    TRY(store_device_find(store, found->device, &device));
    if (!device.id || device.state != DEVICE_ACTIVE || found->asked_s < device.added_s)
        return fail(REFUSED, "device %s was removed after it had asked; reject the request", found->intent->device);
    if (found->proof)
        TRY(store_certificate_find(store, found->proof, note_revoked, &revoked));
    if (revoked)
        return fail(REFUSED, "the certificate that the renewal was signed with was revoked since; reject the request");
    return OK;
}

/* The certificate's life begins with the approval. */
static enum status find_dates(const struct call *call, struct intent *intent)
{
    const struct rules *rules = &call->registrar->rules;
    const struct config_authority *authority = config_find_authority(rules->config, span_of_text(intent->authority));
    const struct template *t = config_find_template(rules->config, span_of_text(intent->template));

    if (!authority || !t)
        return fail(REFUSED, "musterd.conf no longer has authority %s or template %s; reject the request",
                    intent->authority, intent->template);
    const struct cert *ca = rules->authorities[authority - rules->config->authorities].cert;
    const struct dates dates = decide_dates(ca, t, call->now_s);
    intent->not_before_s = dates.not_before_s;
    intent->not_after_s = dates.not_after_s;
    return OK;
}

/* To the signer, as soon as this is durable. */
static enum status send_to_signer(struct registrar *registrar, struct found *found)
{
    struct intent *intent = take(found->intent);

    intents_put(&registrar->intents, intent);
    return signing_send(registrar, intent);
}

enum status command_enrolment_approve(struct call *call)
{
    AUTO(found_clear) struct found found = { .now_s = call->now_s };
    char by[BY_BYTES];

    TRY(find_pending(call, &found));
    TRY(check_still_true(call, &found));
    TRY(find_dates(call, found.intent));
    const int64_t id = found.intent->id;
    snprintf(by, sizeof by, "uid %u", call->uid);
    const struct store_decision decision = { .enrolment = id,
                                             .when_s = call->now_s,
                                             .by = span_of_text(by),
                                             .not_before_s = found.intent->not_before_s,
                                             .not_after_s = found.intent->not_after_s,
                                             .expires_s = call->now_s +
                                                          call->registrar->rules.config->pending_lifetime_s };
    const struct note note = note_of_intent(found.intent, "approved");
    TRY(store_approval_approve(call->registrar->store, &decision));
    TRY(note_event(call->registrar->store, call->now_s, &note, "enrolment %lld, by %s", (long long)id, by));
    TRY(send_to_signer(call->registrar, &found));
    return answer_anew(call, id, &found);
}

/* --- enrolment.reject ----------------------------------------------------------------------- */

/* The client is told the reason: failInfoText. */
static enum status read_reason(const struct call *call, const char **reason)
{
    TRY(argument_text(call, "reason", true, reason));
    const struct span text = span_of_text(*reason);
    if (text.len > REASON_MAX_BYTES || !span_is_printable(text))
        return fail(BAD_INPUT, "the reason is sent to the device: 1 to %d printable ASCII characters", REASON_MAX_BYTES);
    return OK;
}

enum status command_enrolment_reject(struct call *call)
{
    AUTO(found_clear) struct found found = { .now_s = call->now_s };
    const char *reason = NULL;
    char by[BY_BYTES];

    TRY(read_reason(call, &reason));
    TRY(find_pending(call, &found));
    const int64_t id = found.intent->id;
    snprintf(by, sizeof by, "uid %u", call->uid);
    const struct store_decision decision = {
        .enrolment = id, .when_s = call->now_s, .by = span_of_text(by), .reason = span_of_text(reason)
    };
    const struct note note = note_of_intent(found.intent, "rejected");
    TRY(store_approval_reject(call->registrar->store, &decision));
    TRY(note_event(call->registrar->store, call->now_s, &note, "enrolment %lld, by %s: %s", (long long)id, by, reason));
    return answer_anew(call, id, &found);
}
