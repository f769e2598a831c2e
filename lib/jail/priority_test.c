/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jail/priority.h"

#include "lib/base/test.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT 77

/* In a process of its own: there is no way back for whoever is not root. */
static int in_a_child(int (*look)(void))
{
    int result = 0;
    const pid_t child = fork();

    if (child == 0)
        _exit(look());
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    return WEXITSTATUS(result);
}

/* Exit code: how many steps it came ahead. */
static int steps_ahead(void)
{
    const int before = getpriority(PRIO_PROCESS, 0);

    priority_set(PRIORITY_FIRST);
    return before - getpriority(PRIO_PROCESS, 0);
}

static int steps_ahead_without_the_right(void)
{
    return setuid(65534) != 0 ? CANNOT : steps_ahead();
}

static int policy(void)
{
    priority_set(PRIORITY_BATCH);
    return sched_getscheduler(0);
}

static void root_puts_a_process_ahead(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(steps_ahead), geteuid() == 0 ? 2 : 0);
}

static void whoever_may_not_stays_where_he_is(void **state)
{
    (void)state;
    const int ahead = in_a_child(steps_ahead_without_the_right);
    assert_int_equal(ahead, geteuid() == 0 ? 0 : CANNOT);
}

static void anybody_may_compute_in_batches(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(policy), SCHED_BATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_puts_a_process_ahead),
        cmocka_unit_test(whoever_may_not_stays_where_he_is),
        cmocka_unit_test(anybody_may_compute_in_batches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
