/* SPDX-License-Identifier: Apache-2.0
 *
 * The same work on every core: processes, each with a share of the items, and memory that they share.
 */
#pragma once

#include "lib/base/span.h"

/* How many processes can work at once. */
unsigned parallel_cores(void);

/* Zeroed memory that forked processes share; NULL when there is none.  Give it back with the same size. */
void *parallel_memory_new(size_t bytes);
void parallel_memory_free(void *memory, size_t bytes);

/* Do one item; runs in a process of its own, so results must go to shared memory. */
typedef enum status parallel_work(void *context, size_t item);

/* Call `work` for every item 0 .. count - 1, spread over `processes`.
 * FAULT  a process could not be started or one of the items failed (its text went to standard error) */
MUST_USE enum status parallel_run(unsigned processes, size_t count, parallel_work *work, void *context);
