/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/random.h"

#include <errno.h>
#include <sys/random.h>

enum status random_fill(void *to, size_t size)
{
    uint8_t *at = to;

    while (size) {
        const ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(FAULT, "no random bytes: %s", strerror(errno));
        at += n;
        size -= (size_t)n;
    }
    return OK;
}

enum status random_number(uint32_t most, uint32_t *out)
{
    uint64_t wide;

    /* 64 bits over at most 32: the unevenness is below 2^-32. */
    TRY(random_fill(&wide, sizeof wide));
    *out = (uint32_t)(wide % ((uint64_t)most + 1));
    return OK;
}
