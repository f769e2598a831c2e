/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/profile_file.h"
#include "cli/table.h"

#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/profile/profile.h"

#include <stdlib.h>
#include <sys/stat.h>

static const struct column columns[] = {
    { "name", "NAME", COLUMN_TEXT },
    { "count", "COUNT", COLUMN_TEXT },
    { "when_s", "WHEN", COLUMN_TIME },
    { NULL, NULL, COLUMN_TEXT },
};

/* What a table prints of these rows; free() it. */
static char *print(const char *rows, bool json)
{
    char *text = NULL;
    size_t size = 0, i;
    FILE *out = open_memstream(&text, &size);
    AUTO(json_decrefp) json_t *list = json_loads(rows, 0, NULL);
    struct table table;
    json_t *row;

    table_init(&table, columns, out, json);
    json_array_foreach(list, i, row)
        assert_int_equal(table_add(&table, row), OK);
    assert_int_equal(table_flush(&table), OK);
    table_clear(&table);
    fclose(out);
    return text;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    char *text = print("[{\"name\":\"gw\",\"count\":2,\"when_s\":0},"
                       "{\"name\":\"a-long-name\",\"count\":10,\"when_s\":1795456800}]", false);

    (void)state;
    assert_string_equal(text, "NAME         COUNT  WHEN\n"
                              "gw           2      -\n"
                              "a-long-name  10     2026-11-23T18:00:00Z\n");
    free(text);
}

static void a_hostile_text_cannot_draw_on_the_screen(void **state)
{
    char *text = print("[{\"name\":\"a\\u001b[2J\\nb\"}]", false);

    (void)state;
    assert_non_null(strstr(text, "a?[2J?b"));
    free(text);
}

static void letters_of_two_bytes_take_one_column(void **state)
{
    char *text = print("[{\"name\":\"\xc3\xa9t\xc3\xa9x\",\"count\":1},{\"name\":\"abcd\",\"count\":1}]", false);

    (void)state;
    assert_non_null(strstr(text, "\xc3\xa9t\xc3\xa9x  1 "));
    assert_non_null(strstr(text, "abcd  1 "));
    free(text);
}

static void json_is_one_object_a_line(void **state)
{
    char *text = print("[{\"name\":\"a\"},{\"name\":\"b\"}]", true);

    (void)state;
    assert_string_equal(text, "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
    free(text);
}

static const char server_profile[] =
    "{\"name\":\"gw-1\",\"server_url\":\"http://127.0.0.1:8080/scep/device\",\"ca_identifier\":\"\","
    "\"ca_fingerprint\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","
    "\"username\":\"gw-1\",\"username_form\":\"dns\",\"subject\":\"CN=gw-1\",\"subject_alt_name\":[\"DNS:gw-1\"],"
    "\"key_type\":\"RSA\",\"key_size\":3072,\"renew_at_elapsed_percent\":70}";

static void the_servers_answer_becomes_a_profile_file(void **state)
{
    AUTO(json_decrefp) json_t *profile = json_loads(server_profile, 0, NULL);
    AUTO(json_decrefp) json_t *password =
        json_loads("{\"password\":\"a$b\\\"c\",\"expires_s\":1795456800}", 0, NULL);
    char folder[] = "/tmp/table_test.XXXXXX";
    char path[64];
    struct profile read_back;
    struct stat about;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/p", folder);
    assert_int_equal(profile_file_check(path, false), OK);
    assert_int_equal(profile_file_write(path, false, profile, password), OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(profile_load(path, &read_back), OK);
    assert_string_equal(read_back.password, "a$b\"c");
    assert_string_equal(read_back.challenge_expires, "2026-11-23T18:00:00Z");
    assert_string_equal(read_back.subject_alt_name.items[0], "DNS:gw-1");
    assert_int_equal(read_back.key_size, 3072);
    assert_int_equal(read_back.renew_at_elapsed_percent, 70);
    assert_int_equal(profile_file_check(path, false), REFUSED);
    assert_int_equal(profile_file_check(path, true), OK);
    assert_int_equal(profile_file_write(path, false, profile, NULL), FAULT);
    assert_int_equal(profile_file_write(path, true, profile, NULL), OK);
    unlink(path);
    assert_int_equal(profile_file_check("/nonexistent/folder/p", false), FAULT);
    rmdir(folder);
}

static void an_answer_without_a_fingerprint_makes_no_profile(void **state)
{
    AUTO(json_decrefp) json_t *profile = json_loads(server_profile, 0, NULL);

    (void)state;
    json_object_del(profile, "ca_fingerprint");
    assert_int_equal(profile_file_write("/tmp/table_test.none", false, profile, NULL), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "CAFingerprint"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(a_hostile_text_cannot_draw_on_the_screen),
        cmocka_unit_test(letters_of_two_bytes_take_one_column),
        cmocka_unit_test(json_is_one_object_a_line),
        cmocka_unit_test(the_servers_answer_becomes_a_profile_file),
        cmocka_unit_test(an_answer_without_a_fingerprint_makes_no_profile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
