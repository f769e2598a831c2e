/* SPDX-License-Identifier: Apache-2.0
 *
 * The registrar: decides who gets a certificate, and remembers everything.
 *
 * It holds the ledger and the operator's socket.  It sees no bytes from the network but those that a
 * responder has proved, and no key but the one that passwords are hashed with.
 */
#pragma once

#include "server/role.h"

/* Run the role until the supervisor goes away; returns the exit status. */
int registrar_main(const struct role *role);
