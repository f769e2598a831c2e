/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>


static void a_failure_keeps_its_text_and_kind(void **state)
{
    (void)state;
    assert_int_equal(fail(REFUSED, "no %d", 7), REFUSED);
    assert_string_equal(fail_text(), "no 7");
    assert_int_equal(fail_in(BAD_INPUT, "file %s", "x"), BAD_INPUT);
    assert_string_equal(fail_text(), "file x: no 7");
}

static void a_failure_text_that_is_too_long_is_cut(void **state)
{
    char longer[3000];

    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    (void)fail(FAULT, "%s", longer);
    assert_int_equal(strlen(fail_text()), 1023);
    (void)fail_in(FAULT, "%s", longer);
    assert_int_equal(strlen(fail_text()), 1023);
}

static void a_buffer_grows_to_its_limit_and_no_further(void **state)
{
    AUTO(buf_clear) struct buf b = { .limit = 10 };

    (void)state;
    assert_int_equal(buf_append_text(&b, "0123456789"), OK);
    assert_int_equal(buf_append_text(&b, "x"), FAULT);
    assert_int_equal(b.len, 10);
    assert_string_equal(buf_text(&b), "0123456789");
    buf_consume(&b, 4);
    assert_string_equal(buf_text(&b), "456789");
    buf_consume(&b, 40);
    assert_int_equal(b.len, 0);
}

static void a_text_with_a_nul_is_refused(void **state)
{
    char text[8];

    (void)state;
    assert_int_equal(span_to_text(span_of("ab\0c", 4), text, sizeof text), BAD_INPUT);
    assert_int_equal(span_to_text(SPAN_LITERAL("12345678"), text, sizeof text), BAD_INPUT);
    assert_int_equal(span_to_text(SPAN_LITERAL("1234567"), text, sizeof text), OK);
    assert_string_equal(text, "1234567");
}

static void secrets_compare_by_content_and_length(void **state)
{
    (void)state;
    assert_true(span_equal_secret(SPAN_LITERAL("abc"), SPAN_LITERAL("abc")));
    assert_false(span_equal_secret(SPAN_LITERAL("abc"), SPAN_LITERAL("abd")));
    assert_false(span_equal_secret(SPAN_LITERAL("abc"), SPAN_LITERAL("abcd")));
}

static void base64_comes_back_as_it_went(void **state)
{
    uint8_t bytes[64];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        AUTO(buf_clear) struct buf text = { 0 };
        AUTO(buf_clear) struct buf back = { 0 };
        assert_int_equal(base64_encode(span_of(bytes, n), &text), OK);
        assert_int_equal(base64_decode(buf_span(&text), &back), OK);
        assert_true(span_equal(buf_span(&back), span_of(bytes, n)));
    }
}

static void base64_of_the_field_is_read(void **state)
{
    static const char *const forms[] = { "+/8=", "-_8=", "+/8", "+/\r\n8=", "-_8" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        AUTO(buf_clear) struct buf back = { 0 };
        assert_int_equal(base64_decode(span_of_text(forms[i]), &back), OK);
        assert_true(span_equal(buf_span(&back), span_of("\xfb\xff", 2)));
    }
}

static void broken_base64_is_refused(void **state)
{
    static const char *const forms[] = { "A", "AAAAA", "AA=A", "AA!A", "A A A", "=A" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        AUTO(buf_clear) struct buf back = { 0 };
        assert_int_equal(base64_decode(span_of_text(forms[i]), &back), BAD_INPUT);
    }
}

static void hexadecimal_takes_colons_and_both_cases(void **state)
{
    AUTO(buf_clear) struct buf out = { 0 };
    AUTO(buf_clear) struct buf shown = { 0 };
    char text[5];

    (void)state;
    assert_int_equal(hex_decode(SPAN_LITERAL("aB:0F"), &out), OK);
    assert_true(span_equal(buf_span(&out), span_of("\xab\x0f", 2)));
    hex_encode(buf_span(&out), text);
    assert_string_equal(text, "ab0f");
    assert_int_equal(hex_append(SPAN_LITERAL("\xab\x0f"), &shown), OK);
    assert_string_equal(buf_text(&shown), "ab0f");
    assert_int_equal(hex_append(SPAN_LITERAL("\x01"), &shown), OK);
    assert_string_equal(buf_text(&shown), "ab0f01");
    assert_int_equal(hex_decode(SPAN_LITERAL("abc"), &out), BAD_INPUT);
    assert_int_equal(hex_decode(SPAN_LITERAL("zz"), &out), BAD_INPUT);
}

static void percent_encoding_is_undone_and_plus_stays(void **state)
{
    AUTO(buf_clear) struct buf out = { 0 };

    (void)state;
    assert_int_equal(percent_decode(SPAN_LITERAL("a%2Bb+c%2f"), &out), OK);
    assert_string_equal(buf_text(&out), "a+b+c/");
    assert_int_equal(percent_decode(SPAN_LITERAL("%2"), &out), BAD_INPUT);
    assert_int_equal(percent_decode(SPAN_LITERAL("%zz"), &out), BAD_INPUT);
}

static void numbers_are_whole_and_within_range(void **state)
{
    int64_t n = 0;

    (void)state;
    assert_int_equal(number_parse("80", 1, 99, &n), OK);
    assert_int_equal(n, 80);
    assert_int_equal(number_parse("100", 1, 99, &n), BAD_INPUT);
    assert_int_equal(number_parse("8x", 1, 99, &n), BAD_INPUT);
    assert_int_equal(number_parse("", 1, 99, &n), BAD_INPUT);
    assert_int_equal(number_parse("99999999999999999999", 1, INT64_MAX, &n), BAD_INPUT);
}

static void comments_become_blanks_and_lines_stay(void **state)
{
    static const char before[] = "# a\nx = \"#b\" # c\ny=http://d//e\n/* f\n\"*/ z = 'a\\'#' // g\n//";
    static const char after[] = "   \nx = \"#b\"    \ny=http://d//e\n    \n    z = 'a\\'#'     \n  ";
    AUTO(buf_clear) struct buf text = { 0 };

    (void)state;
    assert_int_equal(buf_append_text(&text, before), OK);
    comments_blank(&text);
    assert_string_equal(buf_text(&text), after);
}

static void a_file_is_made_once_and_replaced_whole(void **state)
{
    char directory[] = "/tmp/muster-base-XXXXXX";
    char path[64];
    AUTO(buf_clear) struct buf content = { 0 };
    struct stat about;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/f", directory);
    assert_int_equal(file_create(path, SPAN_LITERAL("one"), 0600), OK);
    assert_int_equal(file_create(path, SPAN_LITERAL("two"), 0600), FAULT);
    assert_int_equal(file_replace(path, SPAN_LITERAL("three"), 0600), OK);
    assert_int_equal(file_read(path, 100, &content), OK);
    assert_string_equal(buf_text(&content), "three");
    assert_int_equal(file_read(path, 4, &content), BAD_INPUT);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(file_read("/nonexistent/muster", 4, &content), FAULT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_keeps_its_text_and_kind),
        cmocka_unit_test(a_failure_text_that_is_too_long_is_cut),
        cmocka_unit_test(a_buffer_grows_to_its_limit_and_no_further),
        cmocka_unit_test(a_text_with_a_nul_is_refused),
        cmocka_unit_test(secrets_compare_by_content_and_length),
        cmocka_unit_test(base64_comes_back_as_it_went),
        cmocka_unit_test(base64_of_the_field_is_read),
        cmocka_unit_test(broken_base64_is_refused),
        cmocka_unit_test(hexadecimal_takes_colons_and_both_cases),
        cmocka_unit_test(percent_encoding_is_undone_and_plus_stays),
        cmocka_unit_test(numbers_are_whole_and_within_range),
        cmocka_unit_test(comments_become_blanks_and_lines_stay),
        cmocka_unit_test(a_file_is_made_once_and_replaced_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
