/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/signature.h"

#include "lib/pki/der.h"

static const struct algorithm {
    const char *name;
    bool rsa;
    enum digest digest;
    uint8_t len;
    uint8_t der[15]; /* the whole AlgorithmIdentifier, as we write it */
} algorithms[] = {
    { "sha256WithRSAEncryption", true, DIGEST_SHA256, 15,
      { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00 } },
    { "sha384WithRSAEncryption", true, DIGEST_SHA384, 15,
      { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c, 0x05, 0x00 } },
    { "sha512WithRSAEncryption", true, DIGEST_SHA512, 15,
      { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d, 0x05, 0x00 } },
    { "sha1WithRSAEncryption", true, DIGEST_SHA1, 15,
      { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00 } },
    { "md5WithRSAEncryption", true, DIGEST_MD5, 15,
      { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04, 0x05, 0x00 } },
    { "ecdsa-with-SHA256", false, DIGEST_SHA256, 12,
      { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 } },
    { "ecdsa-with-SHA384", false, DIGEST_SHA384, 12,
      { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03 } },
    { "ecdsa-with-SHA512", false, DIGEST_SHA512, 12,
      { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04 } },
    { "ecdsa-with-SHA1", false, DIGEST_SHA1, 11,
      { 0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01 } },
};

enum status signature_algorithm(struct key_spec key, enum digest digest, struct span *out)
{
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        const struct algorithm *a = &algorithms[i];
        if (a->digest == digest && a->rsa == (key.kind == KEY_RSA)) {
            *out = span_of(a->der, a->len);
            return OK;
        }
    }
    return fail(BAD_INPUT, "no signature algorithm for this key and digest");
}

enum digest signature_digest_for(struct key_spec key)
{
    return key.kind == KEY_EC_P384 ? DIGEST_SHA384 : DIGEST_SHA256;
}

static struct span algorithm_oid(const struct algorithm *a)
{
    return span_of(a->der + 4, a->der[3]);
}

/* RSA: parameters NULL, or absent (RFC 4055 s5 has both accepted); ECDSA: absent. */
static enum status algorithm_read(struct span der, const struct algorithm **out)
{
    struct span parameters, oid;

    TRY(der_only(der, DER_SEQUENCE, &parameters));
    TRY(der_expect(&parameters, DER_OID, &oid));
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        const struct algorithm *a = &algorithms[i];
        if (!span_equal(oid, algorithm_oid(a)))
            continue;
        if (parameters.len && !(a->rsa && span_equal(parameters, SPAN_LITERAL("\x05\x00"))))
            return fail(BAD_INPUT, "%s with parameters that do not belong there", a->name);
        *out = a;
        return OK;
    }
    return fail(REFUSED, "unknown signature algorithm, want RSASSA-PKCS1-v1_5 or ECDSA with SHA-256 and up");
}

enum status signature_verify(struct span algorithm, struct span message, struct span signature, struct public_key *key)
{
    const struct algorithm *a = NULL;

    TRY(algorithm_read(algorithm, &a));
    if (a->digest == DIGEST_MD5 || a->digest == DIGEST_SHA1)
        return fail(REFUSED, "%s is too weak, want SHA-256 and up", a->name);
    if (a->rsa != (public_key_get_spec(key).kind == KEY_RSA))
        return fail(BAD_PROOF, "%s, but the key is of another kind", a->name);
    return public_key_verify(key, a->digest, message, signature);
}

enum status signed_parts_read(struct span der, struct signed_parts *out)
{
    struct span rest, bits;

    TRY(der_check(der));
    TRY(der_only(der, DER_SEQUENCE, &rest));
    TRY(der_expect_whole(&rest, DER_SEQUENCE, "what is signed", &out->content));
    TRY(der_expect_whole(&rest, DER_SEQUENCE, "signatureAlgorithm", &out->algorithm));
    TRY(der_expect(&rest, DER_BIT_STRING, &bits));
    if (rest.len)
        return fail(BAD_INPUT, "%zu bytes behind the signature", rest.len);
    return der_octets_of_bits(bits, &out->signature);
}
