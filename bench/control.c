/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/control.h"
#include "lib/base/file.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_WAIT_MS 30000

enum status control_open(const char *directory, struct control *out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/control.sock", directory);

    if (len < 0 || (size_t)len >= sizeof(address.sun_path))
        return fail(BAD_INPUT, "%s: the path of the control socket is too long", directory);
    AUTO(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(FAULT, "socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return fail(FAULT, "%s: %s; is musterd running?", address.sun_path, strerror(errno));
    TRY(ipc_channel_init(&out->channel, fd, IPC_OPERATOR, IPC_REGISTRAR, 0));
    fd = -1;
    return OK;
}

void control_close(struct control *control)
{
    ipc_channel_clear(&control->channel);
}

enum status control_send(struct control *control, json_t *command)
{
    struct ipc_message message = { .kind = IPC_KIND_command, .fd = -1 };
    char *text = json_dumps(command, JSON_COMPACT);

    if (!text)
        return fail(FAULT, "no memory");
    message.command.json = span_of_text(text);
    const enum status status = ipc_channel_send(&control->channel, &message);
    free(text);
    TRY(status);
    const enum status sent = ipc_channel_flush(&control->channel);
    return sent == PENDING ? OK : sent;
}

static enum status read_result(const struct ipc_result *result, json_t **answer)
{
    if (result->status != OK)
        return fail((enum status)result->status, "%.*s", (int)result->text.len, (const char *)result->text.ptr);
    *answer = json_loadb((const char *)result->json.ptr, result->json.len, 0, NULL);
    return *answer ? OK : fail(BAD_INPUT, "the registrar's answer is not JSON");
}

enum status control_receive(struct control *control, json_t **answer)
{
    struct ipc_message message;

    if (ipc_channel_has_output(&control->channel)) {
        const enum status sent = ipc_channel_flush(&control->channel);
        if (sent != OK)
            return sent;
    }
    const enum status filled = ipc_channel_fill(&control->channel);
    const enum status status = ipc_channel_next(&control->channel, &message);
    if (status == PENDING && filled != OK)
        return filled;
    TRY(status);
    return read_result(&message.result, answer);
}

enum status control_ask(struct control *control, json_t *command, json_t **answer)
{
    TRY(control_send(control, command));
    for (;;) {
        struct pollfd wait = { .fd = control->channel.fd, .events = POLLIN };

        if (ipc_channel_has_output(&control->channel))
            wait.events |= POLLOUT;
        if (poll(&wait, 1, ANSWER_WAIT_MS) != 1)
            return fail(FAULT, "the registrar does not answer");
        const enum status status = control_receive(control, answer);
        if (status != PENDING)
            return status;
    }
}

enum status control_peer(const struct control *control, pid_t *pid)
{
    struct ucred peer = { 0 };
    socklen_t len = sizeof(peer);

    if (getsockopt(control->channel.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return fail(FAULT, "SO_PEERCRED: %s", strerror(errno));
    *pid = peer.pid;
    return OK;
}
