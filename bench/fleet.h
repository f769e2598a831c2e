/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices that enrol: registered with the server under test, each with a one-time password.
 */
#pragma once

#include "bench/control.h"

#define FLEET_SANS_MAX 4

struct fleet_device {
    char name[64];
    char username[64];
    char password[128];
    char username_form[16]; /* "dns", "email", "uri", "challenge" */
    char subject[256];
    char sans[FLEET_SANS_MAX][160];
    size_t sans_count;
};

struct fleet {
    struct fleet_device *devices;
    size_t count;
};

/* Register `count` devices PREFIX-000000 and so on, and issue a password to each.
 *   template   lent  what they shall get
 * The first refusal ends it. */
MUST_USE enum status fleet_register(const char *directory, const char *template, const char *prefix, size_t count,
                                    struct fleet *out);
void fleet_clear(struct fleet *fleet);
