/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/options.h"

#include <string.h>

#define DEFAULT_STORE "/var/lib/muster-agent"

static const struct {
    const char *name;
    enum options_command command;
    const char *what;
} commands[] = {
    { "enrol", OPTIONS_ENROL, "get a certificate by a profile and install it" },
    { "show", OPTIONS_SHOW, "show the certificate in use: show --profile FILE, or show NAME" },
};

static const struct {
    const char *name;
    const char *value; /* NULL: a switch */
    size_t offset;     /* within struct options */
    const char *what;
} table[] = {
    { "--profile", "FILE", offsetof(struct options, profile), "the provisioning profile" },
    { "--store", "DIR", offsetof(struct options, store), "where certificates are kept (" DEFAULT_STORE ")" },
    { "--json", NULL, offsetof(struct options, json), "print one JSON object" },
    { "--verbose", NULL, offsetof(struct options, verbose), "tell each step on standard error" },
    { "--help", NULL, offsetof(struct options, help), "print this" },
    { "--version", NULL, offsetof(struct options, version), "print the version" },
};

static enum status parse_option(int count, char *const *words, int *at, struct options *out)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        void *to = (char *)out + table[i].offset;
        const size_t length = strlen(table[i].name);
        const char *word = words[*at];
        if (strncmp(word, table[i].name, length) != 0 || (word[length] && word[length] != '='))
            continue;
        if (!table[i].value && word[length])
            return fail(BAD_INPUT, "%s takes no value", table[i].name);
        if (!table[i].value) {
            *(bool *)to = true;
            return OK;
        }
        if (!word[length] && *at + 1 >= count)
            return fail(BAD_INPUT, "%s wants a value: %s", table[i].name, table[i].value);
        if (*(const char **)to)
            return fail(BAD_INPUT, "%s stands there twice", table[i].name);
        *(const char **)to = word[length] ? word + length + 1 : words[++*at];
        return OK;
    }
    return fail(BAD_INPUT, "unknown option %s", words[*at]);
}

static enum status parse_word(const char *word, struct options *out)
{
    for (size_t i = 0; out->command == OPTIONS_NONE && i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, word) == 0) {
            out->command = commands[i].command;
            return OK;
        }
    if (out->command == OPTIONS_NONE)
        return fail(BAD_INPUT, "unknown command \"%s\"; expected enrol or show", word);
    if (out->command != OPTIONS_SHOW || out->name)
        return fail(BAD_INPUT, "\"%s\" is one word too many", word);
    out->name = word;
    return OK;
}

enum status options_parse(int count, char *const *words, struct options *out)
{
    *out = (struct options){ 0 };
    for (int at = 0; at < count; at++)
        TRY(words[at][0] == '-' ? parse_option(count, words, &at, out) : parse_word(words[at], out));
    if (!out->store)
        out->store = DEFAULT_STORE;
    if (out->help || out->version)
        return OK;
    if (out->command == OPTIONS_NONE)
        return fail(BAD_INPUT, "no command given; expected enrol or show");
    if (out->command == OPTIONS_ENROL && !out->profile)
        return fail(BAD_INPUT, "enrol wants --profile FILE");
    if (out->command == OPTIONS_SHOW && !out->profile == !out->name)
        return fail(BAD_INPUT, "show wants --profile FILE or a profile's NAME");
    return OK;
}

void options_print_help(FILE *out)
{
    char head[32];

    fputs("usage: muster-agent enrol --profile FILE [--store DIR] [--json] [--verbose]\n"
          "       muster-agent show --profile FILE | NAME [--store DIR] [--json]\n\n",
          out);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].what);
    fputc('\n', out);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        snprintf(head, sizeof head, "%s %s", table[i].name, table[i].value ? table[i].value : "");
        fprintf(out, "  %-16s %s\n", head, table[i].what);
    }
    fputs("\nIt ends with 0 when done, 1 for a wrong command line, 2 for bad input, 3 when the server refuses, 4 when a\n"
          "proof does not hold, 5 when something failed (run it again), 6 when it waits for approval (run it again).\n",
          out);
}
