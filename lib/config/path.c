/* SPDX-License-Identifier: Apache-2.0
 *
 * path sections.
 */
#include "lib/config/read.h"

cfg_opt_t config_path_options[] = {
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
        if (p->username_forms_count == CONFIG_USERNAME_FORMS_MAX)
            return config_bad(section, "username_forms", "too many", "each form once");
        p->username_forms[p->username_forms_count++] =
            (enum username_form)config_word("path|username_forms", cfg_getnstr(section, "username_forms", i));
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
        const enum authenticator which = (enum authenticator)config_word("path|authenticators", name);
        if (place_of(p, which) != SIZE_MAX)
            return config_bad(section, "authenticators", name, "each authenticator once");
        p->authenticators[p->authenticators_count++] = which;
    }
    if (!p->authenticators_count)
        return config_bad(section, "authenticators", "{}", "at least one, or nobody could enrol");
    return OK;
}

/* Whom it names in other sections. */
static enum status read_path_places(const struct config *config, cfg_t *section, struct config_path *p)
{
    char authority[CONFIG_NAME_BYTES], ra[CONFIG_NAME_BYTES];

    TRY(config_read_text(section, "authority", authority, sizeof authority));
    TRY(config_read_text(section, "ra", ra, sizeof ra));
    const struct config_authority *a = config_find_authority(config, span_of_text(authority));
    if (!a)
        return config_bad(section, "authority", authority, "the name of an authority section");
    p->authority = (size_t)(a - config->authorities);
    while (p->ra < config->ras_count && strcmp(config->ras[p->ra].name, ra) != 0)
        p->ra++;
    return p->ra < config->ras_count ? OK : config_bad(section, "ra", ra, "the name of an ra section");
}

static void read_path_policy(cfg_t *section, struct config_path *p)
{
    p->policy.allow_des = cfg_getbool(section, "allow_des");
    p->policy.allow_md5 = cfg_getbool(section, "allow_md5");
    p->policy.allow_des3 = cfg_getbool(section, "allow_des3");
    p->policy.allow_sha1 = cfg_getbool(section, "allow_sha1");
    p->policy.allow_odd_nonce = cfg_getbool(section, "allow_odd_nonce");
}

static enum status read_path(struct config *config, cfg_t *section, struct config_path *p)
{
    TRY(config_check_section_name(section));
    TRY(span_to_text(span_of_text(cfg_title(section)), p->name, sizeof p->name));
    TRY(read_path_places(config, section, p));
    TRY(read_path_templates(config, section, p));
    TRY(read_path_forms(section, p));
    TRY(read_path_authenticators(section, p));
    TRY(read_path_secret(config, section, p));
    read_path_policy(section, p);
    p->reply = (enum reply_extras)config_word("path|reply", cfg_getstr(section, "reply"));
    p->rate_per_minute = (unsigned)cfg_getint(section, "rate_per_minute");
    p->user_rate_per_minute = (unsigned)cfg_getint(section, "user_rate_per_minute");
    p->root_in_chain = cfg_getbool(section, "root_in_chain");
    p->needs_approval = config_word("path|approval", cfg_getstr(section, "approval"));
    return OK;
}

enum status config_read_paths(struct config *config, cfg_t *cfg)
{
    TRY(config_check_room(cfg, "path", CONFIG_PATHS_MAX));
    for (unsigned i = 0; i < cfg_size(cfg, "path"); i++)
        TRY(read_path(config, cfg_getnsec(cfg, "path", i), &config->paths[config->paths_count++]));
    return OK;
}
