/* SPDX-License-Identifier: Apache-2.0
 *
 * The only place that asks what time it is.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Seconds since 1970, UTC.  MUSTER has no other source of wall-clock time. */
int64_t clock_now_s(void);

/* Milliseconds and microseconds of a clock that never jumps; for durations and timeouts. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* "2026-11-23T18:02:19Z" into `text`, which holds CLOCK_TEXT_BYTES. */
#define CLOCK_TEXT_BYTES 32
void clock_format_utc(int64_t when_s, char text[CLOCK_TEXT_BYTES]);
