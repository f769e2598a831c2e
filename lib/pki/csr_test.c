/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/libcrypto.h"
#include "lib/pki/pki_test.h"

/* A request with everything in it. */
static void build(enum key_kind kind, const char *challenge, struct buf *out)
{
    static const char *const names[] = { "DNS:gw.example", "IP:192.0.2.1" };
    AUTO(buf_clear) struct buf subject = test_name("CN=gw-17,O=Example");
    AUTO(buf_clear) struct buf san = { 0 };

    assert_int_equal(general_names_parse_text(names, COUNT_OF(names), &san), OK);
    const struct csr_content content = { buf_span(&subject), buf_span(&san), span_of_text(challenge) };
    assert_int_equal(csr_build(&content, test_key(kind), DIGEST_SHA256, out), OK);
}

static void a_request_reads_as_it_was_built(void **state)
{
    static const enum key_kind kinds[] = { KEY_RSA, KEY_EC_P256, KEY_EC_P384 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(csr_freep) struct csr *csr = NULL;
        AUTO(buf_clear) struct buf text = { 0 };
        build(kinds[i], "one-time", &der);
        assert_status(csr_parse(buf_span(&der), &csr), OK, "request");
        assert_true(span_equal(csr_get_der(csr), buf_span(&der)));
        assert_true(span_equal(csr_get_challenge(csr), SPAN_LITERAL("one-time")));
        assert_true(span_equal(csr_get_spki(csr), test_spki(test_key(kinds[i]))));
        assert_int_equal(public_key_get_spec(csr_get_key(csr)).kind, kinds[i]);
        assert_int_equal(name_format(csr_get_subject(csr), &text), OK);
        assert_int_equal(general_names_format(csr_get_subject_alt_name(csr), &text), OK);
        assert_string_equal(buf_text(&text), "CN=gw-17,O=ExampleDNS:gw.example, IP:192.0.2.1");
        assert_false(csr_asks_for_ca(csr));
        assert_int_equal(csr_key_usage(csr), 0);
        assert_int_equal(csr_extended_key_usage_count(csr), 0);
    }
}

static void openssl_accepts_what_was_built(void **state)
{
    static const char long_one[] = "a long one, so that the attributes change places in their SET OF: "
                                   "0123456789012345678901234567890123456789012345678901234567890";
    static const char *const challenges[] = { "a", "a password in UTF-8: \xc3\xa4", "", long_one };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(challenges); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        unsigned char *again = NULL;
        build(KEY_RSA, challenges[i], &der);
        const uint8_t *p = der.ptr;
        X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der.len);
        assert_non_null(req);
        assert_ptr_equal(p, der.ptr + der.len);
        AUTO(EVP_PKEY_freep) EVP_PKEY *pkey = X509_REQ_get_pubkey(req);
        assert_int_equal(X509_REQ_verify(req, pkey), 1);
        const int length = i2d_re_X509_REQ_tbs(req, &again); /* sorts the attributes as DER wants */
        assert_non_null(memmem(der.ptr, der.len, again, (size_t)length));
        OPENSSL_free(again);
        X509_REQ_free(req);
    }
}

static void a_bare_request_is_a_request(void **state)
{
    const struct csr_content nothing = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(csr_freep) struct csr *csr = NULL;

    (void)state;
    assert_int_equal(csr_build(&nothing, test_key(KEY_EC_P256), DIGEST_SHA256, &der), OK);
    assert_int_equal(csr_parse(buf_span(&der), &csr), OK);
    assert_true(name_is_empty(csr_get_subject(csr)));
    assert_int_equal(csr_get_challenge(csr).len, 0);
    assert_int_equal(csr_get_subject_alt_name(csr).len, 0);
}

static void no_single_bit_can_be_changed(void **state)
{
    AUTO(buf_clear) struct buf der = { 0 };

    (void)state;
    build(KEY_EC_P256, "one-time", &der);
    for (size_t i = 0; i < 8 * der.len; i++) {
        AUTO(csr_freep) struct csr *csr = NULL;
        der.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(csr_parse(buf_span(&der), &csr), OK);
        der.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t length = 0; length < der.len; length++) {
        struct csr *none = NULL;
        assert_int_equal(csr_parse(span_of(der.ptr, length), &none), BAD_INPUT);
    }
}

/* Without the signature nothing stands before the readers; what they take, its owner may ask of everything. */
static void a_damaged_request_is_refused_or_whole(void **state)
{
    static const enum key_kind kinds[] = { KEY_RSA, KEY_EC_P384 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        build(kinds[i], "a password in UTF-8: \xc3\xa4", &der);
        for (size_t bit = 0; bit < 8 * der.len; bit++) {
            AUTO(csr_freep) struct csr *csr = NULL;
            AUTO(buf_clear) struct buf text = { 0 };
            der.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
            const enum status status = csr_parse_proved(buf_span(&der), &csr);
            der.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(status == OK || status == BAD_INPUT || status == REFUSED);
            if (status != OK)
                continue;
            assert_int_equal(name_format(csr_get_subject(csr), &text), OK);
            assert_int_equal(general_names_format(csr_get_subject_alt_name(csr), &text), OK);
            assert_int_equal(buf_append(&text, csr_get_challenge(csr)), OK);
            assert_true(span_equal(public_key_get_spki(csr_get_key(csr)), csr_get_spki(csr)));
        }
        for (size_t length = 0; length < der.len; length++) {
            struct csr *none = NULL;
            assert_int_equal(csr_parse_proved(span_of(der.ptr, length), &none), BAD_INPUT);
        }
    }
}

static void a_request_outlives_the_bytes_it_was_read_from(void **state)
{
    static const char *const passwords[] = { "one-time", "in UTF-8: \xc3\xa4" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(passwords); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(csr_freep) struct csr *csr = NULL;
        AUTO(buf_clear) struct buf text = { 0 };
        build(KEY_RSA, passwords[i], &der);
        assert_int_equal(csr_parse(buf_span(&der), &csr), OK);
        memset(der.ptr, 0, der.len);
        assert_true(span_equal(csr_get_challenge(csr), span_of_text(passwords[i])));
        assert_true(span_equal(csr_get_spki(csr), test_spki(test_key(KEY_RSA))));
        assert_int_equal(name_format(csr_get_subject(csr), &text), OK);
        assert_string_equal(buf_text(&text), "CN=gw-17,O=Example");
    }
}

static void a_request_over_the_limit_is_not_looked_at(void **state)
{
    static uint8_t bytes[CSR_MAX_BYTES + 1];
    AUTO(csr_freep) struct csr *csr = NULL;

    (void)state;
    assert_int_equal(csr_parse(span_of(bytes, sizeof bytes), &csr), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "want 1 to 16384"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_reads_as_it_was_built),
        cmocka_unit_test(openssl_accepts_what_was_built),
        cmocka_unit_test(a_bare_request_is_a_request),
        cmocka_unit_test(no_single_bit_can_be_changed),
        cmocka_unit_test(a_damaged_request_is_refused_or_whole),
        cmocka_unit_test(a_request_outlives_the_bytes_it_was_read_from),
        cmocka_unit_test(a_request_over_the_limit_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
