/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"
#include "bench/enrol.h"
#include "bench/limit.h"
#include "bench/usage.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define FILL_ROUND 20000
#define LIMIT_WARM_MS 200
#define LIMIT_MS 1500

/* What one run found out. */
struct findings {
    size_t certificates_before;
    double enrolments_per_s;
    struct limit limit;
    double server_cpu_us; /* of one enrolment, all of musterd's processes */
    double p50_ms;
    double p99_ms;
    size_t done;
    size_t failures;
};


/* Enrol until the database holds as many certificates as were asked for. */
static enum status fill_database(const struct bench_options *options, struct enrol_server *server)
{
    struct bench_options untimed = *options;

    untimed.seconds = 0;
    while (server->certificates < options->fill) {
        const size_t missing = options->fill - server->certificates;
        AUTO(enrol_round_clear) struct enrol_round round = { 0 };

        fprintf(stderr, "muster-bench: %zu certificates, filling up to %zu\n", server->certificates, options->fill);
        TRY(enrol_round_prepare(&untimed, server, missing < FILL_ROUND ? missing : FILL_ROUND, &round));
        TRY(enrol_round_run(&untimed, &round));
        enrol_round_check(&round);
        if (round.failures > 0)
            return fail(FAULT, "%zu of %zu enrolments failed while filling", round.failures, round.done);
        TRY(enrol_server_count(server));
    }
    return OK;
}

static enum status limit_for(const struct enrol_server *server, struct limit_keys **out)
{
    struct limit_kind kind = { .processes = server->responders };
    struct public_key *key = NULL;

    TRY(cert_get_key(server->web.ca, &key));
    kind.ca = public_key_get_spec(key);
    TRY(cert_get_key(server->web.encryption, &key));
    kind.ra = public_key_get_spec(key);
    return limit_keys_new(&kind, out);
}

static int compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a;
    const uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void summarise(struct enrol_round *round, struct findings *f)
{
    const size_t done = round->done;

    f->done = done;
    f->failures = round->failures;
    f->enrolments_per_s = (double)(done - round->failures) * 1e6 / (double)round->elapsed_us;
    qsort(round->latency_us, done, sizeof(*round->latency_us), compare_u32);
    f->p50_ms = done ? round->latency_us[done / 2] / 1e3 : 0;
    f->p99_ms = done ? round->latency_us[done * 99 / 100] / 1e3 : 0;
}

/* The limit is measured before and after the replay, so that a change of the machine's speed shows in both. */
static enum status measure(const struct bench_options *options, struct enrol_server *server, struct findings *f)
{
    AUTO(limit_keys_freep) struct limit_keys *keys = NULL;
    AUTO(enrol_round_clear) struct enrol_round round = { 0 };
    struct limit before;
    struct limit after;
    double cpu_before_us = 0;
    double cpu_after_us = 0;

    TRY(limit_for(server, &keys));
    TRY(enrol_round_prepare(options, server, options->count, &round));
    TRY(limit_measure(keys, LIMIT_WARM_MS, &before));
    TRY(limit_measure(keys, LIMIT_MS, &before));
    TRY(usage_cpu_us(server->supervisor, &cpu_before_us));
    TRY(enrol_round_run(options, &round));
    TRY(usage_cpu_us(server->supervisor, &cpu_after_us));
    TRY(limit_measure(keys, LIMIT_MS, &after));
    enrol_round_check(&round);
    if (round.done == 0)
        return fail(FAULT, "not one enrolment was done in %u s", options->seconds);
    f->limit = (struct limit){ (before.per_s + after.per_s) / 2, (before.cpu_us + after.cpu_us) / 2 };
    f->server_cpu_us = (cpu_after_us - cpu_before_us) / (double)round.done;
    summarise(&round, f);
    return OK;
}

static enum status print_json(const struct bench_options *options, const struct enrol_server *server,
                              const struct findings *f)
{
    json_t *object = json_pack(
        "{s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:i,s:I,s:I,s:i,s:f,s:f,s:s}",
        "enrolments_per_s", f->enrolments_per_s, "limit_per_s", f->limit.per_s,
        "ratio", f->enrolments_per_s / f->limit.per_s, "overhead_us", f->server_cpu_us - f->limit.cpu_us,
        "p50_ms", f->p50_ms, "p99_ms", f->p99_ms, "failures", (json_int_t)f->failures,
        "connections", (int)options->connections, "count", (json_int_t)f->done,
        "certificates_before", (json_int_t)f->certificates_before, "responders", (int)server->responders,
        "server_cpu_us", f->server_cpu_us, "crypto_cpu_us", f->limit.cpu_us, "openssl", server->openssl);
    char *text = object ? json_dumps(object, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6)) : NULL;

    json_decref(object);
    if (!text)
        return fail(FAULT, "no memory");
    puts(text);
    free(text);
    return OK;
}

static void print_table(const struct bench_options *options, const struct enrol_server *server,
                        const struct findings *f)
{
    printf("enrolments            %zu, %zu failed, %u connections, %u responders\n", f->done, f->failures,
           options->connections, server->responders);
    printf("database              %zu certificates before\n", f->certificates_before);
    printf("durable enrolments    %.0f per second\n", f->enrolments_per_s);
    printf("raw crypto limit R    %.0f per second (%s)\n", f->limit.per_s, server->openssl);
    printf("ratio                 %.3f\n", f->enrolments_per_s / f->limit.per_s);
    printf("server CPU            %.0f us per enrolment, of which %.0f us mandatory crypto, overhead %.0f us\n",
           f->server_cpu_us, f->limit.cpu_us, f->server_cpu_us - f->limit.cpu_us);
    printf("latency               p50 %.1f ms, p99 %.1f ms\n", f->p50_ms, f->p99_ms);
}

enum status bench_scep(const struct bench_options *options)
{
    AUTO(enrol_server_clear) struct enrol_server server = { .control.channel.fd = -1 };
    struct findings findings = { 0 };

    TRY(enrol_server_init(options, &server));
    TRY(fill_database(options, &server));
    findings.certificates_before = server.certificates;
    TRY(measure(options, &server, &findings));
    if (!options->json) {
        print_table(options, &server, &findings);
        return OK;
    }
    return print_json(options, &server, &findings);
}
