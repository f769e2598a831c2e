/* SPDX-License-Identifier: Apache-2.0
 *
 * The decision about one request, out of the ledger, the rules and the time, and nothing else: no
 * sockets, no clock, no memory of earlier requests but the ledger's.
 */
#pragma once

#include "server/registrar/authenticate.h"

/* Decide an `enrol`, and record what was decided: the intent and the reservation of the password, or a
 * wrong try.  All of it in the transaction that is under way.
 *
 *   enrol   lent   as it came from a responder: its sender has proved to hold the keys
 *   out     zeroed; verdict_clear() it.  Filled when OK, refusals included.
 *
 * FAULT  ledger or libcrypto: nothing may be answered */
MUST_USE enum status decide(struct store *store, const struct rules *rules, const struct ipc_enrol *enrol,
                            int64_t now_s, struct verdict *out);

/* What a certificate that is made now shall say: notBefore a little in the past, for devices whose clock is
 * slow, and never outside the CA's own life. */
struct dates {
    int64_t not_before_s;
    int64_t not_after_s;
};
struct dates decide_dates(const struct cert *ca, const struct template *t, int64_t now_s);

/* One hash for path and transactionID: a repeat, or a poll, comes by the same path.  FAULT: no memory */
MUST_USE enum status decide_hash_transaction(struct span path, struct span transaction, uint8_t out[SHA256_BYTES]);

/* A transactionID as text for events: as it is where it is printable, else hexadecimal; cut to fit. */
void transaction_text(struct span transaction, char text[TRANSACTION_TEXT_BYTES]);
