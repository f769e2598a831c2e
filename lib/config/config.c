/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/config/read.h"

#include "lib/base/file.h"
#include "lib/base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONFIG_FILE_MAX_BYTES ((size_t)1 << 20)

/* --- What the file may say ---------------------------------------------- */

static cfg_opt_t authority_options[] = {
    CFG_STR("key", NULL, CFGF_NONE),         CFG_STR("certificate", NULL, CFGF_NONE),
    CFG_STR("chain", NULL, CFGF_NONE),       CFG_STR("crl_url", "", CFGF_NONE),
    CFG_STR("issuer_url", "", CFGF_NONE),    CFG_END(),
};

static cfg_opt_t ra_options[] = {
    CFG_STR("encryption_key", NULL, CFGF_NONE),
    CFG_STR("encryption_certificate", NULL, CFGF_NONE),
    CFG_STR("signing_key", NULL, CFGF_NONE),
    CFG_STR("signing_certificate", NULL, CFGF_NONE),
    CFG_END(),
};

static cfg_opt_t template_options[] = {
    CFG_STR("subject", "CN=%{name}", CFGF_NONE),
    CFG_STR_LIST("subject_alt_name", "{}", CFGF_NONE),
    CFG_STR("request_subject", "match", CFGF_NONE),
    CFG_STR("request_subject_alt_name", "match", CFGF_NONE),
    CFG_STR_LIST("request_subject_alt_name_kinds", "{}", CFGF_NONE),
    CFG_STR_LIST("key_usage", "{digitalSignature, keyEncipherment}", CFGF_NONE),
    CFG_STR_LIST("extended_key_usage", "{clientAuth}", CFGF_NONE),
    CFG_STR_LIST("keys", "{\"rsa:2048-4096\"}", CFGF_NONE),
    CFG_INT("lifetime_days", 365, CFGF_NONE),
    CFG_INT("backdate_s", 300, CFGF_NONE),
    CFG_INT("renew_from_percent", 0, CFGF_NONE),
    CFG_STR("approval", "none", CFGF_NONE),
    CFG_END(),
};

static cfg_opt_t path_options[] = {
    CFG_STR("authority", NULL, CFGF_NONE),
    CFG_STR("ra", NULL, CFGF_NONE),
    CFG_STR_LIST("templates", "{}", CFGF_NONE),
    CFG_STR_LIST("username_forms", "{dns, challenge}", CFGF_NONE),
    CFG_STR_LIST("authenticators", "{password, certificate}", CFGF_NONE),
    CFG_BOOL("allow_des", cfg_false, CFGF_NONE),
    CFG_STR("secret_file", "", CFGF_NONE),
    CFG_BOOL("allow_des3", cfg_false, CFGF_NONE),
    CFG_BOOL("allow_md5", cfg_false, CFGF_NONE),
    CFG_BOOL("allow_sha1", cfg_false, CFGF_NONE),
    CFG_BOOL("allow_odd_nonce", cfg_false, CFGF_NONE),
    CFG_STR("reply", "leaf", CFGF_NONE),
    CFG_INT("rate_per_minute", 0, CFGF_NONE),
    CFG_INT("user_rate_per_minute", 0, CFGF_NONE),
    CFG_BOOL("root_in_chain", cfg_true, CFGF_NONE),
    CFG_STR("approval", "none", CFGF_NONE),
    CFG_END(),
};

#define SECTION_FLAGS (CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)

static cfg_opt_t file_options[] = {
    CFG_STR_LIST("listen", "{\"127.0.0.1:8080\"}", CFGF_NONE),
    CFG_STR_LIST("listen_tls", "{}", CFGF_NONE),
    CFG_STR("public_url", NULL, CFGF_NONE),
    CFG_INT("responders", 0, CFGF_NONE),
    CFG_INT("uid_base", 64700, CFGF_NONE),
    CFG_INT("connections_max", 4096, CFGF_NONE),
    CFG_INT("header_timeout_s", 10, CFGF_NONE),
    CFG_INT("body_timeout_s", 30, CFGF_NONE),
    CFG_INT("address_rate_per_minute", 0, CFGF_NONE),
    CFG_INT("overall_rate_per_minute", 0, CFGF_NONE),
    CFG_INT("password_lifetime_s", 604800, CFGF_NONE),
    CFG_INT("password_tries", 10, CFGF_NONE),
    CFG_INT("pending_lifetime_s", 2592000, CFGF_NONE),
    CFG_SEC("authority", authority_options, SECTION_FLAGS),
    CFG_SEC("ra", ra_options, SECTION_FLAGS),
    CFG_SEC("template", template_options, SECTION_FLAGS),
    CFG_SEC("path", path_options, SECTION_FLAGS),
    CFG_SEC("tls", config_tls_options, SECTION_FLAGS),
    CFG_END(),
};

static const struct number_range {
    const char *key;
    long least;
    long most;
} number_ranges[] = {
    { "responders", 0, 256 },
    { "uid_base", 0, 4000000000L },
    { "connections_max", 16, 1000000 },
    { "header_timeout_s", 1, 600 },
    { "body_timeout_s", 1, 600 },
    { "address_rate_per_minute", 0, 1000000 },
    { "overall_rate_per_minute", 0, 60000000 },
    { "path|rate_per_minute", 0, 60000000 },
    { "path|user_rate_per_minute", 0, 1000000 },
    { "password_lifetime_s", 60, 10L * 366 * 86400 },
    { "password_tries", 1, 1000 },
    { "pending_lifetime_s", 60, 10L * 366 * 86400 },
    { "template|lifetime_days", 1, 100L * 366 },
    { "tls|lifetime_days", 1, 100L * 366 },
    { "template|backdate_s", 0, 86400 },
    { "template|renew_from_percent", 0, 100 },
};

/* --- Errors, with file and line ------------------------------------------ */

static char first_error[512];

static void PRINTF_LIKE(2, 0) keep_first_error(cfg_t *cfg, const char *format, va_list arguments)
{
    char text[400];

    if (first_error[0])
        return;
    vsnprintf(text, sizeof text, format, arguments);
    snprintf(first_error, sizeof first_error, "%s:%d: %s", CONFIG_FILE, cfg ? cfg->line : 0, text);
}

enum status config_bad(cfg_t *section, const char *key, const char *got, const char *wanted)
{
    return fail(BAD_INPUT, "%s: section %s \"%s\" that ends at line %d: %s is \"%s\", expected %s", CONFIG_FILE,
                cfg_name(section), cfg_title(section), section->line, key, got, wanted);
}

static int check_number(cfg_t *cfg, cfg_opt_t *opt)
{
    const long value = cfg_opt_getnint(opt, cfg_opt_size(opt) - 1);

    for (size_t i = 0; i < COUNT_OF(number_ranges); i++) {
        const char *bar = strchr(number_ranges[i].key, '|');
        if (strcmp(bar ? bar + 1 : number_ranges[i].key, cfg_opt_name(opt)) != 0)
            continue;
        if (value >= number_ranges[i].least && value <= number_ranges[i].most)
            return 0;
        cfg_error(cfg, "%s is %ld, expected a whole number from %ld to %ld", cfg_opt_name(opt), value,
                  number_ranges[i].least, number_ranges[i].most);
        return -1;
    }
    return 0;
}

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

enum client_certificates config_client_certificates(const char *word)
{
    int value = CLIENT_CERTIFICATES_NONE;

    (void)find_word(client_words, COUNT_OF(client_words), word, &value);
    return (enum client_certificates)value;
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

static int check_key_usage(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned bit;
    const char *got = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);

    if (got && key_usage_parse(got, &bit) == OK)
        return 0;
    cfg_error(cfg, "key_usage \"%s\": %s", got ? got : "", fail_text());
    return -1;
}

static int check_extended_key_usage(cfg_t *cfg, cfg_opt_t *opt)
{
    char oid[64];
    const char *got = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);

    if (got && extended_key_usage_parse(got, oid, sizeof oid) == OK)
        return 0;
    cfg_error(cfg, "extended_key_usage \"%s\": %s", got ? got : "", fail_text());
    return -1;
}

/* "rsa:2048-4096", "rsa:3072", "ec:P-256" */
static enum status parse_key_range(const char *text, struct key_range *out)
{
    char low[KEY_SPEC_TEXT_BYTES], high[KEY_SPEC_TEXT_BYTES];
    struct key_spec first, last;
    const char *dash = strncmp(text, "rsa:", 4) == 0 ? strchr(text, '-') : NULL;

    TRY(span_to_text(dash ? span_of(text, (size_t)(dash - text)) : span_of_text(text), low, sizeof low));
    if ((size_t)snprintf(high, sizeof high, "rsa:%s", dash ? dash + 1 : "") >= sizeof high)
        return fail(BAD_INPUT, "a key range like \"rsa:2048-4096\"");
    TRY(key_spec_parse(low, &first));
    last = first;
    if (dash)
        TRY(key_spec_parse(high, &last));
    if (last.bits < first.bits)
        return fail(BAD_INPUT, "the smaller size comes first");
    *out = (struct key_range){ first.kind, first.bits, last.bits };
    return OK;
}

static int check_key(cfg_t *cfg, cfg_opt_t *opt)
{
    struct key_range range;
    const char *got = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);

    if (got && parse_key_range(got, &range) == OK)
        return 0;
    cfg_error(cfg, "keys: \"%s\" is not \"rsa:2048-4096\", \"rsa:3072\", \"ec:P-256\" or \"ec:P-384\" (%s)",
              got ? got : "", fail_text());
    return -1;
}

static void set_checks(cfg_t *cfg)
{
    for (size_t i = 0; i < COUNT_OF(number_ranges); i++)
        cfg_set_validate_func(cfg, number_ranges[i].key, check_number);
    for (size_t i = 0; i < COUNT_OF(word_options); i++)
        cfg_set_validate_func(cfg, word_options[i].key, check_word);
    cfg_set_validate_func(cfg, "template|key_usage", check_key_usage);
    cfg_set_validate_func(cfg, "template|extended_key_usage", check_extended_key_usage);
    cfg_set_validate_func(cfg, "template|keys", check_key);
}

/* --- From libconfuse's values to ours ------------------------------------ */

enum status config_read_text(cfg_t *section, const char *key, char *out, size_t size)
{
    const char *value = cfg_getstr(section, key);

    if (!value)
        return config_bad(section, key, "", "a value: it is missing");
    if (span_to_text(span_of_text(value), out, size) != OK)
        return config_bad(section, key, "too long", "a shorter text");
    return OK;
}

enum status config_read_path(const struct config *config, cfg_t *section, const char *key, char out[PATH_MAX])
{
    char text[PATH_MAX];

    TRY(config_read_text(section, key, text, sizeof text));
    if (!text[0])
        return config_bad(section, key, "", "the path of a PEM file");
    return config_absolute(config, text, out);
}

enum status config_absolute(const struct config *config, const char *path, char out[PATH_MAX])
{
    const bool relative = path[0] != '/';
    const int n = snprintf(out, PATH_MAX, "%s%s%s", relative ? config->directory : "", relative ? "/" : "", path);

    return n > 0 && n < PATH_MAX ? OK : fail(BAD_INPUT, "%s: path too long", path);
}

enum status config_check_section_name(cfg_t *section)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const char *title = cfg_title(section);
    const size_t n = strlen(title);

    if (n == 0 || n >= CONFIG_NAME_BYTES || strspn(title, allowed) != n || title[0] == '.')
        return config_bad(section, "its name", title, "1 to 63 letters, digits, '-', '_' or '.'");
    return OK;
}

enum status config_check_room(cfg_t *cfg, const char *what, size_t most)
{
    if (cfg_size(cfg, what) > most)
        return fail(BAD_INPUT, "%s: %u sections %s, at most %zu", CONFIG_FILE, cfg_size(cfg, what), what, most);
    return OK;
}

static enum status read_authorities(struct config *config, cfg_t *cfg)
{
    TRY(config_check_room(cfg, "authority", CONFIG_AUTHORITIES_MAX));
    for (unsigned i = 0; i < cfg_size(cfg, "authority"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "authority", i);
        struct config_authority *a = &config->authorities[config->authorities_count++];
        TRY(config_check_section_name(section));
        TRY(span_to_text(span_of_text(cfg_title(section)), a->name, sizeof a->name));
        TRY(config_read_path(config, section, "key", a->key));
        TRY(config_read_path(config, section, "certificate", a->certificate));
        TRY(config_read_path(config, section, "chain", a->chain));
        TRY(config_read_text(section, "crl_url", a->crl_url, sizeof a->crl_url));
        TRY(config_read_text(section, "issuer_url", a->issuer_url, sizeof a->issuer_url));
    }
    return OK;
}

static enum status read_ras(struct config *config, cfg_t *cfg)
{
    TRY(config_check_room(cfg, "ra", CONFIG_AUTHORITIES_MAX));
    for (unsigned i = 0; i < cfg_size(cfg, "ra"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "ra", i);
        struct config_ra *ra = &config->ras[config->ras_count++];
        TRY(config_check_section_name(section));
        TRY(span_to_text(span_of_text(cfg_title(section)), ra->name, sizeof ra->name));
        TRY(config_read_path(config, section, "encryption_key", ra->encryption_key));
        TRY(config_read_path(config, section, "encryption_certificate", ra->encryption_certificate));
        TRY(config_read_path(config, section, "signing_key", ra->signing_key));
        TRY(config_read_path(config, section, "signing_certificate", ra->signing_certificate));
    }
    return OK;
}

static enum status read_alternative_names(cfg_t *section, struct template *t)
{
    for (unsigned i = 0; i < cfg_size(section, "subject_alt_name"); i++) {
        const char *text = cfg_getnstr(section, "subject_alt_name", i);
        const char *colon = strchr(text, ':');
        int kind;
        if (t->san_count == TEMPLATE_SAN_MAX)
            return config_bad(section, "subject_alt_name", text, "at most 16 names");
        char word[16] = "";
        if (!colon || span_to_text(span_of(text, (size_t)(colon - text)), word, sizeof word) != OK ||
            !find_word(kind_words, COUNT_OF(kind_words), word, &kind) || !colon[1])
            return config_bad(section, "subject_alt_name", text, "DNS:, email:, URI: or IP: and a pattern");
        if (span_to_text(span_of_text(text), t->san[t->san_count], sizeof t->san[0]) != OK)
            return config_bad(section, "subject_alt_name", "too long", "a shorter pattern");
        t->san_count++;
    }
    return OK;
}

static enum status read_usages(cfg_t *section, struct template *t)
{
    for (unsigned i = 0; i < cfg_size(section, "key_usage"); i++) {
        unsigned bit = 0;
        TRY(key_usage_parse(cfg_getnstr(section, "key_usage", i), &bit));
        if (bit & (KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN))
            return config_bad(section, "key_usage", cfg_getnstr(section, "key_usage", i), "a usage for end entities");
        t->key_usage |= bit;
    }
    for (unsigned i = 0; i < cfg_size(section, "extended_key_usage"); i++) {
        if (t->eku_count == TEMPLATE_EKU_MAX)
            return config_bad(section, "extended_key_usage", "too many", "at most 16");
        TRY(extended_key_usage_parse(cfg_getnstr(section, "extended_key_usage", i), t->eku[t->eku_count],
                                     sizeof t->eku[0]));
        t->eku_count++;
    }
    /* A certificate without it would be good for everything, an RA's work included. */
    if (!t->eku_count)
        return config_bad(section, "extended_key_usage", "{}", "at least one usage, such as clientAuth");
    for (unsigned i = 0; i < cfg_size(section, "keys"); i++) {
        if (t->keys_count == TEMPLATE_KEYS_MAX)
            return config_bad(section, "keys", "too many", "at most 8");
        TRY(parse_key_range(cfg_getnstr(section, "keys", i), &t->keys[t->keys_count]));
        t->keys_count++;
    }
    if (!t->keys_count)
        return config_bad(section, "keys", "{}", "at least one kind of key");
    return OK;
}

static enum status read_request_rules(cfg_t *section, struct template *t)
{
    int value = 0;

    (void)find_word(name_words, COUNT_OF(name_words), cfg_getstr(section, "request_subject"), &value);
    t->request_subject = (enum request_names)value;
    (void)find_word(name_words, COUNT_OF(name_words), cfg_getstr(section, "request_subject_alt_name"), &value);
    t->request_san = (enum request_names)value;
    for (unsigned i = 0; i < cfg_size(section, "request_subject_alt_name_kinds"); i++) {
        if (t->request_san_kinds_count == COUNT_OF(t->request_san_kinds))
            return config_bad(section, "request_subject_alt_name_kinds", "too many", "each kind once");
        (void)find_word(kind_words, COUNT_OF(kind_words),
                        cfg_getnstr(section, "request_subject_alt_name_kinds", i), &value);
        t->request_san_kinds[t->request_san_kinds_count++] = (enum general_name_kind)value;
    }
    return OK;
}

/* A pattern that can make no name is a mistake here, not at the first enrolment. */
static enum status check_patterns(cfg_t *section, const struct template *t)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };

    if (template_expand_names(t, "a.example", "a.example", &subject, &san) == OK)
        return OK;
    return fail_in(BAD_INPUT, "%s: section template \"%s\" that ends at line %d", CONFIG_FILE, t->name, section->line);
}

static bool read_approval(cfg_t *section)
{
    int value = false;

    (void)find_word(approval_words, COUNT_OF(approval_words), cfg_getstr(section, "approval"), &value);
    return value;
}

static enum status read_templates(struct config *config, cfg_t *cfg)
{
    TRY(config_check_room(cfg, "template", CONFIG_TEMPLATES_MAX));
    for (unsigned i = 0; i < cfg_size(cfg, "template"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "template", i);
        struct template *t = &config->templates[config->templates_count++];
        AUTO(buf_clear) struct buf name = { 0 };
        TRY(config_check_section_name(section));
        TRY(span_to_text(span_of_text(cfg_title(section)), t->name, sizeof t->name));
        TRY(config_read_text(section, "subject", t->subject, sizeof t->subject));
        if (name_parse_text(t->subject, &name) != OK)
            return config_bad(section, "subject", t->subject, "a name like \"CN=%{name},O=Example\"");
        TRY(read_alternative_names(section, t));
        if (!t->subject[0] && !t->san_count)
            return config_bad(section, "subject", "", "a subject or a subject_alt_name");
        TRY(check_patterns(section, t));
        TRY(read_request_rules(section, t));
        TRY(read_usages(section, t));
        t->lifetime_s = cfg_getint(section, "lifetime_days") * INT64_C(86400);
        t->backdate_s = cfg_getint(section, "backdate_s");
        t->renew_from_percent = (unsigned)cfg_getint(section, "renew_from_percent");
        t->needs_approval = read_approval(section);
    }
    return OK;
}

static enum status read_path_templates(struct config *config, cfg_t *section, struct config_path *p)
{
    for (unsigned i = 0; i < cfg_size(section, "templates"); i++) {
        const char *name = cfg_getnstr(section, "templates", i);
        const struct template *t = config_find_template(config, span_of_text(name));
        if (!t)
            return config_bad(section, "templates", name, "the name of a template section");
        if (p->templates_count == CONFIG_PATH_TEMPLATES_MAX)
            return config_bad(section, "templates", name, "at most 8");
        p->templates[p->templates_count++] = (size_t)(t - config->templates);
    }
    if (!p->templates_count)
        return config_bad(section, "templates", "{}", "at least one template");
    return OK;
}

static enum status read_path_forms(cfg_t *section, struct config_path *p)
{
    for (unsigned i = 0; i < cfg_size(section, "username_forms"); i++) {
        int value = 0;
        if (p->username_forms_count == CONFIG_USERNAME_FORMS_MAX)
            return config_bad(section, "username_forms", "too many", "each form once");
        (void)find_word(form_words, COUNT_OF(form_words), cfg_getnstr(section, "username_forms", i), &value);
        p->username_forms[p->username_forms_count++] = (enum username_form)value;
    }
    if (!p->username_forms_count)
        return config_bad(section, "username_forms", "{}", "dns, email, uri or challenge");
    return OK;
}

/* SIZE_MAX where it does not stand there. */
static size_t place_of(const struct config_path *p, enum authenticator which)
{
    for (size_t i = 0; i < p->authenticators_count; i++)
        if (p->authenticators[i] == which)
            return i;
    return SIZE_MAX;
}

static enum status read_path_secret(const struct config *config, cfg_t *section, struct config_path *p)
{
    const char *file = cfg_getstr(section, "secret_file");
    const size_t place = place_of(p, AUTHENTICATOR_SECRET);

    if (place == SIZE_MAX && !file[0])
        return OK;
    if (place == SIZE_MAX)
        return config_bad(section, "secret_file", file, "\"secret\" among the authenticators, or no file");
    if (place_of(p, AUTHENTICATOR_PASSWORD) < place)
        return config_bad(section, "authenticators", "secret", "it before \"password\", which would judge all that it is for");
    return config_read_path(config, section, "secret_file", p->secret_file);
}

static enum status read_path_authenticators(cfg_t *section, struct config_path *p)
{
    for (unsigned i = 0; i < cfg_size(section, "authenticators"); i++) {
        const char *name = cfg_getnstr(section, "authenticators", i);
        int value = 0;
        (void)find_word(authenticator_words, COUNT_OF(authenticator_words), name, &value);
        if (place_of(p, (enum authenticator)value) != SIZE_MAX)
            return config_bad(section, "authenticators", name, "each authenticator once");
        p->authenticators[p->authenticators_count++] = (enum authenticator)value;
    }
    if (!p->authenticators_count)
        return config_bad(section, "authenticators", "{}", "at least one, or nobody could enrol");
    return OK;
}

static enum status read_paths(struct config *config, cfg_t *cfg)
{
    TRY(config_check_room(cfg, "path", CONFIG_PATHS_MAX));
    for (unsigned i = 0; i < cfg_size(cfg, "path"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "path", i);
        struct config_path *p = &config->paths[config->paths_count++];
        char authority[CONFIG_NAME_BYTES], ra[CONFIG_NAME_BYTES];
        int reply = REPLY_LEAF;
        TRY(config_check_section_name(section));
        TRY(span_to_text(span_of_text(cfg_title(section)), p->name, sizeof p->name));
        TRY(config_read_text(section, "authority", authority, sizeof authority));
        TRY(config_read_text(section, "ra", ra, sizeof ra));
        const struct config_authority *a = config_find_authority(config, span_of_text(authority));
        if (!a)
            return config_bad(section, "authority", authority, "the name of an authority section");
        p->authority = (size_t)(a - config->authorities);
        while (p->ra < config->ras_count && strcmp(config->ras[p->ra].name, ra) != 0)
            p->ra++;
        if (p->ra == config->ras_count)
            return config_bad(section, "ra", ra, "the name of an ra section");
        TRY(read_path_templates(config, section, p));
        TRY(read_path_forms(section, p));
        TRY(read_path_authenticators(section, p));
        TRY(read_path_secret(config, section, p));
        (void)find_word(reply_words, COUNT_OF(reply_words), cfg_getstr(section, "reply"), &reply);
        p->reply = (enum reply_extras)reply;
        p->policy.allow_des = cfg_getbool(section, "allow_des");
        p->policy.allow_md5 = cfg_getbool(section, "allow_md5");
        p->policy.allow_des3 = cfg_getbool(section, "allow_des3");
        p->policy.allow_sha1 = cfg_getbool(section, "allow_sha1");
        p->policy.allow_odd_nonce = cfg_getbool(section, "allow_odd_nonce");
        p->rate_per_minute = (unsigned)cfg_getint(section, "rate_per_minute");
        p->user_rate_per_minute = (unsigned)cfg_getint(section, "user_rate_per_minute");
        p->root_in_chain = cfg_getbool(section, "root_in_chain");
        p->needs_approval = read_approval(section);
    }
    return OK;
}

/* "127.0.0.1:8080" or "[::1]:8080" */
static bool is_listen_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    char address[INET6_ADDRSTRLEN + 2] = "";
    uint8_t octets[sizeof(struct in6_addr)];
    int64_t port;

    if (!colon || number_parse(colon + 1, 1, 65535, &port) != OK ||
        span_to_text(span_of(text, (size_t)(colon - text)), address, sizeof address) != OK)
        return false;
    const size_t len = strlen(address);
    if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
        address[len - 1] = 0;
        return inet_pton(AF_INET6, address + 1, octets) == 1;
    }
    return inet_pton(AF_INET, address, octets) == 1;
}

static enum status read_addresses(cfg_t *cfg, const char *key, char addresses[CONFIG_LISTEN_MAX][128], size_t *count)
{
    for (unsigned i = 0; i < cfg_size(cfg, key); i++) {
        const char *text = cfg_getnstr(cfg, key, i);
        if (*count == CONFIG_LISTEN_MAX)
            return fail(BAD_INPUT, "%s: %s has more than %d addresses", CONFIG_FILE, key, CONFIG_LISTEN_MAX);
        if (!is_listen_address(text) ||
            span_to_text(span_of_text(text), addresses[*count], sizeof addresses[*count]) != OK)
            return fail(BAD_INPUT, "%s: %s: \"%s\", expected ADDRESS:PORT like \"127.0.0.1:8080\" or \"[::1]:8080\"",
                        CONFIG_FILE, key, text);
        ++*count;
    }
    return OK;
}

static enum status read_listen(struct config *config, cfg_t *cfg)
{
    TRY(read_addresses(cfg, "listen", config->listen, &config->listen_count));
    TRY(read_addresses(cfg, "listen_tls", config->listen_tls, &config->listen_tls_count));
    for (size_t i = 0; i < config->listen_count; i++)
        for (size_t k = 0; k < config->listen_tls_count; k++)
            if (strcmp(config->listen[i], config->listen_tls[k]) == 0)
                return fail(BAD_INPUT, "%s: \"%s\" stands in listen and in listen_tls, expected another port for TLS",
                            CONFIG_FILE, config->listen[i]);
    if (config->listen_count || config->listen_tls_count)
        return OK;
    return fail(BAD_INPUT, "%s: listen is empty, and so is listen_tls, expected an ADDRESS:PORT", CONFIG_FILE);
}

static enum status read_public_url(struct config *config, cfg_t *cfg)
{
    const char *url = cfg_getstr(cfg, "public_url");
    struct span text = span_of_text(url ? url : "");

    while (text.len && text.ptr[text.len - 1] == '/')
        text.len--;
    if (!url || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) || strpbrk(url, "?# ") ||
        span_to_text(text, config->public_url, sizeof config->public_url) != OK)
        return fail(BAD_INPUT, "%s: public_url is \"%s\", expected the http or https URL under which devices reach this server",
                    CONFIG_FILE, url ? url : "");
    return OK;
}

static enum status read_top_level(struct config *config, cfg_t *cfg)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    TRY(read_listen(config, cfg));
    TRY(read_public_url(config, cfg));
    config->responders = (unsigned)cfg_getint(cfg, "responders");
    if (!config->responders)
        config->responders = cores > 0 ? (unsigned)cores : 1;
    config->uid_base = (unsigned)cfg_getint(cfg, "uid_base");
    config->connections_max = (unsigned)cfg_getint(cfg, "connections_max");
    config->header_timeout_s = (unsigned)cfg_getint(cfg, "header_timeout_s");
    config->body_timeout_s = (unsigned)cfg_getint(cfg, "body_timeout_s");
    config->address_rate_per_minute = (unsigned)cfg_getint(cfg, "address_rate_per_minute");
    config->overall_rate_per_minute = (unsigned)cfg_getint(cfg, "overall_rate_per_minute");
    config->password_lifetime_s = cfg_getint(cfg, "password_lifetime_s");
    config->password_tries = (unsigned)cfg_getint(cfg, "password_tries");
    config->pending_lifetime_s = cfg_getint(cfg, "pending_lifetime_s");
    return OK;
}

static enum status read_everything(struct config *config, cfg_t *cfg)
{
    TRY(read_top_level(config, cfg));
    TRY(read_authorities(config, cfg));
    TRY(read_ras(config, cfg));
    TRY(read_templates(config, cfg));
    TRY(read_paths(config, cfg));
    TRY(config_read_tls(config, cfg));
    if (!config->paths_count)
        return fail(BAD_INPUT, "%s: there is no path section, so nobody could enrol", CONFIG_FILE);
    return OK;
}

static void cfg_freep(cfg_t **cfg)
{
    cfg_free(*cfg);
}

/* libconfuse takes the end of the file for the end of every open section: a slip that would move
 * keys into the wrong section unseen. */
static enum status check_braces(const char *text)
{
    int line = 1, opened_at[4] = { 0 };
    size_t depth = 0;
    char quote = 0;

    for (const char *c = text; *c; c++) {
        line += *c == '\n';
        if (quote)
            quote = *c == quote ? 0 : quote;
        else if (*c == '"' || *c == '\'')
            quote = *c;
        else if (*c == '{' && depth < COUNT_OF(opened_at))
            opened_at[depth++] = line;
        else if (*c == '}' && depth > 0)
            depth--;
    }
    if (depth)
        return fail(BAD_INPUT, "%s:%d: this '{' is never closed, expected '}'", CONFIG_FILE, opened_at[depth - 1]);
    return OK;
}

enum status config_load(const char *directory, struct config **out)
{
    AUTO(config_freep) struct config *config = calloc(1, sizeof *config);
    AUTO(buf_clear) struct buf text = { 0 };
    char path[PATH_MAX];

    if (!config)
        return fail(FAULT, "no memory for the configuration");
    if (!realpath(directory, config->directory))
        return fail(FAULT, "%s: %s (make one with: musterd init %s)", directory, strerror(errno), directory);
    TRY(config_absolute(config, CONFIG_FILE, path));
    enum status status = file_read(path, CONFIG_FILE_MAX_BYTES, &text);
    if (status != OK)
        return fail(status, "%s (make one with: musterd init %s)", fail_text(), directory);
    comments_blank(&text);
    TRY(check_braces(buf_text(&text)));
    AUTO(cfg_freep) cfg_t *cfg = cfg_init(file_options, CFGF_NONE);
    first_error[0] = 0;
    cfg_set_error_function(cfg, keep_first_error);
    set_checks(cfg);
    if (cfg_parse_buf(cfg, buf_text(&text)) != CFG_SUCCESS)
        return fail(BAD_INPUT, "%s", first_error[0] ? first_error : "musterd.conf: cannot be read");
    TRY(read_everything(config, cfg));
    *out = take(config);
    return OK;
}

void config_free(struct config *config)
{
    free(config);
}

/* --- Finding -------------------------------------------------------------- */

const struct config_path *config_find_path(const struct config *config, struct span name)
{
    for (size_t i = 0; i < config->paths_count; i++)
        if (span_equal(span_of_text(config->paths[i].name), name))
            return &config->paths[i];
    return NULL;
}

const struct template *config_find_template(const struct config *config, struct span name)
{
    for (size_t i = 0; i < config->templates_count; i++)
        if (span_equal(span_of_text(config->templates[i].name), name))
            return &config->templates[i];
    return NULL;
}

const struct config_tls *config_find_tls(const struct config *config, struct span name)
{
    for (size_t i = 0; i < config->tls_count; i++)
        if (span_equal(span_of_text(config->tls[i].name), name))
            return &config->tls[i];
    return NULL;
}

const struct config_authority *config_find_authority(const struct config *config, struct span name)
{
    for (size_t i = 0; i < config->authorities_count; i++)
        if (span_equal(span_of_text(config->authorities[i].name), name))
            return &config->authorities[i];
    return NULL;
}
