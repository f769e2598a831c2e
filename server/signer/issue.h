/* SPDX-License-Identifier: Apache-2.0
 *
 * One order to issue: held against the template, signed, put into the journal's batch.
 *
 * Knows: the templates, the authorities' keys and certificates, the journal.  Whatever the
 * registrar asks, only what the configuration allows is signed; the reason for a refusal goes back
 * as text.  Does not know: channels, when the batch is put on disk.
 */
#pragma once

#include "lib/config/config.h"
#include "lib/ipc/ipc.h"
#include "server/signer/journal.h"

struct issuer;
void issuer_free(struct issuer *issuer);
AUTO_FREE(issuer_free, struct issuer)

/* Load key and certificate of every authority of the configuration (lent, as long as the issuer lives).
 * FAULT, REFUSED, BAD_INPUT  a file that cannot be used, or a key that is not the certificate's */
MUST_USE enum status issuer_new(const struct config *config, struct issuer **out);

/* Where the certificates are looked up and put; lent, as long as the issuer lives. */
void issuer_set_journal(struct issuer *issuer, struct journal *journal);

/* Decide one order.
 *
 *   now_s        seconds since 1970 UTC
 *   certificate  given  DER, replaced
 *   sequence     given  number of the journal's record
 *
 * A new certificate is appended to the journal's batch: commit it before anybody is told.
 * A serial number that is already in the journal gives the certificate that is there.
 * REFUSED  the template, the authority or the journal says no     FAULT  cannot sign or append */
MUST_USE enum status issuer_issue(struct issuer *issuer, const struct ipc_issue *order, int64_t now_s,
                                  struct buf *certificate, uint64_t *sequence);
