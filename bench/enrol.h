/* SPDX-License-Identifier: Apache-2.0
 *
 * The server under test, and one round of enrolments on it: register devices, make their requests,
 * replay them, prove the replies.
 */
#pragma once

#include "bench/bench.h"
#include "bench/requests.h"

struct enrol_server {
    struct control control;
    struct requests_server web;
    pid_t supervisor;
    unsigned responders;
    size_t certificates;
    char openssl[128];
};

/* Ask the running server who it is.  Clear it even where this failed. */
MUST_USE enum status enrol_server_init(const struct bench_options *options, struct enrol_server *out);
void enrol_server_clear(struct enrol_server *server);

/* How many certificates it holds now. */
MUST_USE enum status enrol_server_count(struct enrol_server *server);

struct enrol_round {
    struct fleet fleet;
    struct requests requests;
    struct buf *replies;    /* one for each request; empty where none came */
    uint32_t *latency_us;
    size_t done;
    size_t failures;
    int64_t elapsed_us;
};

/* Register `count` devices and make their requests.  Clear it even where this failed. */
MUST_USE enum status enrol_round_prepare(const struct bench_options *options, const struct enrol_server *server,
                                         size_t count, struct enrol_round *out);
void enrol_round_clear(struct enrol_round *round);

/* Replay; what comes back is kept as it is. */
MUST_USE enum status enrol_round_run(const struct bench_options *options, struct enrol_round *round);

/* Look at every reply, and at one in a hundred down to the certificate; counts `failures`. */
void enrol_round_check(struct enrol_round *round);
