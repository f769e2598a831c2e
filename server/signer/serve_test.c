/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole role in a process of its own, jail included; the test is its supervisor and its registrar.
 */
#include "server/signer/signer.h"

#include "lib/base/log.h"
#include "lib/base/test.h"
#include "server/signer/fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PATIENCE_MS 20000

struct signer {
    pid_t pid;
    struct ipc_channel channel; /* as its supervisor */
};

static void start_signer(struct fixture *fixture, struct signer *signer)
{
    int pair[2];
    const struct role role = { .directory = fixture->directory };

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    signer->pid = fork();
    assert_true(signer->pid >= 0);
    if (signer->pid == 0) {
        close(pair[0]);
        if (dup2(pair[1], ROLE_SUPERVISOR_FD) < 0)
            _exit(99);
        if (pair[1] != ROLE_SUPERVISOR_FD)
            close(pair[1]);
        _exit(signer_main(&role));
    }
    close(pair[1]);
    assert_int_equal(ipc_channel_init(&signer->channel, pair[0], IPC_SUPERVISOR, IPC_SIGNER, 0), OK);
}

static int end_signer(struct signer *signer)
{
    int how = 0;

    ipc_channel_clear(&signer->channel);
    assert_int_equal(waitpid(signer->pid, &how, 0), signer->pid);
    return how;
}

/* Wait for the next message; its spans are lent until the next call. */
static void receive(struct ipc_channel *channel, struct ipc_message *out)
{
    enum status status = ipc_channel_next(channel, out);

    while (status == PENDING) {
        struct pollfd polled = { .fd = channel->fd, .events = POLLIN };
        assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
        assert_int_not_equal(ipc_channel_fill(channel), FAULT);
        status = ipc_channel_next(channel, out);
    }
    assert_int_equal(status, OK);
}

static void connect_registrar(struct signer *signer, struct ipc_channel *registrar)
{
    int pair[2];
    const struct ipc_message peer = { .kind = IPC_KIND_peer, .fd = -1, .peer.role = IPC_REGISTRAR };

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(ipc_send_with_fd(signer->channel.fd, &peer, pair[0]), OK);
    close(pair[0]);
    assert_int_equal(ipc_channel_init(registrar, pair[1], IPC_REGISTRAR, IPC_SIGNER, 0), OK);
}

static void await_ready(struct signer *signer)
{
    struct ipc_message message;

    receive(&signer->channel, &message);
    assert_int_equal(message.kind, IPC_KIND_ready);
    assert_int_equal(message.ready.pid, signer->pid);
}

static void begin(struct fixture *fixture, struct signer *signer, struct ipc_channel *registrar)
{
    start_signer(fixture, signer);
    await_ready(signer);
    connect_registrar(signer, registrar);
}

/* Send everything; what the signer answers meanwhile is kept in the channel. */
static void flush(struct ipc_channel *channel)
{
    while (ipc_channel_flush(channel) == PENDING) {
        struct pollfd polled = { .fd = channel->fd, .events = POLLIN | POLLOUT };
        assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
        if (polled.revents & POLLIN)
            assert_int_not_equal(ipc_channel_fill(channel), FAULT);
    }
}

static void send_order(struct ipc_channel *registrar, const struct ipc_issue *order)
{
    const struct ipc_message message = { .kind = IPC_KIND_issue, .fd = -1, .issue = *order };

    assert_int_equal(ipc_channel_send(registrar, &message), OK);
}

static void send_journal_read(struct ipc_channel *registrar, int64_t after)
{
    const struct ipc_message message = { .kind = IPC_KIND_journal_read, .fd = -1, .journal_read.after = after };

    assert_int_equal(ipc_channel_send(registrar, &message), OK);
}

static void an_order_is_answered_and_stands_in_the_journal(void **state)
{
    struct signer signer;
    struct ipc_channel registrar;
    struct ipc_message message;
    AUTO(buf_clear) struct buf certificate = { 0 };
    const struct ipc_issue order = fixture_order(*state);

    begin(*state, &signer, &registrar);
    send_order(&registrar, &order);
    flush(&registrar);
    receive(&registrar, &message);
    assert_int_equal(message.kind, IPC_KIND_issued);
    assert_int_equal(message.issued.status, OK);
    assert_int_equal(message.issued.enrolment, order.enrolment);
    assert_int_equal(message.issued.sequence, 1);
    assert_int_equal(buf_set(&certificate, message.issued.certificate), OK);
    send_journal_read(&registrar, 0);
    flush(&registrar);
    receive(&registrar, &message);
    assert_int_equal(message.kind, IPC_KIND_journal_record);
    assert_int_equal(message.journal_record.sequence, 1);
    assert_true(span_equal(message.journal_record.certificate, buf_span(&certificate)));
    assert_true(span_equal(message.journal_record.device, order.device));
    receive(&registrar, &message);
    assert_int_equal(message.kind, IPC_KIND_journal_end);
    assert_int_equal(message.journal_end.sequence, 1);
    ipc_channel_clear(&registrar);
    assert_int_equal(end_signer(&signer), 0);
}

static void a_refused_order_is_answered_with_the_reason(void **state)
{
    struct signer signer;
    struct ipc_channel registrar;
    struct ipc_message message;
    struct ipc_issue order = fixture_order(*state);

    order.template = SPAN_LITERAL("nothing");
    begin(*state, &signer, &registrar);
    send_order(&registrar, &order);
    flush(&registrar);
    receive(&registrar, &message);
    assert_int_equal(message.issued.status, REFUSED);
    assert_true(message.issued.reason.len > 0);
    assert_int_equal(message.issued.certificate.len, 0);
    ipc_channel_clear(&registrar);
    assert_int_equal(end_signer(&signer), 0);
}

#define MANY 3000

static void many_orders_at_once_are_all_answered_in_order(void **state)
{
    struct signer signer;
    struct ipc_channel registrar;
    struct ipc_message message;

    begin(*state, &signer, &registrar);
    for (int i = 1; i <= MANY; i++) {
        struct ipc_issue order = fixture_order(*state);
        order.enrolment = i;
        send_order(&registrar, &order);
    }
    flush(&registrar);
    for (int i = 1; i <= MANY; i++) {
        receive(&registrar, &message);
        assert_int_equal(message.issued.status, OK);
        assert_int_equal(message.issued.enrolment, i);
        assert_int_equal(message.issued.sequence, i);
    }
    /* More than the channel holds at once. */
    send_journal_read(&registrar, 10);
    flush(&registrar);
    for (int i = 11; i <= MANY; i++) {
        receive(&registrar, &message);
        assert_int_equal(message.kind, IPC_KIND_journal_record);
        assert_int_equal(message.journal_record.sequence, i);
    }
    receive(&registrar, &message);
    assert_int_equal(message.kind, IPC_KIND_journal_end);
    ipc_channel_clear(&registrar);
    assert_int_equal(end_signer(&signer), 0);
}

static void orders_are_answered_while_the_journal_is_read(void **state)
{
    struct signer signer;
    struct ipc_channel registrar;
    struct ipc_message message;
    int answered = 0;

    begin(*state, &signer, &registrar);
    send_journal_read(&registrar, 0);
    for (int i = 1; i <= 100; i++) {
        const struct ipc_issue order = fixture_order(*state);
        send_order(&registrar, &order);
    }
    flush(&registrar);
    while (answered < 100) {
        receive(&registrar, &message);
        answered += message.kind == IPC_KIND_issued;
    }
    ipc_channel_clear(&registrar);
    assert_int_equal(end_signer(&signer), 0);
}

static void a_registrar_that_was_started_again_gets_the_same_answer(void **state)
{
    struct signer signer;
    struct ipc_channel registrar;
    struct ipc_message message;
    const struct ipc_issue order = fixture_order(*state);
    AUTO(buf_clear) struct buf first = { 0 };

    begin(*state, &signer, &registrar);
    send_order(&registrar, &order);
    flush(&registrar);
    receive(&registrar, &message);
    assert_int_equal(buf_set(&first, message.issued.certificate), OK);
    ipc_channel_clear(&registrar);
    connect_registrar(&signer, &registrar);
    send_order(&registrar, &order);
    flush(&registrar);
    receive(&registrar, &message);
    assert_true(span_equal(message.issued.certificate, buf_span(&first)));
    ipc_channel_clear(&registrar);
    assert_int_equal(end_signer(&signer), 0);
}

static void a_killed_signer_loses_nothing_that_it_answered(void **state)
{
    AUTO(buf_clear) struct buf first = { 0 };
    const struct ipc_issue order = fixture_order(*state);
    int how = 0;

    for (int round = 0; round < 3; round++) {
        struct signer signer;
        struct ipc_channel registrar;
        struct ipc_message message;
        begin(*state, &signer, &registrar);
        send_order(&registrar, &order);
        flush(&registrar);
        receive(&registrar, &message);
        assert_int_equal(message.issued.status, OK);
        assert_int_equal(message.issued.sequence, 1);
        if (round == 0)
            assert_int_equal(buf_set(&first, message.issued.certificate), OK);
        assert_true(span_equal(message.issued.certificate, buf_span(&first)));
        assert_int_equal(kill(signer.pid, SIGKILL), 0);
        assert_int_equal(waitpid(signer.pid, &how, 0), signer.pid);
        ipc_channel_clear(&registrar);
        ipc_channel_clear(&signer.channel);
    }
}

static void a_message_that_the_registrar_may_not_send_ends_the_signer(void **state)
{
    struct signer signer;
    struct ipc_channel registrar;
    const struct ipc_message liar = { .kind = IPC_KIND_issued, .fd = -1 };

    begin(*state, &signer, &registrar);
    assert_int_equal(ipc_channel_send(&registrar, &liar), OK);
    flush(&registrar);
    struct pollfd polled = { .fd = registrar.fd, .events = POLLIN };
    assert_int_equal(poll(&polled, 1, PATIENCE_MS), 1);
    assert_int_equal(ipc_channel_fill(&registrar), FAULT);
    const int how = end_signer(&signer);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 1);
    ipc_channel_clear(&registrar);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make, fixture_remove)
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_answered_and_stands_in_the_journal),
        TEST(a_refused_order_is_answered_with_the_reason),
        TEST(many_orders_at_once_are_all_answered_in_order),
        TEST(orders_are_answered_while_the_journal_is_read),
        TEST(a_registrar_that_was_started_again_gets_the_same_answer),
        TEST(a_killed_signer_loses_nothing_that_it_answered),
        TEST(a_message_that_the_registrar_may_not_send_ends_the_signer),
    };

    log_init("serve_test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
