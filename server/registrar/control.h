/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's socket: who may connect, and his commands as they come.  What they do is in
 * command.h and its files.
 */
#pragma once

#include "server/registrar/command.h"

#include <poll.h>
#include <sys/types.h>

#define OPERATORS_MAX 16

struct operator {
    struct ipc_channel channel; /* fd -1: nobody */
    uid_t uid;                  /* who is at the other end */
    struct listing listing;     /* under way while `page` is set */
};

struct control {
    struct registrar *registrar; /* lent */
    int listener;
    uid_t owner;                 /* who started the server: he and root may give commands */
    struct operator operators[OPERATORS_MAX];
};

/* Make the socket, in place of a stale one.
 *   path    lent   its directory is made where it does not exist
 * FAULT  with what failed */
MUST_USE enum status control_open(struct control *control, const char *path);
void control_clear(struct control *control);

/* What to wait for; `polled` has room for 1 + OPERATORS_MAX and is filled in that order. */
void control_poll(const struct control *control, struct pollfd *polled);

/* Let an operator in, or tell him why not. */
void control_accept(struct control *control);

/* Take what an operator sent, within a transaction.
 * FAULT  the ledger broke: end.  Whoever only breaks the rules of the channel loses his connection. */
MUST_USE enum status control_take(struct control *control, struct operator *operator, int64_t now_s);

/* Go on with the listings as far as there is room, outside of any transaction. */
MUST_USE enum status control_continue(struct control *control, int64_t now_s);

/* True when control_continue() could go on at once. */
bool control_has_work(const struct control *control);

/* Send what was committed. */
void control_flush(struct control *control);
