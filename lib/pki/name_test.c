/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/name.h"

#include "lib/pki/pki_test.h"

static void format(struct span name, struct buf *out)
{
    out->len = 0;
    assert_int_equal(name_format(name, out), OK);
}

static void text_becomes_a_name_and_the_same_text_again(void **state)
{
    static const struct {
        const char *text;
        const char *back; /* NULL: the same */
    } cases[] = {
        { "", NULL },
        { "CN=gw-17,O=Example,C=DE", NULL },
        { "CN = gw-17 , O = Example Inc.", "CN=gw-17,O=Example Inc." },
        { "cn=a,emailaddress=a@b.example", "CN=a,emailAddress=a@b.example" },
        { "serialNumber=0815+CN=a", "CN=a+serialNumber=0815" }, /* in the order of the DER */
        { "unstructuredName=host.example,DC=example,UID=u", NULL },
        { "1.2.3.4=x", NULL },
        { "2.5.4.3=x", "CN=x" },
        { "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h", NULL },
        { "CN=\\ a \\ ", "CN=\\ a \\ " },
        { "CN=\\#a", NULL },
        { "CN=J\\C3\\BCrgen", "CN=J\xc3\xbcrgen" },
        { "1.2.3.4=#04024869", NULL },
        { "CN=%{name}", NULL },
    };
    AUTO(buf_clear) struct buf back = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_clear) struct buf name = test_name(cases[i].text);
        assert_int_equal(der_check(buf_span(&name)), OK);
        format(buf_span(&name), &back);
        assert_string_equal(buf_text(&back), cases[i].back ? cases[i].back : cases[i].text);
    }
}

static void rdns_stand_in_the_name_from_the_country_down(void **state)
{
    AUTO(buf_clear) struct buf name = test_name("CN=a,C=DE");

    (void)state;
    assert_true(span_equal(buf_span(&name), SPAN_LITERAL("\x30\x19\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02"
                                                         "DE\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
                                                         "a")));
}

static void text_that_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {
        "CN",        "=a",         "CN=",        "CN=a,",    "CN=a,,O=b",   "CN=a+",      "CN=a\\",
        "CN=a\\q",   "CN=a\"b",    "CN=a<b",     "XX=a",     "C=DEU",       "C=\\C3\\A4", "CN=a\\00b",
        "CN=a\\0Ab", "CN=\\C3\\28", "DC=\\C3\\A4", "1.2.3.=a", "1.2.3.4=#04", "1.2.3.4=#",  "CN=#zz",
        "CN=12345678901234567890123456789012345678901234567890123456789012345",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(buf_clear) struct buf out = { 0 };
        assert_status(name_parse_text(bad[i], &out), BAD_INPUT, bad[i]);
    }
}

static void names_are_compared_as_rfc_5280_says(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool equal;
    } cases[] = {
        { "CN=Gw-17,O=Example", "CN=gw-17,O=EXAMPLE", true },
        { "CN=a  b", "CN=a b", true },
        { "CN=a b", "CN=ab", false },
        { "CN=a,O=b", "O=b,CN=a", false },
        { "CN=a,O=b", "CN=a+O=b", false },
        { "CN=a", "CN=a,O=b", false },
        { "CN=a", "O=a", false },
        { "", "", true },
        { "", "CN=a", false },
        { "CN=DE", "CN=#13024445", true }, /* PrintableString and UTF8String */
        { "CN=D", "CN=#1e020044", true },  /* BMPString */
        { "CN=D", "CN=#040144", false },   /* an OCTET STRING is not text */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_clear) struct buf a = test_name(cases[i].a);
        AUTO(buf_clear) struct buf b = test_name(cases[i].b);
        assert_int_equal(name_equal(buf_span(&a), buf_span(&b)), cases[i].equal);
        assert_int_equal(name_equal(buf_span(&b), buf_span(&a)), cases[i].equal);
    }
}

static void what_is_unreadable_equals_nothing(void **state)
{
    const struct span rubbish = SPAN_LITERAL("\x30\x02\x31\x00");

    (void)state;
    assert_false(name_equal(rubbish, rubbish));
    assert_false(name_equal(SPAN_LITERAL("x"), SPAN_LITERAL("x")));
    assert_true(name_equal((struct span){ 0 }, SPAN_LITERAL("\x30\x00")));
    assert_true(name_is_empty((struct span){ 0 }));
    assert_true(name_is_empty(SPAN_LITERAL("\x30\x00")));
    assert_false(name_is_empty(rubbish));
}

static void control_characters_are_shown_escaped(void **state)
{
    AUTO(buf_clear) struct buf text = { 0 };

    (void)state;
    format(SPAN_LITERAL("\x30\x10\x31\x0e\x30\x0c\x06\x03\x55\x04\x03\x0c\x05"
                        "a\nb\x00\x7f"),
           &text);
    assert_string_equal(buf_text(&text), "CN=a\\0Ab\\00\\7F");
}

static void a_huge_object_identifier_is_not_spelled_out(void **state)
{
    AUTO(buf_clear) struct buf name = { 0 };
    AUTO(buf_clear) struct buf text = { 0 };
    struct der_writer w = { &name, OK };
    uint8_t oid[8192];

    (void)state;
    memset(oid, 0x81, sizeof oid);
    oid[sizeof oid - 1] = 1;
    const size_t rdns = der_open(&w, DER_SEQUENCE);
    const size_t rdn = der_open(&w, DER_SET);
    const size_t pair = der_open(&w, DER_SEQUENCE);
    der_put(&w, DER_OID, span_of(oid, sizeof oid));
    der_put(&w, DER_UTF8_STRING, SPAN_LITERAL("x"));
    der_close(&w, pair);
    der_close(&w, rdn);
    der_close(&w, rdns);
    assert_int_equal(der_status(&w), OK);
    format(buf_span(&name), &text);
    assert_string_equal(buf_text(&text), "OID.?=x");
}

static void a_devices_name_cannot_add_an_rdn(void **state)
{
    static const char *const names[] = { "x,O=evil", "x+O=evil", "x\\,O=evil", "#0c0178", "x\"", "%{username}" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct pattern_values values = { names[i], "user" };
        AUTO(buf_clear) struct buf name = { 0 };
        struct name_value read[NAME_VALUES_MAX];
        size_t count = 0;
        assert_int_equal(name_parse_pattern("CN=%{name},O=Example", &values, &name), OK);
        assert_int_equal(name_read(buf_span(&name), read, &count), OK);
        assert_int_equal(count, 2);
        assert_true(span_equal(read[1].value.content, span_of_text(names[i])));
    }
}

static void a_pattern_is_filled_or_refused(void **state)
{
    const struct pattern_values values = { "gw", "" };
    AUTO(buf_clear) struct buf out = { 0 };

    (void)state;
    assert_int_equal(pattern_expand(SPAN_LITERAL("a%{name}b%{name}%"), &values, &out), OK);
    assert_string_equal(buf_text(&out), "agwbgw%");
    assert_int_equal(pattern_expand(SPAN_LITERAL("%{username}"), &values, &out), REFUSED);
    assert_int_equal(pattern_expand(SPAN_LITERAL("%{serial}"), &values, &out), BAD_INPUT);
    assert_int_equal(pattern_expand(SPAN_LITERAL("%{name"), &values, &out), BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_a_name_and_the_same_text_again),
        cmocka_unit_test(rdns_stand_in_the_name_from_the_country_down),
        cmocka_unit_test(text_that_is_no_name_is_refused),
        cmocka_unit_test(names_are_compared_as_rfc_5280_says),
        cmocka_unit_test(what_is_unreadable_equals_nothing),
        cmocka_unit_test(control_characters_are_shown_escaped),
        cmocka_unit_test(a_huge_object_identifier_is_not_spelled_out),
        cmocka_unit_test(a_devices_name_cannot_add_an_rdn),
        cmocka_unit_test(a_pattern_is_filled_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
