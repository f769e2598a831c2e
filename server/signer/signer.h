/* SPDX-License-Identifier: Apache-2.0
 *
 * The signer: the role that holds the CA keys.
 *
 * Knows: CA keys and certificates, the templates, its own journal.  Takes a meaning ("serial S,
 * template T, this key, these names"), holds it against the template itself, and signs what it
 * built.  Does not know: the network, the database, passwords, why a request was granted.
 * It talks to the registrar alone, over the channels that the supervisor hands it.
 */
#pragma once

#include "server/role.h"

/* Run the role until the supervisor goes away; returns the exit code. */
int signer_main(const struct role *role);
