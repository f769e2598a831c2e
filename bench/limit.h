/* SPDX-License-Identifier: Apache-2.0
 *
 * R, the raw limit: how many enrolments a second the machine could do if there were nothing but the
 * cryptography that SCEP demands of a server, through OpenSSL's EVP interface with every key loaded
 * beforehand.  For one enrolment that is: two signatures checked (message, request), one key
 * transport opened and one made, the certificate signed, the reply signed, two messages encrypted or
 * decrypted with AES, and the hashing.
 */
#pragma once

#include "lib/pki/pki.h"

struct limit_kind {
    struct key_spec ca;
    struct key_spec ra; /* RSA */
    unsigned processes;
};

struct limit {
    double per_s;  /* transactions per second, all processes together */
    double cpu_us; /* processor time of one transaction */
};

struct limit_keys;

/* Make keys of these kinds and what is worked on.  limit_keys_free() it. */
MUST_USE enum status limit_keys_new(const struct limit_kind *kind, struct limit_keys **out);
void limit_keys_free(struct limit_keys *keys);
AUTO_FREE(limit_keys_free, struct limit_keys)

/* Run for `duration_ms` on all the processes. */
MUST_USE enum status limit_measure(const struct limit_keys *keys, unsigned duration_ms, struct limit *out);
