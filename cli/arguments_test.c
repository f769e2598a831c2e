/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"
#include "cli/suggest.h"

#include "lib/base/test.h"

static const struct command *const tables[] = { device_commands, password_commands, certificate_commands,
                                                enrolment_commands, event_commands, status_commands, NULL };

#define PARSE(out, ...)                                                                            \
    arguments_parse((int)COUNT_OF(((char *[]){ __VA_ARGS__ })), (char *[]){ __VA_ARGS__ }, tables, out)

static void a_command_line_is_read_by_the_tables(void **state)
{
    struct arguments a;

    (void)state;
    assert_int_equal(PARSE(&a, "--dir", "/srv/m", "device", "add", "gw-1", "--template=router", "--no-password",
                           "--json"), OK);
    assert_string_equal(a.command->group, "device");
    assert_string_equal(a.command->verb, "add");
    assert_string_equal(a.positional, "gw-1");
    assert_string_equal(a.directory, "/srv/m");
    assert_string_equal(arguments_get(&a, "template"), "router");
    assert_non_null(arguments_get(&a, "no-password"));
    assert_null(arguments_get(&a, "username"));
    assert_true(a.json);
}

static void a_group_can_be_a_command_by_itself(void **state)
{
    struct arguments a;

    (void)state;
    assert_int_equal(PARSE(&a, "status"), OK);
    assert_string_equal(a.command->group, "status");
    assert_int_equal(PARSE(&a, "status", "now"), BAD_INPUT);
}

static void words_behind_two_dashes_are_not_options(void **state)
{
    struct arguments a;

    (void)state;
    assert_int_equal(PARSE(&a, "device", "show", "--", "--odd"), OK);
    assert_string_equal(a.positional, "--odd");
}

static void help_needs_no_complete_command(void **state)
{
    struct arguments a;

    (void)state;
    assert_int_equal(PARSE(&a, "device", "--help"), OK);
    assert_true(a.help);
    assert_string_equal(a.group, "device");
    assert_null(a.command);
}

static void each_mistake_is_named(void **state)
{
    static const struct {
        char *words[4];
        const char *why;
    } mistakes[] = {
        { { "devcie", "list" }, "unknown command \"devcie\"; did you mean \"device\"?" },
        { { "cert", "list" }, "did you mean \"certificate\"?" },
        { { "device", "ad" }, "did you mean \"device add\"?" },
        { { "xyzzy" }, "unknown command \"xyzzy\"" },
        { { "device" }, "wants a command behind it" },
        { { "device", "add" }, "NAME is missing" },
        { { "device", "add", "a", "b" }, "\"b\" is one word too many" },
        { { "device", "list", "--tempalte", "x" }, "unknown option --tempalte" },
        { { "device", "list", "--template" }, "--template wants a value" },
        { { "event", "list", "--follow=yes" }, "--follow takes no value" },
        { { "event", "list", "--follow", "--follow" }, "--follow stands there twice" },
        { { "--template", "x", "device", "list" }, "unknown option --template" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct arguments a;
        int count = 0;
        while (count < 4 && mistakes[i].words[count])
            count++;
        assert_int_equal(arguments_parse(count, mistakes[i].words, tables, &a), BAD_INPUT);
        assert_non_null(strstr(fail_text(), mistakes[i].why));
    }
    struct arguments a;
    assert_int_equal(arguments_parse(0, NULL, tables, &a), BAD_INPUT);
}

static void a_number_is_held_to_its_range(void **state)
{
    struct arguments a;
    int64_t limit = 7;

    (void)state;
    assert_int_equal(PARSE(&a, "event", "list", "--limit", "50"), OK);
    assert_int_equal(arguments_get_number(&a, "after", 0, 9, &limit), OK);
    assert_int_equal(limit, 7);
    assert_int_equal(arguments_get_number(&a, "limit", 1, 50, &limit), OK);
    assert_int_equal(limit, 50);
    assert_int_equal(arguments_get_number(&a, "limit", 1, 49, &limit), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "--limit"));
}

static void a_duration_has_a_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = { { "90s", 90 }, { "30m", 1800 }, { "12h", 43200 }, { "7d", 604800 }, { "2w", 1209600 } };
    static const char *const bad[] = { "", "7", "d", "0d", "-1d", "7y", "7 days", "3651d", "99999999999999999999s" };
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(duration_parse(good[i].text, &seconds), OK);
        assert_int_equal(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(duration_parse(bad[i], &seconds), BAD_INPUT);
}

static void only_a_near_word_is_suggested(void **state)
{
    struct suggestion far = { .wanted = "status" };
    struct suggestion near = { .wanted = "lsit" };

    (void)state;
    suggestion_offer(&far, "device");
    assert_null(far.best);
    suggestion_offer(&near, "show");
    suggestion_offer(&near, "list");
    assert_null(near.best); /* two letters changed places: two edits, too many for a word of four */
    near.wanted = "lis";
    suggestion_offer(&near, "list");
    assert_string_equal(near.best, "list");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_line_is_read_by_the_tables),
        cmocka_unit_test(a_group_can_be_a_command_by_itself),
        cmocka_unit_test(words_behind_two_dashes_are_not_options),
        cmocka_unit_test(help_needs_no_complete_command),
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(a_number_is_held_to_its_range),
        cmocka_unit_test(a_duration_has_a_unit),
        cmocka_unit_test(only_a_near_word_is_suggested),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
