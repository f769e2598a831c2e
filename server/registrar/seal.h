/* SPDX-License-Identifier: Apache-2.0
 *
 * The challengePassword of a request that waits, where its answer will have to be encrypted with it because
 * the device's key cannot decrypt (RFC 8894 s3.1).  A hash cannot encrypt, so it is kept sealed: AES-256-GCM
 * under a key made of the credential key, which is not in the ledger, and bound to the enrolment's number.
 */
#pragma once

#include "server/registrar/credential.h"

/* Seal a challengePassword; replaces `out`. */
MUST_USE enum status seal_make(const struct credential_key *key, int64_t enrolment, struct span password,
                               struct buf *out);

/* Open it; replaces `password`.
 * BAD_PROOF  another key, another enrolment, or changed bytes */
MUST_USE enum status seal_open(const struct credential_key *key, int64_t enrolment, struct span sealed,
                               struct buf *password);
