/* SPDX-License-Identifier: Apache-2.0
 *
 * A profile as a file, and profile.def as a table for doc/profile.md.
 */
#include "lib/profile/profile.h"

/* libconfuse expands ${NAME} and escapes inside double quotes. */
static enum status write_quoted(const char *text, struct buf *out)
{
    TRY(buf_append_text(out, "\""));
    for (const char *c = text; *c; c++) {
        if (strchr("\"\\$", *c))
            TRY(buf_append_text(out, "\\"));
        TRY(buf_append(out, span_of(c, 1)));
    }
    return buf_append_text(out, "\"");
}

static enum status write_list(const struct profile_list *list, struct buf *out)
{
    TRY(buf_append_text(out, "{"));
    for (size_t i = 0; i < list->count; i++) {
        if (i)
            TRY(buf_append_text(out, ", "));
        TRY(write_quoted(list->items[i], out));
    }
    return buf_append_text(out, "}");
}

static enum status write_value(const struct profile *profile, const struct profile_parameter *parameter,
                               struct buf *out)
{
    const void *at = (const char *)profile + parameter->offset;

    switch (parameter->type) {
    case PROFILE_STRING:
        return write_quoted(at, out);
    case PROFILE_UNSIGNED:
        return buf_append_format(out, "%u", *(const unsigned *)at);
    case PROFILE_BOOLEAN:
        return buf_append_text(out, *(const bool *)at ? "true" : "false");
    case PROFILE_LIST:
        return write_list(at, out);
    }
    return fail(FAULT, "%s: a type that profile.def does not know", parameter->name);
}

enum status profile_write(const struct profile *profile, struct buf *out)
{
    size_t count;
    const struct profile_parameter *parameters = profile_parameters(&count);

    TRY(buf_append_text(out, "# Muster provisioning profile; doc/profile.md explains the parameters.\n"));
    for (size_t i = 0; i < count; i++) {
        TRY(buf_append_format(out, "\n# %s\n%s = ", parameters[i].what, parameters[i].name));
        TRY(write_value(profile, &parameters[i], out));
        TRY(buf_append_text(out, "\n"));
    }
    return OK;
}

static const struct {
    const char *name;
    const char *unit;
} types[] = {
    [PROFILE_STRING] = { "text", " characters" },
    [PROFILE_UNSIGNED] = { "whole number", "" },
    [PROFILE_BOOLEAN] = { "true or false", "" },
    [PROFILE_LIST] = { "list of texts", " items" },
};

static enum status write_row(const struct profile_parameter *p, struct buf *out)
{
    const char *preset = *p->default_text ? p->default_text : p->required ? "none" : "empty";

    TRY(buf_append_format(out, "| `%s` | %s | %lld to %lld%s | %s | %s | %s | %s |\n", p->name,
                          types[p->type].name, (long long)p->least, (long long)p->most, types[p->type].unit,
                          preset, p->required ? "yes" : "no", p->secret ? "yes" : "no", p->what));
    return OK;
}

enum status profile_write_table(struct buf *out)
{
    size_t count;
    const struct profile_parameter *parameters = profile_parameters(&count);

    TRY(buf_append_text(out, "| parameter | type | range | default | required | secret | what it says |\n"
                             "|---|---|---|---|---|---|---|\n"));
    for (size_t i = 0; i < count; i++)
        TRY(write_row(&parameters[i], out));
    return OK;
}
