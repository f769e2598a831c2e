/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a command line by the tables of commands.  It runs nothing and prints nothing.
 */
#pragma once

#include "cli/command.h"

/* The options that every command takes; the last one's name is NULL. */
extern const struct option global_options[];

/* Read the words after the program's name.
 *
 *   tables   lent   NULL-terminated list of command tables
 *   out             what was read until a mistake too, so that the right help can be shown
 *
 * BAD_INPUT  unknown command (with the nearest known one), unknown or doubled option, a value
 *            missing, a word too many or too few */
MUST_USE enum status arguments_parse(int count, char *const *words, const struct command *const *tables,
                                     struct arguments *out);

/* An option's value, "" for a switch; NULL when it was not given. */
const char *arguments_get(const struct arguments *arguments, const char *name);

/* The same as a number within [low, high]; `out` stays as it is when the option was not given. */
MUST_USE enum status arguments_get_number(const struct arguments *arguments, const char *name, int64_t low,
                                          int64_t high, int64_t *out);

/* "90s", "30m", "12h", "7d", "2w" in seconds; at most ten years.  BAD_INPUT otherwise. */
MUST_USE enum status duration_parse(const char *text, int64_t *seconds);
