/* SPDX-License-Identifier: Apache-2.0 */
#include "server/supervisor/check.h"

#include "lib/base/clock.h"

#include <stdio.h>

static enum status check_pair(const char *what, const char *name, const char *certificate, const char *key,
                              struct cert **out)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(private_key_freep) struct private_key *private_key = NULL;
    AUTO(buf_clear) struct buf subject = { 0 };
    char until[CLOCK_TEXT_BYTES];

    TRY(cert_load(certificate, &cert));
    TRY(private_key_load(key, &private_key));
    if (!span_equal(cert_get_spki(cert), public_key_get_spki(private_key_get_public(private_key))))
        return fail(BAD_PROOF, "%s is not the key of %s", key, certificate);
    if (cert_not_after_s(cert) < clock_now_s())
        return fail(BAD_PROOF, "%s has expired", certificate);
    clock_format_utc(cert_not_after_s(cert), until);
    TRY(name_format(cert_get_subject(cert), &subject));
    printf("%s %s: %s, until %s\n", what, name, buf_text(&subject), until);
    *out = take(cert);
    return OK;
}

static enum status check_authority(const struct config_authority *a)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(cert_list_clear) struct cert_list chain = { 0 };
    const int64_t now_s = clock_now_s();

    TRY(check_pair("authority", a->name, a->certificate, a->key, &cert));
    TRY(cert_list_load(&chain, a->chain));
    struct cert *below = cert;
    for (size_t i = 0; i < chain.count; i++) {
        if (cert_verify_issued_by(below, chain.items[i], now_s) != OK)
            return fail_in(BAD_PROOF, "%s: certificate %zu", a->chain, i + 1);
        below = chain.items[i];
    }
    if (!cert_is_self_issued(below))
        return fail(BAD_PROOF, "%s: the chain does not end in a root", a->chain);
    return OK;
}

static enum status check_tls(const struct config *config, const struct config_tls *tls)
{
    AUTO(cert_freep) struct cert *cert = NULL;

    if (tls->issue_from == CONFIG_NONE)
        return check_pair("tls", tls->name, tls->certificate, tls->key, &cert);
    printf("tls %s: %s, issued by authority %s while the server runs\n", tls->name, tls->names[0],
           config->authorities[tls->issue_from].name);
    return OK;
}

static enum status check_path(const struct config *config, const struct config_path *path)
{
    AUTO(buf_clear) struct buf secret = { 0 };

    printf("path %s: %s/scep/%s\n", path->name, config->public_url, path->name);
    if (!path->secret_file[0])
        return OK;
    TRY(config_read_secret(path, &secret));
    printf("path %s: WARNING: whoever knows the secret in %s can have certificates of every device of this path\n",
           path->name, path->secret_file);
    return OK;
}

enum status check_files(const struct config *config)
{
    for (size_t i = 0; i < config->authorities_count; i++)
        TRY(check_authority(&config->authorities[i]));
    for (size_t i = 0; i < config->ras_count; i++) {
        const struct config_ra *ra = &config->ras[i];
        AUTO(cert_freep) struct cert *encryption = NULL;
        AUTO(cert_freep) struct cert *signing = NULL;
        TRY(check_pair("ra encryption", ra->name, ra->encryption_certificate, ra->encryption_key, &encryption));
        TRY(check_pair("ra signing", ra->name, ra->signing_certificate, ra->signing_key, &signing));
    }
    for (size_t i = 0; i < config->tls_count; i++)
        TRY(check_tls(config, &config->tls[i]));
    for (size_t i = 0; i < config->paths_count; i++)
        TRY(check_path(config, &config->paths[i]));
    return OK;
}
