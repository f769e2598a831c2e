/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/der.h"

#include "lib/base/test.h"

#include <stdlib.h>

static void every_length_is_written_as_it_is_read(void **state)
{
    static const size_t lengths[] = { 0, 1, 127, 128, 255, 256, 65535, 65536 };
    static uint8_t bytes[65536];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTO(buf_clear) struct buf out = { 0 };
        struct der_writer w = { &out, OK };
        struct span inside, content;
        const size_t start = der_open(&w, DER_SEQUENCE);
        der_put(&w, DER_OCTET_STRING, span_of(bytes, lengths[i]));
        der_close(&w, start);
        assert_int_equal(der_status(&w), OK);
        assert_int_equal(der_check(buf_span(&out)), OK);
        assert_int_equal(der_only(buf_span(&out), DER_SEQUENCE, &inside), OK);
        assert_int_equal(der_only(inside, DER_OCTET_STRING, &content), OK);
        assert_int_equal(content.len, lengths[i]);
    }
}

static void a_length_that_is_not_der_is_refused(void **state)
{
    static const struct span bad[] = {
        SPAN_LITERAL("\x04"),                     /* no length */
        SPAN_LITERAL("\x04\x02\x00"),             /* truncated */
        SPAN_LITERAL("\x04\x81\x01\x00"),         /* long form where the short one does */
        SPAN_LITERAL("\x04\x82\x00\x80"),         /* leading zero */
        SPAN_LITERAL("\x04\x84\x00\x00\x00\x00"), /* four octets */
        SPAN_LITERAL("\x04\x84\xff\xff\xff\xff"),
        SPAN_LITERAL("\x04\xff"),
        SPAN_LITERAL("\x30\x80\x00\x00"),     /* indefinite */
        SPAN_LITERAL("\x1f\x81\x01\x00"),     /* high tag number */
        SPAN_LITERAL("\x24\x02\x04\x00"),     /* constructed OCTET STRING */
        SPAN_LITERAL("\x10\x00"),             /* primitive SEQUENCE */
        SPAN_LITERAL("\x04\x00\x00"),         /* something behind it */
        SPAN_LITERAL("\x30\x02\x04\x01"),     /* inner one longer than the outer one */
    };

    (void)state;
    assert_int_equal(der_check((struct span){ 0 }), BAD_INPUT);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(der_check(bad[i]), BAD_INPUT);
}

static void nesting_has_an_end(void **state)
{
    uint8_t deep[100];

    (void)state;
    for (size_t i = 0; i < sizeof deep; i += 2) {
        deep[i] = DER_SEQUENCE;
        deep[i + 1] = (uint8_t)(sizeof deep - i - 2);
    }
    assert_int_equal(der_check(span_of(deep, sizeof deep)), BAD_INPUT);
    assert_int_equal(der_check(span_of(deep + 80, 20)), OK);
}

static void a_time_is_written_as_it_is_read(void **state)
{
    static const struct {
        int64_t when_s;
        const char *text;
        uint8_t tag;
    } times[] = {
        { 0, "700101000000Z", DER_UTC_TIME },
        { -1, "691231235959Z", DER_UTC_TIME },
        { -631152000, "500101000000Z", DER_UTC_TIME },
        { -631152001, "19491231235959Z", DER_GENERALIZED_TIME },
        { 951782400, "000229000000Z", DER_UTC_TIME },
        { 1795455000, "261123173000Z", DER_UTC_TIME },
        { 2524607999, "491231235959Z", DER_UTC_TIME },
        { 2524608000, "20500101000000Z", DER_GENERALIZED_TIME },
        { 253402300799, "99991231235959Z", DER_GENERALIZED_TIME },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        AUTO(buf_clear) struct buf out = { 0 };
        struct der_writer w = { &out, OK };
        der_put_time(&w, times[i].when_s);
        assert_int_equal(der_status(&w), OK);
        struct span rest = buf_span(&out);
        struct der element;
        assert_int_equal(der_next(&rest, &element), OK);
        assert_int_equal(element.tag, times[i].tag);
        assert_true(span_equal(element.content, span_of_text(times[i].text)));
        int64_t when_s = 0;
        assert_int_equal(der_time(&element, &when_s), OK);
        assert_int_equal(when_s, times[i].when_s);
    }
}

static void a_time_that_does_not_exist_is_refused(void **state)
{
    static const char *const bad[] = { "260229000000Z", "260001000000Z", "261301000000Z", "260100000000Z",
                                       "260101240000Z", "260101006000Z", "260101000060Z", "2601010000Z",
                                       "260101000000",  "26010100000xZ", "2601010000+01", "" };
    int64_t when_s = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct der element = { .tag = DER_UTC_TIME, .content = span_of_text(bad[i]) };
        assert_int_equal(der_time(&element, &when_s), BAD_INPUT);
    }
}

static void a_year_beyond_9999_is_not_written(void **state)
{
    AUTO(buf_clear) struct buf out = { 0 };
    struct der_writer w = { &out, OK };

    (void)state;
    der_put_time(&w, 253402300800);
    assert_int_equal(der_status(&w), BAD_INPUT);
}

static void numbers_are_positive_and_minimal(void **state)
{
    struct span number;
    AUTO(buf_clear) struct buf out = { 0 };
    struct der_writer w = { &out, OK };

    (void)state;
    assert_int_equal(der_unsigned(SPAN_LITERAL("\x00\x80"), &number), OK);
    assert_true(span_equal(number, SPAN_LITERAL("\x80")));
    assert_int_equal(der_unsigned(SPAN_LITERAL("\x80"), &number), BAD_INPUT);
    assert_int_equal(der_unsigned(SPAN_LITERAL("\x00\x7f"), &number), BAD_INPUT);
    assert_int_equal(der_unsigned((struct span){ 0 }, &number), BAD_INPUT);
    der_put_unsigned(&w, SPAN_LITERAL("\x00\x00\x80"));
    der_put_unsigned(&w, (struct span){ 0 });
    assert_true(span_equal(buf_span(&out), SPAN_LITERAL("\x02\x02\x00\x80\x02\x01\x00")));
}

static void object_identifiers_become_text_and_back(void **state)
{
    AUTO(buf_clear) struct buf out = { 0 };
    struct der_writer w = { &out, OK };
    char text[DER_OID_TEXT_BYTES];
    uint8_t huge[4096];

    (void)state;
    der_put_oid_text(&w, "1.3.6.1.5.5.7.3.2");
    assert_int_equal(der_oid_text(span_of(out.ptr + 2, out.len - 2), text), OK);
    assert_string_equal(text, "1.3.6.1.5.5.7.3.2");
    memset(huge, 0x81, sizeof huge);
    huge[sizeof huge - 1] = 1;
    assert_int_equal(der_oid_text(span_of(huge, sizeof huge), text), BAD_INPUT);
    assert_int_equal(der_oid_text(SPAN_LITERAL("\x2a\x80"), text), BAD_INPUT);
    der_put_oid_text(&w, "1.x");
    assert_int_equal(der_status(&w), BAD_INPUT);
}

static void an_object_identifier_is_whole_and_minimal(void **state)
{
    (void)state;
    assert_int_equal(der_oid_check(SPAN_LITERAL("\x2a")), OK);
    assert_int_equal(der_oid_check(SPAN_LITERAL("\x2a\x83\x80\x01")), OK); /* 0x80 within an arc */
    assert_int_equal(der_oid_check((struct span){ 0 }), BAD_INPUT);
    assert_int_equal(der_oid_check(SPAN_LITERAL("\x2a\x83")), BAD_INPUT);
    assert_int_equal(der_oid_check(SPAN_LITERAL("\x2a\x80\x01")), BAD_INPUT);
    assert_int_equal(der_oid_check(SPAN_LITERAL("\x80\x01")), BAD_INPUT);
}

static enum status check_value(struct span der)
{
    struct der element;

    assert_int_equal(der_next(&der, &element), OK);
    assert_int_equal(der.len, 0);
    return der_check_value(&element);
}

static void a_value_is_held_to_the_rules_of_its_type(void **state)
{
    static const struct span good[] = {
        SPAN_LITERAL("\x01\x01\x01"),         SPAN_LITERAL("\x02\x01\x00"), SPAN_LITERAL("\x02\x02\xff\x7f"),
        SPAN_LITERAL("\x0a\x02\x00\x80"),     SPAN_LITERAL("\x03\x01\x00"), SPAN_LITERAL("\x03\x02\x07\x80"),
        SPAN_LITERAL("\x05\x00"),             SPAN_LITERAL("\x06\x01\x2a"), SPAN_LITERAL("\x1e\x02\x00\x61"),
        SPAN_LITERAL("\x1c\x04\x00\x00\x00\x61"), SPAN_LITERAL("\x0c\x01\xff"), SPAN_LITERAL("\x80\x00"),
        SPAN_LITERAL("\x30\x00"),
    };
    static const struct span bad[] = {
        SPAN_LITERAL("\x00\x00"),             SPAN_LITERAL("\x01\x00"),     SPAN_LITERAL("\x01\x02\xff\xff"),
        SPAN_LITERAL("\x02\x00"),             SPAN_LITERAL("\x02\x02\x00\x7f"), SPAN_LITERAL("\x02\x02\xff\x80"),
        SPAN_LITERAL("\x0a\x02\x00\x00"),     SPAN_LITERAL("\x03\x00"),     SPAN_LITERAL("\x03\x01\x08"),
        SPAN_LITERAL("\x05\x01\x00"),         SPAN_LITERAL("\x06\x00"),     SPAN_LITERAL("\x1e\x01\x61"),
        SPAN_LITERAL("\x1c\x02\x00\x61"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(check_value(good[i]), OK);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(check_value(bad[i]), BAD_INPUT);
}

static void an_element_is_lent_with_its_header_and_named_where_it_is_wrong(void **state)
{
    struct span rest = SPAN_LITERAL("\x04\x01\x07\x05\x00"), whole;

    (void)state;
    assert_int_equal(der_expect_whole(&rest, DER_OCTET_STRING, "first", &whole), OK);
    assert_true(span_equal(whole, SPAN_LITERAL("\x04\x01\x07")));
    assert_int_equal(der_expect_whole(&rest, DER_OCTET_STRING, "second", &whole), BAD_INPUT);
    assert_string_equal(fail_text(), "second: DER: tag 0x05, want 0x04");
    assert_int_equal(der_expect_whole(&rest, DER_OCTET_STRING, "third", &whole), BAD_INPUT);
    assert_true(span_equal(whole, SPAN_LITERAL("\x04\x01\x07"))); /* untouched unless OK */
}

static void only_ascii_is_utf8_as_it_stands(void **state)
{
    (void)state;
    assert_true(der_string_is_ascii(DER_PRINTABLE_STRING, SPAN_LITERAL("gw")));
    assert_true(der_string_is_ascii(DER_T61_STRING, SPAN_LITERAL("gw")));
    assert_true(der_string_is_ascii(DER_BMP_STRING, (struct span){ 0 }));
    assert_false(der_string_is_ascii(DER_BMP_STRING, SPAN_LITERAL("\x00g")));
    assert_false(der_string_is_ascii(DER_UNIVERSAL_STRING, SPAN_LITERAL("\x00\x00\x00g")));
    assert_false(der_string_is_ascii(DER_UTF8_STRING, SPAN_LITERAL("\xc3\xa4")));
    assert_false(der_string_is_ascii(DER_OCTET_STRING, SPAN_LITERAL("gw")));
}

static void a_writer_remembers_its_first_failure(void **state)
{
    AUTO(buf_clear) struct buf out = { .limit = 4 };
    struct der_writer w = { &out, OK };

    (void)state;
    const size_t start = der_open(&w, DER_SEQUENCE);
    der_put(&w, DER_OCTET_STRING, SPAN_LITERAL("too much"));
    der_put(&w, DER_NULL, (struct span){ 0 });
    der_close(&w, start);
    assert_int_equal(der_status(&w), FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_written_as_it_is_read),
        cmocka_unit_test(a_length_that_is_not_der_is_refused),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(a_time_is_written_as_it_is_read),
        cmocka_unit_test(a_time_that_does_not_exist_is_refused),
        cmocka_unit_test(a_year_beyond_9999_is_not_written),
        cmocka_unit_test(numbers_are_positive_and_minimal),
        cmocka_unit_test(object_identifiers_become_text_and_back),
        cmocka_unit_test(an_object_identifier_is_whole_and_minimal),
        cmocka_unit_test(a_value_is_held_to_the_rules_of_its_type),
        cmocka_unit_test(an_element_is_lent_with_its_header_and_named_where_it_is_wrong),
        cmocka_unit_test(only_ascii_is_utf8_as_it_stands),
        cmocka_unit_test(a_writer_remembers_its_first_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
