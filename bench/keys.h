/* SPDX-License-Identifier: Apache-2.0
 *
 * Many distinct RSA-2048 keys in little time, for measuring only.
 *
 * A fresh RSA key costs up to 0.1 s, nearly all of it the search for two primes.  Here a small pool of
 * primes is searched once and every pair of them makes a key: 201 primes give 20,100 keys.  All the
 * operations cost what they always cost, but two keys that share a prime give each other away:
 * NEVER use such a key for anything but a benchmark.
 */
#pragma once

#include "lib/pki/pki.h"

#define KEY_POOL_MAX_PRIMES 201u
#define KEY_POOL_MAX_KEYS ((size_t)KEY_POOL_MAX_PRIMES * (KEY_POOL_MAX_PRIMES - 1) / 2)
#define KEY_PRIME_BYTES 128

struct key_pool {
    uint8_t (*primes)[KEY_PRIME_BYTES]; /* shared memory */
    size_t count;
};

/* Search the primes for `keys` keys, on all cores; more keys than KEY_POOL_MAX_KEYS start again from the first. */
MUST_USE enum status key_pool_init(struct key_pool *pool, size_t keys);
void key_pool_clear(struct key_pool *pool);

/* Key number `index`.  The caller frees it. */
MUST_USE enum status key_pool_make(const struct key_pool *pool, size_t index, struct private_key **out);
