/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/loop.h"

#include "lib/base/test.h"
#include "server/registrar/fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* The registrar runs its loop in a child; the test is the supervisor, a responder, a signer that only
 * listens, and an operator. */
struct house {
    struct fixture *f;
    char socket[300];
    pid_t child;
    struct ipc_channel registrar;
};

static void run_child(struct fixture *f, const char *socket, int supervisor_fd)
{
    struct control control = { .registrar = &f->registrar, .listener = -1 };
    struct loop *loop = NULL;

    if (control_open(&control, socket) != OK || loop_new(&f->registrar, &control, supervisor_fd, &loop) != OK)
        _exit(2);
    _exit(loop_run(loop) == OK ? 0 : 1);
}

static int set_up(void **state)
{
    static struct house house;
    int pair[2];
    struct ipc_message ready;

    assert_int_equal(fixture_set_up((void **)&house.f), 0);
    snprintf(house.socket, sizeof house.socket, "%s/control.sock", house.f->directory);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    fixture_stop(house.f); /* the ledger is one process's at a time */
    house.child = fork();
    if (house.child == 0) {
        close(pair[0]);
        fixture_start(house.f);
        run_child(house.f, house.socket, pair[1]);
    }
    close(pair[1]);
    assert_int_equal(ipc_channel_init(&house.registrar, pair[0], IPC_SUPERVISOR, IPC_REGISTRAR, 0), OK);
    *state = &house;
    while (ipc_channel_next(&house.registrar, &ready) == PENDING)
        assert_true(ipc_channel_fill(&house.registrar) != FAULT);
    assert_int_equal(ready.kind, IPC_KIND_ready);
    return 0;
}

/* The supervisor goes away; the registrar ends by itself, and in good order. */
static int tear_down(void **state)
{
    struct house *house = *state;
    int result = -1;

    ipc_channel_clear(&house->registrar);
    waitpid(house->child, &result, 0);
    if (!house->f->store)
        fixture_start(house->f);
    const int torn_down = fixture_tear_down((void **)&house->f);
    return WIFEXITED(result) && WEXITSTATUS(result) == 0 ? torn_down : -1;
}

static struct ipc_channel connect_peer(struct house *house, enum ipc_role role)
{
    const struct ipc_message peer = { .kind = IPC_KIND_peer, .peer = { .role = (uint8_t)role, .number = 0 } };
    struct ipc_channel channel;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(ipc_send_with_fd(house->registrar.fd, &peer, pair[0]), OK);
    close(pair[0]);
    assert_int_equal(ipc_channel_init(&channel, pair[1], role, IPC_REGISTRAR, 0), OK);
    return channel;
}

static struct ipc_channel connect_operator(const struct house *house)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct ipc_channel channel;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(span_to_text(span_of_text(house->socket), address.sun_path, sizeof address.sun_path), OK);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(ipc_channel_init(&channel, fd, IPC_OPERATOR, IPC_REGISTRAR, 0), OK);
    return channel;
}

static void send_message(struct ipc_channel *channel, const struct ipc_message *message)
{
    assert_int_equal(ipc_channel_send(channel, message), OK);
    assert_int_equal(ipc_channel_flush(channel), OK);
}

/* The next message; waits for it. */
static struct ipc_message receive(struct ipc_channel *channel)
{
    struct ipc_message message;
    struct pollfd readable = { .fd = channel->fd, .events = POLLIN };

    while (ipc_channel_next(channel, &message) == PENDING) {
        assert_int_equal(poll(&readable, 1, 5000), 1);
        assert_true(ipc_channel_fill(channel) != FAULT);
    }
    return message;
}

static json_t *ask(struct ipc_channel *channel, const char *command, enum status *status)
{
    const struct ipc_message message = { .kind = IPC_KIND_command, .command.json = span_of_text(command) };

    send_message(channel, &message);
    const struct ipc_message answer = receive(channel);
    assert_int_equal(answer.kind, IPC_KIND_result);
    *status = (enum status)answer.result.status;
    return answer.result.json.len ? json_loadb((const char *)answer.result.json.ptr, answer.result.json.len, 0, NULL)
                                  : NULL;
}

/* ------------------------------------------------------------------------------------------ */

static void a_refusal_is_durable_when_it_is_answered(void **state)
{
    struct house *house = *state;
    struct ipc_channel responder = connect_peer(house, IPC_RESPONDER);
    const struct ipc_message enrol = {
        .kind = IPC_KIND_enrol,
        .enrol = { .exchange = 42, .path = SPAN_LITERAL("factory"), .username = SPAN_LITERAL("nobody"),
                   .message_type = 19, .password = SPAN_LITERAL("x"), .transaction = SPAN_LITERAL("t") },
    };

    send_message(&responder, &enrol);
    const struct ipc_message decision = receive(&responder);
    kill(house->child, SIGKILL);
    assert_int_equal(decision.kind, IPC_KIND_decision);
    assert_true(decision.decision.exchange == 42);
    assert_int_equal(decision.decision.status, REFUSED);
    waitpid(house->child, NULL, 0);
    fixture_start(house->f);
    assert_string_equal(fixture_newest_event(house->f), "refused: unknown user \"nobody\"");
    ipc_channel_clear(&responder);
    house->child = fork(); /* for tear_down */
    if (house->child == 0)
        _exit(0);
}

static void a_signer_is_asked_for_its_journal_first(void **state)
{
    struct house *house = *state;
    struct ipc_channel signer = connect_peer(house, IPC_SIGNER);
    const struct ipc_message question = receive(&signer);

    assert_int_equal(question.kind, IPC_KIND_journal_read);
    assert_true(question.journal_read.after == 0);
    ipc_channel_clear(&signer);
}

static void an_operator_gives_commands_one_after_another(void **state)
{
    struct house *house = *state;
    struct ipc_channel operator = connect_operator(house);
    enum status status;

    json_decref(ask(&operator, "{\"command\":\"device.add\",\"name\":\"gw-1\",\"template\":\"device\"}", &status));
    assert_int_equal(status, OK);
    json_decref(ask(&operator, "{\"command\":\"device.add\",\"name\":\"gw-1\",\"template\":\"device\"}", &status));
    assert_int_equal(status, REFUSED);
    json_decref(ask(&operator, "{\"command\":", &status));
    assert_int_equal(status, BAD_INPUT);
    json_t *answer = ask(&operator, "{\"command\":\"status\"}", &status);
    assert_int_equal(status, OK);
    assert_int_equal(json_integer_value(json_object_get(answer, "devices")), 1);
    assert_string_equal(json_string_value(json_object_get(answer, "signer")), "absent");
    json_decref(answer);
    ipc_channel_clear(&operator);
}

static void a_listing_of_many_rows_comes_whole_and_in_order(void **state)
{
    struct house *house = *state;
    struct ipc_channel operator = connect_operator(house);
    enum status status;
    char command[100];
    const unsigned count = 500;

    for (unsigned i = 0; i < count; i++) {
        snprintf(command, sizeof command, "{\"command\":\"device.add\",\"name\":\"gw-%04u\",\"template\":\"device\"}", i);
        json_decref(ask(&operator, command, &status));
        assert_int_equal(status, OK);
    }
    json_t *row = ask(&operator, "{\"command\":\"device.list\"}", &status);
    for (unsigned i = 0; i < count; i++) {
        snprintf(command, sizeof command, "gw-%04u", i);
        assert_string_equal(json_string_value(json_object_get(row, "name")), command);
        json_decref(row);
        const struct ipc_message next_one = receive(&operator);
        assert_int_equal(next_one.result.more, i + 1 < count);
        row = json_loadb((const char *)next_one.result.json.ptr, next_one.result.json.len, 0, NULL);
    }
    assert_int_equal(json_object_size(row), 0);
    json_decref(row);
    ipc_channel_clear(&operator);
}

static void whoever_follows_the_events_hears_of_new_ones(void **state)
{
    struct house *house = *state;
    struct ipc_channel follower = connect_operator(house), operator = connect_operator(house);
    const struct ipc_message follow = { .kind = IPC_KIND_command,
                                        .command.json = SPAN_LITERAL("{\"command\":\"event.list\",\"follow\":true}") };
    enum status status;

    send_message(&follower, &follow);
    json_decref(ask(&operator, "{\"command\":\"device.add\",\"name\":\"gw-1\",\"template\":\"device\"}", &status));
    const struct ipc_message event = receive(&follower);
    assert_int_equal(event.result.more, 1);
    assert_non_null(memmem(event.result.json.ptr, event.result.json.len, "device-added", 12));
    json_decref(ask(&operator, "{\"command\":\"device.remove\",\"name\":\"gw-1\"}", &status));
    const struct ipc_message second = receive(&follower);
    assert_non_null(memmem(second.result.json.ptr, second.result.json.len, "device-removed", 14));
    ipc_channel_clear(&operator);
    ipc_channel_clear(&follower);
}

static void who_breaks_the_frames_loses_his_connection_and_nobody_else(void **state)
{
    struct house *house = *state;
    struct ipc_channel bad = connect_operator(house), good = connect_operator(house);
    struct pollfd readable = { .fd = bad.fd, .events = POLLIN };
    enum status status;

    assert_int_equal(write(bad.fd, "\xff\xff\xff\xff garbage", 12), 12);
    assert_int_equal(poll(&readable, 1, 5000), 1);
    assert_int_equal(ipc_channel_fill(&bad), FAULT);
    json_decref(ask(&good, "{\"command\":\"status\"}", &status));
    assert_int_equal(status, OK);
    ipc_channel_clear(&bad);
    ipc_channel_clear(&good);
}

static void the_control_socket_is_not_for_everybody(void **state)
{
    const struct house *house = *state;
    struct stat about;

    assert_int_equal(stat(house->socket, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0660);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_is_durable_when_it_is_answered),
        TEST(a_signer_is_asked_for_its_journal_first),
        TEST(an_operator_gives_commands_one_after_another),
        TEST(a_listing_of_many_rows_comes_whole_and_in_order),
        TEST(whoever_follows_the_events_hears_of_new_ones),
        TEST(who_breaks_the_frames_loses_his_connection_and_nobody_else),
        TEST(the_control_socket_is_not_for_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
