/* SPDX-License-Identifier: Apache-2.0
 *
 * What decisions are made by, beside the ledger: the configuration, the CAs' certificates, and the key
 * that passwords are hashed with.  Read once, before the jail.  Only what users have spent of their rates
 * changes.
 */
#pragma once

#include "lib/config/config.h"
#include "lib/rate/rate.h"
#include "server/registrar/credential.h"

struct authority {
    int64_t row; /* in the ledger */
    struct cert *cert;
    struct name_constraints *constraints; /* its own and those above it */
    uint8_t anchor_fingerprint[SHA256_BYTES]; /* SHA-256 of the trust anchor above it, or of itself */
};

struct rules {
    const struct config *config; /* lent */
    struct authority authorities[CONFIG_AUTHORITIES_MAX]; /* in the configuration's order */
    struct credential_key key;
    uint8_t secrets[CONFIG_PATHS_MAX][STORE_VERIFIER_BYTES]; /* of the paths that have a secret_file, hashed */
    struct rates *user_rates; /* what users have spent; NULL: nobody counts */
};

/* Read the authorities' certificates and enter them in the ledger.
 *   key_path   lent   the file of the credential key; made where the ledger never had one
 * FAULT BAD_INPUT  a file that is missing or not what it should be, or the key of another ledger */
MUST_USE enum status rules_load(const struct config *config, struct store *store, const char *key_path,
                                struct rules *out);
void rules_clear(struct rules *rules);
