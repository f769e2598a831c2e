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
        desk_get(desk, rows[i].path, rows[i].query);
        if (desk->exchange.status != rows[i].status)
            print_error("%s?%s: %d\n", rows[i].path, rows[i].query, desk->exchange.status);
        assert_int_equal(desk->exchange.answers, 1);
        assert_int_equal(desk->exchange.status, rows[i].status);
        assert_string_equal(desk->exchange.content_type, rows[i].type);
        desk_assert_says(desk, rows[i].part);
    }
}

static void capabilities_name_des3_and_sha1_only_where_the_path_allows_them(void **state)
{
    struct desk *desk = *state;

    desk_get(desk, "/scep/device", "operation=GetCACaps");
    assert_null(strstr(buf_text(&desk->exchange.body), "DES3"));
    assert_null(strstr(buf_text(&desk->exchange.body), "SHA-1\n"));
}

static void health_is_bad_while_there_is_no_registrar(void **state)
{
    struct desk *desk = *state;

    responder_disconnect(desk->responder);
    desk_get(desk, "/healthz", "");
    assert_int_equal(desk->exchange.status, 503);
    assert_int_equal(desk->exchange.retry_after_s, RESPONDER_RETRY_AFTER_S);
}

/* --- GetCACert ---------------------------------------------------------- */

static void assert_bundle(struct desk *desk, const char *path, const struct party *const *parties,
                          size_t count)
{
    struct cert_list certs = { 0 };

    desk_get(desk, path, "operation=GetCACert");
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
        desk_get(desk, "/scep/device", query);
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

    desk_get(desk, "/scep/device", "operation=GetCACert&message=level-2");
    assert_int_equal(desk->exchange.status, 404);
    desk_assert_says(desk, "device (everything), root, level-0 (Test Issuing, CA), level-1 (Test Root CA)");
    assert_int_equal(desk_next_message(desk, IPC_KIND_refusal).refusal.http_status, 404);
    desk_get(desk, "/scep/device", "operation=GetCACert&message=%00");
    assert_int_equal(desk->exchange.status, 404);
}

/* --- A PKIOperation's way ----------------------------------------------- */

static void a_request_becomes_a_question_with_everything_in_it(void **state)
{
    struct desk *desk = *state;
    static const char *const names[] = { "email:a@example.net", "DNS:gw-17.example.net",
                                         "DNS:second.example.net" };

    desk_post_wish(desk, "/scep/device/pkiclient.exe",
              &(struct wish){ .names = names, .names_count = COUNT_OF(names), .challenge = "pass:word" });
    const struct ipc_enrol enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
    assert_int_equal(desk->exchange.answers, 0);
    assert_span(enrol.path, "device");
    assert_int_equal(enrol.message_type, 19);
    assert_span(enrol.transaction, FIXTURE_TRANSACTION);
    assert_span(enrol.username, "gw-17.example.net");
    assert_span(enrol.username_kind, "dns");
    assert_span(enrol.password, "pass:word");
    assert_int_equal(enrol.proof.len, 0);
    assert_span(enrol.address, "192.0.2.17");
    assert_span(enrol.user_agent, "tester/1");
    struct csr *csr = NULL;
    assert_int_equal(csr_parse(enrol.csr, &csr), OK);
    csr_free(csr);
}

static void a_decision_ok_becomes_a_certrep_with_the_certificate(void **state)
{
    struct desk *desk = *state;
    struct scep_answer answer = { 0 };

    desk_post_wish(desk, "/scep/device", &plain_wish);
    const struct ipc_enrol enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
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

    desk_post_wish(desk, "/scep/old", &plain_wish);
    const struct ipc_enrol enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
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
        desk_post_wish(desk, "/scep/device", &plain_wish);
        const struct ipc_enrol enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
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

    desk_post_wish(desk, "/scep/device", &plain_wish);
    const struct ipc_enrol enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
    registrar_decide(desk->responder, &desk->registrar,
                     &(struct ipc_decision){ .exchange = enrol.exchange,
                                             .status = REFUSED,
                                             .retry_after_s = 17,
                                             .text = SPAN_LITERAL("too often") });
    assert_int_equal(desk->exchange.answers, 1);
    assert_int_equal(desk->exchange.status, 429);
    assert_int_equal(desk->exchange.retry_after_s, 17);
    desk_assert_says(desk, "too often; try again in 17 s");
}

static void a_decision_for_nobody_changes_nothing(void **state)
{
    struct desk *desk = *state;
    static const int64_t strange[] = { 1, 64, 4711, -1, INT64_MAX, INT64_MIN };

    desk_post_wish(desk, "/scep/device", &plain_wish);
    assert_int_equal(desk_next_message(desk, IPC_KIND_enrol).enrol.exchange, 0);
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
    (void)desk_next_message(desk, IPC_KIND_enrol);
}

static void a_pkioperation_by_head_is_refused(void **state)
{
    struct desk *desk = *state;

    exchange_init(&desk->exchange, HTTP_HEAD, "/scep/device",
                  SPAN_LITERAL("operation=PKIOperation&message=AAAA"), span_of(NULL, 0));
    responder_handle(desk->responder, &desk->exchange);
    assert_int_equal(desk->exchange.status, 405);
}

/* --- The registrar comes and goes --------------------------------------- */

static void a_request_waits_for_a_registrar_and_is_asked_again_of_the_next_one(void **state)
{
    struct desk *desk = *state;
    AUTO(buf_clear) struct buf first = { 0 };

    responder_disconnect(desk->responder);
    ipc_channel_clear(&desk->registrar);
    desk_post_wish(desk, "/scep/device", &plain_wish);
    assert_int_equal(desk->exchange.answers, 0);
    registrar_connect(desk->responder, &desk->registrar);
    struct ipc_enrol enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
    must(buf_set(&first, enrol.csr));
    ipc_channel_clear(&desk->registrar);
    assert_int_equal(responder_listen(desk->responder), FAULT);
    assert_int_equal(desk->exchange.answers, 0);
    registrar_connect(desk->responder, &desk->registrar);
    enrol = desk_next_message(desk, IPC_KIND_enrol).enrol;
    assert_true(span_equal(enrol.csr, buf_span(&first)));
    assert_span(enrol.password, "secret");
    registrar_decide(desk->responder, &desk->registrar,
                     &(struct ipc_decision){ .exchange = enrol.exchange, .status = PENDING });
    assert_int_equal(desk->exchange.answers, 1);
}

static void who_waits_too_long_is_told_to_come_again(void **state)
{
    struct desk *desk = *state;

    desk_post_wish(desk, "/scep/device", &plain_wish);
    const int64_t number = desk_next_message(desk, IPC_KIND_enrol).enrol.exchange;
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
        numbers[i] = desk_next_message(desk, IPC_KIND_enrol).enrol.exchange;
    }
    desk_post_wish(desk, "/scep/device", &plain_wish); /* one more than connections_max */
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
        desk_post(desk, "/scep/device", SPAN_LITERAL("this is no message"));
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
        desk_assert_says(desk, cases[i].says);
        assert_int_equal(desk->exchange.retry_after_s, 20);
        desk_get(desk, "/scep/device", "operation=GetCACaps");
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

#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, desk_open, desk_close)

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
