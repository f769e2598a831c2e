/* SPDX-License-Identifier: Apache-2.0
 *
 * How much processor time the server's processes have used, from /proc.
 */
#pragma once

#include "lib/base/span.h"

#include <sys/types.h>

/* The supervisor above one of the server's processes (or the process itself where it is the supervisor). */
MUST_USE enum status usage_find_supervisor(pid_t role, pid_t *out);

/* User and system time of a process and its children that run now, in microseconds (to 10 ms). */
MUST_USE enum status usage_cpu_us(pid_t supervisor, double *out);
