/* SPDX-License-Identifier: Apache-2.0
 *
 * Passwords: made, kept, compared.  What is kept never gives the password back: a generated one has
 * 128 random bits and is kept as HMAC-SHA-256 under a key that is not in the ledger; one that a person
 * chose goes through scrypt (RFC 7914) as well, because it can be guessed.
 */
#pragma once

#include "lib/store/store.h"

#define CREDENTIAL_KEY_BYTES 32
#define CREDENTIAL_KEY_ID_BYTES 16
#define CREDENTIAL_GENERATED_BYTES 27 /* 26 characters and a NUL */
#define CREDENTIAL_CHOSEN_LEAST 8     /* characters */

struct credential_key {
    uint8_t bytes[CREDENTIAL_KEY_BYTES];
};

/* Read DIR/registrar/credential.key, or make it where it does not exist and `may_make` says so.
 * FAULT  cannot be read, or is of the wrong size; missing though passwords were kept under it */
MUST_USE enum status credential_key_load(const char *path, bool may_make, struct credential_key *out);

/* Tells one key from another, and nothing about it. */
void credential_key_id(const struct credential_key *key, uint8_t id[CREDENTIAL_KEY_ID_BYTES]);

/* A one-time password: 128 random bits in RFC 4648 base32, lower case, fit for a PrintableString. */
MUST_USE enum status credential_generate(char password[CREDENTIAL_GENERATED_BYTES]);

/* What is kept of a password.
 *   kind    which way
 *   out     `kind`, `salt` and `verifier` are set, nothing else */
MUST_USE enum status credential_make(const struct credential_key *key, enum credential_kind kind,
                                     struct span username, struct span password, struct store_credential *out);

/* What is kept of the secret of a path. */
MUST_USE enum status credential_hash_secret(const struct credential_key *key, const char *path, struct span secret,
                                            uint8_t out[STORE_VERIFIER_BYTES]);

/* Is it the password?  In constant time, and where `kept` has none the work is done all the same.
 * FAULT  libcrypto failed */
MUST_USE enum status credential_check(const struct credential_key *key, const struct store_credential *kept,
                                      struct span username, struct span password, bool *right);
