/* SPDX-License-Identifier: Apache-2.0
 *
 * The SCEP method against a responder in memory: the HTTP client is ours, the messages are real.
 */
#include "agent/method.h"

#include "agent/fixture.h"
#include "lib/base/clock.h"
#include "lib/base/test.h"
#include "lib/base/text.h"
#include "lib/http/http.h"
#include "lib/scep/scep.h"

#include <stdio.h>
#include <stdlib.h>

/* --- The responder ------------------------------------------------------------------------------------- */

static struct party root, ra, device;

/* How it behaves, and what it saw. */
static struct {
    int http_status;          /* of all answers; 0: 200 */
    unsigned busy_count;      /* so many answers of 503 first */
    const char *capabilities; /* NULL: HTTP 404 */
    bool single_certificate;  /* GetCACert answers with the root alone */
    enum scep_pki_status status;
    bool wrong_signer;        /* the reply is signed by somebody else */
    bool no_scep;             /* PKIOperation answers with a web page */
    unsigned requests;
    char last_url[256];
    char trusted[128];        /* by whom TLS was told to believe */
    int message_type;
    enum scep_cipher cipher;
    enum digest digest;
} responder;

static struct buf opened; /* the messageData of the last message */

struct http_client {
    int unused;
};

enum status http_client_new(unsigned timeout_s, size_t body_limit_bytes, struct http_client **out)
{
    (void)timeout_s;
    (void)body_limit_bytes;
    *out = calloc(1, sizeof **out);
    return OK;
}

enum status http_client_trust_pin(struct http_client *client, struct span pin)
{
    (void)client;
    assert_int_equal(pin.len, SHA256_BYTES);
    hex_encode(pin, responder.trusted);
    return OK;
}

enum status http_client_trust_file(struct http_client *client, const char *path)
{
    (void)client;
    snprintf(responder.trusted, sizeof responder.trusted, "%s", path);
    return OK;
}

void http_client_free(struct http_client *client)
{
    free(client);
}

void http_answer_clear(struct http_answer *answer)
{
    buf_clear(&answer->body);
    *answer = (struct http_answer){ 0 };
}

static void say(struct http_answer *out, int status, const char *type, struct span body)
{
    out->status = status;
    snprintf(out->content_type, sizeof out->content_type, "%s", type);
    must(buf_set(&out->body, body), "body");
}

static void get_ca_cert(struct http_answer *out)
{
    AUTO(buf_clear) struct buf bundle = { 0 };
    const struct span certificates[] = { cert_get_der(ra.cert), cert_get_der(root.cert) };

    if (responder.single_certificate) {
        say(out, 200, "application/x-x509-ca-cert", cert_get_der(root.cert));
        return;
    }
    must(scep_certs_build(certificates, COUNT_OF(certificates), &bundle), "bundle");
    say(out, 200, "application/x-x509-ca-ra-cert", buf_span(&bundle));
}

static void issue(struct scep_message *message, struct party *issued)
{
    AUTO(csr_freep) struct csr *csr = NULL;
    const struct scep_identity recipient = { ra.cert, ra.key };
    struct span spki = cert_get_spki(scep_message_get_signer(message));

    must(scep_message_decrypt(message, &recipient, 1, &opened), "decrypt");
    if (responder.message_type != SCEP_CERT_POLL) {
        must(csr_parse(buf_span(&opened), &csr), "CSR");
        spki = csr_get_spki(csr);
    }
    party_make(issued, &(struct draft){ .name = "CN=gw", .issuer = &root, .spki = spki });
}

static void pki_operation(struct span body, struct http_answer *out)
{
    AUTO(scep_message_freep) struct scep_message *message = NULL;
    AUTO(party_clear) struct party issued = { 0 };
    AUTO(buf_clear) struct buf reply = { 0 };
    const struct scep_policy policy = { 0 };

    must(scep_message_parse(body, &message), "parse");
    must(scep_message_prove(message, NULL, &policy), "prove");
    const struct scep_header *header = scep_message_get_header(message);
    responder.message_type = header->message_type;
    responder.cipher = header->cipher;
    responder.digest = header->digest;
    issue(message, &issued);
    const struct span certificate = cert_get_der(issued.cert);
    const struct scep_reply answer = {
        .request = message,
        .status = responder.status,
        .fail_info = SCEP_BAD_REQUEST,
        .fail_info_text = "the password is wrong",
        .certificates = &certificate,
        .certificate_count = 1,
        .password = SPAN_LITERAL("once"),
        .signer = responder.wrong_signer ? (struct scep_identity){ device.cert, device.key }
                                         : (struct scep_identity){ ra.cert, ra.key },
        .now_s = clock_now_s(),
    };
    must(scep_reply_build(&answer, &reply), "reply");
    say(out, 200, "application/x-pki-message", buf_span(&reply));
}

enum status http_client_request(struct http_client *client, const char *url, const char *type, struct span body,
                                struct http_answer *out)
{
    (void)client;
    (void)type;
    responder.requests++;
    http_answer_clear(out);
    snprintf(responder.last_url, sizeof responder.last_url, "%s", url);
    if (responder.busy_count) {
        responder.busy_count--;
        say(out, 503, "text/plain", SPAN_LITERAL("later"));
    } else if (responder.http_status) {
        say(out, responder.http_status, "text/plain", SPAN_LITERAL("no such path\nmore"));
    } else if (strstr(url, "operation=GetCACaps")) {
        say(out, responder.capabilities ? 200 : 404, "text/plain", span_of_text(responder.capabilities));
    } else if (strstr(url, "operation=GetCACert")) {
        get_ca_cert(out);
    } else if (responder.no_scep) {
        say(out, 200, "text/html", SPAN_LITERAL("<html>"));
    } else {
        pki_operation(body, out);
    }
    return OK;
}

/* --- The device ------------------------------------------------------------------------------------------ */

static struct profile profile;
static struct trust trust;

static struct private_key *new_rsa_key(void)
{
    struct private_key *key = NULL;

    must(private_key_generate((struct key_spec){ KEY_RSA, 2048 }, &key), "key");
    return key;
}

static int make_all(void **state)
{
    uint8_t pin[SHA256_BYTES];
    struct cert_list list = { 0 };

    (void)state;
    party_make(&root, &(struct draft){ .name = "CN=Root", .is_ca = true });
    party_make(&ra, &(struct draft){ .name = "CN=RA", .issuer = &root, .key = new_rsa_key() });
    party_make(&device, &(struct draft){ .name = "CN=gw", .key = new_rsa_key() });
    profile_init(&profile);
    snprintf(profile.server_url, sizeof profile.server_url, "http://h/scep/x");
    must(cert_list_append(&list, party_copy_cert(&ra)), "list");
    must(cert_list_append(&list, party_copy_cert(&root)), "list");
    cert_fingerprint(root.cert, pin);
    must(trust_offer(&trust, &list), "offer");
    must(trust_find_anchor(&trust, span_of(pin, sizeof pin)), "anchor");
    must(trust_build(&trust, clock_now_s()), "trust");
    return 0;
}

static int clear_all(void **state)
{
    (void)state;
    trust_clear(&trust);
    party_clear(&root);
    party_clear(&ra);
    party_clear(&device);
    buf_clear(&opened);
    return 0;
}

static int be_friendly(void **state)
{
    (void)state;
    memset(&responder, 0, sizeof responder);
    responder.capabilities = "AES\nPOSTPKIOperation\nSHA-256\nRenewal\n";
    return 0;
}

static struct method_session *open_session(void)
{
    struct method_session *session = NULL;

    must(method_scep.open(&profile, &session), "open");
    return session;
}

static bool polling; /* ask what became of it instead */

/* One request; `signer` NULL for a first enrolment. */
static enum status ask_for_certificate(struct method_session *session, const struct party *signer,
                                       struct cert_list *certs)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf csr = { 0 };

    must(name_parse_text("CN=gw", &subject), "name");
    const struct csr_content content = { .subject = buf_span(&subject), .challenge = SPAN_LITERAL("once") };
    must(csr_build(&content, device.key, DIGEST_SHA256, &csr), "CSR");
    const struct method_request request = {
        .transaction = SPAN_LITERAL("0123456789abcdef"),
        .csr = buf_span(&csr),
        .key = device.key,
        .signer = signer ? signer->cert : NULL,
        .signer_key = signer ? signer->key : NULL,
        .trust = &trust,
        .now_s = clock_now_s(),
    };
    return polling ? method_scep.poll(session, &request, certs) : method_scep.request(session, &request, certs);
}

static enum status enrol(struct cert_list *certs)
{
    struct method_session *session = open_session();

    must(method_scep.capabilities(session), "capabilities");
    const enum status status = ask_for_certificate(session, NULL, certs);
    method_scep.close(session);
    return status;
}

/* --- Tests ------------------------------------------------------------------------------------------------- */

static void a_request_uses_aes_256_and_sha_256(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };

    (void)state;
    assert_int_equal(enrol(&certs), OK);
    assert_int_equal(certs.count, 1);
    assert_true(span_equal(cert_get_spki(certs.items[0]), cert_get_spki(device.cert)));
    assert_int_equal(responder.message_type, SCEP_PKCS_REQ);
    assert_int_equal(responder.cipher, SCEP_AES256_CBC);
    assert_int_equal(responder.digest, DIGEST_SHA256);
    assert_string_equal(responder.last_url, "http://h/scep/x?operation=PKIOperation");
}

static void the_reply_to_an_ec_key_is_opened_with_the_password(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };
    const struct party rsa = device;
    struct private_key *key = NULL;

    (void)state;
    must(private_key_generate((struct key_spec){ KEY_EC_P384, 384 }, &key), "key");
    party_make(&device, &(struct draft){ .name = "CN=gw", .key = key });
    const enum status status = enrol(&certs);
    polling = true;
    const enum status polled = status == OK ? enrol(&certs) : status;
    polling = false;
    assert_int_equal(status, OK);
    assert_int_equal(polled, OK);
    assert_int_equal(certs.count, 2);
    assert_true(span_equal(cert_get_spki(certs.items[0]), cert_get_spki(device.cert)));
    party_clear(&device);
    device = rsa;
}

static void poor_or_missing_capabilities_do_not_lower_what_we_use(void **state)
{
    static const char *const texts[] = { NULL, "", "DES3\nSHA-1\n", "<html>" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(cert_list_clear) struct cert_list certs = { 0 };
        responder.capabilities = texts[i];
        assert_int_equal(enrol(&certs), OK);
        assert_int_equal(responder.cipher, SCEP_AES256_CBC);
        assert_int_equal(responder.digest, DIGEST_SHA256);
    }
}

static void a_refusal_is_told_with_its_fail_info_and_text(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };

    (void)state;
    responder.status = SCEP_FAILURE;
    assert_int_equal(enrol(&certs), REFUSED);
    assert_string_equal(fail_text(), "the server refuses: badRequest: the password is wrong");
    responder.status = SCEP_PENDING;
    assert_int_equal(enrol(&certs), PENDING);
    assert_int_equal(certs.count, 0);
}

static void a_poll_is_a_cert_poll_of_the_same_key_with_issuer_and_subject(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };
    AUTO(buf_clear) struct buf subject = { 0 };
    struct scep_poll_id id;

    (void)state;
    polling = true;
    assert_int_equal(enrol(&certs), OK);
    assert_int_equal(responder.message_type, SCEP_CERT_POLL);
    assert_int_equal(certs.count, 1);
    assert_true(span_equal(cert_get_spki(certs.items[0]), cert_get_spki(device.cert)));
    assert_int_equal(scep_poll_id_parse(buf_span(&opened), &id), OK);
    must(name_parse_text("CN=gw", &subject), "name");
    assert_true(span_equal(id.subject, buf_span(&subject)));
    assert_true(span_equal(id.issuer, cert_get_subject(root.cert)));
    responder.status = SCEP_PENDING;
    assert_int_equal(enrol(&certs), PENDING);
    responder.status = SCEP_FAILURE;
    assert_int_equal(enrol(&certs), REFUSED);
    polling = false;
}

static void a_refusal_by_somebody_else_proves_nothing(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };

    (void)state;
    responder.status = SCEP_FAILURE;
    responder.wrong_signer = true;
    assert_int_equal(enrol(&certs), BAD_PROOF);
    responder.status = SCEP_SUCCESS;
    assert_int_equal(enrol(&certs), BAD_PROOF);
    assert_int_equal(certs.count, 0);
}

static void a_web_page_is_no_reply(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };

    (void)state;
    responder.no_scep = true;
    assert_int_equal(enrol(&certs), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "text/html"));
}

static void an_http_error_is_a_fault_with_its_first_line(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };

    (void)state;
    responder.http_status = 404;
    assert_int_equal(enrol(&certs), FAULT);
    assert_string_equal(fail_text(), "http://h/scep/x: HTTP 404: no such path; is this the right ServerURL?");
}

static void a_busy_server_is_asked_again(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };
    struct method_session *session = open_session();

    (void)state;
    responder.busy_count = 1;
    assert_int_equal(method_scep.fetch_ca(session, NULL, &certs), OK);
    assert_int_equal(responder.requests, 2);
    assert_int_equal(certs.count, 2);
    method_scep.close(session);
}

static void the_ca_identifier_is_percent_encoded(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };
    struct method_session *session = open_session();

    (void)state;
    assert_int_equal(method_scep.fetch_ca(session, "a b&c", &certs), OK);
    assert_string_equal(responder.last_url, "http://h/scep/x?operation=GetCACert&message=a%20b%26c");
    method_scep.close(session);
}

static void a_single_certificate_is_read_too(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };
    struct method_session *session = open_session();

    (void)state;
    responder.single_certificate = true;
    assert_int_equal(method_scep.fetch_ca(session, NULL, &certs), OK);
    assert_int_equal(certs.count, 1);
    method_scep.close(session);
}

static void a_renewal_is_signed_by_the_old_certificate(void **state)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };
    AUTO(party_clear) struct party old;
    struct method_session *session = open_session();

    (void)state;
    party_make(&old, &(struct draft){ .name = "CN=gw", .issuer = &root, .key = new_rsa_key() });
    assert_int_equal(ask_for_certificate(session, &old, &certs), OK);
    assert_int_equal(responder.message_type, SCEP_PKCS_REQ);
    must(method_scep.capabilities(session), "capabilities");
    assert_int_equal(ask_for_certificate(session, &old, &certs), OK);
    assert_int_equal(responder.message_type, SCEP_RENEWAL_REQ);
    method_scep.close(session);
}

static const char *trusted_with(const char *anchor)
{
    static char trusted[sizeof responder.trusted];

    responder.trusted[0] = 0;
    snprintf(profile.tls_anchor, sizeof profile.tls_anchor, "%s", anchor);
    method_scep.close(open_session());
    snprintf(profile.tls_anchor, sizeof profile.tls_anchor, "system");
    memcpy(trusted, responder.trusted, sizeof trusted);
    return trusted;
}

static void the_profile_says_whom_to_believe_under_https(void **state)
{
    static const char pin[] = "abababababababababababababababababababababababababababababababab";

    (void)state;
    snprintf(profile.ca_fingerprint, sizeof profile.ca_fingerprint, "%s", pin);
    assert_string_equal(trusted_with("system"), "");
    assert_string_equal(trusted_with("ca"), pin);
    assert_string_equal(trusted_with("/etc/anchors.pem"), "/etc/anchors.pem");
}

#define WITH_A_RESPONDER(test) cmocka_unit_test_setup(test, be_friendly)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_A_RESPONDER(a_request_uses_aes_256_and_sha_256),
        WITH_A_RESPONDER(the_reply_to_an_ec_key_is_opened_with_the_password),
        WITH_A_RESPONDER(poor_or_missing_capabilities_do_not_lower_what_we_use),
        WITH_A_RESPONDER(a_refusal_is_told_with_its_fail_info_and_text),
        WITH_A_RESPONDER(a_poll_is_a_cert_poll_of_the_same_key_with_issuer_and_subject),
        WITH_A_RESPONDER(a_refusal_by_somebody_else_proves_nothing),
        WITH_A_RESPONDER(a_web_page_is_no_reply),
        WITH_A_RESPONDER(an_http_error_is_a_fault_with_its_first_line),
        WITH_A_RESPONDER(a_busy_server_is_asked_again),
        WITH_A_RESPONDER(the_ca_identifier_is_percent_encoded),
        WITH_A_RESPONDER(a_single_certificate_is_read_too),
        WITH_A_RESPONDER(the_profile_says_whom_to_believe_under_https),
        WITH_A_RESPONDER(a_renewal_is_signed_by_the_old_certificate),
    };

    return cmocka_run_group_tests(tests, make_all, clear_all);
}
