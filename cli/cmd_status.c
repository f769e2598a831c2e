/* SPDX-License-Identifier: Apache-2.0
 *
 * muster status
 */
#include "cli/print.h"

static const struct column status_columns[] = {
    { "version", "Version", COLUMN_TEXT },
    { "openssl", "OpenSSL", COLUMN_TEXT },
    { "started_s", "Started", COLUMN_TIME },
    { "now_s", "Now", COLUMN_TIME },
    { "public_url", "Devices reach it at", COLUMN_TEXT },
    { "signer", "Signer", COLUMN_TEXT },
    { "responders", "Responders", COLUMN_TEXT },
    { "devices", "Devices", COLUMN_TEXT },
    { "certificates", "Certificates", COLUMN_TEXT },
    { "valid", "  valid", COLUMN_TEXT },
    { "expired", "  expired", COLUMN_TEXT },
    { "revoked", "  revoked", COLUMN_TEXT },
    { "pending", "Wait for approval", COLUMN_TEXT },
    { "open_intents", "Open intents", COLUMN_TEXT },
    { "events", "Events", COLUMN_TEXT },
    { "journal_sequence", "Signer's journal", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

static const struct column authority_columns[] = {
    { "name", "AUTHORITY", COLUMN_TEXT },
    { "subject", "SUBJECT", COLUMN_TEXT },
    { "not_after_s", "VALID UNTIL", COLUMN_TIME },
    { "fingerprint", "FINGERPRINT", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

static const struct column path_columns[] = {
    { "name", "PATH", COLUMN_TEXT },
    { "url", "URL", COLUMN_TEXT },
    { "templates", "TEMPLATES", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

static const struct column legacy_columns[] = {
    { "DES", "Messages with single DES since the start", COLUMN_TEXT },
    { "3DES", "  with 3DES", COLUMN_TEXT },
    { "MD5", "  with MD5", COLUMN_TEXT },
    { "SHA-1", "  with SHA-1", COLUMN_TEXT },
    { NULL, NULL, COLUMN_TEXT },
};

static enum status print_rows(const struct column *columns, const json_t *rows)
{
    AUTO(table_clear) struct table table = { 0 };
    size_t i;
    json_t *row;

    if (!json_array_size(rows))
        return OK;
    putchar('\n');
    table_init(&table, columns, stdout, false);
    json_array_foreach(rows, i, row)
        TRY(table_add(&table, row));
    return table_flush(&table);
}

static enum status show_status(struct session *session, const struct arguments *arguments)
{
    AUTO(json_decrefp) json_t *answer = NULL;

    (void)arguments;
    TRY(client_ask(session->client, "status", NULL, &answer));
    if (session->json)
        return table_print_json(answer, stdout);
    table_print_object(status_columns, answer, stdout);
    table_print_object(legacy_columns, json_object_get(answer, "legacy"), stdout);
    TRY(print_rows(authority_columns, json_object_get(answer, "authorities")));
    return print_rows(path_columns, json_object_get(answer, "paths"));
}

const struct command status_commands[] = {
    { "status", NULL, NULL, "Show how the server is", show_status, { { 0 } } },
    { 0 },
};
