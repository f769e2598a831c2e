/* SPDX-License-Identifier: Apache-2.0
 *
 * Public keys by EVP_PKEY_fromdata: 3 us, where OpenSSL's own decoder takes 100 (doc/adr/0002).
 * An RSA key is judged by its numbers alone and becomes an EVP_PKEY when it is first used: who only
 * asks for its kind and size does not pay.  An EC key becomes one at once, since only libcrypto can
 * say whether its point is on the curve.
 */
#include "lib/pki/public_key.h"

#include "lib/base/text.h"
#include "lib/pki/der.h"
#include "lib/pki/libcrypto.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192
#define RSA_EXPONENT_MAX_BITS 256

struct public_key {
    EVP_PKEY *pkey;                /* RSA: NULL until first used */
    struct span modulus, exponent; /* RSA: lent from `spki` */
    EVP_PKEY_CTX *verify;          /* kept for verify_digest, NULL until first used */
    enum digest verify_digest;
    struct key_spec spec;
    struct span spki; /* lent, or the copy that follows */
    uint8_t copy[];
};

static const struct curve {
    enum key_kind kind;
    unsigned bits;
    const char *group;   /* OpenSSL's name */
    const char *text;    /* ours, as in key_spec */
    uint8_t oid_len;
    uint8_t oid[8];
} curves[] = {
    { KEY_EC_P256, 256, "prime256v1", "ec:P-256", 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 } },
    { KEY_EC_P384, 384, "secp384r1", "ec:P-384", 5, { 0x2b, 0x81, 0x04, 0x00, 0x22 } },
};

static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };

/* --- Specifications ----------------------------------------------------- */

enum status key_spec_parse(const char *text, struct key_spec *out)
{
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        if (strcmp(text, curves[i].text) == 0) {
            *out = (struct key_spec){ curves[i].kind, curves[i].bits };
            return OK;
        }
    }
    int64_t bits = 0;
    if (strncmp(text, "rsa:", 4) != 0 || number_parse(text + 4, RSA_MIN_BITS, RSA_MAX_BITS, &bits) != OK || bits % 8)
        return fail(BAD_INPUT, "key \"%.40s\": want rsa:%d to rsa:%d, ec:P-256 or ec:P-384", text, RSA_MIN_BITS,
                    RSA_MAX_BITS);
    *out = (struct key_spec){ KEY_RSA, (unsigned)bits };
    return OK;
}

void key_spec_format(struct key_spec spec, char text[KEY_SPEC_TEXT_BYTES])
{
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        if (curves[i].kind == spec.kind) {
            snprintf(text, KEY_SPEC_TEXT_BYTES, "%s", curves[i].text);
            return;
        }
    }
    snprintf(text, KEY_SPEC_TEXT_BYTES, "rsa:%u", spec.bits);
}

/* --- Making an EVP_PKEY ------------------------------------------------- */

/* Takes the parameters of a public key of `kind`; the context is kept for the life of the process. */
static EVP_PKEY *pkey_from_params(EVP_PKEY_CTX **context, const char *kind, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;

    if (!*context) {
        *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
        if (!*context || EVP_PKEY_fromdata_init(*context) <= 0)
            return NULL;
    }
    return EVP_PKEY_fromdata(*context, &pkey, EVP_PKEY_PUBLIC_KEY, params) > 0 ? pkey : NULL;
}

static unsigned bit_count(struct span big_endian)
{
    unsigned bits = (unsigned)big_endian.len * 8;

    for (uint8_t first = big_endian.len ? big_endian.ptr[0] : 0xff; !(first & 0x80); first = (uint8_t)(first << 1 | 1))
        bits--;
    return bits;
}

/* OSSL_PARAM wants numbers in the machine's byte order. */
static void to_native(struct span big_endian, uint8_t *out)
{
    for (size_t i = 0; i < big_endian.len; i++)
        out[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? big_endian.len - 1 - i : i] = big_endian.ptr[i];
}

static enum status rsa_check(struct span modulus, struct span exponent)
{
    static const uint8_t f4[] = { 0x01, 0x00, 0x01 };
    const unsigned bits = bit_count(modulus);
    const bool exponent_is_one = exponent.len == 1 && exponent.ptr[0] == 1;

    /* Sizes first: no work is done on a number somebody made huge. */
    if (bits > RSA_MAX_BITS)
        return fail(REFUSED, "RSA key of %u bits, want at most %d", bits, RSA_MAX_BITS);
    if (bit_count(exponent) > RSA_EXPONENT_MAX_BITS)
        return fail(REFUSED, "RSA public exponent of %u bits, want at most %d", bit_count(exponent),
                    RSA_EXPONENT_MAX_BITS);
    if (!(modulus.ptr[modulus.len - 1] & 1))
        return fail(BAD_INPUT, "RSA modulus is even");
    if (!(exponent.ptr[exponent.len - 1] & 1) || exponent_is_one)
        return fail(BAD_INPUT, "RSA public exponent is even or 1");
    if (bits < RSA_MIN_BITS)
        return fail(REFUSED, "RSA key of %u bits, want at least %d", bits, RSA_MIN_BITS);
    if (exponent.len < sizeof f4 || (exponent.len == sizeof f4 && memcmp(exponent.ptr, f4, sizeof f4) < 0))
        return fail(REFUSED, "RSA public exponent under 65537");
    return OK;
}

/* RFC 3279 s2.3.1: parameters NULL; RSAPublicKey ::= SEQUENCE { modulus, publicExponent } */
static enum status rsa_read(struct span parameters, struct span bits, struct public_key *key)
{
    struct span numbers, content;

    TRY(der_only(parameters, DER_NULL, &content));
    if (content.len)
        return fail(BAD_INPUT, "RSA parameters are not NULL");
    TRY(der_only(bits, DER_SEQUENCE, &numbers));
    TRY(der_expect(&numbers, DER_INTEGER, &content));
    TRY(der_unsigned(content, &key->modulus));
    TRY(der_expect(&numbers, DER_INTEGER, &content));
    TRY(der_unsigned(content, &key->exponent));
    if (numbers.len)
        return fail(BAD_INPUT, "RSAPublicKey has more than two numbers");
    TRY(rsa_check(key->modulus, key->exponent));
    key->spec = (struct key_spec){ KEY_RSA, bit_count(key->modulus) };
    return OK;
}

/* What rsa_read() has let through, made into what libcrypto can use. */
static enum status rsa_make(struct public_key *key)
{
    static EVP_PKEY_CTX *context;
    uint8_t n[RSA_MAX_BITS / 8], e[RSA_EXPONENT_MAX_BITS / 8];

    to_native(key->modulus, n);
    to_native(key->exponent, e);
    OSSL_PARAM params[] = {
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, n, key->modulus.len),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, e, key->exponent.len),
        OSSL_PARAM_END,
    };
    key->pkey = pkey_from_params(&context, "RSA", params);
    if (!key->pkey)
        return fail_libcrypto(BAD_INPUT, "SubjectPublicKeyInfo: RSA key");
    return OK;
}

static const struct curve *curve_find(struct span oid)
{
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (span_equal(oid, span_of(curves[i].oid, curves[i].oid_len)))
            return &curves[i];
    return NULL;
}

/* RFC 5480 s2.1.1: a named curve and nothing else; s2.2: the uncompressed point. */
static enum status ec_read(struct span parameters, struct span point, struct public_key *key)
{
    static EVP_PKEY_CTX *context;
    struct span oid;

    if (!der_is_next(parameters, DER_OID))
        return fail(BAD_INPUT, "RFC 5480 s2.1.1: EC parameters are not a named curve");
    TRY(der_only(parameters, DER_OID, &oid));
    const struct curve *curve = curve_find(oid);
    if (!curve)
        return fail(BAD_INPUT, "EC curve is neither P-256 nor P-384");
    if (point.len != 1 + 2 * (curve->bits / 8) || point.ptr[0] != 4)
        return fail(BAD_INPUT, "EC point of %zu bytes, want an uncompressed one of %u", point.len,
                    1 + 2 * (curve->bits / 8));
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (void *)(uintptr_t)curve->group, strlen(curve->group)),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.ptr, point.len),
        OSSL_PARAM_END,
    };
    key->spec = (struct key_spec){ curve->kind, curve->bits };
    key->pkey = pkey_from_params(&context, "EC", params);
    return key->pkey ? OK : fail_libcrypto(BAD_INPUT, "EC point is not on its curve");
}

static enum status spki_read(struct span spki, struct public_key *key)
{
    struct span inside, algorithm, oid, bit_string, bits;

    TRY(der_only(spki, DER_SEQUENCE, &inside));
    TRY(der_expect(&inside, DER_SEQUENCE, &algorithm));
    TRY(der_expect(&inside, DER_BIT_STRING, &bit_string));
    TRY(der_octets_of_bits(bit_string, &bits));
    TRY(der_expect(&algorithm, DER_OID, &oid));
    if (inside.len)
        return fail(BAD_INPUT, "%zu bytes behind the key", inside.len);
    if (span_equal(oid, span_of(oid_rsa, sizeof oid_rsa)))
        return rsa_read(algorithm, bits, key);
    if (span_equal(oid, span_of(oid_ec, sizeof oid_ec)))
        return ec_read(algorithm, bits, key);
    return fail(BAD_INPUT, "neither an RSA nor an EC key");
}

/* Takes `key_taken`, also when it fails. */
static enum status parse_into(struct public_key *key_taken, struct span spki, struct public_key **out)
{
    AUTO(public_key_freep) struct public_key *key = key_taken;

    key->spki = spki;
    const enum status status = spki_read(spki, key);
    if (status != OK)
        return fail_in(status, "SubjectPublicKeyInfo");
    *out = take(key);
    return OK;
}

enum status public_key_parse(struct span spki, struct public_key **out)
{
    struct public_key *key = calloc(1, sizeof *key + spki.len);

    if (!key)
        return fail(FAULT, "no memory for a key");
    if (spki.len)
        memcpy(key->copy, spki.ptr, spki.len);
    return parse_into(key, span_of(key->copy, spki.len), out);
}

enum status public_key_parse_lent(struct span spki, struct public_key **out)
{
    struct public_key *key = calloc(1, sizeof *key);

    return key ? parse_into(key, spki, out) : fail(FAULT, "no memory for a key");
}

void public_key_free(struct public_key *key)
{
    if (!key)
        return;
    EVP_PKEY_CTX_free(key->verify);
    EVP_PKEY_free(key->pkey);
    free(key);
}

struct key_spec public_key_get_spec(const struct public_key *key)
{
    return key->spec;
}

struct span public_key_get_spki(const struct public_key *key)
{
    return key->spki;
}

/* --- Using it ----------------------------------------------------------- */

static enum status pkey_make(struct public_key *key)
{
    return key->pkey ? OK : rsa_make(key);
}

static enum status verify_prepare(struct public_key *key, enum digest digest)
{
    if (key->verify && key->verify_digest == digest)
        return OK;
    TRY(pkey_make(key));
    EVP_PKEY_CTX_free(key->verify);
    key->verify = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    key->verify_digest = digest;
    if (!key->verify || EVP_PKEY_verify_init(key->verify) <= 0 ||
        (key->spec.kind == KEY_RSA && EVP_PKEY_CTX_set_rsa_padding(key->verify, RSA_PKCS1_PADDING) <= 0) ||
        EVP_PKEY_CTX_set_signature_md(key->verify, digest_md(digest)) <= 0) {
        EVP_PKEY_CTX_free(key->verify);
        key->verify = NULL;
        return fail_libcrypto(FAULT, "cannot prepare to verify a signature");
    }
    return OK;
}

enum status public_key_verify(struct public_key *key, enum digest digest, struct span message, struct span signature)
{
    uint8_t hash[DIGEST_MAX_BYTES];

    if (digest == DIGEST_NONE)
        return fail(BAD_INPUT, "a signature without a digest");
    TRY(verify_prepare(key, digest));
    const size_t hash_bytes = digest_bytes(digest, message, hash);
    if (EVP_PKEY_verify(key->verify, signature.ptr, signature.len, hash, hash_bytes) != 1)
        return fail_libcrypto(BAD_PROOF, "the signature does not hold");
    return OK;
}

static bool encrypt_prepare(EVP_PKEY_CTX *context, enum key_padding padding)
{
    if (!context || EVP_PKEY_encrypt_init(context) <= 0)
        return false;
    if (padding == KEY_PADDING_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
    const enum digest digest = padding == KEY_PADDING_OAEP_SHA1 ? DIGEST_SHA1 : DIGEST_SHA256;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, digest_md(digest)) > 0;
}

enum status public_key_encrypt(struct public_key *key, enum key_padding padding, struct span plain, struct buf *out)
{
    if (key->spec.kind != KEY_RSA)
        return fail(BAD_INPUT, "an EC key cannot encrypt; key transport needs RSA");
    TRY(pkey_make(key));
    AUTO(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (!encrypt_prepare(context, padding))
        return fail_libcrypto(FAULT, "cannot prepare to encrypt");
    size_t length = (size_t)EVP_PKEY_get_size(key->pkey);
    uint8_t *to = buf_reserve(out, length);
    if (!to)
        return fail(FAULT, "no room for %zu encrypted bytes", length);
    if (EVP_PKEY_encrypt(context, to, &length, plain.ptr, plain.len) <= 0)
        return fail_libcrypto(BAD_INPUT, "cannot encrypt to this key");
    out->len += length;
    return OK;
}
