/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/issue.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/test.h"
#include "server/signer/fixture.h"

#include <limits.h>
#include <stdio.h>

/* An issuer on a journal of its own. */
struct bench {
    struct issuer *issuer;
    struct journal *journal;
    struct buf certificate;
    uint64_t sequence;
};

static void bench_open(struct bench *bench, const struct fixture *fixture)
{
    *bench = (struct bench){ 0 };
    assert_int_equal(issuer_new(fixture->config, &bench->issuer), OK);
    assert_int_equal(journal_open(fixture->journal, JOURNAL_SEGMENT_BYTES, &bench->journal), OK);
    issuer_set_journal(bench->issuer, bench->journal);
}

static void bench_clear(struct bench *bench)
{
    journal_free(bench->journal);
    issuer_free(bench->issuer);
    buf_clear(&bench->certificate);
}

static enum status issue_at(struct bench *bench, const struct ipc_issue *order, int64_t now_s)
{
    return issuer_issue(bench->issuer, order, now_s, &bench->certificate, &bench->sequence);
}

static enum status issue(struct bench *bench, const struct ipc_issue *order)
{
    return issue_at(bench, order, clock_now_s());
}

static void assert_refused(const struct fixture *fixture, const struct ipc_issue *order, const char *why)
{
    AUTO(bench_clear) struct bench bench;

    bench_open(&bench, fixture);
    assert_int_equal(issue(&bench, order), REFUSED);
    assert_non_null(strstr(fail_text(), why));
    assert_int_equal(journal_pending_count(bench.journal), 0);
}

static void an_order_that_fits_its_template_is_issued(void **state)
{
    struct fixture *fixture = *state;
    const struct ipc_issue order = fixture_order(fixture);
    AUTO(bench_clear) struct bench bench;
    AUTO(cert_freep) struct cert *cert = NULL;

    bench_open(&bench, fixture);
    assert_int_equal(issue(&bench, &order), OK);
    assert_int_equal(bench.sequence, 1);
    assert_int_equal(journal_pending_count(bench.journal), 1);
    assert_int_equal(cert_parse(buf_span(&bench.certificate), &cert), OK);
    assert_true(span_equal(cert_get_serial(cert), order.serial));
    assert_true(span_equal(cert_get_subject(cert), order.subject));
    assert_true(span_equal(cert_get_subject_alt_name(cert), order.san));
    assert_true(span_equal(cert_get_spki(cert), order.spki));
    assert_int_equal(cert_not_after_s(cert), order.not_after_s);
    /* The template's keyEncipherment is for RSA keys; cert_issue() leaves it out for this EC key. */
    assert_int_equal(cert_key_usage(cert) & ~KEY_USAGE_KEY_ENCIPHERMENT, KEY_USAGE_DIGITAL_SIGNATURE);
    assert_false(cert_is_ca(cert));
}

static void the_issued_certificate_verifies_under_its_authority(void **state)
{
    struct fixture *fixture = *state;
    const struct ipc_issue order = fixture_order(fixture);
    AUTO(bench_clear) struct bench bench;
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(cert_freep) struct cert *authority = NULL;
    const struct cert_list none = { 0 };

    bench_open(&bench, fixture);
    assert_int_equal(issue(&bench, &order), OK);
    assert_int_equal(cert_parse(buf_span(&bench.certificate), &cert), OK);
    assert_int_equal(cert_load(fixture->config->authorities[0].certificate, &authority), OK);
    assert_int_equal(chain_verify(cert, &none, authority, clock_now_s()), OK);
}

static void the_same_order_again_gives_the_same_certificate(void **state)
{
    struct fixture *fixture = *state;
    const struct ipc_issue order = fixture_order(fixture);
    AUTO(bench_clear) struct bench bench;
    AUTO(buf_clear) struct buf first = { 0 };

    bench_open(&bench, fixture);
    assert_int_equal(issue(&bench, &order), OK);
    assert_int_equal(buf_set(&first, buf_span(&bench.certificate)), OK);
    assert_int_equal(issue(&bench, &order), OK); /* in the same batch */
    assert_true(span_equal(buf_span(&first), buf_span(&bench.certificate)));
    assert_int_equal(bench.sequence, 1);
    assert_int_equal(journal_pending_count(bench.journal), 1);
    assert_int_equal(journal_commit(bench.journal), OK);
    bench_clear(&bench);
    bench_open(&bench, fixture);
    assert_int_equal(issue(&bench, &order), OK); /* by a signer that was started again */
    assert_true(span_equal(buf_span(&first), buf_span(&bench.certificate)));
    assert_int_equal(bench.sequence, 1);
    assert_int_equal(journal_pending_count(bench.journal), 0);
}

static void a_used_serial_number_for_other_content_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct ipc_issue order = fixture_order(fixture);
    AUTO(bench_clear) struct bench bench;
    AUTO(private_key_freep) struct private_key *other = NULL;

    assert_int_equal(private_key_generate((struct key_spec){ KEY_EC_P256, 256 }, &other), OK);
    struct ipc_issue changed[5] = { order, order, order, order, order };
    changed[0].spki = public_key_get_spki(private_key_get_public(other));
    changed[1].device = SPAN_LITERAL("gw-18");
    changed[2].not_after_s--;
    changed[3].not_before_s++;
    changed[4].san = span_of(NULL, 0);
    bench_open(&bench, fixture);
    assert_int_equal(issue(&bench, &order), OK);
    for (size_t i = 0; i < COUNT_OF(changed); i++) {
        assert_int_equal(issue(&bench, &changed[i]), REFUSED);
        assert_non_null(strstr(fail_text(), "serial number was used"));
    }
    assert_int_equal(journal_pending_count(bench.journal), 1);
}

static void unknown_authorities_and_templates_are_refused(void **state)
{
    struct ipc_issue order = fixture_order(*state);

    order.authority = SPAN_LITERAL("nobody");
    assert_refused(*state, &order, "no authority");
    order.authority = SPAN_LITERAL("issuing");
    order.template = SPAN_LITERAL("nothing");
    assert_refused(*state, &order, "no template");
}

static void a_template_that_no_path_joins_to_the_authority_is_refused(void **state)
{
    struct ipc_issue order = fixture_order(*state);

    order.template = SPAN_LITERAL("unused");
    assert_refused(*state, &order, "no path");
}

static void serial_numbers_of_another_shape_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_issue order = fixture_order(fixture);

    order.serial.len = 19;
    assert_refused(fixture, &order, "19 octets");
    order.serial.len = 20;
    fixture->serial[0] = 0x80;
    assert_refused(fixture, &order, "begins with 80");
}

static void dates_that_the_template_does_not_allow_are_refused(void **state)
{
    const struct ipc_issue good = fixture_order(*state);
    const int64_t now_s = clock_now_s();
    struct ipc_issue order = good;

    order.not_before_s = now_s + 60;
    assert_refused(*state, &order, "in the future");
    order.not_before_s = now_s - 7 * 86400 - 10;
    assert_refused(*state, &order, "in the past");
    order = good;
    order.not_after_s = order.not_before_s;
    assert_refused(*state, &order, "not later");
    order.not_after_s = good.not_after_s + 10;
    assert_refused(*state, &order, "a lifetime of");
    order.not_after_s = INT64_MAX;
    assert_refused(*state, &order, "a lifetime of");
}

static void an_order_that_a_crash_left_behind_is_issued_within_a_week(void **state)
{
    struct fixture *fixture = *state;
    const struct ipc_issue order = fixture_order(fixture);
    AUTO(bench_clear) struct bench bench;

    bench_open(&bench, fixture);
    assert_int_equal(issue_at(&bench, &order, clock_now_s() + 6 * 86400), OK);
}

static void dates_beyond_the_authority_are_refused(void **state)
{
    struct fixture *fixture = *state;
    AUTO(bench_clear) struct bench bench;
    struct ipc_issue order = fixture_order(fixture);

    order.not_before_s += 40 * 86400;
    order.not_after_s += 40 * 86400;
    bench_open(&bench, fixture);
    assert_int_equal(issue_at(&bench, &order, clock_now_s() + 40 * 86400), REFUSED);
    assert_non_null(strstr(fail_text(), "authority issuing"));
}

static void keys_that_the_template_does_not_allow_are_refused(void **state)
{
    struct ipc_issue order = fixture_order(*state);
    AUTO(private_key_freep) struct private_key *p384 = NULL;

    assert_int_equal(private_key_generate((struct key_spec){ KEY_EC_P384, 384 }, &p384), OK);
    order.spki = public_key_get_spki(private_key_get_public(p384));
    assert_refused(*state, &order, "");
    order.spki = SPAN_LITERAL("\x30\x00");
    assert_refused(*state, &order, "");
}

static void names_that_the_template_does_not_make_are_refused(void **state)
{
    const struct ipc_issue good = fixture_order(*state);
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };
    static const char *const two[] = { "DNS:gw-17", "DNS:www.example" };
    struct ipc_issue order = good;

    assert_int_equal(name_parse_text("CN=gw-18,O=Example", &subject), OK);
    order.subject = buf_span(&subject);
    assert_refused(*state, &order, "");
    order = good;
    assert_int_equal(general_names_parse_text(two, 2, &san), OK);
    order.san = buf_span(&san);
    assert_refused(*state, &order, "");
    order = good;
    order.device = SPAN_LITERAL("gw-18");
    assert_refused(*state, &order, "");
    order.device = SPAN_LITERAL("gw\0-17");
    assert_refused(*state, &order, "NUL");
}

static void a_key_that_is_not_the_certificates_does_not_load(void **state)
{
    struct fixture *fixture = *state;
    struct issuer *issuer = NULL;
    struct config config = *fixture->config;

    /* The authority's own key, and a certificate of another key. */
    AUTO(bench_clear) struct bench bench;
    AUTO(buf_clear) struct buf pem = { 0 };
    AUTO(cert_freep) struct cert *cert = NULL;
    const struct ipc_issue order = fixture_order(fixture);
    bench_open(&bench, fixture);
    assert_int_equal(issue(&bench, &order), OK);
    assert_int_equal(cert_parse(buf_span(&bench.certificate), &cert), OK);
    assert_int_equal(cert_append_pem(cert, &pem), OK);
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/other.pem", fixture->directory);
    assert_int_equal(file_create(path, buf_span(&pem), 0644), OK);
    assert_int_equal(span_to_text(span_of_text(path), config.authorities[0].certificate, PATH_MAX), OK);
    assert_int_equal(issuer_new(&config, &issuer), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "is not the key of"));
}

/* The server's own TLS certificate: for the names of the configuration, and for no other. */
static void a_tls_section_is_issued_for_its_names_and_no_others(void **state)
{
    struct fixture *fixture = *state;
    struct ipc_issue order = fixture_order(fixture);
    const struct template *t = config_find_template(fixture->config, SPAN_LITERAL("tls:own"));
    AUTO(bench_clear) struct bench bench;
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(buf_clear) struct buf wrong = { 0 };

    assert_int_equal(template_expand_names(t, "", "", &subject, &san), OK);
    order.template = SPAN_LITERAL("tls:own");
    order.device = order.username = span_of(NULL, 0);
    order.subject = buf_span(&subject);
    order.san = buf_span(&san);
    assert_refused(fixture, &order, "a lifetime of");
    order.not_after_s = order.not_before_s + 20 * 86400;
    bench_open(&bench, fixture);
    assert_int_equal(issue(&bench, &order), OK);
    bench_clear(&bench);
    bench_open(&bench, fixture);
    order = fixture_order(fixture);
    order.template = SPAN_LITERAL("tls:own");
    order.not_after_s = order.not_before_s + 20 * 86400;
    assert_int_equal(issue(&bench, &order), REFUSED);
    assert_int_equal(general_names_parse_text((const char *const[]){ "DNS:elsewhere.example" }, 1, &wrong), OK);
    order.subject = buf_span(&subject);
    order.san = buf_span(&wrong);
    assert_int_equal(issue(&bench, &order), REFUSED);
    fixture->config->tls[0].issue_from = CONFIG_NONE;
    order.san = buf_span(&san);
    assert_int_equal(issue(&bench, &order), REFUSED);
    assert_non_null(strstr(fail_text(), "no path lets authority issuing issue by template tls:own"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {
        TEST(an_order_that_fits_its_template_is_issued),
        TEST(a_tls_section_is_issued_for_its_names_and_no_others),
        TEST(the_issued_certificate_verifies_under_its_authority),
        TEST(the_same_order_again_gives_the_same_certificate),
        TEST(a_used_serial_number_for_other_content_is_refused),
        TEST(unknown_authorities_and_templates_are_refused),
        TEST(a_template_that_no_path_joins_to_the_authority_is_refused),
        TEST(serial_numbers_of_another_shape_are_refused),
        TEST(dates_that_the_template_does_not_allow_are_refused),
        TEST(an_order_that_a_crash_left_behind_is_issued_within_a_week),
        TEST(dates_beyond_the_authority_are_refused),
        TEST(keys_that_the_template_does_not_allow_are_refused),
        TEST(names_that_the_template_does_not_make_are_refused),
        TEST(a_key_that_is_not_the_certificates_does_not_load),
    };

    log_init("issue_test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
