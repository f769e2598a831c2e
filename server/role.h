/* SPDX-License-Identifier: Apache-2.0
 *
 * How a role of musterd is started.  The supervisor runs the program again as
 *     musterd role NAME NUMBER DIR
 * with the channel to itself as descriptor 3 and, for a responder, the memory of lib/rate as 4 and the
 * listening sockets from descriptor 5 on.  A role opens what it needs, enters its jail, sends `ready`, and then gets a
 * `peer` message with a channel for every process it talks to, and again whenever one of them
 * was restarted (the old channel has then ended).  A responder also gets `ticket_key` and `tls_file`
 * messages, then and whenever these files have changed.
 */
#pragma once

#define ROLE_SUPERVISOR_FD 3
#define ROLE_RATES_FD 4
#define ROLE_LISTENERS_FD 5

#define ROLE_LISTENERS_MAX 16

struct role {
    const char *directory;    /* DIR, absolute */
    unsigned number;          /* which one of its kind, from 0 */
    const int *listeners;     /* responder: listening sockets, of `listen` first, then of `listen_tls` */
    unsigned listeners_count;
};
