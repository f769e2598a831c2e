/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom the device believes.  The anchor is the certificate whose SHA-256 stands in the profile, and it is
 * looked for before anything else in what the server offers.  Every other CA counts only once it was
 * verified against a superior that was verified before it; the RA only when one of those CAs issued it.
 * Nothing is chosen by its place in the list.
 *
 * Knows: certificates and their order of trust (RFC 8894 s2.2, s2.1.2).  Does not know: the network, the disk.
 */
#pragma once

#include "lib/pki/pki.h"

#define TRUST_CERTS_MAX 64

/* Certificates in a row, lent. */
struct trust_row {
    struct cert *items[TRUST_CERTS_MAX];
    size_t count;
};

struct trust {
    struct cert_list offered;      /* all that the server offered; owned */
    struct cert *anchor;           /* lent from `offered`, as all below */
    struct trust_row authorities;  /* proved CAs, each behind its superior; the anchor first */
    unsigned levels[TRUST_CERTS_MAX]; /* of authorities: 0 for the anchor */
    struct cert *issuing;          /* the CA furthest from the anchor */
    struct cert *encryption;       /* to whom requests are encrypted: an RA, or the issuing CA itself */
    struct trust_row signers;      /* who may sign replies */
};

void trust_clear(struct trust *trust);

/* Take over certificates that the server sent (all of `list`, also on failure).
 * BAD_INPUT  more than TRUST_CERTS_MAX */
MUST_USE enum status trust_offer(struct trust *trust, struct cert_list *list);

/* Find the anchor among what was offered.
 *
 *   pin   lent   SHA-256 of the whole certificate
 *
 * BAD_PROOF  it is not there; the text has the fingerprint we want and those that were offered */
MUST_USE enum status trust_find_anchor(struct trust *trust, struct span pin);

/* Prove the CAs below the anchor, level by level, then choose the RA's certificates.
 * BAD_PROOF  nobody that the anchor vouches for can open our requests and sign replies
 * Source: RFC 8894 s2.1.2, s2.2; keyUsage is ignored where there is only one candidate (s3.5.2). */
MUST_USE enum status trust_build(struct trust *trust, int64_t now_s);

/* More certificates came with the reply: prove the CAs among them too. */
void trust_extend(struct trust *trust, int64_t now_s);

/* The proved CAs as a list, for chain_verify() and scep_reply_open(); lent, do not clear it. */
struct cert_list trust_list(struct trust_row *row);

/* The CAs from above the leaf to below the anchor.  BAD_PROOF: its issuer is not proved. */
MUST_USE enum status trust_find_chain(const struct trust *trust, const struct cert *leaf, int64_t now_s,
                                      struct trust_row *out);
