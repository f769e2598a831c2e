/* SPDX-License-Identifier: Apache-2.0
 *
 * What a command of `muster` is: a row in a table.  The tables stand in cmd_*.c, one file for each
 * group; arguments.c reads a command line by them, help.c prints them.
 */
#pragma once

#include "cli/client.h"

#define COMMAND_OPTIONS_MAX 12

struct option {
    const char *name;  /* without the two dashes; NULL ends the list */
    const char *value; /* what its value is ("FILE"); NULL for a switch */
    const char *what;
};

struct arguments;

/* What a command works with. */
struct session {
    struct client *client;
    bool json; /* print for programs */
};

typedef enum status command_run(struct session *session, const struct arguments *arguments);

struct command {
    const char *group;      /* "device"; NULL ends a table */
    const char *verb;       /* "add"; NULL where the group is the command */
    const char *positional; /* "NAME", or NULL where there is none */
    const char *what;
    command_run *run;
    struct option options[COMMAND_OPTIONS_MAX]; /* the last one's name is NULL */
};

extern const struct command device_commands[];
extern const struct command password_commands[];
extern const struct command certificate_commands[];
extern const struct command enrolment_commands[];
extern const struct command event_commands[];
extern const struct command status_commands[];

/* A command line, read; texts are lent from argv. */
struct arguments {
    const struct command *command; /* NULL: none was given */
    const char *group;             /* as given; NULL if none */
    const char *positional;
    const char *values[COMMAND_OPTIONS_MAX]; /* beside command->options; NULL: not given */
    const char *directory;
    const char *socket;
    bool json;
    bool help;
    bool version;
};
