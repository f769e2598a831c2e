/* SPDX-License-Identifier: Apache-2.0
 *
 * muster enrolment list|show|approve|reject
 */
#include "cli/print.h"

#include "lib/base/text.h"

static enum status enrolment_list(struct session *session, const struct arguments *arguments)
{
    static const struct column columns[] = {
        { "id", "ID", COLUMN_TEXT },
        { "device", "DEVICE", COLUMN_TEXT },
        { "state", "STATE", COLUMN_TEXT },
        { "asked_s", "ASKED", COLUMN_TIME },
        { "expires_s", "EXPIRES", COLUMN_TIME },
        { "path", "PATH", COLUMN_TEXT },
        { "template", "TEMPLATE", COLUMN_TEXT },
        { "renewal", "RENEWAL", COLUMN_TEXT },
        { "address", "ADDRESS", COLUMN_TEXT },
        { "subject", "SUBJECT", COLUMN_TEXT },
        { NULL, NULL, COLUMN_TEXT },
    };
    json_t *request = json_object();

    if (arguments_get(arguments, "pending"))
        json_object_set_new(request, "pending", json_true());
    return print_listing(session, "enrolment.list", request, columns);
}

static const struct column enrolment_columns[] = {
    { "id", "Enrolment", COLUMN_TEXT },
    { "state", "State", COLUMN_TEXT },
    { "device", "Device", COLUMN_TEXT },
    { "path", "Path", COLUMN_TEXT },
    { "template", "Template", COLUMN_TEXT },
    { "authority", "Authority", COLUMN_TEXT },
    { "renewal", "Renewal", COLUMN_TEXT },
    { "subject", "Subject", COLUMN_TEXT },
    { "subject_alt_name", "Alternative names", COLUMN_TEXT },
    { "key", "SHA-256 of the key", COLUMN_TEXT },
    { "serial", "Serial", COLUMN_TEXT },
    { "transaction", "Transaction", COLUMN_TEXT },
    { "address", "Address", COLUMN_TEXT },
    { "asked_s", "Asked", COLUMN_TIME },
    { "expires_s", "Expires", COLUMN_TIME },
    { "decided_s", "Decided", COLUMN_TIME },
    { "decided_by", "By", COLUMN_TEXT },
    { "reason", "Reason", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

static enum status ask_by_id(struct session *session, const char *command, const struct arguments *arguments,
                             json_t **answer)
{
    int64_t id = 0;

    if (number_parse(arguments->positional, 1, INT64_MAX, &id) != OK)
        return fail(BAD_INPUT, "\"%s\" is not an enrolment's number; list them with: muster enrolment list",
                    arguments->positional);
    json_t *request = json_object();
    json_object_set_new(request, "id", json_integer(id));
    request_add_option(request, "reason", arguments, "reason");
    return client_ask(session->client, command, request, answer);
}

static enum status enrolment_show(struct session *session, const struct arguments *arguments)
{
    AUTO(json_decrefp) json_t *answer = NULL;

    TRY(ask_by_id(session, "enrolment.show", arguments, &answer));
    const json_t *enrolment = json_object_get(answer, "enrolment");
    if (session->json)
        return table_print_json(enrolment, stdout);
    table_print_object(enrolment_columns, enrolment, stdout);
    return OK;
}

static enum status decide(struct session *session, const struct arguments *arguments, const char *command,
                          const char *what)
{
    AUTO(json_decrefp) json_t *answer = NULL;

    TRY(ask_by_id(session, command, arguments, &answer));
    const json_t *enrolment = json_object_get(answer, "enrolment");
    if (session->json)
        return table_print_json(enrolment, stdout);
    printf("Enrolment %lld of %s is %s; the device hears it when it asks again.\n",
           (long long)json_integer_value(json_object_get(enrolment, "id")),
           json_string_value(json_object_get(enrolment, "device")), what);
    return OK;
}

static enum status enrolment_approve(struct session *session, const struct arguments *arguments)
{
    return decide(session, arguments, "enrolment.approve", "approved");
}

static enum status enrolment_reject(struct session *session, const struct arguments *arguments)
{
    if (!arguments_get(arguments, "reason"))
        return fail(BAD_INPUT, "--reason is missing: a text that the device is told");
    return decide(session, arguments, "enrolment.reject", "rejected");
}

const struct command enrolment_commands[] = {
    { "enrolment", "list", NULL, "List the enrolments", enrolment_list,
      { { "pending", NULL, "only those that wait for approval" } } },
    { "enrolment", "show", "ID", "Show an enrolment", enrolment_show, { { 0 } } },
    { "enrolment", "approve", "ID", "Approve a request that waits", enrolment_approve, { { 0 } } },
    { "enrolment", "reject", "ID", "Reject a request that waits", enrolment_reject,
      { { "reason", "TEXT", "why; the device is told" } } },
    { 0 },
};
