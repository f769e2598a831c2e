/* SPDX-License-Identifier: Apache-2.0
 *
 * Who gets a core first when there are fewer than processes that want one (doc/adr/0009).
 *
 * One registrar and one signer serve all responders, and work for them in bursts of a fraction of a
 * millisecond; whatever delays them lets every request wait.  A hint to the scheduler, nothing more.
 */
#pragma once

enum priority {
    PRIORITY_FIRST, /* everybody waits for it: a little ahead of the rest, where we may (as root) */
    PRIORITY_BATCH, /* computes much: not worth interrupting others for, when it wakes up */
};

/* For the calling process, and before jail_enter(), which gives away the right to it.  Where the
 * system refuses, all stays as it is: that costs speed only. */
void priority_set(enum priority priority);
