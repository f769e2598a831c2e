/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/endpoint.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"

#define WARN_BEFORE_S (INT64_C(30) * 86400)

void endpoint_clear(struct endpoint *endpoint)
{
    cert_free(endpoint->encryption_cert);
    cert_free(endpoint->signing_cert);
    cert_free(endpoint->authority);
    private_key_free(endpoint->encryption_key);
    private_key_free(endpoint->signing_key);
    cert_list_clear(&endpoint->superiors);
    buf_clear(&endpoint->bundle);
    buf_clear(&endpoint->capabilities);
    *endpoint = (struct endpoint){ 0 };
}

/* --- Files -------------------------------------------------------------- */

static enum status load_cert(const struct config *config, const char *file, struct cert **out)
{
    char path[PATH_MAX];
    char when[CLOCK_TEXT_BYTES];

    TRY(config_absolute(config, file, path));
    TRY(cert_load(path, out));
    if (cert_not_after_s(*out) > clock_now_s() + WARN_BEFORE_S)
        return OK;
    clock_format_utc(cert_not_after_s(*out), when);
    log_write(LOG_WARNING, "%s ends on %s: replace it, or nobody can enrol any more", path, when);
    return OK;
}

static enum status load_pair(const struct config *config, const char *cert_file, const char *key_file,
                             struct cert **cert, struct private_key **key)
{
    char path[PATH_MAX];

    TRY(load_cert(config, cert_file, cert));
    TRY(config_absolute(config, key_file, path));
    TRY(private_key_load(path, key));
    if (!span_equal(public_key_get_spki(private_key_get_public(*key)), cert_get_spki(*cert)))
        return fail(BAD_INPUT, "%s is not the key of the certificate %s", path, cert_file);
    return OK;
}

static enum status load_ra(const struct config_ra *ra, struct endpoint *out)
{
    TRY(load_pair(out->config, ra->encryption_certificate, ra->encryption_key, &out->encryption_cert,
                  &out->encryption_key));
    if (public_key_get_spec(private_key_get_public(out->encryption_key)).kind != KEY_RSA)
        return fail(REFUSED, "%s: SCEP needs an RSA key here", ra->encryption_key);
    return load_pair(out->config, ra->signing_certificate, ra->signing_key, &out->signing_cert,
                     &out->signing_key);
}

static enum status load_authority(const struct config_authority *authority, struct endpoint *out)
{
    char path[PATH_MAX];

    TRY(load_cert(out->config, authority->certificate, &out->authority));
    TRY(cert_get_key(out->authority, &out->authority_key));
    if (cert_is_self_issued(out->authority))
        return OK; /* a single level has nothing above it */
    TRY(config_absolute(out->config, authority->chain, path));
    TRY(cert_list_load(&out->superiors, path));
    if (out->superiors.count >= ENDPOINT_LEVELS_MAX)
        return fail(BAD_INPUT, "%s: a chain of more than %d certificates", path, ENDPOINT_LEVELS_MAX - 1);
    return OK;
}

/* --- Levels ------------------------------------------------------------- */

/* The first CN of an RFC 4514 text, without its escapes. */
static void copy_common_name(const char *text, char out[ENDPOINT_NAME_BYTES])
{
    size_t n = 0;

    while (text && strncmp(text, "CN=", 3) != 0) {
        text = strpbrk(text, ",+");
        text = text ? text + 1 : NULL;
    }
    for (text = text ? text + 3 : ""; *text && *text != ',' && *text != '+' && n < ENDPOINT_NAME_BYTES - 1;
         text++) {
        if (*text == '\\' && text[1])
            text++;
        out[n++] = *text;
    }
    out[n] = 0;
}

static enum status add_level(struct endpoint *endpoint, const struct cert *cert)
{
    AUTO(buf_clear) struct buf text = { 0 };
    struct endpoint_level *level = &endpoint->levels[endpoint->levels_count++];

    level->der = cert_get_der(cert);
    level->is_root = cert_is_self_issued(cert);
    TRY(name_format(cert_get_subject(cert), &text));
    copy_common_name(buf_text(&text), level->common_name);
    return OK;
}

static enum status add_levels(struct endpoint *endpoint)
{
    TRY(add_level(endpoint, endpoint->authority));
    for (size_t i = 0; i < endpoint->superiors.count; i++)
        TRY(add_level(endpoint, endpoint->superiors.items[i]));
    return OK;
}

/* The chain's certificates that are handed out together, from the issuing CA upwards. */
static size_t chain_to_send(const struct endpoint *endpoint, struct span *out)
{
    size_t count = 0;

    for (size_t i = 0; i < endpoint->levels_count; i++)
        if (i == 0 || !endpoint->levels[i].is_root || endpoint->path->root_in_chain)
            out[count++] = endpoint->levels[i].der;
    return count;
}

size_t endpoint_reply_certificates(const struct endpoint *endpoint, struct span issued,
                                   struct span out[ENDPOINT_LEVELS_MAX + 1])
{
    out[0] = issued;
    switch (endpoint->path->reply) {
    case REPLY_LEAF:
        return 1;
    case REPLY_WITH_CA:
        out[1] = endpoint->levels[0].der;
        return 2;
    case REPLY_WITH_CHAIN:
        return 1 + chain_to_send(endpoint, out + 1);
    }
    return 1;
}

/* --- Answers that never change ------------------------------------------ */

/* RFC 8894 s4.2.1; in this order because clients pick by position: RA encryption, RA signing, CAs. */
static enum status make_bundle(struct endpoint *endpoint)
{
    struct span certs[ENDPOINT_LEVELS_MAX + 2] = { cert_get_der(endpoint->encryption_cert) };
    const struct span signing = cert_get_der(endpoint->signing_cert);
    size_t count = 1;

    if (!span_equal(signing, certs[0]))
        certs[count++] = signing;
    count += chain_to_send(endpoint, certs + count);
    return scep_certs_build(certs, count, &endpoint->bundle);
}

static enum status make_capabilities(struct endpoint *endpoint)
{
    const struct scep_policy *policy = &endpoint->path->policy;
    unsigned words = SCEP_CAP_AES | SCEP_CAP_POST | SCEP_CAP_RENEWAL | SCEP_CAP_SHA256 | SCEP_CAP_SHA512 |
                     SCEP_CAP_STANDARD;

    words |= policy->allow_des3 ? SCEP_CAP_DES3 : 0;
    words |= policy->allow_sha1 ? SCEP_CAP_SHA1 : 0;
    return scep_capabilities_format(words, &endpoint->capabilities);
}

enum status endpoint_load(const struct config *config, const struct config_path *path, struct endpoint *out)
{
    out->config = config;
    out->path = path;
    TRY(load_ra(&config->ras[path->ra], out));
    TRY(load_authority(&config->authorities[path->authority], out));
    TRY(add_levels(out));
    TRY(make_bundle(out));
    return make_capabilities(out);
}
