/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/test.h"
#include "lib/rate/rate.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
#define NOW_US (INT64_C(1000) * SECOND_US)

static int open_rates(void **state)
{
    int fd = -1;

    assert_int_equal(rates_create(&fd), OK);
    assert_int_equal(rates_open(fd, (struct rates **)state), OK);
    close(fd);
    return 0;
}

static int close_rates(void **state)
{
    rates_close(*state);
    return 0;
}

static unsigned take_all(struct rates *rates, const char *address, unsigned per_minute, int64_t now_us)
{
    unsigned taken = 0;

    while (rates_take_for_address(rates, RATE_REQUESTS, address, per_minute, now_us) == 0)
        taken++;
    return taken;
}

static void a_bucket_holds_a_minute_and_fills_with_time(void **state)
{
    static const unsigned rates[] = { 1, 6, 7, 60, 1000, 100000 };

    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        char address[16];
        snprintf(address, sizeof address, "192.0.2.%zu", i);
        assert_int_equal(take_all(*state, address, rates[i], NOW_US), rates[i]);
        assert_int_equal(take_all(*state, address, rates[i], NOW_US + 60 * SECOND_US), rates[i]);
        assert_int_equal(take_all(*state, address, rates[i], NOW_US + 3600 * SECOND_US), rates[i]);
    }
    assert_int_equal(take_all(*state, "192.0.2.77", 60, NOW_US), 60);
    assert_int_equal(take_all(*state, "192.0.2.77", 60, NOW_US + 3 * SECOND_US), 3);
}

static void who_has_to_wait_is_told_how_long(void **state)
{
    assert_int_equal(take_all(*state, "192.0.2.1", 6, NOW_US), 6);
    assert_int_equal(rates_take_for_address(*state, RATE_REQUESTS, "192.0.2.1", 6, NOW_US), 10 * SECOND_US);
    assert_int_equal(rates_take_for_address(*state, RATE_REQUESTS, "192.0.2.1", 6, NOW_US + 9 * SECOND_US), SECOND_US);
    assert_int_equal(rates_take_for_address(*state, RATE_REQUESTS, "192.0.2.1", 6, NOW_US + 10 * SECOND_US), 0);
}

static void a_name_has_a_bucket_for_each_kind_and_shares_none(void **state)
{
    const struct span one = SPAN_LITERAL("gw-1"), two = SPAN_LITERAL("gw-2");

    for (int i = 0; i < 3; i++)
        assert_int_equal(rates_take_for_name(*state, RATE_CLAIMS, one, 3, NOW_US), 0);
    assert_int_equal(rates_take_for_name(*state, RATE_CLAIMS, one, 3, NOW_US), 20 * SECOND_US);
    assert_int_equal(rates_take_for_name(*state, RATE_PROOFS, one, 3, NOW_US), 0);
    assert_int_equal(rates_take_for_name(*state, RATE_CLAIMS, two, 3, NOW_US), 0);
    assert_int_equal(rates_take_for_name(*state, RATE_CLAIMS, one, 0, NOW_US), 0);
    assert_int_equal(rates_take_for_name(*state, RATE_CLAIMS, one, 3, NOW_US + 20 * SECOND_US), 0);
}

static void without_a_rate_there_is_no_limit(void **state)
{
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(rates_take_for_address(*state, RATE_REQUESTS, "192.0.2.1", 0, NOW_US), 0);
        assert_int_equal(rates_take_at(*state, 0, 0, NOW_US), 0);
    }
}

static void an_address_spends_nothing_of_another(void **state)
{
    assert_int_equal(take_all(*state, "192.0.2.1", 3, NOW_US), 3);
    assert_int_equal(take_all(*state, "192.0.2.2", 3, NOW_US), 3);
    assert_int_equal(take_all(*state, "2001:db8::1", 3, NOW_US), 3);
    assert_int_equal(rates_take_for_address(*state, RATE_EVENTS, "192.0.2.1", 3, NOW_US), 0);
}

static void an_ipv6_network_of_64_bits_counts_as_one(void **state)
{
    assert_int_equal(take_all(*state, "2001:db8:0:1::1", 3, NOW_US), 3);
    assert_int_equal(take_all(*state, "2001:db8:0:1:ffff::2", 3, NOW_US), 0);
    assert_int_equal(take_all(*state, "2001:db8:0:2::1", 3, NOW_US), 3);
}

static void places_are_apart_from_each_other_and_from_addresses(void **state)
{
    for (size_t place = 0; place < RATE_PLACES; place++) {
        assert_int_equal(rates_take_at(*state, place, 1, NOW_US), 0);
        assert_int_equal(rates_take_at(*state, place, 1, NOW_US), 60 * SECOND_US);
    }
    assert_int_equal(take_all(*state, "192.0.2.1", 1, NOW_US), 1);
}

/* Far more addresses than the table holds: it forgets, but nobody is refused for another's sake. */
static void a_full_table_forgets_and_refuses_nobody_wrongly(void **state)
{
    char address[16];

    for (unsigned i = 0; i < 200000; i++) {
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_int_equal(rates_take_for_address(*state, RATE_REQUESTS, address, 1, NOW_US + i), 0);
    }
    assert_true(rates_take_for_address(*state, RATE_REQUESTS, address, 1, NOW_US + 200000) > 0);
}

/* A busy address is not the one that is forgotten. */
static void who_has_spent_most_is_remembered_longest(void **state)
{
    char address[16];

    assert_int_equal(take_all(*state, "192.0.2.1", 60, NOW_US), 60);
    for (unsigned i = 0; i < 200000; i++) {
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        (void)rates_take_for_address(*state, RATE_REQUESTS, address, 60, NOW_US);
    }
    assert_int_equal(take_all(*state, "192.0.2.1", 60, NOW_US), 0);
}

static void processes_share_their_buckets(void **state)
{
    enum { PROCESSES = 4 };
    pid_t pids[PROCESSES];
    unsigned taken = 0;

    for (size_t i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            unsigned mine = 0;
            for (int k = 0; k < 10000; k++)
                mine += rates_take_for_address(*state, RATE_REQUESTS, "192.0.2.1", 200, NOW_US) == 0;
            _exit((int)mine);
        }
    }
    for (size_t i = 0; i < PROCESSES; i++) {
        int result = 0;
        assert_int_equal(waitpid(pids[i], &result, 0), pids[i]);
        taken += (unsigned)WEXITSTATUS(result);
    }
    assert_int_equal(taken, 200);
}

static void what_is_not_its_memory_is_not_opened(void **state)
{
    struct rates *rates = NULL;

    (void)state;
    assert_int_equal(rates_open(0, &rates), FAULT);
    assert_null(rates);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_rates, close_rates)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bucket_holds_a_minute_and_fills_with_time),
        TEST(who_has_to_wait_is_told_how_long),
        TEST(a_name_has_a_bucket_for_each_kind_and_shares_none),
        TEST(without_a_rate_there_is_no_limit),
        TEST(an_address_spends_nothing_of_another),
        TEST(an_ipv6_network_of_64_bits_counts_as_one),
        TEST(places_are_apart_from_each_other_and_from_addresses),
        TEST(a_full_table_forgets_and_refuses_nobody_wrongly),
        TEST(who_has_spent_most_is_remembered_longest),
        TEST(processes_share_their_buckets),
        cmocka_unit_test(what_is_not_its_memory_is_not_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
