/* SPDX-License-Identifier: Apache-2.0
 *
 * The load of a fault run.  A request is sent again until its certificate has come and been proved; then
 * "DEVICE SERIAL" goes to the ledger.  Whatever stands there was acknowledged and must never be lost.
 */
#include "bench/bench.h"
#include "bench/enrol.h"
#include "bench/replay.h"
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define HTTP_OK 200
#define REFUSALS_SHOWN 20

struct load {
    const struct enrol_round *round;
    int ledger;
    size_t acknowledged;
    size_t refused;
    size_t tries;
};

static volatile int stop;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static enum status note(const struct load *load, size_t index, const char *serial)
{
    char line[160];
    const int len = snprintf(line, sizeof(line), "%s %s\n", load->round->fleet.devices[index].name, serial);

    return file_write_all(load->ledger, span_of(line, (size_t)len));
}

/* A refusal is final: what was good once and is sent again must get the same certificate. */
static bool refuse(struct load *load, size_t index)
{
    if (load->refused++ < REFUSALS_SHOWN)
        fprintf(stderr, "muster-bench: %s refused: %s\n", load->round->fleet.devices[index].name, fail_text());
    return true;
}

static bool on_answer(void *context, size_t index, unsigned http_status, struct span body)
{
    struct load *load = context;
    char serial[REQUESTS_SERIAL_TEXT_BYTES];

    load->tries++;
    if (http_status != HTTP_OK)
        return false;
    const enum status status = requests_open_reply(&load->round->requests, index, body, serial);
    if (status == FAULT)
        return false;
    if (status != OK)
        return refuse(load, index);
    if (note(load, index, serial) != OK) {
        fprintf(stderr, "muster-bench: %s\n", fail_text());
        stop = 1;
        return false;
    }
    load->acknowledged++;
    return true;
}

static enum status run(const struct bench_options *options, struct load *load)
{
    const struct sigaction action = { .sa_handler = on_signal };
    struct replay replay = {
        .requests = &load->round->requests,
        .connections = options->connections,
        .seconds = options->seconds,
        .rate_per_s = options->rate_per_s,
        .stop = &stop,
        .answer = on_answer,
        .context = load,
        .latency_us = load->round->latency_us,
    };

    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0)
        return fail(FAULT, "sigaction: %d", errno);
    /* The harness waits for this line before it starts to kill. */
    printf("ready %zu\n", load->round->requests.count);
    fflush(stdout);
    TRY(replay_run(&replay));
    printf("acknowledged %zu, refused %zu, tries %zu\n", load->acknowledged, load->refused, load->tries);
    return load->refused ? fail(REFUSED, "%zu good requests were refused", load->refused) : OK;
}

enum status bench_load(const struct bench_options *options)
{
    AUTO(enrol_server_clear) struct enrol_server server = { .control.channel.fd = -1 };
    AUTO(enrol_round_clear) struct enrol_round round = { 0 };
    AUTO(fd_closep) int ledger = -1;

    if (!options->ledger)
        return fail(BAD_INPUT, "load needs --ledger FILE");
    ledger = open(options->ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (ledger < 0)
        return fail(FAULT, "%s cannot be opened (error %d)", options->ledger, errno);
    TRY(enrol_server_init(options, &server));
    TRY(enrol_round_prepare(options, &server, options->count, &round));
    struct load load = { .round = &round, .ledger = ledger };
    return run(options, &load);
}
