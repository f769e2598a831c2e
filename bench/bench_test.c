/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/keys.h"
#include "bench/limit.h"
#include "bench/parallel.h"
#include "bench/web.h"
#include "lib/base/test.h"

static void every_key_of_the_pool_is_another_one_and_works(void **state)
{
    AUTO(key_pool_clear) struct key_pool pool = { 0 };
    uint8_t seen[6][SHA256_BYTES];

    (void)state;
    assert_int_equal(key_pool_init(&pool, 6), OK);
    assert_int_equal(pool.count, 4);
    for (size_t i = 0; i < 6; i++) {
        AUTO(private_key_freep) struct private_key *key = NULL;
        AUTO(buf_clear) struct buf signature = { 0 };

        assert_int_equal(key_pool_make(&pool, i, &key), OK);
        struct public_key *public = private_key_get_public(key);
        assert_int_equal(public_key_get_spec(public).bits, 2048);
        assert_int_equal(private_key_sign(key, DIGEST_SHA256, SPAN_LITERAL("muster"), &signature), OK);
        assert_int_equal(public_key_verify(public, DIGEST_SHA256, SPAN_LITERAL("muster"), buf_span(&signature)), OK);
        sha256(public_key_get_spki(public), seen[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], SHA256_BYTES);
    }
}

static void the_raw_limit_can_be_measured_for_every_kind_of_authority(void **state)
{
    const struct key_spec authorities[] = { { KEY_RSA, 2048 }, { KEY_EC_P256, 256 }, { KEY_EC_P384, 384 } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(authorities); i++) {
        const struct limit_kind kind = { .ca = authorities[i], .ra = { KEY_RSA, 2048 }, .processes = 2 };
        AUTO(limit_keys_freep) struct limit_keys *keys = NULL;
        struct limit limit = { 0 };

        assert_int_equal(limit_keys_new(&kind, &keys), OK);
        assert_int_equal(limit_measure(keys, 50, &limit), OK);
        assert_true(limit.per_s > 1);
        assert_true(limit.cpu_us > 1);
    }
}

static void an_answer_is_whole_when_its_body_is(void **state)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: close\r\n\r\nhello";
    struct web_answer answer;

    (void)state;
    for (size_t len = 0; len < sizeof(whole) - 1; len++)
        assert_int_equal(web_answer_parse(span_of(whole, len), &answer), PENDING);
    assert_int_equal(web_answer_parse(SPAN_LITERAL(whole), &answer), OK);
    assert_int_equal(answer.status, 200);
    assert_true(answer.close);
    assert_int_equal(answer.used, sizeof(whole) - 1);
    assert_true(span_equal(answer.body, SPAN_LITERAL("hello")));
}

static void what_is_no_answer_is_refused(void **state)
{
    struct web_answer answer;

    (void)state;
    assert_int_equal(web_answer_parse(SPAN_LITERAL("SSH-2.0-x\r\n\r\n"), &answer), BAD_INPUT);
}

static void a_url_tells_host_port_and_path(void **state)
{
    struct web_target target;

    (void)state;
    assert_int_equal(web_target_parse("http://127.0.0.1:8080/scep/device", &target), OK);
    assert_string_equal(target.host, "127.0.0.1:8080");
    assert_string_equal(target.path, "/scep/device");
    assert_int_equal(web_target_parse("http://[::1]:81", &target), OK);
    assert_string_equal(target.path, "/");
    assert_int_equal(web_target_parse("https://127.0.0.1/", &target), BAD_INPUT);
    assert_int_equal(web_target_parse("http://[::1/", &target), BAD_INPUT);
}

static enum status count_item(void *context, size_t item)
{
    unsigned char *seen = context;

    seen[item]++;
    return item == 99 ? fail(FAULT, "the item that fails") : OK;
}

static void every_item_is_done_once_and_a_failure_is_told(void **state)
{
    unsigned char *seen = parallel_memory_new(100);

    (void)state;
    assert_non_null(seen);
    assert_int_equal(parallel_run(3, 99, count_item, seen), OK);
    for (size_t i = 0; i < 99; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(parallel_run(3, 100, count_item, seen), FAULT);
    parallel_memory_free(seen, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_of_the_pool_is_another_one_and_works),
        cmocka_unit_test(the_raw_limit_can_be_measured_for_every_kind_of_authority),
        cmocka_unit_test(an_answer_is_whole_when_its_body_is),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(a_url_tells_host_port_and_path),
        cmocka_unit_test(every_item_is_done_once_and_a_failure_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
