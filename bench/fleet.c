/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/fleet.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* The registrar commits for all the commands that wait, so several connections are faster than one; it takes 16. */
#define CONNECTIONS 12
#define ANSWER_WAIT_MS 30000

enum step { STEP_IDLE, STEP_ADD, STEP_PASSWORD };

struct lane {
    struct control control;
    enum step step;
    size_t device;
};

struct registration {
    const char *template;
    struct fleet *fleet;
    size_t next;
    size_t done;
    struct lane lanes[CONNECTIONS];
};

static enum status copy_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text)
        return fail(BAD_INPUT, "the registrar's answer has no \"%s\"", key);
    return span_to_text(span_of_text(text), out, size);
}

static enum status read_profile(const json_t *answer, struct fleet_device *device)
{
    const json_t *profile = json_object_get(answer, "profile");
    const json_t *sans = json_object_get(profile, "subject_alt_name");

    TRY(copy_text(profile, "username", device->username, sizeof(device->username)));
    TRY(copy_text(profile, "username_form", device->username_form, sizeof(device->username_form)));
    TRY(copy_text(profile, "subject", device->subject, sizeof(device->subject)));
    for (size_t i = 0; i < json_array_size(sans); i++) {
        const char *text = json_string_value(json_array_get(sans, i));

        if (i == FLEET_SANS_MAX || !text)
            return fail(BAD_INPUT, "a profile with more than %d alternative names", FLEET_SANS_MAX);
        TRY(span_to_text(span_of_text(text), device->sans[device->sans_count++], sizeof(device->sans[0])));
    }
    return OK;
}

static enum status send_command(struct lane *lane, json_t *command)
{
    const enum status status = command ? control_send(&lane->control, command) : fail(FAULT, "no memory");

    json_decref(command);
    return status;
}

static enum status start_next(struct registration *r, struct lane *lane)
{
    lane->step = STEP_IDLE;
    if (r->next == r->fleet->count)
        return OK;
    lane->device = r->next++;
    lane->step = STEP_ADD;
    return send_command(lane, json_pack("{s:s,s:s,s:s}", "command", "device.add", "name",
                                        r->fleet->devices[lane->device].name, "template", r->template));
}

static enum status handle_answer(struct registration *r, struct lane *lane, const json_t *answer)
{
    struct fleet_device *device = &r->fleet->devices[lane->device];

    switch (lane->step) {
    case STEP_IDLE:
        return fail(BAD_INPUT, "an answer without a command");
    case STEP_ADD:
        TRY(read_profile(answer, device));
        lane->step = STEP_PASSWORD;
        return send_command(lane, json_pack("{s:s,s:s}", "command", "password.issue", "device", device->name));
    case STEP_PASSWORD:
        TRY(copy_text(answer, "password", device->password, sizeof(device->password)));
        r->done++;
        return start_next(r, lane);
    }
    return OK;
}

static enum status serve_lane(struct registration *r, struct lane *lane)
{
    json_t *answer = NULL;
    const enum status received = control_receive(&lane->control, &answer);

    if (received == PENDING)
        return OK;
    if (received != OK)
        return fail_in(received, "registering %s: ", r->fleet->devices[lane->device].name);
    const enum status status = handle_answer(r, lane, answer);
    json_decref(answer);
    return status;
}

static enum status register_all(struct registration *r)
{
    struct pollfd waits[CONNECTIONS];

    for (size_t i = 0; i < CONNECTIONS; i++)
        TRY(start_next(r, &r->lanes[i]));
    while (r->done < r->fleet->count) {
        for (size_t i = 0; i < CONNECTIONS; i++)
            waits[i] = (struct pollfd){ .fd = r->lanes[i].control.channel.fd, .events = POLLIN };
        if (poll(waits, CONNECTIONS, ANSWER_WAIT_MS) <= 0)
            return fail(FAULT, "the registrar does not answer");
        for (size_t i = 0; i < CONNECTIONS; i++)
            if (waits[i].revents)
                TRY(serve_lane(r, &r->lanes[i]));
    }
    return OK;
}

static enum status fleet_init(struct fleet *fleet, const char *prefix, size_t count)
{
    fleet->devices = calloc(count, sizeof(*fleet->devices));
    fleet->count = count;
    if (!fleet->devices)
        return fail(FAULT, "no memory for %zu devices", count);
    for (size_t i = 0; i < count; i++)
        snprintf(fleet->devices[i].name, sizeof(fleet->devices[i].name), "%s-%06zu", prefix, i);
    return OK;
}

enum status fleet_register(const char *directory, const char *template, const char *prefix, size_t count,
                           struct fleet *out)
{
    struct registration r = { .template = template, .fleet = out };
    enum status status = fleet_init(out, prefix, count);
    size_t opened = 0;

    while (status == OK && opened < CONNECTIONS) {
        status = control_open(directory, &r.lanes[opened].control);
        opened += status == OK;
    }
    if (status == OK)
        status = register_all(&r);
    while (opened > 0)
        control_close(&r.lanes[--opened].control);
    return status;
}

void fleet_clear(struct fleet *fleet)
{
    if (fleet->devices)
        explicit_bzero(fleet->devices, fleet->count * sizeof(*fleet->devices));
    free(fleet->devices);
    *fleet = (struct fleet){ 0 };
}
