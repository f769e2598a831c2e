/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/serial_index.h"

#include "lib/pki/pki.h"

#include <stdlib.h>

#define FIRST_CAPACITY ((size_t)1024)

struct serial_slot {
    uint32_t offset; /* 0: empty */
    uint8_t len;
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
};

/* FNV-1a; the serials are random, so nothing finer is needed. */
static size_t hash_of(struct span serial)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < serial.len; i++)
        hash = (hash ^ serial.ptr[i]) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the serial, or the empty one where it belongs. */
static struct serial_slot *slot_for(const struct serial_index *index, struct span serial)
{
    size_t i = hash_of(serial) & (index->capacity - 1);

    while (index->slots[i].offset &&
           !span_equal(span_of(index->slots[i].serial, index->slots[i].len), serial))
        i = (i + 1) & (index->capacity - 1);
    return &index->slots[i];
}

static enum status grow(struct serial_index *index)
{
    struct serial_index bigger = {
        .capacity = index->capacity ? 2 * index->capacity : FIRST_CAPACITY,
        .count = index->count,
    };

    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return fail(FAULT, "journal: no memory to index %zu serial numbers", bigger.capacity);
    for (size_t i = 0; i < index->capacity; i++) {
        const struct serial_slot *old = &index->slots[i];
        if (old->offset)
            *slot_for(&bigger, span_of(old->serial, old->len)) = *old;
    }
    serial_index_clear(index);
    *index = bigger;
    return OK;
}

enum status serial_index_add(struct serial_index *index, struct span serial, uint32_t offset)
{
    if (serial.len < 1 || serial.len > CERT_SERIAL_MAX_BYTES || offset == 0)
        return fail(BAD_INPUT, "journal: a serial number of %zu octets, want 1 to %d", serial.len,
                    CERT_SERIAL_MAX_BYTES);
    if (2 * (index->count + 1) > index->capacity)
        TRY(grow(index));
    struct serial_slot *slot = slot_for(index, serial);
    slot->offset = offset;
    slot->len = (uint8_t)serial.len;
    memcpy(slot->serial, serial.ptr, serial.len);
    index->count++;
    return OK;
}

uint32_t serial_index_find(const struct serial_index *index, struct span serial)
{
    return index->capacity ? slot_for(index, serial)->offset : 0;
}

void serial_index_clear(struct serial_index *index)
{
    free(index->slots);
    *index = (struct serial_index){ 0 };
}
