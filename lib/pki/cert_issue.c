/* SPDX-License-Identifier: Apache-2.0
 *
 * Building a certificate: the TBSCertificate written as DER, then one signature over it.
 * Source: RFC 5280 s4.1, s4.2.
 */
#include "lib/pki/der.h"
#include "lib/pki/extension.h"
#include "lib/pki/libcrypto.h"
#include "lib/pki/name.h"
#include "lib/pki/signature.h"

#include <openssl/rand.h>

#define KEY_ID_BYTES 20
#define SERIAL_FIRST_OCTET 0x4d /* positive, not zero, and always 20 octets: it shows whose serial it is */

#define ID_CE(n) SPAN_LITERAL("\x55\x1d" n)
#define ID_EC_PUBLIC_KEY SPAN_LITERAL("\x2a\x86\x48\xce\x3d\x02\x01")
#define ID_PE_AUTHORITY_INFO_ACCESS SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x01\x01")
#define ID_AD_CA_ISSUERS SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x30\x02")

/* What goes into the certificate beyond what the caller said. */
struct issue {
    const struct cert_content *content;
    const struct cert *issuer;
    struct span algorithm;
    int64_t not_before_s;
    int64_t not_after_s;
    unsigned key_usage;
    uint8_t subject_key_id[KEY_ID_BYTES];
    uint8_t issuer_key_id_made[KEY_ID_BYTES];
    struct span issuer_key_id;
};

enum status cert_serial_generate(uint8_t serial[CERT_SERIAL_MAX_BYTES])
{
    if (RAND_bytes(serial + 1, CERT_SERIAL_MAX_BYTES - 1) != 1)
        return fail_libcrypto(FAULT, "no random bytes for a serial number");
    serial[0] = SERIAL_FIRST_OCTET;
    return OK;
}

/* --- Checking what is asked --------------------------------------------- */

static enum status serial_check(struct span serial)
{
    if (serial.len < 1 || serial.len > CERT_SERIAL_MAX_BYTES)
        return fail(BAD_INPUT, "RFC 5280 s4.1.2.2: a serial of %zu octets, want 1 to %d", serial.len,
                    CERT_SERIAL_MAX_BYTES);
    if (serial.ptr[0] == 0 || serial.ptr[0] & 0x80)
        return fail(BAD_INPUT, "RFC 5280 s4.1.2.2: a serial that is zero, negative or begins with zero");
    return OK;
}

/* A certificate's life lies within its issuer's: backdating and lifetime are cut, not refused. */
static enum status validity_settle(struct issue *issue)
{
    issue->not_before_s = issue->content->not_before_s;
    issue->not_after_s = issue->content->not_after_s;
    if (issue->not_before_s >= issue->not_after_s)
        return fail(BAD_INPUT, "notBefore is not before notAfter");
    if (!issue->issuer)
        return OK;
    if (issue->not_before_s < cert_not_before_s(issue->issuer))
        issue->not_before_s = cert_not_before_s(issue->issuer);
    if (issue->not_after_s > cert_not_after_s(issue->issuer))
        issue->not_after_s = cert_not_after_s(issue->issuer);
    if (issue->not_before_s >= issue->not_after_s)
        return fail(BAD_INPUT, "the validity lies outside the issuer's");
    return OK;
}

/* What goes in as IA5String: URLs and domains. */
static enum status ia5_check(const char *text)
{
    const struct span ia5 = span_of_text(text);

    if (text && (ia5.len == 0 || !span_is_printable(ia5)))
        return fail(BAD_INPUT, "a URL or domain that is empty or not printable ASCII");
    return OK;
}

static enum status texts_check(const struct cert_content *c)
{
    TRY(ia5_check(c->crl_url));
    TRY(ia5_check(c->issuer_url));
    for (size_t i = 0; i < c->permitted_dns_count; i++)
        TRY(ia5_check(c->permitted_dns[i]));
    return OK;
}

static enum status content_check(const struct cert_content *c)
{
    const bool signs_certs = c->key_usage & KEY_USAGE_KEY_CERT_SIGN;

    TRY(serial_check(c->serial));
    TRY(name_check(c->subject));
    if (c->omit_extensions)
        return OK;
    if (name_is_empty(c->subject) && (c->is_ca || c->subject_alt_name.len == 0))
        return fail(BAD_INPUT, "RFC 5280 s4.1.2.6: a CA without a subject, or a certificate without any name");
    if (c->is_ca != signs_certs)
        return fail(BAD_INPUT, "RFC 5280 s4.2.1.9: CA:TRUE and keyCertSign go together");
    if (c->path_length > 255 || (c->permitted_dns_count && !c->is_ca))
        return fail(BAD_INPUT, "a path length over 255, or name constraints without CA:TRUE");
    return texts_check(c);
}

/* A SubjectPublicKeyInfo's algorithm and the octets of its key. */
static enum status spki_split(struct span spki, struct span *oid, struct span *octets)
{
    struct span inside, algorithm, bits;

    TRY(der_only(spki, DER_SEQUENCE, &inside));
    TRY(der_expect(&inside, DER_SEQUENCE, &algorithm));
    TRY(der_expect(&algorithm, DER_OID, oid));
    TRY(der_expect(&inside, DER_BIT_STRING, &bits));
    TRY(der_octets_of_bits(bits, octets));
    return inside.len ? fail(BAD_INPUT, "%zu bytes behind the key", inside.len) : OK;
}

/* RFC 7093 s2 method 1: the leftmost 160 bits of the SHA-256 of the key's BIT STRING. */
static enum status key_id(struct span spki, uint8_t out[KEY_ID_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    struct span oid, octets;

    TRY(spki_split(spki, &oid, &octets));
    sha256(octets, digest);
    memcpy(out, digest, KEY_ID_BYTES);
    return OK;
}

/* RFC 8813 s3: an EC key is never certified to encipher, whatever a template for several kinds of key says. */
static enum status key_usage_settle(struct issue *issue)
{
    struct span oid, octets;

    TRY(spki_split(issue->content->spki, &oid, &octets));
    issue->key_usage = issue->content->key_usage;
    if (span_equal(oid, ID_EC_PUBLIC_KEY))
        issue->key_usage &= ~(KEY_USAGE_KEY_ENCIPHERMENT | KEY_USAGE_DATA_ENCIPHERMENT);
    return OK;
}

/* The issuer's own identifier if it has one, so that the two always match. */
static enum status key_ids_settle(struct issue *issue)
{
    TRY(key_id(issue->content->spki, issue->subject_key_id));
    issue->issuer_key_id = span_of(issue->subject_key_id, KEY_ID_BYTES);
    if (!issue->issuer)
        return OK;
    issue->issuer_key_id = cert_get_subject_key_id(issue->issuer);
    if (issue->issuer_key_id.len)
        return OK;
    issue->issuer_key_id = span_of(issue->issuer_key_id_made, KEY_ID_BYTES);
    return key_id(cert_get_spki(issue->issuer), issue->issuer_key_id_made);
}

/* --- Extensions --------------------------------------------------------- */

/* Begin an Extension and its value; close both with extension_close(). */
struct open_extension {
    size_t sequence;
    size_t value;
};

static struct open_extension extension_open(struct der_writer *w, struct span oid, bool critical)
{
    struct open_extension open = { .sequence = der_open(w, DER_SEQUENCE) };

    der_put(w, DER_OID, oid);
    if (critical)
        der_put_boolean(w, true);
    open.value = der_open(w, DER_OCTET_STRING);
    return open;
}

static void extension_close(struct der_writer *w, struct open_extension open)
{
    der_close(w, open.value);
    der_close(w, open.sequence);
}

static void put_basic_constraints(struct der_writer *w, const struct issue *issue)
{
    const uint8_t path_length = (uint8_t)issue->content->path_length;

    if (!issue->content->is_ca)
        return;
    const struct open_extension open = extension_open(w, ID_CE("\x13"), true);
    const size_t sequence = der_open(w, DER_SEQUENCE);
    der_put_boolean(w, true);
    if (issue->content->path_length >= 0)
        der_put_unsigned(w, span_of(&path_length, 1));
    der_close(w, sequence);
    extension_close(w, open);
}

/* A named bit list: trailing zero bits are left off (X.690 s11.2.2). */
static void put_key_usage(struct der_writer *w, const struct issue *issue)
{
    const uint8_t usage = (uint8_t)issue->key_usage;

    if (usage == 0)
        return;
    const uint8_t bits[] = { (uint8_t)__builtin_ctz(usage), usage };
    const struct open_extension open = extension_open(w, ID_CE("\x0f"), true);
    der_put(w, DER_BIT_STRING, span_of(bits, sizeof bits));
    extension_close(w, open);
}

static void put_extended_key_usage(struct der_writer *w, const struct issue *issue)
{
    const struct cert_content *c = issue->content;

    if (c->extended_key_usage_count == 0)
        return;
    const struct open_extension open = extension_open(w, ID_CE("\x25"), false);
    const size_t sequence = der_open(w, DER_SEQUENCE);
    for (size_t i = 0; i < c->extended_key_usage_count; i++)
        der_put_oid_text(w, c->extended_key_usage[i]);
    der_close(w, sequence);
    extension_close(w, open);
}

/* RFC 5280 s4.2.1.6: critical where there is no subject. */
static void put_subject_alt_name(struct der_writer *w, const struct issue *issue)
{
    const struct cert_content *c = issue->content;

    if (c->subject_alt_name.len == 0)
        return;
    const struct open_extension open = extension_open(w, ID_CE("\x11"), name_is_empty(c->subject));
    der_put_raw(w, c->subject_alt_name);
    extension_close(w, open);
}

/* { permittedSubtrees [0] SEQUENCE OF { base GeneralName } } */
static void put_name_constraints(struct der_writer *w, const struct issue *issue)
{
    const struct cert_content *c = issue->content;

    if (c->permitted_dns_count == 0)
        return;
    const struct open_extension open = extension_open(w, ID_CE("\x1e"), true);
    const size_t sequence = der_open(w, DER_SEQUENCE);
    const size_t permitted = der_open(w, DER_CONTEXT_CONSTRUCTED(0));
    for (size_t i = 0; i < c->permitted_dns_count; i++) {
        const size_t subtree = der_open(w, DER_SEQUENCE);
        der_put(w, DER_CONTEXT(2), span_of_text(c->permitted_dns[i]));
        der_close(w, subtree);
    }
    der_close(w, permitted);
    der_close(w, sequence);
    extension_close(w, open);
}

static void put_subject_key_id(struct der_writer *w, const struct issue *issue)
{
    const struct open_extension open = extension_open(w, ID_CE("\x0e"), false);

    der_put(w, DER_OCTET_STRING, span_of(issue->subject_key_id, KEY_ID_BYTES));
    extension_close(w, open);
}

static void put_authority_key_id(struct der_writer *w, const struct issue *issue)
{
    const struct open_extension open = extension_open(w, ID_CE("\x23"), false);
    const size_t sequence = der_open(w, DER_SEQUENCE);

    der_put(w, DER_CONTEXT(0), issue->issuer_key_id);
    der_close(w, sequence);
    extension_close(w, open);
}

/* { { distributionPoint [0] { fullName [0] { URI } } } } */
static void put_crl_url(struct der_writer *w, const struct issue *issue)
{
    if (!issue->content->crl_url)
        return;
    const struct open_extension open = extension_open(w, ID_CE("\x1f"), false);
    const size_t points = der_open(w, DER_SEQUENCE);
    const size_t point = der_open(w, DER_SEQUENCE);
    const size_t name = der_open(w, DER_CONTEXT_CONSTRUCTED(0));
    const size_t full_name = der_open(w, DER_CONTEXT_CONSTRUCTED(0));
    der_put(w, DER_CONTEXT(6), span_of_text(issue->content->crl_url));
    der_close(w, full_name);
    der_close(w, name);
    der_close(w, point);
    der_close(w, points);
    extension_close(w, open);
}

static void put_issuer_url(struct der_writer *w, const struct issue *issue)
{
    if (!issue->content->issuer_url)
        return;
    const struct open_extension open = extension_open(w, ID_PE_AUTHORITY_INFO_ACCESS, false);
    const size_t descriptions = der_open(w, DER_SEQUENCE);
    const size_t description = der_open(w, DER_SEQUENCE);
    der_put(w, DER_OID, ID_AD_CA_ISSUERS);
    der_put(w, DER_CONTEXT(6), span_of_text(issue->content->issuer_url));
    der_close(w, description);
    der_close(w, descriptions);
    extension_close(w, open);
}

static void put_extensions(struct der_writer *w, const struct issue *issue)
{
    static void (*const put[])(struct der_writer *w, const struct issue *issue) = {
        put_basic_constraints, put_key_usage,      put_extended_key_usage, put_subject_alt_name, put_name_constraints,
        put_subject_key_id,    put_authority_key_id, put_crl_url,          put_issuer_url,
    };
    const size_t tagged = der_open(w, DER_CONTEXT_CONSTRUCTED(3));
    const size_t sequence = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < COUNT_OF(put); i++)
        put[i](w, issue);
    der_close(w, sequence);
    der_close(w, tagged);
}

/* --- The certificate ---------------------------------------------------- */

static void put_version_3(struct der_writer *w)
{
    static const uint8_t version = 2;
    const size_t tagged = der_open(w, DER_CONTEXT_CONSTRUCTED(0));

    der_put_unsigned(w, span_of(&version, 1));
    der_close(w, tagged);
}

static void put_name(struct der_writer *w, struct span name)
{
    der_put_raw(w, name.len ? name : SPAN_LITERAL("\x30\x00"));
}

static void put_tbs(struct der_writer *w, const struct issue *issue)
{
    const struct cert_content *c = issue->content;
    const size_t tbs = der_open(w, DER_SEQUENCE);

    if (!c->omit_extensions)
        put_version_3(w);
    der_put_unsigned(w, c->serial);
    der_put_raw(w, issue->algorithm);
    put_name(w, issue->issuer ? cert_get_subject(issue->issuer) : c->subject);
    const size_t validity = der_open(w, DER_SEQUENCE);
    der_put_time(w, issue->not_before_s);
    der_put_time(w, issue->not_after_s);
    der_close(w, validity);
    put_name(w, c->subject);
    der_put_raw(w, c->spki);
    if (!c->omit_extensions)
        put_extensions(w, issue);
    der_close(w, tbs);
}

static enum status tbs_sign(struct span tbs, const struct issue *issue, enum digest digest, struct private_key *key,
                            struct buf *out)
{
    AUTO(buf_clear) struct buf signature = { 0 };

    TRY(private_key_sign(key, digest, tbs, &signature));
    out->len = 0;
    struct der_writer w = { out, OK };
    const size_t certificate = der_open(&w, DER_SEQUENCE);
    der_put_raw(&w, tbs);
    der_put_raw(&w, issue->algorithm);
    der_put_bit_string(&w, buf_span(&signature));
    der_close(&w, certificate);
    return der_status(&w);
}

enum status cert_issue(const struct cert_content *content, const struct cert *issuer, struct private_key *key,
                       struct buf *out)
{
    const struct public_key *public_half = private_key_get_public(key);
    const struct key_spec spec = public_key_get_spec(public_half);
    const enum digest digest = signature_digest_for(spec);
    const struct span signing_spki = issuer ? cert_get_spki(issuer) : content->spki;
    struct issue issue = { .content = content, .issuer = issuer };
    AUTO(buf_clear) struct buf tbs = { .limit = CERT_MAX_BYTES };
    struct der_writer w = { &tbs, OK };

    if (!span_equal(signing_spki, public_key_get_spki(public_half)))
        return fail(BAD_INPUT, "the signing key is not the issuer's");
    TRY(content_check(content));
    TRY(validity_settle(&issue));
    TRY(key_usage_settle(&issue));
    TRY(key_ids_settle(&issue));
    TRY(signature_algorithm(spec, digest, &issue.algorithm));
    put_tbs(&w, &issue);
    TRY(der_status(&w));
    return tbs_sign(buf_span(&tbs), &issue, digest, key, out);
}
