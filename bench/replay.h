/* SPDX-License-Identifier: Apache-2.0
 *
 * Prepared requests over keep-alive connections, as fast as the server answers: one process, one loop.
 */
#pragma once

#include "bench/requests.h"

/* An answer came for a request (http_status 0: the connection broke).  Return true when the request is done,
 * false to have it sent again after a pause. */
typedef bool replay_answer(void *context, size_t index, unsigned http_status, struct span body);

struct replay {
    const struct requests *requests;
    unsigned connections;
    unsigned seconds;        /* no new request after so long; 0: no limit */
    unsigned rate_per_s;     /* so many new requests a second at most; 0: no limit */
    const volatile int *stop; /* no new request and no second try once it is not 0; may be NULL */
    replay_answer *answer;
    void *context;
    uint32_t *latency_us;    /* given by the caller, one for each request */
    size_t done;             /* filled in: requests that are done */
    int64_t elapsed_us;      /* filled in */
};

#define REPLAY_CONNECTIONS_MAX 1024u

/* Send every request until it is done, the time is up or `stop` is set; fills in latency_us, done and elapsed_us.
 * BAD_INPUT  no connections, or over REPLAY_CONNECTIONS_MAX     FAULT  no memory */
MUST_USE enum status replay_run(struct replay *replay);
