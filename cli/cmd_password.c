/* SPDX-License-Identifier: Apache-2.0
 *
 * muster password issue|unlock
 */
#include "cli/print.h"
#include "cli/profile_file.h"
#include "lib/base/file.h"

#define CHOSEN_MAX_BYTES 255

/* The first line of a file, or of standard input for "-"; never an argument, which others could see. */
static enum status read_chosen(const char *path, json_t *request)
{
    AUTO(buf_clear) struct buf text = { 0 };
    const bool input = strcmp(path, "-") == 0;

    TRY(file_read(input ? "/dev/stdin" : path, 4096, &text));
    const uint8_t *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    size_t length = end ? (size_t)(end - text.ptr) : text.len;
    if (length && text.ptr[length - 1] == '\r')
        length--;
    if (!length || length > CHOSEN_MAX_BYTES || memchr(text.ptr, 0, length))
        return fail(BAD_INPUT, "%s: expected a password of 1 to %d bytes on the first line",
                    input ? "standard input" : path, CHOSEN_MAX_BYTES);
    json_t *password = json_stringn((const char *)text.ptr, length);
    if (!password)
        return fail(BAD_INPUT, "%s: the password is not UTF-8", input ? "standard input" : path);
    json_object_set_new(request, "password", password);
    return OK;
}

static enum status make_request(const struct arguments *arguments, json_t *request)
{
    const char *chosen = arguments_get(arguments, "chosen-from");

    json_object_set_new(request, "device", json_string(arguments->positional));
    if (arguments_get(arguments, "lasting"))
        json_object_set_new(request, "lasting", json_true());
    TRY(request_add_lifetime(request, arguments));
    return chosen ? read_chosen(chosen, request) : OK;
}

static enum status print_issued(const struct session *session, json_t *issued, const char *file)
{
    if (session->json && file) {
        /* The file has it: it is not shown as well. */
        password_remove(issued);
        json_object_set_new(issued, "profile_file", json_string(file));
    }
    if (session->json)
        return table_print_json(issued, stdout);
    if (file)
        printf("A profile with the new password is in %s (hand it over safely).\n"
               "On the device: muster-agent enrol --profile %s\n", file, file);
    else
        print_password(issued);
    return OK;
}

static enum status password_issue(struct session *session, const struct arguments *arguments)
{
    AUTO(secret_decrefp) json_t *request = json_object();
    AUTO(json_decrefp) json_t *shown = NULL;
    AUTO(secret_decrefp) json_t *issued = NULL;
    const char *file = arguments_get(arguments, "profile-out");
    const bool replace = arguments_get(arguments, "force") != NULL;

    TRY(make_request(arguments, request));
    if (file) {
        TRY(profile_file_check(file, replace));
        TRY(client_ask(session->client, "device.show", request_of("name", arguments->positional), &shown));
    }
    TRY(client_ask(session->client, "password.issue", json_incref(request), &issued));
    if (file)
        TRY(profile_file_write(file, replace, json_object_get(shown, "profile"), issued));
    return print_issued(session, issued, file);
}

static enum status password_unlock(struct session *session, const struct arguments *arguments)
{
    AUTO(json_decrefp) json_t *answer = NULL;

    TRY(client_ask(session->client, "password.unlock", request_of("device", arguments->positional), &answer));
    if (session->json)
        return table_print_json(answer, stdout);
    printf("Device %s may try again with the password it has. Who had locked it:\n"
           "muster event list\n", arguments->positional);
    return OK;
}

const struct command password_commands[] = {
    { "password", "issue", "DEVICE", "Issue a new password, good for one certificate; any earlier one ends, a locked user is unlocked",
      password_issue,
      { { "lifetime", "TIME", "how long it is good: 12h, 7d, ..." },
        { "lasting", NULL, "good for any number of certificates until it ends" },
        { "chosen-from", "FILE", "take the password from the file's first line; - for standard input" },
        { "profile-out", "FILE", "write a ready profile there instead of printing the password" },
        { "force", NULL, "replace FILE if it is there already" } } },
    { "password", "unlock", "DEVICE", "Let a locked user try again with the password it has", password_unlock, { { 0 } } },
    { 0 },
};
