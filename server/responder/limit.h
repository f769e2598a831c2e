/* SPDX-License-Identifier: Apache-2.0
 *
 * How many PKIOperations are let through to the cryptography: of one address, on one path, altogether.
 * Nothing in a request is looked at but where it comes from and which path it asks for, so nobody can
 * spend what is another's.  Private to the responder.
 */
#pragma once

#include "lib/config/config.h"
#include "lib/rate/rate.h"

/* May one more go ahead?  0, or after how many seconds it may come again.
 *   rates   NULL: everything may
 *   whose   out: whose limit it was, for texts */
unsigned limit_wait_s(struct rates *rates, const struct config *config, const struct config_path *path,
                      const char *address, const char **whose);

/* Shall such a refusal be an event?  One a minute of each address, and 60 altogether: a flood that is
 * refused here must not fill the ledger. */
bool limit_is_event(struct rates *rates, const char *address);
