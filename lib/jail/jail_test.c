/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jail/jail.h"

#include "lib/base/file.h"
#include "lib/base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char inside[] = "/tmp/muster-jail-XXXXXX";

/* What a jailed process does; it exits 0 when that was possible, 1 when it was refused. */
typedef int deed(void);

static int opens_a_foreign_file(void)
{
    return open("/etc/passwd", O_RDONLY) < 0;
}

static int writes_below_its_directory(void)
{
    char path[64];

    snprintf(path, sizeof path, "%s/f-%d", inside, (int)getpid());
    return file_create(path, SPAN_LITERAL("x"), 0600) != OK;
}

static int makes_an_internet_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int runs_a_program(void)
{
    char *const arguments[] = { "true", NULL };

    execv("/bin/true", arguments);
    return 1;
}

static int traces_its_parent(void)
{
    return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) != 0;
}

static int is_dumpable(void)
{
    return prctl(PR_GET_DUMPABLE) == 0;
}

static int is_the_old_user(void)
{
    return getuid() != 0;
}

static int only_waits(void)
{
    return 0;
}

enum outcome { ALLOWED, REFUSED_OR_KILLED };

static enum outcome do_in_jail(enum jail_kind kind, deed *act)
{
    const char *const writable[] = { inside };
    const struct jail jail = { .kind = kind, .uid = 64799, .writable = writable, .writable_count = 1 };
    int result = 0;
    const pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (chmod(inside, 0777) != 0 || jail_enter(&jail) != OK) {
            fprintf(stderr, "%s\n", fail_text());
            _exit(7);
        }
        _exit(act());
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_false(WIFEXITED(result) && WEXITSTATUS(result) == 7);
    return WIFEXITED(result) && WEXITSTATUS(result) == 0 ? ALLOWED : REFUSED_OR_KILLED;
}

/* The matrix of process x deed: every cell is tested. */
static void each_role_can_do_what_it_needs_and_nothing_else(void **state)
{
    static const struct {
        const char *name;
        deed *act;
        enum outcome responder, registrar, signer;
        bool seccomp; /* the cell rests on seccomp alone */
        bool root;    /* it can only be tried as root */
    } cells[] = {
        { "wait", only_waits, ALLOWED, ALLOWED, ALLOWED, false, false },
        { "foreign file", opens_a_foreign_file, REFUSED_OR_KILLED, REFUSED_OR_KILLED, REFUSED_OR_KILLED, false, false },
        { "own file", writes_below_its_directory, ALLOWED, ALLOWED, ALLOWED, false, false },
        { "socket", makes_an_internet_socket, ALLOWED, REFUSED_OR_KILLED, REFUSED_OR_KILLED, true, false },
        { "exec", runs_a_program, REFUSED_OR_KILLED, REFUSED_OR_KILLED, REFUSED_OR_KILLED, false, false },
        { "ptrace", traces_its_parent, REFUSED_OR_KILLED, REFUSED_OR_KILLED, REFUSED_OR_KILLED, true, false },
        { "old user", is_the_old_user, REFUSED_OR_KILLED, REFUSED_OR_KILLED, REFUSED_OR_KILLED, false, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cells); i++) {
        if ((cells[i].seccomp && !jail_has_seccomp()) || (cells[i].root && getuid() != 0))
            continue;
        print_message("cell: %s\n", cells[i].name);
        assert_int_equal(do_in_jail(JAIL_RESPONDER, cells[i].act), cells[i].responder);
        assert_int_equal(do_in_jail(JAIL_REGISTRAR, cells[i].act), cells[i].registrar);
        assert_int_equal(do_in_jail(JAIL_SIGNER, cells[i].act), cells[i].signer);
    }
}

static void a_jailed_responder_leaves_no_core(void **state)
{
    (void)state;
    assert_int_equal(do_in_jail(JAIL_RESPONDER, is_dumpable), REFUSED_OR_KILLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_can_do_what_it_needs_and_nothing_else),
        cmocka_unit_test(a_jailed_responder_leaves_no_core),
    };

    if (!mkdtemp(inside))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
