/* SPDX-License-Identifier: Apache-2.0
 *
 * The client against a registrar in a child process, at the end of a real socket.
 */
#include "cli/client.h"

#include "lib/base/test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static char path[96];
static pid_t registrar;

/* --- The registrar ----------------------------------------------------------------------------------- */

static void answer(struct ipc_channel *channel, enum status status, bool more, const char *text, const char *json)
{
    const struct ipc_message message = {
        .kind = IPC_KIND_result,
        .fd = -1,
        .result = { (uint8_t)status, more, span_of_text(text), span_of_text(json) },
    };

    if (ipc_channel_send(channel, &message) != OK || ipc_channel_flush(channel) != OK)
        _exit(1);
}

static void obey(struct ipc_channel *channel, const char *command)
{
    if (strstr(command, "\"status\"")) {
        answer(channel, OK, false, "", "{\"version\":\"1\"}");
    } else if (strstr(command, "list")) {
        answer(channel, OK, true, "", "{\"name\":\"a\"}");
        answer(channel, OK, true, "", "{\"name\":\"b\"}");
        answer(channel, OK, false, "", "{}");
    } else if (strstr(command, "breaks")) {
        answer(channel, OK, true, "", "{\"name\":\"a\"}");
        _exit(0);
    } else if (strstr(command, "garbage")) {
        answer(channel, OK, false, "", "{\"name\":");
    } else {
        answer(channel, REFUSED, false, "there is no such device", "");
    }
}

static void serve(int listener)
{
    struct ipc_channel channel;
    struct ipc_message message;
    const int fd = accept(listener, NULL, NULL);

    if (ipc_channel_init(&channel, fd, IPC_REGISTRAR, IPC_OPERATOR, 0) != OK)
        _exit(1);
    for (;;) {
        struct pollfd wanted = { .fd = fd, .events = POLLIN };
        enum status status = ipc_channel_next(&channel, &message);
        if (status == OK) {
            char text[512];
            if (span_to_text(message.command.json, text, sizeof text) != OK)
                _exit(1);
            obey(&channel, text);
            continue;
        }
        poll(&wanted, 1, -1);
        if (status != PENDING || ipc_channel_fill(&channel) == FAULT)
            _exit(0);
    }
}

static int start_registrar(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    snprintf(folder, sizeof folder, "/tmp/client_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control.sock", folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    registrar = fork();
    if (registrar == 0)
        serve(listener);
    close(listener);
    return registrar < 0 ? -1 : 0;
}

static int stop_registrar(void **state)
{
    (void)state;
    kill(registrar, SIGTERM);
    waitpid(registrar, NULL, 0);
    unlink(path);
    rmdir(folder);
    return 0;
}

/* --- Tests ------------------------------------------------------------------------------------------- */

static struct client *connect_client(void)
{
    struct client *client = NULL;

    assert_int_equal(client_new(path, &client), OK);
    return client;
}

static enum status count_row(void *context, json_t *row)
{
    unsigned *count = context;

    assert_true(json_is_object(row));
    ++*count;
    return OK;
}

static void a_command_has_one_answer(void **state)
{
    AUTO(client_freep) struct client *client = connect_client();
    AUTO(json_decrefp) json_t *object = NULL;

    (void)state;
    assert_int_equal(client_ask(client, "status", NULL, &object), OK);
    assert_string_equal(json_string_value(json_object_get(object, "version")), "1");
}

static void a_listing_comes_row_by_row(void **state)
{
    AUTO(client_freep) struct client *client = connect_client();
    unsigned count = 0;

    (void)state;
    assert_int_equal(client_list(client, "device.list", json_object(), false, count_row, &count), OK);
    assert_int_equal(count, 2);
}

static void a_failure_keeps_its_kind_and_its_text(void **state)
{
    AUTO(client_freep) struct client *client = connect_client();
    AUTO(json_decrefp) json_t *object = NULL;

    (void)state;
    assert_int_equal(client_ask(client, "device.show", json_object(), &object), REFUSED);
    assert_string_equal(fail_text(), "there is no such device");
    assert_null(object);
    assert_int_equal(client_ask(client, "status", NULL, &object), OK);
}

static void an_answer_that_is_not_json_is_told(void **state)
{
    AUTO(client_freep) struct client *client = connect_client();
    AUTO(json_decrefp) json_t *object = NULL;

    (void)state;
    assert_int_equal(client_ask(client, "garbage", NULL, &object), BAD_INPUT);
}

static void a_server_that_goes_away_is_a_fault(void **state)
{
    AUTO(client_freep) struct client *client = connect_client();
    unsigned count = 0;

    (void)state;
    assert_int_equal(client_list(client, "breaks", NULL, false, count_row, &count), FAULT);
    assert_int_equal(count, 1);
    assert_non_null(strstr(fail_text(), "closed the connection"));
}

static void a_server_that_is_not_there_is_a_fault_with_advice(void **state)
{
    struct client *client = NULL;

    (void)state;
    assert_int_equal(client_new("/nonexistent/run/control.sock", &client), FAULT);
    assert_non_null(strstr(fail_text(), "start it with: musterd run /nonexistent"));
}

static void a_long_path_to_the_socket_is_fine(void **state)
{
    struct client *client = NULL;
    char longer[512];
    size_t used = (size_t)snprintf(longer, sizeof longer, "%s", folder);

    (void)state;
    while (used < 200)
        used += (size_t)snprintf(longer + used, sizeof longer - used, "/./././.");
    snprintf(longer + used, sizeof longer - used, "/control.sock");
    assert_int_equal(client_new(longer, &client), OK);
    client_free(client);
}

#define WITH_A_REGISTRAR(test) cmocka_unit_test_setup_teardown(test, start_registrar, stop_registrar)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_A_REGISTRAR(a_command_has_one_answer),
        WITH_A_REGISTRAR(a_listing_comes_row_by_row),
        WITH_A_REGISTRAR(a_failure_keeps_its_kind_and_its_text),
        WITH_A_REGISTRAR(an_answer_that_is_not_json_is_told),
        WITH_A_REGISTRAR(a_server_that_goes_away_is_a_fault),
        cmocka_unit_test(a_server_that_is_not_there_is_a_fault_with_advice),
        WITH_A_REGISTRAR(a_long_path_to_the_socket_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
