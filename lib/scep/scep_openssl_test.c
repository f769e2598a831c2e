/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests made by OpenSSL's own CMS, read by us.  With MUSTER_WRITE_GOOD=DIR they are also written
 * there: that is how the files in good/ were made.
 */
#include "lib/scep/fixture.h"

#include "lib/base/file.h"
#include "lib/base/test.h"

#include <dirent.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

static const struct scep_policy modern = { 0 };

/* --- OpenSSL as the client ---------------------------------------------------------- */

/* One run of OpenSSL's CMS: flags as for CMS_sign() and CMS_encrypt(). */
struct openssl_run {
    const char *name;
    unsigned sign_flags;
    unsigned encrypt_flags;
    const EVP_MD *(*digest)(void);
    const EVP_CIPHER *(*cipher)(void);
    bool oaep;
};

static BIO *encrypt(const struct fixture *f, const struct openssl_run *run)
{
    BIO *in = BIO_new_mem_buf(f->csr.ptr, (int)f->csr.len);
    BIO *out = BIO_new(BIO_s_mem());
    X509 *ra = party_make_x509(&f->ra);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, run->cipher(), CMS_BINARY | CMS_PARTIAL | CMS_STREAM);

    CMS_RecipientInfo *recipient = CMS_add1_recipient_cert(cms, ra, run->encrypt_flags | CMS_KEY_PARAM);
    assert_non_null(recipient);
    if (run->oaep)
        assert_true(EVP_PKEY_CTX_set_rsa_padding(CMS_RecipientInfo_get0_pkey_ctx(recipient),
                                                 RSA_PKCS1_OAEP_PADDING) > 0);
    if (run->encrypt_flags & CMS_STREAM)
        assert_int_equal(i2d_CMS_bio_stream(out, cms, in, CMS_BINARY | CMS_STREAM), 1);
    else
        assert_true(CMS_final(cms, in, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(out, cms) == 1);
    CMS_ContentInfo_free(cms);
    X509_free(ra);
    BIO_free(in);
    return out;
}

static void add_attribute(CMS_SignerInfo *signer, const char *oid, int type, struct span value)
{
    assert_int_equal(CMS_signed_add1_attr_by_txt(signer, oid, type, value.ptr, (int)value.len), 1);
}

static void add_attributes(const struct fixture *f, CMS_SignerInfo *signer)
{
    add_attribute(signer, "2.16.840.1.113733.1.9.7", V_ASN1_PRINTABLESTRING, SPAN_LITERAL("made-by-openssl"));
    add_attribute(signer, "2.16.840.1.113733.1.9.2", V_ASN1_PRINTABLESTRING, SPAN_LITERAL("17"));
    add_attribute(signer, "2.16.840.1.113733.1.9.5", V_ASN1_OCTET_STRING, span_of(f->nonce, sizeof f->nonce));
}

static void make_request(const struct fixture *f, const struct openssl_run *run, const struct party *by,
                         struct buf *out)
{
    BIO *content = encrypt(f, run);
    BIO *to = BIO_new(BIO_s_mem());
    X509 *cert = party_make_x509(by);
    EVP_PKEY *key = party_make_pkey(by);
    char *data = NULL;
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL | CMS_STREAM);

    CMS_SignerInfo *signer = CMS_add1_signer(cms, cert, key, run->digest(), CMS_BINARY | run->sign_flags);
    assert_non_null(signer);
    add_attributes(f, signer);
    if (run->sign_flags & CMS_STREAM)
        assert_int_equal(i2d_CMS_bio_stream(to, cms, content, CMS_BINARY | CMS_STREAM), 1);
    else
        assert_true(CMS_final(cms, content, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(to, cms) == 1);
    const long len = BIO_get_mem_data(to, &data);
    must(buf_set(out, span_of(data, (size_t)len)), "copy");
    CMS_ContentInfo_free(cms);
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(content);
    BIO_free(to);
}

static void write_good(const char *name, struct span der)
{
    const char *directory = getenv("MUSTER_WRITE_GOOD");
    char path[512];

    if (!directory)
        return;
    snprintf(path, sizeof path, "%s/openssl-%s.der", directory, name);
    must(file_replace(path, der, 0644), path);
}

/* --- Us as the server ------------------------------------------------------------------ */

static const struct openssl_run runs[] = {
    { "plain", 0, 0, EVP_sha256, EVP_aes_128_cbc, false },
    { "sha512-aes256", CMS_NOSMIMECAP, 0, EVP_sha512, EVP_aes_256_cbc, false },
    { "sha384-aes192", 0, 0, EVP_sha384, EVP_aes_192_cbc, false },
    { "oaep", 0, 0, EVP_sha256, EVP_aes_128_cbc, true },
    { "ber-outside", CMS_STREAM, 0, EVP_sha256, EVP_aes_128_cbc, false },
    { "ber-inside", 0, CMS_STREAM, EVP_sha256, EVP_aes_128_cbc, false },
    { "ber-both", CMS_STREAM, CMS_STREAM, EVP_sha256, EVP_aes_128_cbc, false },
    { "key-id", CMS_USE_KEYID, CMS_USE_KEYID, EVP_sha256, EVP_aes_128_cbc, false },
};

static void a_request_made_by_openssl_is_read(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(buf_clear) struct buf plain = { 0 };
        AUTO(scep_message_freep) struct scep_message *message = NULL;
        make_request(f, &runs[i], &f->client, &der);
        must(scep_message_parse(buf_span(&der), &message), runs[i].name);
        must(scep_message_prove(message, NULL, &modern), runs[i].name);
        must(scep_message_decrypt(message, &ra, 1, &plain), runs[i].name);
        assert_true(span_equal(buf_span(&plain), buf_span(&f->csr)));
        assert_int_equal(scep_message_get_header(message)->oaep, runs[i].oaep);
        assert_int_equal(scep_message_get_header(message)->message_type, SCEP_RENEWAL_REQ);
        write_good(runs[i].name, buf_span(&der));
    }
}

static void every_file_in_good_is_proved(void **state)
{
    const char *directory = getenv("MUSTER_SCEP_GOOD");
    DIR *files = directory ? opendir(directory) : NULL;
    size_t count = 0;

    (void)state;
    assert_non_null(files);
    for (const struct dirent *entry = readdir(files); entry; entry = readdir(files)) {
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(scep_message_freep) struct scep_message *message = NULL;
        const size_t len = strlen(entry->d_name);
        if (len < 4 || strcmp(entry->d_name + len - 4, ".der") != 0)
            continue;
        must(file_read_at(dirfd(files), entry->d_name, SCEP_MESSAGE_MAX_BYTES, &der), entry->d_name);
        must(scep_message_parse(buf_span(&der), &message), entry->d_name);
        must(scep_message_prove(message, NULL, &modern), entry->d_name);
        count++;
    }
    closedir(files);
    assert_true(count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_made_by_openssl_is_read),
        cmocka_unit_test(every_file_in_good_is_proved),
    };

    return cmocka_run_group_tests(tests, NULL, fixture_forget);
}
