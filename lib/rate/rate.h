/* SPDX-License-Identifier: Apache-2.0
 *
 * How often somebody may do something: buckets that fill with time, in memory that several processes share.
 *
 * A bucket holds what comes in one minute, and is full at first.  Addresses have their buckets in a table of
 * fixed size, where the one that is nearest to full gives way: an attacker with many addresses can make the
 * table forget what others have spent, and no more.  An IPv6 address counts by its first 64 bits, since
 * whoever has one has them all.
 *
 * Knows no clock: the time is given.  Nothing here can fail once it is open.
 */
#pragma once

#include "lib/base/span.h"

#define RATE_PLACES 64 /* buckets that are not an address's */

/* Of addresses, then of names: what somebody says his name is, whose it was proved to be, and events about either. */
enum rate_kind { RATE_REQUESTS = 1, RATE_EVENTS, RATE_CLAIMS, RATE_PROOFS, RATE_NAME_EVENTS };

struct rates;

/* Make the memory, all buckets full; its size cannot be changed any more.
 *   out   a descriptor, to be inherited
 * FAULT  no memory */
MUST_USE enum status rates_create(int *out);

/* Map it.
 *   fd   lent
 * FAULT  it is not what rates_create() makes */
MUST_USE enum status rates_open(int fd, struct rates **out);
void rates_close(struct rates *rates);
AUTO_FREE(rates_close, struct rates)

/* Take one out of a bucket.  Returns 0, or after how many microseconds there will be one again; then nothing
 * was taken.
 *   per_minute   0: there is no limit
 *   now_us       of a clock that never jumps, the same in all processes
 *   address      numeric
 *   name         any bytes; names share the addresses' table, and a name has a bucket for each kind
 *   place        below RATE_PLACES; what it means is the caller's business */
int64_t rates_take_for_address(struct rates *rates, enum rate_kind kind, const char *address, unsigned per_minute,
                               int64_t now_us);
int64_t rates_take_for_name(struct rates *rates, enum rate_kind kind, struct span name, unsigned per_minute,
                            int64_t now_us);
int64_t rates_take_at(struct rates *rates, size_t place, unsigned per_minute, int64_t now_us);

/* What they return as whole seconds, for Retry-After: 0 only for 0. */
static inline unsigned rates_wait_s(int64_t wait_us)
{
    return (unsigned)((wait_us + 999999) / 1000000);
}

/* So many refusals are recorded: of one address or name, and altogether.  A flood must not fill the ledger. */
#define RATE_EVENTS_OF_ONE_PER_MINUTE 1
#define RATE_EVENTS_PER_MINUTE 60
