/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/credential.h"

#include "lib/base/file.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 1
#define SCRYPT_MEMORY_BYTES ((uint64_t)64 << 20)

/* --- The key ----------------------------------------------------------------- */

static enum status key_make(const char *path, struct credential_key *out)
{
    if (RAND_bytes(out->bytes, sizeof out->bytes) != 1)
        return fail(FAULT, "no random bytes for %s", path);
    return file_create(path, span_of(out->bytes, sizeof out->bytes), 0600);
}

enum status credential_key_load(const char *path, bool may_make, struct credential_key *out)
{
    AUTO(buf_clear) struct buf content = { 0 };

    if (access(path, F_OK) != 0 && errno == ENOENT) {
        if (may_make)
            return key_make(path, out);
        return fail(FAULT, "%s is missing: no password in the ledger can be checked without it; put it back", path);
    }
    TRY(file_read(path, sizeof out->bytes, &content));
    if (content.len != sizeof out->bytes)
        return fail(FAULT, "%s has %zu bytes, want %zu", path, content.len, sizeof out->bytes);
    memcpy(out->bytes, content.ptr, sizeof out->bytes);
    return OK;
}

/* HMAC-SHA-256 over username, a NUL, and a password or what scrypt made of it. */
static enum status keyed_hash(const struct credential_key *key, struct span username, struct span secret,
                              uint8_t out[STORE_VERIFIER_BYTES])
{
    static const uint8_t nul = 0;
    AUTO(buf_clear) struct buf text = { 0 };
    unsigned len = 0;

    TRY(buf_append(&text, username));
    TRY(buf_append(&text, span_of(&nul, 1)));
    TRY(buf_append(&text, secret));
    if (!HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, text.ptr, text.len, out, &len) || len != STORE_VERIFIER_BYTES)
        return fail(FAULT, "libcrypto: HMAC failed");
    return OK;
}

void credential_key_id(const struct credential_key *key, uint8_t id[CREDENTIAL_KEY_ID_BYTES])
{
    static const char label[] = "credential key id";
    uint8_t hash[SHA256_BYTES];
    uint8_t labelled[sizeof label + CREDENTIAL_KEY_BYTES];

    memcpy(labelled, label, sizeof label);
    memcpy(labelled + sizeof label, key->bytes, CREDENTIAL_KEY_BYTES);
    sha256(span_of(labelled, sizeof labelled), hash);
    memcpy(id, hash, CREDENTIAL_KEY_ID_BYTES);
    explicit_bzero(labelled, sizeof labelled);
}

/* --- Passwords ------------------------------------------------------------------ */

enum status credential_generate(char password[CREDENTIAL_GENERATED_BYTES])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t random[17] = { 0 }; /* 26 digits reach two bits into the last octet */

    if (RAND_bytes(random, 16) != 1)
        return fail(FAULT, "no random bytes for a password");
    for (size_t i = 0; i < CREDENTIAL_GENERATED_BYTES - 1; i++) {
        const size_t bit = 5 * i;
        const unsigned pair = (unsigned)random[bit / 8] << 8 | random[bit / 8 + 1];
        password[i] = digits[pair >> (11 - bit % 8) & 31];
    }
    password[CREDENTIAL_GENERATED_BYTES - 1] = 0;
    explicit_bzero(random, sizeof random);
    return OK;
}

/* The verifier of a password the way `kind` wants it. */
static enum status derive(const struct credential_key *key, enum credential_kind kind,
                          const uint8_t salt[STORE_SALT_BYTES], struct span username, struct span password,
                          uint8_t out[STORE_VERIFIER_BYTES])
{
    uint8_t slow[STORE_VERIFIER_BYTES];

    if (kind != CREDENTIAL_CHOSEN)
        return keyed_hash(key, username, password, out);
    if (EVP_PBE_scrypt((const char *)password.ptr, password.len, salt, STORE_SALT_BYTES, SCRYPT_N, SCRYPT_R,
                       SCRYPT_P, SCRYPT_MEMORY_BYTES, slow, sizeof slow) != 1)
        return fail(FAULT, "libcrypto: scrypt failed");
    const enum status status = keyed_hash(key, username, span_of(slow, sizeof slow), out);
    explicit_bzero(slow, sizeof slow);
    return status;
}

enum status credential_make(const struct credential_key *key, enum credential_kind kind, struct span username,
                            struct span password, struct store_credential *out)
{
    out->kind = kind;
    memset(out->salt, 0, sizeof out->salt);
    if (kind == CREDENTIAL_CHOSEN && RAND_bytes(out->salt, sizeof out->salt) != 1)
        return fail(FAULT, "no random bytes for a salt");
    return derive(key, kind, out->salt, username, password, out->verifier);
}

enum status credential_hash_secret(const struct credential_key *key, const char *path, struct span secret,
                                   uint8_t out[STORE_VERIFIER_BYTES])
{
    static const char label[] = "secret of a path"; /* with its NUL: no username */
    AUTO(buf_clear) struct buf name = { 0 };

    TRY(buf_append(&name, span_of((const uint8_t *)label, sizeof label)));
    TRY(buf_append_text(&name, path));
    return keyed_hash(key, buf_span(&name), secret, out);
}

enum status credential_check(const struct credential_key *key, const struct store_credential *kept,
                             struct span username, struct span password, bool *right)
{
    uint8_t verifier[STORE_VERIFIER_BYTES];

    TRY(derive(key, kept->kind, kept->salt, username, password, verifier));
    const bool same =
        span_equal_secret(span_of(verifier, sizeof verifier), span_of(kept->verifier, sizeof kept->verifier));
    *right = same && kept->kind != 0;
    return OK;
}
