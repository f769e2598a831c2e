/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scep/algorithm.h"

#define PKCS1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define PKCS7 "\x2a\x86\x48\x86\xf7\x0d\x01\x07"
#define NIST_AES "\x60\x86\x48\x01\x65\x03\x04\x01"
#define NIST_HASH "\x60\x86\x48\x01\x65\x03\x04\x02"
#define ECDSA_SHA2 "\x2a\x86\x48\xce\x3d\x04\x03"

const struct span scep_oid_data = SPAN_LITERAL(PKCS7 "\x01");
const struct span scep_oid_signed_data = SPAN_LITERAL(PKCS7 "\x02");
const struct span scep_oid_enveloped_data = SPAN_LITERAL(PKCS7 "\x03");

static const struct span oid_rsa_oaep = SPAN_LITERAL(PKCS1 "\x07");
static const struct span oid_mgf1 = SPAN_LITERAL(PKCS1 "\x08");
static const struct span oid_p_specified = SPAN_LITERAL(PKCS1 "\x09");

static bool is_oid(const struct scep_algorithm *algorithm, struct span oid)
{
    return span_equal(algorithm->oid, oid);
}

/* --- Digests ------------------------------------------------------------ */

/* RFC 5754 s2: parameters are left out; RFC 3370 s2.2: those of MD5 are NULL. */
static const struct {
    enum digest digest;
    const char *name;
    struct span oid;
    struct span identifier;
} digest_rules[] = {
    { DIGEST_MD5, "MD5", SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x02\x05"),
      SPAN_LITERAL("\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00") },
    { DIGEST_SHA1, "SHA-1", SPAN_LITERAL("\x2b\x0e\x03\x02\x1a"),
      SPAN_LITERAL("\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a") },
    { DIGEST_SHA256, "SHA-256", SPAN_LITERAL(NIST_HASH "\x01"),
      SPAN_LITERAL("\x30\x0b\x06\x09" NIST_HASH "\x01") },
    { DIGEST_SHA384, "SHA-384", SPAN_LITERAL(NIST_HASH "\x02"),
      SPAN_LITERAL("\x30\x0b\x06\x09" NIST_HASH "\x02") },
    { DIGEST_SHA512, "SHA-512", SPAN_LITERAL(NIST_HASH "\x03"),
      SPAN_LITERAL("\x30\x0b\x06\x09" NIST_HASH "\x03") },
};

enum digest scep_digest_of(const struct scep_algorithm *algorithm)
{
    for (size_t i = 0; i < COUNT_OF(digest_rules); i++)
        if (is_oid(algorithm, digest_rules[i].oid))
            return digest_rules[i].digest;
    return DIGEST_NONE;
}

const char *scep_digest_name(enum digest digest)
{
    for (size_t i = 0; i < COUNT_OF(digest_rules); i++)
        if (digest_rules[i].digest == digest)
            return digest_rules[i].name;
    return "unknown digest";
}

struct span scep_digest_identifier(enum digest digest)
{
    for (size_t i = 0; i < COUNT_OF(digest_rules); i++)
        if (digest_rules[i].digest == digest)
            return digest_rules[i].identifier;
    return span_of(NULL, 0);
}

/* --- Signatures --------------------------------------------------------- */

static const struct scep_signature_rule signature_rules[] = {
    { SPAN_LITERAL(PKCS1 "\x01"), true, DIGEST_NONE }, /* rsaEncryption, RFC 3370 s3.2 */
    { SPAN_LITERAL(PKCS1 "\x04"), true, DIGEST_MD5 },
    { SPAN_LITERAL(PKCS1 "\x05"), true, DIGEST_SHA1 },
    { SPAN_LITERAL(PKCS1 "\x0b"), true, DIGEST_SHA256 },
    { SPAN_LITERAL(PKCS1 "\x0c"), true, DIGEST_SHA384 },
    { SPAN_LITERAL(PKCS1 "\x0d"), true, DIGEST_SHA512 },
    { SPAN_LITERAL("\x2a\x86\x48\xce\x3d\x04\x01"), false, DIGEST_SHA1 },
    { SPAN_LITERAL(ECDSA_SHA2 "\x02"), false, DIGEST_SHA256 },
    { SPAN_LITERAL(ECDSA_SHA2 "\x03"), false, DIGEST_SHA384 },
    { SPAN_LITERAL(ECDSA_SHA2 "\x04"), false, DIGEST_SHA512 },
};

const struct scep_signature_rule *scep_signature_rule_of(const struct scep_algorithm *algorithm)
{
    for (size_t i = 0; i < COUNT_OF(signature_rules); i++)
        if (is_oid(algorithm, signature_rules[i].oid))
            return &signature_rules[i];
    return NULL;
}

static const struct span rsa_identifier = SPAN_LITERAL("\x30\x0d\x06\x09" PKCS1 "\x01\x05\x00");

static const struct {
    enum digest digest;
    struct span identifier;
} ecdsa_identifiers[] = {
    { DIGEST_SHA1, SPAN_LITERAL("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01") },
    { DIGEST_SHA256, SPAN_LITERAL("\x30\x0a\x06\x08" ECDSA_SHA2 "\x02") },
    { DIGEST_SHA384, SPAN_LITERAL("\x30\x0a\x06\x08" ECDSA_SHA2 "\x03") },
    { DIGEST_SHA512, SPAN_LITERAL("\x30\x0a\x06\x08" ECDSA_SHA2 "\x04") },
};

struct span scep_signature_identifier(enum key_kind kind, enum digest digest)
{
    /* rsaEncryption rather than shaNWithRSAEncryption: every verifier in the field takes it. */
    if (kind == KEY_RSA)
        return rsa_identifier;
    for (size_t i = 0; i < COUNT_OF(ecdsa_identifiers); i++)
        if (ecdsa_identifiers[i].digest == digest)
            return ecdsa_identifiers[i].identifier;
    return span_of(NULL, 0);
}

/* --- Content encryption ------------------------------------------------- */

static const struct scep_cipher_rule cipher_rules[] = {
    { SCEP_DES_CBC, "DES-CBC", SPAN_LITERAL("\x2b\x0e\x03\x02\x07"), 8, 8 },
    { SCEP_DES3_CBC, "DES-EDE3-CBC", SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x03\x07"), 24, 8 },
    { SCEP_AES128_CBC, "AES-128-CBC", SPAN_LITERAL(NIST_AES "\x02"), 16, 16 },
    { SCEP_AES192_CBC, "AES-192-CBC", SPAN_LITERAL(NIST_AES "\x16"), 24, 16 },
    { SCEP_AES256_CBC, "AES-256-CBC", SPAN_LITERAL(NIST_AES "\x2a"), 32, 16 },
};

const struct scep_cipher_rule *scep_cipher_rule_of(const struct scep_algorithm *algorithm)
{
    for (size_t i = 0; i < COUNT_OF(cipher_rules); i++)
        if (is_oid(algorithm, cipher_rules[i].oid))
            return &cipher_rules[i];
    return NULL;
}

const struct scep_cipher_rule *scep_cipher_rule(enum scep_cipher cipher)
{
    for (size_t i = 0; i < COUNT_OF(cipher_rules); i++)
        if (cipher_rules[i].cipher == cipher)
            return &cipher_rules[i];
    return NULL;
}

/* --- Key transport ------------------------------------------------------ */

#define SHA256_WITH_NULL "\x30\x0d\x06\x09" NIST_HASH "\x01\x05\x00"

/* clang-format off */
static const struct span transport_identifiers[] = {
    [KEY_PADDING_PKCS1] = SPAN_LITERAL("\x30\x0d\x06\x09" PKCS1 "\x01\x05\x00"),
    [KEY_PADDING_OAEP_SHA1] = SPAN_LITERAL("\x30\x0d\x06\x09" PKCS1 "\x07\x30\x00"),
    [KEY_PADDING_OAEP_SHA256] = SPAN_LITERAL("\x30\x3c\x06\x09" PKCS1 "\x07\x30\x2f"
                                      "\xa0\x0f" SHA256_WITH_NULL
                                      "\xa1\x1c\x30\x1a\x06\x09" PKCS1 "\x08" SHA256_WITH_NULL),
};
/* clang-format on */

struct span scep_key_transport_identifier(enum key_padding padding)
{
    return transport_identifiers[padding];
}

/* RFC 4055 s2.2: hash and mask generator default to SHA-1; the label to the empty one. */
static enum digest oaep_mask_digest(const struct scep_algorithm *mask)
{
    struct scep_algorithm hash;

    if (!mask->oid.len)
        return DIGEST_SHA1;
    if (!is_oid(mask, oid_mgf1) || scep_algorithm_read(mask->parameter.whole, &hash) != OK)
        return DIGEST_NONE;
    return scep_digest_of(&hash);
}

static bool oaep_label_is_empty(const struct scep_algorithm *source)
{
    if (!source->oid.len)
        return true;
    return is_oid(source, oid_p_specified) && source->parameter.tag == DER_OCTET_STRING &&
           source->parameter.content.len == 0;
}

static enum status oaep_padding(const struct der *parameter, enum key_padding *out)
{
    struct scep_oaep_parameters oaep;

    if (parameter->tag != DER_SEQUENCE)
        return fail(BAD_INPUT, "RFC 4055 s4.1: RSAES-OAEP without its parameters");
    if (scep_oaep_parameters_read(parameter->whole, &oaep) != OK)
        return fail_in(BAD_INPUT, "RFC 4055 s4.1: the parameters of RSAES-OAEP do not decode");
    const enum digest hash = oaep.hash.oid.len ? scep_digest_of(&oaep.hash) : DIGEST_SHA1;
    if (hash != oaep_mask_digest(&oaep.mask) || (hash != DIGEST_SHA1 && hash != DIGEST_SHA256))
        return fail(REFUSED,
                    "RFC 4055 s4.1: RSAES-OAEP is taken with SHA-1 or SHA-256 for both hash and MGF1");
    if (!oaep_label_is_empty(&oaep.source))
        return fail(REFUSED, "RFC 4055 s4.1: RSAES-OAEP with a label");
    *out = hash == DIGEST_SHA1 ? KEY_PADDING_OAEP_SHA1 : KEY_PADDING_OAEP_SHA256;
    return OK;
}

enum status scep_key_transport_padding(const struct scep_algorithm *algorithm, enum key_padding *out)
{
    char text[SCEP_OID_TEXT_BYTES];

    if (is_oid(algorithm, signature_rules[0].oid)) {
        if (algorithm->parameter.tag && algorithm->parameter.tag != DER_NULL)
            return fail(BAD_INPUT, "RFC 3370 s4.2.1: rsaEncryption with parameters other than NULL");
        *out = KEY_PADDING_PKCS1;
        return OK;
    }
    if (is_oid(algorithm, oid_rsa_oaep))
        return oaep_padding(&algorithm->parameter, out);
    scep_oid_text(algorithm->oid, text);
    return fail(REFUSED, "RFC 5652 s6.2.1: key transport by %s, want rsaEncryption or RSAES-OAEP", text);
}
