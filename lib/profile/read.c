/* SPDX-License-Identifier: Apache-2.0
 *
 * A profile from its file.  libconfuse splits the text into names and values; what a value must be
 * is profile_set()'s to say, so that a profile that comes by another way is judged alike.
 */
#include "lib/profile/profile.h"

#include "lib/base/file.h"
#include "lib/base/text.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define PROFILE_MAX_BYTES ((size_t)65536)
#define PARAMETERS_MAX 64

/* libconfuse's callbacks carry no context of ours, hence this one pointer; one thread per process. */
struct reading {
    const char *from;
    struct profile *out;
    unsigned values[PARAMETERS_MAX]; /* how many each parameter had when last looked at */
    bool closed[PARAMETERS_MAX];     /* its value is complete: another is one too many */
};
static struct reading *reading;

/* What libconfuse says, and what it should have been. */
static const struct {
    const char *says;
    const char *expected;
} hints[] = {
    { "no such option", "; the parameters are" },
    { "missing equal sign", ": expected Name = \"value\"" },
    { "unexpected token", ": expected Name = \"value\", or a list in braces: {\"a\", \"b\"}" },
    { "premature end of file", ": a quote or a brace is not closed, or a value is missing" },
};

static void append_text(char *text, size_t size, const char *more)
{
    const size_t used = strlen(text);

    snprintf(text + used, size - used, "%s", more);
}

static void append_parameters(char *text, size_t size)
{
    size_t count;
    const struct profile_parameter *parameters = profile_parameters(&count);

    for (size_t i = 0; i < count; i++) {
        append_text(text, size, i ? ", " : " ");
        append_text(text, size, parameters[i].name);
    }
}

static void PRINTF_LIKE(2, 0) on_error(cfg_t *cfg, const char *format, va_list arguments)
{
    char text[900];

    vsnprintf(text, sizeof text, format, arguments);
    for (size_t i = 0; i < COUNT_OF(hints); i++)
        if (strncmp(text, hints[i].says, strlen(hints[i].says)) == 0) {
            append_text(text, sizeof text, hints[i].expected);
            if (i == 0)
                append_parameters(text, sizeof text);
        }
    (void)fail(BAD_INPUT, "%s:%d: %s", reading->from, cfg->line, text);
}

/* Called after each value, and once more at the end of a list. */
static int on_value(cfg_t *cfg, cfg_opt_t *option)
{
    const size_t i = (size_t)(option - cfg->opts);
    size_t count;
    const struct profile_parameter *parameter = &profile_parameters(&count)[i];
    const unsigned values = cfg_opt_size(option);

    if (reading->closed[i]) {
        (void)fail(BAD_INPUT, "%s:%d: %s stands there twice; once is enough", reading->from, cfg->line,
                   parameter->name);
        return -1;
    }
    if (parameter->type == PROFILE_LIST && values == reading->values[i]) {
        reading->closed[i] = true;
        return 0;
    }
    reading->values[i] = values;
    reading->closed[i] = parameter->type != PROFILE_LIST;
    const char *text = cfg_opt_getnstr(option, values - 1);
    if (profile_set(reading->out, parameter, text ? text : "") == OK)
        return 0;
    (void)fail_in(BAD_INPUT, "%s:%d", reading->from, cfg->line);
    return -1;
}

/* Every value is text to libconfuse. */
#define OPTION_STRING(name) CFG_STR(name, NULL, CFGF_NODEFAULT)
#define OPTION_UNSIGNED(name) CFG_STR(name, NULL, CFGF_NODEFAULT)
#define OPTION_BOOLEAN(name) CFG_STR(name, NULL, CFGF_NODEFAULT)
#define OPTION_LIST(name) CFG_STR_LIST(name, NULL, CFGF_NODEFAULT)

static cfg_opt_t options[] = {
#define PARAMETER(field, name, type, least, most, initial, secrecy, need, what) OPTION_##type(#name),
#include "lib/profile/profile.def"
#undef PARAMETER
    CFG_END()
};
_Static_assert(COUNT_OF(options) <= PARAMETERS_MAX, "profile.def has more parameters than struct reading");

static void wipe_and_free(cfg_t *cfg)
{
    size_t count;
    const struct profile_parameter *parameters = profile_parameters(&count);

    for (size_t i = 0; i < count; i++) {
        char *text = parameters[i].secret ? cfg_getstr(cfg, parameters[i].name) : NULL;
        if (text)
            explicit_bzero(text, strlen(text));
    }
    cfg_free(cfg);
}

static enum status parse_text(const char *text)
{
    size_t count;
    const struct profile_parameter *parameters = profile_parameters(&count);
    cfg_t *cfg = cfg_init(options, CFGF_NONE);

    if (!cfg)
        return fail(FAULT, "%s: no memory to read it", reading->from);
    cfg_set_error_function(cfg, on_error);
    for (size_t i = 0; i < count; i++)
        cfg_set_validate_func(cfg, parameters[i].name, on_value);
    const int result = cfg_parse_buf(cfg, text);
    wipe_and_free(cfg);
    return result == CFG_SUCCESS ? OK : BAD_INPUT;
}

enum status profile_parse(struct span text, const char *from, struct profile *out)
{
    AUTO(buf_clear) struct buf copy = { 0 };
    AUTO(profile_clear) struct profile profile;
    struct reading here = { .from = from, .out = &profile };

    profile_init(&profile);
    if (text.len && memchr(text.ptr, 0, text.len))
        return fail(BAD_INPUT, "%s: holds a NUL byte; expected a text", from);
    TRY(buf_append(&copy, text));
    comments_blank(&copy);
    const char *lines = buf_text(&copy);
    if (!lines)
        return fail(FAULT, "%s: no memory to read it", from);
    reading = &here;
    const enum status status = parse_text(lines);
    reading = NULL;
    TRY(status);
    if (profile_check(&profile) != OK)
        return fail_in(BAD_INPUT, "%s", from);
    *out = profile;
    return OK;
}

enum status profile_load(const char *path, struct profile *out)
{
    AUTO(buf_clear) struct buf text = { 0 };
    AUTO(profile_clear) struct profile profile;
    struct stat about;

    profile_init(&profile);
    TRY(file_read(path, PROFILE_MAX_BYTES, &text));
    TRY(profile_parse(buf_span(&text), path, &profile));
    if (stat(path, &about) != 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    if (*profile.password && about.st_mode & (S_IRWXG | S_IRWXO))
        return fail(REFUSED, "%s holds a password and is open to others (mode %04o); close it with: chmod 600 %s",
                    path, (unsigned)about.st_mode & 07777, path);
    *out = profile;
    return OK;
}
