/* SPDX-License-Identifier: Apache-2.0
 *
 * An enrolment path with everything that its requests need, loaded before the jail: the RA's
 * identities, the CA above them, and the answers that never change.  Private to the responder.
 */
#pragma once

#include "lib/config/config.h"

#define ENDPOINT_LEVELS_MAX 16
#define ENDPOINT_NAME_BYTES 128

/* A certificate of the chain as GetCACert hands it out alone; level 0 is the issuing CA. */
struct endpoint_level {
    char common_name[ENDPOINT_NAME_BYTES]; /* "" if it has none */
    struct span der;                       /* lent from the endpoint's certificates */
    bool is_root;
};

struct endpoint {
    const struct config *config;
    const struct config_path *path;
    struct cert *encryption_cert;
    struct private_key *encryption_key;
    struct cert *signing_cert;
    struct private_key *signing_key;
    struct cert *authority;           /* the issuing CA */
    struct public_key *authority_key; /* lent from it */
    struct cert_list superiors;       /* the next above first, the root last */
    struct endpoint_level levels[ENDPOINT_LEVELS_MAX];
    size_t levels_count;
    struct buf bundle;       /* GetCACert's answer: certs-only SignedData */
    struct buf capabilities; /* GetCACaps's answer */
};

/* Load a path's keys and certificates and prepare its constant answers.
 *
 *   config, path   lent for the endpoint's life
 *   out            zeroed; endpoint_clear() it, also after a failure
 *
 * FAULT, BAD_INPUT, REFUSED   with the file's name
 * A certificate that ends soon is a warning in the log. */
MUST_USE enum status endpoint_load(const struct config *config, const struct config_path *path,
                                   struct endpoint *out);
void endpoint_clear(struct endpoint *endpoint);

/* The certificates that a CertRep SUCCESS carries (RFC 8894 s3.4), as the path's `reply` says.
 * Returns how many of `out` were filled; the first is `issued`. */
size_t endpoint_reply_certificates(const struct endpoint *endpoint, struct span issued,
                                   struct span out[ENDPOINT_LEVELS_MAX + 1]);
