/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/enrol.h"

#include "agent/attempt.h"
#include "agent/credential.h"
#include "agent/method.h"
#include "agent/pause.h"
#include "agent/random.h"
#include "agent/report.h"
#include "agent/request.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"


struct enrolment {
    const struct enrol_options *options;
    struct profile profile;
    uint8_t pin[SHA256_BYTES];
    struct vault *vault;
    const struct method *method;
    struct method_session *session;
    struct trust trust;
    struct attempt attempt;
    struct buf csr;
    const struct cert *cert;      /* ours; lent from trust.offered */
    struct trust_row chain;
    struct credential credential; /* what became of it, as read back from the disk */
    bool done;                    /* the steps that are left need not be taken */
};

static void enrolment_clear(struct enrolment *e)
{
    if (e->session)
        e->method->close(e->session);
    profile_clear(&e->profile);
    vault_free(e->vault);
    trust_clear(&e->trust);
    attempt_clear(&e->attempt);
    buf_clear(&e->csr);
    credential_clear(&e->credential);
}

static struct span pin_of(const struct enrolment *e)
{
    return span_of(e->pin, sizeof e->pin);
}

/* --- What we are told, and what we have ------------------------------------------------------------ */

static enum status load_profile(struct enrolment *e)
{
    AUTO(buf_clear) struct buf pin = { 0 };

    TRY(profile_load(e->options->profile, &e->profile));
    TRY(hex_decode(span_of_text(e->profile.ca_fingerprint), &pin));
    if (pin.len != sizeof e->pin)
        return fail(BAD_INPUT, "%s: CAFingerprint is not SHA-256", e->options->profile);
    memcpy(e->pin, pin.ptr, sizeof e->pin);
    e->method = method_find(e->profile.protocol);
    if (!e->method)
        return fail(BAD_INPUT, "%s: Protocol %s is not known here", e->options->profile, e->profile.protocol);
    return OK;
}

static enum status open_store(struct enrolment *e)
{
    return vault_open(e->options->store, e->profile.name, &e->vault);
}

/* A power cut between the switch and the end of the attempt leaves both: then all is done already. */
static enum status finish_installed(struct enrolment *e)
{
    AUTO(credential_clear) struct credential current = { 0 };
    unsigned generation = 0;

    TRY(vault_current(e->vault, &generation));
    if (!generation || credential_load(e->vault, generation, &current) != OK)
        return OK;
    if (!span_equal(public_key_get_spki(private_key_get_public(current.key)),
                    public_key_get_spki(private_key_get_public(e->attempt.key))))
        return OK;
    TRY(attempt_finish(e->vault));
    e->credential = current;
    current = (struct credential){ 0 };
    e->done = true;
    return OK;
}

static enum status recall_attempt(struct enrolment *e)
{
    TRY(attempt_set_orders(&e->attempt, &e->profile));
    TRY(attempt_load(&e->attempt, e->vault));
    return e->attempt.key ? finish_installed(e) : OK;
}

/* --- Whom to trust ----------------------------------------------------------------------------------- */

static enum status ask_capabilities(struct enrolment *e)
{
    TRY(e->method->open(&e->profile, &e->session));
    return e->method->capabilities(e->session);
}

/* A server may leave its root out of the chain, and hand it out on its own. */
static enum status fetch_root(struct enrolment *e)
{
    AUTO(cert_list_clear) struct cert_list list = { 0 };

    if (e->method->fetch_ca(e->session, "root", &list) == OK)
        TRY(trust_offer(&e->trust, &list));
    else
        log_write(LOG_INFO, "no root certificate by itself: %s", fail_text());
    return trust_find_anchor(&e->trust, pin_of(e));
}

static enum status fetch_ca(struct enrolment *e)
{
    AUTO(cert_list_clear) struct cert_list list = { 0 };

    TRY(e->method->fetch_ca(e->session, NULL, &list));
    TRY(trust_offer(&e->trust, &list));
    if (trust_find_anchor(&e->trust, pin_of(e)) != OK && fetch_root(e) != OK)
        return fail_in(BAD_PROOF, "nothing was stored and no password was sent");
    if (trust_build(&e->trust, clock_now_s()) != OK)
        return fail_in(BAD_PROOF, "nothing was stored and no password was sent");
    return OK;
}

/* --- Key and request --------------------------------------------------------------------------------- */

static enum status make_key(struct enrolment *e)
{
    if (e->attempt.key)
        return OK;
    return private_key_generate(request_key_spec(&e->profile), &e->attempt.key);
}

static enum status make_request(struct enrolment *e)
{
    if (request_key_spec(&e->profile).kind != KEY_RSA && !*e->profile.password)
        return fail(BAD_INPUT, "the profile asks for an EC key and has no ChallengePassword, which is needed to open the "
                    "server's reply (RFC 8894 s3.1); nothing was sent");
    TRY(request_build(&e->profile, e->attempt.key, &e->csr));
    explicit_bzero(e->profile.password, sizeof e->profile.password);
    return OK;
}

/* Before anything is sent: a transaction that was lost in a power cut would cost a second password. */
static enum status save_attempt(struct enrolment *e)
{
    if (*e->attempt.transaction)
        return OK;
    TRY(attempt_begin(&e->attempt));
    return attempt_save(&e->attempt, e->vault);
}

/* A proved refusal ends the transaction; its key was never certified and serves the next one. */
static enum status drop_transaction(struct enrolment *e)
{
    char reason[900];

    (void)!span_to_text(span_of(fail_text(), strnlen(fail_text(), sizeof reason - 1)), reason, sizeof reason);
    e->attempt.transaction[0] = 0;
    e->attempt.pending = false;
    if (attempt_save(&e->attempt, e->vault) != OK)
        log_write(LOG_WARNING, "%s", fail_text());
    return fail(REFUSED, "%s", reason);
}

typedef enum status ask_server(struct method_session *session, const struct method_request *request,
                               struct cert_list *certs);

static enum status ask_once(struct enrolment *e, ask_server *ask)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };
    const struct method_request request = {
        .transaction = span_of_text(e->attempt.transaction),
        .csr = buf_span(&e->csr),
        .key = e->attempt.key,
        .trust = &e->trust,
        .now_s = clock_now_s(),
    };

    TRY(ask(e->session, &request, &certs));
    return trust_offer(&e->trust, &certs);
}

/* A key that cannot decrypt gets its certificate under the password (RFC 8894 s3.1). */
static bool reply_needs_password(const struct enrolment *e)
{
    return request_key_spec(&e->profile).kind != KEY_RSA;
}

/* A server keeps the password for one answer to a poll; if that may be the one that was lost, the request itself is
 * sent again, which has it with it and is answered the same. */
static ask_server *ask_after_loss(const struct enrolment *e)
{
    return reply_needs_password(e) ? e->method->request : e->method->poll;
}

/* A poll may be refused where the request itself is not: before the transaction is given up, and with it the
 * certificate that may have been issued in it, that is tried. */
static enum status exchange(struct enrolment *e, ask_server *ask)
{
    enum status status = ask_once(e, ask);

    if (status == REFUSED && ask == e->method->poll && reply_needs_password(e)) {
        log_write(LOG_INFO, "%s; sending the request itself again", fail_text());
        status = ask_once(e, e->method->request);
    }
    return status == REFUSED ? drop_transaction(e) : status;
}

/* --- Until somebody has decided ------------------------------------------------------------------------ */

/* A run that comes after this one asks what became of it, instead of asking for it. */
static enum status keep_pending(struct enrolment *e)
{
    /* The password has been sent: it need not lie in memory for as long as it takes, but where it opens the reply.
     * It is wiped in the profile already, so the request that is made anew lacks it. */
    if (!reply_needs_password(e)) {
        buf_clear(&e->csr);
        TRY(request_build(&e->profile, e->attempt.key, &e->csr));
    }
    if (e->attempt.pending)
        return OK;
    e->attempt.pending = true;
    return attempt_save(&e->attempt, e->vault);
}

/* Up to a tenth more than the interval, so that a fleet does not ask as one; never beyond the deadline. */
static enum status wait_to_poll(const struct enrolment *e, int64_t left_ms, int64_t *waited_ms)
{
    const int64_t interval_ms = (int64_t)e->profile.poll_interval_s * 1000;
    uint32_t jitter_ms = 0;

    TRY(random_number((uint32_t)(interval_ms / 10), &jitter_ms));
    *waited_ms = interval_ms + jitter_ms < left_ms ? interval_ms + jitter_ms : left_ms;
    log_write(LOG_INFO, "the request waits for approval; asking again in %lld ms", (long long)*waited_ms);
    pause_ms((unsigned)*waited_ms);
    return OK;
}

static enum status give_up(const struct enrolment *e)
{
    return fail(PENDING, "the request still waits for the operator's approval (transaction %s), after %u s of asking; "
                "run the same command again to go on asking: it needs no new password", e->attempt.transaction,
                e->profile.poll_deadline_s);
}

/* A server that is away for a while is no reason to stop. */
static enum status poll_until_decided(struct enrolment *e)
{
    int64_t left_ms = (int64_t)e->profile.poll_deadline_s * 1000;
    enum status status = PENDING;

    TRY(keep_pending(e));
    while (left_ms > 0 && (status == PENDING || status == FAULT)) {
        const int64_t begin_ms = clock_monotonic_ms();
        int64_t waited_ms = 0;
        TRY(wait_to_poll(e, left_ms, &waited_ms));
        status = exchange(e, status == FAULT ? ask_after_loss(e) : e->method->poll);
        if (status == FAULT)
            log_write(LOG_WARNING, "%s", fail_text());
        const int64_t passed_ms = clock_monotonic_ms() - begin_ms;
        left_ms -= passed_ms > waited_ms ? passed_ms : waited_ms;
    }
    return status == PENDING ? give_up(e) : status;
}

static enum status send_request(struct enrolment *e)
{
    enum status status = exchange(e, e->attempt.pending ? ask_after_loss(e) : e->method->request);

    if (status == PENDING)
        status = poll_until_decided(e);
    buf_clear(&e->csr);
    return status;
}

/* --- The certificate ---------------------------------------------------------------------------------- */

static enum status find_certificate(struct enrolment *e)
{
    const struct span spki = public_key_get_spki(private_key_get_public(e->attempt.key));

    for (size_t i = 0; i < e->trust.offered.count; i++)
        if (span_equal(cert_get_spki(e->trust.offered.items[i]), spki))
            e->cert = e->trust.offered.items[i];
    return e->cert ? OK : fail(BAD_PROOF, "the server says success, but sent no certificate for our key");
}

static enum status check_certificate(struct enrolment *e)
{
    const int64_t now_s = clock_now_s();

    TRY(find_certificate(e));
    TRY(request_check_certificate(&e->profile, e->attempt.key, e->cert));
    trust_extend(&e->trust, now_s);
    TRY(trust_find_chain(&e->trust, e->cert, now_s, &e->chain));
    const struct cert_list chain = trust_list(&e->chain);
    return chain_verify(e->cert, &chain, e->trust.anchor, now_s);
}

static enum status stage(struct enrolment *e)
{
    struct credential_parts parts = {
        .key = e->attempt.key,
        .cert = (struct cert *)e->cert,
        .chain = &e->chain,
        .anchor = e->trust.anchor,
    };
    unsigned generation = 0;

    TRY(credential_plan_renewal(e->cert, &e->profile, &parts.renew_at_s));
    TRY(credential_stage(&parts, &e->profile, e->vault, &generation));
    return credential_load(e->vault, generation, &e->credential);
}

static enum status switch_over(struct enrolment *e)
{
    TRY(credential_verify(&e->credential, pin_of(e), clock_now_s()));
    TRY(vault_switch(e->vault, e->credential.generation));
    return attempt_finish(e->vault);
}

static const struct step {
    const char *name;
    enum status (*run)(struct enrolment *e);
} steps[] = {
    { "load the profile", load_profile },
    { "open the store", open_store },
    { "look for an unfinished enrolment", recall_attempt },
    { "ask for capabilities", ask_capabilities },
    { "fetch and prove the CA", fetch_ca },
    { "make the key", make_key },
    { "make the request", make_request },
    { "keep key and transaction", save_attempt },
    { "send the request", send_request },
    { "check the certificate", check_certificate },
    { "write the new generation", stage },
    { "switch to it", switch_over },
};

static enum status print(const struct vault *vault, const struct credential *credential, const char *name,
                         bool json)
{
    AUTO(buf_clear) struct buf folder = { 0 };

    TRY(buf_append_format(&folder, "%s/current", vault_get_path(vault)));
    const char *text = buf_text(&folder);
    return text ? report_print(credential, name, text, json, stdout) : fail(FAULT, "no memory");
}

enum status enrol_run(const struct enrol_options *options)
{
    AUTO(enrolment_clear) struct enrolment e = { .options = options };

    for (size_t i = 0; i < COUNT_OF(steps) && !e.done; i++) {
        const int64_t start_ms = clock_monotonic_ms();
        TRY(steps[i].run(&e));
        log_write(LOG_INFO, "%s: done in %lld ms", steps[i].name, (long long)(clock_monotonic_ms() - start_ms));
    }
    return print(e.vault, &e.credential, e.profile.name, options->json);
}

enum status enrol_show(const char *store, const char *name, bool json)
{
    AUTO(vault_freep) struct vault *vault = NULL;
    AUTO(credential_clear) struct credential credential = { 0 };
    unsigned generation = 0;

    TRY(vault_open_to_read(store, name, &vault));
    TRY(vault_current(vault, &generation));
    if (!generation)
        return fail(FAULT, "%s holds no certificate yet; get one with: muster-agent enrol --profile FILE",
                    vault_get_path(vault));
    TRY(credential_load(vault, generation, &credential));
    return print(vault, &credential, name, json);
}
