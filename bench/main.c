/* SPDX-License-Identifier: Apache-2.0
 *
 * muster-bench: measures a running musterd, or keeps it under load while it is being broken.
 */
#include "bench/bench.h"
#include "bench/keys.h"
#include "bench/replay.h"
#include "lib/base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: muster-bench scep --dir DIR [--count N] [--connections N] [--seconds N] [--fill N]\n"
    "                         [--url URL] [--template T] [--json]\n"
    "       muster-bench load --dir DIR --ledger FILE [--rate N] [--count N] [--connections N] [--seconds N] ...\n";

static const struct {
    const char *name;
    enum status (*run)(const struct bench_options *options);
} commands[] = { { "scep", bench_scep }, { "load", bench_load } };

/* Options and where their values go: a text, or a number within its range. */
struct option_row {
    const char *name;
    size_t text_offset; /* NUMBER: not a text */
    int64_t most;
    size_t number_offset;
    bool wide; /* size_t, else unsigned */
};

#define TEXT(field) offsetof(struct bench_options, field), 0, 0, false
#define NUMBER(field, most, wide) SIZE_MAX, most, offsetof(struct bench_options, field), wide

static const struct option_row rows[] = {
    { "dir", TEXT(directory) },
    { "url", TEXT(url) },
    { "template", TEXT(template) },
    { "ledger", TEXT(ledger) },
    { "count", NUMBER(count, KEY_POOL_MAX_KEYS, true) },
    { "fill", NUMBER(fill, 100000000, true) },
    { "connections", NUMBER(connections, REPLAY_CONNECTIONS_MAX, false) },
    { "seconds", NUMBER(seconds, 86400, false) },
    { "rate", NUMBER(rate_per_s, 1000000, false) },
};

static enum status set_option(const struct option_row *row, const char *value, struct bench_options *options)
{
    int64_t number = 0;
    char *base = (char *)options;

    if (row->text_offset != SIZE_MAX) {
        memcpy(base + row->text_offset, &value, sizeof(value));
        return OK;
    }
    if (number_parse(value, 0, row->most, &number) != OK)
        return fail(BAD_INPUT, "--%s %s: a number from 0 to %lld is expected", row->name, value,
                    (long long)row->most);
    if (row->wide)
        *(size_t *)(void *)(base + row->number_offset) = (size_t)number;
    else
        *(unsigned *)(void *)(base + row->number_offset) = (unsigned)number;
    return OK;
}

static enum status parse_options(int argc, char **argv, struct bench_options *options)
{
    struct option known[COUNT_OF(rows) + 2] = { 0 };
    int index = 0;
    int found = 0;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        known[i] = (struct option){ .name = rows[i].name, .has_arg = required_argument };
    known[COUNT_OF(rows)] = (struct option){ .name = "json", .val = 'j' };
    while ((found = getopt_long(argc, argv, "", known, &index)) != -1) {
        if (found == 'j')
            options->json = true;
        else if (found == 0)
            TRY(set_option(&rows[index], optarg, options));
        else
            return fail(BAD_INPUT, "see above");
    }
    if (optind != argc)
        return fail(BAD_INPUT, "\"%s\" is not expected here", argv[optind]);
    if (!options->directory || options->count == 0 || options->connections == 0)
        return fail(BAD_INPUT, "--dir is needed; --count and --connections are at least 1");
    return OK;
}

int main(int argc, char **argv)
{
    struct bench_options options = { .template = "device", .count = 20000, .connections = 16 };

    for (size_t i = 0; argc > 1 && i < COUNT_OF(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        const enum status parsed = parse_options(argc - 1, argv + 1, &options);
        const enum status status = parsed == OK ? commands[i].run(&options) : parsed;
        if (status != OK)
            fprintf(stderr, "muster-bench: %s\n", fail_text());
        return parsed == OK ? status_exit_code(status) : EXIT_FAILURE;
    }
    fputs(usage, stderr);
    return EXIT_FAILURE;
}
