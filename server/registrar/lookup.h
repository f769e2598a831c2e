/* SPDX-License-Identifier: Apache-2.0
 *
 * GetCert (RFC 8894 s3.3.4): may this device have that certificate, and is there one?
 */
#pragma once

#include "server/registrar/authenticate.h"

/* Decide a `lookup`: VERDICT_ANSWER with the certificate, or VERDICT_REFUSE.
 *
 *   out     zeroed; verdict_clear() it.  Filled when OK, refusals included.
 *
 * FAULT  ledger or libcrypto: nothing may be answered */
MUST_USE enum status lookup_decide(struct store *store, const struct rules *rules, const struct ipc_lookup *lookup,
                                   int64_t now_s, struct verdict *out);
