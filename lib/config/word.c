/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys whose values are words: which there are, and what each means.
 */
#include "lib/config/read.h"

#include <stdio.h>

/* One word out of a table; the error names all of them. */
struct word {
    const char *name;
    int value;
};

static const struct word name_words[] = { { "match", REQUEST_NAMES_MATCH },
                                          { "ignore", REQUEST_NAMES_IGNORE },
                                          { "use", REQUEST_NAMES_USE } };
static const struct word kind_words[] = { { "DNS", GENERAL_NAME_DNS },
                                          { "email", GENERAL_NAME_EMAIL },
                                          { "URI", GENERAL_NAME_URI },
                                          { "IP", GENERAL_NAME_IP } };
static const struct word form_words[] = { { "dns", USERNAME_DNS },
                                          { "email", USERNAME_EMAIL },
                                          { "uri", USERNAME_URI },
                                          { "challenge", USERNAME_CHALLENGE } };
static const struct word authenticator_words[] = { { "password", AUTHENTICATOR_PASSWORD },
                                                   { "certificate", AUTHENTICATOR_CERTIFICATE },
                                                   { "secret", AUTHENTICATOR_SECRET } };
static const struct word reply_words[] = { { "leaf", REPLY_LEAF },
                                           { "ca", REPLY_WITH_CA },
                                           { "chain", REPLY_WITH_CHAIN } };
static const struct word client_words[] = { { "none", CLIENT_CERTIFICATES_NONE },
                                            { "optional", CLIENT_CERTIFICATES_OPTIONAL },
                                            { "required", CLIENT_CERTIFICATES_REQUIRED } };
static const struct word approval_words[] = { { "none", false }, { "operator", true } };

static bool find_word(const struct word *words, size_t count, const char *name, int *value)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i].name, name) == 0) {
            *value = words[i].value;
            return true;
        }
    return false;
}

const char *username_form_name(enum username_form form)
{
    for (size_t i = 0; i < COUNT_OF(form_words); i++)
        if (form_words[i].value == (int)form)
            return form_words[i].name;
    return "unknown";
}

static const struct word_option {
    const char *key;
    const struct word *words;
    size_t count;
} word_options[] = {
    { "template|request_subject", name_words, COUNT_OF(name_words) },
    { "template|request_subject_alt_name", name_words, COUNT_OF(name_words) },
    { "template|request_subject_alt_name_kinds", kind_words, COUNT_OF(kind_words) },
    { "path|username_forms", form_words, COUNT_OF(form_words) },
    { "path|authenticators", authenticator_words, COUNT_OF(authenticator_words) },
    { "path|reply", reply_words, COUNT_OF(reply_words) },
    { "tls|client_certificates", client_words, COUNT_OF(client_words) },
    { "template|approval", approval_words, COUNT_OF(approval_words) },
    { "path|approval", approval_words, COUNT_OF(approval_words) },
};

static int check_word(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *got = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
    char wanted[128] = "";
    int value;

    for (size_t i = 0; i < COUNT_OF(word_options); i++) {
        const struct word_option *o = &word_options[i];
        if (strcmp(strchr(o->key, '|') + 1, cfg_opt_name(opt)) != 0)
            continue;
        if (got && find_word(o->words, o->count, got, &value))
            return 0;
        for (size_t k = 0, used = 0; k < o->count && used < sizeof wanted; k++)
            used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%s%s", k ? ", " : "", o->words[k].name);
        cfg_error(cfg, "%s is \"%s\", expected one of %s", cfg_opt_name(opt), got ? got : "", wanted);
        return -1;
    }
    return 0;
}

static const struct word_option *find_option(const char *key)
{
    for (size_t i = 0; i < COUNT_OF(word_options); i++)
        if (strcmp(word_options[i].key, key) == 0)
            return &word_options[i];
    return NULL;
}

bool config_find_word(const char *key, const char *word, int *value)
{
    const struct word_option *option = find_option(key);

    return option && find_word(option->words, option->count, word, value);
}

int config_word(const char *key, const char *word)
{
    int value = 0;

    (void)config_find_word(key, word, &value); /* check_word() let no other through */
    return value;
}

void config_check_words(cfg_t *cfg)
{
    for (size_t i = 0; i < COUNT_OF(word_options); i++)
        cfg_set_validate_func(cfg, word_options[i].key, check_word);
}
