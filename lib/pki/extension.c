/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/extension.h"

#include "lib/pki/asn1.h"
#include "lib/pki/der.h"

#define PATH_LENGTH_MAX 255

/* { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
static enum status basic_constraints_read(struct span value, struct extensions *out)
{
    struct span rest, content, number;

    TRY(der_only(value, DER_SEQUENCE, &rest));
    if (der_is_next(rest, DER_BOOLEAN)) {
        TRY(der_expect(&rest, DER_BOOLEAN, &content));
        if (content.len != 1)
            return fail(BAD_INPUT, "cA is no BOOLEAN");
        out->is_ca = content.ptr[0] != 0;
    }
    if (rest.len) {
        TRY(der_expect(&rest, DER_INTEGER, &content));
        TRY(der_unsigned(content, &number));
        if (!out->is_ca || number.len > 1 || rest.len)
            return fail(BAD_INPUT, "pathLenConstraint without cA, over %d, or something behind it", PATH_LENGTH_MAX);
        out->path_length = number.ptr[0];
    }
    return OK;
}

static enum status key_usage_read(struct span value, struct extensions *out)
{
    struct span bits;

    TRY(der_only(value, DER_BIT_STRING, &bits));
    if (bits.len < 2 || bits.len > 3 || bits.ptr[0] > 7)
        return fail(BAD_INPUT, "want a BIT STRING of 1 to 9 bits");
    out->key_usage = bits.ptr[1] | (bits.len == 3 && bits.ptr[2] & 0x80 ? 0x8000u : 0);
    out->has_key_usage = true;
    return out->key_usage ? OK : fail(BAD_INPUT, "no bit is set");
}

static enum status extended_key_usage_read(struct span value, struct extensions *out)
{
    struct span rest;

    TRY(der_only(value, DER_SEQUENCE, &rest));
    if (rest.len == 0)
        return fail(BAD_INPUT, "no purpose in it (s4.2.1.12: SIZE 1..MAX)");
    while (rest.len) {
        if (out->extended_key_usage_count == EXTENDED_KEY_USAGE_MAX)
            return fail(BAD_INPUT, "more than %d purposes", EXTENDED_KEY_USAGE_MAX);
        struct span *oid = &out->extended_key_usage[out->extended_key_usage_count++];
        TRY(der_expect(&rest, DER_OID, oid));
        if (oid->len == 0 || oid->len > DER_OID_MAX_BYTES)
            return fail(BAD_INPUT, "an object identifier of %zu bytes, want 1 to %d", oid->len, DER_OID_MAX_BYTES);
    }
    return OK;
}

static enum status subject_alt_name_read(struct span value, struct extensions *out)
{
    struct general_name names[GENERAL_NAMES_MAX];
    size_t count;

    TRY(general_names_parse(value, names, COUNT_OF(names), &count));
    if (count == 0)
        return fail(BAD_INPUT, "no name in it");
    out->subject_alt_name = value;
    return OK;
}

static enum status subject_key_id_read(struct span value, struct extensions *out)
{
    TRY(der_only(value, DER_OCTET_STRING, &out->subject_key_id));
    return out->subject_key_id.len ? OK : fail(BAD_INPUT, "an empty key identifier");
}

/* { keyIdentifier [0], authorityCertIssuer [1], authorityCertSerialNumber [2] }, all OPTIONAL */
static enum status authority_key_id_read(struct span value, struct extensions *out)
{
    static const uint8_t tags[] = { DER_CONTEXT(0), DER_CONTEXT_CONSTRUCTED(1), DER_CONTEXT(2) };
    struct span rest, content;

    TRY(der_only(value, DER_SEQUENCE, &rest));
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        if (!der_is_next(rest, tags[i]))
            continue;
        TRY(der_expect(&rest, tags[i], &content));
        if (i == 0)
            out->authority_key_id = content;
    }
    return rest.len ? fail(BAD_INPUT, "a field that does not belong there") : OK;
}

/* Not read here, but no reason to mistrust a certificate: who needs them looks for himself. */
static enum status known_only(struct span value, struct extensions *out)
{
    (void)value, (void)out;
    return OK;
}

/* id-ce is 2.5.29 */
static const struct reader {
    uint8_t id_ce;
    const char *name;
    enum status (*read)(struct span value, struct extensions *out);
} readers[] = {
    { 14, "subjectKeyIdentifier", subject_key_id_read },
    { 15, "keyUsage", key_usage_read },
    { 17, "subjectAltName", subject_alt_name_read },
    { 19, "basicConstraints", basic_constraints_read },
    { 30, "nameConstraints", known_only },
    { 31, "cRLDistributionPoints", known_only },
    { 32, "certificatePolicies", known_only },
    { 35, "authorityKeyIdentifier", authority_key_id_read },
    { 37, "extKeyUsage", extended_key_usage_read },
};

static const struct reader *reader_find(struct span oid)
{
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        if (oid.len == 3 && oid.ptr[0] == 0x55 && oid.ptr[1] == 0x1d && oid.ptr[2] == readers[i].id_ce)
            return &readers[i];
    return NULL;
}

static struct span extension_oid(const STACK_OF(X509_EXTENSION) *list, int i)
{
    return asn1_oid(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, i)));
}

/* RFC 5280 s4.2: "must not include more than one instance" of an extension. */
static bool is_doubled(const STACK_OF(X509_EXTENSION) *list, int at)
{
    const struct span oid = extension_oid(list, at);

    for (int i = 0; i < at; i++)
        if (span_equal(oid, extension_oid(list, i)))
            return true;
    return false;
}

enum status extensions_read(const STACK_OF(X509_EXTENSION) *list, struct extensions *out)
{
    const int count = list ? sk_X509_EXTENSION_num(list) : 0;

    out->path_length = PATH_LENGTH_NONE;
    if (count > EXTENSIONS_MAX)
        return fail(BAD_INPUT, "%d extensions, want at most %d", count, EXTENSIONS_MAX);
    for (int i = 0; i < count; i++) {
        X509_EXTENSION *extension = sk_X509_EXTENSION_value(list, i);
        const struct reader *reader = reader_find(extension_oid(list, i));
        if (is_doubled(list, i))
            return fail(BAD_INPUT, "RFC 5280 s4.2: extension %d repeats an earlier one", i + 1);
        if (!reader) {
            out->has_unknown_critical |= X509_EXTENSION_get_critical(extension) > 0;
            continue;
        }
        const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);
        const enum status status = reader->read(span_of(data->data, (size_t)data->length), out);
        if (status != OK)
            return fail_in(status, "%s (RFC 5280 s4.2.1)", reader->name);
    }
    return OK;
}
