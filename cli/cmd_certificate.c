/* SPDX-License-Identifier: Apache-2.0
 *
 * muster certificate list|show|revoke
 */
#include "cli/print.h"

#define SERIAL_TEXT_BYTES 41

static enum status certificate_list(struct session *session, const struct arguments *arguments)
{
    static const struct column columns[] = {
        { "serial", "SERIAL", COLUMN_TEXT },
        { "device", "DEVICE", COLUMN_TEXT },
        { "not_before_s", "VALID FROM", COLUMN_TIME },
        { "not_after_s", "VALID UNTIL", COLUMN_TIME },
        { "state", "STATE", COLUMN_TEXT },
        { "subject", "SUBJECT", COLUMN_TEXT },
        { NULL, NULL, COLUMN_TEXT },
    };
    json_t *request = json_object();

    request_add_option(request, "device", arguments, "device");
    request_add_option(request, "state", arguments, "state");
    return print_listing(session, "certificate.list", request, columns);
}

static enum status ask_by_serial(struct session *session, const char *command, const struct arguments *arguments,
                                 json_t **answer)
{
    char serial[SERIAL_TEXT_BYTES];

    TRY(serial_from_argument(arguments->positional, serial, sizeof serial));
    json_t *request = request_of("serial", serial);
    if (strcmp(command, "certificate.revoke") == 0)
        request_add_option(request, "reason", arguments, "reason");
    return client_ask(session->client, command, request, answer);
}

static enum status certificate_show(struct session *session, const struct arguments *arguments)
{
    AUTO(json_decrefp) json_t *answer = NULL;

    TRY(ask_by_serial(session, "certificate.show", arguments, &answer));
    const json_t *certificate = json_object_get(answer, "certificate");
    const char *pem = json_string_value(json_object_get(certificate, "pem"));
    if (session->json)
        return table_print_json(certificate, stdout);
    if (arguments_get(arguments, "pem"))
        fputs(pem ? pem : "", stdout);
    else
        table_print_object(certificate_columns, certificate, stdout);
    return OK;
}

static enum status check_reason(const char *reason)
{
    /* RFC 5280 s5.3.1, those that make sense for a device's certificate. */
    static const char *const reasons[] = { "unspecified", "keyCompromise", "affiliationChanged", "superseded",
                                           "cessationOfOperation", "privilegeWithdrawn" };

    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (strcmp(reasons[i], reason) == 0)
            return OK;
    return fail(BAD_INPUT, "--reason \"%s\": expected unspecified, keyCompromise, affiliationChanged, superseded, "
                "cessationOfOperation or privilegeWithdrawn", reason);
}

static enum status certificate_revoke(struct session *session, const struct arguments *arguments)
{
    AUTO(json_decrefp) json_t *answer = NULL;
    const char *reason = arguments_get(arguments, "reason");

    if (reason)
        TRY(check_reason(reason));
    TRY(ask_by_serial(session, "certificate.revoke", arguments, &answer));
    const json_t *certificate = json_object_get(answer, "certificate");
    if (session->json)
        return table_print_json(certificate, stdout);
    printf("Certificate %s of %s is recorded as revoked.\n",
           json_string_value(json_object_get(certificate, "serial")),
           json_string_value(json_object_get(certificate, "device")));
    return OK;
}

const struct command certificate_commands[] = {
    { "certificate", "list", NULL, "List the certificates", certificate_list,
      { { "device", "D", "only those of this device" },
        { "state", "S", "only those that are: valid, expired, revoked" } } },
    { "certificate", "show", "SERIAL", "Show a certificate", certificate_show,
      { { "pem", NULL, "print the certificate itself" } } },
    { "certificate", "revoke", "SERIAL", "Record a certificate as revoked", certificate_revoke,
      { { "reason", "R", "why, in RFC 5280's words: keyCompromise, superseded, ..." } } },
    { 0 },
};
