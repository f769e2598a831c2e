/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/limit.h"

#include "lib/base/clock.h"

/* What the places among the rates mean. */
enum { PLACE_OVERALL, PLACE_EVENTS, PLACE_PATHS };
_Static_assert(PLACE_PATHS + CONFIG_PATHS_MAX <= RATE_PLACES, "a place for every path");

/* An address first: what it may not do is taken from nobody else. */
static int64_t wait_us(struct rates *rates, const struct config *config, const struct config_path *path,
                       const char *address, const char **whose)
{
    const int64_t now_us = clock_monotonic_us();
    int64_t wait;

    *whose = "from this address";
    wait = rates_take_for_address(rates, RATE_REQUESTS, address, config->address_rate_per_minute, now_us);
    if (wait)
        return wait;
    *whose = "on this path";
    wait = rates_take_at(rates, PLACE_PATHS + (size_t)(path - config->paths), path->rate_per_minute, now_us);
    if (wait)
        return wait;
    *whose = "for this server";
    return rates_take_at(rates, PLACE_OVERALL, config->overall_rate_per_minute, now_us);
}

unsigned limit_wait_s(struct rates *rates, const struct config *config, const struct config_path *path,
                      const char *address, const char **whose)
{
    if (!rates)
        return 0;
    return rates_wait_s(wait_us(rates, config, path, address, whose));
}

bool limit_is_event(struct rates *rates, const char *address)
{
    const int64_t now_us = clock_monotonic_us();

    return rates_take_for_address(rates, RATE_EVENTS, address, RATE_EVENTS_OF_ONE_PER_MINUTE, now_us) == 0 &&
           rates_take_at(rates, PLACE_EVENTS, RATE_EVENTS_PER_MINUTE, now_us) == 0;
}
