/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vault.h"

#include "agent/fixture.h"
#include "lib/base/file.h"
#include "lib/base/test.h"

#include <stdio.h>
#include <sys/stat.h>

static char store[64];

static int make_store(void **state)
{
    (void)state;
    folder_make(store);
    return 0;
}

static int remove_store(void **state)
{
    (void)state;
    folder_remove(store);
    return 0;
}

static struct vault *open_vault(void)
{
    struct vault *vault = NULL;

    must(vault_open(store, "gw", &vault), "vault");
    return vault;
}

static unsigned install(struct vault *vault, const char *key, const char *cert)
{
    const struct vault_file files[] = { { "key.pem", span_of_text(key) }, { "cert.pem", span_of_text(cert) } };
    unsigned generation = 0;

    must(vault_stage(vault, files, COUNT_OF(files), &generation), "stage");
    must(vault_switch(vault, generation), "switch");
    return generation;
}

static unsigned current_of(const struct vault *vault)
{
    unsigned generation = 99;

    must(vault_current(vault, &generation), "current");
    return generation;
}

static bool exists(const char *name)
{
    char path[128];
    struct stat about;

    snprintf(path, sizeof path, "%s/gw/%s", store, name);
    return lstat(path, &about) == 0;
}

static void put(const char *name, const char *content)
{
    char path[128];

    snprintf(path, sizeof path, "%s/gw/%s", store, name);
    must(file_create(path, span_of_text(content), 0600), "put");
}

static unsigned mode_of(const char *name)
{
    char path[128];
    struct stat about;

    snprintf(path, sizeof path, "%s/gw/%s", store, name);
    return stat(path, &about) == 0 ? about.st_mode & 07777 : 0;
}

static void a_new_store_holds_nothing(void **state)
{
    AUTO(vault_freep) struct vault *vault = open_vault();
    AUTO(buf_clear) struct buf record = { 0 };
    bool found = true;

    (void)state;
    assert_int_equal(current_of(vault), 0);
    assert_int_equal(vault_read_record(vault, "attempt", &found, &record), OK);
    assert_false(found);
    assert_int_equal(vault_remove_record(vault, "attempt"), OK);
}

static void a_staged_generation_is_not_current_before_the_switch(void **state)
{
    AUTO(vault_freep) struct vault *vault = open_vault();
    const struct vault_file file = { "key.pem", SPAN_LITERAL("two") };
    unsigned generation = 0;

    (void)state;
    assert_int_equal(install(vault, "one", "c"), 1);
    assert_int_equal(vault_stage(vault, &file, 1, &generation), OK);
    assert_int_equal(generation, 2);
    assert_int_equal(current_of(vault), 1);
    assert_int_equal(vault_switch(vault, 2), OK);
    assert_int_equal(current_of(vault), 2);
}

static void what_was_written_is_read_back(void **state)
{
    AUTO(vault_freep) struct vault *vault = open_vault();
    AUTO(buf_clear) struct buf text = { 0 };

    (void)state;
    assert_int_equal(vault_read(vault, install(vault, "the key", "c"), "key.pem", &text), OK);
    assert_string_equal(buf_text(&text), "the key");
    assert_int_equal(vault_read(vault, 1, "nothing", &text), FAULT);
}

static void keys_are_for_their_owner_alone(void **state)
{
    AUTO(vault_freep) struct vault *vault = open_vault();

    (void)state;
    install(vault, "k", "c");
    assert_int_equal(vault_write_record(vault, "attempt", SPAN_LITERAL("secret")), OK);
    assert_int_equal(mode_of(""), 0700);
    assert_int_equal(mode_of("gen-1"), 0700);
    assert_int_equal(mode_of("gen-1/key.pem"), 0600);
    assert_int_equal(mode_of("current/key.pem"), 0600);
    assert_int_equal(mode_of("attempt"), 0600);
}

static void the_generation_before_is_kept_and_older_ones_are_swept(void **state)
{
    struct vault *vault = open_vault();

    (void)state;
    for (int i = 0; i < 4; i++)
        install(vault, "k", "c");
    vault_free(vault);
    vault = open_vault();
    assert_int_equal(current_of(vault), 4);
    assert_true(exists("gen-3"));
    assert_false(exists("gen-2"));
    assert_false(exists("gen-1"));
    vault_free(vault);
}

static void what_a_power_cut_leaves_is_swept(void **state)
{
    struct vault *vault = open_vault();
    const struct vault_file half = { "key.pem", SPAN_LITERAL("half") };
    unsigned generation = 0;

    (void)state;
    install(vault, "k", "c");
    assert_int_equal(vault_stage(vault, &half, 1, &generation), OK);
    put("attempt.tmp", "secret");
    put("notes.txt", "not ours");
    vault_free(vault);
    vault = open_vault();
    assert_int_equal(current_of(vault), 1);
    assert_false(exists("gen-2"));
    assert_false(exists("attempt.tmp"));
    assert_true(exists("notes.txt"));
    vault_free(vault);
}

static void a_switch_that_was_cut_before_its_rename_changes_nothing(void **state)
{
    struct vault *vault = open_vault();
    char link[128];

    (void)state;
    install(vault, "k", "c");
    vault_free(vault);
    snprintf(link, sizeof link, "%s/gw/current.tmp", store);
    assert_int_equal(symlink("gen-7", link), 0);
    vault = open_vault();
    assert_int_equal(current_of(vault), 1);
    assert_false(exists("current.tmp"));
    vault_free(vault);
}

static void a_second_agent_is_refused_until_the_first_is_done(void **state)
{
    struct vault *first = open_vault();
    struct vault *second = NULL;

    (void)state;
    assert_int_equal(vault_open(store, "gw", &second), FAULT);
    assert_non_null(strstr(fail_text(), "another muster-agent"));
    assert_int_equal(vault_open(store, "other", &second), OK);
    vault_free(second);
    vault_free(first);
    second = open_vault();
    vault_free(second);
}

static void a_record_is_replaced_and_removed(void **state)
{
    AUTO(vault_freep) struct vault *vault = open_vault();
    AUTO(buf_clear) struct buf text = { 0 };
    bool found = false;

    (void)state;
    assert_int_equal(vault_write_record(vault, "attempt", SPAN_LITERAL("one")), OK);
    assert_int_equal(vault_write_record(vault, "attempt", SPAN_LITERAL("two")), OK);
    assert_int_equal(vault_read_record(vault, "attempt", &found, &text), OK);
    assert_true(found);
    assert_string_equal(buf_text(&text), "two");
    assert_int_equal(vault_remove_record(vault, "attempt"), OK);
    assert_false(exists("attempt"));
}

static void a_current_that_is_not_ours_is_left_alone(void **state)
{
    struct vault *vault = open_vault();
    char link[128];

    (void)state;
    vault_free(vault);
    snprintf(link, sizeof link, "%s/gw/current", store);
    assert_int_equal(symlink("/etc", link), 0);
    assert_int_equal(vault_open(store, "gw", &vault), FAULT);
    assert_non_null(strstr(fail_text(), "expected gen-N"));
    assert_true(exists("current"));
}

static void a_store_whose_parent_is_missing_is_a_fault(void **state)
{
    struct vault *vault = NULL;
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/none/store", store);
    assert_int_equal(vault_open(path, "gw", &vault), FAULT);
}

static void looking_changes_nothing_and_waits_for_nobody(void **state)
{
    struct vault *vault = open_vault();
    struct vault *reader = NULL;

    (void)state;
    install(vault, "k", "c");
    put("attempt.tmp", "x");
    assert_int_equal(vault_open_to_read(store, "gw", &reader), OK);
    assert_int_equal(current_of(reader), 1);
    assert_true(exists("attempt.tmp"));
    vault_free(reader);
    vault_free(vault);
    assert_int_equal(vault_open_to_read(store, "none", &reader), FAULT);
    assert_false(exists("../none"));
}

#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, make_store, remove_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_STORE(a_new_store_holds_nothing),
        IN_A_STORE(a_staged_generation_is_not_current_before_the_switch),
        IN_A_STORE(what_was_written_is_read_back),
        IN_A_STORE(keys_are_for_their_owner_alone),
        IN_A_STORE(the_generation_before_is_kept_and_older_ones_are_swept),
        IN_A_STORE(what_a_power_cut_leaves_is_swept),
        IN_A_STORE(a_switch_that_was_cut_before_its_rename_changes_nothing),
        IN_A_STORE(a_second_agent_is_refused_until_the_first_is_done),
        IN_A_STORE(a_record_is_replaced_and_removed),
        IN_A_STORE(a_current_that_is_not_ours_is_left_alone),
        IN_A_STORE(looking_changes_nothing_and_waits_for_nobody),
        IN_A_STORE(a_store_whose_parent_is_missing_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
