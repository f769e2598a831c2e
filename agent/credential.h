/* SPDX-License-Identifier: Apache-2.0
 *
 * A key with its certificate, the CAs above it and the anchor: what makes one generation of the store.
 */
#pragma once

#include "agent/trust.h"
#include "agent/vault.h"
#include "lib/profile/profile.h"

struct credential {
    unsigned generation;
    struct private_key *key;
    struct cert *cert;
    struct cert_list chain; /* from above the certificate to below the anchor */
    struct cert *anchor;
    int64_t renew_at_s;
};

void credential_clear(struct credential *credential);

/* When to renew: at the profile's percentage of the life, somewhat earlier by chance. */
MUST_USE enum status credential_plan_renewal(const struct cert *cert, const struct profile *profile,
                                             int64_t *renew_at_s);

struct credential_parts { /* all lent */
    struct private_key *key;
    struct cert *cert;
    const struct trust_row *chain;
    struct cert *anchor;
    int64_t renew_at_s;
};

/* Write them as a new generation, not yet current. */
MUST_USE enum status credential_stage(const struct credential_parts *parts, const struct profile *profile,
                                      struct vault *vault, unsigned *generation);

/* Read a generation back; credential_clear() it. */
MUST_USE enum status credential_load(const struct vault *vault, unsigned generation, struct credential *out);

/* Do its parts belong together, under this anchor, at this time?  BAD_PROOF with what does not. */
MUST_USE enum status credential_verify(const struct credential *credential, struct span pin, int64_t now_s);
