/* SPDX-License-Identifier: Apache-2.0
 *
 * Help, printed from the tables of commands.
 */
#pragma once

#include "cli/command.h"

#include <stdio.h>

/* As much as was asked: of one command, of a group, of all. */
void help_print(const struct arguments *arguments, const struct command *const *tables, FILE *out);

/* One line: how the command is called, or that --help tells. */
void help_print_usage(const struct arguments *arguments, FILE *out);
