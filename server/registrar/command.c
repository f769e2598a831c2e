/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/command.h"

#include "lib/base/text.h"

static const struct command commands[] = {
    { "device.add", command_device_add, { "name", "template", "path", "username" } },
    { "device.list", command_device_list, { "template", "after", "limit" } },
    { "device.show", command_device_show, { "name" } },
    { "device.remove", command_device_remove, { "name" } },
    { "password.issue", command_password_issue, { "device", "lifetime_s", "password", "lasting" } },
    { "password.unlock", command_password_unlock, { "device" } },
    { "certificate.list", command_certificate_list, { "device", "state", "after", "limit" } },
    { "certificate.show", command_certificate_show, { "serial" } },
    { "certificate.revoke", command_certificate_revoke, { "serial", "reason" } },
    { "enrolment.list", command_enrolment_list, { "pending", "after", "limit" } },
    { "enrolment.show", command_enrolment_show, { "id" } },
    { "enrolment.approve", command_enrolment_approve, { "id" } },
    { "enrolment.reject", command_enrolment_reject, { "id", "reason" } },
    { "event.list", command_event_list, { "after", "limit", "follow" } },
    { "status", command_status, { NULL } },
};

static bool takes_argument(const struct command *command, const char *name)
{
    if (strcmp(name, "command") == 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(command->arguments) && command->arguments[i]; i++)
        if (strcmp(command->arguments[i], name) == 0)
            return true;
    return false;
}

static enum status check_arguments(const struct command *command, const json_t *request)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)request, name, value)
        if (!takes_argument(command, name))
            return fail(BAD_INPUT, "%s does not take \"%s\"; doc/ipc.md lists what it takes", command->name, name);
    return OK;
}

enum status command_run(struct call *call, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));

    if (!name)
        return fail(BAD_INPUT, "expected an object with a member \"command\"");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        TRY(check_arguments(&commands[i], request));
        call->arguments = request;
        return commands[i].run(call);
    }
    return fail(BAD_INPUT, "there is no command \"%s\"; doc/ipc.md lists them", name);
}

/* --- Arguments ------------------------------------------------------------------- */

enum status argument_text(const struct call *call, const char *name, bool needed, const char **out)
{
    const json_t *value = json_object_get(call->arguments, name);

    *out = json_string_value(value);
    if (*out && **out)
        return OK;
    *out = NULL;
    if (value && !json_is_null(value) && !json_is_string(value))
        return fail(BAD_INPUT, "\"%s\" is not a text", name);
    return needed ? fail(BAD_INPUT, "\"%s\" is missing", name) : OK;
}

enum status argument_truth(const struct call *call, const char *name, bool *out)
{
    const json_t *value = json_object_get(call->arguments, name);

    if (value && !json_is_boolean(value))
        return fail(BAD_INPUT, "\"%s\" is neither true nor false", name);
    *out = json_is_true(value);
    return OK;
}

enum status argument_number(const struct call *call, const char *name, int64_t least, int64_t otherwise, int64_t *out)
{
    const json_t *value = json_object_get(call->arguments, name);

    *out = otherwise;
    if (!value || json_is_null(value))
        return OK;
    if (!json_is_integer(value) || json_integer_value(value) < least)
        return fail(BAD_INPUT, "\"%s\" is not a whole number of at least %lld", name, (long long)least);
    *out = json_integer_value(value);
    return OK;
}

enum status argument_device(const struct call *call, const char *name, struct store_device *out)
{
    const char *device = NULL;

    TRY(argument_text(call, name, true, &device));
    TRY(store_device_find_name(call->registrar->store, span_of_text(device), out));
    if (!out->id)
        return fail(BAD_INPUT, "there is no device \"%s\"; list them with `muster device list`", device);
    return OK;
}

enum status argument_serial(const struct call *call, const char *name, struct buf *out)
{
    const char *text = NULL;

    TRY(argument_text(call, name, true, &text));
    if (hex_decode(span_of_text(text), out) != OK)
        return fail(BAD_INPUT, "serial number \"%s\" is not hexadecimal", text);
    while (out->len > 1 && out->ptr[0] == 0)
        buf_consume(out, 1);
    return OK;
}
