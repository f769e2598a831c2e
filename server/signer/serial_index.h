/* SPDX-License-Identifier: Apache-2.0
 *
 * Which serial number stands where in one segment of the journal: a hash table that only grows.
 */
#pragma once

#include "lib/base/span.h"

struct serial_slot;

/* Zeros are an empty index. */
struct serial_index {
    struct serial_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* Add a serial of 1 .. 20 octets that is not in it yet; `offset` is not 0.
 * BAD_INPUT  serial or offset out of range     FAULT  no memory */
MUST_USE enum status serial_index_add(struct serial_index *index, struct span serial, uint32_t offset);

/* Where a serial stands; 0 where it does not. */
uint32_t serial_index_find(const struct serial_index *index, struct span serial);

void serial_index_clear(struct serial_index *index); /* fine twice */
