/* SPDX-License-Identifier: Apache-2.0
 *
 * From a profile to a certificate request, and from a certificate back to what was asked for.
 * Pure: bytes in, bytes out.
 */
#pragma once

#include "lib/pki/pki.h"
#include "lib/profile/profile.h"

/* The key that the profile's KeyType and KeySize ask for. */
struct key_spec request_key_spec(const struct profile *profile);

/* Build the CSR: subject, alternative names, and the username and password where the profile's
 * UsernameForm wants them.
 *
 *   out   DER, replaced; holds the password: clear it
 *
 * BAD_INPUT  a subject or name that cannot be read */
MUST_USE enum status request_build(const struct profile *profile, struct private_key *key, struct buf *out);

/* Is this certificate what the profile asked for: our key, the subject and the names where some were
 * asked for, a leaf that can sign or decrypt?  BAD_PROOF with what differs. */
MUST_USE enum status request_check_certificate(const struct profile *profile, struct private_key *key,
                                               const struct cert *cert);
