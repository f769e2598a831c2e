/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/config/read.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#define COMMON_NAME_MAX_BYTES 64 /* RFC 5280 appendix A.1: ub-common-name */
#define TEMPLATE_PREFIX "tls:"   /* no section of the file can be named so */
#define BACKDATE_S 300
#define DAY_S INT64_C(86400)

cfg_opt_t config_tls_options[] = {
    CFG_STR_LIST("names", "{}", CFGF_NONE),
    CFG_STR("certificate", "", CFGF_NONE),
    CFG_STR("chain", "", CFGF_NONE),
    CFG_STR("key", "", CFGF_NONE),
    CFG_STR("issue_from", "", CFGF_NONE),
    CFG_INT("lifetime_days", 90, CFGF_NONE),
    CFG_STR("client_certificates", "none", CFGF_NONE),
    CFG_STR("client_anchors", "", CFGF_NONE),
    CFG_END(),
};

static bool is_given(cfg_t *section, const char *key)
{
    const char *value = cfg_getstr(section, key);

    return value && value[0];
}

/* --- Names ---------------------------------------------------------------- */

static bool is_address(const char *name)
{
    uint8_t octets[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;
}

static bool is_host(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    const size_t n = strlen(rest);

    return n && strspn(rest, allowed) == n && rest[0] != '.' && rest[n - 1] != '.' && !strstr(rest, "..");
}

static enum status read_names(cfg_t *section, struct config_tls *tls)
{
    for (unsigned i = 0; i < cfg_size(section, "names"); i++) {
        const char *text = cfg_getnstr(section, "names", i);
        if (tls->names_count == CONFIG_TLS_NAMES_MAX)
            return config_bad(section, "names", text, "at most 16");
        char *name = tls->names[tls->names_count];
        if (span_to_text(span_of_text(text), name, CONFIG_TLS_NAME_BYTES) != OK)
            return config_bad(section, "names", "too long", "a host's name");
        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (!is_host(name) && !is_address(name))
            return config_bad(section, "names", text, "a host's name like pki.example.net or *.example.net");
        tls->names_count++;
    }
    return OK;
}

/* --- Files that are given --------------------------------------------------- */

static enum status read_files(const struct config *config, cfg_t *section, struct config_tls *tls)
{
    TRY(config_read_path(config, section, "certificate", tls->certificate));
    TRY(config_read_path(config, section, "key", tls->key));
    if (is_given(section, "chain"))
        TRY(config_read_path(config, section, "chain", tls->chain));
    return OK;
}

/* --- Issued by an authority of ours ------------------------------------------ */

static enum status check_no_files(cfg_t *section)
{
    static const char *const keys[] = { "certificate", "chain", "key" };

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (is_given(section, keys[i]))
            return config_bad(section, keys[i], cfg_getstr(section, keys[i]), "nothing beside issue_from");
    return OK;
}

/* What the signer holds the server's own certificate against, as it does with those of devices. */
static enum status make_template(cfg_t *section, const struct config_tls *tls, struct template *t)
{
    const char *first = cfg_getnstr(section, "names", 0);

    if ((size_t)snprintf(t->name, sizeof t->name, TEMPLATE_PREFIX "%s", cfg_title(section)) >= sizeof t->name)
        return config_bad(section, "its name", tls->name, "at most 59 characters where issue_from is set");
    if (strlen(first) <= COMMON_NAME_MAX_BYTES)
        snprintf(t->subject, sizeof t->subject, "CN=%s", first);
    for (size_t i = 0; i < tls->names_count; i++)
        snprintf(t->san[i], sizeof t->san[i], "%s:%s", is_address(tls->names[i]) ? "IP" : "DNS", tls->names[i]);
    t->san_count = tls->names_count;
    t->key_usage = KEY_USAGE_DIGITAL_SIGNATURE;
    t->keys[0] = (struct key_range){ KEY_EC_P256, 256, 256 };
    t->keys_count = 1;
    t->lifetime_s = cfg_getint(section, "lifetime_days") * DAY_S;
    t->backdate_s = BACKDATE_S;
    t->eku_count = 1;
    return extended_key_usage_parse("serverAuth", t->eku[0], sizeof t->eku[0]);
}

static enum status read_issue(struct config *config, cfg_t *section, struct config_tls *tls)
{
    const char *name = cfg_getstr(section, "issue_from");
    const struct config_authority *authority = config_find_authority(config, span_of_text(name));
    char file[CONFIG_NAME_BYTES + 16];

    TRY(check_no_files(section));
    if (!authority)
        return config_bad(section, "issue_from", name, "the name of an authority section");
    if (!tls->names_count)
        return config_bad(section, "names", "{}", "at least one name, since issue_from is set");
    tls->issue_from = (size_t)(authority - config->authorities);
    snprintf(file, sizeof file, CONFIG_TLS_DIRECTORY "/%s.pem", cfg_title(section));
    TRY(config_absolute(config, file, tls->certificate));
    TRY(config_absolute(config, file, tls->key));
    tls->template = config->templates_count;
    return make_template(section, tls, &config->templates[config->templates_count++]);
}

/* --- Sections ---------------------------------------------------------------- */

static enum status read_clients(const struct config *config, cfg_t *section, struct config_tls *tls)
{
    const char *word = cfg_getstr(section, "client_certificates");

    tls->client_certificates = (enum client_certificates)config_word("tls|client_certificates", word);
    if (is_given(section, "client_anchors"))
        TRY(config_read_path(config, section, "client_anchors", tls->client_anchors));
    if (tls->client_certificates != CLIENT_CERTIFICATES_NONE && !tls->client_anchors[0])
        return config_bad(section, "client_anchors", "", "a PEM file with whom to believe about clients");
    return OK;
}

static enum status read_section(struct config *config, cfg_t *section)
{
    struct config_tls *tls = &config->tls[config->tls_count++];

    TRY(config_check_section_name(section));
    TRY(span_to_text(span_of_text(cfg_title(section)), tls->name, sizeof tls->name));
    tls->issue_from = CONFIG_NONE;
    TRY(read_names(section, tls));
    TRY(read_clients(config, section, tls));
    return is_given(section, "issue_from") ? read_issue(config, section, tls) : read_files(config, section, tls);
}

/* After the paths, so that none of them can give out what is made here. */
enum status config_read_tls(struct config *config, cfg_t *cfg)
{
    TRY(config_check_room(cfg, "tls", CONFIG_TLS_MAX));
    for (unsigned i = 0; i < cfg_size(cfg, "tls"); i++)
        TRY(read_section(config, cfg_getnsec(cfg, "tls", i)));
    if (config->listen_tls_count && !config->tls_count)
        return fail(BAD_INPUT, "%s: listen_tls is set, and there is no tls section that says with which certificate",
                    CONFIG_FILE);
    return OK;
}
