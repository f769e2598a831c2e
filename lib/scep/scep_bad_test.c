/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that are wrong in one place, forged and signed by a good key, and the odd but good ones.
 * With MUSTER_WRITE_BAD=DIR every forged message is also written there as STATUS.NAME.der: that is
 * how the files in bad/ were made.
 */
#include "lib/scep/fixture.h"

#include "lib/base/file.h"
#include "lib/base/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const struct scep_policy modern = { 0 };
static const struct scep_policy with_sha1 = { .allow_sha1 = true };

/* --- Helpers ------------------------------------------------------------------ */

static void write_bad(const char *name, enum status status, struct span der)
{
    const char *directory = getenv("MUSTER_WRITE_BAD");
    char path[512];

    if (!directory || der.len > 8192)
        return;
    snprintf(path, sizeof path, "%s/%s.%s.der", directory, status_name(status), name);
    must(file_replace(path, der, 0644), path);
}

static void show(const char *name, enum status got, enum status want)
{
    fprintf(stderr, "%s: %s (%s), want %s\n", name, status_name(got), got ? fail_text() : "",
            status_name(want));
}

/* Not even an answer is possible: parse must refuse. */
static void assert_unreadable(const char *name, const struct forge *forge)
{
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    forge_message(fixture_get(), forge, &der);
    const enum status status = scep_message_parse(buf_span(&der), &message);
    if (status != BAD_INPUT)
        show(name, status, BAD_INPUT);
    assert_int_equal(status, BAD_INPUT);
    assert_null(message);
    write_bad(name, BAD_INPUT, buf_span(&der));
}

/* It can be answered, prove() says what is wrong, and nothing can be decrypted. */
static void assert_answered(const char *name, const struct forge *forge, enum status want, const char *text)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(buf_clear) struct buf bytes = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    forge_message(f, forge, &der);
    assert_int_equal(scep_message_parse(buf_span(&der), &message), OK);
    const enum status status = scep_message_prove(message, NULL, &modern);
    if (status != want || !strstr(fail_text(), text))
        show(name, status, want);
    assert_int_equal(status, want);
    assert_non_null(strstr(fail_text(), text));
    assert_int_equal(scep_message_algorithm_refused(message), want == REFUSED);
    assert_int_equal(scep_message_decrypt(message, &ra, 1, &bytes), BAD_INPUT);
    const struct scep_reply reply = { .request = message,
                                      .status = SCEP_FAILURE,
                                      .fail_info = SCEP_BAD_REQUEST,
                                      .signer = fixture_identity(&f->ra),
                                      .now_s = FIXTURE_NOW_S };
    assert_int_equal(scep_reply_build(&reply, &bytes), OK);
    write_bad(name, want, buf_span(&der));
}

static void assert_good(const struct forge *forge, const struct scep_policy *policy)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(buf_clear) struct buf plain = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    forge_message(f, forge, &der);
    must(scep_message_parse(buf_span(&der), &message), "parse");
    must(scep_message_prove(message, NULL, policy), "prove");
    must(scep_message_decrypt(message, &ra, 1, &plain), "decrypt");
    assert_true(span_equal(buf_span(&plain), buf_span(&f->csr)));
}

/* --- Attributes ----------------------------------------------------------------- */

struct attribute_case {
    const char *name;
    enum scep_attribute kind;
    bool is_added;      /* beside the good one */
    struct span values; /* content of the SET; ptr NULL: the attribute is missing */
    bool is_unreadable;
    const char *text;
};

/* clang-format off */
#define REPLACED(kind, values) SCEP_ATTRIBUTE_##kind, false, SPAN_LITERAL(values), false
#define ADDED(kind, values) SCEP_ATTRIBUTE_##kind, true, SPAN_LITERAL(values), false
#define UNREADABLE(kind, values) SCEP_ATTRIBUTE_##kind, false, SPAN_LITERAL(values), true, ""
#define MISSING(kind) SCEP_ATTRIBUTE_##kind, false, { NULL, 0 }, false

static const struct attribute_case attribute_cases[] = {
    { "message-type-missing", MISSING(MESSAGE_TYPE), "RFC 8894 s3.2.1.2: no messageType" },
    { "message-type-doubled", ADDED(MESSAGE_TYPE, "\x13\x02" "19"), "messageType is there twice" },
    { "message-type-two-values", REPLACED(MESSAGE_TYPE, "\x13\x02" "17" "\x13\x02" "19"), "has 2 values, want 1" },
    { "message-type-no-value", REPLACED(MESSAGE_TYPE, ""), "has 0 values, want 1" },
    { "message-type-integer", REPLACED(MESSAGE_TYPE, "\x02\x01\x13"), "is of type INTEGER, want a PrintableString" },
    { "message-type-utf8", REPLACED(MESSAGE_TYPE, "\x0c\x02" "19"), "is of type UTF8STRING" },
    { "message-type-octets", REPLACED(MESSAGE_TYPE, "\x04\x02" "19"), "is of type OCTET STRING" },
    { "message-type-null", REPLACED(MESSAGE_TYPE, "\x05\x00"), "is of type NULL" },
    { "message-type-sequence", REPLACED(MESSAGE_TYPE, "\x30\x04\x13\x02" "19"), "is of type SEQUENCE" },
    { "message-type-tagged", REPLACED(MESSAGE_TYPE, "\x80\x02" "19"), "is of type unknown" },
    { "message-type-empty", REPLACED(MESSAGE_TYPE, "\x13\x00"), "messageType is 0 bytes, want 1 to 3" },
    { "message-type-space-after", REPLACED(MESSAGE_TYPE, "\x13\x03" "19 "), "not a decimal number" },
    { "message-type-space-before", REPLACED(MESSAGE_TYPE, "\x13\x03 19"), "not a decimal number" },
    { "message-type-zero-before", REPLACED(MESSAGE_TYPE, "\x13\x03" "019"), "not a decimal number" },
    { "message-type-plus", REPLACED(MESSAGE_TYPE, "\x13\x03+19"), "not a decimal number" },
    { "message-type-hexadecimal", REPLACED(MESSAGE_TYPE, "\x13\x02" "1f"), "not a decimal number" },
    { "message-type-nul", REPLACED(MESSAGE_TYPE, "\x13\x03" "19\0"), "not a decimal number" },
    { "message-type-256", REPLACED(MESSAGE_TYPE, "\x13\x03" "256"), "not a decimal number" },
    { "message-type-long", REPLACED(MESSAGE_TYPE, "\x13\x0b" "00000000019"), "is 11 bytes, want 1 to 3" },
    { "message-type-reserved", REPLACED(MESSAGE_TYPE, "\x13\x01" "0"), "messageType 0 is not defined" },
    { "message-type-update", REPLACED(MESSAGE_TYPE, "\x13\x02" "18"), "messageType 18 is not defined" },
    { "nonce-missing", MISSING(SENDER_NONCE), "RFC 8894 s3.2.1.5: no senderNonce" },
    { "nonce-doubled", ADDED(SENDER_NONCE, "\x04\x10" "0123456789abcdef"), "senderNonce is there twice" },
    { "nonce-empty", REPLACED(SENDER_NONCE, "\x04\x00"), "senderNonce is 0 bytes, want 16" },
    { "nonce-short", REPLACED(SENDER_NONCE, "\x04\x0f" "0123456789abcde"), "senderNonce is 15 bytes, want 16" },
    { "nonce-long", REPLACED(SENDER_NONCE, "\x04\x11" "0123456789abcdefg"), "senderNonce is 17 bytes, want 16" },
    { "nonce-printable", REPLACED(SENDER_NONCE, "\x13\x10" "0123456789abcdef"), "is of type PRINTABLESTRING" },
    { "nonce-no-value", REPLACED(SENDER_NONCE, ""), "senderNonce has 0 values" },
    { "recipient-nonce-integer", ADDED(RECIPIENT_NONCE, "\x02\x01\x01"), "recipientNonce is of type INTEGER" },
    { "transaction-doubled", ADDED(TRANSACTION, "\x13\x01x"), "transactionID is there twice" },
    { "transaction-octets", REPLACED(TRANSACTION, "\x04\x01x"), "transactionID is of type OCTET STRING" },
    { "transaction-two-values", REPLACED(TRANSACTION, "\x13\x01x\x13\x01y"), "transactionID has 2 values" },
    { "transaction-missing", SCEP_ATTRIBUTE_TRANSACTION, false, { NULL, 0 }, true, "" },
    { "transaction-empty", UNREADABLE(TRANSACTION, "\x13\x00") },
    { "transaction-no-value", UNREADABLE(TRANSACTION, "") },
    { "transaction-null", UNREADABLE(TRANSACTION, "\x05\x00") },
    { "transaction-integer", UNREADABLE(TRANSACTION, "\x02\x01\x01") },
    { "transaction-sequence", UNREADABLE(TRANSACTION, "\x30\x03\x13\x01x") },
    { "transaction-bits", UNREADABLE(TRANSACTION, "\x03\x02\x00x") },
    { "transaction-time", UNREADABLE(TRANSACTION, "\x17\x0d" "261123180219Z") },
    { "content-type-missing", MISSING(CONTENT_TYPE), "RFC 5652 s11.1: no contentType" },
    { "content-type-doubled", ADDED(CONTENT_TYPE, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"), "twice" },
    { "content-type-other", REPLACED(CONTENT_TYPE, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"),
      "contentType attribute differs" },
    { "content-type-printable", REPLACED(CONTENT_TYPE, "\x13\x04" "data"), "contentType is of type PRINTABLE" },
    { "digest-missing", MISSING(MESSAGE_DIGEST), "RFC 5652 s11.2: no messageDigest" },
    { "digest-sequence", REPLACED(MESSAGE_DIGEST, "\x30\x03\x02\x01\x01"), "messageDigest is of type SEQUENCE" },
    { "digest-null", REPLACED(MESSAGE_DIGEST, "\x05\x00"), "messageDigest is of type NULL" },
    { "digest-bits", REPLACED(MESSAGE_DIGEST, "\x03\x02\x00x"), "messageDigest is of type BIT STRING" },
    { "digest-empty", REPLACED(MESSAGE_DIGEST, "\x04\x00"), "messageDigest is 0 bytes" },
    { "digest-short", REPLACED(MESSAGE_DIGEST, "\x04\x14" "01234567890123456789"), "messageDigest is 20 bytes, want 32" },
    { "signing-time-doubled", ADDED(SIGNING_TIME, "\x17\x0d" "261123180219Z"), "signingTime is there twice" },
    { "signing-time-printable", REPLACED(SIGNING_TIME, "\x13\x01x"), "signingTime is of type PRINTABLESTRING" },
    { "status-utf8", ADDED(PKI_STATUS, "\x0c\x01" "0"), "pkiStatus is of type UTF8STRING" },
};
/* clang-format on */

static void forge_attribute_case(const struct attribute_case *c)
{
    AUTO(buf_clear) struct buf extra = { 0 };
    struct forge forge = { .left_out = c->is_added ? 0 : 1u << c->kind };

    if (c->values.ptr) {
        forge_attribute(c->kind, c->values, &extra);
        forge.extra[0] = buf_span(&extra);
        forge.extra_count = 1;
    }
    if (c->is_unreadable)
        assert_unreadable(c->name, &forge);
    else
        assert_answered(c->name, &forge, BAD_INPUT, c->text);
}

static void a_wrong_attribute_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(attribute_cases); i++)
        forge_attribute_case(&attribute_cases[i]);
}

static void a_digest_of_something_else_is_no_proof(void **state)
{
    AUTO(buf_clear) struct buf extra = { 0 };
    struct forge forge = { .left_out = 1u << SCEP_ATTRIBUTE_MESSAGE_DIGEST, .extra_count = 1 };

    (void)state;
    forge_attribute(SCEP_ATTRIBUTE_MESSAGE_DIGEST,
                    SPAN_LITERAL("\x04\x20"
                                 "01234567890123456789012345678901"),
                    &extra);
    forge.extra[0] = buf_span(&extra);
    assert_answered("digest-of-something-else", &forge, BAD_PROOF, "another digest");
}

/* A string with a length of our choice, as the one value of an attribute. */
static void forge_long(enum scep_attribute kind, uint8_t tag, size_t len, struct buf *out)
{
    AUTO(buf_clear) struct buf text = { 0 };
    AUTO(buf_clear) struct buf value = { 0 };
    struct der_writer der = { .out = &value };

    memset(buf_reserve(&text, len), 'a', len);
    text.len = len;
    der_put(&der, tag, buf_span(&text));
    forge_attribute(kind, buf_span(&value), out);
}

static void a_huge_attribute_is_refused(void **state)
{
    AUTO(buf_clear) struct buf nonce = { 0 };
    AUTO(buf_clear) struct buf transaction = { 0 };
    AUTO(buf_clear) struct buf most = { 0 };
    struct forge forge = { .left_out = 1u << SCEP_ATTRIBUTE_SENDER_NONCE, .extra_count = 1 };

    (void)state;
    forge_long(SCEP_ATTRIBUTE_SENDER_NONCE, DER_OCTET_STRING, 40000, &nonce);
    forge.extra[0] = buf_span(&nonce);
    assert_answered("nonce-huge", &forge, BAD_INPUT, "senderNonce is 40000 bytes, want 16");
    forge.left_out = 1u << SCEP_ATTRIBUTE_TRANSACTION;
    forge_long(SCEP_ATTRIBUTE_TRANSACTION, DER_PRINTABLE_STRING, SCEP_TRANSACTION_MAX_BYTES + 1,
               &transaction);
    forge.extra[0] = buf_span(&transaction);
    assert_unreadable("transaction-huge", &forge);
    forge_long(SCEP_ATTRIBUTE_TRANSACTION, DER_PRINTABLE_STRING, SCEP_TRANSACTION_MAX_BYTES, &most);
    forge.extra[0] = buf_span(&most);
    assert_good(&forge, &modern);
}

static void only_the_defined_message_types_are_proved(void **state)
{
    (void)state;
    for (int type = 0; type <= 255; type++) {
        AUTO(buf_clear) struct buf extra = { 0 };
        AUTO(buf_clear) struct buf der = { 0 };
        AUTO(scep_message_freep) struct scep_message *message = NULL;
        char value[8];
        struct forge forge = { .left_out = 1u << SCEP_ATTRIBUTE_MESSAGE_TYPE, .extra_count = 1 };
        const int len = snprintf(value, sizeof value, "\x13%c%d", type > 99 ? 3 : type > 9 ? 2 : 1, type);
        forge_attribute(SCEP_ATTRIBUTE_MESSAGE_TYPE, span_of(value, (size_t)len), &extra);
        forge.extra[0] = buf_span(&extra);
        forge_message(fixture_get(), &forge, &der);
        assert_int_equal(scep_message_parse(buf_span(&der), &message), OK);
        assert_int_equal(scep_message_get_header(message)->message_type, type);
        const bool is_request = type == 17 || (type >= 19 && type <= 22);
        assert_int_equal(scep_message_prove(message, NULL, &modern), is_request ? OK : BAD_INPUT);
    }
}

/* --- SignedData ------------------------------------------------------------------- */

#define OID_SHA256_WITH_RSA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
#define OID_SHA512_WITH_RSA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"
#define OID_PSS "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
#define OID_MD5 "\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05"
#define OID_SHA224 "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04"
#define OID_SHA1 "\x06\x05\x2b\x0e\x03\x02\x1a"
#define OID_ECDSA_SHA256 "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define OID_DATA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define OID_ENVELOPED "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"

struct signed_case {
    const char *name;
    struct forge forge;
    enum status status;
    const char *text;
};

/* clang-format off */
static const struct signed_case signed_cases[] = {
    { "digest-algorithms-empty", { .digest_algorithms = SPAN_LITERAL("\x31\x00") }, BAD_INPUT, "digestAlgorithms is empty" },
    { "e-content-type-enveloped", { .encap_content = SPAN_LITERAL("\x30\x0b" OID_ENVELOPED) }, BAD_INPUT, "want data" },
    { "e-content-absent", { .encap_content = SPAN_LITERAL("\x30\x0b" OID_DATA) }, BAD_INPUT, "without a pkcsPKIEnvelope" },
    { "e-content-empty", { .encap_content = SPAN_LITERAL("\x30\x0f" OID_DATA "\xa0\x02\x04\x00") }, BAD_INPUT,
      "without a pkcsPKIEnvelope" },
    { "e-content-sequence", { .encap_content = SPAN_LITERAL("\x30\x0f" OID_DATA "\xa0\x02\x30\x00") }, BAD_INPUT,
      "eContent is not an OCTET STRING" },
    { "no-certificate", { .certificates = SPAN_LITERAL("\xa0\x00") }, BAD_INPUT, "is not in the message" },
    { "certificate-of-another-kind", { .certificates = SPAN_LITERAL("\xa0\x02\xa2\x00") }, BAD_INPUT, "is not in the message" },
    { "certificate-broken", { .certificates = SPAN_LITERAL("\xa0\x04\x30\x02\x05\x00") }, BAD_INPUT, "is not in the message" },
    { "signer-unknown-key-id", { .signer_id = SPAN_LITERAL("\x80\x04xxxx") }, BAD_INPUT, "is not in the message" },
    { "signer-unknown-serial", { .signer_id = SPAN_LITERAL("\x30\x05\x30\x00\x02\x01\x07") }, BAD_INPUT,
      "is not in the message" },
    { "digest-md5", { .digest_identifier = SPAN_LITERAL("\x30\x0a" OID_MD5) }, REFUSED, "RFC 8894 s3.5.2: digest md5" },
    { "digest-sha224", { .digest_identifier = SPAN_LITERAL("\x30\x0b" OID_SHA224) }, REFUSED, "digest sha224" },
    { "digest-sha1", { .digest = DIGEST_SHA1 }, REFUSED, "digest sha1" },
    { "signature-pss", { .signature_identifier = SPAN_LITERAL("\x30\x0b" OID_PSS) }, REFUSED, "rsassaPss is not accepted" },
    { "signature-other-digest", { .signature_identifier = SPAN_LITERAL("\x30\x0d" OID_SHA512_WITH_RSA "\x05\x00") }, BAD_INPUT,
      "goes with SHA-512, the digest is SHA-256" },
    { "signature-other-key", { .signature_identifier = SPAN_LITERAL("\x30\x0a" OID_ECDSA_SHA256) }, BAD_INPUT,
      "does not go with the signer's key" },
};
/* clang-format on */

static void a_wrong_signed_data_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(signed_cases); i++)
        assert_answered(signed_cases[i].name, &signed_cases[i].forge, signed_cases[i].status,
                        signed_cases[i].text);
}

static void two_signers_are_refused(void **state)
{
    const struct forge two = { .signer_count = 2 };

    (void)state;
    assert_unreadable("two-signers", &two);
}

/* The [0] of `count` certificates: the CA's so many times, then the client's. */
static void forge_certificates(const struct fixture *f, size_t count, struct buf *out)
{
    struct der_writer der = { .out = out };
    const size_t set = der_open(&der, DER_CONTEXT_CONSTRUCTED(0));

    for (size_t i = 0; i + 1 < count; i++)
        der_put_raw(&der, buf_span(&f->ca.der));
    der_put_raw(&der, buf_span(&f->client.der));
    der_close(&der, set);
}

static void the_signer_is_found_by_its_id_among_sixteen_and_no_more(void **state)
{
    AUTO(buf_clear) struct buf sixteen = { 0 };
    AUTO(buf_clear) struct buf seventeen = { 0 };
    struct forge forge = { 0 };

    (void)state;
    forge_certificates(fixture_get(), 16, &sixteen);
    forge.certificates = buf_span(&sixteen);
    assert_good(&forge, &modern);
    forge_certificates(fixture_get(), 17, &seventeen);
    forge.certificates = buf_span(&seventeen);
    assert_answered("seventeen-certificates", &forge, BAD_INPUT, "17 certificates in a message");
}

static void a_message_signed_by_another_key_than_it_says_is_no_proof(void **state)
{
    const struct fixture *f = fixture_get();
    AUTO(buf_clear) struct buf id = { 0 };
    AUTO(buf_clear) struct buf certificates = { 0 };
    struct der_writer der = { .out = &id };
    struct forge forge = { .signer = &f->ca };

    (void)state;
    scep_put_issuer_serial(&der, f->client.cert);
    forge_certificates(f, 1, &certificates);
    forge.signer_id = buf_span(&id);
    forge.certificates = buf_span(&certificates);
    assert_answered("signed-by-another", &forge, BAD_PROOF, "the signature does not hold");
}

static void what_is_no_signed_data_is_unreadable(void **state)
{
    /* clang-format off */
    static const struct span others[] = {
        SPAN_LITERAL(""), SPAN_LITERAL("\x30\x00"), SPAN_LITERAL("\x30\x80"), SPAN_LITERAL("hello"), SPAN_LITERAL("\x04\x02hi"),
        SPAN_LITERAL("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x00"),
        SPAN_LITERAL("\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x02\x04\x00"),
        SPAN_LITERAL("\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x02\x30\x00"),
    };
    /* clang-format on */
    AUTO(buf_clear) struct buf big = { 0 };
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(scep_message_parse(others[i], &message), BAD_INPUT);
    forge_envelope(fixture_get(), SCEP_AES128_CBC, KEY_PADDING_PKCS1, &envelope);
    assert_int_equal(scep_message_parse(buf_span(&envelope), &message), BAD_INPUT);
    memset(buf_reserve(&big, SCEP_MESSAGE_MAX_BYTES + 1), 0x30, SCEP_MESSAGE_MAX_BYTES + 1);
    big.len = SCEP_MESSAGE_MAX_BYTES + 1;
    assert_int_equal(scep_message_parse(buf_span(&big), &message), BAD_INPUT);
}

static void nothing_may_follow_a_message(void **state)
{
    const struct forge good = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    (void)state;
    forge_message(fixture_get(), &good, &der);
    assert_int_equal(buf_append_text(&der, "\n"), OK);
    assert_int_equal(scep_message_parse(buf_span(&der), &message), BAD_INPUT);
}

/* --- The envelope -------------------------------------------------------------------- */

/* An EnvelopedData around parts of our choice: `recipients` is the SET's content. */
static void wrap_envelope(struct span recipients, struct span encrypted_content, struct buf *out)
{
    struct der_writer der = { .out = out };

    out->len = 0;
    const size_t info = der_open(&der, DER_SEQUENCE);
    der_put_raw(&der, SPAN_LITERAL(OID_ENVELOPED));
    const size_t explicit = der_open(&der, DER_CONTEXT_CONSTRUCTED(0));
    const size_t data = der_open(&der, DER_SEQUENCE);
    der_put(&der, DER_INTEGER, SPAN_LITERAL("\0"));
    der_put(&der, DER_SET, recipients);
    der_put_raw(&der, encrypted_content);
    der_close(&der, data);
    der_close(&der, explicit);
    der_close(&der, info);
    must(der_status(&der), "envelope");
}

/* A KeyTransRecipientInfo for the RA whose algorithm is of our choice. */
static void forge_recipient(struct span algorithm, struct span encrypted_key, struct buf *out)
{
    struct der_writer der = { .out = out };
    const size_t info = der_open(&der, DER_SEQUENCE);

    der_put(&der, DER_INTEGER, SPAN_LITERAL("\0"));
    scep_put_issuer_serial(&der, fixture_get()->ra.cert);
    der_put_raw(&der, algorithm);
    der_put(&der, DER_OCTET_STRING, encrypted_key);
    der_close(&der, info);
}

#define RSA_ENCRYPTION SPAN_LITERAL("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")
#define OAEP "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07"
#define AES128 "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x02"
#define AES128_GCM "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x06"
#define IV     \
    "\x04\x10" \
    "0123456789abcdef"
#define SOME_CONTENT \
    "\x80\x10"       \
    "0123456789abcdef"
#define GOOD_CONTENT SPAN_LITERAL("\x30\x3c" OID_DATA "\x30\x1d" AES128 IV SOME_CONTENT)

static void assert_envelope(const char *name, struct span recipients, struct span encrypted_content,
                            enum status status, const char *text)
{
    AUTO(buf_clear) struct buf envelope = { 0 };

    wrap_envelope(recipients, encrypted_content, &envelope);
    const struct forge forge = { .content = buf_span(&envelope) };
    assert_answered(name, &forge, status, text);
}

static void any_recipient_but_one_by_key_transport_is_refused(void **state)
{
    /* clang-format off */
    static const struct {
        const char *name;
        struct span recipients;
        const char *text;
    } cases[] = {
        { "no-recipient", SPAN_LITERAL(""), "0 recipients, want 1" },
        { "recipient-key-agreement", SPAN_LITERAL("\xa1\x03\x02\x01\x03"), "the recipient is by KeyAgreeRecipientInfo, want" },
        { "recipient-kek", SPAN_LITERAL("\xa2\x03\x02\x01\x04"), "the recipient is by KEKRecipientInfo, want" },
        { "recipient-password", SPAN_LITERAL("\xa3\x03\x02\x01\x00"), "the recipient is by PasswordRecipientInfo, want" },
        { "recipient-other", SPAN_LITERAL("\xa4\x03\x02\x01\x00"), "the recipient is by OtherRecipientInfo, want" },
        { "recipient-unknown", SPAN_LITERAL("\xa9\x03\x02\x01\x00"), "the recipient is by unknown RecipientInfo, want" },
        { "recipient-null", SPAN_LITERAL("\x05\x00"), "the recipient is by unknown RecipientInfo, want" },
        { "recipient-empty", SPAN_LITERAL("\x30\x00"), "KeyTransRecipientInfo does not decode" },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_envelope(cases[i].name, cases[i].recipients, GOOD_CONTENT, BAD_INPUT, cases[i].text);
}

static void two_recipients_are_refused_even_if_one_is_ours(void **state)
{
    AUTO(buf_clear) struct buf two = { 0 };

    (void)state;
    forge_recipient(RSA_ENCRYPTION, SPAN_LITERAL("first"), &two);
    forge_recipient(RSA_ENCRYPTION, SPAN_LITERAL("second"), &two);
    assert_envelope("two-recipients", buf_span(&two), GOOD_CONTENT, BAD_INPUT,
                    "RFC 8894 s3.2.2: 2 recipients, want 1");
}

static void an_odd_key_transport_is_refused(void **state)
{
    /* clang-format off */
    static const struct {
        const char *name;
        struct span algorithm;
        enum status status;
        const char *text;
    } cases[] = {
        { "oaep-without-parameters", SPAN_LITERAL("\x30\x0b" OAEP), BAD_INPUT, "without its parameters" },
        { "oaep-null", SPAN_LITERAL("\x30\x0d" OAEP "\x05\x00"), BAD_INPUT, "without its parameters" },
        { "oaep-broken", SPAN_LITERAL("\x30\x0f" OAEP "\x30\x02\x05\x00"), BAD_INPUT, "do not decode" },
        { "oaep-md5", SPAN_LITERAL("\x30\x1b" OAEP "\x30\x0e\xa0\x0c\x30\x0a" OID_MD5), REFUSED, "with SHA-1 or SHA-256" },
        { "oaep-mixed", SPAN_LITERAL("\x30\x1c" OAEP "\x30\x0f\xa0\x0d\x30\x0b" "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"),
          REFUSED, "for both hash and MGF1" },
        { "oaep-label", SPAN_LITERAL("\x30\x1f" OAEP "\x30\x12\xa2\x10\x30\x0e\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09\x04\x01L"),
          REFUSED, "with a label" },
        { "rsa-with-parameters", SPAN_LITERAL("\x30\x0e\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x04\x01x"), BAD_INPUT,
          "parameters other than NULL" },
        { "key-transport-unknown", SPAN_LITERAL("\x30\x0b" AES128), REFUSED, "key transport by aes-128-cbc" },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_clear) struct buf recipient = { 0 };
        forge_recipient(cases[i].algorithm, SPAN_LITERAL("key"), &recipient);
        assert_envelope(cases[i].name, buf_span(&recipient), GOOD_CONTENT, cases[i].status, cases[i].text);
    }
}

static void an_odd_encrypted_content_is_refused(void **state)
{
    /* clang-format off */
    static const struct {
        const char *name;
        struct span content;
        enum status status;
        const char *text;
    } cases[] = {
        { "content-absent", SPAN_LITERAL("\x30\x2a" OID_DATA "\x30\x1d" AES128 IV), BAD_INPUT, "no encryptedContent" },
        { "content-empty", SPAN_LITERAL("\x30\x2c" OID_DATA "\x30\x1d" AES128 IV "\x80\x00"), BAD_INPUT,
          "no encryptedContent" },
        { "content-of-another-type", SPAN_LITERAL("\x30\x3c" OID_ENVELOPED "\x30\x1d" AES128 IV SOME_CONTENT), BAD_INPUT,
          "want data" },
        { "iv-absent", SPAN_LITERAL("\x30\x2a" OID_DATA "\x30\x0b" AES128 SOME_CONTENT), BAD_INPUT, "not an IV of 16 bytes" },
        { "iv-short", SPAN_LITERAL("\x30\x34" OID_DATA "\x30\x15" AES128 "\x04\x08" "01234567" SOME_CONTENT), BAD_INPUT,
          "not an IV of 16 bytes" },
        { "iv-null", SPAN_LITERAL("\x30\x2c" OID_DATA "\x30\x0d" AES128 "\x05\x00" SOME_CONTENT), BAD_INPUT,
          "not an IV of 16 bytes" },
        { "cipher-des", SPAN_LITERAL("\x30\x30" OID_DATA "\x30\x11\x06\x05\x2b\x0e\x03\x02\x07\x04\x08" "01234567" SOME_CONTENT),
          REFUSED, "content cipher des-cbc is not accepted" },
        { "cipher-des3", SPAN_LITERAL("\x30\x33" OID_DATA "\x30\x14\x06\x08\x2a\x86\x48\x86\xf7\x0d\x03\x07\x04\x08" "01234567"
                               SOME_CONTENT), REFUSED, "content cipher des-ede3-cbc is not accepted" },
        { "cipher-gcm", SPAN_LITERAL("\x30\x3c" OID_DATA "\x30\x1d" AES128_GCM IV SOME_CONTENT), REFUSED,
          "is not accepted here, want AES-CBC" },
    };
    /* clang-format on */
    AUTO(buf_clear) struct buf recipient = { 0 };

    (void)state;
    forge_recipient(RSA_ENCRYPTION, SPAN_LITERAL("key"), &recipient);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_envelope(cases[i].name, buf_span(&recipient), cases[i].content, cases[i].status,
                        cases[i].text);
}

static void any_signed_content_but_enveloped_data_is_refused(void **state)
{
    /* clang-format off */
    static const struct {
        const char *name;
        struct span content;
        const char *text;
    } cases[] = {
        { "inside-text", SPAN_LITERAL("hello"), "is not a ContentInfo" },
        { "inside-request", SPAN_LITERAL("\x30\x03\x02\x01\x00"), "is not a ContentInfo" },
        { "inside-data", SPAN_LITERAL("\x30\x11" OID_DATA "\xa0\x04\x04\x02hi"), "want envelopedData" },
        { "inside-auth-enveloped", SPAN_LITERAL("\x30\x11\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17\xa0\x02\x30\x00"),
          "authEnvelopedData, want envelopedData" },
        { "inside-compressed", SPAN_LITERAL("\x30\x11\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09\xa0\x02\x30\x00"),
          "want envelopedData" },
        { "inside-encrypted", SPAN_LITERAL("\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06\xa0\x02\x30\x00"),
          "want envelopedData" },
        { "inside-nothing", SPAN_LITERAL("\x30\x0b" OID_ENVELOPED), "without an EnvelopedData" },
        { "inside-empty", SPAN_LITERAL("\x30\x0f" OID_ENVELOPED "\xa0\x02\x30\x00"), "does not decode" },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct forge forge = { .content = cases[i].content };
        assert_answered(cases[i].name, &forge, BAD_INPUT, cases[i].text);
    }
}

/* A proved message whose envelope cannot be opened: one status and one text for all. */
static void assert_closed(struct span content)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);
    const struct forge forge = { .content = content };
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(buf_clear) struct buf plain = { 0 };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    forge_message(f, &forge, &der);
    must(scep_message_parse(buf_span(&der), &message), "parse");
    must(scep_message_prove(message, NULL, &modern), "prove");
    assert_int_equal(scep_message_decrypt(message, &ra, 1, &plain), BAD_PROOF);
    assert_string_equal(fail_text(),
                        "RFC 8894 s3.2.2: the pkcsPKIEnvelope is not for us or does not decrypt");
    assert_int_equal(plain.len, 0);
}

static void every_failure_to_decrypt_looks_the_same(void **state)
{
    const struct fixture *f = fixture_get();
    AUTO(buf_clear) struct buf recipient = { 0 };
    AUTO(buf_clear) struct buf envelope = { 0 };
    AUTO(buf_clear) struct buf text = { 0 };

    (void)state;
    forge_recipient(RSA_ENCRYPTION, SPAN_LITERAL("not a ciphertext"), &recipient);
    wrap_envelope(buf_span(&recipient), GOOD_CONTENT, &envelope);
    assert_closed(buf_span(&envelope));
    for (size_t i = 0; i < 2; i++) { /* the padding; the key */
        forge_envelope(f, SCEP_AES128_CBC, KEY_PADDING_PKCS1, &envelope);
        envelope.ptr[i == 0 ? envelope.len - 1 : 300] ^= 1;
        assert_closed(buf_span(&envelope));
    }
    must(scep_envelope_build(SPAN_LITERAL("no SEQUENCE at all"), f->ra.cert, SCEP_AES128_CBC,
                             KEY_PADDING_PKCS1, &text),
         "envelope");
    assert_closed(buf_span(&text));
    must(scep_envelope_build(buf_span(&f->csr), f->ca.cert, SCEP_AES128_CBC, KEY_PADDING_PKCS1, &text),
         "envelope");
    assert_closed(buf_span(&text));
}

/* --- Odd, but good ------------------------------------------------------------------- */

static void ber_with_a_constructed_content_is_read(void **state)
{
    const struct forge ber = { .is_ber = true };

    (void)state;
    assert_good(&ber, &modern);
}

static void attributes_in_another_order_are_taken_however_they_were_signed(void **state)
{
    const struct forge as_sent = { .is_unsorted = true };
    const struct forge as_der = { .is_sent_unsorted = true };

    (void)state;
    assert_good(&as_sent, &modern);
    assert_good(&as_der, &modern);
}

static void a_signature_oid_with_its_digest_is_taken(void **state)
{
    const struct forge with_null = { .signature_identifier =
                                         SPAN_LITERAL("\x30\x0d" OID_SHA256_WITH_RSA "\x05\x00") };
    const struct forge without = { .signature_identifier = SPAN_LITERAL("\x30\x0b" OID_SHA256_WITH_RSA) };
    const struct forge digest_with_null = {
        .digest_identifier = SPAN_LITERAL("\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00")
    };

    (void)state;
    assert_good(&with_null, &modern);
    assert_good(&without, &modern);
    assert_good(&digest_with_null, &modern);
}

static void sha1_is_taken_where_the_policy_takes_it(void **state)
{
    const struct forge sha1 = { .digest = DIGEST_SHA1 };

    (void)state;
    assert_good(&sha1, &with_sha1);
}

static void a_message_without_signing_time_is_taken(void **state)
{
    const struct forge forge = { .left_out = 1u << SCEP_ATTRIBUTE_SIGNING_TIME };

    (void)state;
    assert_good(&forge, &modern);
}

static void unknown_attributes_and_odd_strings_are_taken(void **state)
{
    static const struct span strings[] = { SPAN_LITERAL("\x0c\x03"
                                                        "a\xc3\xa4"),
                                           SPAN_LITERAL("\x16\x03"
                                                        "a_b"),
                                           SPAN_LITERAL("\x14\x01x"), SPAN_LITERAL("\x1e\x04\0a\0b"),
                                           SPAN_LITERAL("\x1a\x02xy") };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        AUTO(buf_clear) struct buf transaction = { 0 };
        struct forge forge = { .left_out = 1u << SCEP_ATTRIBUTE_TRANSACTION, .extra_count = 2 };
        forge_attribute(SCEP_ATTRIBUTE_TRANSACTION, strings[i], &transaction);
        forge.extra[0] = buf_span(&transaction);
        /* CMSAlgorithmProtection, as jscep adds it, with an empty value. */
        forge.extra[1] = SPAN_LITERAL("\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x34\x31\x02\x30\x00");
        assert_good(&forge, &modern);
    }
}

/* --- Files -------------------------------------------------------------------------------- */

static enum status read_like_a_server(struct span der)
{
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    TRY(scep_message_parse(der, &message));
    return scep_message_prove(message, NULL, &modern);
}

/* A file's name begins with the status that it must end in. */
static void every_file_in_bad_ends_as_its_name_says(void **state)
{
    const char *directory = getenv("MUSTER_SCEP_BAD");
    DIR *files = directory ? opendir(directory) : NULL;
    size_t count = 0;

    (void)state;
    assert_non_null(files);
    for (const struct dirent *entry = readdir(files); entry; entry = readdir(files)) {
        AUTO(buf_clear) struct buf der = { 0 };
        const size_t len = strlen(entry->d_name);
        if (len < 4 || strcmp(entry->d_name + len - 4, ".der") != 0)
            continue;
        must(file_read_at(dirfd(files), entry->d_name, 1 << 20, &der), entry->d_name);
        const char *status = status_name(read_like_a_server(buf_span(&der)));
        if (strncmp(status, entry->d_name, strlen(status)) != 0)
            fprintf(stderr, "%s: %s: %s\n", entry->d_name, status, fail_text());
        assert_int_equal(strncmp(status, entry->d_name, strlen(status)), 0);
        count++;
    }
    closedir(files);
    assert_true(count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_attribute_is_named),
        cmocka_unit_test(a_digest_of_something_else_is_no_proof),
        cmocka_unit_test(a_huge_attribute_is_refused),
        cmocka_unit_test(only_the_defined_message_types_are_proved),
        cmocka_unit_test(a_wrong_signed_data_is_named),
        cmocka_unit_test(two_signers_are_refused),
        cmocka_unit_test(the_signer_is_found_by_its_id_among_sixteen_and_no_more),
        cmocka_unit_test(a_message_signed_by_another_key_than_it_says_is_no_proof),
        cmocka_unit_test(what_is_no_signed_data_is_unreadable),
        cmocka_unit_test(nothing_may_follow_a_message),
        cmocka_unit_test(any_recipient_but_one_by_key_transport_is_refused),
        cmocka_unit_test(two_recipients_are_refused_even_if_one_is_ours),
        cmocka_unit_test(an_odd_key_transport_is_refused),
        cmocka_unit_test(an_odd_encrypted_content_is_refused),
        cmocka_unit_test(any_signed_content_but_enveloped_data_is_refused),
        cmocka_unit_test(every_failure_to_decrypt_looks_the_same),
        cmocka_unit_test(ber_with_a_constructed_content_is_read),
        cmocka_unit_test(attributes_in_another_order_are_taken_however_they_were_signed),
        cmocka_unit_test(a_signature_oid_with_its_digest_is_taken),
        cmocka_unit_test(sha1_is_taken_where_the_policy_takes_it),
        cmocka_unit_test(a_message_without_signing_time_is_taken),
        cmocka_unit_test(unknown_attributes_and_odd_strings_are_taken),
        cmocka_unit_test(every_file_in_bad_ends_as_its_name_says),
    };

    return cmocka_run_group_tests(tests, NULL, fixture_forget);
}
