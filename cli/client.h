/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's end of the registrar's control socket: one command, its answer.  doc/ipc.md lists the
 * commands and what they answer.
 */
#pragma once

#include "lib/ipc/ipc.h"

#include <jansson.h>

struct client;

/* Connect to a control socket.  FAULT with what to do when nobody listens there. */
MUST_USE enum status client_new(const char *socket_path, struct client **out);
void client_free(struct client *client);
AUTO_FREE(client_free, struct client)

/* One row of a listing; lent.  Anything but OK ends the listing with that status. */
typedef enum status client_row(void *context, json_t *row);

/* Send a command and take its one answer.
 *
 *   arguments   taken   an object, also on failure; may be NULL
 *   answer      given   json_decref() it
 *
 * Whatever the registrar answered, with its text; FAULT when it went away or said nothing for long. */
MUST_USE enum status client_ask(struct client *client, const char *command, json_t *arguments, json_t **answer);

/* Send a listing command and hand over row after row.  `patient`: wait for ever between rows. */
MUST_USE enum status client_list(struct client *client, const char *command, json_t *arguments, bool patient,
                                 client_row *each, void *context);
