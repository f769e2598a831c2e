/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/enrol.h"
#include "bench/replay.h"
#include "bench/usage.h"
#include "lib/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROVE_ONE_IN 100
#define FAILURES_SHOWN 5
#define HTTP_OK 200

/* --- The server -------------------------------------------------------------- */

static enum status ask_status(struct enrol_server *server, json_t **out)
{
    json_t *command = json_pack("{s:s}", "command", "status");
    const enum status status = command ? control_ask(&server->control, command, out) : fail(FAULT, "no memory");

    json_decref(command);
    return status;
}

static enum status read_status(const json_t *answer, const char *url, struct enrol_server *server)
{
    const json_t *path = json_array_get(json_object_get(answer, "paths"), 0);
    const json_int_t responders = json_integer_value(json_object_get(answer, "responders"));

    if (!url)
        url = json_string_value(json_object_get(path, "url"));
    if (!url)
        return fail(BAD_INPUT, "the server tells no enrolment path; give one by --url");
    snprintf(server->openssl, sizeof(server->openssl), "%s", json_string_value(json_object_get(answer, "openssl")));
    server->responders = responders > 0 ? (unsigned)responders : 1;
    server->certificates = (size_t)json_integer_value(json_object_get(answer, "certificates"));
    return requests_server_init(url, &server->web);
}

enum status enrol_server_init(const struct bench_options *options, struct enrol_server *out)
{
    json_t *answer = NULL;
    pid_t role = 0;

    *out = (struct enrol_server){ .control.channel.fd = -1 };
    TRY(control_open(options->directory, &out->control));
    TRY(control_peer(&out->control, &role));
    TRY(usage_find_supervisor(role, &out->supervisor));
    TRY(ask_status(out, &answer));
    const enum status status = read_status(answer, options->url, out);
    json_decref(answer);
    return status;
}

void enrol_server_clear(struct enrol_server *server)
{
    if (server->control.channel.fd >= 0)
        control_close(&server->control);
    requests_server_clear(&server->web);
}

enum status enrol_server_count(struct enrol_server *server)
{
    json_t *answer = NULL;

    TRY(ask_status(server, &answer));
    server->certificates = (size_t)json_integer_value(json_object_get(answer, "certificates"));
    json_decref(answer);
    return OK;
}

/* --- One round ----------------------------------------------------------------- */

enum status enrol_round_prepare(const struct bench_options *options, const struct enrol_server *server, size_t count,
                                struct enrol_round *out)
{
    static unsigned rounds;
    char prefix[48];

    *out = (struct enrol_round){ 0 };
    /* Names must be new on every run against the same server. */
    snprintf(prefix, sizeof(prefix), "bench-%llx-%d-%u", (unsigned long long)clock_now_s(), (int)getpid(), rounds++);
    out->replies = calloc(count, sizeof(*out->replies));
    out->latency_us = calloc(count, sizeof(*out->latency_us));
    if (!out->replies || !out->latency_us)
        return fail(FAULT, "no memory for %zu replies", count);
    TRY(fleet_register(options->directory, options->template, prefix, count, &out->fleet));
    return requests_init(&server->web, &out->fleet, &out->requests);
}

void enrol_round_clear(struct enrol_round *round)
{
    for (size_t i = 0; round->replies && i < round->fleet.count; i++)
        buf_clear(&round->replies[i]);
    free(round->replies);
    free(round->latency_us);
    requests_clear(&round->requests);
    fleet_clear(&round->fleet);
    *round = (struct enrol_round){ 0 };
}

static bool keep_reply(void *context, size_t index, unsigned http_status, struct span body)
{
    struct enrol_round *round = context;

    /* An empty reply is what enrol_round_check() counts as a failure. */
    if (http_status == HTTP_OK && buf_set(&round->replies[index], body) != OK)
        buf_clear(&round->replies[index]);
    return true;
}

enum status enrol_round_run(const struct bench_options *options, struct enrol_round *round)
{
    struct replay replay = {
        .requests = &round->requests,
        .connections = options->connections,
        .seconds = options->seconds,
        .answer = keep_reply,
        .context = round,
        .latency_us = round->latency_us,
    };

    TRY(replay_run(&replay));
    round->done = replay.done;
    round->elapsed_us = replay.elapsed_us;
    return OK;
}

static enum status check_reply(const struct enrol_round *round, size_t index)
{
    const struct span reply = buf_span(&round->replies[index]);
    char serial[REQUESTS_SERIAL_TEXT_BYTES];

    if (reply.len == 0)
        return fail(FAULT, "the connection broke, or HTTP said no");
    if (index % PROVE_ONE_IN == 0)
        return requests_open_reply(&round->requests, index, reply, serial);
    return requests_check_reply(&round->requests, index, reply);
}

void enrol_round_check(struct enrol_round *round)
{
    for (size_t i = 0; i < round->done; i++) {
        if (check_reply(round, i) == OK)
            continue;
        if (round->failures++ < FAILURES_SHOWN)
            fprintf(stderr, "muster-bench: request %zu: %s\n", i, fail_text());
    }
}
