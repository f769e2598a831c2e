/* SPDX-License-Identifier: Apache-2.0
 *
 * Client against server in memory, and OpenSSL's own CMS as the referee of what we emit.
 */
#include "lib/scep/fixture.h"

#include "lib/base/test.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>

static const struct scep_policy modern = { 0 };
static const struct scep_policy lax = { .allow_des3 = true, .allow_sha1 = true };

/* --- Helpers ------------------------------------------------------------------ */

static struct scep_message *read_and_prove(struct span der, const struct scep_policy *policy)
{
    struct scep_message *message = NULL;

    must(scep_message_parse(der, &message), "parse");
    must(scep_message_prove(message, NULL, policy), "prove");
    return message;
}

static void build_reply(const struct fixture *f, const struct scep_message *request,
                        enum scep_pki_status status, const struct scep_policy *policy, struct buf *out)
{
    const struct span certificates[] = { buf_span(&f->issued), buf_span(&f->ca.der) };
    const struct scep_reply reply = { .request = request,
                                      .status = status,
                                      .fail_info = SCEP_BAD_REQUEST,
                                      .fail_info_text = "the password is wrong",
                                      .certificates = certificates,
                                      .certificate_count = COUNT_OF(certificates),
                                      .signer = fixture_identity(&f->ra),
                                      .policy = *policy,
                                      .now_s = FIXTURE_NOW_S };

    must(scep_reply_build(&reply, out), "reply");
}

/* A request and the server's reply to it. */
static void exchange(const struct scep_request *request, enum scep_pki_status status,
                     const struct scep_policy *policy, struct buf *reply)
{
    AUTO(buf_clear) struct buf sent = { 0 };

    must(scep_request_build(request, &sent), "request");
    AUTO(scep_message_freep) struct scep_message *message = read_and_prove(buf_span(&sent), policy);
    build_reply(fixture_get(), message, status, policy, reply);
}

/* As `openssl cms -verify -noverify | openssl cms -decrypt` would: the plain messageData. */
static void openssl_open(struct span der, const struct party *recipient, struct buf *plain)
{
    const unsigned char *at = der.ptr;
    char *data = NULL;
    CMS_ContentInfo *outer = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    BIO *content = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());

    assert_non_null(outer);
    assert_int_equal(CMS_verify(outer, NULL, NULL, NULL, content, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY), 1);
    CMS_ContentInfo *inner = d2i_CMS_bio(content, NULL);
    assert_non_null(inner);
    X509 *cert = party_make_x509(recipient);
    EVP_PKEY *key = party_make_pkey(recipient);
    assert_int_equal(CMS_decrypt(inner, key, cert, NULL, out, CMS_BINARY), 1);
    const long len = BIO_get_mem_data(out, &data);
    assert_int_equal(buf_set(plain, span_of(data, (size_t)len)), OK);
    X509_free(cert);
    EVP_PKEY_free(key);
    CMS_ContentInfo_free(outer);
    CMS_ContentInfo_free(inner);
    BIO_free(content);
    BIO_free(out);
}

/* What OpenSSL makes of our bytes must encode to the same bytes: DER, sorted attributes. */
static void assert_is_der(struct span der)
{
    const unsigned char *at = der.ptr;
    unsigned char *again = NULL;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);

    assert_non_null(cms);
    const int len = i2d_CMS_ContentInfo(cms, &again);
    assert_true(span_equal(der, span_of(again, (size_t)len)));
    OPENSSL_free(again);
    CMS_ContentInfo_free(cms);
}

/* --- Requests ------------------------------------------------------------------ */

static void travel(enum scep_cipher cipher, enum digest digest, bool oaep)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);
    struct scep_request request = fixture_request(f);
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(buf_clear) struct buf plain = { 0 };

    request.cipher = cipher;
    request.digest = digest;
    request.oaep = oaep;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    AUTO(scep_message_freep) struct scep_message *message = read_and_prove(buf_span(&sent), &lax);
    const struct scep_header *header = scep_message_get_header(message);
    assert_int_equal(header->message_type, SCEP_PKCS_REQ);
    assert_int_equal(header->cipher, cipher);
    assert_int_equal(header->digest, digest);
    assert_int_equal(header->oaep, oaep);
    assert_true(span_equal(header->transaction, request.transaction));
    assert_true(span_equal(header->sender_nonce, request.sender_nonce));
    assert_true(span_equal(cert_get_der(scep_message_get_signer(message)), buf_span(&f->client.der)));
    assert_int_equal(scep_message_decrypt(message, &ra, 1, &plain), OK);
    assert_true(span_equal(buf_span(&plain), buf_span(&f->csr)));

    AUTO(buf_clear) struct buf by_openssl = { 0 };
    openssl_open(buf_span(&sent), &f->ra, &by_openssl);
    assert_true(span_equal(buf_span(&by_openssl), buf_span(&f->csr)));
    assert_is_der(buf_span(&sent));
}

static void a_request_travels_with_every_cipher_digest_and_padding(void **state)
{
    (void)state;
    for (int cipher = SCEP_DES3_CBC; cipher <= SCEP_AES256_CBC; cipher++)
        for (int digest = DIGEST_SHA1; digest <= DIGEST_SHA512; digest++)
            for (int oaep = 0; oaep <= 1; oaep++)
                travel((enum scep_cipher)cipher, (enum digest)digest, oaep != 0);
}

static void old_algorithms_are_refused_unless_the_policy_takes_them(void **state)
{
    struct scep_request old[2] = { fixture_request(fixture_get()), fixture_request(fixture_get()) };

    (void)state;
    old[0].cipher = SCEP_DES3_CBC;
    old[1].digest = DIGEST_SHA1;
    for (size_t i = 0; i < COUNT_OF(old); i++) {
        AUTO(buf_clear) struct buf sent = { 0 };
        AUTO(scep_message_freep) struct scep_message *message = NULL;
        assert_int_equal(scep_request_build(&old[i], &sent), OK);
        assert_int_equal(scep_message_parse(buf_span(&sent), &message), OK);
        assert_int_equal(scep_message_prove(message, NULL, &modern), REFUSED);
        assert_true(scep_message_algorithm_refused(message));
        assert_int_equal(scep_message_prove(message, NULL, &lax), OK);
        assert_false(scep_message_algorithm_refused(message));
    }
}

static void a_request_that_cannot_be_right_is_not_built(void **state)
{
    struct scep_request bad[6];
    AUTO(buf_clear) struct buf sent = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        bad[i] = fixture_request(fixture_get());
    bad[0].transaction = SPAN_LITERAL("");
    bad[1].transaction = SPAN_LITERAL("a\nb");
    bad[2].sender_nonce = SPAN_LITERAL("short");
    bad[3].cipher = SCEP_CIPHER_NONE;
    bad[4].digest = DIGEST_MD5;
    bad[5].recipient = fixture_get()->ec.cert;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(scep_request_build(&bad[i], &sent), BAD_INPUT);
}

static void a_message_is_not_decrypted_before_it_is_proved(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);
    const struct scep_request request = fixture_request(f);
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(buf_clear) struct buf plain = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    assert_int_equal(scep_message_parse(buf_span(&sent), &message), OK);
    assert_int_equal(scep_message_decrypt(message, &ra, 1, &plain), BAD_INPUT);
}

static void the_recipient_is_found_among_several(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity all[] = { fixture_identity(&f->ca), fixture_identity(&f->ec),
                                         fixture_identity(&f->ra) };
    const struct scep_request request = fixture_request(f);
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(buf_clear) struct buf plain = { 0 };

    (void)state;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    AUTO(scep_message_freep) struct scep_message *message = read_and_prove(buf_span(&sent), &modern);
    assert_int_equal(scep_message_decrypt(message, all, COUNT_OF(all), &plain), OK);
    assert_true(span_equal(buf_span(&plain), buf_span(&f->csr)));
}

static void a_wrong_recipient_and_a_wrong_key_get_one_answer(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity other = fixture_identity(&f->ca);
    const struct scep_identity wrong_key = { f->ra.cert, f->ca.key };
    const struct scep_request request = fixture_request(f);
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(buf_clear) struct buf plain = { 0 };
    char first[256];

    (void)state;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    AUTO(scep_message_freep) struct scep_message *message = read_and_prove(buf_span(&sent), &modern);
    assert_int_equal(scep_message_decrypt(message, &other, 1, &plain), BAD_PROOF);
    snprintf(first, sizeof first, "%s", fail_text());
    assert_int_equal(scep_message_decrypt(message, &wrong_key, 1, &plain), BAD_PROOF);
    assert_string_equal(first, fail_text());
    assert_int_equal(plain.len, 0);
}

/* --- Replies -------------------------------------------------------------------- */

static void a_success_brings_the_certificates_in_their_order(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_request request = fixture_request(f);
    const struct scep_expectation expect = fixture_expectation(f);
    AUTO(buf_clear) struct buf reply = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    (void)state;
    exchange(&request, SCEP_SUCCESS, &modern, &reply);
    assert_int_equal(scep_reply_open(buf_span(&reply), &expect, &answer), OK);
    assert_int_equal(answer.status, SCEP_SUCCESS);
    assert_int_equal(answer.certs.count, 2);
    assert_true(span_equal(cert_get_der(answer.certs.items[0]), buf_span(&f->issued)));
    assert_true(span_equal(cert_get_der(answer.certs.items[1]), buf_span(&f->ca.der)));
    assert_is_der(buf_span(&reply));
}

static void openssl_opens_a_success(void **state)
{
    const struct fixture *f = fixture_get();
    struct scep_request request = fixture_request(f);

    (void)state;
    for (int oaep = 0; oaep <= 1; oaep++) {
        AUTO(buf_clear) struct buf reply = { 0 };
        AUTO(buf_clear) struct buf plain = { 0 };
        AUTO(cert_list_clear) struct cert_list certs = { 0 };
        request.oaep = oaep != 0;
        exchange(&request, SCEP_SUCCESS, &modern, &reply);
        openssl_open(buf_span(&reply), &f->client, &plain);
        assert_int_equal(scep_certs_parse(buf_span(&plain), &certs), OK);
        assert_int_equal(certs.count, 2);
    }
}

static void a_failure_says_why_and_carries_no_envelope(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_request request = fixture_request(f);
    const struct scep_expectation expect = fixture_expectation(f);
    AUTO(buf_clear) struct buf reply = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    exchange(&request, SCEP_FAILURE, &modern, &reply);
    assert_int_equal(scep_reply_open(buf_span(&reply), &expect, &answer), OK);
    assert_int_equal(answer.status, SCEP_FAILURE);
    assert_int_equal(answer.fail_info, SCEP_BAD_REQUEST);
    assert_string_equal(answer.fail_info_text, "the password is wrong");
    assert_int_equal(answer.certs.count, 0);
    assert_int_equal(scep_message_parse(buf_span(&reply), &message), OK);
    assert_false(message->has_content);
    assert_is_der(buf_span(&reply));
}

static void a_pending_is_told(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_request request = fixture_request(f);
    const struct scep_expectation expect = fixture_expectation(f);
    AUTO(buf_clear) struct buf reply = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    (void)state;
    exchange(&request, SCEP_PENDING, &modern, &reply);
    assert_int_equal(scep_reply_open(buf_span(&reply), &expect, &answer), OK);
    assert_int_equal(answer.status, SCEP_PENDING);
    assert_int_equal(answer.fail_info, -1);
    assert_string_equal(answer.fail_info_text, "");
}

static void a_reply_mirrors_the_requests_algorithms(void **state)
{
    const struct fixture *f = fixture_get();

    (void)state;
    for (int cipher = SCEP_DES3_CBC; cipher <= SCEP_AES256_CBC; cipher++)
        for (int digest = DIGEST_SHA1; digest <= DIGEST_SHA512; digest++) {
            struct scep_request request = fixture_request(f);
            AUTO(buf_clear) struct buf reply = { 0 };
            AUTO(scep_message_freep) struct scep_message *message = NULL;
            request.cipher = (enum scep_cipher)cipher;
            request.digest = (enum digest)digest;
            request.oaep = cipher == SCEP_AES256_CBC;
            exchange(&request, SCEP_SUCCESS, &lax, &reply);
            assert_int_equal(scep_message_parse(buf_span(&reply), &message), OK);
            const struct scep_header *header = scep_message_get_header(message);
            assert_int_equal(header->cipher, cipher);
            assert_int_equal(header->digest, digest);
            assert_int_equal(header->oaep, request.oaep);
        }
}

static void what_is_mirrored_never_falls_below_the_policy(void **state)
{
    const struct fixture *f = fixture_get();
    struct scep_request request = fixture_request(f);
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(buf_clear) struct buf bytes = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;
    AUTO(scep_message_freep) struct scep_message *reply = NULL;

    (void)state;
    request.cipher = SCEP_DES3_CBC;
    request.digest = DIGEST_SHA1;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    assert_int_equal(scep_message_parse(buf_span(&sent), &message), OK);
    build_reply(f, message, SCEP_SUCCESS, &modern, &bytes);
    assert_int_equal(scep_message_parse(buf_span(&bytes), &reply), OK);
    assert_int_equal(scep_message_get_header(reply)->cipher, SCEP_AES128_CBC);
    assert_int_equal(scep_message_get_header(reply)->digest, DIGEST_SHA256);
}

static void a_get_cert_by_an_ec_key_is_refused_because_it_has_no_password_for_the_reply(void **state)
{
    const struct fixture *f = fixture_get();
    struct scep_request request = fixture_request(f);
    const struct span certificate = buf_span(&f->issued);
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(buf_clear) struct buf bytes = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    request.signer = fixture_identity(&f->ec);
    request.type = SCEP_GET_CERT;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    assert_int_equal(scep_message_parse(buf_span(&sent), &message), OK);
    assert_int_equal(scep_message_prove(message, NULL, &modern), REFUSED);
    assert_true(scep_message_algorithm_refused(message));
    const struct scep_reply reply = { .request = message,
                                      .status = SCEP_SUCCESS,
                                      .certificates = &certificate,
                                      .certificate_count = 1,
                                      .signer = fixture_identity(&f->ra),
                                      .now_s = FIXTURE_NOW_S };
    assert_int_equal(scep_reply_build(&reply, &bytes), BAD_INPUT);
    build_reply(f, message, SCEP_FAILURE, &modern, &bytes);
}

static void a_reply_signed_with_ecdsa_is_taken(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_request request = fixture_request(f);
    struct scep_expectation expect = fixture_expectation(f);
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(buf_clear) struct buf bytes = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    (void)state;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    AUTO(scep_message_freep) struct scep_message *message = read_and_prove(buf_span(&sent), &modern);
    const struct scep_reply reply = {
        .request = message, .status = SCEP_PENDING, .signer = fixture_identity(&f->ec), .now_s = FIXTURE_NOW_S
    };
    assert_int_equal(scep_reply_build(&reply, &bytes), OK);
    expect.ra_cert = f->ec.cert;
    assert_int_equal(scep_reply_open(buf_span(&bytes), &expect, &answer), OK);
    assert_is_der(buf_span(&bytes));
}

/* --- What a client must not take -------------------------------------------------- */

static enum status open_with(const struct scep_expectation *expect)
{
    const struct scep_request request = fixture_request(fixture_get());
    AUTO(buf_clear) struct buf reply = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    exchange(&request, SCEP_SUCCESS, &modern, &reply);
    return scep_reply_open(buf_span(&reply), expect, &answer);
}

static void a_reply_with_another_transaction_id_is_refused(void **state)
{
    struct scep_expectation expect = fixture_expectation(fixture_get());

    (void)state;
    expect.transaction = SPAN_LITERAL("another");
    assert_int_equal(open_with(&expect), BAD_PROOF);
}

static void a_reply_with_another_nonce_is_refused(void **state)
{
    struct scep_expectation expect = fixture_expectation(fixture_get());

    (void)state;
    expect.sender_nonce = SPAN_LITERAL("0123456789abcdef");
    assert_int_equal(open_with(&expect), BAD_PROOF);
}

static void a_reply_by_somebody_else_is_refused(void **state)
{
    const struct fixture *f = fixture_get();
    struct scep_expectation expect = fixture_expectation(f);
    const struct cert_list nobody = { 0 };

    (void)state;
    expect.ca_certs = &nobody;
    assert_int_equal(open_with(&expect), BAD_PROOF);
    expect.ca_certs = &f->ca_certs;
    expect.ra_cert = f->ca.cert;
    assert_int_equal(open_with(&expect), BAD_PROOF);
    expect.ra_cert = f->ra.cert;
    assert_int_equal(open_with(&expect), OK);
}

static void a_reply_for_another_recipient_is_refused(void **state)
{
    struct scep_expectation expect = fixture_expectation(fixture_get());

    (void)state;
    expect.recipient = fixture_identity(&fixture_get()->ca);
    assert_int_equal(open_with(&expect), BAD_PROOF);
}

static void a_reply_below_our_policy_is_refused(void **state)
{
    const struct fixture *f = fixture_get();
    struct scep_request request = fixture_request(f);
    struct scep_expectation expect = fixture_expectation(f);
    AUTO(buf_clear) struct buf reply = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    (void)state;
    request.digest = DIGEST_SHA1;
    exchange(&request, SCEP_SUCCESS, &lax, &reply);
    assert_int_equal(scep_reply_open(buf_span(&reply), &expect, &answer), REFUSED);
    expect.policy = lax;
    assert_int_equal(scep_reply_open(buf_span(&reply), &expect, &answer), OK);
}

static void a_request_is_no_reply(void **state)
{
    const struct fixture *f = fixture_get();
    struct scep_request request = fixture_request(f);
    const struct scep_expectation expect = fixture_expectation(f);
    AUTO(buf_clear) struct buf sent = { 0 };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    (void)state;
    request.signer = fixture_identity(&f->ra);
    assert_int_equal(scep_request_build(&request, &sent), OK);
    assert_int_equal(scep_reply_open(buf_span(&sent), &expect, &answer), BAD_INPUT);
}

/* --- Every cut and every changed bit ------------------------------------------------ */

/* What is proved and decrypted is what was sent, whatever happened on the way. */
static enum status read_like_a_server(struct span der)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);
    const struct scep_request good = fixture_request(f);
    AUTO(scep_message_freep) struct scep_message *message = NULL;
    AUTO(buf_clear) struct buf plain = { 0 };

    TRY(scep_message_parse(der, &message));
    TRY(scep_message_prove(message, NULL, &lax));
    TRY(scep_message_decrypt(message, &ra, 1, &plain));
    const struct scep_header *header = scep_message_get_header(message);
    assert_int_equal(header->message_type, good.type);
    assert_true(span_equal(header->transaction, good.transaction));
    assert_true(span_equal(header->sender_nonce, good.sender_nonce));
    assert_true(span_equal(buf_span(&plain), good.data));
    assert_true(span_equal(cert_get_spki(scep_message_get_signer(message)), cert_get_spki(f->client.cert)));
    return OK;
}

static void every_cut_of_a_message_is_refused(void **state)
{
    const struct scep_request request = fixture_request(fixture_get());
    AUTO(buf_clear) struct buf sent = { 0 };

    (void)state;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    assert_int_equal(read_like_a_server(buf_span(&sent)), OK);
    for (size_t n = 0; n < sent.len; n++)
        assert_int_equal(read_like_a_server(span_of(sent.ptr, n)), BAD_INPUT);
}

static void no_changed_bit_of_a_request_changes_what_is_read(void **state)
{
    const struct scep_request request = fixture_request(fixture_get());
    AUTO(buf_clear) struct buf sent = { 0 };
    size_t still_good = 0;

    (void)state;
    assert_int_equal(scep_request_build(&request, &sent), OK);
    for (size_t bit = 0; bit < 8 * sent.len; bit++) {
        sent.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        const enum status status = read_like_a_server(buf_span(&sent));
        assert_true(status == OK || status == BAD_INPUT || status == BAD_PROOF || status == REFUSED);
        still_good += status == OK;
        sent.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    /* Only what nobody signs may change: versions, the self-signed certificate's dates and signature. */
    assert_true(still_good < 8 * fixture_get()->client.der.len);
}

static void no_changed_bit_of_a_reply_changes_what_is_read(void **state)
{
    const struct fixture *f = fixture_get();
    const struct scep_request request = fixture_request(f);
    const struct scep_expectation expect = fixture_expectation(f);
    AUTO(buf_clear) struct buf reply = { 0 };

    (void)state;
    exchange(&request, SCEP_SUCCESS, &modern, &reply);
    for (size_t bit = 0; bit < 8 * reply.len; bit++) {
        AUTO(scep_answer_clear) struct scep_answer answer = { 0 };
        reply.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        const enum status status = scep_reply_open(buf_span(&reply), &expect, &answer);
        assert_true(status == OK || status == BAD_INPUT || status == BAD_PROOF || status == REFUSED);
        if (status == OK) {
            assert_int_equal(answer.status, SCEP_SUCCESS);
            assert_int_equal(answer.certs.count, 2);
            assert_true(span_equal(cert_get_der(answer.certs.items[0]), buf_span(&f->issued)));
        }
        reply.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* --- Bundles and capabilities --------------------------------------------------------- */

static void a_bundle_comes_out_as_it_went_in(void **state)
{
    const struct fixture *f = fixture_get();
    const struct span in[] = { buf_span(&f->ra.der), buf_span(&f->ca.der), buf_span(&f->issued) };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(cert_list_clear) struct cert_list out = { 0 };

    (void)state;
    assert_int_equal(scep_certs_build(in, COUNT_OF(in), &der), OK);
    assert_int_equal(scep_certs_parse(buf_span(&der), &out), OK);
    assert_int_equal(out.count, COUNT_OF(in));
    for (size_t i = 0; i < COUNT_OF(in); i++)
        assert_true(span_equal(cert_get_der(out.items[i]), in[i]));

    const unsigned char *at = der.ptr;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    STACK_OF(X509) *by_openssl = CMS_get1_certs(cms);
    assert_int_equal(sk_X509_num(by_openssl), COUNT_OF(in));
    sk_X509_pop_free(by_openssl, X509_free);
    CMS_ContentInfo_free(cms);
}

static void a_bundle_of_none_or_too_many_is_not_built(void **state)
{
    struct span many[33];
    AUTO(buf_clear) struct buf der = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = buf_span(&fixture_get()->ca.der);
    assert_int_equal(scep_certs_build(many, 0, &der), BAD_INPUT);
    assert_int_equal(scep_certs_build(many, 33, &der), BAD_INPUT);
    assert_int_equal(scep_certs_build(many, 32, &der), OK);
}

static void every_cut_of_a_bundle_is_refused(void **state)
{
    const struct span in[] = { buf_span(&fixture_get()->ra.der), buf_span(&fixture_get()->ca.der) };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(cert_list_clear) struct cert_list out = { 0 };

    (void)state;
    assert_int_equal(scep_certs_build(in, COUNT_OF(in), &der), OK);
    for (size_t n = 0; n < der.len; n++)
        assert_int_equal(scep_certs_parse(span_of(der.ptr, n), &out), BAD_INPUT);
    assert_int_equal(out.count, 0);
}

static void capabilities_are_one_word_a_line(void **state)
{
    AUTO(buf_clear) struct buf text = { 0 };

    (void)state;
    assert_int_equal(
        scep_capabilities_format(SCEP_CAP_AES | SCEP_CAP_POST | SCEP_CAP_SHA256 | SCEP_CAP_STANDARD, &text),
        OK);
    assert_string_equal(buf_text(&text), "AES\nPOSTPKIOperation\nSHA-256\nSCEPStandard\n");
}

static void capabilities_are_read_in_any_case_and_line_end(void **state)
{
    (void)state;
    assert_int_equal(scep_capabilities_parse(SPAN_LITERAL("aes\r\nDES3\r\nexample.com-Word\nrenewal")),
                     SCEP_CAP_AES | SCEP_CAP_DES3 | SCEP_CAP_RENEWAL);
    assert_int_equal(scep_capabilities_parse(SPAN_LITERAL("SCEPStandard")),
                     SCEP_CAP_STANDARD | SCEP_CAP_AES | SCEP_CAP_POST | SCEP_CAP_SHA256);
    assert_int_equal(scep_capabilities_parse(SPAN_LITERAL("")), 0);
    assert_int_equal(scep_capabilities_parse(SPAN_LITERAL("AESX\0AES")), 0);
    assert_int_equal(scep_capabilities_parse(SPAN_LITERAL("\n\n SHA-512 \n")), SCEP_CAP_SHA512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_travels_with_every_cipher_digest_and_padding),
        cmocka_unit_test(old_algorithms_are_refused_unless_the_policy_takes_them),
        cmocka_unit_test(a_request_that_cannot_be_right_is_not_built),
        cmocka_unit_test(a_message_is_not_decrypted_before_it_is_proved),
        cmocka_unit_test(the_recipient_is_found_among_several),
        cmocka_unit_test(a_wrong_recipient_and_a_wrong_key_get_one_answer),
        cmocka_unit_test(a_success_brings_the_certificates_in_their_order),
        cmocka_unit_test(openssl_opens_a_success),
        cmocka_unit_test(a_failure_says_why_and_carries_no_envelope),
        cmocka_unit_test(a_pending_is_told),
        cmocka_unit_test(a_reply_mirrors_the_requests_algorithms),
        cmocka_unit_test(what_is_mirrored_never_falls_below_the_policy),
        cmocka_unit_test(a_get_cert_by_an_ec_key_is_refused_because_it_has_no_password_for_the_reply),
        cmocka_unit_test(a_reply_signed_with_ecdsa_is_taken),
        cmocka_unit_test(a_reply_with_another_transaction_id_is_refused),
        cmocka_unit_test(a_reply_with_another_nonce_is_refused),
        cmocka_unit_test(a_reply_by_somebody_else_is_refused),
        cmocka_unit_test(a_reply_for_another_recipient_is_refused),
        cmocka_unit_test(a_reply_below_our_policy_is_refused),
        cmocka_unit_test(a_request_is_no_reply),
        cmocka_unit_test(every_cut_of_a_message_is_refused),
        cmocka_unit_test(no_changed_bit_of_a_request_changes_what_is_read),
        cmocka_unit_test(no_changed_bit_of_a_reply_changes_what_is_read),
        cmocka_unit_test(a_bundle_comes_out_as_it_went_in),
        cmocka_unit_test(a_bundle_of_none_or_too_many_is_not_built),
        cmocka_unit_test(every_cut_of_a_bundle_is_refused),
        cmocka_unit_test(capabilities_are_one_word_a_line),
        cmocka_unit_test(capabilities_are_read_in_any_case_and_line_end),
    };

    return cmocka_run_group_tests(tests, NULL, fixture_forget);
}
