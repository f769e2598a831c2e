/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate requests, read and proved.
 */
#include "lib/pki/der.h"
#include "lib/pki/extension.h"
#include "lib/pki/name.h"
#include "lib/pki/public_key.h"
#include "lib/pki/signature.h"

#include <stdlib.h>

#define CHALLENGE_MAX_BYTES 1024
#define EXTENDED_KEY_USAGES_MAX 16

/* One allocation: every span is lent from the copy of the DER at the end, but for a password that
 * is not ASCII. */
struct csr {
    struct signed_parts parts;
    struct span subject;
    struct span spki;
    struct public_key *key;
    bool key_is_lent;
    bool has_challenge;
    bool has_extension_request;
    struct span challenge;
    struct buf challenge_converted;
    struct extensions extensions;
    char (*extended_key_usage)[DER_OID_TEXT_BYTES]; /* as many as are asked for */
    size_t der_len;
    uint8_t der[];
};

void csr_free(struct csr *csr)
{
    if (!csr)
        return;
    if (!csr->key_is_lent)
        public_key_free(csr->key);
    buf_clear(&csr->challenge_converted);
    free(csr->extended_key_usage);
    explicit_bzero(csr->der, csr->der_len); /* there may be a password in it */
    free(csr);
}

/* --- Attributes --------------------------------------------------------- */

/* The password as UTF-8, lent where it is that already. */
static enum status challenge_convert(const struct der *value, struct csr *csr)
{
    csr->challenge = value->content;
    if (der_string_is_ascii(value->tag, value->content))
        return OK;
    csr->challenge_converted.limit = CHALLENGE_MAX_BYTES;
    const enum status status = der_string_utf8(value->tag, value->content, &csr->challenge_converted);
    if (status != OK)
        return fail(BAD_INPUT, "challengePassword cannot be read as at most %d bytes of UTF-8: %s", CHALLENGE_MAX_BYTES,
                    fail_text());
    csr->challenge = buf_span(&csr->challenge_converted);
    return OK;
}

/* RFC 2985 s5.4.1; any string type, since clients send any. */
static enum status challenge_read(const struct der *value, struct csr *csr)
{
    if (csr->has_challenge)
        return fail(BAD_INPUT, "challengePassword appears twice");
    csr->has_challenge = true;
    if (!der_is_string(value->tag))
        return fail(BAD_INPUT, "challengePassword is no string");
    if (value->content.len > CHALLENGE_MAX_BYTES)
        return fail(BAD_INPUT, "challengePassword of %zu bytes, want at most %d", value->content.len,
                    CHALLENGE_MAX_BYTES);
    TRY(challenge_convert(value, csr));
    if (utf8_has_control(csr->challenge))
        return fail(BAD_INPUT, "a NUL or control character in challengePassword");
    return OK;
}

/* RFC 2985 s5.4.2 */
static enum status extension_request_read(const struct der *value, struct csr *csr)
{
    if (csr->has_extension_request)
        return fail(BAD_INPUT, "extensionRequest appears twice");
    csr->has_extension_request = true;
    if (value->tag != DER_SEQUENCE)
        return fail(BAD_INPUT, "extensionRequest is not a SEQUENCE");
    return extensions_read(value->content, &csr->extensions);
}

/* Others (Windows sends its version and CSP) are not looked at. */
static const struct {
    struct span oid;
    const char *name;
    enum status (*read)(const struct der *value, struct csr *csr);
} attribute_readers[] = {
    { SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"), "challengePassword", challenge_read },
    { SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"), "extensionRequest", extension_request_read },
    /* Microsoft's own number for the same: 1.3.6.1.4.1.311.2.1.14 */
    { SPAN_LITERAL("\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e"), "extensionRequest", extension_request_read },
};

struct attribute {
    struct span oid;
    struct der first; /* of its values; undefined where there is none */
    size_t count;
};

/* Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF ANY }; an empty SET is seen, and taken
 * of attributes that nobody reads. */
static enum status attribute_next(struct span *list, struct attribute *out)
{
    struct span fields, values;

    TRY(der_expect(list, DER_SEQUENCE, &fields));
    TRY(der_expect(&fields, DER_OID, &out->oid));
    TRY(der_oid_check(out->oid));
    TRY(der_expect(&fields, DER_SET, &values));
    if (fields.len)
        return fail(BAD_INPUT, "%zu bytes behind its values", fields.len);
    for (out->count = 0; values.len; out->count++) {
        struct der value;
        TRY(der_next(&values, &value));
        TRY(der_check_value(&value));
        if (out->count == 0)
            out->first = value;
    }
    return OK;
}

static enum status attribute_read(const struct attribute *attribute, struct csr *csr)
{
    for (size_t i = 0; i < COUNT_OF(attribute_readers); i++) {
        if (!span_equal(attribute->oid, attribute_readers[i].oid))
            continue;
        if (attribute->count != 1)
            return fail(BAD_INPUT, "%s with %zu values, want 1 (RFC 2985 s5.4)", attribute_readers[i].name,
                        attribute->count);
        return attribute_readers[i].read(&attribute->first, csr);
    }
    return OK;
}

/* attributes [0] IMPLICIT SET OF Attribute; some leave it out. */
static enum status attributes_read(struct span *rest, struct csr *csr)
{
    struct span list;

    csr->extensions.path_length = PATH_LENGTH_NONE;
    if (!der_is_next(*rest, DER_CONTEXT_CONSTRUCTED(0)))
        return OK;
    TRY(der_expect(rest, DER_CONTEXT_CONSTRUCTED(0), &list));
    for (size_t i = 1; list.len; i++) {
        struct attribute attribute;
        const enum status status = attribute_next(&list, &attribute);
        if (status != OK)
            return fail_in(status, "attribute %zu (RFC 2986 s4.1)", i);
        TRY(attribute_read(&attribute, csr));
    }
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
    struct span rest = csr->extensions.extended_key_usages, oid;

    if (count == 0)
        return OK;
    if (count > EXTENDED_KEY_USAGES_MAX)
        return fail(BAD_INPUT, "%zu extended key usages, want at most %d", count, EXTENDED_KEY_USAGES_MAX);
    csr->extended_key_usage = calloc(count, sizeof *csr->extended_key_usage);
    if (!csr->extended_key_usage)
        return fail(FAULT, "no memory for %zu extended key usages", count);
    for (size_t i = 0; i < count; i++) {
        TRY(der_expect(&rest, DER_OID, &oid));
        TRY(der_oid_text(oid, csr->extended_key_usage[i]));
    }
    return OK;
}

static enum status version_check(struct span *rest)
{
    struct span content, version;

    TRY(der_expect(rest, DER_INTEGER, &content));
    TRY(der_unsigned(content, &version));
    if (version.len != 1 || version.ptr[0] != 0)
        return fail(BAD_INPUT, "RFC 2986 s4.1: version is not v1(0)");
    return OK;
}

static enum status info_read(struct csr *csr)
{
    struct span rest;

    TRY(der_only(csr->parts.content, DER_SEQUENCE, &rest));
    TRY(version_check(&rest));
    TRY(der_expect_whole(&rest, DER_SEQUENCE, "subject", &csr->subject));
    TRY(name_check_text(csr->subject));
    TRY(der_expect_whole(&rest, DER_SEQUENCE, "subjectPKInfo", &csr->spki));
    TRY(attributes_read(&rest, csr));
    if (rest.len)
        return fail(BAD_INPUT, "CertificationRequestInfo: %zu bytes behind its fields", rest.len);
    return OK;
}

static enum status shape_read(struct csr *csr)
{
    const enum status status = signed_parts_read(csr_get_der(csr), &csr->parts);
    if (status != OK)
        return fail_in(status, "CertificationRequest (RFC 2986 s4)");
    TRY(info_read(csr));
    TRY(alternative_names_check(csr->extensions.subject_alt_name));
    return extended_key_usages_read(csr);
}

/* Proof of possession: the request is signed with the key it asks a certificate for. */
static enum status possession_check(const struct csr *csr)
{
    return signature_verify(csr->parts.algorithm, csr->parts.content, csr->parts.signature, csr->key);
}

static enum status read_key(struct csr *csr, struct public_key *known)
{
    csr->key_is_lent = known && span_equal(public_key_get_spki(known), csr->spki);
    if (!csr->key_is_lent)
        return public_key_parse_lent(csr->spki, &csr->key);
    csr->key = known;
    return OK;
}

static enum status parse(struct span der, bool proved, struct public_key *known, struct csr **out)
{
    if (der.len == 0 || der.len > CSR_MAX_BYTES)
        return fail(BAD_INPUT, "a certificate request of %zu bytes, want 1 to %zu", der.len, CSR_MAX_BYTES);
    AUTO(csr_freep) struct csr *csr = malloc(sizeof *csr + der.len);
    if (!csr)
        return fail(FAULT, "no memory for a certificate request");
    *csr = (struct csr){ .der_len = der.len };
    memcpy(csr->der, der.ptr, der.len);
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
    return span_of(csr->der, csr->der_len);
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
    return csr->challenge;
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
