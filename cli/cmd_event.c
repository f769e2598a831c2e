/* SPDX-License-Identifier: Apache-2.0
 *
 * muster event list
 */
#include "cli/print.h"

static const struct column columns[] = {
    { "id", "ID", COLUMN_TEXT },
    { "when_s", "WHEN", COLUMN_TIME },
    { "kind", "KIND", COLUMN_TEXT },
    { "device", "DEVICE", COLUMN_TEXT },
    { "path", "PATH", COLUMN_TEXT },
    { "address", "ADDRESS", COLUMN_TEXT },
    { "serial", "SERIAL", COLUMN_TEXT },
    { "text", "TEXT", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

/* While following, a row is shown when it comes; columns cannot wait for what may come later. */
static enum status show_row(void *context, json_t *row)
{
    struct table *table = context;

    TRY(table_add(table, row));
    return table_flush(table);
}

static enum status follow(struct session *session, json_t *request)
{
    AUTO(table_clear) struct table table = { 0 };

    json_object_set_new(request, "follow", json_true());
    table_init(&table, columns, stdout, session->json);
    return client_list(session->client, "event.list", request, true, show_row, &table);
}

static enum status event_list(struct session *session, const struct arguments *arguments)
{
    AUTO(json_decrefp) json_t *request = json_object();
    int64_t after = 0, limit = 0;

    TRY(arguments_get_number(arguments, "after", 0, INT64_MAX, &after));
    TRY(arguments_get_number(arguments, "limit", 1, INT64_MAX, &limit));
    if (after)
        json_object_set_new(request, "after", json_integer(after));
    if (limit)
        json_object_set_new(request, "limit", json_integer(limit));
    if (arguments_get(arguments, "follow"))
        return follow(session, json_incref(request));
    return print_listing(session, "event.list", json_incref(request), columns);
}

const struct command event_commands[] = {
    { "event", "list", NULL, "List what has happened", event_list,
      { { "after", "ID", "only events after this one" },
        { "limit", "N", "at most so many" },
        { "follow", NULL, "go on showing new ones until interrupted" } } },
    { 0 },
};
