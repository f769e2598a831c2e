/* SPDX-License-Identifier: Apache-2.0
 *
 * The responder between a client that builds real messages and a registrar on a socket pair.
 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/test.h"
#include "lib/base/text.h"
#include "server/responder/fixture.h"
#include "server/responder/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One test's responder, with a registrar unless it is taken away. */
struct desk {
    struct world *world;
    struct responder *responder;
    struct ipc_channel registrar;
    struct http_exchange exchange;
    struct buf sent; /* the message */
};

static int open_desk(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);

    desk->world = world_get();
    must(responder_new(desk->world->config, &desk->responder));
    registrar_connect(desk->responder, &desk->registrar);
    *state = desk;
    return 0;
}

static int close_desk(void **state)
{
    struct desk *desk = *state;

    responder_free(desk->responder);
    ipc_channel_clear(&desk->registrar);
    exchange_clear(&desk->exchange);
    buf_clear(&desk->sent);
    free(desk);
    return 0;
}

static void get(struct desk *desk, const char *path, const char *query)
{
    exchange_clear(&desk->exchange);
    exchange_init(&desk->exchange, HTTP_GET, path, span_of_text(query), span_of(NULL, 0));
    responder_handle(desk->responder, &desk->exchange);
}

static void post(struct desk *desk, const char *path, struct span body)
{
    exchange_clear(&desk->exchange);
    exchange_init(&desk->exchange, HTTP_POST, path, SPAN_LITERAL("operation=PKIOperation"), body);
    responder_handle(desk->responder, &desk->exchange);
}

static void post_wish(struct desk *desk, const char *path, const struct wish *wish)
{
    world_message(desk->world, wish, &desk->sent);
    post(desk, path, buf_span(&desk->sent));
}

static struct ipc_message next_message(struct desk *desk, enum ipc_kind kind)
{
    struct ipc_message message;

    assert_true(registrar_next(&desk->registrar, &message));
    assert_int_equal(message.kind, kind);
    return message;
}

static void assert_text(struct span s, const char *text)
{
    if (!span_equal(s, span_of_text(text)))
        print_error("found \"%.*s\"\n", (int)s.len, s.len ? (const char *)s.ptr : "");
    assert_true(span_equal(s, span_of_text(text)));
}

static void assert_says(struct desk *desk, const char *part)
{
    if (!strstr(buf_text(&desk->exchange.body), part))
        print_error("\"%s\" does not say \"%s\"\n", buf_text(&desk->exchange.body), part);
    assert_non_null(strstr(buf_text(&desk->exchange.body), part));
}

/* The exchange was answered by a CertRep FAILURE, and the registrar told of it. */
static void assert_refused(struct desk *desk, enum scep_fail_info info, const char *part)
{
    struct scep_answer answer = { 0 };

    assert_int_equal(desk->exchange.answers, 1);
    assert_int_equal(desk->exchange.status, 200);
    assert_string_equal(desk->exchange.content_type, "application/x-pki-message");
    world_open(desk->world, buf_span(&desk->exchange.body), &answer);
    assert_int_equal(answer.status, SCEP_FAILURE);
    if (answer.fail_info != (int)info || !strstr(answer.fail_info_text, part))
        print_error("failInfo %d, \"%s\"\n", answer.fail_info, answer.fail_info_text);
    assert_int_equal(answer.fail_info, info);
    assert_non_null(strstr(answer.fail_info_text, part));
    scep_answer_clear(&answer);
    const struct ipc_message message = next_message(desk, IPC_KIND_refusal);
    assert_int_equal(message.refusal.fail_info, info);
    assert_int_equal(message.refusal.http_status, 200);
    assert_text(message.refusal.transaction, FIXTURE_TRANSACTION);
    assert_text(message.refusal.path, "device");
    assert_text(message.refusal.address, "192.0.2.17");
    assert_text(message.refusal.user_agent, "tester/1");
    assert_true(message.refusal.reason.len > 0);
}

/* --- Routes ------------------------------------------------------------- */

static void every_url_is_answered_as_the_table_says(void **state)
{
    static const struct {
        const char *path;
        const char *query;
        int status;
        const char *type;
        const char *part;
    } rows[] = {
        { "/scep/device", "operation=GetCACaps", 200, "text/plain", "SCEPStandard\n" },
        { "/scep/device/", "operation=GetCACaps&message=0", 200, "text/plain", "AES\n" },
        { "/scep/device/pkiclient.exe", "operation=GetCACaps", 200, "text/plain", "Renewal\n" },
        { "/scep/device/certsrv/mscep/mscep.dll", "message=x&operation=GetCACaps", 200, "text/plain",
          "SHA-512\n" },
        { "/scep/device", "operation=getcacaps", 200, "text/plain", "POSTPKIOperation\n" },
        { "/scep/device", "operation=GetCA%43aps", 200, "text/plain", "SHA-256\n" },
        { "/scep/old", "operation=GetCACaps", 200, "text/plain", "DES3\n" },
        { "/scep/old", "operation=GetCACaps", 200, "text/plain", "SHA-1\n" },
        { "/scep/device", "", 400, "text/plain", "?operation=" },
        { "/scep/device", "operation=", 400, "text/plain", "unknown operation" },
        { "/scep/device", "operation=GetNextCACert", 400, "text/plain", "unknown operation" },
        { "/scep/device", "operation=%zz", 400, "text/plain", "two hexadecimal digits" },
        { "/scep/device", "operation=GetCACaps&operation=GetCACert", 400, "text/plain", "twice" },
        { "/scep/device", "operation=PKIOperation", 400, "text/plain", "&message=" },
        { "/scep/device", "operation=PKIOperation&message=****", 400, "text/plain", "not base64" },
        { "/scep/device", "operation=PKIOperation&message=AAAA", 400, "text/plain", "" },
        { "/scep/unknown", "operation=GetCACaps", 404, "text/plain", "/scep/NAME" },
        { "/scep/", "operation=GetCACaps", 404, "text/plain", "/scep/NAME" },
        { "/scep", "operation=GetCACaps", 404, "text/plain", "/scep/NAME" },
        { "/scep/Device", "operation=GetCACaps", 404, "text/plain", "/scep/NAME" },
        { "/", "", 404, "text/plain", "/scep/NAME" },
        { "", "", 404, "text/plain", "/scep/NAME" },
        { "/ca/root.cer", "", 200, "application/pkix-cert", "" },
        { "/ca/issuing.cer", "", 200, "application/pkix-cert", "" },
        { "/ca/empty.cer", "", 404, "text/plain", "/ca/NAME.cer" },
        { "/ca/../root.cer", "", 404, "text/plain", "/ca/NAME.cer" },
        { "/ca/.cer", "", 404, "text/plain", "/ca/NAME.cer" },
        { "/ca/root", "", 404, "text/plain", "/ca/NAME.cer" },
        { "/healthz", "", 200, "text/plain", "ok\n" },
    };
    struct desk *desk = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        get(desk, rows[i].path, rows[i].query);
        if (desk->exchange.status != rows[i].status)
            print_error("%s?%s: %d\n", rows[i].path, rows[i].query, desk->exchange.status);
        assert_int_equal(desk->exchange.answers, 1);
        assert_int_equal(desk->exchange.status, rows[i].status);
        assert_string_equal(desk->exchange.content_type, rows[i].type);
        assert_says(desk, rows[i].part);
    }
}

static void capabilities_name_des3_and_sha1_only_where_the_path_allows_them(void **state)
{
    struct desk *desk = *state;

    get(desk, "/scep/device", "operation=GetCACaps");
    assert_null(strstr(buf_text(&desk->exchange.body), "DES3"));
    assert_null(strstr(buf_text(&desk->exchange.body), "SHA-1\n"));
}

static void health_is_bad_while_there_is_no_registrar(void **state)
{
    struct desk *desk = *state;

    responder_disconnect(desk->responder);
    get(desk, "/healthz", "");
    assert_int_equal(desk->exchange.status, 503);
    assert_int_equal(desk->exchange.retry_after_s, RESPONDER_RETRY_AFTER_S);
}

/* --- GetCACert ---------------------------------------------------------- */

static void assert_bundle(struct desk *desk, const char *path, const struct party *const *parties,
                          size_t count)
{
    struct cert_list certs = { 0 };

    get(desk, path, "operation=GetCACert");
    assert_string_equal(desk->exchange.content_type, "application/x-x509-ca-ra-cert");
    must(scep_certs_parse(buf_span(&desk->exchange.body), &certs));
    assert_int_equal(certs.count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(span_equal(cert_get_der(certs.items[i]), buf_span(&parties[i]->der)));
    cert_list_clear(&certs);
}

static void the_bundle_goes_from_the_ra_up_to_the_root(void **state)
{
    struct desk *desk = *state;
    const struct world *w = desk->world;

    assert_bundle(desk, "/scep/device", (const struct party *const[]){ &w->ra, &w->issuing, &w->root }, 3);
}

static void the_bundle_has_both_ra_certificates_and_no_root_where_the_path_says_so(void **state)
{
    struct desk *desk = *state;
    const struct world *w = desk->world;

    assert_bundle(desk, "/scep/old", (const struct party *const[]){ &w->ra, &w->ra_signing, &w->issuing }, 3);
}

static void an_identifier_picks_one_certificate_or_the_bundle(void **state)
{
    struct desk *desk = *state;
    const struct world *w = desk->world;
    const struct {
        const char *identifier;
        const struct party *party; /* NULL: the bundle */
    } rows[] = {
        { "", NULL },
        { "0", NULL },
        { "1", NULL },
        { "12345", NULL },
        { "CAIdentifier", NULL },
        { "device", NULL },
        { "issuing", NULL },
        { "root", &w->root },
        { "ROOT", &w->root },
        { "level-0", &w->issuing },
        { "level-1", &w->root },
        { "Test%20Root%20CA", &w->root },
        { "test+root+ca", &w->root },
        { "Test%20Issuing,%20CA", &w->issuing },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char query[128];
        snprintf(query, sizeof query, "operation=GetCACert&message=%s", rows[i].identifier);
        get(desk, "/scep/device", query);
        if (desk->exchange.status != 200)
            print_error("%s\n", query);
        assert_int_equal(desk->exchange.status, 200);
        assert_string_equal(desk->exchange.content_type,
                            rows[i].party ? "application/x-x509-ca-cert" : "application/x-x509-ca-ra-cert");
        if (rows[i].party)
            assert_true(span_equal(buf_span(&desk->exchange.body), buf_span(&rows[i].party->der)));
    }
}

static void an_unknown_identifier_is_404_and_the_text_says_which_there_are(void **state)
{
    struct desk *desk = *state;

    get(desk, "/scep/device", "operation=GetCACert&message=level-2");
    assert_int_equal(desk->exchange.status, 404);
    assert_says(desk, "device (everything), root, level-0 (Test Issuing, CA), level-1 (Test Root CA)");
    assert_int_equal(next_message(desk, IPC_KIND_refusal).refusal.http_status, 404);
    get(desk, "/scep/device", "operation=GetCACert&message=%00");
    assert_int_equal(desk->exchange.status, 404);
}

/* --- A PKIOperation's way ----------------------------------------------- */

static const struct wish plain_wish = { .challenge = "gw-17:secret" };

static void a_request_becomes_a_question_with_everything_in_it(void **state)
{
    struct desk *desk = *state;
    static const char *const names[] = { "email:a@example.net", "DNS:gw-17.example.net",
                                         "DNS:second.example.net" };

    post_wish(desk, "/scep/device/pkiclient.exe",
              &(struct wish){ .names = names, .names_count = COUNT_OF(names), .challenge = "pass:word" });
    const struct ipc_enrol enrol = next_message(desk, IPC_KIND_enrol).enrol;
    assert_int_equal(desk->exchange.answers, 0);
    assert_text(enrol.path, "device");
    assert_int_equal(enrol.message_type, 19);
    assert_text(enrol.transaction, FIXTURE_TRANSACTION);
    assert_text(enrol.username, "gw-17.example.net");
    assert_text(enrol.username_kind, "dns");
    assert_text(enrol.password, "pass:word");
    assert_int_equal(enrol.proof.len, 0);
    assert_text(enrol.address, "192.0.2.17");
    assert_text(enrol.user_agent, "tester/1");
    struct csr *csr = NULL;
    assert_int_equal(csr_parse(enrol.csr, &csr), OK);
    csr_free(csr);
}

static void a_decision_ok_becomes_a_certrep_with_the_certificate(void **state)
{
    struct desk *desk = *state;
    struct scep_answer answer = { 0 };

    post_wish(desk, "/scep/device", &plain_wish);
    const struct ipc_enrol enrol = next_message(desk, IPC_KIND_enrol).enrol;
    registrar_decide(desk->responder, &desk->registrar,
                     &(struct ipc_decision){ .exchange = enrol.exchange,
                                             .status = OK,
                                             .certificate = buf_span(&desk->world->renewing.der) });
    assert_int_equal(desk->exchange.answers, 1);
    assert_string_equal(desk->exchange.content_type, "application/x-pki-message");
    world_open(desk->world, buf_span(&desk->exchange.body), &answer);
    assert_int_equal(answer.status, SCEP_SUCCESS);
    assert_int_equal(answer.certs.count, 1);
    assert_true(span_equal(cert_get_der(answer.certs.items[0]), buf_span(&desk->world->renewing.der)));
    scep_answer_clear(&answer);
}

static void a_certrep_carries_the_chain_where_the_path_says_so(void **state)
{
    struct desk *desk = *state;
    struct scep_answer answer = { 0 };

    post_wish(desk, "/scep/old", &plain_wish);
    const struct ipc_enrol enrol = next_message(desk, IPC_KIND_enrol).enrol;
    registrar_decide(desk->responder, &desk->registrar,
                     &(struct ipc_decision){ .exchange = enrol.exchange,
                                             .status = OK,
                                             .certificate = buf_span(&desk->world->renewing.der) });
    world_open(desk->world, buf_span(&desk->exchange.body), &answer);
    assert_int_equal(answer.certs.count, 2);
    assert_true(span_equal(cert_get_der(answer.certs.items[1]), buf_span(&desk->world->issuing.der)));
    scep_answer_clear(&answer);
}

static void every_other_decision_becomes_what_the_table_says(void **state)
{
    static const struct {
        enum status status;
        uint8_t fail_info;
        int http_status;
        int pki_status;
        int answered_info;
    } rows[] = {
        { PENDING, 0, 200, SCEP_PENDING, -1 },
        { BAD_INPUT, SCEP_BAD_REQUEST, 200, SCEP_FAILURE, SCEP_BAD_REQUEST },
        { BAD_PROOF, SCEP_BAD_MESSAGE_CHECK, 200, SCEP_FAILURE, SCEP_BAD_MESSAGE_CHECK },
        { REFUSED, SCEP_BAD_CERT_ID, 200, SCEP_FAILURE, SCEP_BAD_CERT_ID },
        { REFUSED, 77, 200, SCEP_FAILURE, SCEP_BAD_REQUEST },
        { FAULT, 0, 503, -1, -1 },
        { (enum status)99, 0, 503, -1, -1 },
    };
    struct desk *desk = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scep_answer answer = { 0 };
        post_wish(desk, "/scep/device", &plain_wish);
        const struct ipc_enrol enrol = next_message(desk, IPC_KIND_enrol).enrol;
        registrar_decide(desk->responder, &desk->registrar,
                         &(struct ipc_decision){ .exchange = enrol.exchange,
                                                 .status = (uint8_t)rows[i].status,
                                                 .fail_info = rows[i].fail_info,
                                                 .text = SPAN_LITERAL("because") });
        assert_int_equal(desk->exchange.answers, 1);
        assert_int_equal(desk->exchange.status, rows[i].http_status);
        if (rows[i].http_status != 200) {
            assert_int_equal(desk->exchange.retry_after_s, RESPONDER_RETRY_AFTER_S);
            continue;
        }
        world_open(desk->world, buf_span(&desk->exchange.body), &answer);
        assert_int_equal(answer.status, rows[i].pki_status);
        assert_int_equal(answer.fail_info, rows[i].answered_info);
        assert_string_equal(answer.fail_info_text, rows[i].pki_status == SCEP_FAILURE ? "because" : "");
        scep_answer_clear(&answer);
    }
}

static void a_decision_to_come_again_is_a_429_with_retry_after(void **state)
{
    struct desk *desk = *state;

    post_wish(desk, "/scep/device", &plain_wish);
    const struct ipc_enrol enrol = next_message(desk, IPC_KIND_enrol).enrol;
    registrar_decide(desk->responder, &desk->registrar,
                     &(struct ipc_decision){ .exchange = enrol.exchange,
                                             .status = REFUSED,
                                             .retry_after_s = 17,
                                             .text = SPAN_LITERAL("too often") });
    assert_int_equal(desk->exchange.answers, 1);
    assert_int_equal(desk->exchange.status, 429);
    assert_int_equal(desk->exchange.retry_after_s, 17);
    assert_says(desk, "too often; try again in 17 s");
}

static void a_decision_for_nobody_changes_nothing(void **state)
{
    struct desk *desk = *state;
    static const int64_t strange[] = { 1, 64, 4711, -1, INT64_MAX, INT64_MIN };

    post_wish(desk, "/scep/device", &plain_wish);
    assert_int_equal(next_message(desk, IPC_KIND_enrol).enrol.exchange, 0);
    for (size_t i = 0; i < COUNT_OF(strange); i++)
        registrar_decide(desk->responder, &desk->registrar,
                         &(struct ipc_decision){ .exchange = strange[i], .status = REFUSED });
    assert_int_equal(desk->exchange.answers, 0);
}

/* --- GET's base64 in every spelling ------------------------------------- */

enum spelling {
    SPELL_ALL_ESCAPED,
    SPELL_PLUS_ESCAPED,   /* certmonger: + and / as %2B and %2F, = raw */
    SPELL_RAW,            /* nothing escaped */
    SPELL_ONLY_PADDING,   /* macOS: only = escaped */
    SPELL_BLANK_FOR_PLUS, /* somebody took it for a form */
    SPELL_CR_LF,          /* lines of 60, %0D%0A */
    SPELL_LF,             /* lines of 64, %0A: Cisco */
    SPELL_URL_SAFE,
    SPELL_NO_PADDING,
    SPELL_COUNT
};

static void spell_byte(uint8_t c, enum spelling how, struct buf *out)
{
    const bool is_special = c == '+' || c == '/' || c == '=';

    if (c == '=' && how == SPELL_NO_PADDING)
        return;
    if (how == SPELL_URL_SAFE && (c == '+' || c == '/'))
        c = c == '+' ? '-' : '_';
    else if (how == SPELL_BLANK_FOR_PLUS && c == '+') {
        must(buf_append_text(out, "%20"));
        return;
    }
    const bool escaped = (is_special && (how == SPELL_CR_LF || how == SPELL_LF)) ||
                         how == SPELL_ALL_ESCAPED || (how == SPELL_ONLY_PADDING && c == '=') ||
                         (how == SPELL_PLUS_ESCAPED && (c == '+' || c == '/'));
    must(escaped ? buf_append_format(out, "%%%02x", c) : buf_append(out, span_of(&c, 1)));
}

static void spell(struct span base64, enum spelling how, struct buf *out)
{
    const size_t width = how == SPELL_LF ? 64 : 60;

    must(buf_append_text(out, "operation=PKIOperation&message="));
    for (size_t i = 0; i < base64.len; i++) {
        if (i && i % width == 0 && (how == SPELL_CR_LF || how == SPELL_LF))
            must(buf_append_text(out, how == SPELL_LF ? "%0A" : "%0D%0A"));
        spell_byte(base64.ptr[i], how, out);
    }
}

static void a_message_by_get_is_read_however_it_is_spelled(void **state)
{
    struct desk *desk = *state;
    AUTO(buf_clear) struct buf base64 = { 0 };
    AUTO(buf_clear) struct buf challenge = { 0 };

    must(buf_append_text(&challenge, "gw-17:secret"));
    /* Until it needs padding, too: a cipher block more changes the length modulo 3. */
    do {
        must(buf_append_text(&challenge, "0123456789abcdef"));
        world_message(desk->world, &(struct wish){ .challenge = buf_text(&challenge) }, &desk->sent);
        base64.len = 0;
        must(base64_encode(buf_span(&desk->sent), &base64));
    } while (!memchr(base64.ptr, '=', base64.len));
    for (int how = 0; how < SPELL_COUNT; how++) {
        AUTO(buf_clear) struct buf query = { 0 };
        spell(buf_span(&base64), (enum spelling)how, &query);
        exchange_clear(&desk->exchange);
        exchange_init(&desk->exchange, HTTP_GET, "/scep/device", buf_span(&query), span_of(NULL, 0));
        responder_handle(desk->responder, &desk->exchange);
        struct ipc_message message;
        if (!registrar_next(&desk->registrar, &message) || message.kind != IPC_KIND_enrol) {
            print_error("spelling %d: %s\n", how, buf_text(&desk->exchange.body));
            assert_true(false);
        }
        registrar_decide(desk->responder, &desk->registrar,
                         &(struct ipc_decision){ .exchange = message.enrol.exchange,
                                                 .status = OK,
                                                 .certificate = buf_span(&desk->world->renewing.der) });
        assert_string_equal(desk->exchange.content_type, "application/x-pki-message");
    }
}

static void a_post_without_an_operation_is_a_pkioperation(void **state)
{
    struct desk *desk = *state;

    world_message(desk->world, &plain_wish, &desk->sent);
    exchange_init(&desk->exchange, HTTP_POST, "/scep/device", span_of(NULL, 0), buf_span(&desk->sent));
    responder_handle(desk->responder, &desk->exchange);
    (void)next_message(desk, IPC_KIND_enrol);
}

static void a_pkioperation_by_head_is_refused(void **state)
{
    struct desk *desk = *state;

    exchange_init(&desk->exchange, HTTP_HEAD, "/scep/device",
                  SPAN_LITERAL("operation=PKIOperation&message=AAAA"), span_of(NULL, 0));
    responder_handle(desk->responder, &desk->exchange);
    assert_int_equal(desk->exchange.status, 405);
}

/* --- What is refused here ----------------------------------------------- */

static void what_is_no_message_is_a_400_and_the_registrar_hears_of_it(void **state)
{
    struct desk *desk = *state;

    post(desk, "/scep/device", SPAN_LITERAL("this is no message"));
    assert_int_equal(desk->exchange.status, 400);
    assert_string_equal(desk->exchange.content_type, "text/plain");
    const struct ipc_refusal refusal = next_message(desk, IPC_KIND_refusal).refusal;
    assert_int_equal(refusal.fail_info, 255);
    assert_int_equal(refusal.http_status, 400);
    assert_text(refusal.path, "device");
    post(desk, "/scep/device", span_of(NULL, 0));
    assert_int_equal(desk->exchange.status, 400);
    post(desk, "/scep/nowhere", SPAN_LITERAL("x"));
    assert_int_equal(desk->exchange.status, 404);
}

static void a_message_type_without_a_rule_is_refused(void **state)
{
    struct desk *desk = *state;
    static const enum scep_message_type types[] = { SCEP_GET_CRL };

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        post_wish(desk, "/scep/device", &(struct wish){ .type = types[i] });
        assert_refused(desk, SCEP_BAD_REQUEST, "PKCSReq (19), RenewalReq (17)");
    }
}

static void a_bent_signature_is_refused(void **state)
{
    struct desk *desk = *state;

    world_message(desk->world, &plain_wish, &desk->sent);
    desk->sent.ptr[desk->sent.len - 1] ^= 1;
    post(desk, "/scep/device", buf_span(&desk->sent));
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, "");
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
    post_wish(desk, "/scep/device", &(struct wish){ .recipient = desk->world->ra_signing.cert });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    post_wish(desk, "/scep/device", &(struct wish){ .plain = SPAN_LITERAL("no request at all") });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    post_wish(desk, "/scep/device", &(struct wish){ .plain = buf_span(&bent) });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
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
        post_wish(
            desk, "/scep/device",
            &(struct wish){ .type = rows[i].type, .signer = rows[i].signer, .csr_key = rows[i].csr_key });
        if (!rows[i].asked) {
            assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, "that this CA has issued");
            continue;
        }
        const struct ipc_enrol enrol = next_message(desk, IPC_KIND_enrol).enrol;
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
    post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_GET_CERT, .signer = signer, .plain = buf_span(&id) });
}

static void a_get_cert_becomes_a_question_and_its_answer_one_certificate(void **state)
{
    struct desk *desk = *state;
    const struct world *w = desk->world;
    struct scep_answer answer = { 0 };

    ask_for(desk, &w->renewing, cert_get_subject(w->issuing.cert), SPAN_LITERAL("\x80\x17"));
    const struct ipc_lookup lookup = next_message(desk, IPC_KIND_lookup).lookup;
    assert_text(lookup.path, "device");
    assert_text(lookup.transaction, FIXTURE_TRANSACTION);
    assert_text(lookup.serial, "\x80\x17");
    assert_text(lookup.address, "192.0.2.17");
    assert_text(lookup.user_agent, "tester/1");
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
    assert_refused(desk, SCEP_BAD_REQUEST, "that this CA has issued");
    ask_for(desk, &w->stranger, ours, one);
    assert_refused(desk, SCEP_BAD_REQUEST, "that this CA has issued");
    ask_for(desk, &w->renewing, cert_get_subject(w->root.cert), one);
    assert_refused(desk, SCEP_BAD_CERT_ID, "the issuer is not the CA of this path");
    ask_for(desk, &w->renewing, ours, SPAN_LITERAL("\x01 a serial number with more than 20 octets"));
    assert_refused(desk, SCEP_BAD_CERT_ID, "too long");
}

static void what_does_not_open_to_an_identifier_gets_one_and_the_same_answer(void **state)
{
    struct desk *desk = *state;
    const struct party *signer = &desk->world->renewing;
    static const char same[] = "does not open to an IssuerAndSerialNumber";

    post_wish(desk, "/scep/device", &(struct wish){ .type = SCEP_GET_CERT, .signer = signer });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_GET_CERT, .signer = signer, .recipient = desk->world->ra_signing.cert });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_GET_CERT, .signer = signer, .plain = SPAN_LITERAL("\x30\x03\x02\x01\x05") });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
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
        post_wish(desk, "/scep/device", &(struct wish){ .type = SCEP_CERT_POLL, .plain = buf_span(&id) });
        const struct ipc_poll poll = next_message(desk, IPC_KIND_poll).poll;
        assert_text(poll.path, "device");
        assert_text(poll.transaction, FIXTURE_TRANSACTION);
        assert_true(span_equal(poll.signer, span_of(hash, sizeof hash)));
        assert_text(poll.address, "192.0.2.17");
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

    post_wish(desk, "/scep/device", &(struct wish){ .type = SCEP_CERT_POLL });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_CERT_POLL, .recipient = desk->world->ra_signing.cert });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
    post_wish(desk, "/scep/device",
              &(struct wish){ .type = SCEP_CERT_POLL, .plain = SPAN_LITERAL("\x30\x02\x30\x00") });
    assert_refused(desk, SCEP_BAD_MESSAGE_CHECK, same);
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
        post_wish(desk, rows[i].path,
                  &(struct wish){
                      .names = names, .names_count = rows[i].names_count, .challenge = rows[i].challenge });
        const struct ipc_enrol enrol = next_message(desk, IPC_KIND_enrol).enrol;
        assert_text(enrol.username, rows[i].username);
        assert_text(enrol.username_kind, rows[i].kind);
        assert_text(enrol.password, rows[i].password);
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
    post(desk, "/scep/device", buf_span(&desk->sent));
    assert_int_equal(desk->exchange.answers, 1);
    (void)next_message(desk, IPC_KIND_refusal);
}

/* --- The registrar comes and goes --------------------------------------- */

static void a_request_waits_for_a_registrar_and_is_asked_again_of_the_next_one(void **state)
{
    struct desk *desk = *state;
    AUTO(buf_clear) struct buf first = { 0 };

    responder_disconnect(desk->responder);
    ipc_channel_clear(&desk->registrar);
    post_wish(desk, "/scep/device", &plain_wish);
    assert_int_equal(desk->exchange.answers, 0);
    registrar_connect(desk->responder, &desk->registrar);
    struct ipc_enrol enrol = next_message(desk, IPC_KIND_enrol).enrol;
    must(buf_set(&first, enrol.csr));
    ipc_channel_clear(&desk->registrar);
    assert_int_equal(responder_listen(desk->responder), FAULT);
    assert_int_equal(desk->exchange.answers, 0);
    registrar_connect(desk->responder, &desk->registrar);
    enrol = next_message(desk, IPC_KIND_enrol).enrol;
    assert_true(span_equal(enrol.csr, buf_span(&first)));
    assert_text(enrol.password, "secret");
    registrar_decide(desk->responder, &desk->registrar,
                     &(struct ipc_decision){ .exchange = enrol.exchange, .status = PENDING });
    assert_int_equal(desk->exchange.answers, 1);
}

static void who_waits_too_long_is_told_to_come_again(void **state)
{
    struct desk *desk = *state;

    post_wish(desk, "/scep/device", &plain_wish);
    const int64_t number = next_message(desk, IPC_KIND_enrol).enrol.exchange;
    responder_expire(desk->responder, clock_monotonic_ms() + RESPONDER_WAIT_MS - 1000);
    assert_int_equal(desk->exchange.answers, 0);
    responder_expire(desk->responder, clock_monotonic_ms() + RESPONDER_WAIT_MS + 1);
    assert_int_equal(desk->exchange.answers, 1);
    assert_int_equal(desk->exchange.status, 503);
    assert_int_equal(desk->exchange.retry_after_s, RESPONDER_RETRY_AFTER_S);
    registrar_decide(desk->responder, &desk->registrar,
                     &(struct ipc_decision){ .exchange = number, .status = PENDING });
    assert_int_equal(desk->exchange.answers, 1);
}

static void many_requests_get_their_own_answers_in_any_order(void **state)
{
    struct desk *desk = *state;
    struct http_exchange exchanges[64];
    int64_t numbers[64];

    for (size_t i = 0; i < COUNT_OF(exchanges); i++) {
        world_message(desk->world, &plain_wish, &desk->sent);
        exchange_init(&exchanges[i], HTTP_POST, "/scep/device", span_of(NULL, 0), buf_span(&desk->sent));
        responder_handle(desk->responder, &exchanges[i]);
        numbers[i] = next_message(desk, IPC_KIND_enrol).enrol.exchange;
    }
    post_wish(desk, "/scep/device", &plain_wish); /* one more than connections_max */
    assert_int_equal(desk->exchange.status, 503);
    for (size_t i = COUNT_OF(exchanges); i-- > 0;) {
        assert_int_equal(exchanges[i].answers, 0);
        registrar_decide(desk->responder, &desk->registrar,
                         &(struct ipc_decision){ .exchange = numbers[i], .status = FAULT });
        assert_int_equal(exchanges[i].answers, 1);
        exchange_clear(&exchanges[i]);
    }
}

/* --- Too often -------------------------------------------------------------- */

static void limit(struct desk *desk, unsigned of_address, unsigned of_path, unsigned overall)
{
    int fd = -1;

    desk->world->config->address_rate_per_minute = of_address;
    desk->world->config->paths[0].rate_per_minute = of_path;
    desk->world->config->overall_rate_per_minute = overall;
    rates_close(desk->responder->rates);
    must(rates_create(&fd));
    must(rates_open(fd, &desk->responder->rates));
    close(fd);
}

/* How many of ten messages that are none get as far as to be read? */
static unsigned count_read(struct desk *desk)
{
    unsigned count = 0;

    for (int i = 0; i < 10; i++) {
        post(desk, "/scep/device", SPAN_LITERAL("this is no message"));
        assert_true(desk->exchange.status == 400 || desk->exchange.status == 429);
        count += desk->exchange.status == 400;
    }
    return count;
}

static void each_limit_is_answered_with_429_and_says_whose_it_is(void **state)
{
    static const struct {
        unsigned of_address, of_path, overall;
        const char *says;
    } cases[] = { { 3, 0, 0, "too many requests from this address; try again in 20 s" },
                  { 0, 3, 0, "too many requests on this path; try again in 20 s" },
                  { 0, 0, 3, "too many requests for this server; try again in 20 s" },
                  { 3, 4, 5, "too many requests from this address; try again in 20 s" } };
    struct desk *desk = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        limit(desk, cases[i].of_address, cases[i].of_path, cases[i].overall);
        assert_int_equal(count_read(desk), 3);
        assert_says(desk, cases[i].says);
        assert_int_equal(desk->exchange.retry_after_s, 20);
        get(desk, "/scep/device", "operation=GetCACaps");
        assert_int_equal(desk->exchange.status, 200);
    }
    limit(desk, 0, 0, 0);
    assert_int_equal(count_read(desk), 10);
}

static void a_flood_that_is_refused_is_one_event(void **state)
{
    struct desk *desk = *state;
    struct ipc_message message;
    unsigned count = 0;

    limit(desk, 1, 0, 0);
    for (int i = 0; i < 10; i++)
        (void)count_read(desk);
    while (registrar_next(&desk->registrar, &message))
        count += message.refusal.http_status == 429;
    assert_int_equal(count, 1);
    limit(desk, 0, 0, 0);
}

#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, open_desk, close_desk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_DESK(every_url_is_answered_as_the_table_says),
        AT_DESK(capabilities_name_des3_and_sha1_only_where_the_path_allows_them),
        AT_DESK(health_is_bad_while_there_is_no_registrar),
        AT_DESK(the_bundle_goes_from_the_ra_up_to_the_root),
        AT_DESK(the_bundle_has_both_ra_certificates_and_no_root_where_the_path_says_so),
        AT_DESK(an_identifier_picks_one_certificate_or_the_bundle),
        AT_DESK(an_unknown_identifier_is_404_and_the_text_says_which_there_are),
        AT_DESK(a_request_becomes_a_question_with_everything_in_it),
        AT_DESK(a_decision_ok_becomes_a_certrep_with_the_certificate),
        AT_DESK(a_certrep_carries_the_chain_where_the_path_says_so),
        AT_DESK(every_other_decision_becomes_what_the_table_says),
        AT_DESK(a_decision_to_come_again_is_a_429_with_retry_after),
        AT_DESK(a_decision_for_nobody_changes_nothing),
        AT_DESK(a_message_by_get_is_read_however_it_is_spelled),
        AT_DESK(a_post_without_an_operation_is_a_pkioperation),
        AT_DESK(a_pkioperation_by_head_is_refused),
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
        AT_DESK(a_request_waits_for_a_registrar_and_is_asked_again_of_the_next_one),
        AT_DESK(who_waits_too_long_is_told_to_come_again),
        AT_DESK(many_requests_get_their_own_answers_in_any_order),
        AT_DESK(each_limit_is_answered_with_429_and_says_whose_it_is),
        AT_DESK(a_flood_that_is_refused_is_one_event),
    };

    log_init("responder test", LOG_ERROR);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_free();
    return failed;
}
