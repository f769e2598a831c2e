/* SPDX-License-Identifier: Apache-2.0
 *
 * What every part of muster-bench is told on the command line.
 */
#pragma once

#include "lib/base/span.h"

struct bench_options {
    const char *directory;  /* the server's DIR; its control socket registers the devices */
    const char *url;        /* enrolment URL; NULL: the server's first path */
    const char *template;   /* of the devices to be registered */
    const char *ledger;     /* load: file for what was acknowledged */
    size_t count;           /* requests to measure or acknowledge */
    size_t fill;            /* certificates the database shall hold before the measurement */
    unsigned connections;
    unsigned seconds;       /* at most so long; 0: until all requests are done */
    unsigned rate_per_s;    /* load: at most so many new requests a second; 0: as fast as it goes */
    bool json;
};

/* `muster-bench scep`: enrolments per second against the crypto limit. */
MUST_USE enum status bench_scep(const struct bench_options *options);

/* `muster-bench load`: enrol until told otherwise, through every fault, and keep a ledger of what was acknowledged. */
MUST_USE enum status bench_load(const struct bench_options *options);
