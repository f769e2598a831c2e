/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate requests, read and proved.
 */
#include "lib/pki/asn1.h"
#include "lib/pki/der.h"
#include "lib/pki/extension.h"
#include "lib/pki/libcrypto.h"
#include "lib/pki/name.h"
#include "lib/pki/signature.h"

#include <stdlib.h>

#define CHALLENGE_MAX_BYTES 1024
#define EXTENDED_KEY_USAGES_MAX 16

struct csr {
    struct buf der;
    struct asn1_csr *asn1; /* the spans below are lent from it or from `der` */
    struct span info;
    struct span subject;
    struct span spki;
    struct public_key *key;
    bool key_is_lent;
    struct buf challenge;
    X509_EXTENSIONS *asked; /* extensionRequest; NULL if there is none */
    struct extensions extensions;
    char extended_key_usage[EXTENDED_KEY_USAGES_MAX][DER_OID_TEXT_BYTES];
};

/* The attribute's copy of the password is ours to wipe: the template engine does not. */
static void attributes_wipe(const struct asn1_csr *asn1)
{
    const STACK_OF(X509_ATTRIBUTE) *attributes = asn1->info->attributes;
    const int count = attributes ? sk_X509_ATTRIBUTE_num(attributes) : 0;

    for (int i = 0; i < count; i++) {
        const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(sk_X509_ATTRIBUTE_value(attributes, i), 0);
        if (value && der_is_string((uint8_t)value->type))
            OPENSSL_cleanse(value->value.asn1_string->data, (size_t)value->value.asn1_string->length);
    }
}

void csr_free(struct csr *csr)
{
    if (!csr)
        return;
    if (csr->asn1)
        attributes_wipe(csr->asn1);
    asn1_csr_free(csr->asn1);
    sk_X509_EXTENSION_pop_free(csr->asked, X509_EXTENSION_free);
    if (!csr->key_is_lent)
        public_key_free(csr->key);
    buf_clear(&csr->challenge);
    buf_clear(&csr->der);
    free(csr);
}

/* --- Attributes --------------------------------------------------------- */

/* RFC 2985 s5.4.1; any string type, since clients send any. */
static enum status challenge_read(const ASN1_TYPE *value, struct csr *csr)
{
    if (csr->challenge.limit)
        return fail(BAD_INPUT, "challengePassword appears twice");
    csr->challenge.limit = CHALLENGE_MAX_BYTES;
    if (value->type > 30 || !der_is_string((uint8_t)value->type))
        return fail(BAD_INPUT, "challengePassword is no string");
    const ASN1_STRING *string = value->value.asn1_string;
    if (string->length > CHALLENGE_MAX_BYTES)
        return fail(BAD_INPUT, "challengePassword of %d bytes, want at most %d", string->length, CHALLENGE_MAX_BYTES);
    const enum status status =
        der_string_utf8((uint8_t)value->type, span_of(string->data, (size_t)string->length), &csr->challenge);
    if (status != OK)
        return fail(BAD_INPUT, "challengePassword cannot be read as at most %d bytes of UTF-8: %s", CHALLENGE_MAX_BYTES,
                    fail_text());
    if (utf8_has_control(buf_span(&csr->challenge)))
        return fail(BAD_INPUT, "a NUL or control character in challengePassword");
    return OK;
}

/* RFC 2985 s5.4.2 */
static enum status extension_request_read(const ASN1_TYPE *value, struct csr *csr)
{
    struct span der;

    if (csr->asked)
        return fail(BAD_INPUT, "extensionRequest appears twice");
    TRY(asn1_sequence(value, "extensionRequest", &der));
    const uint8_t *p = der.ptr;
    csr->asked = d2i_X509_EXTENSIONS(NULL, &p, (long)der.len);
    if (!csr->asked)
        return fail_libcrypto(BAD_INPUT, "extensionRequest");
    return extensions_read(csr->asked, &csr->extensions);
}

/* Others (Windows sends its version and CSP) are not looked at. */
static const struct {
    struct span oid;
    const char *name;
    enum status (*read)(const ASN1_TYPE *value, struct csr *csr);
} attribute_readers[] = {
    { SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"), "challengePassword", challenge_read },
    { SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"), "extensionRequest", extension_request_read },
    /* Microsoft's own number for the same: 1.3.6.1.4.1.311.2.1.14 */
    { SPAN_LITERAL("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e"), "extensionRequest", extension_request_read },
};

static enum status attribute_read(X509_ATTRIBUTE *attribute, struct csr *csr)
{
    const struct span oid = asn1_oid(X509_ATTRIBUTE_get0_object(attribute));

    for (size_t i = 0; i < COUNT_OF(attribute_readers); i++) {
        if (!span_equal(oid, attribute_readers[i].oid))
            continue;
        if (X509_ATTRIBUTE_count(attribute) != 1)
            return fail(BAD_INPUT, "%s with %d values, want 1 (RFC 2985 s5.4)", attribute_readers[i].name,
                        X509_ATTRIBUTE_count(attribute));
        return attribute_readers[i].read(X509_ATTRIBUTE_get0_type(attribute, 0), csr);
    }
    return OK;
}

static enum status attributes_read(const STACK_OF(X509_ATTRIBUTE) *attributes, struct csr *csr)
{
    const int count = attributes ? sk_X509_ATTRIBUTE_num(attributes) : 0;

    csr->extensions.path_length = PATH_LENGTH_NONE;
    for (int i = 0; i < count; i++)
        TRY(attribute_read(sk_X509_ATTRIBUTE_value(attributes, i), csr));
    return OK;
}

/* --- The request -------------------------------------------------------- */

static enum status alternative_names_check(struct span der)
{
    struct general_name names[GENERAL_NAMES_MAX];
    size_t count = 0;

    TRY(general_names_parse(der, names, COUNT_OF(names), &count));
    for (size_t i = 0; i < count; i++)
        if (names[i].kind == GENERAL_NAME_DIRECTORY)
            TRY(name_check_text(names[i].value));
    return OK;
}

static enum status extended_key_usages_read(struct csr *csr)
{
    const size_t count = csr->extensions.extended_key_usage_count;

    if (count > EXTENDED_KEY_USAGES_MAX)
        return fail(BAD_INPUT, "%zu extended key usages, want at most %d", count, EXTENDED_KEY_USAGES_MAX);
    for (size_t i = 0; i < count; i++)
        TRY(der_oid_text(csr->extensions.extended_key_usage[i], csr->extended_key_usage[i]));
    return OK;
}

static enum status shape_read(struct csr *csr)
{
    struct span inside;
    struct der info;

    TRY(asn1_csr_decode(buf_span(&csr->der), &csr->asn1));
    const struct asn1_csr_info *asn1 = csr->asn1->info;
    TRY(der_only(buf_span(&csr->der), DER_SEQUENCE, &inside));
    TRY(der_next(&inside, &info));
    csr->info = info.whole;
    if (ASN1_INTEGER_get(asn1->version) != 0)
        return fail(BAD_INPUT, "RFC 2986 s4.1: version is not v1(0)");
    TRY(asn1_sequence(asn1->subject, "subject", &csr->subject));
    TRY(name_check_text(csr->subject));
    TRY(asn1_sequence(asn1->spki, "subjectPKInfo", &csr->spki));
    TRY(attributes_read(asn1->attributes, csr));
    TRY(alternative_names_check(csr->extensions.subject_alt_name));
    return extended_key_usages_read(csr);
}

/* Proof of possession: the request is signed with the key it asks a certificate for. */
static enum status possession_check(const struct csr *csr)
{
    struct span algorithm, signature;

    TRY(asn1_sequence(csr->asn1->algorithm, "signatureAlgorithm", &algorithm));
    TRY(asn1_octets(csr->asn1->signature, &signature));
    return signature_verify(algorithm, csr->info, signature, csr->key);
}

static enum status read_key(struct csr *csr, struct public_key *known)
{
    csr->key_is_lent = known && span_equal(public_key_get_spki(known), csr->spki);
    if (!csr->key_is_lent)
        return public_key_parse(csr->spki, &csr->key);
    csr->key = known;
    return OK;
}

static enum status parse(struct span der, bool proved, struct public_key *known, struct csr **out)
{
    if (der.len == 0 || der.len > CSR_MAX_BYTES)
        return fail(BAD_INPUT, "a certificate request of %zu bytes, want 1 to %zu", der.len, CSR_MAX_BYTES);
    AUTO(csr_freep) struct csr *csr = calloc(1, sizeof *csr);
    if (!csr)
        return fail(FAULT, "no memory for a certificate request");
    TRY(buf_append(&csr->der, der));
    enum status status = shape_read(csr);
    if (status == OK)
        status = read_key(csr, known);
    if (status == OK && !proved)
        status = possession_check(csr);
    if (status != OK)
        return fail_in(status, "certificate request");
    *out = take(csr);
    return OK;
}

enum status csr_parse(struct span der, struct csr **out)
{
    return parse(der, false, NULL, out);
}

enum status csr_parse_known(struct span der, struct public_key *known, struct csr **out)
{
    return parse(der, false, known, out);
}

enum status csr_parse_proved(struct span der, struct csr **out)
{
    return parse(der, true, NULL, out);
}

struct span csr_get_der(const struct csr *csr)
{
    return buf_span(&csr->der);
}

struct span csr_get_subject(const struct csr *csr)
{
    return csr->subject;
}

struct span csr_get_spki(const struct csr *csr)
{
    return csr->spki;
}

struct public_key *csr_get_key(const struct csr *csr)
{
    return csr->key;
}

struct span csr_get_challenge(const struct csr *csr)
{
    return buf_span(&csr->challenge);
}

struct span csr_get_subject_alt_name(const struct csr *csr)
{
    return csr->extensions.subject_alt_name;
}

bool csr_asks_for_ca(const struct csr *csr)
{
    return csr->extensions.is_ca;
}

unsigned csr_key_usage(const struct csr *csr)
{
    return csr->extensions.key_usage;
}

size_t csr_extended_key_usage_count(const struct csr *csr)
{
    return csr->extensions.extended_key_usage_count;
}

const char *csr_extended_key_usage(const struct csr *csr, size_t i)
{
    return csr->extended_key_usage[i];
}
