/* SPDX-License-Identifier: Apache-2.0
 *
 * What is signed: the frame of certificates and requests, and their signature algorithms.
 * Internal to lib/pki.  Source: RFC 5280 s4.1, RFC 2986 s4.2, RFC 4055 s5, RFC 5758 s3.2.
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

/* SEQUENCE { content SEQUENCE, signatureAlgorithm SEQUENCE, signature BIT STRING }, taken apart; lent. */
struct signed_parts {
    struct span content;   /* with its header: what was signed */
    struct span algorithm; /* with its header */
    struct span signature; /* octets */
};

/* Take a Certificate or a CertificationRequest apart; strict DER is looked for first, at every depth.
 * BAD_INPUT  not DER, not the three parts, something behind them, a signature that is not whole octets */
MUST_USE enum status signed_parts_read(struct span der, struct signed_parts *out);
