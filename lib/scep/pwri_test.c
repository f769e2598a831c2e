/* SPDX-License-Identifier: Apache-2.0
 *
 * Replies to keys that cannot decrypt: envelopes for a password, with OpenSSL's own CMS as the referee, and
 * bent ones.  With MUSTER_WRITE_BAD=DIR the bent replies are written there: they are the password-* files in bad/.
 */
#include "lib/scep/fixture.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#define PASSWORD SPAN_LITERAL("ykq7c2nfx5zs4tdm3hwbj6rpga")
#define TRANSACTION SPAN_LITERAL("of-an-ec-key")

static const struct scep_policy modern = { 0 };

/* --- Helpers ------------------------------------------------------------------ */

static struct scep_message *prove_request(enum scep_cipher cipher)
{
    const struct fixture *f = fixture_get();
    struct scep_request request = fixture_request(f);
    struct scep_message *message = NULL;
    AUTO(buf_clear) struct buf sent = { 0 };

    request.signer = fixture_identity(&f->ec);
    request.transaction = TRANSACTION;
    request.cipher = cipher;
    must(scep_request_build(&request, &sent), "request");
    must(scep_message_parse(buf_span(&sent), &message), "parse");
    must(scep_message_prove(message, NULL, &modern), "prove");
    return message;
}

static enum status build_reply(enum scep_cipher cipher, struct span password, struct buf *out)
{
    const struct fixture *f = fixture_get();
    const struct span certificates[] = { buf_span(&f->issued), buf_span(&f->ca.der) };
    AUTO(scep_message_freep) struct scep_message *message = prove_request(cipher);
    const struct scep_reply reply = { .request = message,
                                      .status = SCEP_SUCCESS,
                                      .certificates = certificates,
                                      .certificate_count = COUNT_OF(certificates),
                                      .password = password,
                                      .signer = fixture_identity(&f->ra),
                                      .now_s = FIXTURE_NOW_S };

    assert_true(scep_message_needs_password(message));
    return scep_reply_build(&reply, out);
}

static enum status open_reply(struct span der, struct span password, size_t *count)
{
    const struct fixture *f = fixture_get();
    struct scep_expectation expect = fixture_expectation(f);
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    expect.transaction = TRANSACTION;
    expect.recipient = fixture_identity(&f->ec);
    expect.password = password;
    const enum status status = scep_reply_open(der, &expect, &answer);
    *count = answer.certs.count;
    return status;
}

/* A SUCCESS with whatever for an envelope. */
static void sign_reply(struct span envelope, struct buf *out)
{
    const struct fixture *f = fixture_get();
    AUTO(scep_attributes_clear) struct scep_attributes attributes;
    const struct scep_signing signing = { envelope, fixture_identity(&f->ra), DIGEST_SHA256, FIXTURE_NOW_S };

    scep_attributes_init(&attributes);
    scep_attributes_add(&attributes, SCEP_ATTRIBUTE_TRANSACTION, DER_PRINTABLE_STRING, TRANSACTION);
    scep_attributes_add_number(&attributes, SCEP_ATTRIBUTE_MESSAGE_TYPE, SCEP_CERT_REP);
    scep_attributes_add_number(&attributes, SCEP_ATTRIBUTE_PKI_STATUS, SCEP_SUCCESS);
    scep_attributes_add(&attributes, SCEP_ATTRIBUTE_RECIPIENT_NONCE, DER_OCTET_STRING,
                        span_of(f->nonce, sizeof f->nonce));
    must(scep_attributes_add_fresh_nonce(&attributes), "nonce");
    must(scep_sign(&signing, &attributes, out), "sign");
}

static void make_bundle(struct buf *out)
{
    const struct span certificate = buf_span(&fixture_get()->issued);

    must(scep_certs_build(&certificate, 1, out), "bundle");
}

/* --- There and back --------------------------------------------------------------- */

static void a_reply_to_an_ec_key_is_opened_by_the_password(void **state)
{
    const enum scep_cipher ciphers[] = { SCEP_AES128_CBC, SCEP_AES192_CBC, SCEP_AES256_CBC };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
        AUTO(buf_clear) struct buf reply = { 0 };
        size_t count = 0;
        assert_int_equal(build_reply(ciphers[i], PASSWORD, &reply), OK);
        assert_int_equal(open_reply(buf_span(&reply), PASSWORD, &count), OK);
        assert_int_equal(count, 2);
        assert_int_equal(der_check(buf_span(&reply)), OK);
    }
}

static void a_reply_to_an_ec_key_is_not_built_without_a_password(void **state)
{
    AUTO(buf_clear) struct buf reply = { 0 };

    (void)state;
    assert_int_equal(build_reply(SCEP_AES128_CBC, span_of(NULL, 0), &reply), BAD_INPUT);
}

static void a_wrong_password_gets_one_answer(void **state)
{
    const struct span wrong[] = { SPAN_LITERAL("x"), SPAN_LITERAL("ykq7c2nfx5zs4tdm3hwbj6rpgb") };
    AUTO(buf_clear) struct buf reply = { 0 };
    char first[256] = "";
    size_t count = 0;

    (void)state;
    must(build_reply(SCEP_AES256_CBC, PASSWORD, &reply), "reply");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(open_reply(buf_span(&reply), wrong[i], &count), BAD_PROOF);
        if (i)
            assert_string_equal(first, fail_text());
        snprintf(first, sizeof first, "%s", fail_text());
    }
    assert_int_equal(open_reply(buf_span(&reply), span_of(NULL, 0), &count), BAD_INPUT);
}

/* --- OpenSSL ------------------------------------------------------------------------ */

static void openssl_opens_what_we_build(void **state)
{
    const enum scep_cipher ciphers[] = { SCEP_AES128_CBC, SCEP_AES192_CBC, SCEP_AES256_CBC };
    const struct span password = PASSWORD;
    AUTO(buf_clear) struct buf bundle = { 0 };

    (void)state;
    make_bundle(&bundle);
    for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
        AUTO(buf_clear) struct buf envelope = { 0 };
        char *data = NULL;
        must(scep_envelope_build_for_password(buf_span(&bundle), password, ciphers[i], &envelope), "envelope");
        const unsigned char *at = envelope.ptr;
        CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)envelope.len);
        BIO *plain = BIO_new(BIO_s_mem());
        assert_non_null(cms);
        assert_int_equal(CMS_decrypt_set1_password(cms, (unsigned char *)password.ptr, (long)password.len), 1);
        assert_int_equal(CMS_decrypt(cms, NULL, NULL, NULL, plain, CMS_BINARY), 1);
        const long len = BIO_get_mem_data(plain, &data);
        assert_true(span_equal(span_of(data, (size_t)len), buf_span(&bundle)));
        CMS_ContentInfo_free(cms);
        BIO_free(plain);
    }
}

/* As `openssl cms -encrypt -pwri_password` does: PBKDF2 with HMAC-SHA-1 and 2048 iterations. */
static void openssl_encrypt(const EVP_CIPHER *cipher, struct span plain, struct buf *out)
{
    const struct span password = PASSWORD;
    BIO *in = BIO_new_mem_buf(plain.ptr, (int)plain.len);
    BIO *to = BIO_new(BIO_s_mem());
    char *data = NULL;
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, CMS_BINARY | CMS_PARTIAL);
    unsigned char *copy = OPENSSL_memdup(password.ptr, password.len);

    assert_non_null(CMS_add0_recipient_password(cms, -1, NID_undef, NID_undef, copy, (long)password.len, NULL));
    assert_true(CMS_final(cms, in, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(to, cms) == 1);
    const long len = BIO_get_mem_data(to, &data);
    must(buf_set(out, span_of(data, (size_t)len)), "copy");
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    BIO_free(to);
}

static void what_openssl_builds_is_opened(void **state)
{
    const EVP_CIPHER *const ciphers[] = { EVP_aes_128_cbc(), EVP_aes_192_cbc(), EVP_aes_256_cbc() };
    AUTO(buf_clear) struct buf bundle = { 0 };

    (void)state;
    make_bundle(&bundle);
    for (size_t i = 0; i < COUNT_OF(ciphers); i++) {
        AUTO(buf_clear) struct buf envelope = { 0 };
        AUTO(buf_clear) struct buf reply = { 0 };
        size_t count = 0;
        openssl_encrypt(ciphers[i], buf_span(&bundle), &envelope);
        sign_reply(buf_span(&envelope), &reply);
        must(open_reply(buf_span(&reply), PASSWORD, &count), "open");
        assert_int_equal(count, 1);
    }
}

/* --- Bent ----------------------------------------------------------------------------- */

/* What differs from a good PasswordRecipientInfo; DER, empty spans leave it alone. */
struct bent {
    const char *name;
    enum status status;
    struct span salt, iterations, key_bytes, prf, kdf, wrap, key, behind;
    bool without_derivation;
};

#define PKCS "\x2a\x86\x48\x86\xf7\x0d\x01"
#define AES128 "\x30\x1d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x02\x04\x10" "0123456789abcdef"
#define SHA224_PRF "\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x08\x05\x00"

/* clang-format off */
static const struct bent bents[] = {
    { .name = "iterations-zero", .status = BAD_INPUT, .iterations = SPAN_LITERAL("\x02\x01\x00") },
    { .name = "iterations-negative", .status = BAD_INPUT, .iterations = SPAN_LITERAL("\x02\x01\x80") },
    { .name = "iterations-1000001", .status = BAD_INPUT, .iterations = SPAN_LITERAL("\x02\x03\x0f\x42\x41") },
    { .name = "iterations-2-31", .status = BAD_INPUT, .iterations = SPAN_LITERAL("\x02\x05\x00\x80\x00\x00\x00") },
    { .name = "iterations-2-64", .status = BAD_INPUT,
      .iterations = SPAN_LITERAL("\x02\x09\x01\x00\x00\x00\x00\x00\x00\x00\x01") },
    { .name = "salt-empty", .status = BAD_INPUT, .salt = SPAN_LITERAL("\x04\x00") },
    { .name = "salt-short", .status = BAD_INPUT, .salt = SPAN_LITERAL("\x04\x07" "1234567") },
    { .name = "salt-long", .status = BAD_INPUT, .salt = SPAN_LITERAL("\x04\x41"
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0") },
    { .name = "salt-by-other-source", .status = BAD_INPUT, .salt = SPAN_LITERAL("\x30\x02\x05\x00") },
    { .name = "key-length-other", .status = BAD_INPUT, .key_bytes = SPAN_LITERAL("\x02\x01\x18") },
    { .name = "key-length-huge", .status = BAD_INPUT, .key_bytes = SPAN_LITERAL("\x02\x05\x00\xff\xff\xff\xff") },
    { .name = "prf-sha224", .status = REFUSED, .prf = SPAN_LITERAL(SHA224_PRF) },
    { .name = "prf-with-parameters", .status = BAD_INPUT,
      .prf = SPAN_LITERAL("\x30\x0d\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x09\x02\x01\x01") },
    { .name = "kdf-scrypt", .status = REFUSED, .kdf = SPAN_LITERAL("\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x04\x0b") },
    { .name = "kdf-absent", .status = BAD_INPUT, .without_derivation = true },
    { .name = "wrap-other", .status = REFUSED, .wrap = SPAN_LITERAL(AES128) },
    { .name = "wrap-des3", .status = REFUSED, .wrap = SPAN_LITERAL("\x30\x23\x06\x0b" PKCS "\x09\x10\x03\x09"
      "\x30\x14\x06\x08\x2a\x86\x48\x86\xf7\x0d\x03\x07\x04\x08" "12345678") },
    { .name = "wrap-iv-short", .status = BAD_INPUT, .wrap = SPAN_LITERAL("\x30\x24\x06\x0b" PKCS "\x09\x10\x03\x09"
      "\x30\x15\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x02\x04\x08" "12345678") },
    { .name = "wrap-without-cipher", .status = BAD_INPUT,
      .wrap = SPAN_LITERAL("\x30\x0d\x06\x0b" PKCS "\x09\x10\x03\x09") },
    { .name = "key-empty", .status = BAD_INPUT, .key = SPAN_LITERAL("\x04\x00") },
    { .name = "key-one-block", .status = BAD_INPUT, .key = SPAN_LITERAL("\x04\x10" "0123456789abcdef") },
    { .name = "key-no-whole-blocks", .status = BAD_INPUT,
      .key = SPAN_LITERAL("\x04\x21" "0123456789abcdef0123456789abcdef0") },
    { .name = "something-behind", .status = BAD_INPUT, .behind = SPAN_LITERAL("\x05\x00") },
};
/* clang-format on */

static void put_or(struct der_writer *der, struct span bent, struct span good)
{
    der_put_raw(der, bent.len ? bent : good);
}

static void put_bent_derivation(struct der_writer *der, const struct bent *bent)
{
    const size_t derivation = der_open(der, DER_CONTEXT_CONSTRUCTED(0));

    put_or(der, bent->kdf, SPAN_LITERAL("\x06\x09" PKCS "\x05\x0c"));
    const size_t parameters = der_open(der, DER_SEQUENCE);
    put_or(der, bent->salt, SPAN_LITERAL("\x04\x08" "saltsalt"));
    put_or(der, bent->iterations, SPAN_LITERAL("\x02\x02\x27\x10"));
    der_put_raw(der, bent->key_bytes);
    put_or(der, bent->prf, SPAN_LITERAL("\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x09\x05\x00"));
    der_close(der, parameters);
    der_close(der, derivation);
}

static void make_info(const struct bent *bent, struct buf *out)
{
    struct der_writer der = { .out = out };

    const size_t info = der_open(&der, DER_CONTEXT_CONSTRUCTED(3));
    der_put(&der, DER_INTEGER, SPAN_LITERAL("\0"));
    if (!bent->without_derivation)
        put_bent_derivation(&der, bent);
    put_or(&der, bent->wrap, SPAN_LITERAL("\x30\x2c\x06\x0b" PKCS "\x09\x10\x03\x09" AES128));
    put_or(&der, bent->key, SPAN_LITERAL("\x04\x20" "0123456789abcdef0123456789abcdef"));
    der_put_raw(&der, bent->behind);
    der_close(&der, info);
    must(der_status(&der), "info");
}

/* An EnvelopedData with these RecipientInfos and content that nobody can open. */
static void make_envelope(struct span infos, struct buf *out)
{
    struct der_writer der = { .out = out };

    const size_t info = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_OID, scep_oid_enveloped_data);
    const size_t explicit = der_open(&der, DER_CONTEXT_CONSTRUCTED(0));
    const size_t data = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_INTEGER, SPAN_LITERAL("\3"));
    der_put(&der, DER_SET, infos);
    const size_t content = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_OID, scep_oid_data);
    der_put_raw(&der, SPAN_LITERAL(AES128));
    der_put(&der, DER_CONTEXT(0), SPAN_LITERAL("0123456789abcdef"));
    der_close(&der, content);
    der_close(&der, data);
    der_close(&der, explicit);
    der_close(&der, info);
    must(der_status(&der), "envelope");
}

static void write_bad(const char *name, enum status status, struct span der)
{
    const char *directory = getenv("MUSTER_WRITE_BAD");
    char path[512];

    if (!directory)
        return;
    snprintf(path, sizeof path, "%s/%s.password-%s.der", directory, status_name(status), name);
    must(file_replace(path, der, 0644), path);
}

static void assert_reply(const char *name, enum status want, struct span infos)
{
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(buf_clear) struct buf reply = { 0 };
    size_t count = 0;

    make_envelope(infos, &envelope);
    sign_reply(buf_span(&envelope), &reply);
    const enum status got = open_reply(buf_span(&reply), PASSWORD, &count);
    if (got != want)
        fprintf(stderr, "%s: %s (%s), want %s\n", name, status_name(got), fail_text(), status_name(want));
    assert_int_equal(got, want);
    if (want != BAD_PROOF)
        write_bad(name, want, buf_span(&reply));
}

static void a_bent_password_recipient_is_refused_before_any_work(void **state)
{
    const int64_t start_ms = clock_monotonic_ms();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bents); i++) {
        AUTO(buf_clear) struct buf info = { 0 };
        make_info(&bents[i], &info);
        assert_reply(bents[i].name, bents[i].status, buf_span(&info));
    }
    assert_true(clock_monotonic_ms() - start_ms < 5000); /* 2^31 iterations take half an hour */
}

static void wrong_check_octets_are_answered_like_a_wrong_password(void **state)
{
    const struct bent good = { 0 };
    AUTO(buf_clear) struct buf info = { 0 };

    (void)state;
    make_info(&good, &info);
    assert_reply("check-octets", BAD_PROOF, buf_span(&info));
    assert_non_null(strstr(fail_text(), "is not for us or does not decrypt"));
}

/* Each octet of the key under the password, changed in a good reply. */
static void no_changed_octet_of_the_wrapped_key_opens(void **state)
{
    AUTO(buf_clear) struct buf bundle = { 0 };
    AUTO(buf_clear) struct buf envelope = { 0 };
    struct scep_password_recipient r;
    struct scep_content_info outer;
    struct scep_enveloped_data data;
    AUTO(buf_clear) struct buf joined = { 0 };

    (void)state;
    make_bundle(&bundle);
    must(scep_envelope_build_for_password(buf_span(&bundle), PASSWORD, SCEP_AES128_CBC, &envelope), "envelope");
    must(scep_content_info_read(buf_span(&envelope), &outer), "content info");
    must(scep_enveloped_data_read(outer.content.whole, &joined, &data), "enveloped data");
    must(scep_password_recipient_read(data.recipient.whole, &r), "recipient");
    assert_true(r.iterations >= 10000);
    const size_t start = (size_t)(r.encrypted_key.ptr - envelope.ptr);
    for (size_t i = 0; i < r.encrypted_key.len; i++) {
        AUTO(buf_clear) struct buf reply = { 0 };
        size_t count = 0;
        envelope.ptr[start + i] ^= 1;
        sign_reply(buf_span(&envelope), &reply);
        envelope.ptr[start + i] ^= 1;
        assert_int_not_equal(open_reply(buf_span(&reply), PASSWORD, &count), OK);
    }
}

static void two_recipients_are_refused_where_the_first_is_good(void **state)
{
    AUTO(buf_clear) struct buf infos = { 0 };

    (void)state;
    must(scep_password_recipient_write(SPAN_LITERAL("0123456789abcdef"), PASSWORD, &infos), "first");
    must(scep_password_recipient_write(SPAN_LITERAL("0123456789abcdef"), PASSWORD, &infos), "second");
    assert_reply("two-recipients", BAD_INPUT, buf_span(&infos));
}

static void a_request_for_a_password_is_refused(void **state)
{
    const struct fixture *f = fixture_get();
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    must(scep_envelope_build_for_password(buf_span(&f->csr), PASSWORD, SCEP_AES128_CBC, &envelope), "envelope");
    const struct forge forge = { .content = buf_span(&envelope) };
    forge_message(f, &forge, &der);
    assert_int_equal(scep_message_parse(buf_span(&der), &message), OK);
    assert_int_equal(scep_message_prove(message, NULL, &modern), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "the recipient is by PasswordRecipientInfo, want"));
    write_bad("request", BAD_INPUT, buf_span(&der));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_to_an_ec_key_is_opened_by_the_password),
        cmocka_unit_test(a_reply_to_an_ec_key_is_not_built_without_a_password),
        cmocka_unit_test(a_wrong_password_gets_one_answer),
        cmocka_unit_test(openssl_opens_what_we_build),
        cmocka_unit_test(what_openssl_builds_is_opened),
        cmocka_unit_test(a_bent_password_recipient_is_refused_before_any_work),
        cmocka_unit_test(wrong_check_octets_are_answered_like_a_wrong_password),
        cmocka_unit_test(no_changed_octet_of_the_wrapped_key_opens),
        cmocka_unit_test(two_recipients_are_refused_where_the_first_is_good),
        cmocka_unit_test(a_request_for_a_password_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, fixture_forget);
}
