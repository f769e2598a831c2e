/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/profile_file.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/profile/profile.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* The server names a parameter by its field, the file by its name. */
static const struct {
    const char *member;
    const char *name;
} members[] = {
#define PARAMETER(field, name, type, least, most, initial, secrecy, need, what) { #field, #name },
#include "lib/profile/profile.def"
#undef PARAMETER
};

enum status profile_file_check(const char *path, bool replace)
{
    char copy[PATH_MAX];
    struct stat about;

    if (lstat(path, &about) == 0 && !replace)
        return fail(REFUSED, "%s is there already; choose another name, or replace it with --force", path);
    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return fail(BAD_INPUT, "%s: path too long", path);
    const char *folder = dirname(copy);
    if (access(folder, W_OK | X_OK) != 0)
        return fail(FAULT, "%s: cannot write there: %s", folder, strerror(errno));
    return OK;
}

static enum status set_text(struct profile *profile, const struct profile_parameter *p, const json_t *value)
{
    char number[32];

    if (json_is_string(value))
        return profile_set(profile, p, json_string_value(value));
    if (json_is_boolean(value))
        return profile_set(profile, p, json_is_true(value) ? "true" : "false");
    if (!json_is_integer(value))
        return fail(BAD_INPUT, "%s: neither text nor number", p->name);
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    return profile_set(profile, p, number);
}

static enum status set_value(struct profile *profile, const struct profile_parameter *p, const json_t *value)
{
    size_t i;
    json_t *item;

    if (!json_is_array(value))
        return set_text(profile, p, value);
    json_array_foreach(value, i, item)
        TRY(set_text(profile, p, item));
    return OK;
}

static enum status fill_password(struct profile *profile, const json_t *password)
{
    const char *text = json_string_value(json_object_get(password, "password"));
    const int64_t expires_s = json_integer_value(json_object_get(password, "expires_s"));
    char when[CLOCK_TEXT_BYTES];

    TRY(profile_set(profile, profile_find_parameter("ChallengePassword"), text ? text : ""));
    if (!expires_s)
        return OK;
    clock_format_utc(expires_s, when);
    return profile_set(profile, profile_find_parameter("ChallengeExpires"), when);
}

static enum status fill(struct profile *profile, const json_t *from, const json_t *password)
{
    profile_init(profile);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const json_t *value = json_object_get(from, members[i].member);
        /* An empty text leaves the parameter at its default. */
        if (!value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)))
            continue;
        TRY(set_value(profile, profile_find_parameter(members[i].name), value));
    }
    if (password)
        TRY(fill_password(profile, password));
    return profile_check(profile);
}

enum status profile_file_write(const char *path, bool replace, const json_t *profile, const json_t *password)
{
    AUTO(profile_clear) struct profile filled;
    AUTO(buf_clear) struct buf text = { 0 };

    if (fill(&filled, profile, password) != OK)
        return fail_in(BAD_INPUT, "the server's answer makes no good profile");
    TRY(profile_write(&filled, &text));
    return replace ? file_replace(path, buf_span(&text), 0600) : file_create(path, buf_span(&text), 0600);
}
