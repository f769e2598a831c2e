/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

#include <time.h>

int64_t clock_now_s(void)
{
    return (int64_t)time(NULL);
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

void clock_format_utc(int64_t when_s, char text[CLOCK_TEXT_BYTES])
{
    const time_t when = (time_t)when_s;
    struct tm parts;

    text[0] = 0;
    if (gmtime_r(&when, &parts))
        strftime(text, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
