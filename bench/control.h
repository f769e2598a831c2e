/* SPDX-License-Identifier: Apache-2.0
 *
 * The registrar's control socket, as doc/ipc.md describes it: commands go out as JSON objects, one at
 * a time on each connection, and their answers come back.
 */
#pragma once

#include "lib/ipc/ipc.h"

#include <jansson.h>

struct control {
    struct ipc_channel channel;
};

/* FAULT  DIR/run/control.sock does not answer */
MUST_USE enum status control_open(const char *directory, struct control *out);
void control_close(struct control *control);

/* Send a command; the answer comes later. */
MUST_USE enum status control_send(struct control *control, json_t *command);

/* What has come so far: PENDING while the answer is not there.  json_decref() it.
 * Any other status: the command's own, or that of the broken connection. */
MUST_USE enum status control_receive(struct control *control, json_t **answer);

/* Both, waiting. */
MUST_USE enum status control_ask(struct control *control, json_t *command, json_t **answer);

/* The process at the other end. */
MUST_USE enum status control_peer(const struct control *control, pid_t *pid);
