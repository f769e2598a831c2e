/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that were recorded before: what became of them?  A repeated request and a CertPoll ask the
 * same, and the ledger alone has the answer, so that it outlives everything.
 */
#pragma once

#include "server/registrar/rules.h"
#include "server/registrar/verdict.h"

#include "lib/ipc/ipc.h"

/* The reason of a request whose place a later one of its device has taken. */
#define PENDING_REPLACED "a later request of the same device took its place"

/* The verdict on an enrolment, by its state.
 *
 *   done   true where there is one; false where it can serve nobody any more: it failed, or its certificate
 *          has expired or was revoked.  Untouched unless OK.
 *
 * REFUSED  rejected, or nobody decided in time; the verdict is filled     FAULT  ledger */
MUST_USE enum status pending_weigh(struct store *store, int64_t enrolment, int64_t now_s, struct verdict *verdict,
                                   bool *done);

/* Decide a `poll`, found by transaction and signer's key (RFC 8894 s4.4).  Who asks for a transaction of others
 * hears what he hears of one that does not exist.
 *
 *   out     zeroed; verdict_clear() it.  Filled when OK, refusals included.
 *
 * FAULT  ledger: nothing may be answered */
MUST_USE enum status pending_decide(struct store *store, const struct rules *rules, const struct ipc_poll *poll,
                                    int64_t now_s, struct verdict *out);
