/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pause.h"

#include <errno.h>
#include <time.h>

void pause_ms(unsigned ms)
{
    struct timespec rest = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}
