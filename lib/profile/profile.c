/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/profile/profile.h"

#include "lib/base/text.h"

#include <ctype.h>
#include <stdio.h>

#define SECRECY_PUBLIC false
#define SECRECY_SECRET true
#define NEED_OPTIONAL false
#define NEED_REQUIRED true

static const struct profile_parameter parameters[] = {
#define PARAMETER(field, name, type, least, most, initial, secrecy, need, what) \
    { #name, PROFILE_##type, least, most, initial, SECRECY_##secrecy, NEED_##need, what, \
      offsetof(struct profile, field) },
#include "lib/profile/profile.def"
#undef PARAMETER
};

const struct profile_parameter *profile_parameters(size_t *count)
{
    *count = COUNT_OF(parameters);
    return parameters;
}

const struct profile_parameter *profile_find_parameter(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(parameters); i++)
        if (strcmp(parameters[i].name, name) == 0)
            return &parameters[i];
    return NULL;
}

/* --- The form a value must have, beyond its length ------------------------------------------- */

/* Each returns what was expected, or NULL when the text is as it should be. */
typedef const char *form_check(const char *text);

static const char *check_name(const char *text)
{
    if (text[0] == '.' || text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789._-@+:")])
        return "letters, digits and . _ - @ + :, not a dot first (it becomes a folder's name)";
    return NULL;
}

static const char *check_protocol(const char *text)
{
    return strcmp(text, "SCEP") == 0 ? NULL : "SCEP";
}

static const char *check_url(const char *text)
{
    static const char expected[] = "a URL such as http://muster.example:8080/scep/device";
    const char *host = strncmp(text, "http://", 7) == 0 ? text + 7 : text + 8;

    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        return expected;
    if (!*host || *host == '/' || strpbrk(text, " \"<>#"))
        return expected;
    return NULL;
}

static const char *check_tls_anchor(const char *text)
{
    return text[0] == '/' || strcmp(text, "ca") == 0 || strcmp(text, "system") == 0
               ? NULL
               : "system, ca, or the path of a PEM file, from / on";
}

static const char *check_fingerprint(const char *text)
{
    AUTO(buf_clear) struct buf bytes = { 0 };

    if (hex_decode(span_of_text(text), &bytes) != OK || bytes.len != 32)
        return "SHA-256 of the anchor certificate: 64 hexadecimal digits, colons allowed";
    return NULL;
}

static const char *check_username_form(const char *text)
{
    static const char *const forms[] = { "dns", "email", "uri", "challenge" };

    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (strcmp(text, forms[i]) == 0)
            return NULL;
    return "dns, email, uri or challenge";
}

static const char *check_time(const char *text)
{
    static const char pattern[] = "dddd-dd-ddTdd:dd:ddZ";

    if (!*text)
        return NULL;
    for (size_t i = 0; i < sizeof pattern; i++)
        if (pattern[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != pattern[i])
            return "a time such as 2026-11-23T18:00:00Z, or nothing";
    return NULL;
}

static const char *check_alternative_name(const char *text)
{
    static const char *const prefixes[] = { "DNS:", "email:", "URI:", "IP:" };

    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0 && text[strlen(prefixes[i])])
            return NULL;
    return "a name such as DNS:gw.example, email:a@b.example, URI:urn:x or IP:192.0.2.1";
}

static const char *check_key_type(const char *text)
{
    const bool is_known = strcmp(text, "RSA") == 0 || strcmp(text, "EC") == 0 || strcmp(text, "EC-P384") == 0;

    return is_known ? NULL : "RSA, EC or EC-P384";
}

static const struct {
    const char *name;
    form_check *check;
} forms[] = {
    { "Name", check_name },
    { "Protocol", check_protocol },
    { "ServerURL", check_url },
    { "TLSAnchor", check_tls_anchor },
    { "CAFingerprint", check_fingerprint },
    { "UsernameForm", check_username_form },
    { "ChallengeExpires", check_time },
    { "SubjectAltName", check_alternative_name },
    { "KeyType", check_key_type },
};

static const char *find_expected(const struct profile_parameter *parameter, const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return "a text without control characters or line breaks";
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (strcmp(forms[i].name, parameter->name) == 0)
            return forms[i].check(text);
    return NULL;
}

/* --- Setting ----------------------------------------------------------------------------------- */

static enum status check_text(const struct profile_parameter *parameter, const char *text, size_t least,
                              size_t most)
{
    const size_t length = strlen(text);
    const char *expected = NULL;

    if (length < least || length > most)
        return fail(BAD_INPUT, "%s is %zu characters long, expected %zu to %zu", parameter->name, length,
                    least, most);
    expected = find_expected(parameter, text);
    if (!expected)
        return OK;
    if (parameter->secret)
        return fail(BAD_INPUT, "%s: expected %s", parameter->name, expected);
    return fail(BAD_INPUT, "%s is \"%.80s\", expected %s", parameter->name, text, expected);
}

static enum status set_string(char *to, const struct profile_parameter *parameter, const char *text)
{
    TRY(check_text(parameter, text, (size_t)parameter->least, (size_t)parameter->most));
    return span_to_text(span_of_text(text), to, PROFILE_TEXT_BYTES);
}

static enum status set_unsigned(unsigned *to, const struct profile_parameter *parameter, const char *text)
{
    int64_t value = 0;

    if (number_parse(text, parameter->least, parameter->most, &value) != OK)
        return fail(BAD_INPUT, "%s is \"%.20s\", expected a whole number from %lld to %lld", parameter->name,
                    text, (long long)parameter->least, (long long)parameter->most);
    *to = (unsigned)value;
    return OK;
}

static enum status set_boolean(bool *to, const struct profile_parameter *parameter, const char *text)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return fail(BAD_INPUT, "%s is \"%.20s\", expected true or false", parameter->name, text);
    *to = strcmp(text, "true") == 0;
    return OK;
}

static enum status add_item(struct profile_list *to, const struct profile_parameter *parameter,
                            const char *text)
{
    if (to->count >= (size_t)parameter->most)
        return fail(BAD_INPUT, "%s has more than %lld items", parameter->name, (long long)parameter->most);
    TRY(check_text(parameter, text, 1, PROFILE_TEXT_BYTES - 1));
    TRY(span_to_text(span_of_text(text), to->items[to->count], PROFILE_TEXT_BYTES));
    to->count++;
    return OK;
}

enum status profile_set(struct profile *profile, const struct profile_parameter *parameter, const char *text)
{
    void *to = (char *)profile + parameter->offset;

    switch (parameter->type) {
    case PROFILE_STRING:
        return set_string(to, parameter, text);
    case PROFILE_UNSIGNED:
        return set_unsigned(to, parameter, text);
    case PROFILE_BOOLEAN:
        return set_boolean(to, parameter, text);
    case PROFILE_LIST:
        return add_item(to, parameter, text);
    }
    return fail(FAULT, "%s: a type that profile.def does not know", parameter->name);
}

void profile_init(struct profile *profile)
{
    *profile = (struct profile){ 0 };
    /* A text or list without a default is empty already, also where an empty one may not be given. */
    for (size_t i = 0; i < COUNT_OF(parameters); i++)
        if (*parameters[i].default_text)
            (void)!profile_set(profile, &parameters[i], parameters[i].default_text);
}

void profile_clear(struct profile *profile)
{
    explicit_bzero(profile, sizeof *profile);
}

enum status profile_check(const struct profile *profile)
{
    for (size_t i = 0; i < COUNT_OF(parameters); i++) {
        const struct profile_parameter *p = &parameters[i];
        const char *text = (const char *)profile + p->offset;
        if (p->required && p->type == PROFILE_STRING && !*text)
            return fail(BAD_INPUT, "%s is missing: %s", p->name, p->what);
    }
    return OK;
}
