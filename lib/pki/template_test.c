/* SPDX-License-Identifier: Apache-2.0
 *
 * Usage: pki_template_test DIRECTORY      the one that holds good/
 */
#include "lib/base/file.h"
#include "lib/pki/pki_test.h"

#include <stdio.h>

static const char *directory;

static const struct template device_template = {
    .name = "device",
    .subject = "CN=%{name},O=Example",
    .san = { "DNS:%{name}.example" },
    .san_count = 1,
    .key_usage = KEY_USAGE_DIGITAL_SIGNATURE,
    .eku = { "1.3.6.1.5.5.7.3.2" },
    .eku_count = 1,
    .keys = { { KEY_RSA, 2048, 4096 }, { KEY_EC_P256, 256, 256 } },
    .keys_count = 2,
};

static const struct general_name no_carrier = { 0 };

static struct csr *request(const char *subject, const char *const *names, size_t count)
{
    AUTO(buf_clear) struct buf name = test_name(subject);
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    struct csr *csr = NULL;

    assert_int_equal(general_names_parse_text(names, count, &san), OK);
    const struct csr_content content = { buf_span(&name), buf_span(&san), { 0 } };
    assert_int_equal(csr_build(&content, test_key(KEY_EC_P256), DIGEST_SHA256, &der), OK);
    assert_int_equal(csr_parse(buf_span(&der), &csr), OK);
    return csr;
}

/* What the template makes of a request: a status, or the names as one text. */
static const char *names_made(const struct template *t, const char *subject, const char *const *names, size_t count)
{
    static char shown[512];
    AUTO(csr_freep) struct csr *csr = request(subject, names, count);
    AUTO(buf_clear) struct buf made = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(buf_clear) struct buf text = { 0 };

    const enum status status = template_make_names(t, "gw-17", "user", csr, no_carrier, &made, &san);
    if (status != OK)
        return status_name(status);
    /* Whatever is made, the signer's own look must agree. */
    assert_status(template_check_names(t, "gw-17", "user", buf_span(&made), buf_span(&san)), OK, subject);
    assert_int_equal(name_format(buf_span(&made), &text), OK);
    assert_int_equal(buf_append_text(&text, "|"), OK);
    assert_int_equal(general_names_format(buf_span(&san), &text), OK);
    assert_int_equal(span_to_text(buf_span(&text), shown, sizeof shown), OK);
    return shown;
}

static void a_key_of_another_kind_or_size_is_refused(void **state)
{
    struct template t = device_template;

    (void)state;
    assert_int_equal(template_check_key(&t, private_key_get_public(test_key(KEY_RSA))), OK);
    assert_int_equal(template_check_key(&t, private_key_get_public(test_key(KEY_EC_P256))), OK);
    assert_int_equal(template_check_key(&t, private_key_get_public(test_key(KEY_EC_P384))), REFUSED);
    assert_string_equal(fail_text(), "template device: key ec:P-384, allowed are rsa:2048 to rsa:4096, ec:P-256");
    t.keys[0].min_bits = 3072;
    assert_int_equal(template_check_key(&t, private_key_get_public(test_key(KEY_RSA))), REFUSED);
    t.keys_count = 0;
    assert_int_equal(template_check_key(&t, private_key_get_public(test_key(KEY_RSA))), REFUSED);
}

static void wishes_beyond_the_template_are_refused(void **state)
{
    static const struct {
        const char *file;
        enum status status;
        const char *text;
    } cases[] = {
        { "asks-for-ca", REFUSED, "asks for CA:TRUE" },
        { "asks-for-key-cert-sign", REFUSED, "asks for keyCertSign or cRLSign" },
        { "asks-for-crl-sign", REFUSED, "asks for keyCertSign or cRLSign" },
        { "asks-for-code-signing", REFUSED, "extended key usage 1.3.6.1.5.5.7.3.3" },
        { "asks-for-client-auth", OK, "" },
        { "no-attributes", OK, "" },
    };
    char path[4096];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(csr_freep) struct csr *csr = NULL;
        snprintf(path, sizeof path, "%s/good/%s.csr", directory, cases[i].file);
        assert_status(file_read(path, CSR_MAX_BYTES, &der), OK, path);
        assert_status(csr_parse(buf_span(&der), &csr), OK, path);
        assert_status(template_check_request(&device_template, csr), cases[i].status, path);
        if (cases[i].status != OK)
            assert_non_null(strstr(fail_text(), cases[i].text));
    }
}

static const char matching[] = "CN=gw-17,O=Example|DNS:gw-17.example";

static void a_request_without_names_gets_the_templates(void **state)
{
    (void)state;
    assert_string_equal(names_made(&device_template, "", NULL, 0), matching);
}

static void with_match_the_same_names_pass_and_others_do_not(void **state)
{
    static const char *const same[] = { "DNS:GW-17.example" };
    static const char *const other[] = { "DNS:gw-17.example", "DNS:evil.example" };

    (void)state;
    assert_string_equal(names_made(&device_template, "CN=GW-17,O=example", same, 1), matching);
    assert_string_equal(names_made(&device_template, "CN=gw-18,O=Example", NULL, 0), "refused");
    assert_non_null(strstr(fail_text(), "names \"CN=gw-18,O=Example\", want \"CN=gw-17,O=Example\""));
    assert_string_equal(names_made(&device_template, "", other, 2), "refused");
    assert_non_null(strstr(fail_text(), "DNS:evil.example is not allowed"));
}

static void with_ignore_the_requests_names_do_not_count(void **state)
{
    static const char *const other[] = { "DNS:evil.example" };
    struct template t = device_template;

    (void)state;
    t.request_subject = t.request_san = REQUEST_NAMES_IGNORE;
    assert_string_equal(names_made(&t, "CN=evil", other, 1), matching);
}

static void with_use_the_subject_is_taken_over(void **state)
{
    struct template t = device_template;

    (void)state;
    t.request_subject = REQUEST_NAMES_USE;
    assert_string_equal(names_made(&t, "CN=mine,OU=x", NULL, 0), "CN=mine,OU=x|DNS:gw-17.example");
    assert_string_equal(names_made(&t, "", NULL, 0), matching);
}

static void with_use_alternative_names_of_allowed_kinds_are_added(void **state)
{
    static const char *const asked[] = { "IP:192.0.2.1", "DNS:gw-17.example" };
    static const char *const dns[] = { "DNS:evil.example" };
    struct template t = device_template;

    (void)state;
    t.request_san = REQUEST_NAMES_USE;
    t.request_san_kinds[0] = GENERAL_NAME_IP;
    t.request_san_kinds_count = 1;
    assert_string_equal(names_made(&t, "", asked, 2), "CN=gw-17,O=Example|DNS:gw-17.example, IP:192.0.2.1");
    assert_string_equal(names_made(&t, "", dns, 1), "refused");
}

static void the_carrier_of_the_username_is_not_asked_for(void **state)
{
    static const char *const names[] = { "URI:urn:user:u1" };
    const struct general_name carrier = { GENERAL_NAME_URI, SPAN_LITERAL("urn:user:u1") };
    const struct general_name other = { GENERAL_NAME_URI, SPAN_LITERAL("urn:user:u2") };
    AUTO(csr_freep) struct csr *csr = request("", names, 1);
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(buf_clear) struct buf text = { 0 };

    (void)state;
    assert_int_equal(template_make_names(&device_template, "gw", "u1", csr, other, &subject, &san), REFUSED);
    assert_int_equal(template_make_names(&device_template, "gw", "u1", csr, carrier, &subject, &san), OK);
    assert_int_equal(general_names_format(buf_span(&san), &text), OK);
    assert_string_equal(buf_text(&text), "DNS:gw.example");
}

static void a_certificate_needs_some_name(void **state)
{
    struct template t = device_template;

    (void)state;
    t.subject[0] = 0;
    assert_string_equal(names_made(&t, "", NULL, 0), "|DNS:gw-17.example");
    t.san_count = 0;
    assert_string_equal(names_made(&t, "", NULL, 0), "refused");
}

static void a_missing_username_is_said(void **state)
{
    struct template t = device_template;
    AUTO(csr_freep) struct csr *csr = request("", NULL, 0);
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };

    (void)state;
    assert_int_equal(span_to_text(SPAN_LITERAL("CN=%{username}"), t.subject, sizeof t.subject), OK);
    assert_int_equal(template_make_names(&t, "gw", NULL, csr, no_carrier, &subject, &san), REFUSED);
    assert_non_null(strstr(fail_text(), "%{username}"));
    assert_int_equal(subject.len, 0);
}

static void the_signer_refuses_names_that_are_not_the_templates(void **state)
{
    static const char *const right[] = { "DNS:gw-17.example" };
    static const char *const extra[] = { "DNS:gw-17.example", "DNS:evil.example" };
    AUTO(buf_clear) struct buf subject = test_name("CN=gw-17,O=Example");
    AUTO(buf_clear) struct buf other = test_name("CN=gw-17,O=Example,C=DE");
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(buf_clear) struct buf more = { 0 };
    const struct template *t = &device_template;

    (void)state;
    assert_int_equal(general_names_parse_text(right, 1, &san), OK);
    assert_int_equal(general_names_parse_text(extra, 2, &more), OK);
    const struct span s = buf_span(&subject), names = buf_span(&san);
    assert_int_equal(template_check_names(t, "gw-17", "u", s, names), OK);
    assert_int_equal(template_check_names(t, "gw-18", "u", s, names), REFUSED);
    assert_int_equal(template_check_names(t, "gw-17", "u", buf_span(&other), names), REFUSED);
    assert_int_equal(template_check_names(t, "gw-17", "u", s, buf_span(&more)), REFUSED);
    assert_int_equal(template_check_names(t, "gw-17", "u", s, (struct span){ 0 }), REFUSED);
    assert_int_equal(template_check_names(t, "gw-17", "u", (struct span){ 0 }, names), REFUSED);
    assert_int_equal(template_check_names(t, "gw-17", "u", SPAN_LITERAL("\x30\x01"), names), BAD_INPUT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_of_another_kind_or_size_is_refused),
        cmocka_unit_test(wishes_beyond_the_template_are_refused),
        cmocka_unit_test(a_request_without_names_gets_the_templates),
        cmocka_unit_test(with_match_the_same_names_pass_and_others_do_not),
        cmocka_unit_test(with_ignore_the_requests_names_do_not_count),
        cmocka_unit_test(with_use_the_subject_is_taken_over),
        cmocka_unit_test(with_use_alternative_names_of_allowed_kinds_are_added),
        cmocka_unit_test(the_carrier_of_the_username_is_not_asked_for),
        cmocka_unit_test(a_certificate_needs_some_name),
        cmocka_unit_test(a_missing_username_is_said),
        cmocka_unit_test(the_signer_refuses_names_that_are_not_the_templates),
    };

    if (argc != 2)
        return 2;
    directory = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
