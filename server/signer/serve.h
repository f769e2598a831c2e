/* SPDX-License-Identifier: Apache-2.0
 *
 * The signer's loop: channels in, certificates and journal records out.
 *
 * Takes every message that waits, decides each, puts the journal's batch on disk once, and only then
 * lets the answers go.  Knows: channels and their order of events.  Does not know: what is decided.
 */
#pragma once

#include "server/signer/issue.h"

/* Run until the supervisor goes away (OK).
 *
 *   supervisor_fd   taken over
 *
 * FAULT      the journal cannot be put on disk, or the poll fails: the process must end
 * BAD_INPUT  somebody sent what is not his to send: the process must end */
MUST_USE enum status signer_serve(struct issuer *issuer, struct journal *journal, int supervisor_fd);
