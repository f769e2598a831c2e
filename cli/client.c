/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_TIMEOUT_MS 30000
#define WAIT_FOR_EVER (-1)

struct client {
    struct ipc_channel channel;
    char path[PATH_MAX];
};

static enum status explain(const char *path, int error)
{
    char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%s", path);
    const char *run = dirname(folder);
    if (error == EACCES || error == EPERM)
        return fail(FAULT, "%s: %s; use the account that the server runs under, or root", path, strerror(error));
    if (error == ENOENT || error == ECONNREFUSED)
        return fail(FAULT, "no server answers at %s (%s); start it with: musterd run %s", path, strerror(error),
                    dirname((char *)run));
    return fail(FAULT, "%s: %s", path, strerror(error));
}

/* A socket's address holds 107 characters; by way of its folder's descriptor any path fits. */
static enum status make_address(const char *path, int *folder, struct sockaddr_un *address)
{
    char copy[PATH_MAX];
    char name[PATH_MAX];

    snprintf(copy, sizeof copy, "%s", path);
    snprintf(name, sizeof name, "%s", path);
    *folder = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return explain(path, errno);
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    const int n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder,
                           basename(name));
    if (n < 0 || (size_t)n >= sizeof address->sun_path)
        return fail(BAD_INPUT, "%s: the socket's name is too long", path);
    return OK;
}

static enum status connect_to(const char *path, int *out)
{
    AUTO(fd_closep) int folder = -1;
    struct sockaddr_un address;

    TRY(make_address(path, &folder, &address));
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(FAULT, "cannot make a socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        const int error = errno;
        close(fd);
        return explain(path, error);
    }
    *out = fd;
    return OK;
}

enum status client_new(const char *socket_path, struct client **out)
{
    AUTO(client_freep) struct client *client = calloc(1, sizeof *client);
    int fd = -1;

    if (!client)
        return fail(FAULT, "no memory");
    client->channel.fd = -1;
    client->channel.passed_fd = -1;
    if ((size_t)snprintf(client->path, sizeof client->path, "%s", socket_path) >= sizeof client->path)
        return fail(BAD_INPUT, "the control socket's path is too long");
    TRY(connect_to(client->path, &fd));
    if (ipc_channel_init(&client->channel, fd, IPC_OPERATOR, IPC_REGISTRAR, 0) != OK) {
        close(fd);
        return FAULT;
    }
    *out = take(client);
    return OK;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    ipc_channel_clear(&client->channel);
    free(client);
}

static enum status wait_for(struct client *client, short events, int timeout_ms)
{
    struct pollfd wanted = { .fd = client->channel.fd, .events = events };
    int n;

    do
        n = poll(&wanted, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail(FAULT, "%s: %s", client->path, strerror(errno));
    if (n == 0)
        return fail(FAULT, "%s: the server said nothing for %d seconds; its log may tell why", client->path,
                    timeout_ms / 1000);
    return OK;
}

static enum status send_command(struct client *client, const char *command, json_t *arguments)
{
    AUTO(json_decrefp) json_t *object = arguments ? arguments : json_object();
    struct ipc_message message = { .kind = IPC_KIND_command, .fd = -1 };
    enum status status;

    if (json_object_set_new(object, "command", json_string(command)) != 0)
        return fail(FAULT, "no memory");
    char *text = json_dumps(object, JSON_COMPACT);
    if (!text)
        return fail(FAULT, "no memory");
    message.command.json = span_of_text(text);
    status = ipc_channel_send(&client->channel, &message);
    explicit_bzero(text, strlen(text));
    free(text);
    TRY(status);
    while ((status = ipc_channel_flush(&client->channel)) == PENDING)
        TRY(wait_for(client, POLLOUT, ANSWER_TIMEOUT_MS));
    return status;
}

static enum status next_message(struct client *client, int timeout_ms, struct ipc_message *out)
{
    for (;;) {
        const enum status status = ipc_channel_next(&client->channel, out);
        if (status != PENDING)
            return status;
        TRY(wait_for(client, POLLIN, timeout_ms));
        const enum status filled = ipc_channel_fill(&client->channel);
        if (filled == FAULT)
            return fail(FAULT, "%s: the server closed the connection; its log may tell why", client->path);
        if (filled != PENDING)
            TRY(filled);
    }
}

/* One part of an answer: its object (NULL for an empty one), and whether another follows. */
static enum status next_part(struct client *client, int timeout_ms, json_t **object, bool *more)
{
    struct ipc_message message;
    json_error_t error;

    TRY(next_message(client, timeout_ms, &message));
    const struct ipc_result *result = &message.result;
    if (result->status != OK)
        return fail((enum status)(result->status > FAULT ? FAULT : result->status), "%.*s",
                    (int)result->text.len, (const char *)result->text.ptr);
    *more = result->more != 0;
    *object = NULL;
    if (!result->json.len)
        return OK;
    *object = json_loadb((const char *)result->json.ptr, result->json.len, 0, &error);
    if (!*object)
        return fail(BAD_INPUT, "%s: the server's answer is not JSON: %s", client->path, error.text);
    return OK;
}

enum status client_ask(struct client *client, const char *command, json_t *arguments, json_t **answer)
{
    json_t *object = NULL;
    bool more = false;

    TRY(send_command(client, command, arguments));
    TRY(next_part(client, ANSWER_TIMEOUT_MS, &object, &more));
    if (more || !json_is_object(object)) {
        json_decref(object);
        return fail(BAD_INPUT, "%s: expected one object as answer to %s", client->path, command);
    }
    *answer = object;
    return OK;
}

enum status client_list(struct client *client, const char *command, json_t *arguments, bool patient,
                        client_row *each, void *context)
{
    TRY(send_command(client, command, arguments));
    for (;;) {
        AUTO(json_decrefp) json_t *row = NULL;
        bool more = false;
        TRY(next_part(client, patient ? WAIT_FOR_EVER : ANSWER_TIMEOUT_MS, &row, &more));
        if (row && json_object_size(row))
            TRY(each(context, row));
        if (!more)
            return OK;
    }
}
