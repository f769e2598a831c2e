/* SPDX-License-Identifier: Apache-2.0
 *
 * What `musterd init` was asked for, and what it makes of it: shared by init.c (options and report),
 * init_pki.c (keys and certificates) and init_config.c (musterd.conf).
 */
#pragma once

#include "lib/pki/pki.h"

#define INIT_DEPTH_MAX 4
#define INIT_RAS_MAX 2
#define INIT_DNS_MAX 32
#define INIT_URL_BYTES 400

/* The options, checked. */
struct init_plan {
    const char *directory; /* as it was given */
    unsigned depth;        /* levels of authorities; the last one issues */
    struct key_spec ca_key;
    struct key_spec root_key; /* the same as ca_key unless it was asked for */
    bool root_key_given;
    struct key_spec ra_key;
    bool ra_separate; /* one certificate for encryption, one for signing */
    const char *organization;
    const char *listen;
    const char *listen_tls;
    const char *tls; /* the server's name in its TLS certificate; NULL for no TLS */
    char url[INIT_URL_BYTES]; /* without a slash at its end */
    char plain_url[INIT_URL_BYTES]; /* of CRLs and CA certificates, which are http (RFC 5280 s8) */
    const char *permit_dns[INIT_DNS_MAX];
    size_t permit_dns_count;
    int64_t root_days;
    int64_t ca_days;
    int64_t ra_days;
    bool json;
};

/* A certificate with its key. */
struct init_pair {
    const char *name; /* of an authority: "issuing"; of an RA: what it is for */
    const char *key_file; /* within DIR */
    const char *cert_file;
    const char *chain_file; /* NULL for an RA */
    struct private_key *key;
    struct cert *cert;
};

struct init_pki {
    struct init_pair authorities[INIT_DEPTH_MAX]; /* the root first, the issuing one last */
    size_t authorities_count;
    struct init_pair ras[INIT_RAS_MAX]; /* the one for encryption first */
    size_t ras_count;
};

static inline const struct init_pair *init_issuing(const struct init_pki *pki)
{
    return &pki->authorities[pki->authorities_count - 1];
}

/* Make keys and certificates, in memory. */
MUST_USE enum status init_make_pki(const struct init_plan *plan, struct init_pki *out);
void init_pki_clear(struct init_pki *pki); /* wipes; fine on zeros */

/* Put the keys (mode 0600), certificates and chains into DIR, which exists. */
MUST_USE enum status init_write_pki(const struct init_plan *plan, const struct init_pki *pki);

/* The text of musterd.conf, appended. */
MUST_USE enum status init_write_config(const struct init_plan *plan, const struct init_pki *pki, struct buf *out);

/* A text as the value of an RFC 4514 name, appended: special characters with a backslash. */
MUST_USE enum status init_append_name_value(struct buf *out, const char *value);
