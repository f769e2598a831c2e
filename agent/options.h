/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent's command line.
 */
#pragma once

#include "lib/base/status.h"

#include <stdio.h>

enum options_command { OPTIONS_NONE, OPTIONS_ENROL, OPTIONS_SHOW };

struct options {
    enum options_command command;
    const char *profile; /* NULL: not given */
    const char *store;
    const char *name;    /* show: the profile's name; NULL: not given */
    bool json;
    bool verbose;
    bool help;
    bool version;
};

/* Read the words after the program's name; lent from argv.  BAD_INPUT: unknown, doubled, missing. */
MUST_USE enum status options_parse(int count, char *const *words, struct options *out);

void options_print_help(FILE *out);
