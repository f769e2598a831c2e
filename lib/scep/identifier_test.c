/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scep/fixture.h"

#include "lib/base/test.h"

#include <stdlib.h>

/* An empty Name. */
#define NO_NAME "\x30\x00"

static void what_is_built_is_read_back(void **state)
{
    static const uint8_t zero[] = { 0 }, high[] = { 0x80, 1 };
    const struct fixture *f = fixture_get();
    const struct span serials[] = { cert_get_serial(f->client.cert), span_of(zero, 1), span_of(high, 2) };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(serials); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        struct scep_certificate_id id = { cert_get_issuer(f->client.cert), serials[i] }, read;
        assert_int_equal(scep_certificate_id_build(&id, &der), OK);
        assert_int_equal(scep_certificate_id_parse(buf_span(&der), &read), OK);
        assert_true(span_equal(read.issuer, id.issuer));
        assert_true(span_equal(read.serial, id.serial));
    }
}

static void a_truncated_identifier_is_refused_at_every_length(void **state)
{
    const struct fixture *f = fixture_get();
    AUTO(buf_clear) struct buf der = { 0 };
    const struct scep_certificate_id id = { cert_get_issuer(f->client.cert), cert_get_serial(f->client.cert) };
    struct scep_certificate_id read;

    (void)state;
    assert_int_equal(scep_certificate_id_build(&id, &der), OK);
    for (size_t len = 0; len < der.len; len++) {
        uint8_t *copy = malloc(len + 1); /* of its own, so that the sanitizer sees a byte too far */
        assert_non_null(copy);
        memcpy(copy, der.ptr, len);
        assert_int_equal(scep_certificate_id_parse(span_of(copy, len), &read), BAD_INPUT);
        free(copy);
    }
}

static void an_identifier_in_any_other_form_is_refused(void **state)
{
    static const struct span bad[] = {
        SPAN_LITERAL("\x30\x00"),                                         /* nothing in it */
        SPAN_LITERAL("\x30\x02" NO_NAME),                                 /* no serial number */
        SPAN_LITERAL("\x30\x03\x02\x01\x05"),                             /* no issuer */
        SPAN_LITERAL("\x30\x05\x31\x00\x02\x01\x05"),                     /* a SET as issuer */
        SPAN_LITERAL("\x31\x05" NO_NAME "\x02\x01\x05"),                  /* a SET */
        SPAN_LITERAL("\x30\x05" NO_NAME "\x04\x01\x05"),                  /* an OCTET STRING as serial number */
        SPAN_LITERAL("\x30\x04" NO_NAME "\x02\x00"),                      /* an INTEGER without octets */
        SPAN_LITERAL("\x30\x05" NO_NAME "\x02\x01\x85"),                  /* negative */
        SPAN_LITERAL("\x30\x06" NO_NAME "\x02\x02\x00\x05"),              /* superfluous octet */
        SPAN_LITERAL("\x30\x05" NO_NAME "\x02\x01\x05\x00"),              /* bytes behind the end */
        SPAN_LITERAL("\x30\x07" NO_NAME "\x02\x01\x05\x05\x00"),          /* one element too many */
        SPAN_LITERAL("\x30\x80" NO_NAME "\x02\x01\x05\x00\x00"),          /* indefinite length */
        SPAN_LITERAL("\x30\x81\x05" NO_NAME "\x02\x01\x05"),              /* a length in more octets than it needs */
        SPAN_LITERAL("\x30\x07\x30\x02\x0c\x05\x02\x01\x05"),             /* a broken issuer */
    };
    struct scep_certificate_id read;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (scep_certificate_id_parse(bad[i], &read) != BAD_INPUT)
            print_error("row %zu is taken\n", i);
        assert_int_equal(scep_certificate_id_parse(bad[i], &read), BAD_INPUT);
    }
}

static void a_poll_is_read_back_and_refused_at_every_shorter_length(void **state)
{
    const struct fixture *f = fixture_get();
    AUTO(buf_clear) struct buf der = { 0 };
    const struct scep_poll_id id = { cert_get_subject(f->ca.cert), cert_get_subject(f->client.cert) };
    struct scep_poll_id read;

    (void)state;
    assert_int_equal(scep_poll_id_build(&id, &der), OK);
    assert_int_equal(scep_poll_id_parse(buf_span(&der), &read), OK);
    assert_true(span_equal(read.issuer, id.issuer) && span_equal(read.subject, id.subject));
    for (size_t len = 0; len < der.len; len++) {
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, der.ptr, len);
        assert_int_equal(scep_poll_id_parse(span_of(copy, len), &read), BAD_INPUT);
        free(copy);
    }
}

static void a_poll_in_any_other_form_is_refused(void **state)
{
    static const struct span bad[] = {
        SPAN_LITERAL("\x30\x00"),                         /* nothing in it */
        SPAN_LITERAL("\x30\x02" NO_NAME),                 /* one name */
        SPAN_LITERAL("\x30\x06" NO_NAME NO_NAME NO_NAME), /* three */
        SPAN_LITERAL("\x30\x04" NO_NAME "\x31\x00"),     /* a SET as subject */
        SPAN_LITERAL("\x30\x05" NO_NAME "\x02\x01\x05"), /* that is an IssuerAndSerialNumber */
        SPAN_LITERAL("\x31\x04" NO_NAME NO_NAME),         /* a SET */
        SPAN_LITERAL("\x30\x04" NO_NAME NO_NAME "\x00"),  /* bytes behind the end */
        SPAN_LITERAL("\x30\x81\x04" NO_NAME NO_NAME),     /* a length in more octets than it needs */
    };
    struct scep_poll_id read;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(scep_poll_id_parse(bad[i], &read), BAD_INPUT);
    uint8_t *huge = calloc(1, 1 << 20);
    assert_non_null(huge);
    AUTO(buf_clear) struct buf der = { 0 };
    struct der_writer w = { &der, OK };
    der_put(&w, DER_SEQUENCE, span_of(huge, 1 << 20));
    assert_int_equal(der_status(&w), OK);
    assert_int_equal(scep_poll_id_parse(buf_span(&der), &read), BAD_INPUT);
    free(huge);
}

static void a_serial_number_of_a_megabyte_is_refused(void **state)
{
    AUTO(buf_clear) struct buf der = { 0 };
    struct scep_certificate_id read;
    uint8_t *serial = calloc(1, 1 << 20);

    (void)state;
    assert_non_null(serial);
    serial[0] = 1;
    const struct scep_certificate_id id = { SPAN_LITERAL(NO_NAME), span_of(serial, 1 << 20) };
    assert_int_equal(scep_certificate_id_build(&id, &der), OK);
    assert_int_equal(scep_certificate_id_parse(buf_span(&der), &read), BAD_INPUT);
    free(serial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_is_read_back),
        cmocka_unit_test(a_truncated_identifier_is_refused_at_every_length),
        cmocka_unit_test(an_identifier_in_any_other_form_is_refused),
        cmocka_unit_test(a_poll_is_read_back_and_refused_at_every_shorter_length),
        cmocka_unit_test(a_poll_in_any_other_form_is_refused),
        cmocka_unit_test(a_serial_number_of_a_megabyte_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, fixture_forget);
}
