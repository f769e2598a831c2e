/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHANNEL_READ_BYTES ((size_t)65536)

enum status ipc_channel_init(struct ipc_channel *channel, int fd, enum ipc_role self, enum ipc_role peer,
                             uint32_t number)
{
    const int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return fail(FAULT, "ipc: channel to the %s: %s", ipc_role_name(peer), strerror(errno));
    *channel = (struct ipc_channel){ .fd = fd, .self = self, .peer = peer, .number = number, .passed_fd = -1 };
    channel->out.limit = (size_t)64 << 20;
    return OK;
}

void ipc_channel_clear(struct ipc_channel *channel)
{
    if (channel->fd >= 0)
        close(channel->fd);
    if (channel->passed_fd >= 0)
        close(channel->passed_fd);
    channel->fd = -1;
    channel->passed_fd = -1;
    channel->in_used = 0;
    buf_clear(&channel->in);
    buf_clear(&channel->out);
}

static void keep_passed_fd(struct ipc_channel *channel, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        if (channel->passed_fd >= 0)
            close(channel->passed_fd);
        memcpy(&channel->passed_fd, CMSG_DATA(c), sizeof channel->passed_fd);
    }
}

enum status ipc_channel_fill(struct ipc_channel *channel)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;

    buf_consume(&channel->in, channel->in_used);
    channel->in_used = 0;
    uint8_t *to = buf_reserve(&channel->in, CHANNEL_READ_BYTES);
    if (!to)
        return fail(FAULT, "ipc: no memory to read from the %s", ipc_role_name(channel->peer));
    struct iovec part = { to, CHANNEL_READ_BYTES };
    struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
    /* Only the supervisor has descriptors to give. */
    if (channel->peer == IPC_SUPERVISOR) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
    }
    const ssize_t n = recvmsg(channel->fd, &header, MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PENDING;
    if (n <= 0)
        return fail(FAULT, "ipc: the %s has gone", ipc_role_name(channel->peer));
    keep_passed_fd(channel, &header);
    channel->in.len += (size_t)n;
    return OK;
}

enum status ipc_channel_next(struct ipc_channel *channel, struct ipc_message *out)
{
    size_t used = 0;

    if (channel->in_used == channel->in.len)
        return PENDING;
    const struct span rest = { channel->in.ptr + channel->in_used, channel->in.len - channel->in_used };

    TRY(ipc_unpack(rest, out, &used));
    if (!ipc_may_send(out->kind, channel->peer, channel->self))
        return fail(BAD_INPUT, "ipc: %s from the %s, who may not send it", ipc_kind_name(out->kind),
                    ipc_role_name(channel->peer));
    channel->in_used += used;
    if (out->kind == IPC_KIND_peer || out->kind == IPC_KIND_tls_file) {
        out->fd = channel->passed_fd;
        channel->passed_fd = -1;
    }
    return OK;
}

enum status ipc_channel_send(struct ipc_channel *channel, const struct ipc_message *message)
{
    return ipc_pack(message, &channel->out);
}

enum status ipc_channel_flush(struct ipc_channel *channel)
{
    size_t written = 0;
    enum status status = OK;

    while (written < channel->out.len) {
        const ssize_t n =
            send(channel->fd, channel->out.ptr + written, channel->out.len - written, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = errno == EAGAIN ? PENDING
                                     : fail(FAULT, "ipc: the %s has gone", ipc_role_name(channel->peer));
            break;
        }
        written += (size_t)n;
    }
    buf_consume(&channel->out, written);
    return status;
}

enum status ipc_send_ready(struct ipc_channel *supervisor)
{
    const struct ipc_message ready = { .kind = IPC_KIND_ready, .fd = -1, .ready.pid = (uint32_t)getpid() };

    TRY(ipc_channel_send(supervisor, &ready));
    return ipc_channel_flush(supervisor);
}

enum status ipc_send_with_fd(int socket, const struct ipc_message *message, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    AUTO(buf_clear) struct buf frame = { 0 };

    TRY(ipc_pack(message, &frame));
    struct iovec part = { frame.ptr, frame.len };
    struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes };
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    const ssize_t n = sendmsg(socket, &header, MSG_NOSIGNAL);
    if (n < 0 || (size_t)n != frame.len)
        return fail(FAULT, "ipc: cannot pass a descriptor: %s", strerror(errno));
    return OK;
}
