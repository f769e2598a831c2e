/* SPDX-License-Identifier: Apache-2.0
 *
 * The supervisor: opens the listening sockets, starts the roles, puts channels between them,
 * starts again what died.  It reads no byte that came over the network and holds no key.
 */
#pragma once

#include "lib/config/config.h"

/* Run the server until SIGTERM or SIGINT.  OK after an orderly end; FAULT when it cannot start,
 * or when the registrar or the signer dies again and again. */
MUST_USE enum status supervisor_run(const struct config *config);
