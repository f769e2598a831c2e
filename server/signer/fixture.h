/* SPDX-License-Identifier: Apache-2.0
 *
 * For the signer's tests: a directory with an authority and musterd.conf, and orders that fit it.
 */
#pragma once

#include "server/signer/issue.h"

struct fixture {
    char directory[PATH_MAX];
    char journal[PATH_MAX + 16];
    struct config *config;
    struct private_key *device_key;
    struct buf subject;
    struct buf san;
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
};

/* cmocka's set-up and tear-down; *state is the fixture. */
int fixture_make(void **state);
int fixture_remove(void **state);

/* What a registrar would send for device gw-17: lent from the fixture.  A fresh serial number each time. */
struct ipc_issue fixture_order(struct fixture *fixture);
