/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/ipc/ipc.h"

#include "lib/base/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>


static struct ipc_message an_issue(void)
{
    struct ipc_message m = { .kind = IPC_KIND_issue };

    m.issue.enrolment = -7;
    m.issue.serial = SPAN_LITERAL("12345678901234567890");
    m.issue.authority = SPAN_LITERAL("issuing");
    m.issue.spki = SPAN_LITERAL("\x30\x00");
    m.issue.not_after_s = INT64_C(4102444800);
    return m;
}

static void a_message_comes_out_as_it_went_in(void **state)
{
    AUTO(buf_clear) struct buf frame = { 0 };
    const struct ipc_message in = an_issue();
    struct ipc_message out;
    size_t used = 0;

    (void)state;
    assert_int_equal(ipc_pack(&in, &frame), OK);
    assert_int_equal(ipc_unpack(buf_span(&frame), &out, &used), OK);
    assert_int_equal(used, frame.len);
    assert_int_equal(out.kind, IPC_KIND_issue);
    assert_true(out.issue.enrolment == -7);
    assert_true(span_equal(out.issue.serial, in.issue.serial));
    assert_true(span_equal(out.issue.authority, in.issue.authority));
    assert_int_equal(out.issue.san.len, 0);
    assert_true(out.issue.not_after_s == INT64_C(4102444800));
}

static void every_kind_of_message_travels(void **state)
{
    (void)state;
    for (int kind = IPC_NONE + 1; kind < IPC_KIND_COUNT; kind++) {
        AUTO(buf_clear) struct buf frame = { 0 };
        const struct ipc_message in = { .kind = (enum ipc_kind)kind };
        struct ipc_message out;
        size_t used = 0;
        assert_int_equal(ipc_pack(&in, &frame), OK);
        assert_int_equal(ipc_unpack(buf_span(&frame), &out, &used), OK);
        assert_int_equal(out.kind, kind);
    }
}

static void every_cut_of_a_frame_waits_for_more(void **state)
{
    AUTO(buf_clear) struct buf frame = { 0 };
    const struct ipc_message in = an_issue();
    struct ipc_message out;
    size_t used = 0;

    (void)state;
    assert_int_equal(ipc_pack(&in, &frame), OK);
    for (size_t n = 0; n < frame.len; n++)
        assert_int_equal(ipc_unpack(span_of(frame.ptr, n), &out, &used), PENDING);
}

static void every_changed_byte_is_read_or_refused(void **state)
{
    AUTO(buf_clear) struct buf frame = { 0 };
    const struct ipc_message in = an_issue();

    (void)state;
    assert_int_equal(ipc_pack(&in, &frame), OK);
    for (size_t i = 0; i < frame.len; i++) {
        for (unsigned change = 1; change < 256; change++) {
            struct ipc_message out;
            size_t used = 0;
            frame.ptr[i] ^= (uint8_t)change;
            const enum status status = ipc_unpack(buf_span(&frame), &out, &used);
            assert_true(status == OK || status == PENDING || status == BAD_INPUT);
            assert_true(status != OK || used <= frame.len);
            frame.ptr[i] ^= (uint8_t)change;
        }
    }
}

static void a_field_over_its_limit_is_refused_on_both_sides(void **state)
{
    AUTO(buf_clear) struct buf frame = { 0 };
    struct ipc_message in = an_issue();
    struct ipc_message out;
    size_t used = 0;

    (void)state;
    in.issue.serial = SPAN_LITERAL("123456789012345678901");
    assert_int_equal(ipc_pack(&in, &frame), BAD_INPUT);
    assert_int_equal(frame.len, 0);
    in.issue.serial = SPAN_LITERAL("12345678901234567890");
    assert_int_equal(ipc_pack(&in, &frame), OK);
    frame.ptr[4 + 2 + 8 + 3] = 21; /* the serial's length */
    assert_int_equal(ipc_unpack(buf_span(&frame), &out, &used), BAD_INPUT);
}

static void only_the_one_named_may_send(void **state)
{
    (void)state;
    assert_true(ipc_may_send(IPC_KIND_issue, IPC_REGISTRAR, IPC_SIGNER));
    assert_false(ipc_may_send(IPC_KIND_issue, IPC_RESPONDER, IPC_SIGNER));
    assert_false(ipc_may_send(IPC_KIND_issue, IPC_RESPONDER, IPC_REGISTRAR));
    assert_false(ipc_may_send(IPC_KIND_command, IPC_RESPONDER, IPC_REGISTRAR));
    assert_false(ipc_may_send(IPC_KIND_decision, IPC_SIGNER, IPC_RESPONDER));
    assert_true(ipc_may_send(IPC_KIND_peer, IPC_SUPERVISOR, IPC_SIGNER));
    assert_false(ipc_may_send(IPC_KIND_peer, IPC_SIGNER, IPC_REGISTRAR));
    assert_false(ipc_may_send(IPC_KIND_ready, IPC_OPERATOR, IPC_SUPERVISOR));
}

static void a_message_from_the_wrong_role_ends_the_channel(void **state)
{
    int pair[2];
    struct ipc_channel liar, registrar;
    struct ipc_message m = { .kind = IPC_KIND_issued };

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(ipc_channel_init(&liar, pair[0], IPC_RESPONDER, IPC_REGISTRAR, 0), OK);
    assert_int_equal(ipc_channel_init(&registrar, pair[1], IPC_REGISTRAR, IPC_RESPONDER, 0), OK);
    assert_int_equal(ipc_channel_send(&liar, &m), OK);
    assert_int_equal(ipc_channel_flush(&liar), OK);
    assert_int_equal(ipc_channel_fill(&registrar), OK);
    assert_int_equal(ipc_channel_next(&registrar, &m), BAD_INPUT);
    ipc_channel_clear(&liar);
    assert_int_equal(ipc_channel_fill(&registrar), FAULT);
    ipc_channel_clear(&registrar);
}

static void many_messages_wait_in_a_channel_until_they_are_flushed(void **state)
{
    int pair[2];
    struct ipc_channel from, to;
    struct ipc_message m = an_issue();
    unsigned sent = 5000, got = 0;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(ipc_channel_init(&from, pair[0], IPC_REGISTRAR, IPC_SIGNER, 0), OK);
    assert_int_equal(ipc_channel_init(&to, pair[1], IPC_SIGNER, IPC_REGISTRAR, 0), OK);
    for (unsigned i = 0; i < sent; i++) {
        m.issue.enrolment = i;
        assert_int_equal(ipc_channel_send(&from, &m), OK);
    }
    while (got < sent) {
        const enum status flushed = ipc_channel_flush(&from);
        assert_true(flushed == OK || flushed == PENDING);
        assert_true(ipc_channel_fill(&to) != FAULT);
        struct ipc_message in;
        while (ipc_channel_next(&to, &in) == OK)
            assert_true(in.issue.enrolment == got++);
    }
    assert_false(ipc_channel_has_output(&from));
    ipc_channel_clear(&from);
    ipc_channel_clear(&to);
}

static void a_role_that_is_ready_says_so_with_its_process_id(void **state)
{
    int pair[2];
    struct ipc_channel role, supervisor;
    struct ipc_message m;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(ipc_channel_init(&role, pair[0], IPC_SIGNER, IPC_SUPERVISOR, 0), OK);
    assert_int_equal(ipc_channel_init(&supervisor, pair[1], IPC_SUPERVISOR, IPC_SIGNER, 0), OK);
    assert_int_equal(ipc_send_ready(&role), OK);
    assert_false(ipc_channel_has_output(&role));
    assert_int_equal(ipc_channel_fill(&supervisor), OK);
    assert_int_equal(ipc_channel_next(&supervisor, &m), OK);
    assert_int_equal(m.kind, IPC_KIND_ready);
    assert_int_equal(m.ready.pid, getpid());
    ipc_channel_clear(&supervisor);
    assert_int_equal(ipc_send_ready(&role), FAULT);
    ipc_channel_clear(&role);
}

static void a_descriptor_comes_with_the_peer_message(void **state)
{
    int pair[2], passed[2];
    struct ipc_channel role;
    struct ipc_message m = { .kind = IPC_KIND_peer, .peer = { .role = IPC_SIGNER, .number = 3 } };

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pipe(passed), 0);
    assert_int_equal(ipc_channel_init(&role, pair[1], IPC_REGISTRAR, IPC_SUPERVISOR, 0), OK);
    assert_int_equal(ipc_send_with_fd(pair[0], &m, passed[1]), OK);
    close(passed[1]);
    assert_int_equal(ipc_channel_fill(&role), OK);
    assert_int_equal(ipc_channel_next(&role, &m), OK);
    assert_int_equal(m.peer.number, 3);
    assert_int_equal(write(m.fd, "x", 1), 1);
    char byte = 0;
    assert_int_equal(read(passed[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(m.fd);
    close(passed[0]);
    close(pair[0]);
    ipc_channel_clear(&role);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_out_as_it_went_in),
        cmocka_unit_test(every_kind_of_message_travels),
        cmocka_unit_test(every_cut_of_a_frame_waits_for_more),
        cmocka_unit_test(every_changed_byte_is_read_or_refused),
        cmocka_unit_test(a_field_over_its_limit_is_refused_on_both_sides),
        cmocka_unit_test(only_the_one_named_may_send),
        cmocka_unit_test(a_message_from_the_wrong_role_ends_the_channel),
        cmocka_unit_test(many_messages_wait_in_a_channel_until_they_are_flushed),
        cmocka_unit_test(a_role_that_is_ready_says_so_with_its_process_id),
        cmocka_unit_test(a_descriptor_comes_with_the_peer_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
