/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/fixture.h"

#include "lib/base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int place_open(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    const char *temporary = getenv("TMPDIR");

    assert_non_null(place);
    snprintf(place->directory, sizeof place->directory, "%s/muster-store-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof place->path, "%s/ledger.db", place->directory);
    assert_int_equal(store_open(place->path, &place->store), OK);
    *state = place;
    return 0;
}

int place_close(void **state)
{
    struct place *place = *state;
    char wal[310];

    store_free(place->store);
    snprintf(wal, sizeof wal, "%s-wal", place->path);
    unlink(place->path);
    unlink(wal);
    rmdir(place->directory);
    free(place);
    return 0;
}
