/* SPDX-License-Identifier: Apache-2.0
 *
 * template sections.
 */
#include "lib/config/read.h"

#include <stdio.h>

#define KINDS "template|request_subject_alt_name_kinds"

cfg_opt_t config_template_options[] = {
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

/* --- While the file is read, so that the line is known ------------------- */

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

void config_check_templates(cfg_t *cfg)
{
    cfg_set_validate_func(cfg, "template|key_usage", check_key_usage);
    cfg_set_validate_func(cfg, "template|extended_key_usage", check_extended_key_usage);
    cfg_set_validate_func(cfg, "template|keys", check_key);
}

/* --- From libconfuse's values to ours ------------------------------------ */

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
            !config_find_word(KINDS, word, &kind) || !colon[1])
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
    t->request_subject = (enum request_names)config_word("template|request_subject", cfg_getstr(section, "request_subject"));
    t->request_san = (enum request_names)config_word("template|request_subject_alt_name",
                                                     cfg_getstr(section, "request_subject_alt_name"));
    for (unsigned i = 0; i < cfg_size(section, "request_subject_alt_name_kinds"); i++) {
        if (t->request_san_kinds_count == COUNT_OF(t->request_san_kinds))
            return config_bad(section, "request_subject_alt_name_kinds", "too many", "each kind once");
        t->request_san_kinds[t->request_san_kinds_count++] =
            (enum general_name_kind)config_word(KINDS, cfg_getnstr(section, "request_subject_alt_name_kinds", i));
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

enum status config_read_templates(struct config *config, cfg_t *cfg)
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
        t->needs_approval = config_word("template|approval", cfg_getstr(section, "approval"));
    }
    return OK;
}
