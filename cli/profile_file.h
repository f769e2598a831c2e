/* SPDX-License-Identifier: Apache-2.0
 *
 * A ready provisioning profile as a file, out of what the server answered.
 */
#pragma once

#include "lib/base/status.h"

#include <jansson.h>

/* Can a profile be written there?  Asked before the server is told anything, since a password is shown
 * only once.  REFUSED: a file is there already and `replace` is false     FAULT: no such folder */
MUST_USE enum status profile_file_check(const char *path, bool replace);

/* Write a profile, readable by its owner alone.
 *
 *   profile    lent   the server's `profile` object (doc/ipc.md)
 *   password   lent   the server's answer to password.issue, or NULL: no password in the file
 *
 * BAD_INPUT  the server's answer makes no good profile */
MUST_USE enum status profile_file_write(const char *path, bool replace, const json_t *profile,
                                        const json_t *password);
