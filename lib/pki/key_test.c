/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"
#include "lib/pki/libcrypto.h"
#include "lib/pki/pki_test.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

static const enum key_kind kinds[] = { KEY_RSA, KEY_EC_P256, KEY_EC_P384 };
static const enum key_padding paddings[] = { KEY_PADDING_PKCS1, KEY_PADDING_OAEP_SHA1, KEY_PADDING_OAEP_SHA256 };

static void a_key_specification_reads_as_it_is_written(void **state)
{
    static const char *const texts[] = { "rsa:2048", "rsa:3072", "rsa:8192", "ec:P-256", "ec:P-384" };
    char text[KEY_SPEC_TEXT_BYTES];
    struct key_spec spec;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(key_spec_parse(texts[i], &spec), OK);
        key_spec_format(spec, text);
        assert_string_equal(text, texts[i]);
    }
}

static void a_specification_of_a_weak_or_unknown_key_is_refused(void **state)
{
    static const char *const texts[] = { "",         "rsa",      "rsa:",      "rsa:1024", "rsa:2049", "rsa:9000",
                                         "rsa:2048x", "ec:P-521", "ec",       "RSA:2048" };
    struct key_spec spec;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(key_spec_parse(texts[i], &spec), BAD_INPUT);
}

static void digests_are_the_known_ones(void **state)
{
    uint8_t out[DIGEST_MAX_BYTES];

    (void)state;
    assert_int_equal(digest_bytes(DIGEST_MD5, SPAN_LITERAL("abc"), out), 16);
    assert_int_equal(out[0], 0x90);
    assert_int_equal(digest_bytes(DIGEST_SHA1, SPAN_LITERAL("abc"), out), 20);
    assert_int_equal(out[0], 0xa9);
    assert_int_equal(digest_bytes(DIGEST_SHA512, SPAN_LITERAL("abc"), out), 64);
    assert_int_equal(out[0], 0xdd);
    assert_int_equal(digest_bytes(DIGEST_NONE, SPAN_LITERAL("abc"), out), 0);
    sha256(SPAN_LITERAL("abc"), out);
    assert_int_equal(out[0], 0xba);
    assert_int_equal(out[31], 0xad);
}

static void a_signature_holds_for_its_message_alone(void **state)
{
    static const enum digest digests[] = { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
    const struct span message = SPAN_LITERAL("message");
    AUTO(buf_clear) struct buf signature = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds) * COUNT_OF(digests); i++) {
        struct private_key *key = test_key(kinds[i % COUNT_OF(kinds)]);
        struct public_key *public_half = private_key_get_public(key);
        const enum digest digest = digests[i / COUNT_OF(kinds)];
        for (int again = 0; again < 2; again++) { /* the second time through the kept context */
            assert_int_equal(private_key_sign(key, digest, message, &signature), OK);
            assert_int_equal(public_key_verify(public_half, digest, message, buf_span(&signature)), OK);
        }
        assert_int_equal(public_key_verify(public_half, digest, SPAN_LITERAL("massage"), buf_span(&signature)),
                         BAD_PROOF);
        signature.ptr[signature.len - 1] ^= 1;
        assert_int_equal(public_key_verify(public_half, digest, message, buf_span(&signature)), BAD_PROOF);
        assert_int_equal(public_key_verify(public_half, digest, message, (struct span){ 0 }), BAD_PROOF);
    }
}

/* An RSA key is made into libcrypto's at its first use, long after it was read. */
static void a_key_outlives_the_bytes_it_was_read_from(void **state)
{
    const struct span message = SPAN_LITERAL("message");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        AUTO(buf_clear) struct buf spki = { 0 };
        AUTO(buf_clear) struct buf signature = { 0 };
        AUTO(buf_clear) struct buf cipher = { 0 };
        AUTO(public_key_freep) struct public_key *key = NULL;
        assert_int_equal(buf_set(&spki, test_spki(test_key(kinds[i]))), OK);
        assert_int_equal(public_key_parse(buf_span(&spki), &key), OK);
        memset(spki.ptr, 0, spki.len);
        assert_int_equal(public_key_get_spec(key).kind, kinds[i]);
        assert_true(span_equal(public_key_get_spki(key), test_spki(test_key(kinds[i]))));
        if (kinds[i] == KEY_RSA)
            assert_int_equal(public_key_encrypt(key, KEY_PADDING_PKCS1, message, &cipher), OK);
        assert_int_equal(private_key_sign(test_key(kinds[i]), DIGEST_SHA256, message, &signature), OK);
        assert_int_equal(public_key_verify(key, DIGEST_SHA256, message, buf_span(&signature)), OK);
    }
}

static void a_private_key_survives_pem(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        AUTO(buf_clear) struct buf pem = { 0 };
        AUTO(private_key_freep) struct private_key *back = NULL;
        assert_int_equal(private_key_write_pem(test_key(kinds[i]), &pem), OK);
        assert_int_equal(private_key_parse_pem(buf_span(&pem), "test", &back), OK);
        assert_true(span_equal(test_spki(back), test_spki(test_key(kinds[i]))));
    }
}

static void what_is_no_key_is_refused_with_its_source(void **state)
{
    AUTO(private_key_freep) struct private_key *key = NULL;

    (void)state;
    assert_int_equal(private_key_parse_pem(SPAN_LITERAL("rubbish"), "ca.key", &key), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "ca.key: "));
    assert_int_equal(private_key_parse_pem((struct span){ 0 }, "ca.key", &key), BAD_INPUT);
    assert_null(key);
}

static void an_encrypted_key_is_refused_without_asking_for_a_password(void **state)
{
    AUTO(EVP_PKEY_freep) EVP_PKEY *pkey = EVP_EC_gen("P-256");
    AUTO(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
    AUTO(buf_clear) struct buf pem = { 0 };
    AUTO(private_key_freep) struct private_key *key = NULL;

    (void)state;
    assert_true(PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_256_cbc(), "password", 8, NULL, NULL));
    assert_int_equal(bio_take(bio, &pem), OK);
    assert_int_equal(private_key_parse_pem(buf_span(&pem), "test", &key), BAD_INPUT);
}

static void halves_that_do_not_belong_together_are_noticed(void **state)
{
    AUTO(EVP_PKEY_freep) EVP_PKEY *left = EVP_EC_gen("P-256");
    AUTO(EVP_PKEY_freep) EVP_PKEY *right = EVP_EC_gen("P-256");
    AUTO(EVP_PKEY_freep) EVP_PKEY *mixed = EVP_PKEY_dup(left);
    AUTO(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
    AUTO(buf_clear) struct buf pem = { 0 };
    AUTO(private_key_freep) struct private_key *key = NULL;
    uint8_t point[65];
    size_t length = 0;

    (void)state;
    assert_true(EVP_PKEY_get_octet_string_param(right, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &length));
    assert_true(EVP_PKEY_set1_encoded_public_key(mixed, point, length) > 0);
    assert_true(PEM_write_bio_PKCS8PrivateKey(bio, mixed, NULL, NULL, 0, NULL, NULL));
    assert_int_equal(bio_take(bio, &pem), OK);
    assert_int_equal(private_key_parse_pem(buf_span(&pem), "test", &key), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "do not belong together"));
}

static void a_key_file_open_to_others_is_refused(void **state)
{
    char path[] = "/tmp/muster-key-test-XXXXXX";
    AUTO(buf_clear) struct buf pem = { 0 };
    AUTO(private_key_freep) struct private_key *key = NULL;

    (void)state;
    AUTO(fd_closep) int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(private_key_write_pem(test_key(KEY_EC_P256), &pem), OK);
    assert_int_equal(file_write_all(fd, buf_span(&pem)), OK);
    assert_int_equal(fchmod(fd, 0640), 0);
    assert_int_equal(private_key_load(path, &key), REFUSED);
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(private_key_load(path, &key), OK);
    unlink(path);
    AUTO(private_key_freep) struct private_key *none = NULL;
    assert_int_equal(private_key_load(path, &none), FAULT);
}

static void key_transport_brings_the_same_bytes_back(void **state)
{
    const struct span secret = SPAN_LITERAL("0123456789abcdef");
    struct private_key *key = test_key(KEY_RSA);
    uint8_t plain[16];

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(paddings); i++) {
        const enum key_padding padding = paddings[i % COUNT_OF(paddings)];
        AUTO(buf_clear) struct buf cipher = { 0 };
        assert_int_equal(public_key_encrypt(private_key_get_public(key), padding, secret, &cipher), OK);
        assert_int_equal(private_key_decrypt(key, padding, buf_span(&cipher), sizeof plain, plain), OK);
        assert_memory_equal(plain, secret.ptr, sizeof plain);
    }
}

/* Decrypt twice: what comes back must be neither the secret nor twice the same. */
static void assert_rejected_implicitly(enum key_padding padding, struct span cipher, size_t want)
{
    struct private_key *key = test_key(KEY_RSA);
    uint8_t first[64] = { 0 }, second[64] = { 0 };

    assert_int_equal(private_key_decrypt(key, padding, cipher, want, first), OK);
    assert_int_equal(private_key_decrypt(key, padding, cipher, want, second), OK);
    assert_memory_not_equal(first, second, want);
}

static void a_cipher_that_is_wrong_gives_random_bytes(void **state)
{
    const struct span secret = SPAN_LITERAL("0123456789abcdef");
    struct public_key *key = private_key_get_public(test_key(KEY_RSA));

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paddings); i++) {
        AUTO(buf_clear) struct buf cipher = { 0 };
        assert_int_equal(public_key_encrypt(key, paddings[i], secret, &cipher), OK);
        assert_rejected_implicitly(paddings[i], buf_span(&cipher), 15); /* not the length that is inside */
        assert_rejected_implicitly(paddings[i], buf_span(&cipher), 24);
        assert_rejected_implicitly(paddings[i], span_of(cipher.ptr, cipher.len - 1), 16);
        assert_rejected_implicitly(paddings[(i + 1) % COUNT_OF(paddings)], buf_span(&cipher), 16);
        cipher.ptr[100] ^= 1;
        assert_rejected_implicitly(paddings[i], buf_span(&cipher), 16);
        memset(cipher.ptr, 0xff, cipher.len); /* over the modulus */
        assert_rejected_implicitly(paddings[i], buf_span(&cipher), 16);
        assert_rejected_implicitly(paddings[i], (struct span){ 0 }, 16);
    }
}

/* Encrypt a block as it is, without padding. */
static void encrypt_raw(const uint8_t block[256], struct buf *out)
{
    const struct span spki = test_spki(test_key(KEY_RSA));
    const uint8_t *p = spki.ptr;
    AUTO(EVP_PKEY_freep) EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)spki.len);
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
    uint8_t cipher[256];
    size_t length = sizeof cipher;

    assert_true(EVP_PKEY_encrypt_init(context) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) > 0);
    assert_true(EVP_PKEY_encrypt(context, cipher, &length, block, 256) > 0);
    assert_int_equal(buf_set(out, span_of(cipher, length)), OK);
}

static void every_fault_in_the_padding_is_a_rejection(void **state)
{
    static const size_t zero_at[] = { 2, 9, 100, 238 };
    AUTO(buf_clear) struct buf cipher = { 0 };
    uint8_t block[256], plain[16], good[256];

    (void)state;
    memset(good, 0xaa, sizeof good);
    good[0] = 0, good[1] = 2, good[239] = 0;
    encrypt_raw(good, &cipher);
    assert_int_equal(private_key_decrypt(test_key(KEY_RSA), KEY_PADDING_PKCS1, buf_span(&cipher), 16, plain), OK);
    assert_memory_equal(plain, good + 240, 16);
    for (size_t i = 0; i < COUNT_OF(zero_at); i++) {
        memcpy(block, good, sizeof block);
        block[zero_at[i]] = 0;
        encrypt_raw(block, &cipher);
        assert_rejected_implicitly(KEY_PADDING_PKCS1, buf_span(&cipher), 16);
    }
    memcpy(block, good, sizeof block);
    block[239] = 1;
    encrypt_raw(block, &cipher);
    assert_rejected_implicitly(KEY_PADDING_PKCS1, buf_span(&cipher), 16);
    memcpy(block, good, sizeof block);
    block[1] = 1;
    encrypt_raw(block, &cipher);
    assert_rejected_implicitly(KEY_PADDING_PKCS1, buf_span(&cipher), 16);
    memcpy(block, good, sizeof block);
    block[0] = 1;
    encrypt_raw(block, &cipher);
    assert_rejected_implicitly(KEY_PADDING_PKCS1, buf_span(&cipher), 16);
}

static void an_ec_key_transports_nothing(void **state)
{
    AUTO(buf_clear) struct buf out = { 0 };
    struct private_key *key = test_key(KEY_EC_P256);
    uint8_t plain[16];

    (void)state;
    assert_int_equal(
        public_key_encrypt(private_key_get_public(key), KEY_PADDING_PKCS1, SPAN_LITERAL("secret"), &out), BAD_INPUT);
    assert_int_equal(private_key_decrypt(key, KEY_PADDING_PKCS1, SPAN_LITERAL("x"), sizeof plain, plain), BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_specification_reads_as_it_is_written),
        cmocka_unit_test(a_specification_of_a_weak_or_unknown_key_is_refused),
        cmocka_unit_test(digests_are_the_known_ones),
        cmocka_unit_test(a_signature_holds_for_its_message_alone),
        cmocka_unit_test(a_key_outlives_the_bytes_it_was_read_from),
        cmocka_unit_test(a_private_key_survives_pem),
        cmocka_unit_test(what_is_no_key_is_refused_with_its_source),
        cmocka_unit_test(an_encrypted_key_is_refused_without_asking_for_a_password),
        cmocka_unit_test(halves_that_do_not_belong_together_are_noticed),
        cmocka_unit_test(a_key_file_open_to_others_is_refused),
        cmocka_unit_test(key_transport_brings_the_same_bytes_back),
        cmocka_unit_test(a_cipher_that_is_wrong_gives_random_bytes),
        cmocka_unit_test(every_fault_in_the_padding_is_a_rejection),
        cmocka_unit_test(an_ec_key_transports_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
