/* SPDX-License-Identifier: Apache-2.0
 *
 * Commits that are several runs of the layer under SQLite, and a disk that takes only the first.
 */
#include "lib/base/test.h"
#include "lib/store/fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What it ended with; the ledger is ours before and after. */
static int in_another_process(struct place *place, void (*deed)(const char *path))
{
    int result = 0;

    store_free(place->store);
    place->store = NULL;
    const pid_t child = fork();
    if (child == 0)
        deed(place->path);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(store_open(place->path, &place->store), OK);
    return result;
}

/* Some hundred pages: several runs of the layer that gathers writes (wal_file.h). */
static void add_facts(struct store *store, unsigned count, size_t bytes)
{
    AUTO(buf_clear) struct buf value = { 0 };
    char name[16];

    memset(buf_reserve(&value, bytes), 'x', bytes);
    value.len = bytes;
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "fact-%u", i);
        assert_int_equal(store_meta_put(store, name, buf_span(&value)), OK);
    }
}

static void commit_much_and_die(const char *path)
{
    struct store *store = NULL;

    if (store_open(path, &store) != OK || store_begin(store) != OK)
        _exit(1);
    add_facts(store, 300, 3000);
    if (store_commit(store) == OK)
        raise(SIGKILL);
    _exit(1);
}

static void a_commit_of_many_pages_survives_kill_9(void **state)
{
    struct place *place = *state;
    AUTO(buf_clear) struct buf value = { 0 };

    assert_true(WIFSIGNALED(in_another_process(place, commit_much_and_die)));
    assert_int_equal(store_meta_get(place->store, "fact-299", &value), OK);
    assert_int_equal(value.len, 3000);
}

/* The limit on a file's size stands for a disk that is full. */
static void commit_more_than_fits(const char *path)
{
    const struct rlimit little = { 200000, 200000 };
    struct store *store = NULL;

    signal(SIGXFSZ, SIG_IGN);
    if (store_open(path, &store) != OK || setrlimit(RLIMIT_FSIZE, &little) != 0 || store_begin(store) != OK)
        _exit(1);
    add_facts(store, 300, 3000);
    if (store_commit(store) != FAULT || store_commit(store) != FAULT)
        _exit(2);
    _exit(0);
}

static void a_commit_that_does_not_fit_on_the_disk_is_a_fault_and_leaves_no_trace(void **state)
{
    struct place *place = *state;
    AUTO(buf_clear) struct buf value = { 0 };

    assert_int_equal(in_another_process(place, commit_more_than_fits), 0);
    assert_int_equal(store_meta_get(place->store, "fact-0", &value), OK);
    assert_int_equal(value.len, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_of_many_pages_survives_kill_9),
        TEST(a_commit_that_does_not_fit_on_the_disk_is_a_fault_and_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
