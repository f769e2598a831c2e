/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/control.h"

#include "lib/base/file.h"
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* An operator who does not read gets no more pages of his listing. */
#define OUTPUT_ENOUGH_BYTES ((size_t)128 << 10)

/* --- Opening ------------------------------------------------------------------------ */

/* Answers hold passwords, and jansson does not wipe. */
static void free_wiped(void *memory)
{
    if (memory)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

static enum status make_parent(const char *path)
{
    char copy[PATH_MAX];

    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return fail(BAD_INPUT, "%s: path too long", path);
    return file_make_directory(dirname(copy), 0755);
}

static enum status bind_socket(int fd, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    TRY(span_to_text(span_of_text(path), address.sun_path, sizeof address.sun_path));
    if (unlink(path) != 0 && errno != ENOENT)
        return fail(FAULT, "%s: cannot remove the old one: %s", path, strerror(errno));
    const mode_t before = umask(0117); /* 0660 from its first moment on */
    const int bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(before);
    if (bound != 0 || listen(fd, OPERATORS_MAX) != 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    return OK;
}

enum status control_open(struct control *control, const char *path)
{
    json_set_alloc_funcs(malloc, free_wiped);
    for (size_t i = 0; i < OPERATORS_MAX; i++)
        control->operators[i].channel = (struct ipc_channel){ .fd = -1, .passed_fd = -1 };
    control->owner = geteuid();
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listener < 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    TRY(make_parent(path));
    return bind_socket(control->listener, path);
}

static void drop(struct operator *operator)
{
    ipc_channel_clear(&operator->channel);
    operator->listing = (struct listing){ 0 };
}

void control_clear(struct control *control)
{
    for (size_t i = 0; i < OPERATORS_MAX; i++)
        drop(&control->operators[i]);
    if (control->listener >= 0)
        close(control->listener);
    control->listener = -1;
}

/* --- Answers -------------------------------------------------------------------------- */

static enum status send_result(struct operator *operator, enum status status, bool more, const char *text,
                               struct span json)
{
    const struct ipc_message message = {
        .kind = IPC_KIND_result,
        .fd = -1,
        .result = { .status = (uint8_t)status, .more = more, .text = span_of_text(text), .json = json },
    };

    return ipc_channel_send(&operator->channel, &message);
}

/* `object` is taken. */
static enum status send_object(struct operator *operator, json_t *object, bool more)
{
    if (!object)
        return fail(FAULT, "no memory for an answer");
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!text)
        return fail(FAULT, "no memory for an answer");
    const enum status status = send_result(operator, OK, more, "", span_of_text(text));
    free_wiped(text);
    return status;
}

static enum status send_row(void *context, json_t *row)
{
    return send_object(context, row, true);
}

static enum status send_failure(struct operator *operator, enum status status)
{
    char text[1024];

    snprintf(text, sizeof text, "%s", fail_text());
    return send_result(operator, status, false, text, span_of(NULL, 0));
}

/* --- Who may connect --------------------------------------------------------------------- */

static enum status check_peer(const struct control *control, int fd, uid_t *uid)
{
    struct ucred peer = { 0 };
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return fail(FAULT, "cannot tell who connects: %s", strerror(errno));
    *uid = peer.uid;
    if (peer.uid == 0 || peer.uid == control->owner)
        return OK;
    return fail(REFUSED, "uid %u may not give commands; only root and uid %u, who started the server, may",
                (unsigned)peer.uid, (unsigned)control->owner);
}

static struct operator *find_place(struct control *control)
{
    for (size_t i = 0; i < OPERATORS_MAX; i++)
        if (control->operators[i].channel.fd < 0)
            return &control->operators[i];
    return NULL;
}

static void turn_away(int fd, enum status why)
{
    struct operator nobody = { 0 };

    log_write(LOG_WARNING, "an operator was turned away: %s", fail_text());
    if (ipc_channel_init(&nobody.channel, fd, IPC_REGISTRAR, IPC_OPERATOR, 0) != OK) {
        close(fd);
        return;
    }
    if (send_failure(&nobody, why) == OK)
        (void)!ipc_channel_flush(&nobody.channel);
    drop(&nobody);
}

void control_accept(struct control *control)
{
    const int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    struct operator *place = find_place(control);
    uid_t uid = 0;
    enum status status = check_peer(control, fd, &uid);
    if (status == OK && !place)
        status = fail(FAULT, "%d operators are connected already; end one of their commands", OPERATORS_MAX);
    if (status != OK) {
        turn_away(fd, status);
        return;
    }
    if (ipc_channel_init(&place->channel, fd, IPC_REGISTRAR, IPC_OPERATOR, 0) != OK) {
        log_write(LOG_WARNING, "%s", fail_text());
        close(fd);
        return;
    }
    place->uid = uid;
}

/* --- Commands ------------------------------------------------------------------------------ */

static enum status run_command(struct call *call, struct span text)
{
    json_error_t error;
    json_t *request = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);

    if (!request)
        return fail(BAD_INPUT, "the command is not JSON: %s", error.text);
    const enum status status = command_run(call, request);
    json_decref(request);
    return status;
}

static enum status take_command(struct control *control, struct operator *operator, struct span text, int64_t now_s)
{
    struct call call = { .registrar = control->registrar, .now_s = now_s, .uid = (unsigned)operator->uid };

    if (operator->listing.page)
        return fail(BAD_INPUT, "a command while another one's listing is under way");
    call.listing.send_row = send_row;
    call.listing.context = operator;
    const enum status status = run_command(&call, text);
    if (status != OK)
        return send_failure(operator, status);
    if (!call.listing.page)
        return send_object(operator, call.answer, false);
    operator->listing = call.listing;
    return OK;
}

enum status control_take(struct control *control, struct operator *operator, int64_t now_s)
{
    struct ipc_message message;
    const enum status filled = ipc_channel_fill(&operator->channel);

    if (filled == FAULT) {
        drop(operator);
        return OK;
    }
    for (;;) {
        enum status status = ipc_channel_next(&operator->channel, &message);
        if (status == PENDING)
            return OK;
        if (status == OK)
            status = take_command(control, operator, message.command.json, now_s);
        if (status == OK)
            continue;
        log_write(LOG_WARNING, "an operator's connection ends: %s", fail_text());
        drop(operator);
        return OK; /* had the ledger broken, the commit would tell */
    }
}

/* --- Listings --------------------------------------------------------------------------------- */

static bool can_continue(const struct control *control, const struct operator *operator)
{
    const struct listing *listing = &operator->listing;

    if (operator->channel.fd < 0 || !listing->page || operator->channel.out.len >= OUTPUT_ENOUGH_BYTES)
        return false;
    return !listing->follow || listing->after < store_event_newest(control->registrar->store);
}

bool control_has_work(const struct control *control)
{
    for (size_t i = 0; i < OPERATORS_MAX; i++)
        if (can_continue(control, &control->operators[i]))
            return true;
    return false;
}

static enum status continue_listing(struct control *control, struct operator *operator, int64_t now_s)
{
    struct listing *listing = &operator->listing;

    TRY(listing->page(control->registrar, listing, now_s));
    if (!listing->ended)
        return OK;
    *listing = (struct listing){ 0 };
    return send_object(operator, json_object(), false);
}

enum status control_continue(struct control *control, int64_t now_s)
{
    for (size_t i = 0; i < OPERATORS_MAX; i++) {
        struct operator *operator = &control->operators[i];
        if (can_continue(control, operator))
            TRY(continue_listing(control, operator, now_s));
    }
    return OK;
}

/* --- For the loop -------------------------------------------------------------------------------- */

void control_poll(const struct control *control, struct pollfd *polled)
{
    polled[0] = (struct pollfd){ .fd = control->listener, .events = POLLIN };
    for (size_t i = 0; i < OPERATORS_MAX; i++) {
        const struct ipc_channel *channel = &control->operators[i].channel;
        const short out = channel->fd >= 0 && ipc_channel_has_output(channel) ? POLLOUT : 0;
        polled[1 + i] = (struct pollfd){ .fd = channel->fd, .events = (short)(POLLIN | out) };
    }
}

void control_flush(struct control *control)
{
    for (size_t i = 0; i < OPERATORS_MAX; i++) {
        struct operator *operator = &control->operators[i];
        if (operator->channel.fd >= 0 && ipc_channel_has_output(&operator->channel) &&
            ipc_channel_flush(&operator->channel) == FAULT)
            drop(operator);
    }
}
