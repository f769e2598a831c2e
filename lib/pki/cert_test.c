/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/libcrypto.h"
#include "lib/pki/pki_test.h"

#include <openssl/x509v3.h>

static const char *const client_auth[] = { "1.3.6.1.5.5.7.3.2" };
static const uint8_t serial[] = { 0x4d, 0x80, 0xff };

/* What a device's certificate says; the caller may change it. */
static struct cert_content device_content(const struct buf *subject, const struct buf *san)
{
    return (struct cert_content){
        .serial = { serial, sizeof serial },
        .subject = buf_span(subject),
        .subject_alt_name = buf_span(san),
        .spki = test_spki(test_key(KEY_RSA)),
        .not_before_s = NOW_S - 60,
        .not_after_s = NOW_S + 365 * (int64_t)DAY_S,
        .key_usage = KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_ENCIPHERMENT,
        .extended_key_usage = client_auth,
        .extended_key_usage_count = 1,
        .path_length = PATH_LENGTH_NONE,
        .crl_url = "http://crl.example/issuing.crl",
        .issuer_url = "http://crl.example/issuing.cer",
    };
}

/* root -> intermediate -> leaf, each level with a key of another kind. */
struct chain {
    struct cert *root, *intermediate, *leaf;
    struct buf subject, san;
    struct cert_list between;
};

static int chain_make(void **state)
{
    static const char *const texts[] = { "DNS:gw-17.example", "URI:urn:dev:17" };
    struct chain *chain = calloc(1, sizeof *chain);
    struct private_key *root_key = test_key(KEY_EC_P384), *key = test_key(KEY_EC_P256);

    assert_non_null(chain);
    chain->root = test_ca("CN=Root,O=Example", root_key, NULL, root_key);
    chain->intermediate = test_ca("CN=Issuing,O=Example", key, chain->root, root_key);
    chain->subject = test_name("CN=gw-17,O=Example");
    assert_int_equal(general_names_parse_text(texts, COUNT_OF(texts), &chain->san), OK);
    const struct cert_content content = device_content(&chain->subject, &chain->san);
    chain->leaf = test_issue(&content, chain->intermediate, key);
    struct cert *copy = NULL;
    assert_int_equal(cert_parse(cert_get_der(chain->intermediate), &copy), OK);
    assert_int_equal(cert_list_append(&chain->between, copy), OK);
    *state = chain;
    return 0;
}

static int chain_free(void **state)
{
    struct chain *chain = *state;

    cert_free(chain->root);
    cert_free(chain->intermediate);
    cert_free(chain->leaf);
    cert_list_clear(&chain->between);
    buf_clear(&chain->subject);
    buf_clear(&chain->san);
    free(chain);
    return 0;
}

static void a_certificate_says_what_was_asked(void **state)
{
    const struct chain *c = *state;

    assert_true(span_equal(cert_get_serial(c->leaf), span_of(serial, sizeof serial)));
    assert_true(span_equal(cert_get_subject(c->leaf), buf_span(&c->subject)));
    assert_true(span_equal(cert_get_issuer(c->leaf), cert_get_subject(c->intermediate)));
    assert_true(span_equal(cert_get_subject_alt_name(c->leaf), buf_span(&c->san)));
    assert_true(span_equal(cert_get_spki(c->leaf), test_spki(test_key(KEY_RSA))));
    assert_true(span_equal(cert_get_authority_key_id(c->leaf), cert_get_subject_key_id(c->intermediate)));
    assert_int_equal(cert_not_before_s(c->leaf), NOW_S - 60);
    assert_int_equal(cert_not_after_s(c->leaf), NOW_S + 365 * (int64_t)DAY_S);
    assert_false(cert_is_ca(c->leaf));
    assert_true(cert_is_ca(c->root));
    assert_int_equal(cert_path_length(c->root), PATH_LENGTH_NONE);
    assert_int_equal(cert_key_usage(c->leaf), KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_ENCIPHERMENT);
    assert_true(cert_has_key_usage(c->leaf, KEY_USAGE_KEY_ENCIPHERMENT));
    assert_false(cert_has_key_usage(c->leaf, KEY_USAGE_KEY_CERT_SIGN));
    assert_true(cert_is_self_issued(c->root));
    assert_false(cert_is_self_issued(c->leaf));
}

/* Any byte that OpenSSL writes differently from us would be ours to mend. */
static void openssl_reads_it_and_writes_the_same_bytes(void **state)
{
    const struct chain *c = *state;
    const struct cert *const certs[] = { c->root, c->intermediate, c->leaf };

    for (size_t i = 0; i < COUNT_OF(certs); i++) {
        const struct span der = cert_get_der(certs[i]);
        const uint8_t *p = der.ptr;
        unsigned char *again = NULL;
        AUTO(X509_freep) X509 *x509 = d2i_X509(NULL, &p, (long)der.len);
        assert_non_null(x509);
        assert_ptr_equal(p, der.ptr + der.len);
        (void)i2d_re_X509_tbs(x509, NULL); /* encode anew instead of repeating what was read */
        const int length = i2d_X509(x509, &again);
        assert_true(span_equal(span_of(again, (size_t)length), der));
        OPENSSL_free(again);
        assert_int_equal(X509_get_extension_flags(x509) & (EXFLAG_INVALID | EXFLAG_CRITICAL), 0);
        assert_int_equal(X509_get_version(x509), X509_VERSION_3);
    }
}

static void a_whole_chain_holds(void **state)
{
    const struct chain *c = *state;

    assert_status(chain_verify(c->leaf, &c->between, c->root, NOW_S), OK, "leaf");
    assert_status(chain_verify(c->intermediate, NULL, c->root, NOW_S), OK, "intermediate");
    assert_status(chain_verify(c->leaf, NULL, c->intermediate, NOW_S), OK, "anchored at the intermediate");
}

static void a_broken_chain_does_not_hold(void **state)
{
    const struct chain *c = *state;
    struct private_key *key = test_key(KEY_EC_P384);
    AUTO(cert_freep) struct cert *impostor = test_ca("CN=Root,O=Example", test_key(KEY_EC_P256), NULL,
                                                     test_key(KEY_EC_P256));
    AUTO(cert_freep) struct cert *other = test_ca("CN=Other", key, NULL, key);

    assert_int_equal(chain_verify(c->leaf, NULL, c->root, NOW_S), BAD_PROOF);
    assert_int_equal(chain_verify(c->leaf, &c->between, other, NOW_S), BAD_PROOF);
    assert_int_equal(chain_verify(c->leaf, &c->between, impostor, NOW_S), BAD_PROOF);
    assert_int_equal(chain_verify(c->leaf, &c->between, c->root, NOW_S + 366 * (int64_t)DAY_S), BAD_PROOF);
    assert_int_equal(chain_verify(c->leaf, &c->between, c->root, NOW_S - 61), BAD_PROOF);
    assert_non_null(strstr(fail_text(), "depth 0"));
}

static void one_level_holds_by_names_dates_rights_and_signature(void **state)
{
    const struct chain *c = *state;
    AUTO(cert_freep) struct cert *impostor = test_ca("CN=Root,O=Example", test_key(KEY_EC_P256), NULL,
                                                     test_key(KEY_EC_P256));

    assert_status(cert_verify_issued_by(c->leaf, c->intermediate, NOW_S), OK, "leaf");
    assert_status(cert_verify_issued_by(c->root, c->root, NOW_S), OK, "root");
    assert_int_equal(cert_verify_issued_by(c->leaf, c->root, NOW_S), BAD_PROOF);
    assert_int_equal(cert_verify_issued_by(c->leaf, c->leaf, NOW_S), BAD_PROOF);
    assert_int_equal(cert_verify_issued_by(c->intermediate, impostor, NOW_S), BAD_PROOF);
    assert_int_equal(cert_verify_issued_by(c->leaf, c->intermediate, NOW_S - 61), BAD_PROOF);
    assert_int_equal(cert_verify_issued_by(c->leaf, c->intermediate, NOW_S + 366 * (int64_t)DAY_S), BAD_PROOF);
    assert_non_null(strstr(fail_text(), "expired at 2027-"));
}

static void a_leaf_signs_no_certificates(void **state)
{
    const struct chain *c = *state;
    AUTO(buf_clear) struct buf subject = test_name("CN=below");
    const struct buf none = { 0 };
    const struct cert_content content = device_content(&subject, &none);
    AUTO(cert_freep) struct cert *below = test_issue(&content, c->leaf, test_key(KEY_RSA));

    assert_int_equal(cert_verify_issued_by(below, c->leaf, NOW_S), BAD_PROOF);
    assert_non_null(strstr(fail_text(), "no CA"));
}

static void validity_is_cut_to_the_issuers(void **state)
{
    const struct chain *c = *state;
    struct cert_content content = device_content(&c->subject, &c->san);

    content.not_before_s = 0;
    content.not_after_s = 253402300799;
    AUTO(cert_freep) struct cert *cert = test_issue(&content, c->intermediate, test_key(KEY_EC_P256));
    assert_int_equal(cert_not_before_s(cert), cert_not_before_s(c->intermediate));
    assert_int_equal(cert_not_after_s(cert), cert_not_after_s(c->intermediate));
}

static void content_that_makes_no_sense_is_refused(void **state)
{
    static const uint8_t long_serial[21] = { 1 };
    const struct chain *c = *state;
    struct cert_content good = device_content(&c->subject, &c->san), bad[13];
    AUTO(buf_clear) struct buf out = { 0 };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        bad[i] = good;
    bad[0].serial = (struct span){ 0 };
    bad[1].serial = span_of(long_serial, sizeof long_serial);
    bad[2].serial = SPAN_LITERAL("\x80");
    bad[3].serial = SPAN_LITERAL("\x00\x01");
    bad[4].not_after_s = bad[4].not_before_s;
    bad[5].not_before_s = NOW_S + 4000 * (int64_t)DAY_S, bad[5].not_after_s = bad[5].not_before_s + 1;
    bad[6].is_ca = true;
    bad[7].key_usage = KEY_USAGE_KEY_CERT_SIGN;
    bad[8].subject = (struct span){ 0 }, bad[8].subject_alt_name = (struct span){ 0 };
    bad[9].spki = SPAN_LITERAL("\x30\x00");
    bad[10].subject = SPAN_LITERAL("\x30\x01\x00");
    bad[11].permitted_dns = client_auth, bad[11].permitted_dns_count = 1;
    bad[12].crl_url = "http://x/\xc3\xa4";
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(cert_issue(&bad[i], c->intermediate, test_key(KEY_EC_P256), &out), BAD_INPUT);
    assert_int_equal(cert_issue(&good, c->intermediate, test_key(KEY_EC_P384), &out), BAD_INPUT);
}

static void without_a_subject_the_alternative_name_is_critical(void **state)
{
    const struct chain *c = *state;
    struct cert_content content = device_content(&c->subject, &c->san);

    content.subject = (struct span){ 0 };
    AUTO(cert_freep) struct cert *cert = test_issue(&content, c->intermediate, test_key(KEY_EC_P256));
    const struct span critical = SPAN_LITERAL("\x55\x1d\x11\x01\x01\xff");
    assert_non_null(memmem(cert_get_der(cert).ptr, cert_get_der(cert).len, critical.ptr, critical.len));
    assert_true(name_is_empty(cert_get_subject(cert)));
    assert_status(chain_verify(cert, &c->between, c->root, NOW_S), OK, "no subject");
}

static void name_constraints_bind_what_stands_below(void **state)
{
    static const char *const permitted[] = { "other.example" };
    const struct chain *c = *state;
    struct private_key *root_key = test_key(KEY_EC_P384), *key = test_key(KEY_EC_P256);
    AUTO(cert_list_clear) struct cert_list between = { 0 };
    struct cert_content content = {
        .serial = { serial, sizeof serial },
        .subject = cert_get_subject(c->intermediate),
        .spki = test_spki(key),
        .not_before_s = NOW_S - 60,
        .not_after_s = NOW_S + DAY_S,
        .key_usage = KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN,
        .is_ca = true,
        .path_length = 0,
        .permitted_dns = permitted,
        .permitted_dns_count = 1,
    };
    struct cert *constrained = test_issue(&content, c->root, root_key);
    assert_int_equal(cert_list_append(&between, constrained), OK);
    assert_int_equal(cert_path_length(constrained), 0);
    const struct cert_content leaf_content = device_content(&c->subject, &c->san);
    AUTO(cert_freep) struct cert *leaf = test_issue(&leaf_content, constrained, key);
    assert_int_equal(chain_verify(leaf, &between, c->root, NOW_S), BAD_PROOF);
    assert_non_null(strstr(fail_text(), "permitted subtree"));
}

static void an_ec_key_is_not_certified_to_encipher(void **state)
{
    const struct chain *c = *state;
    struct cert_content content = device_content(&c->subject, &c->san);

    content.spki = test_spki(test_key(KEY_EC_P384));
    AUTO(cert_freep) struct cert *cert = test_issue(&content, c->intermediate, test_key(KEY_EC_P256));
    assert_int_equal(cert_key_usage(cert), KEY_USAGE_DIGITAL_SIGNATURE);
}

static void a_clients_own_signer_has_no_extensions(void **state)
{
    const struct chain *c = *state;
    struct cert_content content = device_content(&c->subject, &c->san);

    content.omit_extensions = true;
    AUTO(cert_freep) struct cert *cert = test_issue(&content, NULL, test_key(KEY_RSA));
    struct public_key *key = NULL;
    assert_int_equal(cert_get_key(cert, &key), OK);
    assert_int_equal(cert_verify_signature(cert, key), OK);
    assert_true(cert_is_self_issued(cert));
    assert_int_equal(cert_get_subject_alt_name(cert).len, 0);
    assert_true(cert_has_key_usage(cert, KEY_USAGE_DIGITAL_SIGNATURE));
    assert_int_equal(cert_key_usage(cert), 0);
}

static void a_changed_certificate_is_never_taken_for_the_true_one(void **state)
{
    const struct chain *c = *state;
    const struct span der = cert_get_der(c->leaf);
    AUTO(buf_clear) struct buf copy = { 0 };

    assert_int_equal(buf_set(&copy, der), OK);
    for (size_t i = 0; i < 8 * der.len; i++) {
        AUTO(cert_freep) struct cert *changed = NULL;
        copy.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        if (cert_parse(buf_span(&copy), &changed) == OK)
            assert_int_not_equal(cert_verify_issued_by(changed, c->intermediate, NOW_S), OK);
        copy.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t length = 0; length < der.len; length++) {
        struct cert *none = NULL;
        assert_int_equal(cert_parse(span_of(der.ptr, length), &none), BAD_INPUT);
    }
}

static void a_certificate_outlives_the_bytes_it_was_read_from(void **state)
{
    const struct chain *c = *state;
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(cert_freep) struct cert *cert = NULL;
    struct public_key *key = NULL;

    assert_int_equal(buf_set(&der, cert_get_der(c->leaf)), OK);
    assert_int_equal(cert_parse(buf_span(&der), &cert), OK);
    memset(der.ptr, 0, der.len);
    assert_true(span_equal(cert_get_der(cert), cert_get_der(c->leaf)));
    assert_true(span_equal(cert_get_subject(cert), buf_span(&c->subject)));
    assert_true(span_equal(cert_get_subject_alt_name(cert), buf_span(&c->san)));
    assert_int_equal(cert_get_key(cert, &key), OK);
    assert_true(span_equal(public_key_get_spki(key), test_spki(test_key(KEY_RSA))));
    assert_int_equal(cert_verify_issued_by(cert, c->intermediate, NOW_S), OK);
}

static void certificates_survive_pem(void **state)
{
    const struct chain *c = *state;
    AUTO(buf_clear) struct buf pem = { 0 };
    AUTO(cert_list_clear) struct cert_list list = { 0 };
    AUTO(cert_freep) struct cert *first = NULL;

    assert_int_equal(buf_append_text(&pem, "what stands before does not matter\n"), OK);
    assert_int_equal(private_key_write_pem(test_key(KEY_EC_P256), &pem), OK);
    assert_int_equal(cert_append_pem(c->leaf, &pem), OK);
    assert_int_equal(cert_append_pem(c->root, &pem), OK);
    assert_int_equal(cert_list_parse_pem(&list, buf_span(&pem), "test"), OK);
    assert_int_equal(list.count, 2);
    assert_true(span_equal(cert_get_der(list.items[1]), cert_get_der(c->root)));
    assert_int_equal(cert_parse_pem(buf_span(&pem), "test", &first), OK);
    assert_true(span_equal(cert_get_der(first), cert_get_der(c->leaf)));
}

static void pem_without_a_certificate_is_refused_with_its_source(void **state)
{
    static const char *const bad[] = {
        "",
        "rubbish",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(cert_freep) struct cert *cert = NULL;
        assert_status(cert_parse_pem(span_of_text(bad[i]), "ca.pem", &cert), BAD_INPUT, bad[i]);
        assert_int_equal(strncmp(fail_text(), "ca.pem: ", 8), 0);
    }
}

static void a_fresh_serial_is_positive_and_another_one(void **state)
{
    uint8_t a[CERT_SERIAL_MAX_BYTES], b[CERT_SERIAL_MAX_BYTES];

    (void)state;
    assert_int_equal(cert_serial_generate(a), OK);
    assert_int_equal(cert_serial_generate(b), OK);
    assert_int_equal(a[0], 0x4d);
    assert_memory_not_equal(a, b, sizeof a);
}

static void usages_have_their_rfc_names(void **state)
{
    char oid[64];
    unsigned bit = 0;

    (void)state;
    assert_int_equal(key_usage_parse("keyCertSign", &bit), OK);
    assert_int_equal(bit, KEY_USAGE_KEY_CERT_SIGN);
    assert_int_equal(key_usage_parse("certSign", &bit), BAD_INPUT);
    assert_int_equal(extended_key_usage_parse("clientAuth", oid, sizeof oid), OK);
    assert_string_equal(oid, client_auth[0]);
    assert_int_equal(extended_key_usage_parse("1.2.3.4", oid, sizeof oid), OK);
    assert_string_equal(oid, "1.2.3.4");
    assert_int_equal(extended_key_usage_parse("1.2.3.", oid, sizeof oid), BAD_INPUT);
    assert_int_equal(extended_key_usage_parse("anything", oid, sizeof oid), BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_says_what_was_asked),
        cmocka_unit_test(openssl_reads_it_and_writes_the_same_bytes),
        cmocka_unit_test(a_whole_chain_holds),
        cmocka_unit_test(a_broken_chain_does_not_hold),
        cmocka_unit_test(one_level_holds_by_names_dates_rights_and_signature),
        cmocka_unit_test(a_leaf_signs_no_certificates),
        cmocka_unit_test(validity_is_cut_to_the_issuers),
        cmocka_unit_test(content_that_makes_no_sense_is_refused),
        cmocka_unit_test(without_a_subject_the_alternative_name_is_critical),
        cmocka_unit_test(name_constraints_bind_what_stands_below),
        cmocka_unit_test(an_ec_key_is_not_certified_to_encipher),
        cmocka_unit_test(a_clients_own_signer_has_no_extensions),
        cmocka_unit_test(a_changed_certificate_is_never_taken_for_the_true_one),
        cmocka_unit_test(a_certificate_outlives_the_bytes_it_was_read_from),
        cmocka_unit_test(certificates_survive_pem),
        cmocka_unit_test(pem_without_a_certificate_is_refused_with_its_source),
        cmocka_unit_test(a_fresh_serial_is_positive_and_another_one),
        cmocka_unit_test(usages_have_their_rfc_names),
    };

    return cmocka_run_group_tests(tests, chain_make, chain_free);
}
