/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates: reading, looking, verifying one level.
 */
#include "lib/pki/asn1.h"
#include "lib/pki/der.h"
#include "lib/pki/extension.h"
#include "lib/pki/name.h"
#include "lib/pki/signature.h"

#include "lib/base/clock.h"

#include <stdlib.h>

#define SERIAL_READ_MAX_BYTES 64 /* sscep signs requests with certificates whose serial is a whole SHA-256 */

struct cert {
    struct buf der;
    struct asn1_cert *asn1; /* everything below is lent from it or from `der` */
    struct span tbs;
    struct span serial;
    struct span algorithm;
    struct span signature;
    struct span issuer;
    struct span subject;
    struct span spki;
    int64_t not_before_s;
    int64_t not_after_s;
    struct extensions extensions;
    struct public_key *key; /* NULL until cert_get_key() */
};

void cert_free(struct cert *cert)
{
    if (!cert)
        return;
    asn1_cert_free(cert->asn1);
    public_key_free(cert->key);
    buf_clear(&cert->der);
    free(cert);
}

/* --- Reading ------------------------------------------------------------ */

/* The first element inside the outer SEQUENCE, with its header: what was signed. */
static enum status signed_part(struct span der, struct span *out)
{
    struct span inside;
    struct der tbs;

    TRY(der_only(der, DER_SEQUENCE, &inside));
    TRY(der_next(&inside, &tbs));
    *out = tbs.whole;
    return OK;
}

static enum status version_check(const struct asn1_tbs *tbs)
{
    const long version = tbs->version ? ASN1_INTEGER_get(tbs->version) : 0;

    if (version < 0 || version > 2)
        return fail(BAD_INPUT, "version is none of v1, v2, v3");
    if (tbs->extensions && version != 2)
        return fail(BAD_INPUT, "RFC 5280 s4.1.2.1: extensions in a certificate that is not v3");
    return OK;
}

static enum status serial_read(const ASN1_INTEGER *serial, struct span *out)
{
    if (serial->type == V_ASN1_NEG_INTEGER)
        return fail(BAD_INPUT, "RFC 5280 s4.1.2.2: serialNumber is negative");
    if (serial->length < 1 || serial->length > SERIAL_READ_MAX_BYTES)
        return fail(BAD_INPUT, "serialNumber of %d octets, want 1 to %d", serial->length, SERIAL_READ_MAX_BYTES);
    *out = span_of(serial->data, (size_t)serial->length);
    return OK;
}

static enum status validity_read(struct span der, struct cert *cert)
{
    struct span inside;
    struct der not_before, not_after;

    TRY(der_only(der, DER_SEQUENCE, &inside));
    TRY(der_next(&inside, &not_before));
    TRY(der_next(&inside, &not_after));
    if (inside.len)
        return fail(BAD_INPUT, "Validity holds more than two times");
    TRY(der_time(&not_before, &cert->not_before_s));
    return der_time(&not_after, &cert->not_after_s);
}

static enum status algorithms_read(const struct asn1_cert *asn1, struct cert *cert)
{
    struct span inner;

    TRY(asn1_sequence(asn1->algorithm, "signatureAlgorithm", &cert->algorithm));
    TRY(asn1_sequence(asn1->tbs->algorithm, "signature", &inner));
    if (!span_equal(inner, cert->algorithm))
        return fail(BAD_INPUT, "RFC 5280 s4.1.1.2: inner and outer signature algorithm differ");
    return asn1_octets(asn1->signature, &cert->signature);
}

static enum status names_read(const struct asn1_tbs *tbs, struct cert *cert)
{
    TRY(asn1_sequence(tbs->issuer, "issuer", &cert->issuer));
    TRY(asn1_sequence(tbs->subject, "subject", &cert->subject));
    TRY(name_check(cert->issuer));
    return name_check(cert->subject);
}

static enum status cert_read(struct cert *cert)
{
    struct span validity;

    TRY(asn1_cert_decode(buf_span(&cert->der), &cert->asn1));
    const struct asn1_tbs *tbs = cert->asn1->tbs;
    TRY(signed_part(buf_span(&cert->der), &cert->tbs));
    TRY(version_check(tbs));
    TRY(serial_read(tbs->serial, &cert->serial));
    TRY(algorithms_read(cert->asn1, cert));
    TRY(names_read(tbs, cert));
    TRY(asn1_sequence(tbs->validity, "validity", &validity));
    TRY(validity_read(validity, cert));
    TRY(asn1_sequence(tbs->spki, "subjectPublicKeyInfo", &cert->spki));
    return extensions_read(tbs->extensions, &cert->extensions);
}

enum status cert_parse(struct span der, struct cert **out)
{
    if (der.len == 0 || der.len > CERT_MAX_BYTES)
        return fail(BAD_INPUT, "a certificate of %zu bytes, want 1 to %zu", der.len, CERT_MAX_BYTES);
    AUTO(cert_freep) struct cert *cert = calloc(1, sizeof *cert);
    if (!cert)
        return fail(FAULT, "no memory for a certificate");
    TRY(buf_append(&cert->der, der));
    const enum status status = cert_read(cert);
    if (status != OK)
        return fail_in(status, "certificate");
    *out = take(cert);
    return OK;
}

/* --- Looking ------------------------------------------------------------ */

struct span cert_get_der(const struct cert *cert)
{
    return buf_span(&cert->der);
}

struct span cert_get_serial(const struct cert *cert)
{
    return cert->serial;
}

struct span cert_get_issuer(const struct cert *cert)
{
    return cert->issuer;
}

struct span cert_get_subject(const struct cert *cert)
{
    return cert->subject;
}

struct span cert_get_spki(const struct cert *cert)
{
    return cert->spki;
}

struct span cert_get_subject_alt_name(const struct cert *cert)
{
    return cert->extensions.subject_alt_name;
}

struct span cert_get_subject_key_id(const struct cert *cert)
{
    return cert->extensions.subject_key_id;
}

struct span cert_get_authority_key_id(const struct cert *cert)
{
    return cert->extensions.authority_key_id;
}

int64_t cert_not_before_s(const struct cert *cert)
{
    return cert->not_before_s;
}

int64_t cert_not_after_s(const struct cert *cert)
{
    return cert->not_after_s;
}

bool cert_is_ca(const struct cert *cert)
{
    return cert->extensions.is_ca;
}

int cert_path_length(const struct cert *cert)
{
    return cert->extensions.path_length;
}

unsigned cert_key_usage(const struct cert *cert)
{
    return cert->extensions.key_usage;
}

bool cert_has_key_usage(const struct cert *cert, unsigned bit)
{
    return !cert->extensions.has_key_usage || (cert->extensions.key_usage & bit) == bit;
}

bool cert_is_self_issued(const struct cert *cert)
{
    return name_equal(cert->issuer, cert->subject);
}

void cert_fingerprint(const struct cert *cert, uint8_t out[SHA256_BYTES])
{
    sha256(buf_span(&cert->der), out);
}

/* --- Verifying ---------------------------------------------------------- */

enum status cert_get_key(struct cert *cert, struct public_key **out)
{
    if (!cert->key)
        TRY(public_key_parse(cert->spki, &cert->key));
    *out = cert->key;
    return OK;
}

enum status cert_verify_signature(const struct cert *cert, struct public_key *key)
{
    const enum status status = signature_verify(cert->algorithm, cert->tbs, cert->signature, key);

    return status == OK ? OK : fail_in(status, "certificate");
}

static enum status valid_at(const struct cert *cert, int64_t now_s, const char *which)
{
    char text[CLOCK_TEXT_BYTES];

    if (now_s < cert->not_before_s) {
        clock_format_utc(cert->not_before_s, text);
        return fail(BAD_PROOF, "%s is not valid before %s", which, text);
    }
    if (now_s > cert->not_after_s) {
        clock_format_utc(cert->not_after_s, text);
        return fail(BAD_PROOF, "%s expired at %s", which, text);
    }
    return OK;
}

enum status cert_verify_issued_by(const struct cert *cert, struct cert *issuer, int64_t now_s)
{
    struct public_key *key = NULL;

    if (!name_equal(cert->issuer, issuer->subject))
        return fail(BAD_PROOF, "the issuer's name is another one");
    if (!issuer->extensions.is_ca)
        return fail(BAD_PROOF, "the issuer is no CA (RFC 5280 s6.1.4 k)");
    if (!cert_has_key_usage(issuer, KEY_USAGE_KEY_CERT_SIGN))
        return fail(BAD_PROOF, "the issuer may not sign certificates (RFC 5280 s6.1.4 n)");
    if (cert->extensions.has_unknown_critical || issuer->extensions.has_unknown_critical)
        return fail(BAD_PROOF, "a critical extension that is not known (RFC 5280 s4.2)");
    TRY(valid_at(cert, now_s, "the certificate"));
    TRY(valid_at(issuer, now_s, "the issuer"));
    enum status status = cert_get_key(issuer, &key);
    if (status == OK)
        status = cert_verify_signature(cert, key);
    return status == OK || status == FAULT ? status : fail_in(BAD_PROOF, "issuer");
}
