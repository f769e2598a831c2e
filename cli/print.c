/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

const struct column device_columns[] = {
    { "name", "Name", COLUMN_TEXT },
    { "template", "Template", COLUMN_TEXT },
    { "path", "Path", COLUMN_TEXT },
    { "username", "Username", COLUMN_TEXT },
    { "state", "State", COLUMN_TEXT },
    { "added_s", "Added", COLUMN_TIME },
    { "certificates", "Certificates", COLUMN_TEXT },
    { "wrong_tries", "Wrong tries", COLUMN_TEXT },
    { "password", "Password", COLUMN_TEXT },
    { "password_lasting", "Lasting", COLUMN_TEXT },
    { "password_expires_s", "Expires", COLUMN_TIME },
    { NULL, NULL, COLUMN_TEXT },
};

const struct column certificate_columns[] = {
    { "serial", "Serial", COLUMN_TEXT },
    { "device", "Device", COLUMN_TEXT },
    { "subject", "Subject", COLUMN_TEXT },
    { "subject_alt_name", "Alternative names", COLUMN_TEXT },
    { "authority", "Authority", COLUMN_TEXT },
    { "template", "Template", COLUMN_TEXT },
    { "not_before_s", "Valid from", COLUMN_TIME },
    { "not_after_s", "Valid until", COLUMN_TIME },
    { "state", "State", COLUMN_TEXT },
    { "revoked_s", "Revoked", COLUMN_TIME },
    { "reason", "Reason", COLUMN_TEXT },
    { "fingerprint", "Fingerprint", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

void password_remove(json_t *object)
{
    const char *password = json_string_value(json_object_get(object, "password"));

    if (!password)
        return;
    explicit_bzero((char *)password, strlen(password));
    json_object_del(object, "password");
}

void secret_decrefp(json_t **object)
{
    password_remove(*object);
    json_decref(*object);
}

json_t *request_of(const char *member, const char *value)
{
    json_t *request = json_object();

    json_object_set_new(request, member, json_string(value));
    return request;
}

void request_add_option(json_t *request, const char *member, const struct arguments *arguments,
                        const char *option)
{
    const char *value = arguments_get(arguments, option);

    if (value)
        json_object_set_new(request, member, json_string(value));
}

static enum status add_duration(json_t *request, const char *text)
{
    int64_t seconds = 0;

    TRY(duration_parse(text, &seconds));
    json_object_set_new(request, "lifetime_s", json_integer(seconds));
    return OK;
}

enum status request_add_lifetime(json_t *request, const struct arguments *arguments)
{
    static const char *const options[] = { "lifetime", "password-lifetime" };

    for (size_t i = 0; i < COUNT_OF(options); i++) {
        const char *text = arguments_get(arguments, options[i]);
        if (text && add_duration(request, text) != OK)
            return fail_in(BAD_INPUT, "--%s", options[i]);
    }
    return OK;
}

static enum status add_row(void *context, json_t *row)
{
    return table_add(context, row);
}

enum status print_listing(struct session *session, const char *command, json_t *request,
                          const struct column *columns)
{
    AUTO(table_clear) struct table table = { 0 };

    table_init(&table, columns, stdout, session->json);
    TRY(client_list(session->client, command, request, false, add_row, &table));
    return table_flush(&table);
}

void print_password(const json_t *password)
{
    static const struct column columns[] = {
        { "username", "Username", COLUMN_TEXT },
        { "password", "Password", COLUMN_TEXT },
        { "expires_s", "Expires", COLUMN_TIME },
        { NULL, NULL, COLUMN_TEXT },
    };

    table_print_object(columns, password, stdout);
    puts("The password is shown this once only.");
}

enum status serial_from_argument(const char *text, char *serial, size_t size)
{
    AUTO(buf_clear) struct buf bytes = { 0 };

    if (hex_decode(span_of_text(text), &bytes) != OK || !bytes.len || 2 * bytes.len + 1 > size)
        return fail(BAD_INPUT, "\"%s\" is not a serial number: up to %zu hexadecimal digits", text, size - 1);
    hex_encode(buf_span(&bytes), serial);
    return OK;
}
