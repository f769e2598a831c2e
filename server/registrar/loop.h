/* SPDX-License-Identifier: Apache-2.0
 *
 * The registrar's sockets and its turns.  One turn takes every message that waits on every channel,
 * in one transaction of the ledger; commits; and only then lets the answers go.  So the batches grow
 * by themselves when there is much to do, and nobody waits for a timer when there is little.
 */
#pragma once

#include "server/registrar/control.h"

struct loop;

/* Give the registrar its outlet, and say `ready` to the supervisor.
 *
 *   registrar       lent   its `outlet` is set here
 *   control         lent   opened
 *   supervisor_fd   taken
 */
MUST_USE enum status loop_new(struct registrar *registrar, struct control *control, int supervisor_fd,
                              struct loop **out);
void loop_free(struct loop *loop);
AUTO_FREE(loop_free, struct loop)

/* Turn after turn.  OK: the supervisor has gone.  Anything else: end, the next start reconciles. */
MUST_USE enum status loop_run(struct loop *loop);
