/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/der.h"

#include "lib/base/clock.h"
#include "lib/base/test.h"

#include <stdlib.h>

#define BIG_BYTES ((size_t)65536)
#define LIMIT_US INT64_C(1000000) /* some milliseconds, a hundred times slower under sanitizers */

/* From a block of exactly that size, so that ASan sees every byte read behind it. */
static enum status rewrite(struct span ber, struct buf *out)
{
    uint8_t *copy = malloc(ber.len ? ber.len : 1);

    assert_non_null(copy);
    if (ber.len)
        memcpy(copy, ber.ptr, ber.len);
    const enum status status = ber_to_der(span_of(copy, ber.len), out);
    free(copy);
    if (status == OK)
        assert_true(out->len <= ber.len + 32);
    return status;
}

static void assert_becomes(struct span ber, struct span der)
{
    AUTO(buf_clear) struct buf out = { 0 };

    assert_int_equal(rewrite(ber, &out), OK);
    assert_int_equal(out.len, der.len);
    assert_memory_equal(out.ptr, der.ptr, der.len);
}

static void der_comes_out_byte_for_byte(void **state)
{
    /* clang-format off */
    static const struct span good[] = {
        SPAN_LITERAL("\x05\x00"), SPAN_LITERAL("\x30\x00"), SPAN_LITERAL("\x04\x01x"),
        SPAN_LITERAL("\x30\x08\xa0\x03\x02\x01\x02\x80\x01y"),
        SPAN_LITERAL("\x31\x06\x02\x01\x02\x02\x01\x01"), /* not sorted: not our matter */
        SPAN_LITERAL("\xbf\x81\x01\x03\x02\x01\x05"),     /* a tag number over 30 */
    };
    /* clang-format on */
    static uint8_t bytes[BIG_BYTES];
    static const size_t lengths[] = { 127, 128, 255, 256, 65000 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_becomes(good[i], good[i]);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTO(buf_clear) struct buf der = { 0 };
        struct der_writer w = { &der, OK };
        const size_t mark = der_open(&w, DER_SEQUENCE);
        der_put(&w, DER_OCTET_STRING, span_of(bytes, lengths[i]));
        der_close(&w, mark);
        assert_int_equal(der_status(&w), OK);
        assert_becomes(buf_span(&der), buf_span(&der));
    }
}

static void lengths_and_strings_become_der(void **state)
{
    /* clang-format off */
    static const struct {
        struct span ber, der;
    } pairs[] = {
        { SPAN_LITERAL("\x30\x80\x00\x00"), SPAN_LITERAL("\x30\x00") },
        { SPAN_LITERAL("\x30\x80\x30\x80\x05\x00\x00\x00\x00\x00"), SPAN_LITERAL("\x30\x04\x30\x02\x05\x00") },
        { SPAN_LITERAL("\x04\x81\x01x"), SPAN_LITERAL("\x04\x01x") },
        { SPAN_LITERAL("\x04\x8a\0\0\0\0\0\0\0\0\0\x01x"), SPAN_LITERAL("\x04\x01x") },
        { SPAN_LITERAL("\x30\x84\x00\x00\x00\x04\x04\x82\x00\x00"), SPAN_LITERAL("\x30\x02\x04\x00") },
        { SPAN_LITERAL("\x24\x80\x04\x01" "a\x04\x02" "bc\x00\x00"), SPAN_LITERAL("\x04\x03" "abc") },
        { SPAN_LITERAL("\x24\x06\x04\x01" "a\x04\x01" "b"), SPAN_LITERAL("\x04\x02" "ab") },
        { SPAN_LITERAL("\x24\x80\x24\x03\x04\x01" "a\x24\x80\x04\x01" "b\x00\x00\x04\x00\x00\x00"), SPAN_LITERAL("\x04\x02" "ab") },
        { SPAN_LITERAL("\x24\x80\x00\x00"), SPAN_LITERAL("\x04\x00") },
        { SPAN_LITERAL("\x33\x80\x04\x01" "1\x13\x01" "9\x00\x00"), SPAN_LITERAL("\x13\x02" "19") },
        { SPAN_LITERAL("\xa0\x80\x04\x01" "a\x04\x01" "b\x00\x00"), SPAN_LITERAL("\xa0\x06\x04\x01" "a\x04\x01" "b") },
        { SPAN_LITERAL("\xbf\x81\x01\x80\x05\x81\x00\x00\x00"), SPAN_LITERAL("\xbf\x81\x01\x02\x05\x00") },
        { SPAN_LITERAL("\x23\x80\x03\x02\x00x\x00\x00"), SPAN_LITERAL("\x23\x04\x03\x02\x00x") },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        assert_becomes(pairs[i].ber, pairs[i].der);
}

static void what_is_no_ber_is_refused(void **state)
{
    /* clang-format off */
    static const struct span bad[] = {
        SPAN_LITERAL(""), SPAN_LITERAL("\x30"), SPAN_LITERAL("\x1f"), SPAN_LITERAL("\x1f\x81"), SPAN_LITERAL("\x1f\x01"),
        SPAN_LITERAL("\x30\x80"),                 /* unclosed */
        SPAN_LITERAL("\x30\x80\x00"),
        SPAN_LITERAL("\x30\x80\x05\x00"),
        SPAN_LITERAL("\x30\x80\x30\x80\x00\x00"),
        SPAN_LITERAL("\x04\x80\x00\x00"),         /* primitive and indefinite */
        SPAN_LITERAL("\x00\x00"),                 /* an end without a beginning */
        SPAN_LITERAL("\x20\x80\x00\x00"),
        SPAN_LITERAL("\x30\x80\x00\x01x\x00\x00"),
        SPAN_LITERAL("\x30\x80\x00\x00\x00\x00"), /* one end too many */
        SPAN_LITERAL("\x30\x00\x05\x00"),         /* something behind it */
        SPAN_LITERAL("\x04\x02x"), SPAN_LITERAL("\x04\x82\x01"), SPAN_LITERAL("\x04\xff\x00"),
        SPAN_LITERAL("\x04\x89\x01\0\0\0\0\0\0\0\0"),
        SPAN_LITERAL("\x24\x80\x05\x00\x00\x00"), /* a segment of another type */
        SPAN_LITERAL("\x24\x80\x04\x05x\x00\x00"),
        SPAN_LITERAL("\x24\x80\x24\x80\x00\x00"),
    };
    /* clang-format on */
    AUTO(buf_clear) struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(rewrite(bad[i], &out), BAD_INPUT);
}

/* The nearest element around it whose end is known stays what it is. */
static void what_cannot_be_read_inside_is_kept(void **state)
{
    /* clang-format off */
    static const struct span odd[] = {
        SPAN_LITERAL("\x30\x02\x00\x00"),         /* an end where nothing is open */
        SPAN_LITERAL("\x30\x02\x30\x80"),
        SPAN_LITERAL("\x30\x03\x04\x05x"),
        SPAN_LITERAL("\x24\x02\x05\x00"),
        SPAN_LITERAL("\x30\x04\x24\x80\x04\x01"),
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        assert_becomes(odd[i], odd[i]);
    assert_becomes(SPAN_LITERAL("\x30\x80\x30\x01\xff\x05\x81\x00\x00\x00"),
                   SPAN_LITERAL("\x30\x05\x30\x01\xff\x05\x00"));
    assert_becomes(SPAN_LITERAL("\x30\x81\x03\x04\x05x"), SPAN_LITERAL("\x30\x03\x04\x05x"));
}

static void every_cut_is_refused(void **state)
{
    static const struct span whole =
        SPAN_LITERAL("\x30\x80\x06\x01\x2a\xa0\x80\x24\x80\x04\x82\x00\x01"
                     "a\x04\x01"
                     "b\x00\x00\x00\x00\xbf\x81\x01\x80\x05\x00\x00\x00\x00\x00");
    AUTO(buf_clear) struct buf out = { 0 };

    (void)state;
    assert_int_equal(rewrite(whole, &out), OK);
    assert_int_equal(der_check(span_of(out.ptr, 3)), BAD_INPUT);
    for (size_t n = 0; n < whole.len; n++)
        assert_int_equal(rewrite(span_of(whole.ptr, n), &out), BAD_INPUT);
}

/* As many constructed elements as fit, one in the other, by indefinite length or (from the inside) by a long one. */
static size_t nest(uint8_t *bytes, uint8_t tag, bool is_indefinite, size_t levels)
{
    size_t at = BIG_BYTES;

    if (is_indefinite) {
        for (size_t i = 0; i < levels; i++)
            memcpy(bytes + 2 * i, (const uint8_t[]){ tag, 0x80 }, 2);
        memset(bytes + 2 * levels, 0, 2 * levels);
        return 4 * levels;
    }
    for (size_t i = 0; i < levels; i++) {
        const size_t length = BIG_BYTES - at;
        at -= 5;
        memcpy(bytes + at, (const uint8_t[]){ tag, 0x83, 0, (uint8_t)(length >> 8), (uint8_t)length }, 5);
    }
    memmove(bytes, bytes + at, BIG_BYTES - at);
    return BIG_BYTES - at;
}

static void deep_nesting_ends_soon(void **state)
{
    static const uint8_t tags[] = { DER_SEQUENCE, 0x24, DER_CONTEXT_CONSTRUCTED(0) };
    static uint8_t bytes[BIG_BYTES];
    AUTO(buf_clear) struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        const int64_t start_us = clock_monotonic_us();
        size_t len = nest(bytes, tags[i], true, 10000);
        assert_int_equal(rewrite(span_of(bytes, len), &out), BAD_INPUT);
        assert_int_equal(rewrite(span_of(bytes, BIG_BYTES / 2), &out), BAD_INPUT);
        len = nest(bytes, tags[i], false, 10000);
        assert_int_equal(rewrite(span_of(bytes, len), &out), OK);
        assert_int_equal(der_check(buf_span(&out)), BAD_INPUT);
        assert_true(clock_monotonic_us() - start_us < LIMIT_US);
        assert_int_equal(rewrite(span_of(bytes, nest(bytes, tags[i], true, 20)), &out), OK);
        assert_int_equal(rewrite(span_of(bytes, nest(bytes, tags[i], false, 20)), &out), OK);
        assert_int_equal(der_check(buf_span(&out)), OK);
    }
}

/* 20 levels of constructed strings around segments of nothing, of one byte, and around garbage. */
static void big_strings_take_linear_time(void **state)
{
    static const struct span segments[] = { SPAN_LITERAL("\x04\x00"), SPAN_LITERAL("\x04\x01x"),
                                            SPAN_LITERAL("\x24\x01\xff"), SPAN_LITERAL("\x24\x80\x00\x00") };
    static uint8_t bytes[BIG_BYTES];
    AUTO(buf_clear) struct buf out = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(segments); i++) {
        const int64_t start_us = clock_monotonic_us();
        size_t len = 0;
        for (size_t level = 0; level < 20; level++, len += 2)
            memcpy(bytes + len, "\x24\x80", 2);
        for (; len + 64 < BIG_BYTES; len += segments[i].len)
            memcpy(bytes + len, segments[i].ptr, segments[i].len);
        memset(bytes + len, 0, 40);
        const enum status status = rewrite(span_of(bytes, len + 40), &out);
        assert_int_equal(status, i == 2 ? BAD_INPUT : OK);
        assert_true(clock_monotonic_us() - start_us < LIMIT_US);
    }
}

/* Behind what each level holds follows an octet that cannot be read: every level is begun, and then kept. */
static void what_is_kept_at_every_level_takes_linear_time(void **state)
{
    static uint8_t bytes[BIG_BYTES];
    static const size_t levels = 24, octets = 60000;
    uint8_t *at = bytes;

    (void)state;
    for (size_t left = levels; left > 0; left--, at += 4) {
        const size_t length = 4 + octets + left + 4 * (left - 1);
        memcpy(at, (const uint8_t[]){ 0x30, 0x82, (uint8_t)(length >> 8), (uint8_t)length }, 4);
    }
    memcpy(at, (const uint8_t[]){ 0x04, 0x82, octets >> 8, octets & 0xff }, 4);
    memset(at + 4 + octets, 0xff, levels);
    const struct span whole = span_of(bytes, (size_t)(at - bytes) + 4 + octets + levels);
    const int64_t start_us = clock_monotonic_us();
    assert_becomes(whole, whole);
    assert_true(clock_monotonic_us() - start_us < LIMIT_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(der_comes_out_byte_for_byte),
        cmocka_unit_test(lengths_and_strings_become_der),
        cmocka_unit_test(what_is_no_ber_is_refused),
        cmocka_unit_test(what_cannot_be_read_inside_is_kept),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(deep_nesting_ends_soon),
        cmocka_unit_test(big_strings_take_linear_time),
        cmocka_unit_test(what_is_kept_at_every_level_takes_linear_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
