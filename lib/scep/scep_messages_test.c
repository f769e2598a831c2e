/* SPDX-License-Identifier: Apache-2.0
 *
 * Real messages of other implementations, where the corpora are at hand: MUSTER_CORPORA names their
 * folder.  Without them all is skipped, and meson says so.
 */
#include "lib/scep/message.h"

#include "lib/base/file.h"
#include "lib/base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MESON_SKIP 77

/* MUSTER_CORPORA, else where meson says they lie beside the source; NULL where they are absent. */
static const char *corpora_folder(void)
{
    const char *said = getenv("MUSTER_CORPORA");
    const char *folder = said ? said : getenv("MUSTER_CORPORA_DEFAULT");

    return folder && access(folder, R_OK) == 0 ? folder : NULL;
}

static void load(const char *name, struct buf *out)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/messages/%s", corpora_folder(), name);
    if (file_read(path, SCEP_MESSAGE_MAX_BYTES, out) != OK)
        fprintf(stderr, "%s\n", fail_text());
    assert_true(out->len > 0);
}

/* What they hold was read with openssl asn1parse and openssl cms -cmsout -print. */
/* clang-format off */
static const struct real_message {
    const char *name;
    enum status status;
    const char *text; /* part of what prove() says */
    struct scep_header header;
} real_messages[] = {
    { "scep-gutmann/scep_req2.der", REFUSED, "RSA key of 1536 bits",
      { .message_type = SCEP_PKCS_REQ, .digest = DIGEST_SHA256, .cipher = SCEP_AES128_CBC,
        .transaction = { (const uint8_t *)"7XXEY-ERLPU-2JDR9", 17 } } },
    { "scep-gutmann/scep_resp2.der", REFUSED, "RSA key of 1536 bits",
      { .message_type = SCEP_CERT_REP, .digest = DIGEST_SHA256, .cipher = SCEP_AES128_CBC,
        .transaction = { (const uint8_t *)"7XXEY-ERLPU-2JDR9", 17 } } },
    { "scep-micromdm/PKCSReq.der", BAD_INPUT, "senderNonce is 8 bytes, want 16",
      { .message_type = SCEP_PKCS_REQ, .digest = DIGEST_SHA1, .cipher = SCEP_DES3_CBC,
        .transaction = { (const uint8_t *)"A13090761A30F66664F85D37433D2065E1112BA1", 40 } } },
    { "cms-rustcrypto/scep_der.bin", OK, "",
      { .message_type = SCEP_PKCS_REQ, .digest = DIGEST_SHA256, .cipher = SCEP_AES128_CBC,
        .transaction = { (const uint8_t *)"7C739FC5D809A0F2DDCE5C3952C1BD68BE8B6B76", 40 } } },
};
/* clang-format on */

static const struct scep_policy lax = { .allow_des3 = true, .allow_sha1 = true };

static void assert_reads(const struct real_message *real)
{
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    load(real->name, &der);
    assert_int_equal(scep_message_parse(buf_span(&der), &message), OK);
    const struct scep_header *header = scep_message_get_header(message);
    assert_int_equal(header->message_type, real->header.message_type);
    assert_int_equal(header->digest, real->header.digest);
    assert_int_equal(header->cipher, real->header.cipher);
    assert_true(span_equal(header->transaction, real->header.transaction));
    assert_non_null(scep_message_get_signer(message));
    const enum status status = scep_message_prove(message, NULL, &lax);
    assert_int_equal(status, real->status);
    if (status != OK)
        assert_non_null(strstr(fail_text(), real->text));
}

static void messages_of_other_implementations_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(real_messages); i++)
        assert_reads(&real_messages[i]);
}

static void a_request_with_a_nonce_of_eight_bytes_is_proved_where_the_policy_takes_it(void **state)
{
    const struct scep_policy policy = { .allow_des3 = true, .allow_sha1 = true, .allow_odd_nonce = true };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    load("scep-micromdm/PKCSReq.der", &der);
    assert_int_equal(scep_message_parse(buf_span(&der), &message), OK);
    assert_int_equal(scep_message_prove(message, NULL, &policy), OK);
}

static void what_is_no_scep_message_is_refused(void **state)
{
    static const char *const names[] = { "scep-gutmann/scep_resp0.der",
                                         "scep-gutmann/scep_resp1.der",
                                         "cms-rustcrypto/cms_der.bin",
                                         "cms-rustcrypto/enveloped_data_ktri.bin",
                                         "rfc4134/4.2.bin",
                                         "rfc4134/4.3.bin",
                                         "rfc4134/4.11.bin",
                                         "rfc4134/5.1.bin" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(scep_message_freep) struct scep_message *message = NULL;
        load(names[i], &der);
        assert_int_equal(scep_message_parse(buf_span(&der), &message), BAD_INPUT);
    }
}

/* BER of OpenSSL's `cms` among them, and a bundle by Gutmann's cryptlib. */
static void bundles_of_other_implementations_are_read(void **state)
{
    static const struct {
        const char *name;
        size_t count;
    } bundles[] = {
        { "scep-gutmann/scep_resp0.der", 1 },
        { "cms-rustcrypto/pkits.p7b", 2 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bundles); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(cert_list_clear) struct cert_list certs = { 0 };
        load(bundles[i].name, &der);
        assert_int_equal(scep_certs_parse(buf_span(&der), &certs), OK);
        assert_int_equal(certs.count, bundles[i].count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_other_implementations_are_read),
        cmocka_unit_test(a_request_with_a_nonce_of_eight_bytes_is_proved_where_the_policy_takes_it),
        cmocka_unit_test(what_is_no_scep_message_is_refused),
        cmocka_unit_test(bundles_of_other_implementations_are_read),
    };

    if (!corpora_folder()) {
        fprintf(stderr, "skipped: MUSTER_CORPORA does not lead to the corpora\n");
        return MESON_SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
