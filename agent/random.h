/* SPDX-License-Identifier: Apache-2.0
 *
 * Random bytes and numbers from the kernel.
 */
#pragma once

#include "lib/base/span.h"

/* FAULT when the kernel gives none. */
MUST_USE enum status random_fill(void *to, size_t size);

/* Evenly from 0 to `most`. */
MUST_USE enum status random_number(uint32_t most, uint32_t *out);
