/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/seal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define KEY_BYTES 32
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define AROUND_BYTES (NONCE_BYTES + TAG_BYTES)

/* The credential key keeps verifiers by HMAC; this is another key, for another use. */
static enum status derive(const struct credential_key *key, uint8_t out[KEY_BYTES])
{
    static const uint8_t label[] = "muster: seal of a waiting challengePassword";
    unsigned len = 0;

    if (!HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, label, sizeof label, out, &len) || len != KEY_BYTES)
        return fail(FAULT, "libcrypto: HMAC failed");
    return OK;
}

static void number_bytes(int64_t number, uint8_t out[8])
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
}

/* Begin with key, nonce and the enrolment's number as what is bound but not encrypted. */
static bool begin(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t *nonce, int64_t enrolment, bool encrypt)
{
    uint8_t bound[8];
    int len = 0;

    number_bytes(enrolment, bound);
    return EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) == 1 &&
           EVP_CipherUpdate(context, NULL, &len, bound, sizeof bound) == 1;
}

static bool encrypt(EVP_CIPHER_CTX *context, const uint8_t *key, int64_t enrolment, struct span password, uint8_t *to)
{
    uint8_t *text = to + NONCE_BYTES;
    int len = 0;

    return begin(context, key, to, enrolment, true) &&
           EVP_CipherUpdate(context, text, &len, password.ptr, (int)password.len) == 1 &&
           EVP_CipherFinal_ex(context, text + len, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + password.len) == 1;
}

static bool decrypt(EVP_CIPHER_CTX *context, const uint8_t *key, int64_t enrolment, struct span sealed, uint8_t *to)
{
    const uint8_t *text = sealed.ptr + NONCE_BYTES;
    const size_t text_len = sealed.len - AROUND_BYTES;
    uint8_t tag[TAG_BYTES];
    int len = 0;

    memcpy(tag, text + text_len, TAG_BYTES);
    return begin(context, key, sealed.ptr, enrolment, false) &&
           EVP_CipherUpdate(context, to, &len, text, (int)text_len) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_CipherFinal_ex(context, to + len, &len) == 1;
}

enum status seal_make(const struct credential_key *key, int64_t enrolment, struct span password, struct buf *out)
{
    uint8_t derived[KEY_BYTES];

    TRY(derive(key, derived));
    out->len = 0;
    uint8_t *to = buf_reserve(out, password.len + AROUND_BYTES);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const bool done = to && context && RAND_bytes(to, NONCE_BYTES) == 1 &&
                      encrypt(context, derived, enrolment, password, to);
    EVP_CIPHER_CTX_free(context);
    explicit_bzero(derived, sizeof derived);
    if (!done)
        return fail(FAULT, "libcrypto: AES-256-GCM failed");
    out->len = password.len + AROUND_BYTES;
    return OK;
}

enum status seal_open(const struct credential_key *key, int64_t enrolment, struct span sealed, struct buf *password)
{
    uint8_t derived[KEY_BYTES];

    if (sealed.len <= AROUND_BYTES)
        return fail(BAD_PROOF, "a sealed password of %zu bytes", sealed.len);
    TRY(derive(key, derived));
    password->len = 0;
    uint8_t *to = buf_reserve(password, sealed.len - AROUND_BYTES);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const bool done = to && context && decrypt(context, derived, enrolment, sealed, to);
    const bool able = to && context;
    EVP_CIPHER_CTX_free(context);
    explicit_bzero(derived, sizeof derived);
    ERR_clear_error();
    if (!able)
        return fail(FAULT, "no memory to open a sealed password");
    if (!done) {
        buf_clear(password);
        return fail(BAD_PROOF, "the sealed password of enrolment %lld does not open", (long long)enrolment);
    }
    password->len = sealed.len - AROUND_BYTES;
    return OK;
}
