/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include "cli/suggest.h"
#include "lib/base/text.h"

#include <stdio.h>

#define TEN_YEARS_S INT64_C(315360000)

const struct option global_options[] = {
    { "dir", "DIR", "the server's directory (default: $MUSTER_DIR, else /var/lib/muster)" },
    { "socket", "PATH", "the server's control socket (default: DIR/run/control.sock)" },
    { "json", NULL, "print JSON, one object a line" },
    { "help", NULL, "explain the command" },
    { "version", NULL, "print the version" },
    { NULL, NULL, NULL },
};

struct parser {
    int count;
    char *const *words;
    int at;
    const struct command *const *tables;
    struct arguments *out;
};

static int find_option(const struct option *options, struct span name)
{
    for (int i = 0; options[i].name; i++)
        if (span_equal(span_of_text(options[i].name), name))
            return i;
    return -1;
}

static enum status set_global(struct parser *p, int which, const char *value)
{
    const char *name = global_options[which].name;

    if (strcmp(name, "dir") == 0)
        p->out->directory = value;
    if (strcmp(name, "socket") == 0)
        p->out->socket = value;
    if (strcmp(name, "json") == 0)
        p->out->json = true;
    if (strcmp(name, "help") == 0)
        p->out->help = true;
    if (strcmp(name, "version") == 0)
        p->out->version = true;
    return OK;
}

/* The value behind '=', or the next word; a switch has none. */
static enum status take_value(struct parser *p, const struct option *option, const char *equals,
                              const char **value)
{
    if (!option->value && equals)
        return fail(BAD_INPUT, "--%s takes no value", option->name);
    if (!option->value) {
        *value = "";
        return OK;
    }
    if (equals) {
        *value = equals + 1;
        return OK;
    }
    if (p->at + 1 >= p->count)
        return fail(BAD_INPUT, "--%s wants a value: %s", option->name, option->value);
    *value = p->words[++p->at];
    return OK;
}

static enum status parse_option(struct parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    const struct span name = { (const uint8_t *)word + 2,
                               equals ? (size_t)(equals - word) - 2 : strlen(word) - 2 };
    const int global = find_option(global_options, name);
    const char *value = NULL;

    if (global >= 0) {
        TRY(take_value(p, &global_options[global], equals, &value));
        return set_global(p, global, value);
    }
    const struct command *command = p->out->command;
    const int own = command ? find_option(command->options, name) : -1;
    if (own < 0)
        return fail(BAD_INPUT, "unknown option %s", word);
    TRY(take_value(p, &command->options[own], equals, &value));
    if (p->out->values[own])
        return fail(BAD_INPUT, "--%s stands there twice", command->options[own].name);
    p->out->values[own] = value;
    return OK;
}

static const struct command *find_group(const struct command *const *tables, const char *group)
{
    for (; *tables; tables++)
        if (strcmp((*tables)->group, group) == 0)
            return *tables;
    return NULL;
}

static enum status parse_group(struct parser *p, const char *word)
{
    const struct command *table = find_group(p->tables, word);
    struct suggestion near = { .wanted = word };

    if (!table) {
        for (const struct command *const *t = p->tables; *t; t++)
            suggestion_offer(&near, (*t)->group);
        return near.best ? fail(BAD_INPUT, "unknown command \"%s\"; did you mean \"%s\"?", word, near.best)
                         : fail(BAD_INPUT, "unknown command \"%s\"", word);
    }
    p->out->group = table->group;
    if (!table->verb)
        p->out->command = table;
    return OK;
}

static enum status parse_verb(struct parser *p, const char *word)
{
    const struct command *command = find_group(p->tables, p->out->group);
    struct suggestion near = { .wanted = word };

    for (; command->group; command++) {
        if (strcmp(command->verb, word) == 0) {
            p->out->command = command;
            return OK;
        }
        suggestion_offer(&near, command->verb);
    }
    if (near.best)
        return fail(BAD_INPUT, "unknown command \"%s %s\"; did you mean \"%s %s\"?", p->out->group, word,
                    p->out->group, near.best);
    return fail(BAD_INPUT, "unknown command \"%s %s\"", p->out->group, word);
}

static enum status parse_word(struct parser *p, const char *word)
{
    if (!p->out->group)
        return parse_group(p, word);
    if (!p->out->command)
        return parse_verb(p, word);
    if (!p->out->command->positional || p->out->positional)
        return fail(BAD_INPUT, "\"%s\" is one word too many", word);
    p->out->positional = word;
    return OK;
}

static enum status check_complete(const struct arguments *out)
{
    if (out->help || out->version)
        return OK;
    if (!out->group)
        return fail(BAD_INPUT, "no command given");
    if (!out->command)
        return fail(BAD_INPUT, "\"%s\" wants a command behind it", out->group);
    if (out->command->positional && !out->positional)
        return fail(BAD_INPUT, "%s is missing", out->command->positional);
    return OK;
}

enum status arguments_parse(int count, char *const *words, const struct command *const *tables,
                            struct arguments *out)
{
    struct parser p = { .count = count, .words = words, .tables = tables, .out = out };
    bool options_ended = false;

    *out = (struct arguments){ 0 };
    for (; p.at < p.count; p.at++) {
        const char *word = words[p.at];
        if (!options_ended && strcmp(word, "--") == 0) {
            options_ended = true;
            continue;
        }
        if (!options_ended && strcmp(word, "-h") == 0)
            word = "--help";
        if (!options_ended && strncmp(word, "--", 2) == 0)
            TRY(parse_option(&p, word));
        else
            TRY(parse_word(&p, word));
    }
    return check_complete(out);
}

const char *arguments_get(const struct arguments *arguments, const char *name)
{
    const int i = find_option(arguments->command->options, span_of_text(name));

    return i < 0 ? NULL : arguments->values[i];
}

enum status arguments_get_number(const struct arguments *arguments, const char *name, int64_t low, int64_t high,
                                 int64_t *out)
{
    const char *text = arguments_get(arguments, name);

    if (!text)
        return OK;
    return number_parse(text, low, high, out) == OK ? OK : fail_in(BAD_INPUT, "--%s", name);
}

enum status duration_parse(const char *text, int64_t *seconds)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    const size_t length = strlen(text);
    char digits[16];
    int64_t number = 0;

    for (size_t i = 0; length > 1 && length <= sizeof digits && i < COUNT_OF(units); i++) {
        if (text[length - 1] != units[i].letter)
            continue;
        snprintf(digits, sizeof digits, "%.*s", (int)length - 1, text);
        if (number_parse(digits, 1, TEN_YEARS_S / units[i].seconds, &number) != OK)
            break;
        *seconds = number * units[i].seconds;
        return OK;
    }
    return fail(BAD_INPUT, "\"%s\" is not a length of time; expected such as 90s, 30m, 12h, 7d or 2w, up to ten years",
                text);
}
