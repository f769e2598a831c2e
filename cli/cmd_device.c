/* SPDX-License-Identifier: Apache-2.0
 *
 * muster device add|list|show|remove
 */
#include "cli/print.h"
#include "cli/profile_file.h"

#define CHOICES_MAX 16

/* --- add ------------------------------------------------------------------------------------------ */

struct choices {
    const char *names[CHOICES_MAX]; /* lent from the server's answer */
    size_t count;
};

static void add_choice(struct choices *choices, const char *name)
{
    for (size_t i = 0; i < choices->count; i++)
        if (strcmp(choices->names[i], name) == 0)
            return;
    if (choices->count < CHOICES_MAX)
        choices->names[choices->count++] = name;
}

static void collect_templates(const json_t *paths, struct choices *choices)
{
    size_t i, j;
    json_t *path, *name;

    json_array_foreach(paths, i, path)
        json_array_foreach(json_object_get(path, "templates"), j, name)
            if (json_is_string(name))
                add_choice(choices, json_string_value(name));
}

/* Without --template: the server's only one. */
static enum status add_only_template(struct session *session, json_t *request)
{
    AUTO(json_decrefp) json_t *status = NULL;
    AUTO(buf_clear) struct buf list = { 0 };
    struct choices choices = { 0 };

    TRY(client_ask(session->client, "status", NULL, &status));
    collect_templates(json_object_get(status, "paths"), &choices);
    if (choices.count == 1) {
        json_object_set_new(request, "template", json_string(choices.names[0]));
        return OK;
    }
    for (size_t i = 0; i < choices.count; i++)
        TRY(buf_append_format(&list, "%s%s", i ? ", " : "", choices.names[i]));
    return fail(BAD_INPUT, "say which template with --template; the server has: %s",
                list.len ? buf_text(&list) : "none");
}

static enum status make_add_request(struct session *session, const struct arguments *arguments, json_t *request)
{
    json_object_set_new(request, "name", json_string(arguments->positional));
    request_add_option(request, "template", arguments, "template");
    request_add_option(request, "path", arguments, "path");
    request_add_option(request, "username", arguments, "username");
    return json_object_get(request, "template") ? OK : add_only_template(session, request);
}

static enum status issue_password(struct session *session, const struct arguments *arguments, json_t *lifetime,
                                  json_t **password)
{
    json_t *request = json_deep_copy(lifetime);

    json_object_set_new(request, "device", json_string(arguments->positional));
    if (client_ask(session->client, "password.issue", request, password) == OK)
        return OK;
    return fail_in(FAULT, "device %s was added, but has no password yet (muster password issue %s)",
                   arguments->positional, arguments->positional);
}

static enum status print_added(const struct session *session, json_t *added, json_t *password, const char *file)
{
    json_t *device = json_object_get(added, "device");

    if (password) { /* the device was described before it had one */
        json_object_set_new(device, "password", json_string("ready"));
        json_object_set(device, "password_expires_s", json_object_get(password, "expires_s"));
    }
    if (session->json) {
        if (file)
            json_object_set_new(added, "profile_file", json_string(file));
        else if (password)
            json_object_set(added, "password", password);
        return table_print_json(added, stdout);
    }
    printf("Device %s added: template %s, path %s.\n", json_string_value(json_object_get(device, "name")),
           json_string_value(json_object_get(device, "template")),
           json_string_value(json_object_get(device, "path")));
    if (file)
        printf("Its profile is in %s (it holds the password: hand it over safely).\n"
               "On the device: muster-agent enrol --profile %s\n", file, file);
    else if (password)
        print_password(password);
    return OK;
}

static enum status device_add(struct session *session, const struct arguments *arguments)
{
    AUTO(json_decrefp) json_t *request = json_object();
    AUTO(json_decrefp) json_t *lifetime = json_object();
    AUTO(json_decrefp) json_t *added = NULL;
    AUTO(secret_decrefp) json_t *password = NULL;
    const char *file = arguments_get(arguments, "profile-out");
    const bool replace = arguments_get(arguments, "force") != NULL;

    TRY(request_add_lifetime(lifetime, arguments));
    if (file)
        TRY(profile_file_check(file, replace));
    TRY(make_add_request(session, arguments, request));
    TRY(client_ask(session->client, "device.add", json_incref(request), &added));
    if (!arguments_get(arguments, "no-password"))
        TRY(issue_password(session, arguments, lifetime, &password));
    if (file && profile_file_write(file, replace, json_object_get(added, "profile"), password) != OK)
        return fail_in(FAULT, "device %s was added, but its profile was not written (muster password issue %s "
                       "--profile-out FILE)", arguments->positional, arguments->positional);
    return print_added(session, added, password, file);
}

/* --- list, show, remove ---------------------------------------------------------------------------- */

static enum status device_list(struct session *session, const struct arguments *arguments)
{
    static const struct column columns[] = {
        { "name", "NAME", COLUMN_TEXT },
        { "template", "TEMPLATE", COLUMN_TEXT },
        { "path", "PATH", COLUMN_TEXT },
        { "username", "USERNAME", COLUMN_TEXT },
        { "state", "STATE", COLUMN_TEXT },
        { "certificates", "CERTIFICATES", COLUMN_TEXT },
        { "password", "PASSWORD", COLUMN_TEXT },
        { "password_expires_s", "EXPIRES", COLUMN_TIME },
        { NULL, NULL, COLUMN_TEXT },
    };
    json_t *request = json_object();

    request_add_option(request, "template", arguments, "template");
    return print_listing(session, "device.list", request, columns);
}

static enum status device_show(struct session *session, const struct arguments *arguments)
{
    static const struct column certificates[] = {
        { "serial", "SERIAL", COLUMN_TEXT },
        { "not_before_s", "VALID FROM", COLUMN_TIME },
        { "not_after_s", "VALID UNTIL", COLUMN_TIME },
        { "state", "STATE", COLUMN_TEXT },
        { NULL, NULL, COLUMN_TEXT },
    };
    AUTO(json_decrefp) json_t *answer = NULL;
    AUTO(table_clear) struct table table = { 0 };
    size_t i;
    json_t *row;

    TRY(client_ask(session->client, "device.show", request_of("name", arguments->positional), &answer));
    if (session->json)
        return table_print_json(answer, stdout);
    table_print_object(device_columns, json_object_get(answer, "device"), stdout);
    const json_t *rows = json_object_get(answer, "certificates");
    if (!json_array_size(rows))
        return OK;
    putchar('\n');
    table_init(&table, certificates, stdout, false);
    json_array_foreach(rows, i, row)
        TRY(table_add(&table, row));
    return table_flush(&table);
}

static enum status device_remove(struct session *session, const struct arguments *arguments)
{
    AUTO(json_decrefp) json_t *answer = NULL;

    TRY(client_ask(session->client, "device.remove", request_of("name", arguments->positional), &answer));
    if (session->json)
        return table_print_json(answer, stdout);
    printf("Device %s can enrol no more. Its certificates stay valid until they expire or are revoked:\n"
           "muster certificate list --device %s\n",
           arguments->positional, arguments->positional);
    return OK;
}

const struct command device_commands[] = {
    { "device", "add", "NAME", "Register a device and issue its one-time password", device_add,
      { { "template", "T", "what its certificates look like (default: the server's only one)" },
        { "path", "P", "the enrolment path it uses (default: the first that takes the template)" },
        { "username", "U", "the name it enrols under (default: NAME)" },
        { "profile-out", "FILE", "write a ready profile there instead of printing the password" },
        { "force", NULL, "replace FILE if it is there already" },
        { "password-lifetime", "TIME", "how long the password is good: 12h, 7d, ..." },
        { "no-password", NULL, "issue none yet" } } },
    { "device", "list", NULL, "List the devices", device_list,
      { { "template", "T", "only those with this template" } } },
    { "device", "show", "NAME", "Show a device and its certificates", device_show, { { 0 } } },
    { "device", "remove", "NAME", "Let a device enrol no more", device_remove, { { 0 } } },
    { 0 },
};
