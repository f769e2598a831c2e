/* SPDX-License-Identifier: Apache-2.0
 *
 * A credential as a person, or a program, wants to read of it.
 */
#pragma once

#include "agent/credential.h"

#include <stdio.h>

/* `profile` is its name, `folder` where the current generation stands. */
MUST_USE enum status report_print(const struct credential *credential, const char *profile, const char *folder,
                                  bool json, FILE *out);
