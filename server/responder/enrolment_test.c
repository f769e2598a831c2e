/* SPDX-License-Identifier: Apache-2.0
 *
 * What a message must be to become a question to the registrar: by messageType, signer, content and names.
 */
#include "lib/base/log.h"
#include "lib/base/test.h"
#include "server/responder/fixture.h"

#include <stdlib.h>

/* --- What is refused here ----------------------------------------------- */

static void what_is_no_message_is_a_400_and_the_registrar_hears_of_it(void **state)
{
    struct desk *desk = *state;

    desk_post(desk, "/scep/device", SPAN_LITERAL("this is no message"));
    assert_int_equal(desk->exchange.status, 400);
    assert_string_equal(desk->exchange.content_type, "text/plain");
    const struct ipc_refusal refusal = desk_next_message(desk, IPC_KIND_refusal).refusal;
    assert_int_equal(refusal.fail_info, 255);
    assert_int_equal(refusal.http_status, 400);
    assert_span(refusal.path, "device");
    desk_post(desk, "/scep/device", span_of(NULL, 0));
    assert_int_equal(desk->exchange.status, 400);
    desk_post(desk, "/scep/nowhere", SPAN_LITERAL("x"));
    assert_int_equal(desk->exchange.status, 404);
}

static void a_message_type_without_a_rule_is_refused(void **state)
{
    struct desk *desk = *state;
    static const enum scep_message_type types[] = { SCEP_GET_CRL };

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        desk_post_wish(desk, "/scep/device", &(struct wish){ .type = types[i] });
        desk_assert_refused(desk, SCEP_BAD_REQUEST, "PKCSReq (19), RenewalReq (17)");
    }
}

static void a_bent_signature_is_refused(void **state)
{
    struct desk *desk = *state;

    world_message(desk->world, &plain_wish, &desk->sent);
    desk->sent.ptr[desk->sent.len - 1] ^= 1;
    desk_post(desk, "/scep/device", buf_span(&desk->sent));
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, "");
}

static void what_does_not_open_to_a_proved_request_gets_one_and_the_same_answer(void **state)
{
    struct desk *desk = *state;
    AUTO(buf_clear) struct buf bent = { 0 };
    AUTO(buf_clear) struct buf subject = { 0 };
    static const char same[] = "does not open to a PKCS #10 request whose own signature holds";

    must(name_parse_text("CN=gw-17", &subject));
    must(csr_build(&(struct csr_content){ .subject = buf_span(&subject) }, desk->world->client.key,
                   DIGEST_SHA256, &bent));
    bent.ptr[bent.len - 1] ^= 1;
    desk_post_wish(desk, "/scep/device", &(struct wish){ .recipient = desk->world->ra_signing.cert });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    desk_post_wish(desk, "/scep/device", &(struct wish){ .plain = SPAN_LITERAL("no request at all") });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    desk_post_wish(desk, "/scep/device", &(struct wish){ .plain = buf_span(&bent) });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
}

static void the_signer_decides_what_is_a_proof_as_the_table_says(void **state)
{
    struct desk *desk = *state;
    const struct world *w = desk->world;
    const struct {
        enum scep_message_type type;
        const struct party *signer;
        struct private_key *csr_key;
        bool asked; /* goes to the registrar */
        const struct party *proof;
    } rows[] = {
        { SCEP_PKCS_REQ, &w->client, NULL, true, NULL },
        { SCEP_PKCS_REQ, &w->client, w->other.key, false, NULL },
        { SCEP_RENEWAL_REQ, &w->client, NULL, false, NULL },
        { SCEP_PKCS_REQ, &w->renewing, w->other.key, true, &w->renewing },
        { SCEP_RENEWAL_REQ, &w->renewing, w->other.key, true, &w->renewing },
        { SCEP_RENEWAL_REQ, &w->renewing, NULL, true, &w->renewing },
        { SCEP_RENEWAL_REQ, &w->expired, w->other.key, true, &w->expired },
        { SCEP_PKCS_REQ, &w->stranger, NULL, true, NULL },
        { SCEP_PKCS_REQ, &w->stranger, w->other.key, false, NULL },
        { SCEP_RENEWAL_REQ, &w->stranger, NULL, false, NULL },
        { SCEP_RENEWAL_REQ, &w->stranger, w->other.key, false, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        desk_post_wish(
            desk, "/scep/device",
            &(struct wish){ .type = rows[i].type, .signer = rows[i].signer, .csr_key = rows[i].csr_key });
        if (!rows[i].asked) {
            desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, "that this CA has issued");
            continue;
        }
        const struct ipc_enrol enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
        assert_true(
            span_equal(enrol.proof, rows[i].proof ? buf_span(&rows[i].proof->der) : span_of(NULL, 0)));
        registrar_decide(desk->responder, &desk->registrar,
                         &(struct ipc_decision){ .exchange = enrol.exchange, .status = FAULT });
    }
}

/* --- GetCert ------------------------------------------------------------- */

static void ask_for(struct desk *desk, const struct party *signer, struct span issuer, struct span serial)
{
    AUTO(buf_clear) struct buf id = { 0 };

    must(scep_certificate_id_build(&(struct scep_certificate_id){ issuer, serial }, &id));
    desk_post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_GET_CERT, .signer = signer, .plain = buf_span(&id) });
}

static void a_get_cert_becomes_a_question_and_its_answer_one_certificate(void **state)
{
    struct desk *desk = *state;
    const struct world *w = desk->world;
    struct scep_answer answer = { 0 };

    ask_for(desk, &w->renewing, cert_get_subject(w->issuing.cert), SPAN_LITERAL("\x80\x17"));
    const struct ipc_lookup lookup = desk_next_message(desk, IPC_KIND_lookup).lookup;
    assert_span(lookup.path, "device");
    assert_span(lookup.transaction, FIXTURE_TRANSACTION);
    assert_span(lookup.serial, "\x80\x17");
    assert_span(lookup.address, "192.0.2.17");
    assert_span(lookup.user_agent, "tester/1");
    assert_true(span_equal(lookup.proof, buf_span(&w->renewing.der)));
    registrar_decide(desk->responder, &desk->registrar,
                     &(struct ipc_decision){
                         .exchange = lookup.exchange, .status = OK, .certificate = buf_span(&w->renewing.der) });
    const struct scep_expectation expect = { .transaction = SPAN_LITERAL(FIXTURE_TRANSACTION),
                                             .sender_nonce = SPAN_LITERAL(FIXTURE_NONCE),
                                             .ca_certs = &w->ca_certs,
                                             .recipient = { w->renewing.cert, w->client.key } };
    must(scep_reply_open(buf_span(&desk->exchange.body), &expect, &answer));
    assert_int_equal(answer.status, SCEP_SUCCESS);
    assert_int_equal(answer.certs.count, 1);
    scep_answer_clear(&answer);
}

static void a_get_cert_needs_a_signer_of_ours_and_asks_for_nothing_of_others(void **state)
{
    struct desk *desk = *state;
    const struct world *w = desk->world;
    const struct span ours = cert_get_subject(w->issuing.cert), one = SPAN_LITERAL("\x01");

    ask_for(desk, &w->client, ours, one);
    desk_assert_refused(desk, SCEP_BAD_REQUEST, "that this CA has issued");
    ask_for(desk, &w->stranger, ours, one);
    desk_assert_refused(desk, SCEP_BAD_REQUEST, "that this CA has issued");
    ask_for(desk, &w->renewing, cert_get_subject(w->root.cert), one);
    desk_assert_refused(desk, SCEP_BAD_CERT_ID, "the issuer is not the CA of this path");
    ask_for(desk, &w->renewing, ours, SPAN_LITERAL("\x01 a serial number with more than 20 octets"));
    desk_assert_refused(desk, SCEP_BAD_CERT_ID, "too long");
}

static void what_does_not_open_to_an_identifier_gets_one_and_the_same_answer(void **state)
{
    struct desk *desk = *state;
    const struct party *signer = &desk->world->renewing;
    static const char same[] = "does not open to an IssuerAndSerialNumber";

    desk_post_wish(desk, "/scep/device", &(struct wish){ .type = SCEP_GET_CERT, .signer = signer });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    desk_post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_GET_CERT, .signer = signer, .recipient = desk->world->ra_signing.cert });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    desk_post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_GET_CERT, .signer = signer, .plain = SPAN_LITERAL("\x30\x03\x02\x01\x05") });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
}

/* --- CertPoll ------------------------------------------------------------ */

static void a_poll_becomes_a_question_by_transaction_and_key(void **state)
{
    struct desk *desk = *state;
    const struct world *w = desk->world;
    AUTO(buf_clear) struct buf id = { 0 };
    uint8_t hash[SHA256_BYTES];
    const struct span issuers[] = { cert_get_subject(w->issuing.cert), cert_get_subject(w->ra.cert),
                                    cert_get_subject(w->root.cert), SPAN_LITERAL("\x30\x00") };

    sha256(cert_get_spki(w->client.cert), hash);
    for (size_t i = 0; i < COUNT_OF(issuers); i++) {
        must(scep_poll_id_build(&(struct scep_poll_id){ issuers[i], cert_get_subject(w->client.cert) }, &id));
        desk_post_wish(desk, "/scep/device", &(struct wish){ .type = SCEP_CERT_POLL, .plain = buf_span(&id) });
        const struct ipc_poll poll = desk_next_message(desk, IPC_KIND_poll).poll;
        assert_span(poll.path, "device");
        assert_span(poll.transaction, FIXTURE_TRANSACTION);
        assert_true(span_equal(poll.signer, span_of(hash, sizeof hash)));
        assert_span(poll.address, "192.0.2.17");
        registrar_decide(desk->responder, &desk->registrar,
                         &(struct ipc_decision){ .exchange = poll.exchange, .status = PENDING });
        struct scep_answer answer = { 0 };
        world_open(w, buf_span(&desk->exchange.body), &answer);
        assert_int_equal(answer.status, SCEP_PENDING);
        scep_answer_clear(&answer);
    }
}

static void what_does_not_open_to_a_poll_gets_one_and_the_same_answer(void **state)
{
    struct desk *desk = *state;
    static const char same[] = "does not open to an IssuerAndSubject";

    desk_post_wish(desk, "/scep/device", &(struct wish){ .type = SCEP_CERT_POLL });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    desk_post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_CERT_POLL, .recipient = desk->world->ra_signing.cert });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    desk_post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_CERT_POLL, .plain = SPAN_LITERAL("\x30\x02\x30\x00") });
    desk_assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
}

/* --- Usernames ---------------------------------------------------------- */

static void the_username_is_found_where_the_path_looks_for_it(void **state)
{
    static const char *const names[] = { "DNS:gw.example.net", "URI:urn:dev:17", "email:gw@example.net" };
    static const struct {
        const char *path;
        size_t names_count;
        const char *challenge;
        const char *username;
        const char *kind;
        const char *password;
    } rows[] = {
        { "/scep/device", 3, "secret", "gw.example.net", "dns", "secret" },
        { "/scep/device", 1, "user:secret", "gw.example.net", "dns", "user:secret" },
        { "/scep/device", 0, "user:secret", "user", "challenge", "secret" },
        { "/scep/device", 0, "user:se:cret", "user", "challenge", "se:cret" },
        { "/scep/device", 0, "user:", "user", "challenge", "" },
        { "/scep/device", 0, "secret", "", "", "secret" },
        { "/scep/device", 0, ":secret", "", "", ":secret" },
        { "/scep/device", 0, NULL, "", "", "" },
        { "/scep/old", 3, "user:secret", "user", "challenge", "secret" },
        { "/scep/old", 3, "secret", "gw@example.net", "email", "secret" },
        { "/scep/old", 2, "secret", "urn:dev:17", "uri", "secret" },
        { "/scep/old", 1, "secret", "", "", "secret" },
    };
    struct desk *desk = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        desk_post_wish(desk, rows[i].path,
                  &(struct wish){
                      .names = names, .names_count = rows[i].names_count, .challenge = rows[i].challenge });
        const struct ipc_enrol enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
        assert_span(enrol.username, rows[i].username);
        assert_span(enrol.username_kind, rows[i].kind);
        assert_span(enrol.password, rows[i].password);
        registrar_decide(desk->responder, &desk->registrar,
                         &(struct ipc_decision){ .exchange = enrol.exchange, .status = FAULT });
    }
}

static void a_password_too_long_for_a_question_is_refused(void **state)
{
    struct desk *desk = *state;
    char challenge[300];

    memset(challenge, 'x', sizeof challenge - 1);
    challenge[sizeof challenge - 1] = 0;
    world_message(desk->world, &(struct wish){ .challenge = challenge }, &desk->sent);
    desk_post(desk, "/scep/device", buf_span(&desk->sent));
    assert_int_equal(desk->exchange.answers, 1);
    (void)desk_next_message(desk, IPC_KIND_refusal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_DESK(what_is_no_message_is_a_400_and_the_registrar_hears_of_it),
        AT_DESK(a_message_type_without_a_rule_is_refused),
        AT_DESK(a_bent_signature_is_refused),
        AT_DESK(what_does_not_open_to_a_proved_request_gets_one_and_the_same_answer),
        AT_DESK(the_signer_decides_what_is_a_proof_as_the_table_says),
        AT_DESK(a_get_cert_becomes_a_question_and_its_answer_one_certificate),
        AT_DESK(a_get_cert_needs_a_signer_of_ours_and_asks_for_nothing_of_others),
        AT_DESK(what_does_not_open_to_an_identifier_gets_one_and_the_same_answer),
        AT_DESK(a_poll_becomes_a_question_by_transaction_and_key),
        AT_DESK(what_does_not_open_to_a_poll_gets_one_and_the_same_answer),
        AT_DESK(the_username_is_found_where_the_path_looks_for_it),
        AT_DESK(a_password_too_long_for_a_question_is_refused),
    };

    log_init("enrolment test", LOG_ERROR);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_free();
    return failed;
}
