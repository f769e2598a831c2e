/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests: a ledger in a directory of its own.
 */
#pragma once

#include "lib/store/store.h"

struct place {
    char directory[256];
    char path[300];
    struct store *store;
};

/* cmocka's set-up and tear-down. */
int place_open(void **state);
int place_close(void **state);
