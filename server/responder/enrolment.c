/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/enrolment.h"

#include "lib/base/clock.h"
#include "lib/http/http.h"
#include "lib/scep/legacy.h"

#include <stdio.h>
#include <stdlib.h>

#define USERNAME_MAX_BYTES 256 /* of msg.def's enrol */
#define PASSWORD_MAX_BYTES 256

enum status enrolment_new(const struct endpoint *endpoint, struct http_exchange *exchange,
                          struct enrolment **out)
{
    struct enrolment *e = calloc(1, sizeof *e);

    if (!e)
        return fail(FAULT, "no memory for an enrolment");
    e->endpoint = endpoint;
    e->exchange = exchange;
    e->username_kind = "";
    *out = e;
    return OK;
}

void enrolment_free(struct enrolment *e)
{
    if (!e)
        return;
    csr_free(e->csr);
    buf_clear(&e->plain);
    scep_message_free(e->message);
    free(e);
}

enum status enrolment_read(struct enrolment *e, struct span der)
{
    return scep_message_parse(der, &e->message);
}

/* --- Refusing ----------------------------------------------------------- */

static enum status refuse(struct enrolment *e, enum status status, enum scep_fail_info info, const char *told)
{
    e->fail_info = info;
    snprintf(e->told, sizeof e->told, "%s", told);
    return status;
}

static enum status refuse_as_said(struct enrolment *e, enum status status)
{
    return refuse(e, status, status == BAD_PROOF ? SCEP_BAD_MESSAGE_CHECK : SCEP_BAD_REQUEST, fail_text());
}

/* --- The steps ---------------------------------------------------------- */

static enum status prove_message(struct enrolment *e)
{
    const enum status status = scep_message_prove(e->message, NULL, &e->endpoint->path->policy);

    if (status == OK)
        return OK;
    if (scep_message_algorithm_refused(e->message))
        return refuse(e, status, SCEP_BAD_ALG, fail_text());
    return refuse_as_said(e, status);
}

/* Bad key, bad padding, not a request, a request with a bad signature: the client hears one and the
 * same, for each difference would help to open somebody else's envelope piece by piece (RFC 3218). */
#define ENCRYPT_IT "; encrypt it to the RA certificate that GetCACert gives"

static enum status refuse_envelope(struct enrolment *e, const char *told)
{
    return refuse(e, BAD_PROOF, SCEP_BAD_MESSAGE_CHECK, told);
}

static enum status decrypt(struct enrolment *e, struct buf *plain)
{
    const struct scep_identity recipient = { e->endpoint->encryption_cert, e->endpoint->encryption_key };

    return scep_message_decrypt(e->message, &recipient, 1, plain);
}

static enum status open_request(struct enrolment *e)
{
    AUTO(buf_clear) struct buf plain = { 0 };
    struct cert *signer = scep_message_get_signer(e->message);
    struct public_key *known = NULL;

    if (signer && cert_get_key(signer, &known) != OK)
        known = NULL;
    enum status status = decrypt(e, &plain);
    if (status == BAD_INPUT)
        return refuse_as_said(e, status);
    if (status == OK)
        status = csr_parse_known(buf_span(&plain), known, &e->csr);
    if (status == OK || status == FAULT)
        return status;
    return status == REFUSED
               ? refuse_as_said(e, status)
               : refuse_envelope(e, "RFC 8894 s3.3.1: messageData does not open to a PKCS #10 request whose own "
                                    "signature holds" ENCRYPT_IT);
}

static bool is_signed_by_our_authority(const struct endpoint *endpoint, const struct cert *signer)
{
    const struct span above = cert_get_subject(endpoint->authority);
    const struct span issuer = cert_get_issuer(signer);

    /* Nearly every signer is self-signed: comparing names by the rules of RFC 5280 is for the others. */
    if (span_equal(issuer, cert_get_subject(signer)))
        return false;
    return (span_equal(issuer, above) || name_equal(issuer, above)) &&
           cert_verify_signature(signer, endpoint->authority_key) == OK;
}

static enum status check_embedded(struct enrolment *e)
{
    if (scep_message_get_signer(e->message))
        return OK;
    return refuse_as_said(e, fail(BAD_INPUT, "RFC 8894 s2.3: the signer's certificate is not in the message"));
}

/* Who signed the message (RFC 8894 s2.3)?  A certificate of ours is a proof, which the registrar
 * judges, dates included.  Any other only shows that the sender holds the request's key. */
static enum status check_signer(struct enrolment *e)
{
    const struct cert *signer = scep_message_get_signer(e->message);

    TRY(check_embedded(e));
    if (is_signed_by_our_authority(e->endpoint, signer)) {
        e->proof = cert_get_der(signer);
        return OK;
    }
    if (scep_message_get_header(e->message)->message_type == SCEP_RENEWAL_REQ)
        return refuse_as_said(e, fail(BAD_PROOF,
                                      "RFC 8894 s4.3: a RenewalReq has to be signed with a certificate "
                                      "that this CA has issued"));
    if (!span_equal(cert_get_spki(signer), csr_get_spki(e->csr)))
        return refuse_as_said(e, fail(BAD_PROOF,
                                      "RFC 8894 s2.3: the message is signed with another key than the "
                                      "request's, and not with a certificate that this CA has issued"));
    return OK;
}

/* --- Username and password ---------------------------------------------- */

static const enum general_name_kind name_kinds[] = {
    [USERNAME_DNS] = GENERAL_NAME_DNS,
    [USERNAME_EMAIL] = GENERAL_NAME_EMAIL,
    [USERNAME_URI] = GENERAL_NAME_URI,
};

static bool find_in_names(const struct general_name *names, size_t count, enum username_form form,
                          struct enrolment *e)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i].kind != name_kinds[form])
            continue;
        e->username = names[i].value;
        return true;
    }
    return false;
}

/* "user:password" */
static bool find_in_challenge(struct enrolment *e)
{
    const struct span challenge = e->password;
    const uint8_t *colon = challenge.len ? memchr(challenge.ptr, ':', challenge.len) : NULL;

    if (!colon || colon == challenge.ptr)
        return false;
    e->username = span_of(challenge.ptr, (size_t)(colon - challenge.ptr));
    e->password = span_of(colon + 1, challenge.len - e->username.len - 1);
    return true;
}

/* The first form of the path's list that the request fills; none is the registrar's to judge. */
static enum status find_username(struct enrolment *e)
{
    const struct config_path *path = e->endpoint->path;
    struct general_name names[GENERAL_NAMES_MAX];
    size_t count = 0;

    e->password = csr_get_challenge(e->csr);
    const struct span san = csr_get_subject_alt_name(e->csr);
    if (san.len && general_names_parse(san, names, COUNT_OF(names), &count) != OK)
        return refuse_as_said(e, BAD_INPUT);
    for (size_t i = 0; i < path->username_forms_count; i++) {
        const enum username_form form = path->username_forms[i];
        if (form == USERNAME_CHALLENGE ? !find_in_challenge(e) : !find_in_names(names, count, form, e))
            continue;
        e->username_kind = username_form_name(form);
        break;
    }
    if (e->username.len > USERNAME_MAX_BYTES || e->password.len > PASSWORD_MAX_BYTES)
        return refuse_as_said(
            e, fail(BAD_INPUT, "username or challengePassword of more than %d bytes", USERNAME_MAX_BYTES));
    return OK;
}

/* Before anything is issued or a password burned: a key that cannot decrypt gets its certificate under the
 * challengePassword (RFC 8894 s3.1), so there must be one, in a renewal too. */
static enum status check_deliverable(struct enrolment *e)
{
    if (!scep_message_needs_password(e->message) || e->password.len)
        return OK;
    return refuse_as_said(e, fail(REFUSED, "RFC 8894 s3.1: the reply to an EC key is encrypted with the "
                                           "challengePassword, and the request has none; put a one-time password "
                                           "into it, also to renew: the operator issues them"));
}

static enum status prove_request(struct enrolment *e)
{
    TRY(open_request(e));
    TRY(check_signer(e));
    TRY(find_username(e));
    return check_deliverable(e);
}

static void fill_request(const struct enrolment *e, struct ipc_message *out)
{
    const struct scep_header *header = scep_message_get_header(e->message);
    const struct http_request *request = http_exchange_get_request(e->exchange);

    *out = (struct ipc_message){
        .kind = IPC_KIND_enrol,
        .fd = -1,
        .enrol = {
            .exchange = e->number,
            .path = span_of_text(e->endpoint->path->name),
            .message_type = (uint32_t)header->message_type,
            .transaction = header->transaction,
            .csr = csr_get_der(e->csr),
            .username = e->username,
            .username_kind = span_of_text(e->username_kind),
            .password = e->password,
            .proof = e->proof,
            .address = span_of_text(request->address),
            .user_agent = span_of_text(request->user_agent),
            .legacy = scep_legacy_used(scep_message_get_header(e->message)),
        },
    };
}

/* --- GetCert (RFC 8894 s3.3.4) -------------------------------------------- */

/* For those only who hold a certificate of this authority; whether it is valid, the registrar knows. */
static enum status check_member(struct enrolment *e)
{
    const struct cert *signer = scep_message_get_signer(e->message);

    TRY(check_embedded(e));
    if (!is_signed_by_our_authority(e->endpoint, signer))
        return refuse_as_said(e, fail(REFUSED, "RFC 8894 s2.6: a GetCert has to be signed with a certificate "
                                               "that this CA has issued"));
    e->proof = cert_get_der(signer);
    return OK;
}

static enum status open_certificate_id(struct enrolment *e)
{
    enum status status = decrypt(e, &e->plain);

    if (status == BAD_INPUT)
        return refuse_as_said(e, status);
    if (status == OK)
        status = scep_certificate_id_parse(buf_span(&e->plain), &e->wanted);
    if (status == OK || status == FAULT)
        return status;
    return refuse_envelope(e, "RFC 8894 s3.3.4: messageData does not open to an IssuerAndSerialNumber" ENCRYPT_IT);
}

static enum status prove_get_cert(struct enrolment *e)
{
    const struct span authority = cert_get_subject(e->endpoint->authority);

    TRY(check_member(e));
    TRY(open_certificate_id(e));
    if (!span_equal(e->wanted.issuer, authority) && !name_equal(e->wanted.issuer, authority))
        return refuse(e, fail(REFUSED, "a GetCert for a certificate of another issuer than this path's CA"),
                      SCEP_BAD_CERT_ID, "RFC 8894 s3.3.4: the issuer is not the CA of this path");
    if (e->wanted.serial.len > CERT_SERIAL_MAX_BYTES)
        return refuse(e, fail(REFUSED, "a GetCert for a serial number of %zu octets", e->wanted.serial.len),
                      SCEP_BAD_CERT_ID, "RFC 5280 s4.1.2.2: the serial number is too long to be one");
    return OK;
}

static void fill_get_cert(const struct enrolment *e, struct ipc_message *out)
{
    const struct http_request *request = http_exchange_get_request(e->exchange);

    *out = (struct ipc_message){
        .kind = IPC_KIND_lookup,
        .fd = -1,
        .lookup = {
            .exchange = e->number,
            .path = span_of_text(e->endpoint->path->name),
            .transaction = scep_message_get_header(e->message)->transaction,
            .serial = e->wanted.serial,
            .proof = e->proof,
            .address = span_of_text(request->address),
            .user_agent = span_of_text(request->user_agent),
            .legacy = scep_legacy_used(scep_message_get_header(e->message)),
        },
    };
}

/* --- CertPoll (RFC 8894 s3.3.3, s4.4) --------------------------------------- */

/* The names inside are redundant, says s3.3.3, and differ from client to client; transaction and key are
 * what counts.  All the same it is no CertPoll without them. */
static enum status prove_poll(struct enrolment *e)
{
    struct scep_poll_id id;

    TRY(check_embedded(e));
    enum status status = decrypt(e, &e->plain);
    if (status == BAD_INPUT)
        return refuse_as_said(e, status);
    if (status == OK)
        status = scep_poll_id_parse(buf_span(&e->plain), &id);
    if (status == FAULT)
        return status;
    if (status != OK)
        return refuse_envelope(e, "RFC 8894 s3.3.3: messageData does not open to an IssuerAndSubject" ENCRYPT_IT);
    sha256(cert_get_spki(scep_message_get_signer(e->message)), e->signer_hash);
    return OK;
}

static void fill_poll(const struct enrolment *e, struct ipc_message *out)
{
    const struct http_request *request = http_exchange_get_request(e->exchange);

    *out = (struct ipc_message){
        .kind = IPC_KIND_poll,
        .fd = -1,
        .poll = {
            .exchange = e->number,
            .path = span_of_text(e->endpoint->path->name),
            .transaction = scep_message_get_header(e->message)->transaction,
            .signer = span_of(e->signer_hash, sizeof e->signer_hash),
            .needs_password = scep_message_needs_password(e->message),
            .address = span_of_text(request->address),
            .user_agent = span_of_text(request->user_agent),
            .legacy = scep_legacy_used(scep_message_get_header(e->message)),
        },
    };
}

/* --- By messageType --------------------------------------------------------- */

/* Deny by default: every type is refused but those that have rules. */
static const struct rule {
    int type;
    enum status (*prove)(struct enrolment *e);
    void (*fill)(const struct enrolment *e, struct ipc_message *out);
} type_rules[] = {
    { SCEP_PKCS_REQ, prove_request, fill_request },
    { SCEP_RENEWAL_REQ, prove_request, fill_request },
    { SCEP_CERT_POLL, prove_poll, fill_poll },
    { SCEP_GET_CERT, prove_get_cert, fill_get_cert },
};

static const struct rule *find_rule(const struct enrolment *e)
{
    const int type = scep_message_get_header(e->message)->message_type;

    for (size_t i = 0; i < COUNT_OF(type_rules); i++)
        if (type_rules[i].type == type)
            return &type_rules[i];
    return NULL;
}

enum status enrolment_prove(struct enrolment *e)
{
    const struct rule *rule = find_rule(e);

    TRY(prove_message(e));
    if (!rule)
        return refuse_as_said(e, fail(REFUSED,
                                      "RFC 8894 s3.2.1.2: messageType %d is not served here: PKCSReq (19), "
                                      "RenewalReq (17), CertPoll (20) and GetCert (21) are",
                                      scep_message_get_header(e->message)->message_type));
    return rule->prove(e);
}

void enrolment_fill(const struct enrolment *e, struct ipc_message *out)
{
    find_rule(e)->fill(e, out);
}

/* --- The answer --------------------------------------------------------------- */

/* What goes with a new certificate is the path's to say; a GetCert gets what it asked for. */
static size_t reply_certificates(const struct enrolment *e, const struct enrolment_answer *answer,
                                 struct span certificates[ENDPOINT_LEVELS_MAX + 1])
{
    if (answer->pki_status != SCEP_SUCCESS)
        return 0;
    if (scep_message_get_header(e->message)->message_type != SCEP_GET_CERT)
        return endpoint_reply_certificates(e->endpoint, answer->issued, certificates);
    certificates[0] = answer->issued;
    return 1;
}

enum status enrolment_reply(const struct enrolment *e, const struct enrolment_answer *answer, struct buf *out)
{
    struct span certificates[ENDPOINT_LEVELS_MAX + 1];
    const struct scep_reply reply = {
        .request = e->message,
        .status = answer->pki_status,
        .fail_info = answer->fail_info,
        .fail_info_text = answer->text,
        .certificates = certificates,
        .certificate_count = reply_certificates(e, answer, certificates),
        .password = e->csr ? csr_get_challenge(e->csr) : answer->password,
        .signer = { e->endpoint->signing_cert, e->endpoint->signing_key },
        .policy = e->endpoint->path->policy,
        .now_s = clock_now_s(),
    };

    return scep_reply_build(&reply, out);
}
