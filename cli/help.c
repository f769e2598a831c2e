/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include "cli/arguments.h"

static void print_call(const struct command *command, FILE *out)
{
    fprintf(out, "muster %s", command->group);
    if (command->verb)
        fprintf(out, " %s", command->verb);
    if (command->positional)
        fprintf(out, " %s", command->positional);
}

static void print_options(const struct option *options, FILE *out)
{
    char head[64];

    for (; options->name; options++) {
        snprintf(head, sizeof head, "--%s%s%s", options->name, options->value ? " " : "",
                 options->value ? options->value : "");
        fprintf(out, "  %-30s %s\n", head, options->what);
    }
}

static void print_command(const struct command *command, FILE *out)
{
    fputs("usage: ", out);
    print_call(command, out);
    fprintf(out, " [options]\n\n%s\n\n", command->what);
    print_options(command->options, out);
    print_options(global_options, out);
}

static void print_list(const struct command *command, FILE *out)
{
    char head[64];

    for (; command->group; command++) {
        snprintf(head, sizeof head, "%s%s%s%s%s", command->group, command->verb ? " " : "",
                 command->verb ? command->verb : "", command->positional ? " " : "",
                 command->positional ? command->positional : "");
        fprintf(out, "  %-30s %s\n", head, command->what);
    }
}

static void print_exit_codes(FILE *out)
{
    fputs("\nIt ends with 0 when done, 1 for a wrong command line, 2 for bad input, 3 when refused, 4 when a proof\n"
          "does not hold, 5 when something failed (the server cannot be reached), 6 when it must wait.\n",
          out);
}

void help_print(const struct arguments *arguments, const struct command *const *tables, FILE *out)
{
    if (arguments->command) {
        print_command(arguments->command, out);
        return;
    }
    fputs("usage: muster [--dir DIR | --socket PATH] [--json] COMMAND ...\n\n"
          "The operator's command for a muster server: devices, passwords, certificates, approvals, events.\n\n",
          out);
    for (; *tables; tables++)
        if (!arguments->group || strcmp((*tables)->group, arguments->group) == 0)
            print_list(*tables, out);
    fputs("\nEvery command takes:\n", out);
    print_options(global_options, out);
    print_exit_codes(out);
}

void help_print_usage(const struct arguments *arguments, FILE *out)
{
    const struct command *command = arguments->command;

    if (command) {
        fputs("usage: ", out);
        print_call(command, out);
        fputs(" [options]; --help tells more\n", out);
    } else if (arguments->group) {
        fprintf(out, "muster %s --help tells more\n", arguments->group);
    } else {
        fputs("muster --help tells more\n", out);
    }
}
