/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/general_name.h"

#include "lib/pki/pki_test.h"

static struct buf names_of(const char *const *texts, size_t count)
{
    struct buf out = { 0 };

    assert_int_equal(general_names_parse_text(texts, count, &out), OK);
    return out;
}

static void texts_become_names_and_texts_again(void **state)
{
    static const char *const texts[] = { "DNS:gw.example", "DNS:*.example", "email:a@b.example", "URI:urn:dev:1",
                                         "IP:192.0.2.1",   "IP:2001:db8::1" };
    AUTO(buf_clear) struct buf names = names_of(texts, COUNT_OF(texts));
    AUTO(buf_clear) struct buf back = { 0 };
    struct general_name read[GENERAL_NAMES_MAX];
    size_t count = 0;

    (void)state;
    assert_int_equal(general_names_parse(buf_span(&names), read, COUNT_OF(read), &count), OK);
    assert_int_equal(count, COUNT_OF(texts));
    assert_int_equal(read[4].kind, GENERAL_NAME_IP);
    assert_int_equal(read[4].value.len, 4);
    assert_int_equal(read[5].value.len, 16);
    assert_int_equal(general_names_format(buf_span(&names), &back), OK);
    assert_string_equal(buf_text(&back), "DNS:gw.example, DNS:*.example, email:a@b.example, URI:urn:dev:1, "
                                         "IP:192.0.2.1, IP:2001:db8::1");
    assert_int_equal(general_names_parse(buf_span(&names), read, 5, &count), BAD_INPUT);
}

static void no_texts_give_nothing(void **state)
{
    AUTO(buf_clear) struct buf names = names_of(NULL, 0);
    size_t count = 1;

    (void)state;
    assert_int_equal(names.len, 0);
    assert_int_equal(general_names_parse(buf_span(&names), NULL, 0, &count), OK);
    assert_int_equal(count, 0);
}

static void texts_that_are_no_names_are_refused(void **state)
{
    static const char *const bad[] = {
        "gw.example",    "DNS:",         "DNS:a..b",     "DNS:.a",        "DNS:a.",        "DNS:a b",
        "DNS:a,DNS:b",   "DNS:*",        "DNS:a.*.b",    "DNS:a*.b",      "DNS:b\xc3\xa4", "email:a",
        "email:@b",      "email:a@b@c",  "email:a b@c",  "URI:",          "URI:x",         "URI:1x:y",
        "URI:urn:a b",   "IP:1.2.3",     "IP:1.2.3.4.5", "IP:1.2.3.4/24", "IP:::g",        "dirName:CN=a",
        "DNS:aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb1234",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(buf_clear) struct buf out = { 0 };
        assert_status(general_names_parse_text(&bad[i], 1, &out), BAD_INPUT, bad[i]);
    }
}

static void names_compare_by_their_kind(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool equal;
    } cases[] = {
        { "DNS:GW.example", "DNS:gw.EXAMPLE", true },
        { "DNS:gw.example", "URI:gw:example", false },
        { "email:A@b.example", "email:A@B.example", true },
        { "email:A@b.example", "email:a@b.example", false },
        { "URI:HTTP://Host.example/Path", "URI:http://host.EXAMPLE/Path", true },
        { "URI:http://host/Path", "URI:http://host/path", false },
        { "URI:http://User@host/", "URI:http://user@host/", false },
        { "URI:URN:Dev:1", "URI:urn:Dev:1", true },
        { "URI:urn:Dev:1", "URI:urn:dev:1", false },
        { "URI:urn:dev:1", "URI:urn:dev:17", false },
        { "IP:192.0.2.1", "IP:192.0.2.1", true },
        { "IP:192.0.2.1", "IP:192.0.2.2", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_clear) struct buf a = names_of(&cases[i].a, 1);
        AUTO(buf_clear) struct buf b = names_of(&cases[i].b, 1);
        assert_int_equal(general_names_contain(buf_span(&a), buf_span(&b)), cases[i].equal);
        assert_int_equal(general_names_contain(buf_span(&b), buf_span(&a)), cases[i].equal);
    }
}

static void some_names_are_within_all_names(void **state)
{
    static const char *const all_texts[] = { "DNS:a", "DNS:b", "IP:192.0.2.1" };
    static const char *const some_texts[] = { "IP:192.0.2.1", "DNS:a" };
    static const char *const other_texts[] = { "DNS:a", "DNS:c" };
    AUTO(buf_clear) struct buf all = names_of(all_texts, COUNT_OF(all_texts));
    AUTO(buf_clear) struct buf some = names_of(some_texts, COUNT_OF(some_texts));
    AUTO(buf_clear) struct buf other = names_of(other_texts, COUNT_OF(other_texts));
    const struct span none = { 0 };

    (void)state;
    assert_true(general_names_contain(buf_span(&all), buf_span(&some)));
    assert_false(general_names_contain(buf_span(&some), buf_span(&all)));
    assert_false(general_names_contain(buf_span(&all), buf_span(&other)));
    assert_true(general_names_contain(buf_span(&all), none));
    assert_true(general_names_contain(none, none));
    assert_false(general_names_contain(none, buf_span(&some)));
    assert_false(general_names_contain(buf_span(&all), SPAN_LITERAL("\x30\x02\x82\x05")));
}

static void other_kinds_are_read_and_written_whole(void **state)
{
    const struct span upn = SPAN_LITERAL("\x30\x11\xa0\x0f\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03\xa0\x01\x0c");
    const struct span other = SPAN_LITERAL("\x30\x0c\xa0\x0a\x06\x03\x2a\x03\x04\xa0\x03\x0c\x01x");
    const struct span registered = SPAN_LITERAL("\x30\x05\x88\x03\x2a\x03\x04");
    AUTO(buf_clear) struct buf out = { 0 };
    struct general_name names[1];
    size_t count = 0;

    (void)state;
    assert_int_equal(general_names_parse(upn, names, 1, &count), BAD_INPUT); /* truncated inside */
    assert_int_equal(general_names_parse(other, names, 1, &count), OK);
    assert_int_equal(names[0].kind, GENERAL_NAME_OTHER);
    assert_int_equal(general_name_append(&names[0], &out), OK);
    assert_true(span_equal(buf_span(&out), span_of(other.ptr + 2, other.len - 2)));
    assert_int_equal(general_names_parse(registered, names, 1, &count), OK);
    assert_int_equal(names[0].kind, GENERAL_NAME_UNKNOWN);
}

static void a_device_cannot_name_a_wildcard(void **state)
{
    static const char *const pattern[] = { "DNS:%{name}.example" };
    static const char *const own_wildcard[] = { "DNS:*.%{name}.example" };
    const struct pattern_values star = { "*", NULL }, list = { "a, DNS:b", NULL }, gw = { "gw", NULL };
    AUTO(buf_clear) struct buf out = { 0 };

    (void)state;
    assert_int_equal(general_names_parse_patterns(pattern, 1, &star, &out), REFUSED);
    assert_int_equal(general_names_parse_patterns(own_wildcard, 1, &star, &out), BAD_INPUT);
    assert_int_equal(general_names_parse_patterns(pattern, 1, &list, &out), BAD_INPUT);
    buf_clear(&out);
    assert_int_equal(general_names_parse_patterns(own_wildcard, 1, &gw, &out), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_names_and_texts_again),
        cmocka_unit_test(no_texts_give_nothing),
        cmocka_unit_test(texts_that_are_no_names_are_refused),
        cmocka_unit_test(names_compare_by_their_kind),
        cmocka_unit_test(some_names_are_within_all_names),
        cmocka_unit_test(other_kinds_are_read_and_written_whole),
        cmocka_unit_test(a_device_cannot_name_a_wildcard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
