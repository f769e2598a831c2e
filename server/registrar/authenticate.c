/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/authenticate.h"

#include "lib/base/clock.h"
#include "lib/scep/scep.h"

void applicant_clear(struct applicant *applicant)
{
    buf_clear(&applicant->proof_subject);
    buf_clear(&applicant->proof_san);
    explicit_bzero(&applicant->device.credential, sizeof applicant->device.credential);
}

/* Bytes from outside, fit to stand in a reason. */
static int shown(struct span bytes)
{
    return (int)(bytes.len < 80 ? bytes.len : 80);
}

/* --- How often ---------------------------------------------------------------------- */

#define PLACE_EVENTS 0

static bool is_event(struct rates *rates, struct span username, int64_t now_us)
{
    return rates_take_for_name(rates, RATE_NAME_EVENTS, username, RATE_EVENTS_OF_ONE_PER_MINUTE, now_us) == 0 &&
           rates_take_at(rates, PLACE_EVENTS, RATE_EVENTS_PER_MINUTE, now_us) == 0;
}

/* Who only says that he is somebody does not spend what that one has who proves it by his certificate.  Names
 * that nobody has are counted like the others, or the answer would tell which exist. */
static enum status check_rate(const struct question *question, enum rate_kind kind, struct span username,
                              struct verdict *verdict)
{
    struct rates *rates = question->rules->user_rates;
    const unsigned per_minute = question->path->user_rate_per_minute;
    const int64_t now_us = clock_monotonic_us();

    if (!rates || !per_minute || !username.len)
        return OK;
    const int64_t wait_us = rates_take_for_name(rates, kind, username, per_minute, now_us);
    if (!wait_us)
        return OK;
    verdict->retry_after_s = rates_wait_s(wait_us);
    verdict->unrecorded = !is_event(rates, username, now_us);
    return refuse(verdict, REFUSED, "too many requests of this user",
                  "too many requests of the user \"%.*s\" (answered HTTP 429)", shown(username),
                  (const char *)username.ptr);
}

/* --- By password ----------------------------------------------------------------- */

static enum status refuse_wrong(const struct question *question, const struct store_device *device,
                                struct verdict *verdict)
{
    const int64_t tries = device->credential.wrong_tries + 1;

    TRY(store_credential_count_wrong(question->store, device->id));
    return refuse(verdict, REFUSED, TEXT_NOT_ACCEPTED, "wrong password, try %lld%s", (long long)tries,
                  tries == question->rules->config->password_tries ? ": the user is locked now" : "");
}

/* A locked user's password is not tried, so that guessing at one that a person chose cannot keep us busy
 * with scrypt. */
static enum status check_unlocked(const struct rules *rules, const struct store_credential *credential,
                                  struct verdict *verdict)
{
    if (credential->wrong_tries < rules->config->password_tries)
        return OK;
    return refuse(verdict, REFUSED, TEXT_NOT_ACCEPTED, "the user is locked after %lld wrong passwords",
                  (long long)credential->wrong_tries);
}

/* Every way leads to the same answer, and a generated password through the same hash.  (scrypt takes its
 * time: that a user's password was chosen can be measured.  SECURITY.md says so.) */
static enum status by_password(const struct question *question, struct applicant *out, struct verdict *verdict)
{
    const struct rules *rules = question->rules;
    const struct ipc_enrol *enrol = question->enrol;
    const struct store_credential *credential = &out->device.credential;
    bool right = false;

    TRY(store_device_find_username(question->store, enrol->username, &out->device));
    TRY(check_rate(question, RATE_CLAIMS, enrol->username, verdict));
    TRY(check_unlocked(rules, credential, verdict));
    TRY(credential_check(&rules->key, credential, enrol->username, enrol->password, &right));
    if (!out->device.id)
        return refuse(verdict, REFUSED, TEXT_NOT_ACCEPTED, "unknown user \"%.*s\"", shown(enrol->username),
                      (const char *)enrol->username.ptr);
    if (credential->kind == 0)
        return refuse(verdict, REFUSED, TEXT_NOT_ACCEPTED, "the user has no password");
    return right ? OK : refuse_wrong(question, &out->device, verdict);
}

/* --- By the secret of the path --------------------------------------------------------- */

static enum status is_secret(const struct question *question, bool *right)
{
    const struct rules *rules = question->rules;
    const struct config_path *path = question->path;
    const struct span kept = span_of(rules->secrets[path - rules->config->paths], STORE_VERIFIER_BYTES);
    uint8_t shown_hash[STORE_VERIFIER_BYTES];

    *right = false;
    if (!path->secret_file[0])
        return OK;
    TRY(credential_hash_secret(&rules->key, path->name, question->enrol->password, shown_hash));
    *right = span_equal_secret(kept, span_of(shown_hash, sizeof shown_hash));
    return OK;
}

/* It is not the user's: a wrong one is not counted against him. */
static enum status by_secret(const struct question *question, struct applicant *out, struct verdict *verdict)
{
    const struct span username = question->enrol->username;
    bool right = false;

    TRY(store_device_find_username(question->store, username, &out->device));
    TRY(check_rate(question, RATE_CLAIMS, username, verdict));
    TRY(is_secret(question, &right));
    if (!right)
        return refuse(verdict, REFUSED, TEXT_NOT_ACCEPTED, "not the secret of the path");
    if (!out->device.id || out->device.state != DEVICE_ACTIVE)
        return refuse(verdict, REFUSED, TEXT_NOT_ACCEPTED, "the secret of the path with the %s user \"%.*s\"",
                      out->device.id ? "removed" : "unknown", shown(username), (const char *)username.ptr);
    return check_unlocked(question->rules, &out->device.credential, verdict);
}

/* --- By a certificate of ours ------------------------------------------------------ */

/* What the ledger knows of the certificate. */
struct known {
    struct span der; /* in: lent, what was shown */
    bool found;
    bool same; /* to the last byte */
    int64_t id, device, asked_s, not_before_s, not_after_s, revoked_s;
};

static enum status note_known(void *context, const struct store_certificate *row)
{
    struct known *known = context;

    known->found = true;
    known->same = span_equal(known->der, row->der);
    known->id = row->id;
    known->device = row->device;
    known->asked_s = row->asked_s;
    known->not_before_s = row->not_before_s;
    known->not_after_s = row->not_after_s;
    known->revoked_s = row->revoked_s;
    return OK;
}

static enum status check_known(const struct known *known, int64_t now_s, struct verdict *verdict)
{
    char when[CLOCK_TEXT_BYTES];

    if (!known->found || !known->same)
        return refuse(verdict, REFUSED, "the certificate that signed the request is not known here",
                      "the certificate that signed the request is %s",
                      known->found ? "another one than we issued under its serial number" : "not in the ledger");
    if (known->revoked_s) {
        clock_format_utc(known->revoked_s, when);
        return refuse_openly(verdict, REFUSED, "the certificate that signed the request was revoked on %s", when);
    }
    if (now_s > known->not_after_s) {
        clock_format_utc(known->not_after_s, when);
        return refuse_openly(verdict, REFUSED, "the certificate that signed the request expired on %s", when);
    }
    if (now_s < known->not_before_s) {
        clock_format_utc(known->not_before_s, when);
        return refuse_openly(verdict, REFUSED, "the certificate that signed the request is valid from %s on", when);
    }
    return OK;
}

/* A password beside the certificate is not needed, but it must not be wrong. */
static enum status check_second(const struct question *question, const struct store_device *device,
                                struct verdict *verdict)
{
    const struct rules *rules = question->rules;
    const struct ipc_enrol *enrol = question->enrol;
    const struct span username = span_of_text(device->username);
    bool right = false;

    if (enrol->password.len == 0)
        return OK;
    TRY(is_secret(question, &right));
    if (right && (!enrol->username.len || span_equal(enrol->username, username)))
        return OK;
    if (enrol->username.len && !span_equal(enrol->username, username))
        return refuse(verdict, REFUSED, TEXT_NOT_ACCEPTED, "a certificate of device %s with the username \"%.*s\"",
                      device->name, shown(enrol->username), (const char *)enrol->username.ptr);
    TRY(check_unlocked(rules, &device->credential, verdict));
    TRY(credential_check(&rules->key, &device->credential, username, enrol->password, &right));
    return right ? OK : refuse_wrong(question, device, verdict);
}

enum status authenticate_by_certificate(const struct question *question, struct applicant *out,
                                        struct verdict *verdict)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    struct store *store = question->store;
    struct known known = { .der = question->enrol->proof };

    const enum status parsed = cert_parse(question->enrol->proof, &cert);
    if (parsed != OK)
        return refuse_openly(verdict, parsed, "the certificate that signed the request: %s", fail_text());
    TRY(store_certificate_find_serial(store, cert_get_serial(cert), note_known, &known));
    TRY(check_known(&known, question->now_s, verdict));
    TRY(store_device_find(store, known.device, &out->device));
    if (!out->device.id || out->device.state != DEVICE_ACTIVE)
        return refuse(verdict, REFUSED, "the device may not enrol",
                      "the certificate that signed the request belongs to %s", out->device.id ? "a removed device" : "no device");
    /* A name that was removed and added again is another device: what was issued before is not its. */
    if (known.asked_s < out->device.added_s)
        return refuse(verdict, REFUSED, "the device may not enrol",
                      "the certificate that signed the request belongs to an earlier device of the name %s",
                      out->device.name);
    TRY(check_rate(question, RATE_PROOFS, span_of_text(out->device.username), verdict));
    out->proof = known.id;
    sha256(cert_get_spki(cert), out->proof_key_hash);
    struct public_key *key = NULL;
    const enum status decoded = cert_get_key(cert, &key);
    if (decoded != OK)
        return decoded == FAULT ? FAULT : refuse_openly(verdict, decoded, "the key that signed the request: %s", fail_text());
    out->proof_is_rsa = public_key_get_spec(key).kind == KEY_RSA;
    out->proof_not_before_s = known.not_before_s;
    out->proof_not_after_s = known.not_after_s;
    TRY(buf_set(&out->proof_subject, cert_get_subject(cert)));
    TRY(buf_set(&out->proof_san, cert_get_subject_alt_name(cert)));
    return check_second(question, &out->device, verdict);
}

/* --- The table ----------------------------------------------------------------------- */

static enum status is_signed_by_itself(const struct question *question, bool *serves)
{
    /* RFC 8894 s3.3.1.2: a RenewalReq is signed with the existing certificate. */
    *serves = question->enrol->proof.len == 0 && question->enrol->message_type != SCEP_RENEWAL_REQ;
    return OK;
}

static enum status is_signed_by_ours(const struct question *question, bool *serves)
{
    *serves = question->enrol->proof.len != 0;
    return OK;
}

/* Where passwords serve too, what is not the secret may be one. */
static enum status shows_secret(const struct question *question, bool *serves)
{
    const struct config_path *path = question->path;

    TRY(is_signed_by_itself(question, serves));
    for (size_t i = 0; *serves && i < path->authenticators_count; i++)
        if (path->authenticators[i] == AUTHENTICATOR_PASSWORD)
            return is_secret(question, serves);
    return OK;
}

/* Which requests an authenticator is for, and how it judges them.  What one has refused is never offered to
 * another. */
static const struct {
    enum status (*is_for)(const struct question *question, bool *serves);
    enum status (*judge)(const struct question *question, struct applicant *out, struct verdict *verdict);
} authenticators[AUTHENTICATOR_COUNT] = {
    [AUTHENTICATOR_PASSWORD] = { is_signed_by_itself, by_password },
    [AUTHENTICATOR_CERTIFICATE] = { is_signed_by_ours, authenticate_by_certificate },
    [AUTHENTICATOR_SECRET] = { shows_secret, by_secret },
};

enum status authenticate(const struct question *question, struct applicant *out, struct verdict *verdict)
{
    const struct config_path *path = question->path;

    for (size_t i = 0; i < path->authenticators_count; i++) {
        const enum authenticator which = path->authenticators[i];
        bool serves = false;
        TRY(authenticators[which].is_for(question, &serves));
        out->by = which;
        if (serves)
            return authenticators[which].judge(question, out, verdict);
    }
    if (question->enrol->message_type == SCEP_RENEWAL_REQ && !question->enrol->proof.len)
        return refuse_openly(verdict, REFUSED, "renewal must be signed with the certificate to be renewed");
    return refuse_openly(verdict, REFUSED, "this path does not take requests that are signed %s",
                         question->enrol->proof.len ? "with a certificate of this CA" : "with the request's own key");
}
