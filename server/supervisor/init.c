/* SPDX-License-Identifier: Apache-2.0 */
#include "server/supervisor/init.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/text.h"
#include "server/supervisor/init_plan.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define DAYS_MAX 36500
#define ORGANIZATION_MAX_BYTES 64 /* RFC 5280 appendix A.1: ub-organization-name */

/* --- Options -------------------------------------------------------------- */

static enum status take_depth(struct init_plan *plan, const char *value)
{
    int64_t depth;

    TRY(number_parse(value, 1, INIT_DEPTH_MAX, &depth));
    plan->depth = (unsigned)depth;
    return OK;
}

static enum status take_ca_key(struct init_plan *plan, const char *value)
{
    return key_spec_parse(value, &plan->ca_key);
}

static enum status take_root_key(struct init_plan *plan, const char *value)
{
    plan->root_key_given = true;
    return key_spec_parse(value, &plan->root_key);
}

static enum status take_ra_key(struct init_plan *plan, const char *value)
{
    TRY(key_spec_parse(value, &plan->ra_key));
    if (plan->ra_key.kind != KEY_RSA)
        return fail(BAD_INPUT, "\"%s\": the RA's key must be RSA, since devices encrypt to it: rsa:2048 to rsa:4096",
                    value);
    return OK;
}

static enum status take_ra(struct init_plan *plan, const char *value)
{
    plan->ra_separate = strcmp(value, "separate") == 0;
    if (!plan->ra_separate && strcmp(value, "one") != 0)
        return fail(BAD_INPUT, "\"%s\", expected one or separate", value);
    return OK;
}

/* Goes into names and into musterd.conf, where '$' and '%' mean something. */
static enum status take_organization(struct init_plan *plan, const char *value)
{
    const size_t length = strlen(value);

    if (length < 1 || length > ORGANIZATION_MAX_BYTES || value[0] == ' ' || value[length - 1] == ' ')
        return fail(BAD_INPUT, "\"%s\", expected 1 to %d bytes that neither begin nor end with a blank", value,
                    ORGANIZATION_MAX_BYTES);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f || strchr("\"\\$%", value[i]))
            return fail(BAD_INPUT, "\"%s\", expected a text without control characters and \" \\ $ %%", value);
    plan->organization = value;
    return OK;
}

static enum status check_address(const char *value)
{
    static const char wanted[] = "expected ADDRESS:PORT like 127.0.0.1:8080 or [::1]:8080";
    const char *colon = strrchr(value, ':');
    const size_t host = colon ? (size_t)(colon - value) : 0;
    int64_t port;

    if (host == 0 || host > 100 || strspn(value, "0123456789abcdefABCDEF.:[]") != strlen(value))
        return fail(BAD_INPUT, "\"%s\", %s", value, wanted);
    if (number_parse(colon + 1, 1, 65535, &port) != OK)
        return fail(BAD_INPUT, "\"%s\", %s", value, wanted);
    if (memchr(value, ':', host) && (value[0] != '[' || value[host - 1] != ']'))
        return fail(BAD_INPUT, "\"%s\", %s", value, wanted);
    return OK;
}

static enum status take_listen(struct init_plan *plan, const char *value)
{
    plan->listen = value;
    return check_address(value);
}

static enum status take_listen_tls(struct init_plan *plan, const char *value)
{
    plan->listen_tls = value;
    return check_address(value);
}

/* A host's name, or an IPv4 address. */
static enum status take_tls(struct init_plan *plan, const char *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const size_t length = strlen(value);

    if (length < 1 || length > 253 || strspn(value, allowed) != length || value[0] == '.' ||
        value[length - 1] == '.' || strstr(value, ".."))
        return fail(BAD_INPUT, "\"%s\", expected the name of this server, like pki.example.net", value);
    plan->tls = value;
    return OK;
}

static enum status take_url(struct init_plan *plan, const char *value)
{
    const bool known = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
    struct span text = span_of_text(value);

    while (text.len && text.ptr[text.len - 1] == '/')
        text.len--;
    if (!known || text.len < 9 || !span_is_printable(text) || strpbrk(value, " \"\\${}<>?#") ||
        span_to_text(text, plan->url, sizeof plan->url) != OK)
        return fail(BAD_INPUT, "\"%s\", expected an http or https URL of at most %d bytes", value,
                    INIT_URL_BYTES - 1);
    return OK;
}

/* RFC 5280 s4.2.1.10: a domain, without a dot in front. */
static enum status take_permit_dns(struct init_plan *plan, const char *value)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const size_t length = strlen(value);

    if (plan->permit_dns_count == INIT_DNS_MAX)
        return fail(BAD_INPUT, "more than %d of them", INIT_DNS_MAX);
    if (length < 1 || length > 253 || strspn(value, allowed) != length || value[0] == '.' ||
        value[length - 1] == '.')
        return fail(BAD_INPUT, "\"%s\", expected a domain like example.net", value);
    plan->permit_dns[plan->permit_dns_count++] = value;
    return OK;
}

static enum status take_root_days(struct init_plan *plan, const char *value)
{
    return number_parse(value, 1, DAYS_MAX, &plan->root_days);
}

static enum status take_ca_days(struct init_plan *plan, const char *value)
{
    return number_parse(value, 1, DAYS_MAX, &plan->ca_days);
}

static enum status take_ra_days(struct init_plan *plan, const char *value)
{
    return number_parse(value, 1, DAYS_MAX, &plan->ra_days);
}

static enum status take_json(struct init_plan *plan, const char *value)
{
    (void)value;
    plan->json = true;
    return OK;
}

static const struct init_option {
    const char *name;
    const char *argument; /* NULL: it takes none */
    const char *help;
    enum status (*read)(struct init_plan *plan, const char *value);
} options[] = {
    { "depth", "1..4", "levels of authorities; the last one issues (3: root, intermediate, issuing)", take_depth },
    { "ca-key", "SPEC", "authorities' keys: rsa:2048 .. rsa:4096, ec:P-256, ec:P-384 (rsa:2048)", take_ca_key },
    { "root-key", "SPEC", "the root's key, where it shall differ", take_root_key },
    { "ra-key", "SPEC", "the RA's keys: rsa:2048 .. rsa:4096 (rsa:2048)", take_ra_key },
    { "ra", "KIND", "one certificate for encryption and signing, or separate ones (one)", take_ra },
    { "organization", "TEXT", "stands in every name (Muster)", take_organization },
    { "listen", "ADDR:PORT", "where the server will listen (127.0.0.1:8080)", take_listen },
    { "tls", "NAME", "serve TLS too, with a certificate for this name of the server", take_tls },
    { "listen-tls", "ADDR:PORT", "where it will listen for TLS (127.0.0.1:8443)", take_listen_tls },
    { "url", "URL", "under which devices reach it (http://ADDR:PORT; with --tls https://NAME:PORT)", take_url },
    { "permit-dns", "DOMAIN", "name constraint: only names below it; may be repeated", take_permit_dns },
    { "root-days", "DAYS", "life of the root (7300)", take_root_days },
    { "ca-days", "DAYS", "life of the authorities below it (3650)", take_ca_days },
    { "ra-days", "DAYS", "life of the RA's certificates (1095)", take_ra_days },
    { "json", NULL, "print one JSON object instead of a table", take_json },
};

#define HELP_INDEX COUNT_OF(options)

static void print_help(FILE *out)
{
    fputs("usage: musterd init DIR [options]\n"
          "Make authorities, the RA's certificates and a configuration in DIR, which must be new or empty.\n",
          out);
    for (size_t i = 0; i < COUNT_OF(options); i++)
        fprintf(out, "  --%-12s %-9s  %s\n", options[i].name, options[i].argument ? options[i].argument : "",
                options[i].help);
}

static void fill_long_options(struct option *rows)
{
    for (size_t i = 0; i < COUNT_OF(options); i++)
        rows[i] = (struct option){ options[i].name, options[i].argument ? required_argument : no_argument, NULL,
                                   (int)i };
    rows[HELP_INDEX] = (struct option){ "help", no_argument, NULL, (int)HELP_INDEX };
    rows[HELP_INDEX + 1] = (struct option){ 0 };
}

/* What is signed is fetched over plain HTTP, also where all else is TLS. */
static void complete_tls(struct init_plan *plan)
{
    if (!plan->url[0])
        snprintf(plan->url, sizeof plan->url, "https://%s%s", plan->tls, strrchr(plan->listen_tls, ':'));
    if (strncmp(plan->url, "https:", 6) == 0)
        snprintf(plan->plain_url, sizeof plan->plain_url, "http://%s%s", plan->tls, strrchr(plan->listen, ':'));
}

/* An address that means "all of this machine" tells a device nothing. */
static enum status complete_url(struct init_plan *plan)
{
    const size_t length = strlen(plan->listen);
    const bool any = strncmp(plan->listen, "0.0.0.0:", 8) == 0 || strncmp(plan->listen, "[::]:", 5) == 0;

    if (plan->tls)
        complete_tls(plan);
    if (plan->url[0])
        return OK;
    if (any || length + 8 > sizeof plan->url)
        return fail(BAD_INPUT, "--listen %s: say with --url how devices reach this server", plan->listen);
    snprintf(plan->url, sizeof plan->url, "http://%s", plan->listen);
    return OK;
}

static enum status complete(struct init_plan *plan, int argc, char **argv)
{
    if (optind + 1 != argc)
        return fail(BAD_INPUT, "expected one DIR, got %d (musterd init --help)", argc - optind);
    plan->directory = argv[optind];
    if (!plan->root_key_given)
        plan->root_key = plan->ca_key;
    TRY(complete_url(plan));
    if (!plan->plain_url[0])
        memcpy(plan->plain_url, plan->url, sizeof plan->plain_url);
    return OK;
}

/* `help` is true when that is what was asked for. */
static enum status read_options(int argc, char **argv, struct init_plan *plan, bool *help)
{
    struct option rows[COUNT_OF(options) + 2];
    int i;

    fill_long_options(rows);
    optind = 0; /* glibc: start anew */
    opterr = 0;
    while ((i = getopt_long(argc, argv, ":", rows, NULL)) >= 0) {
        if (i == (int)HELP_INDEX) {
            *help = true;
            return OK;
        }
        if (i == ':')
            return fail(BAD_INPUT, "%s needs a value (musterd init --help)", argv[optind - 1]);
        if (i == '?')
            return fail(BAD_INPUT, "%s is not an option of it (musterd init --help)", argv[optind - 1]);
        if (options[i].read(plan, optarg) != OK)
            return fail_in(BAD_INPUT, "--%s", options[i].name);
    }
    return complete(plan, argc, argv);
}

/* --- Making it -------------------------------------------------------------- */

static enum status check_empty(const char *path)
{
    DIR *listing = opendir(path);
    bool empty = true;

    if (!listing)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    for (const struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    closedir(listing);
    return empty ? OK : fail(REFUSED, "%s is not empty; init makes a new installation and changes nothing that is there",
                             path);
}

static enum status make_subdirectory(const struct init_plan *plan, const char *name, mode_t mode)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof path, "%s/%s", plan->directory, name) >= sizeof path)
        return fail(BAD_INPUT, "%s: path too long", plan->directory);
    return file_make_directory(path, mode);
}

static enum status write_everything(const struct init_plan *plan, const struct init_pki *pki)
{
    AUTO(buf_clear) struct buf config = { 0 };
    char path[PATH_MAX];

    TRY(init_write_pki(plan, pki));
    TRY(make_subdirectory(plan, "registrar", 0700));
    TRY(make_subdirectory(plan, "signer", 0700));
    TRY(make_subdirectory(plan, "run", 0755));
    TRY(init_write_config(plan, pki, &config));
    if ((size_t)snprintf(path, sizeof path, "%s/musterd.conf", plan->directory) >= sizeof path)
        return fail(BAD_INPUT, "%s: path too long", plan->directory);
    TRY(file_create(path, buf_span(&config), 0644));
    return file_sync_parent(plan->directory);
}

/* --- Telling what was made ---------------------------------------------------- */

struct description {
    struct buf subject;
    char key[KEY_SPEC_TEXT_BYTES];
    char until[CLOCK_TEXT_BYTES];
    char fingerprint[2 * SHA256_BYTES + 1];
};

static void description_clear(struct description *d)
{
    buf_clear(&d->subject);
}

static enum status describe(const struct init_pair *pair, struct description *out)
{
    uint8_t hash[SHA256_BYTES];

    TRY(name_format(cert_get_subject(pair->cert), &out->subject));
    if (!buf_text(&out->subject))
        return fail(FAULT, "no memory to describe a certificate");
    key_spec_format(public_key_get_spec(private_key_get_public(pair->key)), out->key);
    clock_format_utc(cert_not_after_s(pair->cert), out->until);
    cert_fingerprint(pair->cert, hash);
    hex_encode(span_of(hash, sizeof hash), out->fingerprint);
    return OK;
}

static enum status print_row(const struct init_pair *pair)
{
    AUTO(description_clear) struct description d = { 0 };

    TRY(describe(pair, &d));
    printf("%-14s  %-44s  %-9s  %.10s   %s\n", pair->name, buf_text(&d.subject), d.key, d.until,
           pair->cert_file);
    return OK;
}

static enum status print_table(const struct init_pki *pki)
{
    AUTO(description_clear) struct description anchor = { 0 };

    printf("%-14s  %-44s  %-9s  %-11s  %s\n", "AUTHORITY", "SUBJECT", "KEY", "VALID UNTIL", "FILE");
    for (size_t i = 0; i < pki->authorities_count; i++)
        TRY(print_row(&pki->authorities[i]));
    for (size_t i = 0; i < pki->ras_count; i++)
        TRY(print_row(&pki->ras[i]));
    TRY(describe(&pki->authorities[0], &anchor));
    printf("\nTrust anchor, SHA-256: %s\n", anchor.fingerprint);
    return OK;
}

static void print_next_steps(const struct init_plan *plan, const struct init_pki *pki)
{
    printf("\nNext steps\n");
    for (size_t i = 0; i + 1 < pki->authorities_count; i++)
        printf("  %s %s/%s off this machine: nothing needs it until a new authority below it is signed\n",
               i ? "and " : "move", plan->directory, pki->authorities[i].key_file);
    printf("  look it over: %s/musterd.conf\n"
           "  start:        musterd run %s\n"
           "  add a device: muster --dir %s device add NAME --template device --profile-out FILE\n",
           plan->directory, plan->directory, plan->directory);
}

static json_t *pair_to_json(const struct init_pair *pair)
{
    AUTO(description_clear) struct description d = { 0 };

    if (describe(pair, &d) != OK)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "name", pair->name, "subject", buf_text(&d.subject),
                     "key", d.key, "not_after_s", (json_int_t)cert_not_after_s(pair->cert), "fingerprint",
                     d.fingerprint, "certificate_file", pair->cert_file, "key_file", pair->key_file);
}

static json_t *pairs_to_json(const struct init_pair *pairs, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, pair_to_json(&pairs[i]));
    return list;
}

static enum status print_json(const struct init_plan *plan, const struct init_pki *pki)
{
    AUTO(description_clear) struct description anchor = { 0 };

    TRY(describe(&pki->authorities[0], &anchor));
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "directory", plan->directory, "config",
                               "musterd.conf", "public_url", plan->url, "anchor_fingerprint", anchor.fingerprint,
                               "authorities", pairs_to_json(pki->authorities, pki->authorities_count), "ras",
                               pairs_to_json(pki->ras, pki->ras_count));
    char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    if (!text)
        return fail(FAULT, "no memory for the JSON");
    puts(text);
    free(text);
    return OK;
}

/* --- The subcommand ------------------------------------------------------------ */

static enum status run(const struct init_plan *plan)
{
    AUTO(init_pki_clear) struct init_pki pki = { 0 };

    TRY(file_make_directory(plan->directory, 0755));
    TRY(check_empty(plan->directory));
    TRY(init_make_pki(plan, &pki));
    if (write_everything(plan, &pki) != OK)
        return fail_in(FAULT, "%s is not complete (remove it, and try again)", plan->directory);
    if (plan->json)
        return print_json(plan, &pki);
    TRY(print_table(&pki));
    print_next_steps(plan, &pki);
    return OK;
}

int init_main(int argc, char **argv)
{
    struct init_plan plan = {
        .depth = 3,
        .ca_key = { KEY_RSA, 2048 },
        .ra_key = { KEY_RSA, 2048 },
        .organization = "Muster",
        .listen = "127.0.0.1:8080",
        .listen_tls = "127.0.0.1:8443",
        .root_days = 7300,
        .ca_days = 3650,
        .ra_days = 1095,
    };
    bool help = false;
    enum status status = read_options(argc, argv, &plan, &help);

    if (status == OK && help) {
        print_help(stdout);
        return 0;
    }
    const bool asked_wrongly = status != OK;
    if (!asked_wrongly)
        status = run(&plan);
    if (status != OK)
        fprintf(stderr, "musterd init: %s\n", fail_text());
    return asked_wrongly ? EXIT_USAGE : status_exit_code(status);
}
