/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/decide.h"
#include "server/registrar/pending.h"
#include "server/registrar/seal.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <stdio.h>

/* Everything there is to know about one request while it is weighed. */
struct request {
    const struct ipc_enrol *enrol;
    const struct config_path *path;
    const struct authority *authority;
    const struct template *template;
    struct applicant applicant;
    struct csr *csr;
    uint8_t key_hash[SHA256_BYTES];
    uint8_t transaction_hash[SHA256_BYTES];
    char transaction[TRANSACTION_TEXT_BYTES];
    char address[ADDRESS_BYTES];
    struct buf subject;
    struct buf san;
};

struct desk {
    struct store *store;
    const struct rules *rules;
    int64_t now_s;
    struct verdict *verdict;
};

static void request_clear(struct request *request)
{
    applicant_clear(&request->applicant);
    csr_free(request->csr);
    buf_clear(&request->subject);
    buf_clear(&request->san);
}

/* A refusal that libpki gave its reason for. */
static enum status refuse_for(struct verdict *verdict, enum status kind)
{
    return kind == OK || kind == FAULT ? kind : refuse_openly(verdict, kind, "%s", fail_text());
}

void transaction_text(struct span transaction, char text[TRANSACTION_TEXT_BYTES])
{
    if (span_is_printable(transaction)) {
        const int len = (int)(transaction.len < TRANSACTION_TEXT_BYTES ? transaction.len : TRANSACTION_TEXT_BYTES - 1);
        snprintf(text, TRANSACTION_TEXT_BYTES, "%.*s", len, transaction.ptr ? (const char *)transaction.ptr : "");
        return;
    }
    transaction.len = transaction.len < TRANSACTION_TEXT_BYTES / 2 ? transaction.len : TRANSACTION_TEXT_BYTES / 2;
    hex_encode(transaction, text);
}

/* --- What it asks for ---------------------------------------------------------------- */

static enum status find_path(const struct desk *desk, struct request *request)
{
    const struct config *config = desk->rules->config;

    request->path = config_find_path(config, request->enrol->path);
    if (!request->path)
        return refuse_openly(desk->verdict, REFUSED, "there is no such enrolment path");
    request->authority = &desk->rules->authorities[request->path->authority];
    return OK;
}

enum status decide_hash_transaction(struct span path, struct span transaction, uint8_t out[SHA256_BYTES])
{
    static const uint8_t nul = 0;
    AUTO(buf_clear) struct buf both = { 0 };

    TRY(buf_append(&both, path));
    TRY(buf_append(&both, span_of(&nul, 1)));
    TRY(buf_append(&both, transaction));
    sha256(buf_span(&both), out);
    return OK;
}

static enum status read_request(const struct desk *desk, struct request *request)
{
    const struct span address = request->enrol->address;

    transaction_text(request->enrol->transaction, request->transaction);
    snprintf(request->address, sizeof request->address, "%.*s", (int)address.len,
             address.len ? (const char *)address.ptr : "");
    TRY(decide_hash_transaction(request->enrol->path, request->enrol->transaction, request->transaction_hash));
    const enum status status = csr_parse_proved(request->enrol->csr, &request->csr);
    if (status != OK)
        return refuse_for(desk->verdict, status);
    sha256(csr_get_spki(request->csr), request->key_hash);
    return OK;
}

/* --- Was it asked before? -------------------------------------------------------------- */

/* Shown by the same password, which then names that enrolment or is a lasting one, by the secret of the path, or
 * by the same certificate. */
static bool same_proof(const struct applicant *applicant, const struct store_repeat *repeat)
{
    if (applicant->proof)
        return repeat->proof == applicant->proof;
    return repeat->proof == 0 &&
           (applicant->by == AUTHENTICATOR_SECRET || applicant->device.credential.lasting ||
            applicant->device.credential.enrolment == repeat->id);
}

/* `*done` when the verdict is the one that was given before. */
static enum status find_repeat(const struct desk *desk, struct request *request, bool *done)
{
    const struct span key = span_of(request->key_hash, sizeof request->key_hash);
    const struct span transaction = span_of(request->transaction_hash, sizeof request->transaction_hash);
    struct store_repeat repeat;

    TRY(store_enrolment_find_repeat(desk->store, key, transaction, &repeat));
    if (!repeat.id || repeat.device != request->applicant.device.id || !same_proof(&request->applicant, &repeat))
        return OK;
    return pending_weigh(desk->store, repeat.id, desk->now_s, desk->verdict, done);
}

/* A key belongs to one device.  That it was never seen, as it mostly was, also rules out a repeat. */
static enum status look_for_key(const struct desk *desk, struct request *request, bool *done)
{
    bool known = false;
    int64_t owner = 0;

    TRY(store_key_find_owner(desk->store, span_of(request->key_hash, sizeof request->key_hash), &known, &owner));
    if (!known)
        return OK;
    if (owner != request->applicant.device.id)
        return refuse(desk->verdict, REFUSED, "the key is used elsewhere; make a new one",
                      "the key is that of another device (row %lld)", (long long)owner);
    return find_repeat(desk, request, done);
}

/* --- May it? ------------------------------------------------------------------------------ */

static enum status check_password_unused(const struct desk *desk, const struct store_credential *credential)
{
    if (credential->enrolment_state == ENROLMENT_ISSUED)
        return refuse(desk->verdict, REFUSED, TEXT_NOT_ACCEPTED,
                      "password used before: it was burned by enrolment %lld with another key or transaction",
                      (long long)credential->enrolment);
    if (credential->enrolment_state == ENROLMENT_OPEN)
        return refuse(desk->verdict, REFUSED, TEXT_NOT_ACCEPTED,
                      "password used before: it is reserved by enrolment %lld with another key or transaction",
                      (long long)credential->enrolment);
    if (credential->enrolment_state == ENROLMENT_PENDING)
        return refuse(desk->verdict, REFUSED, TEXT_NOT_ACCEPTED,
                      "password used before: it is reserved by enrolment %lld, which waits for approval",
                      (long long)credential->enrolment);
    return OK;
}

/* The operator's rejection burns a lasting password too. */
static enum status check_password(const struct desk *desk, const struct applicant *applicant)
{
    const struct store_credential *credential = &applicant->device.credential;

    if (!credential->lasting)
        TRY(check_password_unused(desk, credential));
    if (credential->enrolment_state == ENROLMENT_REJECTED)
        return refuse(desk->verdict, REFUSED, TEXT_NOT_ACCEPTED,
                      "password used before: it was burned by enrolment %lld, which was rejected",
                      (long long)credential->enrolment);
    if (desk->now_s >= credential->expires_s)
        return refuse(desk->verdict, REFUSED, TEXT_NOT_ACCEPTED, "the password has expired");
    return OK;
}

static enum status check_renewal_time(const struct desk *desk, const struct request *request)
{
    const struct applicant *applicant = &request->applicant;
    const int64_t life_s = applicant->proof_not_after_s - applicant->proof_not_before_s;
    const int64_t from_s = applicant->proof_not_before_s + life_s / 100 * request->template->renew_from_percent;
    char when[CLOCK_TEXT_BYTES];

    if (request->template->renew_from_percent == 0 || desk->now_s >= from_s)
        return OK;
    clock_format_utc(from_s, when);
    return refuse_openly(desk->verdict, REFUSED, "too early: the certificate can be renewed from %s on", when);
}

/* The device's template, if this path gives out such certificates. */
static enum status find_template(const struct desk *desk, struct request *request)
{
    const struct config *config = desk->rules->config;
    const char *wanted = request->applicant.device.template;

    for (size_t i = 0; i < request->path->templates_count; i++) {
        const struct template *t = &config->templates[request->path->templates[i]];
        if (strcmp(t->name, wanted) == 0) {
            request->template = t;
            return OK;
        }
    }
    return refuse(desk->verdict, REFUSED, "the device may not enrol on this path",
                  "path %s does not give out certificates of template %s", request->path->name, wanted);
}

/* The alternative name that was there to carry the username, and for nothing else. */
static struct general_name san_carrier(const struct request *request)
{
    static const struct {
        struct span name;
        enum general_name_kind kind;
    } kinds[] = {
        { { (const uint8_t *)"dns", 3 }, GENERAL_NAME_DNS },
        { { (const uint8_t *)"email", 5 }, GENERAL_NAME_EMAIL },
        { { (const uint8_t *)"uri", 3 }, GENERAL_NAME_URI },
    };
    const struct span username = span_of_text(request->applicant.device.username);

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (span_equal(kinds[i].name, request->enrol->username_kind) && span_equal(username, request->enrol->username))
            return (struct general_name){ kinds[i].kind, username };
    return (struct general_name){ 0 };
}

static enum status make_names(const struct desk *desk, struct request *request)
{
    const struct store_device *device = &request->applicant.device;

    TRY(refuse_for(desk->verdict, template_check_request(request->template, request->csr)));
    TRY(refuse_for(desk->verdict, template_check_key(request->template, csr_get_key(request->csr))));
    TRY(refuse_for(desk->verdict,
                   template_make_names(request->template, device->name, device->username, request->csr,
                                       san_carrier(request), &request->subject, &request->san)));
    return refuse_for(desk->verdict, name_constraints_check(request->authority->constraints,
                                                            buf_span(&request->subject), buf_span(&request->san)));
}

/* The request inside must name the device too, whatever the template makes of its names: without that, and
 * without a password, anybody with a certificate of ours could send somebody else's request as his own. */
static enum status check_request_is_his(const struct desk *desk, const struct request *request)
{
    const struct span subject = csr_get_subject(request->csr);
    const struct span san = csr_get_subject_alt_name(request->csr);

    if (request->enrol->password.len)
        return OK;
    if (name_is_empty(subject) ? san.len && general_names_contain(buf_span(&request->applicant.proof_san), san)
                               : name_equal(subject, buf_span(&request->applicant.proof_subject)))
        return OK;
    return refuse_openly(desk->verdict, REFUSED, "RFC 8894 s2.3: the request to renew must have the subject, or "
                         "alternative names, of the certificate that signed it");
}

/* RFC 8894 s2.3: a renewal is for the same subject. */
static enum status check_same_subject(const struct desk *desk, const struct request *request)
{
    const struct span before = buf_span(&request->applicant.proof_subject);
    const struct span now = buf_span(&request->subject);

    TRY(check_request_is_his(desk, request));
    if (name_is_empty(before) && name_is_empty(now)) {
        if (general_names_contain(buf_span(&request->applicant.proof_san), buf_span(&request->san)))
            return OK;
    } else if (name_equal(before, now)) {
        return OK;
    }
    return refuse(desk->verdict, REFUSED, "a renewal must be for the subject of the certificate that signed it",
                  "the renewal would be for another subject than the certificate that signed it");
}

static enum status authorise(const struct desk *desk, struct request *request)
{
    TRY(find_template(desk, request));
    if (request->applicant.proof == 0) {
        if (request->applicant.by == AUTHENTICATOR_PASSWORD)
            TRY(check_password(desk, &request->applicant));
        return make_names(desk, request);
    }
    TRY(check_renewal_time(desk, request));
    TRY(make_names(desk, request));
    return check_same_subject(desk, request);
}

/* --- Then it is intended ---------------------------------------------------------------------- */

struct dates decide_dates(const struct cert *ca, const struct template *t, int64_t now_s)
{
    const int64_t from_s = now_s - t->backdate_s;
    const int64_t until_s = now_s + t->lifetime_s;

    return (struct dates){ from_s > cert_not_before_s(ca) ? from_s : cert_not_before_s(ca),
                           until_s < cert_not_after_s(ca) ? until_s : cert_not_after_s(ca) };
}

/* What the attribute said: with the form `challenge`, the username stands in front. */
static enum status make_challenge(const struct ipc_enrol *enrol, struct buf *out)
{
    if (span_equal(enrol->username_kind, SPAN_LITERAL("challenge"))) {
        TRY(buf_append(out, enrol->username));
        TRY(buf_append_text(out, ":"));
    }
    return buf_append(out, enrol->password);
}

/* The answer to a key that cannot decrypt needs the password, and a hash cannot encrypt: it is kept until the answer
 * has been fetched. */
static enum status seal_password(const struct desk *desk, const struct request *request, int64_t id, struct buf *out)
{
    AUTO(buf_clear) struct buf challenge = { 0 };
    const bool is_rsa = request->applicant.proof ? request->applicant.proof_is_rsa
                                                 : public_key_get_spec(csr_get_key(request->csr)).kind == KEY_RSA;

    TRY(store_approval_wipe_expired(desk->store, desk->now_s));
    if (is_rsa || !request->enrol->password.len)
        return OK;
    TRY(make_challenge(request->enrol, &challenge));
    return seal_make(&desk->rules->key, id, buf_span(&challenge), out);
}

/* The row is written: now it waits, in place of whatever waited for the same device. */
static enum status record_pending(const struct desk *desk, const struct request *request, int64_t id)
{
    const uint8_t *signer = request->applicant.proof ? request->applicant.proof_key_hash : request->key_hash;
    AUTO(buf_clear) struct buf sealed = { 0 };

    TRY(seal_password(desk, request, id, &sealed));
    const struct store_approval approval = {
        .enrolment = id,
        .transaction_hash = span_of(request->transaction_hash, sizeof request->transaction_hash),
        .signer_hash = span_of(signer, SHA256_BYTES),
        .expires_s = desk->now_s + desk->rules->config->pending_lifetime_s,
        .sealed = buf_span(&sealed),
        .by_password = request->applicant.by == AUTHENTICATOR_PASSWORD,
    };

    desk->verdict->kind = VERDICT_PENDING;
    desk->verdict->recorded = true;
    return store_approval_add(desk->store, &approval);
}

static bool needs_approval(const struct request *request)
{
    return request->path->needs_approval || request->template->needs_approval;
}

static enum status record_intent(const struct desk *desk, struct request *request)
{
    const struct store_device *device = &request->applicant.device;
    const struct config *config = desk->rules->config;
    uint8_t serial[CERT_SERIAL_MAX_BYTES];

    TRY(cert_serial_generate(serial));
    const struct dates dates = decide_dates(request->authority->cert, request->template, desk->now_s);
    struct store_enrolment row = {
        .state = needs_approval(request) ? ENROLMENT_PENDING : ENROLMENT_OPEN,
        .device = device->id,
        .authority = request->authority->row,
        .proof = request->applicant.proof,
        .serial = span_of(serial, sizeof serial),
        .key_hash = span_of(request->key_hash, sizeof request->key_hash),
        .transaction_hash = span_of(request->transaction_hash, sizeof request->transaction_hash),
        .subject = buf_span(&request->subject),
        .san = buf_span(&request->san),
        .spki = csr_get_spki(request->csr),
        .template = span_of_text(request->template->name),
        .path = span_of_text(request->path->name),
        .transaction = span_of_text(request->transaction),
        .address = span_of_text(request->address),
        .device_name = span_of_text(device->name),
        .username = span_of_text(device->username),
        .authority_name = span_of_text(config->authorities[request->path->authority].name),
        .asked_s = desk->now_s,
        .not_before_s = dates.not_before_s,
        .not_after_s = dates.not_after_s,
    };
    if (row.state == ENROLMENT_PENDING)
        TRY(store_approval_replace(desk->store, device->id, desk->now_s, SPAN_LITERAL(PENDING_REPLACED),
                                   &desk->verdict->replaced));
    TRY(store_enrolment_add(desk->store, &row, &row.id));
    if (request->applicant.by == AUTHENTICATOR_PASSWORD)
        TRY(store_credential_reserve(desk->store, device->id, row.id));
    desk->verdict->enrolment = row.id;
    if (row.state == ENROLMENT_PENDING)
        return record_pending(desk, request, row.id);
    desk->verdict->kind = VERDICT_ISSUE;
    return intent_new(&row, &desk->verdict->intent);
}

static enum status weigh(const struct desk *desk, struct request *request)
{
    struct applicant *applicant = &request->applicant;
    bool done = false;

    TRY(find_path(desk, request));
    const struct question question = { desk->store, desk->rules, request->path, request->enrol, desk->now_s };
    TRY(authenticate(&question, applicant, desk->verdict));
    TRY(read_request(desk, request));
    TRY(look_for_key(desk, request, &done));
    if (done)
        return OK;
    TRY(authorise(desk, request));
    return record_intent(desk, request);
}

enum status decide(struct store *store, const struct rules *rules, const struct ipc_enrol *enrol, int64_t now_s,
                   struct verdict *out)
{
    const struct desk desk = { .store = store, .rules = rules, .now_s = now_s, .verdict = out };
    AUTO(request_clear) struct request request = { .enrol = enrol };

    const enum status status = weigh(&desk, &request);
    snprintf(out->device, sizeof out->device, "%s", request.applicant.device.name);
    if (status == OK || (status != FAULT && out->status == status))
        return OK;
    return fail_in(FAULT, "deciding a request of device \"%s\"", out->device); /* no refusal of ours */
}
