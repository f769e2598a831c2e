/* SPDX-License-Identifier: Apache-2.0
 *
 * `musterd check DIR`: what a start would trip over, said without starting.
 */
#pragma once

#include "lib/config/config.h"

/* Read every key and certificate that the configuration names; see that they belong together, that
 * the chains hold and that nothing has expired.  Prints a line for each to standard output.
 * The first thing wrong is the failure. */
MUST_USE enum status check_files(const struct config *config);
