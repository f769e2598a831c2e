/* SPDX-License-Identifier: Apache-2.0 */
#include "server/supervisor/init_plan.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"

#include <limits.h>
#include <stdio.h>

#define DAY_S INT64_C(86400)

/* Authorities begin so far in the past: a certificate that is backdated for slow clocks, by a day at
 * most, may be issued at once. */
#define BACKDATE_S DAY_S

#define COMMON_NAME_MAX_BYTES 64 /* RFC 5280 appendix A.1: ub-common-name */

/* The levels of each depth. */
static const char *const levels[INIT_DEPTH_MAX + 1][INIT_DEPTH_MAX] = {
    [1] = { "root" },
    [2] = { "root", "issuing" },
    [3] = { "root", "intermediate", "issuing" },
    [4] = { "root", "intermediate", "intermediate-2", "issuing" },
};

static const struct level {
    struct init_pair files;
    const char *common_name;
} known_levels[] = {
    { { .name = "root",
        .key_file = "authority/root/key.pem",
        .cert_file = "authority/root/cert.pem",
        .chain_file = "authority/root/chain.pem" },
      "Root CA" },
    { { .name = "intermediate",
        .key_file = "authority/intermediate/key.pem",
        .cert_file = "authority/intermediate/cert.pem",
        .chain_file = "authority/intermediate/chain.pem" },
      "Intermediate CA" },
    { { .name = "intermediate-2",
        .key_file = "authority/intermediate-2/key.pem",
        .cert_file = "authority/intermediate-2/cert.pem",
        .chain_file = "authority/intermediate-2/chain.pem" },
      "Intermediate CA 2" },
    { { .name = "issuing",
        .key_file = "authority/issuing/key.pem",
        .cert_file = "authority/issuing/cert.pem",
        .chain_file = "authority/issuing/chain.pem" },
      "Issuing CA" },
};

struct ra_kind {
    struct init_pair files;
    const char *common_name;
    unsigned key_usage;
};

static const struct ra_kind ra_one[] = {
    { { .name = "ra", .key_file = "ra/default/key.pem", .cert_file = "ra/default/cert.pem" },
      "RA",
      KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_ENCIPHERMENT },
};

static const struct ra_kind ra_separate[] = {
    { { .name = "ra encryption",
        .key_file = "ra/default/encryption-key.pem",
        .cert_file = "ra/default/encryption-cert.pem" },
      "RA Encryption",
      KEY_USAGE_KEY_ENCIPHERMENT },
    { { .name = "ra signing",
        .key_file = "ra/default/signing-key.pem",
        .cert_file = "ra/default/signing-cert.pem" },
      "RA Signing",
      KEY_USAGE_DIGITAL_SIGNATURE },
};

static void pair_clear(struct init_pair *pair)
{
    private_key_free(pair->key);
    cert_free(pair->cert);
    pair->key = NULL;
    pair->cert = NULL;
}

void init_pki_clear(struct init_pki *pki)
{
    for (size_t i = 0; i < pki->authorities_count; i++)
        pair_clear(&pki->authorities[i]);
    for (size_t i = 0; i < pki->ras_count; i++)
        pair_clear(&pki->ras[i]);
}

/* --- Names -------------------------------------------------------------- */

enum status init_append_name_value(struct buf *out, const char *value)
{
    for (size_t i = 0; value[i]; i++) {
        if (strchr(",+\"\\<>;=", value[i]) || (i == 0 && value[i] == '#'))
            TRY(buf_append_text(out, "\\"));
        TRY(buf_append(out, span_of(value + i, 1)));
    }
    return OK;
}

/* "CN=Example Root CA,O=Example"; the organization is left out of a common name it would make too long. */
static enum status make_subject(const char *organization, const char *common_name, struct buf *out)
{
    AUTO(buf_clear) struct buf text = { 0 };

    TRY(buf_append_text(&text, "CN="));
    if (strlen(organization) + 1 + strlen(common_name) <= COMMON_NAME_MAX_BYTES) {
        TRY(init_append_name_value(&text, organization));
        TRY(buf_append_text(&text, " "));
    }
    TRY(buf_append_format(&text, "%s,O=", common_name));
    TRY(init_append_name_value(&text, organization));
    const char *whole = buf_text(&text);
    return whole ? name_parse_text(whole, out) : FAULT;
}

/* --- Certificates ------------------------------------------------------- */

/* What the levels and the RA have in common: a serial, a name, a key, where the issuer's CRL and certificate are. */
struct draft {
    struct cert_content content;
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    struct buf subject;
    char crl_url[INIT_URL_BYTES + 64];
    char issuer_url[INIT_URL_BYTES + 64];
};

static void draft_clear(struct draft *draft)
{
    buf_clear(&draft->subject);
}

static enum status draft_start(const struct init_plan *plan, const char *common_name, int64_t days,
                               struct draft *draft)
{
    const int64_t now_s = clock_now_s();

    TRY(cert_serial_generate(draft->serial));
    TRY(make_subject(plan->organization, common_name, &draft->subject));
    draft->content = (struct cert_content){
        .serial = span_of(draft->serial, sizeof draft->serial),
        .subject = buf_span(&draft->subject),
        .not_before_s = now_s - BACKDATE_S,
        .not_after_s = now_s + days * DAY_S,
        .path_length = PATH_LENGTH_NONE,
    };
    return OK;
}

/* Where what the issuer publishes can be fetched. */
static void draft_point_to(const struct init_plan *plan, const struct init_pair *issuer, struct draft *draft)
{
    snprintf(draft->crl_url, sizeof draft->crl_url, "%s/crl/%s.crl", plan->plain_url, issuer->name);
    snprintf(draft->issuer_url, sizeof draft->issuer_url, "%s/ca/%s.cer", plan->plain_url, issuer->name);
    draft->content.crl_url = draft->crl_url;
    draft->content.issuer_url = draft->issuer_url;
}

/* Sign a draft with the issuer's key, or its own. */
static enum status draft_sign(struct draft *draft, const struct init_pair *issuer, struct init_pair *out)
{
    AUTO(buf_clear) struct buf der = { 0 };
    const struct cert *issuer_cert = issuer ? issuer->cert : NULL;

    draft->content.spki = public_key_get_spki(private_key_get_public(out->key));
    TRY(cert_issue(&draft->content, issuer_cert, issuer ? issuer->key : out->key, &der));
    return cert_parse(buf_span(&der), &out->cert);
}

static const struct level *find_level(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(known_levels); i++)
        if (strcmp(known_levels[i].files.name, name) == 0)
            return &known_levels[i];
    return NULL;
}

/* RFC 5280 s4.2.1.9: how many more authorities may follow.  A root says nothing, so that it can grow. */
static int path_length(unsigned depth, size_t i)
{
    return i == 0 && depth > 1 ? PATH_LENGTH_NONE : (int)(depth - 1 - i);
}

static enum status make_authority(const struct init_plan *plan, struct init_pki *pki)
{
    AUTO(draft_clear) struct draft draft = { 0 };
    const size_t i = pki->authorities_count;
    const struct level *level = find_level(levels[plan->depth][i]);
    const struct init_pair *issuer = i ? &pki->authorities[i - 1] : NULL;
    struct init_pair *pair = &pki->authorities[i];

    *pair = level->files;
    pki->authorities_count++;
    TRY(private_key_generate(i ? plan->ca_key : plan->root_key, &pair->key));
    TRY(draft_start(plan, level->common_name, i ? plan->ca_days : plan->root_days, &draft));
    draft.content.is_ca = true;
    draft.content.path_length = path_length(plan->depth, i);
    draft.content.key_usage = KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN;
    if (issuer)
        draft_point_to(plan, issuer, &draft);
    if (i == 1 || plan->depth == 1) {
        draft.content.permitted_dns = plan->permit_dns;
        draft.content.permitted_dns_count = plan->permit_dns_count;
    }
    return draft_sign(&draft, issuer, pair);
}

static enum status make_ra(const struct init_plan *plan, const struct ra_kind *kind, struct init_pki *pki)
{
    AUTO(draft_clear) struct draft draft = { 0 };
    const struct init_pair *issuer = init_issuing(pki);
    struct init_pair *pair = &pki->ras[pki->ras_count++];

    *pair = kind->files;
    TRY(private_key_generate(plan->ra_key, &pair->key));
    TRY(draft_start(plan, kind->common_name, plan->ra_days, &draft));
    draft.content.key_usage = kind->key_usage;
    draft_point_to(plan, issuer, &draft);
    return draft_sign(&draft, issuer, pair);
}

enum status init_make_pki(const struct init_plan *plan, struct init_pki *out)
{
    const struct ra_kind *kinds = plan->ra_separate ? ra_separate : ra_one;
    const size_t count = plan->ra_separate ? COUNT_OF(ra_separate) : COUNT_OF(ra_one);

    for (unsigned i = 0; i < plan->depth; i++)
        TRY(make_authority(plan, out));
    for (size_t i = 0; i < count; i++)
        TRY(make_ra(plan, &kinds[i], out));
    return OK;
}

/* --- Files --------------------------------------------------------------- */

static enum status put_file(const struct init_plan *plan, const char *name, struct span content, mode_t mode)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof path, "%s/%s", plan->directory, name) >= sizeof path)
        return fail(BAD_INPUT, "%s: path too long", plan->directory);
    return file_create(path, content, mode);
}

/* Make the directory that a file goes into. */
static enum status put_directory_of(const struct init_plan *plan, const char *file)
{
    char path[PATH_MAX];
    const int length = (int)(strrchr(file, '/') - file);

    if ((size_t)snprintf(path, sizeof path, "%s/%.*s", plan->directory, length, file) >= sizeof path)
        return fail(BAD_INPUT, "%s: path too long", plan->directory);
    return file_make_directory(path, 0755);
}

static enum status put_pair(const struct init_plan *plan, const struct init_pair *pair)
{
    AUTO(buf_clear) struct buf key = { 0 };
    AUTO(buf_clear) struct buf cert = { 0 };

    TRY(put_directory_of(plan, pair->cert_file));
    TRY(private_key_write_pem(pair->key, &key));
    TRY(put_file(plan, pair->key_file, buf_span(&key), 0600));
    TRY(cert_append_pem(pair->cert, &cert));
    return put_file(plan, pair->cert_file, buf_span(&cert), 0644);
}

/* The superiors of authority i, the next above first. */
static enum status put_chain(const struct init_plan *plan, const struct init_pki *pki, size_t i)
{
    AUTO(buf_clear) struct buf chain = { 0 };

    for (size_t above = i; above-- > 0;)
        TRY(cert_append_pem(pki->authorities[above].cert, &chain));
    return put_file(plan, pki->authorities[i].chain_file, buf_span(&chain), 0644);
}

enum status init_write_pki(const struct init_plan *plan, const struct init_pki *pki)
{
    TRY(put_directory_of(plan, "authority/."));
    TRY(put_directory_of(plan, "ra/."));
    for (size_t i = 0; i < pki->authorities_count; i++) {
        TRY(put_pair(plan, &pki->authorities[i]));
        TRY(put_chain(plan, pki, i));
    }
    for (size_t i = 0; i < pki->ras_count; i++)
        TRY(put_pair(plan, &pki->ras[i]));
    return OK;
}
