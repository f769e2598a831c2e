/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/issue.h"

#include <stdlib.h>

#define DAY_S INT64_C(86400)

/* An order that a crash left behind is sent again with the times it had. */
#define LATE_MAX_S (7 * DAY_S)
#define CLOCK_SLACK_S 300

/* cert_serial_generate() begins every serial number with this octet. */
#define SERIAL_FIRST_OCTET 0x4d

struct authority {
    struct cert *cert;
    struct name_constraints *constraints; /* its own and those above it */
    struct private_key *key;
};

struct issuer {
    const struct config *config;
    struct journal *journal;
    struct authority authorities[CONFIG_AUTHORITIES_MAX]; /* in the configuration's order */
    struct buf hold; /* of what the journal found */
};

/* What an order's names mean in the configuration. */
struct terms {
    const struct config_authority *place;
    const struct authority *authority;
    const struct template *template;
};

void issuer_free(struct issuer *issuer)
{
    if (!issuer)
        return;
    for (size_t i = 0; i < CONFIG_AUTHORITIES_MAX; i++) {
        cert_free(issuer->authorities[i].cert);
        private_key_free(issuer->authorities[i].key);
        name_constraints_free(issuer->authorities[i].constraints);
    }
    buf_clear(&issuer->hold);
    free(issuer);
}

static enum status load_authority(const struct config *config, const struct config_authority *place,
                                  struct authority *authority)
{
    AUTO(cert_list_clear) struct cert_list superiors = { 0 };
    char key[PATH_MAX], certificate[PATH_MAX], chain[PATH_MAX];

    TRY(config_absolute(config, place->key, key));
    TRY(config_absolute(config, place->certificate, certificate));
    TRY(private_key_load(key, &authority->key));
    TRY(cert_load(certificate, &authority->cert));
    TRY(config_absolute(config, place->chain, chain));
    TRY(cert_list_load(&superiors, chain));
    TRY(name_constraints_read(authority->cert, &superiors, &authority->constraints));
    const struct public_key *public = private_key_get_public(authority->key);
    if (!span_equal(public_key_get_spki(public), cert_get_spki(authority->cert)))
        return fail(BAD_INPUT, "authority %s: %s is not the key of %s", place->name, key, certificate);
    if (!cert_is_ca(authority->cert) || !cert_has_key_usage(authority->cert, KEY_USAGE_KEY_CERT_SIGN))
        return fail(BAD_INPUT, "authority %s: %s is not the certificate of a CA", place->name, certificate);
    return OK;
}

enum status issuer_new(const struct config *config, struct issuer **out)
{
    AUTO(issuer_freep) struct issuer *issuer = calloc(1, sizeof *issuer);

    if (!issuer)
        return fail(FAULT, "signer: no memory");
    issuer->config = config;
    for (size_t i = 0; i < config->authorities_count; i++)
        TRY(load_authority(config, &config->authorities[i], &issuer->authorities[i]));
    *out = take(issuer);
    return OK;
}

void issuer_set_journal(struct issuer *issuer, struct journal *journal)
{
    issuer->journal = journal;
}

/* --- What may be asked ------------------------------------------------- */

/* Is it the template of a tls section that this authority issues? */
static bool tls_joins(const struct config *config, size_t authority, size_t template)
{
    for (size_t i = 0; i < config->tls_count; i++)
        if (config->tls[i].issue_from == authority && config->tls[i].template == template)
            return true;
    return false;
}

/* Does any enrolment path let this authority issue by this template? */
static bool path_joins(const struct config *config, size_t authority, size_t template)
{
    for (size_t i = 0; i < config->paths_count; i++) {
        const struct config_path *path = &config->paths[i];
        if (path->authority != authority)
            continue;
        for (size_t t = 0; t < path->templates_count; t++)
            if (path->templates[t] == template)
                return true;
    }
    return false;
}

static enum status find_terms(const struct issuer *issuer, const struct ipc_issue *order, struct terms *out)
{
    const struct config *config = issuer->config;
    const struct config_authority *place = config_find_authority(config, order->authority);
    const struct template *template = config_find_template(config, order->template);

    if (!place)
        return fail(REFUSED, "there is no authority of that name");
    if (!template)
        return fail(REFUSED, "there is no template of that name");
    const size_t authority = (size_t)(place - config->authorities);
    const size_t kind = (size_t)(template - config->templates);
    if (!path_joins(config, authority, kind) && !tls_joins(config, authority, kind))
        return fail(REFUSED, "no path lets authority %s issue by template %s", place->name, template->name);
    *out = (struct terms){ place, &issuer->authorities[authority], template };
    return OK;
}

static enum status check_serial(struct span serial)
{
    if (serial.len != CERT_SERIAL_MAX_BYTES)
        return fail(REFUSED, "a serial number of %zu octets, want %d", serial.len, CERT_SERIAL_MAX_BYTES);
    if (serial.ptr[0] != SERIAL_FIRST_OCTET)
        return fail(REFUSED, "a serial number that begins with %02x, want %02x", serial.ptr[0],
                    SERIAL_FIRST_OCTET);
    return OK;
}

static enum status check_dates(const struct terms *terms, const struct ipc_issue *order, int64_t now_s)
{
    const struct template *t = terms->template;
    const struct cert *ca = terms->authority->cert;
    const int64_t usual_s = t->backdate_s + CLOCK_SLACK_S;
    const int64_t oldest_s = now_s - (usual_s > LATE_MAX_S ? usual_s : LATE_MAX_S);

    if (order->not_before_s > now_s)
        return fail(REFUSED, "notBefore lies %lld s in the future", (long long)(order->not_before_s - now_s));
    if (order->not_before_s < oldest_s)
        return fail(REFUSED, "notBefore lies more than %lld s in the past", (long long)(now_s - oldest_s));
    if (order->not_after_s <= order->not_before_s)
        return fail(REFUSED, "notAfter is not later than notBefore");
    if (order->not_after_s - order->not_before_s > t->lifetime_s + t->backdate_s)
        return fail(REFUSED, "a lifetime of %lld s, and template %s allows %lld s",
                    (long long)(order->not_after_s - order->not_before_s), t->name,
                    (long long)(t->lifetime_s + t->backdate_s));
    if (order->not_before_s < cert_not_before_s(ca) || order->not_after_s > cert_not_after_s(ca))
        return fail(REFUSED, "the dates reach beyond those of authority %s", terms->place->name);
    return OK;
}

static enum status check_key(const struct template *template, struct span spki)
{
    AUTO(public_key_freep) struct public_key *key = NULL;

    TRY(public_key_parse(spki, &key));
    return template_check_key(template, key);
}

static enum status check_names(const struct template *template, const struct ipc_issue *order)
{
    char device[257], username[257];

    TRY(span_to_text(order->device, device, sizeof device));
    TRY(span_to_text(order->username, username, sizeof username));
    return template_check_names(template, device, username, order->subject, order->san);
}

static enum status check_order(const struct terms *terms, const struct ipc_issue *order, int64_t now_s)
{
    TRY(check_serial(order->serial));
    TRY(check_dates(terms, order, now_s));
    TRY(check_key(terms->template, order->spki));
    TRY(check_names(terms->template, order));
    return name_constraints_check(terms->authority->constraints, order->subject, order->san);
}

/* --- Signing ----------------------------------------------------------- */

static const char *url_or_null(const char *url)
{
    return url[0] ? url : NULL;
}

static enum status sign(const struct terms *terms, const struct ipc_issue *order, struct buf *certificate)
{
    const struct template *t = terms->template;
    const char *usages[TEMPLATE_EKU_MAX];

    for (size_t i = 0; i < t->eku_count; i++)
        usages[i] = t->eku[i];
    const struct cert_content content = {
        .serial = order->serial,
        .subject = order->subject,
        .subject_alt_name = order->san,
        .spki = order->spki,
        .not_before_s = order->not_before_s,
        .not_after_s = order->not_after_s,
        .key_usage = t->key_usage,
        .extended_key_usage = usages,
        .extended_key_usage_count = t->eku_count,
        .path_length = PATH_LENGTH_NONE,
        .crl_url = url_or_null(terms->place->crl_url),
        .issuer_url = url_or_null(terms->place->issuer_url),
    };
    return cert_issue(&content, terms->authority->cert, terms->authority->key, certificate);
}

static enum status append(struct journal *journal, const struct ipc_issue *order, struct span certificate,
                          uint64_t *sequence)
{
    const struct journal_record record = {
        .serial = order->serial,
        .authority = order->authority,
        .template = order->template,
        .device = order->device,
        .certificate = certificate,
    };

    return journal_append(journal, &record, sequence);
}

/* An empty Name may stand there as the empty span. */
static bool same_subject(struct span a, struct span b)
{
    return span_equal(a, b) || (name_is_empty(a) && name_is_empty(b));
}

/* Would the order give the certificate that was already issued under its serial number? */
static enum status check_same(const struct journal_record *record, const struct ipc_issue *order)
{
    AUTO(cert_freep) struct cert *cert = NULL;

    TRY(cert_parse(record->certificate, &cert));
    if (span_equal(record->authority, order->authority) && span_equal(record->template, order->template) &&
        span_equal(record->device, order->device) && span_equal(cert_get_spki(cert), order->spki) &&
        same_subject(cert_get_subject(cert), order->subject) &&
        span_equal(cert_get_subject_alt_name(cert), order->san) &&
        cert_not_before_s(cert) == order->not_before_s && cert_not_after_s(cert) == order->not_after_s)
        return OK;
    return fail(REFUSED, "the serial number was used for another certificate (journal record %llu)",
                (unsigned long long)record->sequence);
}

static enum status issue_new(struct issuer *issuer, const struct ipc_issue *order, int64_t now_s,
                             struct buf *certificate, uint64_t *sequence)
{
    struct terms terms = { 0 };

    TRY(find_terms(issuer, order, &terms));
    /* What does not parse is refused as well: an order is ours or it is nothing. */
    const enum status status = check_order(&terms, order, now_s);
    if (status != OK)
        return status == FAULT ? FAULT : REFUSED;
    if (sign(&terms, order, certificate) != OK)
        return FAULT;
    return append(issuer->journal, order, buf_span(certificate), sequence) == OK ? OK : FAULT;
}

enum status issuer_issue(struct issuer *issuer, const struct ipc_issue *order, int64_t now_s,
                         struct buf *certificate, uint64_t *sequence)
{
    struct journal_record record;
    bool found = false;

    TRY(journal_find(issuer->journal, order->serial, &issuer->hold, &record, &found));
    if (!found)
        return issue_new(issuer, order, now_s, certificate, sequence);
    TRY(check_same(&record, order));
    TRY(buf_set(certificate, record.certificate));
    *sequence = record.sequence;
    return OK;
}
