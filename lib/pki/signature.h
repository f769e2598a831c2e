/* SPDX-License-Identifier: Apache-2.0
 *
 * Signature algorithms of certificates and requests.  Internal to lib/pki.
 * Source: RFC 4055 s5, RFC 5758 s3.2.
 */
#pragma once

#include "lib/pki/pki.h"

/* The AlgorithmIdentifier for a key and a digest; static.  BAD_INPUT: no such pair. */
MUST_USE enum status signature_algorithm(struct key_spec key, enum digest digest, struct span *out);

/* What a CA signs with: the digest that matches its key's strength. */
enum digest signature_digest_for(struct key_spec key);

/* Check a signature made with the algorithm whose AlgorithmIdentifier is given.
 * BAD_INPUT  malformed parameters     REFUSED  unknown algorithm, MD5, SHA-1
 * BAD_PROOF  it does not hold, or the key is of another kind */
MUST_USE enum status signature_verify(struct span algorithm, struct span message, struct span signature,
                                      struct public_key *key);
