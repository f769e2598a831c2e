/* SPDX-License-Identifier: Apache-2.0
 *
 * A password as the recipient of an envelope (RFC 8894 s3.1, for keys that cannot decrypt):
 * PasswordRecipientInfo with PBKDF2 (RFC 8018 s5.2) and id-alg-PWRI-KEK (RFC 3211 s2.3).
 */
#include "lib/scep/message.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define ITERATIONS_MADE 10000
#define ITERATIONS_MAX 1000000u /* what a message says costs us work: bounded before any is done */
#define SALT_BYTES 16
#define SALT_MIN_BYTES 8 /* RFC 8018 s4.1 */
#define SALT_MAX_BYTES 64
#define BLOCK_BYTES 16 /* AES */
#define KEY_MAX_BYTES 32
#define HEAD_BYTES 4 /* the key's length, and its first three octets inverted */
#define WRAPPED_MIN_BYTES ((size_t)2 * BLOCK_BYTES)
#define WRAPPED_MAX_BYTES ((size_t)4 * BLOCK_BYTES)

#define PKCS "\x2a\x86\x48\x86\xf7\x0d\x01"
#define RSA_DIGEST "\x2a\x86\x48\x86\xf7\x0d\x02"

static const struct span oid_pbkdf2 = SPAN_LITERAL(PKCS "\x05\x0c");
static const struct span oid_pwri_kek = SPAN_LITERAL(PKCS "\x09\x10\x03\x09");

static const struct prf {
    struct span oid;
    const EVP_MD *(*digest)(void);
} prfs[] = {
    { SPAN_LITERAL(RSA_DIGEST "\x09"), EVP_sha256 }, /* the one that we write */
    { SPAN_LITERAL(RSA_DIGEST "\x07"), EVP_sha1 },   /* the default */
    { SPAN_LITERAL(RSA_DIGEST "\x0a"), EVP_sha384 },
    { SPAN_LITERAL(RSA_DIGEST "\x0b"), EVP_sha512 },
};

/* --- Reading ------------------------------------------------------------ */

static enum status refuse_algorithm(const char *what, struct span oid, const char *want)
{
    char text[SCEP_OID_TEXT_BYTES];

    scep_oid_text(oid, text);
    return fail(REFUSED, "RFC 8894 s3.1: %s by %s, want %s", what, text, want);
}

static enum status read_prf(struct span rest, struct scep_password_recipient *out)
{
    struct scep_algorithm prf = { .oid = prfs[1].oid };

    if (rest.len)
        TRY(scep_algorithm_read(rest, &prf));
    if (prf.parameter.tag && prf.parameter.tag != DER_NULL)
        return fail(BAD_INPUT, "RFC 8018 B.1.2: the HMAC of PBKDF2 has parameters other than NULL");
    for (size_t i = 0; i < COUNT_OF(prfs); i++)
        if (span_equal(prf.oid, prfs[i].oid)) {
            out->prf = prfs[i].digest;
            return OK;
        }
    return refuse_algorithm("PBKDF2", prf.oid, "HMAC with SHA-1 or SHA-2");
}

/* A count of at most `most`; whatever is longer than an unsigned can hold is more. */
static enum status read_count(struct span *rest, const char *what, unsigned most, unsigned *out)
{
    struct span content, octets;

    TRY(der_expect(rest, DER_INTEGER, &content));
    if (der_unsigned(content, &octets) != OK)
        return fail(BAD_INPUT, "RFC 8018 A.2: %s is no positive number", what);
    *out = 0;
    for (size_t i = 0; i < octets.len && octets.len <= 4; i++)
        *out = *out << 8 | octets.ptr[i];
    if (octets.len > 4 || *out == 0 || *out > most)
        return fail(BAD_INPUT, "RFC 8018 A.2: %s of PBKDF2 is not from 1 to %u", what, most);
    return OK;
}

static enum status read_pbkdf2(struct span der, struct scep_password_recipient *out)
{
    struct span inside;

    TRY(der_only(der, DER_SEQUENCE, &inside));
    if (!der_is_next(inside, DER_OCTET_STRING))
        return fail(BAD_INPUT, "RFC 8018 A.2: PBKDF2 without a specified salt");
    TRY(der_expect(&inside, DER_OCTET_STRING, &out->salt));
    if (out->salt.len < SALT_MIN_BYTES || out->salt.len > SALT_MAX_BYTES)
        return fail(BAD_INPUT, "RFC 8018 s4.1: a salt of %zu bytes, want %d to %d", out->salt.len, SALT_MIN_BYTES,
                    SALT_MAX_BYTES);
    TRY(read_count(&inside, "the iteration count", ITERATIONS_MAX, &out->iterations));
    out->key_bytes = 0;
    if (der_is_next(inside, DER_INTEGER))
        TRY(read_count(&inside, "the key length", KEY_MAX_BYTES, &out->key_bytes));
    return read_prf(inside, out);
}

/* [0] IMPLICIT AlgorithmIdentifier.  RFC 5652 s6.2.4: absent where the password is a key, which ours is not. */
static enum status read_derivation(struct span *rest, struct scep_password_recipient *out)
{
    struct span inside, oid;
    struct der parameter;

    if (!der_is_next(*rest, DER_CONTEXT_CONSTRUCTED(0)))
        return fail(BAD_INPUT, "RFC 5652 s6.2.4: a password without a keyDerivationAlgorithm");
    TRY(der_expect(rest, DER_CONTEXT_CONSTRUCTED(0), &inside));
    TRY(der_expect(&inside, DER_OID, &oid));
    TRY(der_oid_check(oid));
    if (!span_equal(oid, oid_pbkdf2))
        return refuse_algorithm("key derivation", oid, "PBKDF2");
    TRY(scep_element_next(&inside, &parameter));
    return inside.len ? fail(BAD_INPUT, "DER: %zu bytes behind the end", inside.len)
                      : read_pbkdf2(parameter.whole, out);
}

static enum status read_encryption(struct span *rest, struct scep_password_recipient *out)
{
    struct scep_algorithm outer, inner;
    struct der element;

    TRY(scep_element_next(rest, &element));
    TRY(scep_algorithm_read(element.whole, &outer));
    if (!span_equal(outer.oid, oid_pwri_kek))
        return refuse_algorithm("key encryption", outer.oid, "id-alg-PWRI-KEK");
    TRY(scep_algorithm_read(outer.parameter.whole, &inner));
    out->cipher = scep_cipher_rule_of(&inner);
    if (!out->cipher || out->cipher->block_bytes != BLOCK_BYTES)
        return refuse_algorithm("key encryption", inner.oid, "AES-CBC");
    if (inner.parameter.tag != DER_OCTET_STRING || inner.parameter.content.len != BLOCK_BYTES)
        return fail(BAD_INPUT, "RFC 3565 s2.3.1: the parameter of the key encryption is not an IV of %d bytes",
                    BLOCK_BYTES);
    out->iv = inner.parameter.content;
    if (out->key_bytes && out->key_bytes != out->cipher->key_bytes)
        return fail(BAD_INPUT, "RFC 8018 A.2: PBKDF2 makes a key of %u bytes, %s wants %zu", out->key_bytes,
                    out->cipher->name, out->cipher->key_bytes);
    return OK;
}

static enum status read_encrypted_key(struct span *rest, struct scep_password_recipient *out)
{
    TRY(der_expect(rest, DER_OCTET_STRING, &out->encrypted_key));
    const size_t len = out->encrypted_key.len;
    if (rest->len)
        return fail(BAD_INPUT, "DER: %zu bytes behind the end", rest->len);
    if (len % BLOCK_BYTES || len < WRAPPED_MIN_BYTES || len > WRAPPED_MAX_BYTES)
        return fail(BAD_INPUT, "RFC 3211 s2.3.1: an encryptedKey of %zu bytes, want whole blocks from %zu to %zu",
                    len, WRAPPED_MIN_BYTES, WRAPPED_MAX_BYTES);
    return OK;
}

enum status scep_password_recipient_read(struct span der, struct scep_password_recipient *out)
{
    struct span inside, version;

    TRY(der_only(der, DER_CONTEXT_CONSTRUCTED(3), &inside));
    TRY(der_expect(&inside, DER_INTEGER, &version));
    if (!span_equal(version, SPAN_LITERAL("\0")))
        return fail(BAD_INPUT, "RFC 5652 s6.2.4: a PasswordRecipientInfo of another version than 0");
    TRY(read_derivation(&inside, out));
    TRY(read_encryption(&inside, out));
    return read_encrypted_key(&inside, out);
}

/* --- The key under the password ------------------------------------------ */

struct wrapping {
    uint8_t key[KEY_MAX_BYTES]; /* made of the password */
    uint8_t bytes[WRAPPED_MAX_BYTES];
    uint8_t content_key[KEY_MAX_BYTES];
};

static void wrapping_clear(struct wrapping *wrapping)
{
    explicit_bzero(wrapping, sizeof *wrapping);
}

static enum status derive(const struct scep_password_recipient *r, struct span password, uint8_t *key)
{
    if (password.len == 0)
        return fail(BAD_INPUT, "RFC 8894 s3.1: there is no password to encrypt with");
    if (PKCS5_PBKDF2_HMAC((const char *)password.ptr, (int)password.len, r->salt.ptr, (int)r->salt.len,
                          (int)r->iterations, r->prf(), (int)r->cipher->key_bytes, key) == 1)
        return OK;
    ERR_clear_error();
    return fail(FAULT, "libcrypto: PBKDF2 failed");
}

/* CBC over whole blocks without padding; `out` may be where `in` is. */
static enum status run_blocks(const struct scep_cipher_rule *rule, const uint8_t *key, const uint8_t *iv,
                              bool encrypt, struct span in, uint8_t *out)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, rule->name, NULL);
    int len = 0;

    const bool done = context && cipher &&
                      EVP_CipherInit_ex2(context, cipher, key, iv, encrypt, NULL) == 1 &&
                      EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
                      EVP_CipherUpdate(context, out, &len, in.ptr, (int)in.len) == 1 && (size_t)len == in.len;
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return done ? OK : fail(FAULT, "libcrypto: %s failed", rule->name);
}

/* RFC 3211 s2.3.2: the last block first, which was the IV of the outer of the two encryptions. */
static enum status unwrap(const struct scep_password_recipient *r, struct wrapping *w)
{
    const struct span in = r->encrypted_key;
    uint8_t inner_iv[BLOCK_BYTES];

    TRY(run_blocks(r->cipher, w->key, in.ptr + in.len - 2 * BLOCK_BYTES, false,
                   span_of(in.ptr + in.len - BLOCK_BYTES, BLOCK_BYTES), inner_iv));
    TRY(run_blocks(r->cipher, w->key, inner_iv, false, in, w->bytes));
    return run_blocks(r->cipher, w->key, r->iv.ptr, false, span_of(w->bytes, in.len), w->bytes);
}

/* 0xff where length and check octets are right, else 0; and then the key is a random one. */
static enum status choose_key(struct wrapping *w, size_t key_bytes, uint8_t *right)
{
    uint8_t random[KEY_MAX_BYTES];
    const uint8_t *b = w->bytes;

    if (RAND_priv_bytes(random, sizeof random) != 1)
        return fail(FAULT, "libcrypto has no random bytes");
    const unsigned checked = (b[1] ^ b[4]) & (b[2] ^ b[5]) & (b[3] ^ b[6]);
    const unsigned wrong = (b[0] ^ (unsigned)key_bytes) | (checked ^ 0xffu);
    *right = (uint8_t)((wrong - 1u) >> 8);
    for (size_t i = 0; i < key_bytes; i++)
        w->content_key[i] = (uint8_t)((b[HEAD_BYTES + i] & *right) | (random[i] & ~*right));
    explicit_bzero(random, sizeof random);
    return OK;
}

enum status scep_message_decrypt_by_password(struct scep_message *message, struct span password, struct buf *plain)
{
    AUTO(wrapping_clear) struct wrapping w = { 0 };
    const struct scep_password_recipient *r = &message->password;
    uint8_t right = 0;

    if (!message->is_proved)
        return fail(BAD_INPUT, "RFC 8894 s3.1: a message is proved before it is decrypted");
    if (!message->is_by_password || !message->cipher)
        return fail(BAD_INPUT, "RFC 8894 s3.1: the pkcsPKIEnvelope is not for a password");
    const size_t key_bytes = message->cipher->key_bytes;
    if (HEAD_BYTES + key_bytes > r->encrypted_key.len)
        return fail(BAD_INPUT, "RFC 3211 s2.3.1: the encryptedKey is too short for %s", message->cipher->name);
    TRY(derive(r, password, w.key));
    TRY(unwrap(r, &w));
    TRY(choose_key(&w, key_bytes, &right));
    return scep_envelope_open(message, w.content_key, right != 0, plain);
}

/* --- Writing ------------------------------------------------------------- */

/* RFC 3211 s2.3.1: length, check octets, key, and random octets up to whole blocks; encrypted twice in one go. */
static enum status wrap(const struct scep_password_recipient *r, struct span content_key, struct wrapping *w,
                        size_t *len)
{
    const size_t whole = (HEAD_BYTES + content_key.len + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;

    *len = whole < WRAPPED_MIN_BYTES ? WRAPPED_MIN_BYTES : whole;
    if (RAND_priv_bytes(w->bytes, (int)*len) != 1)
        return fail(FAULT, "libcrypto has no random bytes");
    w->bytes[0] = (uint8_t)content_key.len;
    for (size_t i = 0; i < HEAD_BYTES - 1; i++)
        w->bytes[1 + i] = (uint8_t)~content_key.ptr[i];
    memcpy(w->bytes + HEAD_BYTES, content_key.ptr, content_key.len);
    const struct span bytes = span_of(w->bytes, *len);
    uint8_t last[BLOCK_BYTES];
    TRY(run_blocks(r->cipher, w->key, r->iv.ptr, true, bytes, w->bytes));
    memcpy(last, w->bytes + *len - BLOCK_BYTES, BLOCK_BYTES);
    return run_blocks(r->cipher, w->key, last, true, bytes, w->bytes);
}

static void put_derivation(struct der_writer *der, const struct scep_password_recipient *r)
{
    const uint8_t iterations[] = { (uint8_t)(r->iterations >> 16), (uint8_t)(r->iterations >> 8),
                                   (uint8_t)r->iterations };
    const struct span count = span_of(iterations, sizeof iterations);
    const size_t derivation = der_open(der, DER_CONTEXT_CONSTRUCTED(0));
    der_put(der, DER_OID, oid_pbkdf2);
    const size_t parameters = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OCTET_STRING, r->salt);
    der_put_unsigned(der, iterations[0] ? count : span_of(iterations + 1, sizeof iterations - 1));
    const size_t prf = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OID, prfs[0].oid);
    der_put(der, DER_NULL, span_of(NULL, 0));
    der_close(der, prf);
    der_close(der, parameters);
    der_close(der, derivation);
}

static void put_encryption(struct der_writer *der, const struct scep_password_recipient *r)
{
    const size_t outer = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OID, oid_pwri_kek);
    const size_t inner = der_open(der, DER_SEQUENCE);
    der_put(der, DER_OID, r->cipher->oid);
    der_put(der, DER_OCTET_STRING, r->iv);
    der_close(der, inner);
    der_close(der, outer);
}

enum status scep_password_recipient_write(struct span content_key, struct span password, struct buf *out)
{
    AUTO(wrapping_clear) struct wrapping w = { 0 };
    struct der_writer der = { .out = out };
    uint8_t random[SALT_BYTES + BLOCK_BYTES];
    size_t len = 0;

    if (RAND_bytes(random, sizeof random) != 1)
        return fail(FAULT, "libcrypto has no random bytes");
    const struct scep_password_recipient r = {
        .salt = span_of(random, SALT_BYTES),
        .iterations = ITERATIONS_MADE,
        .prf = prfs[0].digest,
        .cipher = scep_cipher_rule(content_key.len > 16 ? SCEP_AES256_CBC : SCEP_AES128_CBC),
        .iv = span_of(random + SALT_BYTES, BLOCK_BYTES),
    };
    TRY(derive(&r, password, w.key));
    TRY(wrap(&r, content_key, &w, &len));
    const size_t info = der_open(&der, DER_CONTEXT_CONSTRUCTED(3));
    der_put(&der, DER_INTEGER, SPAN_LITERAL("\0"));
    put_derivation(&der, &r);
    put_encryption(&der, &r);
    der_put(&der, DER_OCTET_STRING, span_of(w.bytes, len));
    der_close(&der, info);
    return der_status(&der);
}
