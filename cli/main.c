/* SPDX-License-Identifier: Apache-2.0
 *
 * muster: the operator's command.  It talks to the registrar's control socket and holds nothing itself.
 */
#include "cli/arguments.h"
#include "cli/help.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_DIRECTORY "/var/lib/muster"
#define CONTROL_SOCKET "run/control.sock"

static const struct command *const tables[] = {
    device_commands, password_commands, certificate_commands, enrolment_commands, event_commands, status_commands, NULL,
};

static enum status find_socket(const struct arguments *arguments, char path[PATH_MAX])
{
    const char *directory = arguments->directory ? arguments->directory : getenv("MUSTER_DIR");
    const int n = arguments->socket ? snprintf(path, PATH_MAX, "%s", arguments->socket)
                                    : snprintf(path, PATH_MAX, "%s/%s", directory ? directory : DEFAULT_DIRECTORY,
                                               CONTROL_SOCKET);

    return n < PATH_MAX ? OK : fail(BAD_INPUT, "the server's directory has too long a name");
}

static enum status run(const struct arguments *arguments)
{
    AUTO(client_freep) struct client *client = NULL;
    char path[PATH_MAX];

    TRY(find_socket(arguments, path));
    TRY(client_new(path, &client));
    struct session session = { client, arguments->json };
    return arguments->command->run(&session, arguments);
}

int main(int argc, char **argv)
{
    struct arguments arguments;

    if (arguments_parse(argc - 1, argv + 1, tables, &arguments) != OK) {
        fprintf(stderr, "muster: %s\n", fail_text());
        help_print_usage(&arguments, stderr);
        return EXIT_USAGE;
    }
    if (arguments.version) {
        puts("muster " MUSTER_VERSION);
        return 0;
    }
    if (arguments.help) {
        help_print(&arguments, tables, stdout);
        return 0;
    }
    const enum status status = run(&arguments);
    if (status != OK)
        fprintf(stderr, "muster: %s\n", fail_text());
    return status_exit_code(status);
}
