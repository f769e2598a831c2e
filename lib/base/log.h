/* SPDX-License-Identifier: Apache-2.0
 *
 * The operating log: one line per happening on standard error, for the
 * service manager to keep.  Never a secret.  What must be remembered is an
 * event in the registrar's database, not a log line.
 */
#pragma once

#include "lib/base/status.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Who speaks ("registrar", "responder 2"), and how much of it is shown (default LOG_NOTICE). */
void log_init(const char *who, enum log_level shown);

/* Control bytes in the text are shown as '?', so that a hostile name cannot forge a line. */
void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
