/* SPDX-License-Identifier: Apache-2.0
 *
 * SCEP as an enrolment method (RFC 8894).  The floor is AES-256, SHA-256 and POST, whatever GetCACaps
 * says or fails to say: that answer is not authenticated (s7.5).
 */
#include "agent/method.h"

#include "agent/pause.h"
#include "agent/random.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/http/http.h"
#include "lib/scep/scep.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_S 30
#define BODY_MAX_BYTES ((size_t)262144)
#define TRIES 4
#define FIRST_WAIT_MS 1000
#define WAIT_MOST_S 60 /* whatever the server says */
#define DAY_S 86400

struct method_session {
    struct http_client *http;
    const struct profile *profile;
    unsigned capabilities;
};

static void scep_close(struct method_session *session)
{
    if (!session)
        return;
    http_client_free(session->http);
    free(session);
}
AUTO_FREE(scep_close, struct method_session)

/* SCEP proves its messages itself; TLS shows nobody else who enrols, and the server before it is asked. */
static enum status trust_server(struct method_session *session)
{
    const struct profile *profile = session->profile;
    AUTO(buf_clear) struct buf pin = { 0 };

    if (strcmp(profile->tls_anchor, "system") == 0)
        return OK;
    if (strcmp(profile->tls_anchor, "ca") != 0)
        return http_client_trust_file(session->http, profile->tls_anchor);
    TRY(hex_decode(span_of_text(profile->ca_fingerprint), &pin));
    return http_client_trust_pin(session->http, buf_span(&pin));
}

static enum status scep_open(const struct profile *profile, struct method_session **out)
{
    AUTO(scep_closep) struct method_session *session = calloc(1, sizeof *session);

    if (!session)
        return fail(FAULT, "no memory");
    session->profile = profile;
    TRY(http_client_new(TIMEOUT_S, BODY_MAX_BYTES, &session->http));
    TRY(trust_server(session));
    *out = take(session);
    return OK;
}

/* --- HTTP ------------------------------------------------------------------------------------------ */

static enum status make_url(const struct method_session *session, const char *operation, const char *message,
                            struct buf *out)
{
    const char *base = session->profile->server_url;

    TRY(buf_append_format(out, "%s%coperation=%s", base, strchr(base, '?') ? '&' : '?', operation));
    if (!*message)
        return OK;
    TRY(buf_append_text(out, "&message="));
    return http_query_encode(span_of_text(message), out);
}

/* Doubled each time and no sooner than the server says; with jitter, so that a fleet does not come back as one. */
static enum status wait_before(unsigned attempt, unsigned retry_after_s)
{
    const unsigned asked_ms = 1000 * (retry_after_s < WAIT_MOST_S ? retry_after_s : WAIT_MOST_S);
    const unsigned doubled_ms = FIRST_WAIT_MS << attempt;
    uint32_t jitter_ms = 0;

    TRY(random_number(FIRST_WAIT_MS / 2, &jitter_ms));
    const unsigned wait_ms = (asked_ms > doubled_ms ? asked_ms : doubled_ms) + jitter_ms;
    log_write(LOG_INFO, "the server is busy; trying again in %u ms", wait_ms);
    pause_ms(wait_ms);
    return OK;
}

/* What a server without SCEP words says, for the person who reads it: one printable line. */
static void first_line(struct span body, char *text, size_t size)
{
    size_t n = 0;

    while (n < body.len && n + 1 < size && body.ptr[n] >= 0x20 && body.ptr[n] <= 0x7e) {
        text[n] = (char)body.ptr[n];
        n++;
    }
    text[n] = 0;
}

static enum status explain(const struct method_session *session, const struct http_answer *answer)
{
    char line[160];

    first_line(buf_span(&answer->body), line, sizeof line);
    if (answer->status == 503 || answer->status == 429)
        return fail(FAULT, "%s: the server is busy (HTTP %d); run the same command again later",
                    session->profile->server_url, answer->status);
    return fail(FAULT, "%s: HTTP %d%s%s; is this the right ServerURL?", session->profile->server_url,
                answer->status, *line ? ": " : "", line);
}

static enum status ask(struct method_session *session, const char *url, struct span body,
                       struct http_answer *answer)
{
    const char *type = body.len ? "application/x-pki-message" : NULL;

    for (unsigned attempt = 0;; attempt++) {
        TRY(http_client_request(session->http, url, type, body, answer));
        const bool busy = answer->status == 503 || answer->status == 429;
        if (!busy || attempt + 1 == TRIES)
            break;
        TRY(wait_before(attempt, answer->retry_after_s));
    }
    return answer->status == 200 ? OK : explain(session, answer);
}

static enum status get(struct method_session *session, const char *operation, const char *message,
                       struct http_answer *answer)
{
    AUTO(buf_clear) struct buf url = { 0 };

    TRY(make_url(session, operation, message, &url));
    const char *text = buf_text(&url);
    if (!text)
        return fail(FAULT, "no memory");
    return ask(session, text, span_of(NULL, 0), answer);
}

/* --- Capabilities and certificates ------------------------------------------------------------------- */

static enum status scep_capabilities(struct method_session *session)
{
    static const unsigned floor = SCEP_CAP_AES | SCEP_CAP_SHA256 | SCEP_CAP_POST;
    AUTO(http_answer_clear) struct http_answer answer = { 0 };

    if (get(session, "GetCACaps", session->profile->ca_identifier, &answer) != OK) {
        log_write(LOG_INFO, "no capabilities (%s); going on with AES-256, SHA-256 and POST", fail_text());
        return OK;
    }
    session->capabilities = scep_capabilities_parse(buf_span(&answer.body));
    if ((session->capabilities & floor) != floor)
        log_write(LOG_INFO, "the server's capabilities lack AES, SHA-256 or POST; using them all the same");
    return OK;
}

static enum status parse_certificates(const struct http_answer *answer, struct cert_list *out)
{
    struct cert *cert = NULL;

    /* RFC 8894 s4.2.1: one certificate as it is, several as a certs-only SignedData. */
    if (strcmp(answer->content_type, "application/x-x509-ca-cert") != 0)
        return scep_certs_parse(buf_span(&answer->body), out);
    TRY(cert_parse(buf_span(&answer->body), &cert));
    return cert_list_append(out, cert);
}

static enum status scep_fetch_ca(struct method_session *session, const char *which, struct cert_list *out)
{
    AUTO(http_answer_clear) struct http_answer answer = { 0 };

    TRY(get(session, "GetCACert", which ? which : session->profile->ca_identifier, &answer));
    if (parse_certificates(&answer, out) != OK)
        return fail_in(BAD_INPUT, "%s: GetCACert answered with %.60s", session->profile->server_url,
                       *answer.content_type ? answer.content_type : "no content type");
    return OK;
}

/* --- Requests ------------------------------------------------------------------------------------------ */

/* RFC 8894 s2.3: self-signed by the key to be certified, with the CSR's subject.  A certificate must have
 * an issuer, so an empty subject is replaced: what counts is the key. */
static enum status make_signer(const struct method_request *request, const struct csr *csr, struct cert **out)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    uint8_t serial[CERT_SERIAL_MAX_BYTES];

    TRY(buf_set(&subject, csr_get_subject(csr)));
    if (name_is_empty(buf_span(&subject))) {
        subject.len = 0;
        TRY(name_parse_text("CN=muster-agent", &subject));
    }
    TRY(cert_serial_generate(serial));
    const struct cert_content content = {
        .serial = span_of(serial, sizeof serial),
        .subject = buf_span(&subject),
        .spki = csr_get_spki(csr),
        .not_before_s = request->now_s - DAY_S,
        .not_after_s = request->now_s + 30 * DAY_S,
        .key_usage = KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_ENCIPHERMENT,
        .path_length = PATH_LENGTH_NONE,
    };
    TRY(cert_issue(&content, NULL, request->key, &der));
    return cert_parse(buf_span(&der), out);
}

struct conversation {
    const struct method_request *request;
    const struct csr *csr;
    struct scep_identity signer;
    uint8_t nonce[SCEP_NONCE_BYTES];
};

/* Type 17 only where the server says that it knows it; a renewal by type 19 is understood by all. */
static enum scep_message_type request_type(const struct method_session *session, const struct method_request *request)
{
    return request->signer && session->capabilities & SCEP_CAP_RENEWAL ? SCEP_RENEWAL_REQ : SCEP_PKCS_REQ;
}

/* RFC 8894 s3.3.3: the issuer that the certificate will have, and the subject that was asked for. */
static enum status make_poll_id(const struct method_request *request, struct buf *out)
{
    AUTO(csr_freep) struct csr *csr = NULL;

    TRY(csr_parse(request->csr, &csr));
    const struct scep_poll_id id = { cert_get_subject(request->trust->issuing), csr_get_subject(csr) };
    return scep_poll_id_build(&id, out);
}

static enum status build(struct conversation *c, enum scep_message_type type, struct span data, struct buf *out)
{
    TRY(random_fill(c->nonce, sizeof c->nonce));
    const struct scep_request scep = {
        .type = type,
        .transaction = c->request->transaction,
        .sender_nonce = span_of(c->nonce, sizeof c->nonce),
        .data = data,
        .signer = c->signer,
        .recipient = c->request->trust->encryption,
        .cipher = SCEP_AES256_CBC,
        .digest = DIGEST_SHA256,
        .now_s = c->request->now_s,
    };
    return scep_request_build(&scep, out);
}

static enum status judge(const struct scep_answer *answer)
{
    const char *name = answer->fail_info < 0 ? "no failInfo"
                                             : scep_fail_info_name((enum scep_fail_info)answer->fail_info);

    switch (answer->status) {
    case SCEP_SUCCESS:
        return OK;
    case SCEP_PENDING:
        return fail(PENDING, "the server wants to decide later");
    case SCEP_FAILURE:
        return fail(REFUSED, "the server refuses: %s%s%s", name, *answer->fail_info_text ? ": " : "",
                    answer->fail_info_text);
    }
    return fail(BAD_INPUT, "RFC 8894 s3.2.1.3: pkiStatus %d", (int)answer->status);
}

static enum status open_reply(struct conversation *c, const struct http_answer *reply, struct cert_list *certs)
{
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };
    const struct cert_list signers = trust_list(&c->request->trust->signers);
    const struct scep_expectation expect = {
        .transaction = c->request->transaction,
        .sender_nonce = span_of(c->nonce, sizeof c->nonce),
        .ca_certs = &signers,
        .recipient = c->signer,
        .password = csr_get_challenge(c->csr),
    };
    const enum status status = scep_reply_open(buf_span(&reply->body), &expect, &answer);

    /* REFUSED is for a server that proved who it is; here it is our policy that says no. */
    if (status != OK)
        return fail_in(status == REFUSED ? BAD_PROOF : status, "the server's reply (%.60s) proves nothing",
                       *reply->content_type ? reply->content_type : "no content type");
    TRY(judge(&answer));
    for (size_t i = 0; i < answer.certs.count; i++)
        TRY(cert_list_append(certs, take(answer.certs.items[i])));
    return OK;
}

static enum status converse(struct method_session *session, const struct method_request *request,
                            enum scep_message_type type, struct span data, struct cert_list *certs)
{
    AUTO(csr_freep) struct csr *csr = NULL;
    AUTO(cert_freep) struct cert *self_signed = NULL;
    AUTO(buf_clear) struct buf message = { 0 };
    AUTO(buf_clear) struct buf url = { 0 };
    AUTO(http_answer_clear) struct http_answer reply = { 0 };
    struct conversation c = { .request = request, .signer = { request->signer, request->signer_key } };

    TRY(csr_parse(request->csr, &csr));
    c.csr = csr;
    if (!request->signer) {
        TRY(make_signer(request, csr, &self_signed));
        c.signer = (struct scep_identity){ self_signed, request->key };
    }
    TRY(build(&c, type, data, &message));
    TRY(make_url(session, "PKIOperation", "", &url));
    const char *text = buf_text(&url);
    if (!text)
        return fail(FAULT, "no memory");
    TRY(ask(session, text, buf_span(&message), &reply));
    return open_reply(&c, &reply, certs);
}

static enum status scep_request(struct method_session *session, const struct method_request *request,
                                struct cert_list *certs)
{
    return converse(session, request, request_type(session, request), request->csr, certs);
}

static enum status scep_poll(struct method_session *session, const struct method_request *request,
                             struct cert_list *certs)
{
    AUTO(buf_clear) struct buf id = { 0 };

    TRY(make_poll_id(request, &id));
    return converse(session, request, SCEP_CERT_POLL, buf_span(&id), certs);
}

const struct method method_scep = {
    .name = "SCEP",
    .open = scep_open,
    .close = scep_close,
    .capabilities = scep_capabilities,
    .fetch_ca = scep_fetch_ca,
    .request = scep_request,
    .poll = scep_poll,
};
