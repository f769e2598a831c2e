/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/command.h"

#include <stdio.h>

/* --- certificate.list ------------------------------------------------------------------ */

struct certificate_page {
    struct listing *listing;
    int64_t now_s;
    unsigned rows; /* seen, those that do not match included: this bounds the time of one page */
};

static enum status send_certificate(void *context, const struct store_certificate *certificate)
{
    struct certificate_page *page = context;
    struct listing *listing = page->listing;

    page->rows++;
    listing->after = certificate->id;
    if (listing->left == 0 ||
        (listing->state[0] && strcmp(listing->state, view_certificate_state(certificate, page->now_s)) != 0))
        return OK;
    listing->left--;
    return listing->send_row(listing->context, view_certificate(certificate, page->now_s, false));
}

static enum status page_certificates(const struct registrar *registrar, struct listing *listing, int64_t now_s)
{
    struct certificate_page page = { .listing = listing, .now_s = now_s };

    TRY(store_certificate_page(registrar->store, listing->after, listing->device, LISTING_PAGE_ROWS, send_certificate,
                               &page));
    listing->ended = page.rows < LISTING_PAGE_ROWS || listing->left == 0;
    return OK;
}

static enum status read_state(const struct call *call, char state[16])
{
    static const char *const states[] = { "valid", "expired", "revoked" };
    const char *wanted = NULL;

    TRY(argument_text(call, "state", false, &wanted));
    if (!wanted)
        return OK;
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (strcmp(states[i], wanted) == 0) {
            snprintf(state, 16, "%s", wanted);
            return OK;
        }
    }
    return fail(BAD_INPUT, "state \"%s\": expected valid, expired or revoked", wanted);
}

static enum status read_after(const struct call *call, int64_t *after)
{
    AUTO(buf_clear) struct buf serial = { 0 };
    enum enrolment_state state;

    if (!json_object_get(call->arguments, "after"))
        return OK;
    TRY(argument_serial(call, "after", &serial));
    TRY(store_enrolment_find_serial(call->registrar->store, buf_span(&serial), after, &state));
    return *after ? OK : fail(BAD_INPUT, "\"after\": there is no certificate of that serial number");
}

enum status command_certificate_list(struct call *call)
{
    struct listing *listing = &call->listing;
    struct store_device device = { 0 };

    if (json_object_get(call->arguments, "device"))
        TRY(argument_device(call, "device", &device));
    TRY(read_state(call, listing->state));
    TRY(read_after(call, &listing->after));
    TRY(argument_number(call, "limit", 1, INT64_MAX, &listing->left));
    listing->device = device.id;
    listing->page = page_certificates;
    return OK;
}

/* --- certificate.show, certificate.revoke -------------------------------------------------- */

struct found {
    int64_t now_s;
    bool with_pem;
    int64_t id;
    bool revoked;
    char device[STORE_NAME_BYTES];
    json_t *object;
};

static enum status note_found(void *context, const struct store_certificate *certificate)
{
    struct found *found = context;

    json_decref(found->object);
    found->id = certificate->id;
    found->revoked = certificate->revoked_s != 0;
    found->object = view_certificate(certificate, found->now_s, found->with_pem);
    if (!found->object)
        return fail(FAULT, "no memory for an answer");
    return span_to_text(certificate->device_name, found->device, sizeof found->device);
}

static enum status find(const struct call *call, struct span serial, struct found *found)
{
    TRY(store_certificate_find_serial(call->registrar->store, serial, note_found, found));
    if (!found->id)
        return fail(BAD_INPUT, "there is no certificate of that serial number; list them with `muster certificate list`");
    return OK;
}

static enum status answer_with(struct call *call, struct found *found)
{
    call->answer = json_pack("{s:o}", "certificate", take(found->object));
    return call->answer ? OK : fail(FAULT, "no memory for an answer");
}

static void found_clear(struct found *found)
{
    json_decref(found->object);
}

enum status command_certificate_show(struct call *call)
{
    AUTO(buf_clear) struct buf serial = { 0 };
    AUTO(found_clear) struct found found = { .now_s = call->now_s, .with_pem = true };

    TRY(argument_serial(call, "serial", &serial));
    TRY(find(call, buf_span(&serial), &found));
    return answer_with(call, &found);
}

/* RFC 5280 s5.3.1: those that make sense for a device's certificate. */
static enum status read_reason(const struct call *call, const char **name, int64_t *reason)
{
    static const struct {
        const char *name;
        int64_t value;
    } reasons[] = { { "unspecified", 0 },       { "keyCompromise", 1 },        { "affiliationChanged", 3 },
                    { "superseded", 4 },        { "cessationOfOperation", 5 }, { "privilegeWithdrawn", 9 } };

    TRY(argument_text(call, "reason", false, name));
    *name = *name ? *name : reasons[0].name;
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (strcmp(reasons[i].name, *name) == 0) {
            *reason = reasons[i].value;
            return OK;
        }
    }
    return fail(BAD_INPUT, "reason \"%s\": expected unspecified, keyCompromise, affiliationChanged, superseded, "
                "cessationOfOperation or privilegeWithdrawn", *name);
}

enum status command_certificate_revoke(struct call *call)
{
    struct store *store = call->registrar->store;
    AUTO(buf_clear) struct buf serial = { 0 };
    AUTO(found_clear) struct found found = { .now_s = call->now_s };
    const char *name = NULL;
    int64_t reason = 0;

    TRY(argument_serial(call, "serial", &serial));
    TRY(read_reason(call, &name, &reason));
    TRY(find(call, buf_span(&serial), &found));
    TRY(store_certificate_revoke(store, found.id, call->now_s, reason));
    const struct note note = { .kind = "certificate-revoked", .device = found.device, .serial = buf_span(&serial) };
    TRY(note_event(store, call->now_s, &note, "%s", name));
    TRY(find(call, buf_span(&serial), &found));
    return answer_with(call, &found);
}
