/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trust.h"

#include "lib/base/log.h"
#include "lib/base/text.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#define HEX_BYTES (2 * SHA256_BYTES + 1)
#define SHOWN_MAX 3

void trust_clear(struct trust *trust)
{
    cert_list_clear(&trust->offered);
    *trust = (struct trust){ 0 };
}

struct cert_list trust_list(struct trust_row *row)
{
    return (struct cert_list){ row->items, row->count };
}

enum status trust_offer(struct trust *trust, struct cert_list *list)
{
    enum status status = OK;

    if (trust->offered.count + list->count > TRUST_CERTS_MAX)
        status = fail(BAD_INPUT, "the server offers more than %d certificates", TRUST_CERTS_MAX);
    for (size_t i = 0; i < list->count && status == OK; i++)
        status = cert_list_append(&trust->offered, take(list->items[i]));
    cert_list_clear(list);
    return status;
}

/* --- The anchor ---------------------------------------------------------------------------------- */

static void fingerprint_text(const struct cert *cert, char text[HEX_BYTES])
{
    uint8_t digest[SHA256_BYTES];

    cert_fingerprint(cert, digest);
    hex_encode(span_of(digest, sizeof digest), text);
}

static bool was_offered_before(const struct trust *trust, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (span_equal(cert_get_der(trust->offered.items[j]), cert_get_der(trust->offered.items[i])))
            return true;
    return false;
}

/* What a person compares: the roots that were offered or, where there is none, all CAs. */
static enum status describe_offered(const struct trust *trust, bool roots_only, struct buf *out)
{
    size_t shown = 0;

    for (size_t i = 0; i < trust->offered.count && shown < SHOWN_MAX; i++) {
        const struct cert *cert = trust->offered.items[i];
        char text[HEX_BYTES];
        if (!cert_is_ca(cert) || (roots_only && !cert_is_self_issued(cert)) || was_offered_before(trust, i))
            continue;
        fingerprint_text(cert, text);
        TRY(buf_append_format(out, "%s%s (", shown++ ? ", " : "", text));
        TRY(name_format(cert_get_subject(cert), out));
        TRY(buf_append_text(out, ")"));
    }
    return OK;
}

static enum status refuse_anchor(const struct trust *trust, struct span pin)
{
    AUTO(buf_clear) struct buf offered = { 0 };
    char wanted[HEX_BYTES] = "";

    TRY(describe_offered(trust, true, &offered));
    if (!offered.len)
        TRY(describe_offered(trust, false, &offered));
    if (pin.len == SHA256_BYTES)
        hex_encode(pin, wanted);
    return fail(BAD_PROOF, "the server is not the one that the profile names: the trust anchor's fingerprint "
                "(SHA-256) should be %s, the server offers %s", wanted,
                offered.len ? buf_text(&offered) : "no CA certificate");
}

enum status trust_find_anchor(struct trust *trust, struct span pin)
{
    for (size_t i = 0; i < trust->offered.count; i++) {
        uint8_t digest[SHA256_BYTES];
        cert_fingerprint(trust->offered.items[i], digest);
        if (!span_equal(span_of(digest, sizeof digest), pin))
            continue;
        if (!cert_is_ca(trust->offered.items[i]))
            return fail(BAD_PROOF, "the certificate with the profile's fingerprint is not a CA's");
        trust->anchor = trust->offered.items[i];
        return OK;
    }
    return refuse_anchor(trust, pin);
}

/* --- The authorities below it ---------------------------------------------------------------------- */

static bool row_contains(const struct trust_row *row, const struct cert *cert)
{
    for (size_t i = 0; i < row->count; i++)
        if (row->items[i] == cert || span_equal(cert_get_der(row->items[i]), cert_get_der(cert)))
            return true;
    return false;
}

static void row_add(struct trust_row *row, struct cert *cert)
{
    if (row->count < TRUST_CERTS_MAX)
        row->items[row->count++] = cert;
}

/* The place of the proved CA that issued `cert`, or -1.  One that only bears the issuer's name is told
 * about, since that is what a forgery looks like. */
static int find_issuer(const struct trust *trust, const struct cert *cert, int64_t now_s)
{
    for (size_t i = 0; i < trust->authorities.count; i++) {
        struct cert *superior = trust->authorities.items[i];
        if (!name_equal(cert_get_issuer(cert), cert_get_subject(superior)))
            continue;
        if (cert_verify_issued_by(cert, superior, now_s) == OK)
            return (int)i;
        log_write(LOG_INFO, "a certificate that names a trusted issuer is not used: %s", fail_text());
    }
    return -1;
}

static bool prove_next(struct trust *trust, int64_t now_s)
{
    for (size_t i = 0; i < trust->offered.count; i++) {
        struct cert *cert = trust->offered.items[i];
        if (!cert_is_ca(cert) || row_contains(&trust->authorities, cert))
            continue;
        const int issuer = find_issuer(trust, cert, now_s);
        if (issuer < 0)
            continue;
        trust->levels[trust->authorities.count] = trust->levels[issuer] + 1;
        row_add(&trust->authorities, cert);
        return true;
    }
    return false;
}

void trust_extend(struct trust *trust, int64_t now_s)
{
    while (trust->authorities.count < TRUST_CERTS_MAX && prove_next(trust, now_s))
        ;
}

static void choose_issuing(struct trust *trust)
{
    size_t lowest = 0;

    for (size_t i = 1; i < trust->authorities.count; i++)
        if (trust->levels[i] > trust->levels[lowest])
            lowest = i;
    trust->issuing = trust->authorities.items[lowest];
}

/* --- The RA ------------------------------------------------------------------------------------------ */

static bool is_ra_usage(const ASN1_OBJECT *usage)
{
    static const char *const oids[] = {
        "1.3.6.1.5.5.7.3.27",      /* id-kp-cmcCA, RFC 6402 s2.10 */
        "1.3.6.1.5.5.7.3.28",      /* id-kp-cmcRA */
        "1.3.6.1.4.1.311.20.2.1",  /* certificate request agent: NDES */
        "2.5.29.37.0",             /* anyExtendedKeyUsage */
    };
    char text[64];

    OBJ_obj2txt(text, sizeof text, usage, 1);
    for (size_t i = 0; i < COUNT_OF(oids); i++)
        if (strcmp(text, oids[i]) == 0)
            return true;
    return false;
}

/* Any device's certificate comes from the same CA as the RA's, so an enrolled device could pose as RA
 * and collect passwords.  One that is certified for something else (TLS client) is no RA. */
static bool may_be_ra(const struct cert *cert)
{
    const struct span der = cert_get_der(cert);
    const unsigned char *at = der.ptr;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    EXTENDED_KEY_USAGE *usages = x509 ? X509_get_ext_d2i(x509, NID_ext_key_usage, NULL, NULL) : NULL;
    bool allowed = x509 && !usages;

    for (int i = 0; usages && i < sk_ASN1_OBJECT_num(usages); i++)
        allowed |= is_ra_usage(sk_ASN1_OBJECT_value(usages, i));
    EXTENDED_KEY_USAGE_free(usages);
    X509_free(x509);
    return allowed;
}

/* Below a proved CA, and by the whole chain's rules too: path lengths, name constraints. */
static bool is_proved(struct trust *trust, const struct cert *cert, int64_t now_s)
{
    const struct cert_list authorities = trust_list(&trust->authorities);

    if (find_issuer(trust, cert, now_s) < 0)
        return false;
    if (chain_verify(cert, &authorities, trust->anchor, now_s) == OK)
        return true;
    log_write(LOG_INFO, "an RA certificate is not used: %s", fail_text());
    return false;
}

static void find_candidates(struct trust *trust, int64_t now_s, struct trust_row *out)
{
    for (size_t i = 0; i < trust->offered.count; i++) {
        struct cert *cert = trust->offered.items[i];
        if (cert_is_ca(cert) || row_contains(out, cert) || !is_proved(trust, cert, now_s))
            continue;
        if (may_be_ra(cert))
            row_add(out, cert);
        else
            log_write(LOG_INFO, "a certificate that is not certified for an RA's work is not used as one");
    }
}

/* Of several that can, the one that was made last; of twins, the smaller bytes: never the first in line. */
static bool is_better(const struct cert *a, const struct cert *b)
{
    if (cert_not_before_s(a) != cert_not_before_s(b))
        return cert_not_before_s(a) > cert_not_before_s(b);
    const struct span x = cert_get_der(a), y = cert_get_der(b);
    return memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len) < 0;
}

static struct cert *choose_encryption(const struct trust_row *candidates)
{
    struct cert *best = NULL;

    if (candidates->count == 1)
        return candidates->items[0];
    for (size_t i = 0; i < candidates->count; i++) {
        struct cert *cert = candidates->items[i];
        if (cert_has_key_usage(cert, KEY_USAGE_KEY_ENCIPHERMENT) && (!best || is_better(cert, best)))
            best = cert;
    }
    return best;
}

static void choose_signers(struct trust *trust, const struct trust_row *candidates)
{
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->count == 1 || cert_has_key_usage(candidates->items[i], KEY_USAGE_DIGITAL_SIGNATURE))
            row_add(&trust->signers, candidates->items[i]);
}

/* Without an RA the issuing CA does the RA's work itself. */
static void choose_authority(struct trust *trust)
{
    trust->encryption = trust->issuing;
    row_add(&trust->signers, trust->issuing);
}

enum status trust_build(struct trust *trust, int64_t now_s)
{
    struct trust_row candidates = { 0 };
    size_t leaves = 0;

    if (!trust->anchor)
        return fail(FAULT, "trust_build() before trust_find_anchor()");
    row_add(&trust->authorities, trust->anchor);
    trust_extend(trust, now_s);
    choose_issuing(trust);
    find_candidates(trust, now_s, &candidates);
    for (size_t i = 0; i < trust->offered.count; i++)
        leaves += !cert_is_ca(trust->offered.items[i]);
    if (!candidates.count && leaves)
        return fail(BAD_PROOF, "RFC 8894 s2.1.2: the server offers %zu RA certificates, and none comes from a CA that "
                    "the trust anchor vouches for", leaves);
    if (candidates.count) {
        trust->encryption = choose_encryption(&candidates);
        choose_signers(trust, &candidates);
    } else {
        choose_authority(trust);
    }
    if (!trust->encryption || !trust->signers.count)
        return fail(BAD_PROOF, "RFC 8894 s2.1.2: no RA certificate is both proved and certified to %s",
                    trust->encryption ? "sign replies (digitalSignature)" : "open requests (keyEncipherment)");
    return OK;
}

/* --- Chains ------------------------------------------------------------------------------------------- */

enum status trust_find_chain(const struct trust *trust, const struct cert *leaf, int64_t now_s,
                             struct trust_row *out)
{
    const struct cert *at = leaf;

    *out = (struct trust_row){ 0 };
    for (size_t depth = 0; depth <= trust->authorities.count; depth++) {
        const int issuer = find_issuer(trust, at, now_s);
        if (issuer < 0)
            return fail(BAD_PROOF, "the certificate comes from a CA that the trust anchor does not vouch for");
        if (issuer == 0)
            return OK;
        at = trust->authorities.items[issuer];
        row_add(out, trust->authorities.items[issuer]);
    }
    return fail(BAD_PROOF, "the CAs above the certificate go round in a circle");
}
