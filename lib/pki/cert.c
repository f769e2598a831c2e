/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates: reading, looking, verifying one level.
 */
#include "lib/pki/der.h"
#include "lib/pki/extension.h"
#include "lib/pki/name.h"
#include "lib/pki/public_key.h"
#include "lib/pki/signature.h"

#include "lib/base/clock.h"

#include <stdlib.h>

#define SERIAL_READ_MAX_BYTES 64 /* sscep signs requests with certificates whose serial is a whole SHA-256 */

/* One allocation: every span is lent from the copy of the DER at the end. */
struct cert {
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
    size_t der_len;
    uint8_t der[];
};

void cert_free(struct cert *cert)
{
    if (!cert)
        return;
    public_key_free(cert->key);
    free(cert);
}

/* --- Reading ------------------------------------------------------------ */

/* version [0] EXPLICIT Version DEFAULT v1; some write v1 out. */
static enum status version_read(struct span *rest, uint8_t *out)
{
    struct span explicit_value, content, version = { 0 };

    *out = 0;
    if (!der_is_next(*rest, DER_CONTEXT_CONSTRUCTED(0)))
        return OK;
    TRY(der_expect(rest, DER_CONTEXT_CONSTRUCTED(0), &explicit_value));
    TRY(der_only(explicit_value, DER_INTEGER, &content));
    TRY(der_unsigned(content, &version));
    if (version.len != 1 || version.ptr[0] > 2)
        return fail(BAD_INPUT, "version is none of v1, v2, v3");
    *out = version.ptr[0];
    return OK;
}

static enum status serial_read(struct span *rest, struct span *out)
{
    struct span content, serial;

    TRY(der_expect(rest, DER_INTEGER, &content));
    const enum status status = der_unsigned(content, &serial);
    if (status != OK)
        return fail_in(status, "serialNumber (RFC 5280 s4.1.2.2)");
    if (serial.len > SERIAL_READ_MAX_BYTES)
        return fail(BAD_INPUT, "serialNumber of %zu octets, want 1 to %d", serial.len, SERIAL_READ_MAX_BYTES);
    *out = serial;
    return OK;
}

static enum status inner_algorithm_check(struct span *rest, struct span outer)
{
    struct span inner;

    TRY(der_expect_whole(rest, DER_SEQUENCE, "signature", &inner));
    if (!span_equal(inner, outer))
        return fail(BAD_INPUT, "RFC 5280 s4.1.1.2: inner and outer signature algorithm differ");
    return OK;
}

static enum status name_next(struct span *rest, const char *what, struct span *out)
{
    TRY(der_expect_whole(rest, DER_SEQUENCE, what, out));
    return name_check(*out);
}

static enum status validity_read(struct span *rest, struct cert *cert)
{
    struct span inside;
    struct der not_before, not_after;

    TRY(der_expect(rest, DER_SEQUENCE, &inside));
    TRY(der_next(&inside, &not_before));
    TRY(der_next(&inside, &not_after));
    if (inside.len)
        return fail(BAD_INPUT, "Validity holds more than two times");
    TRY(der_time(&not_before, &cert->not_before_s));
    return der_time(&not_after, &cert->not_after_s);
}

/* issuerUniqueID [1], subjectUniqueID [2] IMPLICIT BIT STRING: nobody's business, but they must be some. */
static enum status unique_ids_skip(struct span *rest)
{
    for (uint8_t n = 1; n <= 2; n++) {
        struct der element;
        if (!der_is_next(*rest, DER_CONTEXT(n)))
            continue;
        TRY(der_next(rest, &element));
        element.tag = DER_BIT_STRING;
        TRY(der_check_value(&element));
    }
    return OK;
}

static enum status extensions_next(struct span *rest, uint8_t version, struct extensions *out)
{
    struct span explicit_value, list = { 0 };

    if (der_is_next(*rest, DER_CONTEXT_CONSTRUCTED(3))) {
        TRY(der_expect(rest, DER_CONTEXT_CONSTRUCTED(3), &explicit_value));
        TRY(der_only(explicit_value, DER_SEQUENCE, &list));
        if (version != 2)
            return fail(BAD_INPUT, "RFC 5280 s4.1.2.1: extensions in a certificate that is not v3");
    }
    if (rest->len)
        return fail(BAD_INPUT, "TBSCertificate: %zu bytes behind its fields, or one out of order", rest->len);
    return extensions_read(list, out);
}

static enum status tbs_read(struct cert *cert)
{
    struct span rest;
    uint8_t version = 0;

    TRY(der_only(cert->tbs, DER_SEQUENCE, &rest));
    TRY(version_read(&rest, &version));
    TRY(serial_read(&rest, &cert->serial));
    TRY(inner_algorithm_check(&rest, cert->algorithm));
    TRY(name_next(&rest, "issuer", &cert->issuer));
    TRY(validity_read(&rest, cert));
    TRY(name_next(&rest, "subject", &cert->subject));
    TRY(der_expect_whole(&rest, DER_SEQUENCE, "subjectPublicKeyInfo", &cert->spki));
    TRY(unique_ids_skip(&rest));
    return extensions_next(&rest, version, &cert->extensions);
}

static enum status cert_read(struct cert *cert)
{
    struct signed_parts parts;

    const enum status status = signed_parts_read(cert_get_der(cert), &parts);
    if (status != OK)
        return fail_in(status, "Certificate (RFC 5280 s4.1)");
    cert->tbs = parts.content;
    cert->algorithm = parts.algorithm;
    cert->signature = parts.signature;
    return tbs_read(cert);
}

enum status cert_parse(struct span der, struct cert **out)
{
    if (der.len == 0 || der.len > CERT_MAX_BYTES)
        return fail(BAD_INPUT, "a certificate of %zu bytes, want 1 to %zu", der.len, CERT_MAX_BYTES);
    AUTO(cert_freep) struct cert *cert = malloc(sizeof *cert + der.len);
    if (!cert)
        return fail(FAULT, "no memory for a certificate");
    *cert = (struct cert){ .der_len = der.len };
    memcpy(cert->der, der.ptr, der.len);
    const enum status status = cert_read(cert);
    if (status != OK)
        return fail_in(status, "certificate");
    *out = take(cert);
    return OK;
}

/* --- Looking ------------------------------------------------------------ */

struct span cert_get_der(const struct cert *cert)
{
    return span_of(cert->der, cert->der_len);
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
    sha256(cert_get_der(cert), out);
}

/* --- Verifying ---------------------------------------------------------- */

enum status cert_get_key(struct cert *cert, struct public_key **out)
{
    if (!cert->key)
        TRY(public_key_parse_lent(cert->spki, &cert->key));
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
