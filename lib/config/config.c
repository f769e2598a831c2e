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
    CFG_SEC("template", config_template_options, SECTION_FLAGS),
    CFG_SEC("path", config_path_options, SECTION_FLAGS),
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

static void set_checks(cfg_t *cfg)
{
    for (size_t i = 0; i < COUNT_OF(number_ranges); i++)
        cfg_set_validate_func(cfg, number_ranges[i].key, check_number);
    config_check_words(cfg);
    config_check_templates(cfg);
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
    TRY(config_read_templates(config, cfg));
    TRY(config_read_paths(config, cfg));
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
